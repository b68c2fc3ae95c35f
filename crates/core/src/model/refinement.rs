//! Refinement: a coarse map climbs to the size of a finer one and takes it in.

use super::conv::{conv3, instance_norm};
use super::resize::trilinear;
use super::step::{Activation, convolve, norm_then};
use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv3d;
use burn::tensor::{Device, Tensor};

/// Interpolation to the finer map's size, both joined, two convolutions.
#[derive(Module, Debug)]
pub struct Refinement {
    conv1: Conv3d,
    norm1: GroupNorm,
    conv2: Conv3d,
    norm2: GroupNorm,
}

impl Refinement {
    /// Fresh weights.
    pub fn init(coarse: usize, fine: usize, out_channels: usize, device: &Device) -> Self {
        Self {
            conv1: conv3(coarse + fine, out_channels, 1, device),
            norm1: instance_norm(out_channels, device),
            conv2: conv3(out_channels, out_channels, 1, device),
            norm2: instance_norm(out_channels, device),
        }
    }

    /// # Shapes
    /// - `coarse`: `[batch, channel, ..]` of any size
    /// - `fine`: `[batch, channel, slice, row, column]`
    /// - returns: `[batch, out_channel, slice, row, column]`
    pub fn forward(&self, coarse: Tensor<5>, fine: Tensor<5>) -> Tensor<5> {
        let [_, _, depth, height, width] = fine.dims();
        let coarse = trilinear(coarse, [depth, height, width]);
        let x = Tensor::cat(vec![coarse, fine], 1);
        let x = norm_then(&self.norm1, convolve(&self.conv1, x), Activation::Relu);
        norm_then(&self.norm2, convolve(&self.conv2, x), Activation::Relu)
    }
}
