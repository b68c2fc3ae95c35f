//! Detail recovery stream: a small convolutional network on the raw volume.

use super::conv::{Pointwise, conv3, instance_norm};
use super::pixel_shuffle::pixel_unshuffle;
use super::step::{Activation, convolve, norm_then};
use burn::config::Config;
use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv3d;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use tracing::trace_span;

/// Settings of a [`DetailStream`]; the defaults are the compact preset's.
#[derive(Config, Debug)]
pub struct DetailConfig {
    /// Channels of the finest level; each level after it has twice as many.
    #[config(default = 16)]
    pub base_channels: usize,
    /// Residual blocks at full, half and quarter size in plane. With none at full size the four
    /// pixels of every 2×2 cell become channels first: the same information, a quarter of the
    /// work. With none at all there is no stream.
    #[config(default = "[0, 1, 1]")]
    pub blocks: [usize; 3],
    /// Channels of one more convolution of the raw volume, at full size, beside a stream that
    /// begins at half size.
    pub full_channels: Option<usize>,
    /// Channels that the coarsest level is projected to; none leaves it as it is.
    pub out_channels: Option<usize>,
}

impl DetailConfig {
    /// The paper's: sixteen channels at full size, 256 at quarter size.
    pub fn paper() -> Self {
        Self::new()
            .with_blocks([1, 2, 2])
            .with_out_channels(Some(256))
    }

    fn starts_at_half_size(&self) -> bool {
        self.blocks[0] == 0
    }

    /// Channels of each level, finest first; empty without a stream.
    pub fn channels(&self) -> Vec<usize> {
        if self.blocks == [0; 3] {
            return Vec::new();
        }
        let levels = if self.starts_at_half_size() { 2 } else { 3 };
        let mut channels: Vec<usize> = (0..levels).map(|i| self.base_channels << i).collect();
        if let (Some(out), Some(coarsest)) = (self.out_channels, channels.last_mut()) {
            *coarsest = out;
        }
        if let (true, Some(full)) = (self.starts_at_half_size(), self.full_channels) {
            channels.insert(0, full);
        }
        channels
    }
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
        let branch = norm_then(
            &self.norm1,
            convolve(&self.conv1, x.clone()),
            Activation::Relu,
        );
        let branch = norm_then(
            &self.norm2,
            convolve(&self.conv2, branch),
            Activation::Identity,
        );
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
        norm_then(&self.norm, self.conv.forward(x), Activation::Identity)
    }
}

/// Fine structure of the raw volume at full (the paper's), half and quarter size in plane.
///
/// Slices are never strided. There is no high-pass filter: the raw volume goes in.
#[derive(Module, Debug)]
pub struct DetailStream {
    stem: Conv3d,
    stem_norm: GroupNorm,
    /// Finest first.
    levels: Vec<Vec<ResidualBlock>>,
    project: Option<Pointwise>,
    full: Option<FullSize>,
    starts_at_half_size: bool,
}

/// What a stream that begins at half size sees of the raw volume at full size.
#[derive(Module, Debug)]
pub struct FullSize {
    conv: Conv3d,
    norm: GroupNorm,
}

/// Feature maps of the [`DetailStream`], finest first, each half as large in plane as the one
/// before; none without a stream.
///
/// # Shapes
/// each `[batch, channel, slice, row / 2^i, column / 2^i]`
#[derive(Clone, Debug, Default)]
pub struct DetailFeatures(pub Vec<Tensor<5>>);

impl DetailConfig {
    /// Fresh weights for scans of `image_channels` channels; nothing where the settings have no
    /// blocks.
    pub fn init(&self, image_channels: usize, device: &Device) -> Option<DetailStream> {
        if self.channels().is_empty() {
            return None;
        }
        let base = self.base_channels;
        let starts_at_half_size = self.starts_at_half_size();
        let blocks = &self.blocks[usize::from(starts_at_half_size)..];
        let mut channels = base;
        let levels = blocks
            .iter()
            .enumerate()
            .map(|(level, &count)| {
                let wider = base << level;
                let blocks = (0..count).map(|index| {
                    let stride = if level > 0 && index == 0 { 2 } else { 1 };
                    let block = ResidualBlock::init(channels, wider, stride, device);
                    channels = wider;
                    block
                });
                blocks.collect()
            })
            .collect();
        let full = self.full_channels.filter(|_| starts_at_half_size);
        Some(DetailStream {
            stem: conv3(
                image_channels * if starts_at_half_size { 4 } else { 1 },
                base,
                1,
                device,
            ),
            stem_norm: instance_norm(base, device),
            levels,
            project: self
                .out_channels
                .map(|out| Pointwise::init(channels, out, true, device)),
            full: full.map(|channels| FullSize {
                conv: conv3(image_channels, channels, 1, device),
                norm: instance_norm(channels, device),
            }),
            starts_at_half_size,
        })
    }
}

impl DetailStream {
    /// # Shapes
    /// - `volume`: `[batch, channel, slice, row, column]`, rows and columns multiples of four
    pub fn forward(&self, volume: Tensor<5>) -> DetailFeatures {
        let _span = trace_span!("detail").entered();
        let mut features = Vec::with_capacity(self.levels.len() + 1);
        if let Some(full) = &self.full {
            let _span = trace_span!("full").entered();
            features.push(norm_then(
                &full.norm,
                convolve(&full.conv, volume.clone()),
                Activation::Relu,
            ));
        }
        let volume = if self.starts_at_half_size {
            pixel_unshuffle(volume, 2)
        } else {
            volume
        };
        let mut x = norm_then(
            &self.stem_norm,
            convolve(&self.stem, volume),
            Activation::Relu,
        );
        for level in &self.levels {
            for block in level {
                x = block.forward(x);
            }
            features.push(x.clone());
        }
        if let (Some(project), Some(coarsest)) = (&self.project, features.last_mut()) {
            *coarsest = project.forward(x);
        }
        DetailFeatures(features)
    }
}
