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
    factor: f32,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients
                .register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}

/// Scales all gradients so that their common norm is at most `max_norm`; returns the norm
/// before.
///
/// Burn's own clipping works tensor by tensor, which turns the direction of the step.
pub fn clip_global_norm<M: Module>(
    module: &M,
    gradients: &mut GradientsParams,
    max_norm: f32,
) -> f32 {
    let mut visitor = SquaredNorm {
        gradients,
        sum: None,
    };
    module.visit(&mut visitor);
    let norm = visitor
        .sum
        .map_or(0.0, |sum| sum.into_scalar::<f32>())
        .sqrt();
    if norm > max_norm {
        module.visit(&mut Scale {
            gradients,
            factor: max_norm / norm,
        });
    }
    norm
}
