//! Decoders: from the transformer's taps and the detail stream to one logit per voxel and class.

use super::detail::{DetailConfig, DetailFeatures};
use super::light_decoder::{LightDecoder, LightDecoderConfig};
use super::upernet::{UperNet, UperNetConfig};
use super::vit::VitConfig;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which decoder a network has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecoderConfig {
    /// The compact preset's.
    Light(LightDecoderConfig),
    /// The paper's.
    UperNet(UperNetConfig),
}

/// One of the decoders.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a network has one, and Burn boxes no modules"
)]
pub enum Decoder {
    /// The compact preset's.
    Light(LightDecoder),
    /// The paper's.
    UperNet(UperNet),
}

impl DecoderConfig {
    /// Fresh weights.
    ///
    /// # Panics
    /// If the detail stream or the patch edge does not suit the decoder.
    pub fn init(
        &self,
        vit: &VitConfig,
        num_classes: usize,
        detail: &DetailConfig,
        device: &Device,
    ) -> Decoder {
        match self {
            Self::Light(config) => Decoder::Light(config.init(
                vit.embed_dim,
                vit.patch_size,
                num_classes,
                detail,
                device,
            )),
            Self::UperNet(config) => {
                Decoder::UperNet(config.init(vit.embed_dim, num_classes, detail, device))
            }
        }
    }
}

impl Decoder {
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
        match self {
            Self::Light(decoder) => decoder.forward(taps, detail),
            Self::UperNet(decoder) => decoder.forward(taps, detail, size),
        }
    }

    /// What its last layers, which are linear, make logits of.
    ///
    /// # Shapes
    /// - as [`Decoder::forward`]
    /// - returns: `[batch, feature, slice, row, column]` of that size
    pub fn features(
        &self,
        taps: Vec<Tensor<5>>,
        detail: DetailFeatures,
        size: [usize; 3],
    ) -> Tensor<5> {
        match self {
            Self::Light(decoder) => decoder.features(taps, detail),
            Self::UperNet(decoder) => decoder.features(taps, detail, size),
        }
    }

    /// Number of [`Decoder::features`].
    pub fn num_features(&self) -> usize {
        match self {
            Self::Light(decoder) => decoder.num_features(),
            Self::UperNet(decoder) => decoder.num_features(),
        }
    }

    /// How far the gate is open for the detail stream, 0 to 1; none without a stream.
    ///
    /// # Shapes
    /// - `taps`: as [`Decoder::forward`] takes them
    /// - returns: `[batch, channel, slice, ..]` of the size at which both are joined
    pub fn openness(&self, taps: Vec<Tensor<5>>, detail: &DetailFeatures) -> Option<Tensor<5>> {
        match self {
            Self::Light(decoder) => decoder.openness(taps, detail),
            Self::UperNet(decoder) => {
                let coarsest = detail.0.last()?;
                Some(decoder.openness(taps, coarsest.clone()))
            }
        }
    }
}
