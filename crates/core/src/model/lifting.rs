//! Lifting neck: four taps of one size become a pyramid of maps.
//!
//! The release calls this the 3-D adapter. Its kernels are cubic while only the plane is strided,
//! so the two finest maps grow by three slices and one.

use super::conv::{Pointwise, instance_norm};
use burn::module::Module;
use burn::nn::conv::{Conv3d, Conv3dConfig, ConvTranspose3d, ConvTranspose3dConfig};
use burn::nn::{GroupNorm, PRelu, PReluConfig, PaddingConfig3d};
use burn::tensor::{Device, Tensor};

/// How the size of a tap changes in plane.
#[derive(Module, Debug)]
pub enum Resample {
    /// Larger: a transposed convolution as large as its stride.
    Up(ConvTranspose3d),
    /// Half as large.
    Down(Conv3d),
}

impl Resample {
    fn up(channels: usize, factor: usize, device: &Device) -> Self {
        Self::Up(
            ConvTranspose3dConfig::new([channels, channels], [factor; 3])
                .with_stride([1, factor, factor])
                .init(device),
        )
    }

    fn down(channels: usize, device: &Device) -> Self {
        Self::Down(
            Conv3dConfig::new([channels, channels], [3; 3])
                .with_stride([1, 2, 2])
                .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
                .init(device),
        )
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        match self {
            Self::Up(conv) => conv.forward(x),
            Self::Down(conv) => conv.forward(x),
        }
    }
}

/// 1×1×1 convolution, instance norm, PReLU, then another size in plane.
#[derive(Module, Debug)]
pub struct Lift {
    reduce: Pointwise,
    norm: GroupNorm,
    activation: PRelu,
    resample: Option<Resample>,
}

/// One [`Lift`] per tap.
#[derive(Module, Debug)]
pub struct Lifting {
    /// To quarter, eighth, sixteenth and thirty-second of full size, for patches of sixteen.
    lifts: Vec<Lift>,
}

impl Lifting {
    /// Fresh weights for taps of width `embed_dim`, lifted to `channels` channels.
    pub fn init(embed_dim: usize, channels: usize, device: &Device) -> Self {
        let resamples = [
            Some(Resample::up(channels, 4, device)),
            Some(Resample::up(channels, 2, device)),
            None,
            Some(Resample::down(channels, device)),
        ];
        let lift = |resample| Lift {
            reduce: Pointwise::init(embed_dim, channels, false, device),
            norm: instance_norm(channels, device),
            activation: PReluConfig::new().init(device),
            resample,
        };
        Self {
            lifts: resamples.into_iter().map(lift).collect(),
        }
    }

    /// # Shapes
    /// - `taps`: four of `[batch, slice, row, column, embed_dim]`
    /// - returns: `[batch, channel, slice + 3, 4 · row, 4 · column]`,
    ///   `[.., slice + 1, 2 · row, 2 · column]`, `[.., slice, row, column]` and
    ///   `[.., slice, ⌈row / 2⌉, ⌈column / 2⌉]`
    pub fn forward(&self, taps: Vec<Tensor<5>>) -> Vec<Tensor<5>> {
        assert_eq!(taps.len(), self.lifts.len(), "one map per tap");
        taps.into_iter()
            .zip(&self.lifts)
            .map(|(tap, lift)| {
                let x = lift.reduce.forward(tap.permute([0, 4, 1, 2, 3])); // [b, c, d, h, w]
                let x = lift.activation.forward(lift.norm.forward(x));
                match &lift.resample {
                    Some(resample) => resample.forward(x),
                    None => x,
                }
            })
            .collect()
    }
}
