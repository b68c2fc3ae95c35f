//! What the decoder's last layers see of a scan: their answer is linear in it, wherever windows overlap.

use crate::infer::computer::{input, window_features};
use crate::infer::{InferError, Pipeline, Progress, Seen, predict};
use crate::model::DinoMed3d;
use burn::tensor::Device;
use dinomed3d_volume::region::mirror;
use dinomed3d_volume::{GridLogits, ModelGrid, Orientation};
use futures_util::lock::Mutex;
use std::ops::ControlFlow;

/// Features of the last look at a scan, blended as its logits were. Layers that are linear may be applied after the blending as
/// well as before it.
#[derive(Clone, Debug)]
pub struct Features {
    grid: ModelGrid,
    count: usize,
    /// `[feature, slice, row, column]` of some slices each.
    portions: Vec<Vec<f32>>,
}

impl Features {
    /// Of what was seen, by the network that saw it; `progress` is awaited after every step, and [`ControlFlow::Break`] cancels.
    ///
    /// # Errors
    /// [`InferError::Cancelled`], [`InferError::NotFinite`], [`InferError::Device`].
    pub async fn of(
        network: &DinoMed3d,
        device: &Device,
        pipeline: &Pipeline,
        seen: &Seen,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Self, InferError> {
        let windowing = pipeline.windowing;
        let grid = seen.grid().clone();
        let left_right = pipeline.preprocessing.orientation.to(Orientation::RAS)[0].0;
        let passes = 1 + usize::from(seen.is_mirrored());
        let starts = windowing.starts(grid.shape());
        let windows = starts.iter().map(Vec::len).product::<usize>();
        // One window at a time, and one pass: nobody waits for it.
        let progress = Mutex::new(progress);
        let pass = async |values, window: usize, pass: usize| {
            let before = passes * (window - 1) + pass;
            let tell = async |share: f32| {
                let step = Progress {
                    fraction: (before as f32 + share) / (windows * passes) as f32,
                    window,
                    windows,
                    found: None,
                };
                (progress.lock().await)(step).await
            };
            window_features(network, input(values, windowing.window, device), tell).await
        };
        let count = network.decoder().num_features();
        let mut portions = Vec::new();
        predict(
            count,
            seen.voxels(),
            grid.shape(),
            windowing,
            1,
            async |window, number| {
                if !seen.is_mirrored() {
                    return pass(window, number, 0).await;
                }
                let mut image = window.clone();
                mirror(&mut image, windowing.window, left_right);
                let mut features = pass(window, number, 0).await?;
                let mut of_image = pass(image, number, 1).await?;
                mirror(&mut of_image, windowing.window, left_right);
                for (feature, other) in features.iter_mut().zip(of_image) {
                    *feature = 0.5 * (*feature + other);
                }
                Ok(features)
            },
            |slice| {
                portions.push(slice.to_vec());
                Ok(())
            },
        )
        .await?;
        Ok(Self {
            grid,
            count,
            portions,
        })
    }

    /// Memory that those of a network take, of what was seen.
    pub fn bytes(network: &DinoMed3d, seen: &Seen) -> usize {
        let voxels = seen.grid().shape().iter().product::<usize>();
        network.decoder().num_features() * voxels * size_of::<f32>()
    }

    /// `[feature, slice, row, column]` of some slices each, as many as the logits' portions have.
    pub(super) fn portions(&self) -> &[Vec<f32>] {
        &self.portions
    }

    /// Hands out all features at each voxel where the network looked, in the order of [`Seen::each_voxel`].
    pub(super) fn each_voxel(&self, each: impl FnMut(usize, &[f32])) -> Result<(), InferError> {
        let features = GridLogits {
            grid: &self.grid,
            portions: &self.portions,
            num_classes: self.count,
            likelihood: None,
        };
        features.each_voxel(each).map_err(InferError::from)
    }
}
