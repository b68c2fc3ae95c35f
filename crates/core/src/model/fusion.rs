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
        let both = Tensor::cat(vec![vit.clone(), detail.clone()], 1);
        vit + sigmoid(self.gate.forward(both)) * detail
    }
}
