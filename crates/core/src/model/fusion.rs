//! Gated fusion of transformer features with the detail stream.

use super::conv::Pointwise;
use burn::module::Module;
use burn::tensor::activation::sigmoid;
use burn::tensor::{Device, Tensor};

/// `vit + sigmoid(gate([vit, detail])) · detail`, channel by channel and voxel by voxel.
///
/// Source: paper, section 2.3.
#[derive(Module, Debug)]
pub struct GatedFusion {
    gate: Pointwise,
}

impl GatedFusion {
    /// Fresh weights for two maps of `channels` channels each.
    pub fn init(channels: usize, device: &Device) -> Self {
        Self {
            gate: Pointwise::init(2 * channels, channels, true, device),
        }
    }

    /// # Shapes
    /// - `vit`, `detail` and the result: `[batch, channel, slice, row, column]`
    pub fn forward(&self, vit: Tensor<5>, detail: Tensor<5>) -> Tensor<5> {
        vit.clone() + self.openness(vit, detail.clone()) * detail
    }

    /// How far the gate is open for the detail stream, 0 to 1.
    ///
    /// # Shapes
    /// as [`GatedFusion::forward`]
    pub fn openness(&self, vit: Tensor<5>, detail: Tensor<5>) -> Tensor<5> {
        sigmoid(self.gate.forward(Tensor::cat(vec![vit, detail], 1)))
    }
}
