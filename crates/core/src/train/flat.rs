//! All parameters of a network as one long tensor.
//!
//! A step of the optimiser and the moving average are a dozen operations for each tensor that they take. A network has hundreds of
//! small ones, and what a card does with each takes less time than to ask for it.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use std::collections::HashMap;

/// Which parameters lie in a long tensor one after another, and how many values each has.
pub type Parts = Vec<(ParamId, usize)>;

/// All parameters of a module in its order; none of a module without any.
pub fn flatten<M: Module>(module: &M) -> Option<(Parts, Tensor<1>)> {
    let mut values = Values::default();
    module.visit(&mut values);
    (!values.tensors.is_empty()).then(|| (values.parts, Tensor::cat(values.tensors, 0)))
}

/// Parts of a long tensor by the parameters whose they are. They are views of it: nothing is copied.
pub fn part(parts: Parts, long: &Tensor<1>) -> impl Iterator<Item = (ParamId, Tensor<1>)> {
    let mut first = 0;
    parts.into_iter().map(move |(id, count)| {
        let part = long.clone().narrow(0, first, count);
        first += count;
        (id, part)
    })
}

/// Lays values without gradients into the parameters whose they are; others stay. What has gradients goes on to have them.
pub fn lay<M: Module>(module: M, values: HashMap<ParamId, Tensor<1>>) -> M {
    module.map(&mut Lay(values))
}

/// The values of a parameter, without gradients.
pub fn long<const D: usize>(param: &Param<Tensor<D>>) -> Tensor<1> {
    let tensor = param.val();
    let tensor = if tensor.device().is_autodiff() {
        tensor.inner()
    } else {
        tensor
    };
    tensor.flatten(0, D - 1)
}

#[derive(Default)]
struct Values {
    parts: Parts,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let values = long(param);
        self.parts.push((param.id, values.dims()[0]));
        self.tensors.push(values);
    }
}

struct Lay(HashMap<ParamId, Tensor<1>>);

impl ModuleMapper for Lay {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let id = param.id;
        let Some(values) = self.0.remove(&id) else {
            return param;
        };
        param.map(|old| {
            let mut new = values.reshape(old.dims());
            // As Burn's optimiser leaves a parameter.
            if let Some(strategy) = old.gradient_checkpointing_strategy() {
                new = Tensor::from_inner(new).with_gradient_checkpointing_strategy(strategy);
            }
            if old.is_require_grad() {
                new = new.require_grad();
            }
            if old.is_distributed() {
                new = new.set_distributed(id);
            }
            new
        })
    }
}
