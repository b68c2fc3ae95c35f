//! The compact preset's decoder: from patch tokens back to one logit per voxel and class.

use super::conv::{Pointwise, conv3, instance_norm};
use super::detail::{DetailConfig, DetailFeatures};
use super::fusion::GatedFusion;
use super::pixel_shuffle::pixel_shuffle;
use super::step::{Activation, convolve, linear, norm_then};
use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, GroupNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use tracing::trace_span;

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
        norm_then(&self.norm, convolve(&self.conv, x), Activation::Gelu)
    }
}

/// A correction of the logits at full size, where borders are drawn: what the half size knows and
/// the detail of full size, joined as the paper's refinement does. It begins as none: a network
/// that has it and one without give the same at first.
#[derive(Module, Debug)]
pub struct FullRefinement {
    to_full: Pointwise,
    conv1: Conv3d,
    norm1: GroupNorm,
    conv2: Conv3d,
    norm2: GroupNorm,
    head: Pointwise,
}

impl FullRefinement {
    fn init(half: usize, channels: usize, num_classes: usize, device: &Device) -> Self {
        Self {
            to_full: Pointwise::init(half, channels * 4, true, device),
            conv1: conv3(2 * channels, channels, 1, device),
            norm1: instance_norm(channels, device),
            conv2: conv3(channels, channels, 1, device),
            norm2: instance_norm(channels, device),
            head: Pointwise::init(channels, num_classes, true, device).zeroed(device),
        }
    }

    /// What its head makes the correction of.
    ///
    /// # Shapes
    /// - `half`: `[batch, channel, slice, row / 2, column / 2]`
    /// - `detail`: `[batch, channel, slice, row, column]`
    /// - returns: of the detail's shape
    fn features(&self, half: Tensor<5>, detail: Tensor<5>) -> Tensor<5> {
        let _span = trace_span!("full").entered();
        let x = pixel_shuffle(self.to_full.forward(half), 2);
        let x = Tensor::cat(vec![x, detail], 1);
        let x = norm_then(&self.norm1, convolve(&self.conv1, x), Activation::Relu);
        norm_then(&self.norm2, convolve(&self.conv2, x), Activation::Relu)
    }
}

/// Joins the taps of the transformer, climbs in plane by pixel shuffle and takes in the detail
/// stream on the way.
///
/// Every kernel is depth-preserving (padding 1, stride 1 over slices). The logits of the voxels of
/// a 2×2 cell are written from that cell's features; where the detail stream has a map of full
/// size, a [`FullRefinement`] corrects them there.
#[derive(Module, Debug)]
pub struct LightDecoder {
    taps: Vec<Linear>,
    mix: ConvNormGelu,
    to_quarter: Pointwise,
    /// As all that takes in the detail stream, absent without one.
    detail_quarter: Option<Pointwise>,
    fusion: Option<GatedFusion>,
    refine_quarter: ConvNormGelu,
    to_half: Pointwise,
    refine_half: ConvNormGelu,
    head: Pointwise,
    full: Option<FullRefinement>,
    /// In-plane factor from the patch grid to quarter size.
    quarter_factor: usize,
}

impl LightDecoderConfig {
    /// Fresh weights for tokens of width `embed_dim` from patches of `patch_size` pixels.
    ///
    /// # Panics
    /// If the patch edge is not a multiple of four, or the detail stream has another number of maps
    /// than none, two (half and quarter size) or three (full size before them).
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
        let detail = Levels::of(detail.channels());
        let half_detail = detail.half.unwrap_or(0);
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
            detail_quarter: detail
                .quarter
                .map(|channels| Pointwise::init(channels, self.quarter_channels, true, device)),
            fusion: detail
                .quarter
                .map(|_| GatedFusion::init(self.quarter_channels, device)),
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
            full: detail.full.map(|channels| {
                FullRefinement::init(self.half_channels, channels, num_classes, device)
            }),
            quarter_factor: factor,
        }
    }
}

impl LightDecoder {
    /// # Shapes
    /// - `taps`: four of `[batch, slice, row, column, embed_dim]` on the patch grid
    /// - returns: logits `[batch, class, slice, row, column]` at full size
    pub fn forward(&self, taps: Vec<Tensor<5>>, detail: DetailFeatures) -> Tensor<5> {
        let _span = trace_span!("decoder").entered();
        let (half, full) = self.before_heads(taps, detail);
        let logits = pixel_shuffle(self.head.forward(half), 2);
        match (&self.full, full) {
            (Some(refinement), Some(full)) => logits + refinement.head.forward(full),
            _ => logits,
        }
    }

    /// What the last layers, which are linear, make logits of: at half size, each cell for its four voxels, then at full size.
    ///
    /// # Shapes
    /// - `taps`: as [`LightDecoder::forward`] takes them
    /// - returns: `[batch, feature, slice, row, column]` at full size
    pub fn features(&self, taps: Vec<Tensor<5>>, detail: DetailFeatures) -> Tensor<5> {
        let (half, full) = self.before_heads(taps, detail);
        let [batch, channels, depth, rows, columns] = half.dims();
        let half = half
            .reshape([batch, channels, depth * rows, columns, 1])
            .repeat_dim(4, 2)
            .reshape([batch, channels, depth * rows, 1, 2 * columns])
            .repeat_dim(3, 2)
            .reshape([batch, channels, depth, 2 * rows, 2 * columns]);
        Tensor::cat([Some(half), full].into_iter().flatten().collect(), 1)
    }

    /// Number of [`LightDecoder::features`].
    pub fn num_features(&self) -> usize {
        let full = self.full.as_ref();
        self.head.in_channels() + full.map_or(0, |full| full.head.in_channels())
    }

    /// Features of half size, and of full size if there are any.
    fn before_heads(
        &self,
        taps: Vec<Tensor<5>>,
        detail: DetailFeatures,
    ) -> (Tensor<5>, Option<Tensor<5>>) {
        let detail = Levels::of(detail.0);
        let x = self.at_quarter(taps);
        let x = match (&self.fusion, &self.detail_quarter, detail.quarter) {
            (Some(fusion), Some(project), Some(quarter)) => {
                trace_span!("fusion").in_scope(|| fusion.forward(x, project.forward(quarter)))
            }
            _ => x,
        };
        let x = trace_span!("refine_quarter").in_scope(|| self.refine_quarter.forward(x));
        let x = pixel_shuffle(self.to_half.forward(x), 2);
        let x = match detail.half {
            Some(half) => Tensor::cat(vec![x, half], 1),
            None => x,
        };
        let x = trace_span!("refine_half").in_scope(|| self.refine_half.forward(x));
        let full = self.full.as_ref().zip(detail.full);
        let full = full.map(|(refinement, detail)| refinement.features(x.clone(), detail));
        (x, full)
    }
}

impl LightDecoder {
    /// How far the gate is open for the detail stream, 0 to 1; none without a stream.
    ///
    /// # Shapes
    /// - `taps`: as [`LightDecoder::forward`] takes them
    /// - returns: `[batch, channel, slice, row / 4, column / 4]`
    pub fn openness(&self, taps: Vec<Tensor<5>>, detail: &DetailFeatures) -> Option<Tensor<5>> {
        let quarter = Levels::of(detail.0.clone()).quarter?;
        let (fusion, project) = (self.fusion.as_ref()?, self.detail_quarter.as_ref()?);
        Some(fusion.openness(self.at_quarter(taps), project.forward(quarter)))
    }

    /// What the transformer knows, at quarter size.
    fn at_quarter(&self, taps: Vec<Tensor<5>>) -> Tensor<5> {
        assert_eq!(taps.len(), self.taps.len(), "one map per tap");
        let projected = taps
            .into_iter()
            .zip(&self.taps)
            .map(|(tap, of_tap)| linear(of_tap, tap))
            .collect();
        let grid = Tensor::cat(projected, 4).permute([0, 4, 1, 2, 3]); // [b, c, d, h, w]
        let x = trace_span!("mix").in_scope(|| self.mix.forward(grid));
        pixel_shuffle(self.to_quarter.forward(x), self.quarter_factor)
    }
}

/// What the detail stream gives at each size, if it does.
struct Levels<T> {
    full: Option<T>,
    half: Option<T>,
    quarter: Option<T>,
}

impl<T> Levels<T> {
    /// From a list that begins with the finest.
    fn of(maps: Vec<T>) -> Self {
        let count = maps.len();
        assert!(
            matches!(count, 0 | 2 | 3),
            "the light decoder takes detail of half and quarter size, with or without full size, or none; found {count} maps"
        );
        let mut coarsest_first = maps.into_iter().rev();
        Self {
            quarter: coarsest_first.next(),
            half: coarsest_first.next(),
            full: coarsest_first.next(),
        }
    }
}
