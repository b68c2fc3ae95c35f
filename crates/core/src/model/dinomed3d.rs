//! DINO-Med3D: all parts joined.

use super::adaptation::Adaptation;
use super::decoder::{Decoder, DecoderConfig};
use super::detail::{DetailConfig, DetailFeatures, DetailStream};
use super::slices::{EndSlices, stack_neighbours};
use super::vit::{Tokens, VisionTransformer, VitConfig};
use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, ops::PadMode};

/// Settings of a [`DinoMed3d`]: everything that a weights file needs to be used.
#[derive(Config, Debug)]
pub struct DinoMed3dConfig {
    /// Classes, background included.
    pub num_classes: usize,
    /// Neighbouring slices on either side that become channels of a slice.
    #[config(default = 1)]
    pub num_neighbours: usize,
    /// What stands in for neighbours beyond an end.
    #[config(default = "EndSlices::Repeat")]
    pub end_slices: EndSlices,
    /// The transformer.
    pub vit: VitConfig,
    /// Whether the decoder sees the transformer's taps through its final norm.
    #[config(default = true)]
    pub normed_taps: bool,
    /// How the transformer is adapted to volumes.
    pub adaptation: Adaptation,
    /// The detail recovery stream.
    pub detail: DetailConfig,
    /// The decoder.
    pub decoder: DecoderConfig,
}

impl DinoMed3dConfig {
    /// Channels of the scans that it takes: each brings a slice and its neighbours to the transformer.
    pub fn image_channels(&self) -> usize {
        self.vit.in_channels / self.channels_per_image()
    }

    /// The same network for scans of `count` channels.
    pub fn with_image_channels(mut self, count: usize) -> Self {
        self.vit.in_channels = count * self.channels_per_image();
        self
    }

    pub(super) fn channels_per_image(&self) -> usize {
        2 * self.num_neighbours + 1
    }

    /// Fresh weights.
    ///
    /// # Panics
    /// For settings that [`check`](Self::check) refuses.
    pub fn init(&self, device: &Device) -> DinoMed3d {
        if let Err(error) = self.check() {
            panic!("{error}");
        }
        DinoMed3d {
            vit: self.vit.init(&self.adaptation, device),
            detail: self.detail.init(self.image_channels(), device),
            decoder: self
                .decoder
                .init(&self.vit, self.num_classes, &self.detail, device),
            taps: self.vit.taps().to_vec(),
            patch_size: self.vit.patch_size,
            num_neighbours: self.num_neighbours,
            end_slices: self.end_slices,
            normed_taps: self.normed_taps,
        }
    }
}

/// A volume goes in, one logit per voxel and class comes out.
#[derive(Module, Debug)]
pub struct DinoMed3d {
    /// The transformer with its adapters.
    pub vit: VisionTransformer,
    pub(super) detail: Option<DetailStream>,
    decoder: Decoder,
    taps: Vec<usize>,
    patch_size: usize,
    pub(super) num_neighbours: usize,
    #[module(skip)]
    end_slices: EndSlices,
    normed_taps: bool,
}

impl DinoMed3d {
    /// Logits of every voxel.
    ///
    /// # Shapes
    /// - `volume`: `[batch, channel, slice, row, column]`, any size
    /// - returns: logits `[batch, class, slice, row, column]`
    pub fn forward(&self, volume: Tensor<5>) -> Tensor<5> {
        let mut pass = self.start(volume);
        while pass.remaining() > 0 {
            pass.step();
        }
        pass.logits()
    }

    /// Begins a forward pass that is taken step by step, so that long work can show progress
    /// and be cancelled between two steps.
    ///
    /// # Shapes
    /// - `volume`: `[batch, channel, slice, row, column]`, any size
    pub fn start(&self, volume: Tensor<5>) -> ForwardPass<'_> {
        let [batch, _, _, height, width] = volume.dims();
        let volume = volume.cast(self.vit.dtype());
        let volume = pad_to_patches(volume, self.patch_size);
        let images = stack_neighbours(volume.clone(), self.num_neighbours, self.end_slices);
        ForwardPass {
            tokens: self.vit.embed(images, batch),
            model: self,
            volume,
            size: [height, width],
            taps: Vec::with_capacity(self.taps.len()),
            next_block: 0,
            detail: None,
            logits: None,
        }
    }

    /// Channels of the scans that it takes.
    pub fn image_channels(&self) -> usize {
        self.vit.in_channels() / (2 * self.num_neighbours + 1)
    }

    /// Edge of a square patch, in pixels.
    pub fn patch_size(&self) -> usize {
        self.patch_size
    }

    /// Neighbouring slices on either side that a slice is seen with.
    pub fn num_neighbours(&self) -> usize {
        self.num_neighbours
    }

    /// The decoder.
    pub fn decoder(&self) -> &Decoder {
        &self.decoder
    }
}

/// A forward pass under way: the blocks one by one, then the detail stream, then the decoder.
#[derive(Debug)]
pub struct ForwardPass<'a> {
    model: &'a DinoMed3d,
    /// Padded to whole patches.
    volume: Tensor<5>,
    size: [usize; 2],
    tokens: Tokens,
    taps: Vec<Tensor<5>>,
    next_block: usize,
    detail: Option<DetailFeatures>,
    logits: Option<Tensor<5>>,
}

impl ForwardPass<'_> {
    /// Number of steps of a whole pass.
    pub fn num_steps(&self) -> usize {
        self.model.vit.blocks.len() + 2
    }

    /// Steps still to take.
    pub fn remaining(&self) -> usize {
        self.model.vit.blocks.len() - self.next_block
            + usize::from(self.detail.is_none() && self.logits.is_none())
            + usize::from(self.logits.is_none())
    }

    /// Takes the next step.
    pub fn step(&mut self) {
        if self.next_block < self.model.vit.blocks.len() {
            self.tokens = self.model.vit.block(self.next_block, self.tokens.clone());
            // A transformer of fewer than four blocks is tapped twice at some of them.
            let taps = self.model.taps.iter();
            let count = taps.filter(|&&block| block == self.next_block).count();
            if count > 0 {
                let vit = &self.model.vit;
                let tap = if self.model.normed_taps {
                    vit.normed_patch_grid(&self.tokens)
                } else {
                    vit.patch_grid(&self.tokens)
                };
                self.taps.extend(std::iter::repeat_n(tap, count));
            }
            self.next_block += 1;
        } else if let Some(detail) = self.detail.take() {
            let taps = std::mem::take(&mut self.taps);
            let [_, _, depth, rows, columns] = self.volume.dims();
            let size = [depth, rows, columns];
            let logits = self.model.decoder.forward(taps, detail, size);
            let [height, width] = self.size;
            self.logits = Some(crop_in_plane(logits, height, width));
        } else if self.logits.is_none() {
            let stream = self.model.detail.as_ref();
            let features = stream.map(|stream| stream.forward(self.volume.clone()));
            self.detail = Some(features.unwrap_or_default());
        }
    }

    /// What the decoder's last layers make logits of, in place of its step.
    ///
    /// # Shapes
    /// returns: `[batch, feature, slice, row, column]`
    ///
    /// # Panics
    /// If more or less than the decoder's step remains.
    pub fn features(self) -> Tensor<5> {
        let remaining = self.remaining();
        let detail = self.detail.filter(|_| remaining == 1);
        let detail = detail
            .unwrap_or_else(|| panic!("{remaining} steps of the pass remain, not the last one"));
        let [_, _, depth, rows, columns] = self.volume.dims();
        let decoder = &self.model.decoder;
        let features = decoder.features(self.taps, detail, [depth, rows, columns]);
        let [height, width] = self.size;
        crop_in_plane(features, height, width)
    }

    /// One value of what the last step computed; reading it waits for the device to be there.
    pub fn witness(&self) -> Tensor<1> {
        let newest = match (&self.logits, &self.detail) {
            (Some(logits), _) => logits.clone().flatten(0, 4),
            (None, Some(DetailFeatures(maps))) if !maps.is_empty() => maps[0].clone().flatten(0, 4),
            _ => self.tokens.values.clone().flatten(0, 2),
        };
        newest.narrow(0, 0, 1)
    }

    /// All tokens as they are after the blocks passed so far, with their places.
    pub fn state(&self) -> &Tokens {
        &self.tokens
    }

    /// All tokens as they are after the blocks passed so far.
    ///
    /// # Shapes
    /// returns: `[batch * slice, num_prefix + row * column, embed_dim]`
    pub fn tokens(&self) -> Tensor<3> {
        self.tokens.values.clone()
    }

    /// The patch tokens of the taps passed so far, as the decoder sees them.
    ///
    /// # Shapes
    /// each `[batch, slice, row, column, embed_dim]`
    pub fn taps(&self) -> &[Tensor<5>] {
        &self.taps
    }

    /// What the detail stream found, between its step and the decoder's.
    pub fn detail(&self) -> Option<&DetailFeatures> {
        self.detail.as_ref()
    }

    /// The result.
    ///
    /// # Shapes
    /// returns: `[batch, class, slice, row, column]`
    ///
    /// # Panics
    /// If steps remain.
    pub fn logits(self) -> Tensor<5> {
        let remaining = self.remaining();
        self.logits
            .unwrap_or_else(|| panic!("{remaining} steps of the pass remain"))
    }
}

/// Adds zeros below and to the right up to whole patches.
pub(super) fn pad_to_patches(volume: Tensor<5>, patch_size: usize) -> Tensor<5> {
    let [_, _, _, height, width] = volume.dims();
    let missing = |edge: usize| edge.next_multiple_of(patch_size) - edge;
    if missing(height) + missing(width) == 0 {
        return volume;
    }
    volume.pad(
        [
            (0, 0),
            (0, 0),
            (0, 0),
            (0, missing(height)),
            (0, missing(width)),
        ],
        PadMode::Constant(0.0),
    )
}

/// Undoes [`pad_to_patches`].
pub(super) fn crop_in_plane(logits: Tensor<5>, height: usize, width: usize) -> Tensor<5> {
    logits.narrow(3, 0, height).narrow(4, 0, width)
}
