//! Exponential moving average of the weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use std::collections::VecDeque;

/// Share of the average that stays at a step: less in the first steps, when it still remembers the
/// random start.
pub fn decay_at(step: usize, decay: f32) -> f32 {
    decay.min((1 + step) as f32 / (10 + step) as f32)
}

/// Moves every parameter of `average` towards the same one of `network` by `1 − decay` of the way.
pub fn follow<M: Module>(average: M, network: &M, decay: f32) -> M {
    let mut values = Values::default();
    network.visit(&mut values);
    average.map(&mut Follow {
        values: values.0,
        decay,
    })
}

/// All parameters in the order of the network, flattened.
#[derive(Default)]
struct Values(VecDeque<Tensor<1>>);

impl ModuleVisitor for Values {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push_back(param.val().detach().flatten(0, D - 1));
    }
}

struct Follow {
    values: VecDeque<Tensor<1>>,
    decay: f32,
}

impl ModuleMapper for Follow {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let value = self
            .values
            .pop_front()
            .expect("both are the same network, with the same parameters");
        let decay = self.decay;
        param.map(|average| {
            let value = value.reshape(average.dims());
            let step = (value - average.clone()).mul_scalar(1.0 - decay);
            (average + step).detach()
        })
    }
}
