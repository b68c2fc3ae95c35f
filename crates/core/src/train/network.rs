//! What both stages share: a network that has logits for every voxel.

use crate::model::{DinoMed3d, SliceSegmenter};
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

/// A network that can be trained.
pub trait Network: Module + ModuleDisplay + Sync + 'static {
    /// Logits of every voxel.
    ///
    /// # Shapes
    /// - `volume`: `[batch, channel, slice, row, column]`
    /// - returns: logits `[batch, class, slice, row, column]`
    fn logits(&self, volume: Tensor<5>) -> Tensor<5>;
}

impl Network for SliceSegmenter {
    fn logits(&self, volume: Tensor<5>) -> Tensor<5> {
        self.forward(volume)
    }
}

impl Network for DinoMed3d {
    fn logits(&self, volume: Tensor<5>) -> Tensor<5> {
        self.forward(volume)
    }
}
