//! Which parameters train.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

struct Freezer<F> {
    path: Vec<String>,
    is_frozen: F,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Freezer<F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let frozen = (self.is_frozen)(&self.path.join("."));
        param.set_require_grad(!frozen)
    }
}

/// Freezes the parameters whose name `is_frozen` accepts and trains all others.
pub fn freeze<M: Module>(module: M, is_frozen: impl Fn(&str) -> bool) -> M {
    module.map(&mut Freezer {
        path: Vec::new(),
        is_frozen,
    })
}

/// The backbone of stage 2: the transformer without its adapters.
pub fn is_backbone(name: &str) -> bool {
    name.starts_with("vit.") && !name.contains(".adapter.")
}
