//! Which parameters train.

use crate::weights::named::ParameterPath;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

struct Freezer<F> {
    path: ParameterPath,
    is_frozen: F,
}

impl<F: Fn(&str) -> bool> ModuleMapper for Freezer<F> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let frozen = (self.is_frozen)(&self.path.name());
        param.set_require_grad(!frozen)
    }
}

/// Freezes the parameters whose name `is_frozen` accepts and trains all others.
pub fn freeze<M: Module>(module: M, is_frozen: impl Fn(&str) -> bool) -> M {
    module.map(&mut Freezer {
        path: ParameterPath::default(),
        is_frozen,
    })
}

/// The backbone of stage 2: the transformer without what adapts it.
pub fn is_backbone(name: &str) -> bool {
    let adapts = name.contains(".adapter.") || name.contains(".lora.");
    name.starts_with("vit.") && !adapts
}
