//! What a part does: the same pass with and without it.

use super::{Inside, Map, Values, labels_of};
use crate::infer::InferError;
use crate::infer::predict::read;
use crate::model::ProxyHead;
use dinomed3d_volume::metrics::dice;

/// How far two label maps of a window agree on a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// The label.
    pub label: u8,
    /// Dice.
    pub dice: f64,
}

impl Inside {
    /// What the network was given, of the scan's first channel.
    pub fn image(&self) -> Map {
        let voxels = self.window.shape.iter().product();
        Map {
            shape: self.window.shape,
            affine: self.window.affine,
            values: Values::Numbers(self.window.values[..voxels].to_vec()),
        }
    }

    /// What the network makes of this window alone, before any postprocessing and without the mirror image that a segmentation may
    /// average with.
    pub fn labels(&self) -> Map {
        Map {
            shape: self.window.shape,
            affine: self.window.affine,
            values: Values::Labels(self.labels.clone()),
        }
    }

    /// What the proxy head of stage 1 makes of this pass, which is one without adapters; `values` is the value of each class.
    ///
    /// # Errors
    /// [`InferError::Device`], and [`InferError::NotFinite`] for an answer that is not a number.
    pub async fn proxy(&self, head: &ProxyHead, values: &[u8]) -> Result<Map, InferError> {
        let [_, rows, columns] = self.window.shape;
        let tokens = &self.states[self.num_blocks()];
        let logits = self.network.proxy_logits(head, tokens, [rows, columns]);
        Ok(Map {
            shape: self.window.shape,
            affine: self.window.affine,
            values: Values::Labels(labels_of(logits, values).await?),
        })
    }

    /// Dice of each label that this pass or a map of labels of its window has found.
    ///
    /// # Panics
    /// If the map is none of labels.
    pub fn agreement(&self, other: &Map) -> Vec<Agreement> {
        let Values::Labels(other) = &other.values else {
            panic!("a map without labels");
        };
        let mut is_there = [false; 256];
        for label in self.labels.iter().chain(other) {
            is_there[usize::from(*label)] = true;
        }
        let there = (1..=u8::MAX).filter(|label| is_there[usize::from(*label)]);
        let agreement = |label| Agreement {
            label,
            dice: dice(other, &self.labels, label),
        };
        there.map(agreement).collect()
    }

    /// How much each patch token differs after so many blocks between this pass and another, as a share of its length in this one.
    ///
    /// # Errors
    /// [`InferError::Device`].
    pub async fn difference(&self, other: &Self, after_blocks: usize) -> Result<Map, InferError> {
        let of = |inside: &Self| {
            let tokens = inside.network.vit.patch_grid(&inside.states[after_blocks]);
            read(tokens.flatten::<1>(0, 4))
        };
        let (ours, theirs) = (of(self).await?, of(other).await?);
        let [_, slices, rows, columns] = self.states[after_blocks].grid;
        let shape = [slices, rows, columns];
        let width = ours.len() / shape.iter().product::<usize>();
        let length = |values: &mut dyn Iterator<Item = f32>| -> f32 {
            values.map(|value| value * value).sum::<f32>().sqrt()
        };
        let share = |(ours, theirs): (&[f32], &[f32])| {
            let apart = length(&mut ours.iter().zip(theirs).map(|(a, b)| a - b));
            let own = length(&mut ours.iter().copied());
            if own > 0.0 { apart / own } else { 0.0 }
        };
        let pairs = ours.chunks_exact(width).zip(theirs.chunks_exact(width));
        let shares = pairs.map(share).collect();
        Ok(self.map_of_tokens(shape, Values::Numbers(shares)))
    }

    /// Sizes of the detail stream's maps, finest first: channels of each, and how many pixels of the window a cell of it has along
    /// rows and columns.
    pub fn detail_levels(&self) -> Vec<[usize; 2]> {
        let full = self.states[0].grid[3] * self.network.patch_size();
        let level = |map: &burn::tensor::Tensor<5>| {
            let [_, channels, _, _, columns] = map.dims();
            [channels, full / columns]
        };
        self.detail.0.iter().map(level).collect()
    }

    /// What the detail stream finds at a level, finest first: one of its channels, or of all of them the root of the mean square.
    ///
    /// # Errors
    /// [`InferError::Device`].
    pub async fn detail(&self, level: usize, channel: Option<usize>) -> Result<Map, InferError> {
        let map = self.detail.0[level].clone();
        let map = match channel {
            Some(channel) => map.narrow(1, channel, 1),
            None => map.powi_scalar(2).mean_dim(1).sqrt(),
        };
        self.map_of_pixels(map).await
    }

    /// How far the gate between transformer and detail stream is open, in the mean of its channels; none without a stream.
    ///
    /// # Errors
    /// [`InferError::Device`].
    pub async fn gate(&self) -> Result<Option<Map>, InferError> {
        let decoder = self.network.decoder();
        match decoder.openness(self.taps.clone(), &self.detail) {
            Some(gate) => self.map_of_pixels(gate.mean_dim(1)).await.map(Some),
            None => Ok(None),
        }
    }

    /// # Shapes
    /// `map`: `[1, 1, slice, row, column]`
    async fn map_of_pixels(&self, map: burn::tensor::Tensor<5>) -> Result<Map, InferError> {
        let [_, _, slices, rows, columns] = map.dims();
        let full = self.states[0].grid[3] * self.network.patch_size();
        Ok(Map {
            shape: [slices, rows, columns],
            affine: self.affine_of_cells(full / columns),
            values: Values::Numbers(read(map.flatten::<1>(0, 4)).await?),
        })
    }
}
