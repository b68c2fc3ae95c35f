//! What kind of numbers a part of a network has.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, Tensor};

struct Caster(DType);

impl ModuleMapper for Caster {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|values| values.cast(self.0))
    }
}

/// A part of a network with weights of other numbers.
pub(super) fn cast<M: Module>(module: M, dtype: DType) -> M {
    module.map(&mut Caster(dtype))
}
