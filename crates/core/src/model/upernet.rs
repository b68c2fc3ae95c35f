//! The paper's decoder: lifting neck, gated fusion, UPerNet in three dimensions, refinement.

use super::conv::{ConvNormPrelu, Pointwise};
use super::detail::{DetailConfig, DetailFeatures};
use super::fusion::GatedFusion;
use super::lifting::Lifting;
use super::pyramid_pooling::{Branch, PyramidPooling};
use super::refinement::Refinement;
use super::resize::trilinear;
use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig};
use burn::tensor::{Device, Tensor};

/// Settings of an [`UperNet`]; the defaults are the paper's.
#[derive(Config, Debug)]
pub struct UperNetConfig {
    /// Channels of every level, a multiple of 128.
    #[config(default = 256)]
    pub channels: usize,
    /// Channels after refinement at half and at full size.
    #[config(default = "[64, 32]")]
    pub refined_channels: [usize; 2],
    /// Chance that a value of the joined map is dropped, in training.
    #[config(default = 0.1)]
    pub dropout: f64,
}

/// Taps become a pyramid, the finest level takes in the detail stream, the coarsest sees the
/// whole; what a level knows goes down to the finer ones, and all together climb to full size.
///
/// Source: paper, sections 2.3 and 2.4; UPerNet, Xiao et al. 2018.
#[derive(Module, Debug)]
pub struct UperNet {
    lifting: Lifting,
    fusion: GatedFusion,
    pyramid: PyramidPooling,
    /// Of the three finer levels, finest first.
    laterals: Vec<Branch>,
    /// Likewise.
    outputs: Vec<ConvNormPrelu>,
    join: ConvNormPrelu,
    dropout: Dropout,
    refine_half: Refinement,
    refine_full: Refinement,
    head: Pointwise,
}

impl UperNetConfig {
    /// Fresh weights for taps of width `embed_dim`.
    ///
    /// # Panics
    /// If the detail stream does not begin at full size or does not end in `channels` channels.
    pub fn init(
        &self,
        embed_dim: usize,
        num_classes: usize,
        detail: &DetailConfig,
        device: &Device,
    ) -> UperNet {
        let channels = self.channels;
        let [full_detail, half_detail, quarter_detail] = detail.channels()[..] else {
            panic!("UPerNet takes a detail stream that begins at full size");
        };
        assert_eq!(
            quarter_detail, channels,
            "channels of the detail stream at quarter size"
        );
        let [half, full] = self.refined_channels;
        UperNet {
            lifting: Lifting::init(embed_dim, channels, device),
            fusion: GatedFusion::init(channels, device),
            pyramid: PyramidPooling::init(channels, device),
            laterals: (0..3)
                .map(|_| Branch::init(channels, channels, device))
                .collect(),
            outputs: (0..3)
                .map(|_| ConvNormPrelu::init(channels, channels, device))
                .collect(),
            join: ConvNormPrelu::init(4 * channels, channels, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            refine_half: Refinement::init(channels, half_detail, half, device),
            refine_full: Refinement::init(half, full_detail, full, device),
            head: Pointwise::init(full, num_classes, true, device),
        }
    }
}

impl UperNet {
    /// # Shapes
    /// - `taps`: four of `[batch, slice, row, column, embed_dim]` on the patch grid
    /// - `size`: `[slice, row, column]` of the volume
    /// - returns: logits `[batch, class, slice, row, column]` of that size
    pub fn forward(
        &self,
        taps: Vec<Tensor<5>>,
        detail: DetailFeatures,
        size: [usize; 3],
    ) -> Tensor<5> {
        let x = self.before_head(taps, detail);
        trilinear(self.head.forward(x), size)
    }

    /// What the last layer, which is linear, makes logits of.
    ///
    /// # Shapes
    /// - as [`UperNet::forward`]
    /// - returns: `[batch, feature, slice, row, column]`
    pub fn features(
        &self,
        taps: Vec<Tensor<5>>,
        detail: DetailFeatures,
        size: [usize; 3],
    ) -> Tensor<5> {
        trilinear(self.before_head(taps, detail), size)
    }

    /// Number of [`UperNet::features`].
    pub fn num_features(&self) -> usize {
        self.head.in_channels()
    }

    fn before_head(&self, taps: Vec<Tensor<5>>, detail: DetailFeatures) -> Tensor<5> {
        let Ok([full, half, quarter]) = <[Tensor<5>; 3]>::try_from(detail.0) else {
            panic!("UPerNet takes detail of full, half and quarter size");
        };
        let levels = self.fused_levels(taps, quarter);
        let x = self.dropout.forward(self.joined(levels));
        let x = self.refine_half.forward(x, half);
        self.refine_full.forward(x, full)
    }

    /// The pyramid of lifted taps, the finest with the detail stream in it.
    ///
    /// # Shapes
    /// returns: as [`Lifting::forward`], finest first
    pub fn fused_levels(&self, taps: Vec<Tensor<5>>, detail: Tensor<5>) -> Vec<Tensor<5>> {
        let mut levels = self.lifting.forward(taps);
        let detail = like(&levels[0], detail);
        levels[0] = self.fusion.forward(levels[0].clone(), detail);
        levels
    }

    /// How far the gate is open for the detail stream, 0 to 1.
    ///
    /// # Shapes
    /// returns: as the finest of [`UperNet::fused_levels`]
    pub fn openness(&self, taps: Vec<Tensor<5>>, detail: Tensor<5>) -> Tensor<5> {
        let finest = self.lifting.forward(taps).swap_remove(0);
        let detail = like(&finest, detail);
        self.fusion.openness(finest, detail)
    }

    /// The top-down path over the levels, all of them joined at the finest size.
    ///
    /// # Shapes
    /// returns: `[batch, channel, ..]` of the finest level's size
    pub fn joined(&self, levels: Vec<Tensor<5>>) -> Tensor<5> {
        let size = |x: &Tensor<5>| {
            let [_, _, depth, height, width] = x.dims();
            [depth, height, width]
        };
        let finest = size(&levels[0]);
        let mut levels = levels.into_iter().rev();
        let mut above = self.pyramid.forward(levels.next().expect("four levels"));
        let mut smoothed = vec![above.clone()];
        let finer = self.laterals.iter().zip(&self.outputs).rev();
        for (level, (lateral, output)) in levels.zip(finer) {
            let size = size(&level);
            above = output.forward(lateral.forward(level) + trilinear(above, size));
            smoothed.push(above.clone());
        }
        let joined = smoothed.into_iter().rev().map(|x| trilinear(x, finest));
        self.join.forward(Tensor::cat(joined.collect(), 1))
    }
}

/// `map`, as large as `other`.
fn like(other: &Tensor<5>, map: Tensor<5>) -> Tensor<5> {
    let [_, _, depth, height, width] = other.dims();
    trilinear(map, [depth, height, width])
}
