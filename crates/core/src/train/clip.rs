//! Clipping of the gradient of a whole network.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

struct SquaredNorm<'a> {
    gradients: &'a GradientsParams,
    sum: Option<Tensor<1>>,
}

impl ModuleVisitor for SquaredNorm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let squares = gradient.square().sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + squares,
                None => squares,
            });
        }
    }
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    factor: Tensor<1>,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            let factor = self.factor.clone().reshape([1; D]);
            self.gradients.register(param.id, gradient * factor);
        }
    }
}

/// Scales all gradients so that their common norm is at most `max_norm`.
///
/// Burn's own clipping works tensor by tensor, which turns the direction of the step. The norm stays where it was computed:
/// to ask for it would keep a card waiting for the step that follows.
pub fn clip_global_norm<M: Module>(module: &M, gradients: &mut GradientsParams, max_norm: f32) {
    let mut visitor = SquaredNorm {
        gradients,
        sum: None,
    };
    module.visit(&mut visitor);
    if let Some(sum) = visitor.sum {
        let factor = sum.sqrt().clamp_min(max_norm).recip().mul_scalar(max_norm);
        module.visit(&mut Scale { gradients, factor });
    }
}
