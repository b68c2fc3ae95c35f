//! The compact preset's decoder: from patch tokens back to one score per voxel and class.

use super::conv::{Pointwise, conv3};
use super::detail::{DetailConfig, DetailFeatures};
use super::fusion::GatedFusion;
use super::pixel_shuffle::pixel_shuffle;
use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::activation::gelu;
use burn::tensor::{Device, Tensor};

/// Settings of a [`LightDecoder`].
#[derive(Config, Debug)]
pub struct LightDecoderConfig {
    /// Channels each of the four taps is projected to.
    #[config(default = 32)]
    pub tap_channels: usize,
    /// Channels at the size of the patch grid.
    #[config(default = 64)]
    pub patch_channels: usize,
    /// Channels at quarter size, where the detail stream is fused.
    #[config(default = 48)]
    pub quarter_channels: usize,
    /// Channels at half size.
    #[config(default = 24)]
    pub half_channels: usize,
}

/// Convolution, group norm, GELU.
#[derive(Module, Debug)]
pub struct ConvNormGelu {
    conv: Conv3d,
    norm: GroupNorm,
}

impl ConvNormGelu {
    fn init(in_channels: usize, out_channels: usize, device: &Device) -> Self {
        Self {
            conv: conv3(in_channels, out_channels, 1, device),
            norm: GroupNormConfig::new(8, out_channels).init(device),
        }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        gelu(self.norm.forward(self.conv.forward(x)))
    }
}

/// Joins the taps of the transformer, climbs in plane by pixel shuffle and takes in the detail
/// stream on the way.
///
/// Every kernel is depth-preserving (padding 1, stride 1 over slices). The last step writes the
/// scores of the voxels of a 2×2 cell from that cell's features, so no feature map of full size
/// is ever held.
#[derive(Module, Debug)]
pub struct LightDecoder {
    taps: Vec<Linear>,
    mix: ConvNormGelu,
    to_quarter: Pointwise,
    detail_quarter: Pointwise,
    fusion: GatedFusion,
    refine_quarter: ConvNormGelu,
    to_half: Pointwise,
    refine_half: ConvNormGelu,
    head: Pointwise,
    /// In-plane factor from the patch grid to quarter size.
    quarter_factor: usize,
}

impl LightDecoderConfig {
    /// Fresh weights for tokens of width `embed_dim` from patches of `patch_size` pixels.
    ///
    /// # Panics
    /// If the patch edge is not a multiple of four, or the detail stream begins at full size.
    pub fn init(
        &self,
        embed_dim: usize,
        patch_size: usize,
        num_classes: usize,
        detail: &DetailConfig,
        device: &Device,
    ) -> LightDecoder {
        assert_eq!(
            patch_size % 4,
            0,
            "patch edge {patch_size} is not a multiple of 4"
        );
        let factor = patch_size / 4;
        let cells = |factor: usize| factor * factor;
        let [half_detail, quarter_detail] = detail.channels()[..] else {
            panic!("the light decoder takes a detail stream of half and quarter size");
        };
        let half_inputs = self.half_channels + half_detail;
        LightDecoder {
            taps: (0..4)
                .map(|_| LinearConfig::new(embed_dim, self.tap_channels).init(device))
                .collect(),
            mix: ConvNormGelu::init(4 * self.tap_channels, self.patch_channels, device),
            to_quarter: Pointwise::init(
                self.patch_channels,
                self.quarter_channels * cells(factor),
                true,
                device,
            ),
            detail_quarter: Pointwise::init(quarter_detail, self.quarter_channels, true, device),
            fusion: GatedFusion::init(self.quarter_channels, device),
            refine_quarter: ConvNormGelu::init(
                self.quarter_channels,
                self.quarter_channels,
                device,
            ),
            to_half: Pointwise::init(
                self.quarter_channels,
                self.half_channels * cells(2),
                true,
                device,
            ),
            refine_half: ConvNormGelu::init(half_inputs, self.half_channels, device),
            head: Pointwise::init(self.half_channels, num_classes * cells(2), true, device),
            quarter_factor: factor,
        }
    }
}

impl LightDecoder {
    /// # Shapes
    /// - `taps`: four of `[batch, slice, row, column, embed_dim]` on the patch grid
    /// - returns: logits `[batch, class, slice, row, column]` at full size
    pub fn forward(&self, taps: Vec<Tensor<5>>, detail: DetailFeatures) -> Tensor<5> {
        assert_eq!(taps.len(), self.taps.len(), "one map per tap");
        let Ok([half, quarter]) = <[Tensor<5>; 2]>::try_from(detail.0) else {
            panic!("the light decoder takes detail of half and quarter size");
        };
        let projected = taps
            .into_iter()
            .zip(&self.taps)
            .map(|(tap, linear)| linear.forward(tap))
            .collect();
        let grid = Tensor::cat(projected, 4).permute([0, 4, 1, 2, 3]); // [b, c, d, h, w]
        let x = self.mix.forward(grid);
        let x = pixel_shuffle(self.to_quarter.forward(x), self.quarter_factor);
        let x = self.fusion.forward(x, self.detail_quarter.forward(quarter));
        let x = self.refine_quarter.forward(x);
        let x = pixel_shuffle(self.to_half.forward(x), 2);
        let x = self.refine_half.forward(Tensor::cat(vec![x, half], 1));
        pixel_shuffle(self.head.forward(x), 2)
    }
}
