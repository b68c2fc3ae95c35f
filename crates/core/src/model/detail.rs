//! Detail recovery stream: a small convolutional network on the raw volume.

use super::conv::{Pointwise, conv3, instance_norm};
use super::pixel_shuffle::pixel_unshuffle;
use burn::config::Config;
use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv3d;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

/// Settings of a [`DetailStream`].
#[derive(Config, Debug)]
pub struct DetailConfig {
    /// Channels at half size; twice as many at quarter size.
    #[config(default = 16)]
    pub base_channels: usize,
}

/// conv-norm-ReLU-conv-norm beside an identity, added, ReLU.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    conv1: Conv3d,
    norm1: GroupNorm,
    conv2: Conv3d,
    norm2: GroupNorm,
    shortcut: Option<Shortcut>,
}

/// 1×1×1 convolution and norm where the shape changes.
#[derive(Module, Debug)]
pub struct Shortcut {
    conv: Pointwise,
    norm: GroupNorm,
    stride: usize,
}

impl ResidualBlock {
    fn init(in_channels: usize, out_channels: usize, stride: usize, device: &Device) -> Self {
        let changes_shape = stride != 1 || in_channels != out_channels;
        Self {
            conv1: conv3(in_channels, out_channels, stride, device),
            norm1: instance_norm(out_channels, device),
            conv2: conv3(out_channels, out_channels, 1, device),
            norm2: instance_norm(out_channels, device),
            shortcut: changes_shape.then(|| Shortcut {
                conv: Pointwise::init(in_channels, out_channels, false, device),
                norm: instance_norm(out_channels, device),
                stride,
            }),
        }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let branch = relu(self.norm1.forward(self.conv1.forward(x.clone())));
        let branch = self.norm2.forward(self.conv2.forward(branch));
        let identity = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        relu(branch + identity)
    }
}

impl Shortcut {
    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [batch, channels, depth, height, width] = x.dims();
        let s = self.stride;
        let x = if s == 1 {
            x
        } else {
            // The upper left pixel of each cell, as a strided 1×1×1 convolution takes it.
            x.reshape([batch, channels, depth, height / s, s, width / s, s])
                .narrow(4, 0, 1)
                .narrow(6, 0, 1)
                .reshape([batch, channels, depth, height / s, width / s])
        };
        self.norm.forward(self.conv.forward(x))
    }
}

/// Fine structure of the raw volume at half and quarter size in plane.
///
/// The paper starts at full size with sixteen channels. Here the four pixels of every 2×2 cell
/// become channels first: the same information, a quarter of the work.
#[derive(Module, Debug)]
pub struct DetailStream {
    stem: Conv3d,
    stem_norm: GroupNorm,
    half: ResidualBlock,
    quarter: ResidualBlock,
}

/// Feature maps of the [`DetailStream`].
#[derive(Clone, Debug)]
pub struct DetailFeatures {
    /// `[batch, base_channels, slice, row / 2, column / 2]`
    pub half: Tensor<5>,
    /// `[batch, 2 * base_channels, slice, row / 4, column / 4]`
    pub quarter: Tensor<5>,
}

impl DetailConfig {
    /// Fresh weights.
    pub fn init(&self, device: &Device) -> DetailStream {
        let base = self.base_channels;
        DetailStream {
            stem: conv3(4, base, 1, device),
            stem_norm: instance_norm(base, device),
            half: ResidualBlock::init(base, base, 1, device),
            quarter: ResidualBlock::init(base, 2 * base, 2, device),
        }
    }
}

impl DetailStream {
    /// # Shapes
    /// - `volume`: `[batch, 1, slice, row, column]`, rows and columns multiples of four
    pub fn forward(&self, volume: Tensor<5>) -> DetailFeatures {
        let x = self.stem.forward(pixel_unshuffle(volume, 2));
        let half = self.half.forward(relu(self.stem_norm.forward(x)));
        let quarter = self.quarter.forward(half.clone());
        DetailFeatures { half, quarter }
    }
}
