//! Which settings of a network can be: asked of every network that a file describes, recipe or manifest.

use super::DinoMed3dConfig;
use super::adaptation::Adaptation;
use super::decoder::DecoderConfig;
use super::detail::DetailConfig;
use super::vit::VitConfig;
use std::fmt::Display;

/// A setting that can't be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {found}, expected is {expected}")]
pub struct SettingError {
    /// Its name in a file.
    pub setting: String,
    /// What was found.
    pub found: String,
    /// What is expected.
    pub expected: String,
}

/// [`SettingError`] unless `holds`.
pub(crate) fn expect(
    holds: bool,
    setting: &str,
    found: impl Display,
    expected: &str,
) -> Result<(), SettingError> {
    if holds {
        return Ok(());
    }
    Err(SettingError {
        setting: setting.to_owned(),
        found: found.to_string(),
        expected: expected.to_owned(),
    })
}

/// Far above any network that was ever trained, and low enough that counts of such sizes can be multiplied.
const MAX_WIDTH: usize = 1 << 16;
/// Likewise of blocks.
const MAX_BLOCKS: usize = 1 << 10;

fn width(setting: &str, found: usize) -> Result<(), SettingError> {
    let is_right = (1..=MAX_WIDTH).contains(&found);
    expect(is_right, setting, found, "1 to 65536")
}

fn width_in_steps(setting: &str, found: usize, step: usize) -> Result<(), SettingError> {
    let is_right = (1..=MAX_WIDTH).contains(&found) && found.is_multiple_of(step);
    let expected = format!("a multiple of {step} from {step} to 65536");
    expect(is_right, setting, found, &expected)
}

/// Whether images can be cut into patches of this edge: whole cells of the detail stream at quarter size.
pub(crate) fn patch_size(found: usize) -> Result<(), SettingError> {
    let is_right = (4..=256).contains(&found) && found.is_multiple_of(4);
    expect(
        is_right,
        "patch_size",
        found,
        "a multiple of 4 from 4 to 256",
    )
}

fn chance(setting: &str, found: f64) -> Result<(), SettingError> {
    expect((0.0..1.0).contains(&found), setting, found, "0 to below 1")
}

impl DinoMed3dConfig {
    /// Whether a network can be made of these settings, and run on scans of any size.
    ///
    /// # Errors
    /// [`SettingError`], which names the first that can't be, or does not fit another.
    pub fn check(&self) -> Result<(), SettingError> {
        let classes = self.num_classes;
        expect(
            (1..=256).contains(&classes),
            "num_classes",
            classes,
            "1 to 256",
        )?;
        let neighbours = self.num_neighbours;
        expect(neighbours <= 64, "num_neighbours", neighbours, "0 to 64")?;
        self.vit.check()?;
        expect(
            self.vit
                .in_channels
                .is_multiple_of(self.channels_per_image()),
            "in_channels",
            self.vit.in_channels,
            &format!(
                "a multiple of {}, for {neighbours} neighbours on either side",
                self.channels_per_image()
            ),
        )?;
        self.adaptation.check()?;
        self.detail.check()?;
        self.decoder.check(&self.detail)
    }
}

impl VitConfig {
    /// Whether a transformer can be made of these settings.
    ///
    /// # Errors
    /// [`SettingError`], which names the first that can't be.
    pub fn check(&self) -> Result<(), SettingError> {
        width("in_channels", self.in_channels)?;
        patch_size(self.patch_size)?;
        width("embed_dim", self.embed_dim)?;
        let blocks = 1..=MAX_BLOCKS;
        expect(
            blocks.contains(&self.depth),
            "depth",
            self.depth,
            "1 to 1024",
        )?;
        let heads = self.num_heads;
        expect(
            (1..=MAX_WIDTH).contains(&heads) && self.embed_dim.is_multiple_of(4 * heads),
            "num_heads",
            format!("{heads} in embed_dim {}", self.embed_dim),
            "heads whose width is a multiple of 4",
        )?;
        width("mlp_dim", self.mlp_dim)?;
        let registers = self.num_registers;
        expect(
            registers <= MAX_BLOCKS,
            "num_registers",
            registers,
            "0 to 1024",
        )?;
        let scale = self.layer_scale;
        expect(scale.is_finite(), "layer_scale", scale, "a finite number")
    }

    /// Whether images can be cut into its patches.
    ///
    /// # Shapes
    /// `[image, channel, row, column]`
    ///
    /// # Errors
    /// [`SettingError`], which says what does not fit.
    pub fn check_images(
        &self,
        [_, channels, rows, columns]: [usize; 4],
    ) -> Result<(), SettingError> {
        let (expected, patch) = (self.in_channels, self.patch_size);
        expect(
            channels == expected,
            "the number of an image's channels",
            channels,
            &expected.to_string(),
        )?;
        let is_whole = |edge: usize| edge > 0 && edge.is_multiple_of(patch);
        expect(
            is_whole(rows) && is_whole(columns),
            "an image's size",
            format!("{rows} × {columns}"),
            &format!("edges that are multiples of {patch}"),
        )
    }
}

impl Adaptation {
    fn check(&self) -> Result<(), SettingError> {
        match self {
            Self::None => Ok(()),
            Self::InBlock(adapter) => {
                width("reduction", adapter.reduction)?;
                let is_right = |edge: &usize| edge % 2 == 1 && *edge < 32;
                expect(
                    adapter.kernel.iter().all(is_right),
                    "kernel",
                    format!("{:?}", adapter.kernel),
                    "three odd edges below 32",
                )
            }
            Self::Lora(lora) => {
                width("rank", lora.rank)?;
                expect(
                    lora.alpha.is_finite(),
                    "alpha",
                    lora.alpha,
                    "a finite number",
                )?;
                chance("dropout", lora.dropout)
            }
        }
    }
}

impl DetailConfig {
    fn check(&self) -> Result<(), SettingError> {
        let blocks = self.blocks;
        let has_none = blocks == [0; 3];
        expect(
            has_none || !blocks[1..].contains(&0) && blocks.iter().all(|n| *n <= MAX_BLOCKS),
            "detail.blocks",
            format!("{blocks:?}"),
            "at least one block at half and at quarter size, or none at all",
        )?;
        if let Some(full) = self.full_channels {
            expect(
                full > 0 && full <= MAX_WIDTH && blocks[0] == 0 && !has_none,
                "detail.full_channels",
                format!("{full}, beside blocks {blocks:?}"),
                "above 0 beside a stream that begins at half size, such as [0, 1, 1], or not given",
            )?;
        }
        if let Some(out) = self.out_channels {
            width("detail.out_channels", out)?;
        }
        width("detail.base_channels", self.base_channels)
    }
}

impl DecoderConfig {
    fn check(&self, detail: &DetailConfig) -> Result<(), SettingError> {
        let channels = detail.channels();
        let found = format!("a stream of channels {channels:?}");
        match self {
            Self::Light(light) => {
                width("tap_channels", light.tap_channels)?;
                // Each is normalised in eight groups.
                width_in_steps("patch_channels", light.patch_channels, 8)?;
                width_in_steps("quarter_channels", light.quarter_channels, 8)?;
                width_in_steps("half_channels", light.half_channels, 8)?;
                let begins_at_half = detail.blocks[0] == 0;
                expect(
                    begins_at_half,
                    "detail",
                    found,
                    "one that begins at half size",
                )
            }
            Self::UperNet(upernet) => {
                // A quarter of them is normalised in 32 groups.
                width_in_steps("channels", upernet.channels, 128)?;
                for channels in upernet.refined_channels {
                    width("refined_channels", channels)?;
                }
                chance("dropout", upernet.dropout)?;
                expect(
                    channels.len() == 3 && channels[2] == upernet.channels,
                    "detail",
                    found,
                    &format!("full size first and {} channels last", upernet.channels),
                )
            }
        }
    }
}
