//! Convolutions of feature maps that never change the number of slices, and what follows them.

use super::step::{Activation, convolve, norm_then, pointwise};
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv3d, Conv3dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, PRelu, PReluConfig, PaddingConfig3d};
use burn::tensor::{Device, Tensor};

/// A 3-D convolution with kernel 3, in-plane stride and no bias; a norm always follows it.
pub(super) fn conv3(
    in_channels: usize,
    out_channels: usize,
    stride: usize,
    device: &Device,
) -> Conv3d {
    Conv3dConfig::new([in_channels, out_channels], [3, 3, 3])
        .with_stride([1, stride, stride])
        .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
        .with_bias(false)
        .init(device)
}

/// Instance normalisation without learnt parameters.
pub(super) fn instance_norm(channels: usize, device: &Device) -> GroupNorm {
    GroupNormConfig::new(channels, channels)
        .with_affine(false)
        .init(device)
}

/// A 1×1×1 convolution, computed as the matrix product that it is.
#[derive(Module, Debug)]
pub struct Pointwise {
    /// `[out_channel, in_channel]`
    weight: Param<Tensor<2>>,
    bias: Option<Param<Tensor<1>>>,
}

impl Pointwise {
    /// Fresh weights.
    pub fn init(in_channels: usize, out_channels: usize, bias: bool, device: &Device) -> Self {
        Self {
            weight: Initializer::KaimingUniform {
                gain: 1.0 / 3.0f64.sqrt(),
                fan_out_only: false,
            }
            .init_with(
                [out_channels, in_channels],
                Some(in_channels),
                Some(out_channels),
                device,
            ),
            bias: bias.then(|| Initializer::Zeros.init([out_channels], device)),
        }
    }

    /// The same with all weights zero: a map whose result is nothing until it has learnt.
    pub fn zeroed(mut self, device: &Device) -> Self {
        let shape = self.weight.val().dims();
        self.weight = Initializer::Zeros.init(shape, device);
        self
    }

    /// Channels that it takes.
    pub fn in_channels(&self) -> usize {
        self.weight.val().dims()[1]
    }

    /// # Shapes
    /// - `x`: `[batch, in_channel, slice, row, column]`
    /// - returns: `[batch, out_channel, slice, row, column]`
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        pointwise(self.weight.val(), self.bias.as_ref().map(Param::val), x)
    }
}

/// Group norm of 32 groups, then PReLU.
#[derive(Module, Debug)]
pub struct NormPrelu {
    norm: GroupNorm,
    activation: PRelu,
}

impl NormPrelu {
    pub(super) fn init(channels: usize, device: &Device) -> Self {
        Self {
            norm: GroupNormConfig::new(32, channels).init(device),
            activation: PReluConfig::new().init(device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let x = norm_then(&self.norm, x, Activation::Identity);
        self.activation.forward(x)
    }
}

/// Convolution of kernel 3 with bias, group norm, PReLU.
#[derive(Module, Debug)]
pub struct ConvNormPrelu {
    conv: Conv3d,
    after: NormPrelu,
}

impl ConvNormPrelu {
    pub(super) fn init(in_channels: usize, out_channels: usize, device: &Device) -> Self {
        Self {
            conv: Conv3dConfig::new([in_channels, out_channels], [3, 3, 3])
                .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
                .init(device),
            after: NormPrelu::init(out_channels, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.after.forward(convolve(&self.conv, x))
    }
}
