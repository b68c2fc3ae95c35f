//! Named networks: the DINOv3 family and the whole networks built on it.

use super::adaptation::Adaptation;
use super::adapter::Adapter3dConfig;
use super::decoder::DecoderConfig;
use super::detail::DetailConfig;
use super::dinomed3d::DinoMed3dConfig;
use super::feed_forward::FeedForwardKind;
use super::light_decoder::LightDecoderConfig;
use super::lora::LoraConfig;
use super::slices::EndSlices;
use super::upernet::UperNetConfig;
use super::vit::VitConfig;

/// A published DINOv3 transformer of patches of 16 pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DinoV3 {
    /// 21.6 million parameters.
    S,
    /// 28.7 million.
    SPlus,
    /// 85.7 million.
    B,
    /// 303 million.
    L,
    /// 841 million.
    HPlus,
}

/// A name that is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found} is no preset{}; expected one of {}", note(found), expected.join(", "))]
pub struct UnknownPreset {
    /// The name.
    pub found: String,
    /// The names there are.
    pub expected: Vec<&'static str>,
}

fn note(found: &str) -> &'static str {
    if found.contains("7b") || found.contains("convnext") {
        " (the 7B model and the ConvNeXt variants are not supported)"
    } else {
        ""
    }
}

impl DinoV3 {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 5] = [
        ("vits16", Self::S),
        ("vits16plus", Self::SPlus),
        ("vitb16", Self::B),
        ("vitl16", Self::L),
        ("vith16plus", Self::HPlus),
    ];

    /// Finds a transformer by its name.
    ///
    /// # Errors
    /// [`UnknownPreset`], which names those there are.
    pub fn from_name(name: &str) -> Result<Self, UnknownPreset> {
        find(name, &Self::ALL)
    }

    /// Its settings.
    ///
    /// Source: DINOv3, Siméoni et al. 2025, arXiv:2508.10104.
    pub fn config(self) -> VitConfig {
        let swiglu = |config: VitConfig| config.with_feed_forward(FeedForwardKind::SwiGlu);
        match self {
            Self::S => VitConfig::new(384, 12, 6, 1536),
            Self::SPlus => swiglu(VitConfig::new(384, 12, 6, 1536)),
            Self::B => VitConfig::new(768, 12, 12, 3072),
            Self::L => VitConfig::new(1024, 24, 16, 4096),
            Self::HPlus => swiglu(VitConfig::new(1280, 32, 20, 5120)),
        }
    }
}

/// A whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Small enough for a browser.
    Compact,
    /// The paper's on ViT-S.
    PaperS,
    /// The paper's on ViT-B.
    PaperB,
    /// The paper's on ViT-L.
    PaperL,
}

impl Preset {
    /// All of them with their names.
    pub const ALL: [(&'static str, Self); 4] = [
        ("compact", Self::Compact),
        ("paper-s", Self::PaperS),
        ("paper-b", Self::PaperB),
        ("paper-l", Self::PaperL),
    ];

    /// Finds a network by its name.
    ///
    /// # Errors
    /// [`UnknownPreset`], which names those there are.
    pub fn from_name(name: &str) -> Result<Self, UnknownPreset> {
        find(name, &Self::ALL)
    }

    /// Its settings for `num_classes` classes, background included.
    pub fn config(self, num_classes: usize) -> DinoMed3dConfig {
        match self {
            Self::Compact => DinoMed3dConfig::compact(num_classes),
            Self::PaperS => DinoMed3dConfig::paper(num_classes, DinoV3::S.config()),
            Self::PaperB => DinoMed3dConfig::paper(num_classes, DinoV3::B.config()),
            Self::PaperL => DinoMed3dConfig::paper(num_classes, DinoV3::L.config()),
        }
    }
}

fn find<T: Copy>(name: &str, all: &[(&'static str, T)]) -> Result<T, UnknownPreset> {
    all.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, preset)| *preset)
        .ok_or_else(|| UnknownPreset {
            found: name.to_owned(),
            expected: all.iter().map(|(known, _)| *known).collect(),
        })
}

impl DinoMed3dConfig {
    /// The compact preset: small enough for a browser, patch 8 at the scan's own resolution
    /// (which is patch 16 on slices drawn twice as large).
    pub fn compact(num_classes: usize) -> Self {
        let vit = VitConfig::new(128, 8, 4, 512)
            .with_patch_size(8)
            .with_layer_scale(0.1);
        Self::new(
            num_classes,
            vit,
            Adaptation::InBlock(Adapter3dConfig::new()),
            DetailConfig::new().with_full_channels(Some(16)),
            DecoderConfig::Light(LightDecoderConfig::new()),
        )
    }

    /// The paper's network on a transformer of patches of 16, adapted by LoRA.
    pub fn paper(num_classes: usize, vit: VitConfig) -> Self {
        Self::new(
            num_classes,
            vit,
            Adaptation::Lora(LoraConfig::new()),
            DetailConfig::paper(),
            DecoderConfig::UperNet(UperNetConfig::new()),
        )
        .with_end_slices(EndSlices::Zero)
        .with_normed_taps(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_supported_is_named() {
        let error = DinoV3::from_name("vit7b16").unwrap_err().to_string();
        assert!(
            error.contains("7B") && error.contains("vits16plus"),
            "{error}"
        );
        let error = Preset::from_name("paper-xl").unwrap_err().to_string();
        assert!(
            error.contains("paper-l") && !error.contains("7B"),
            "{error}"
        );
    }
}
