//! A loaded model, ready to segment.

use super::check::{CheckErrors, answer};
use super::pipeline::{Labelled, Pipeline};
use super::postprocess::Changes;
use super::predict::read;
use super::{InferError, ModelError};
use crate::manifest::ModelManifest;
use crate::model::DinoMed3d;
use crate::weights::{WeightsError, decode, load_into};
use burn::tensor::{Device, Tensor};
use dinomed3d_volume::ModelGrid;
use dinomed3d_volume::Volume;
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;

/// A model on a device.
#[derive(Debug)]
pub struct Segmenter {
    manifest: ModelManifest,
    pipeline: Pipeline,
    model: DinoMed3d,
    device: Device,
}

/// How far a segmentation is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Of the whole, 0 … 1.
    pub fraction: f32,
    /// Window under way, from 1.
    pub window: usize,
    /// Number of windows.
    pub windows: usize,
}

/// A segmented scan.
#[derive(Clone, Debug)]
pub struct Segmentation {
    /// One label per voxel of the scan's own grid, `[z, y, x]`.
    pub labels: Vec<u8>,
    /// `[z, y, x]`
    pub shape: [usize; 3],
    /// What a person should know about this result.
    pub warnings: Vec<String>,
    /// Number of windows computed.
    pub windows: usize,
}

/// Extents outside the training range by more than this factor are warned about.
const EXTENT_SLACK: f64 = 1.25;
/// Voxels that the postprocessing changed, as a share of those labelled in the end, above which a person is told.
const NOTEWORTHY_CHANGE: f64 = 0.05;

impl Segmenter {
    /// Loads a model onto `device` after checking that the weights are the manifest's.
    ///
    /// # Errors
    /// [`ModelError::Weights`] if the checksum differs, the file is damaged or does not fit the
    /// network.
    pub fn load(
        manifest: ModelManifest,
        weights: &[u8],
        device: &Device,
    ) -> Result<Self, ModelError> {
        let found = hex(&Sha256::digest(weights));
        if found != manifest.weights.sha256 {
            return Err(WeightsError::Checksum {
                found,
                expected: manifest.weights.sha256.clone(),
            }
            .into());
        }
        let model = manifest.architecture.init(device);
        let model = load_into(model, decode(weights)?)?;
        Ok(Self {
            pipeline: manifest.pipeline(),
            manifest,
            model,
            device: device.clone(),
        })
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &ModelManifest {
        &self.manifest
    }

    /// Its network alone.
    pub fn into_network(self) -> DinoMed3d {
        self.model
    }

    /// How far this device's answer to the built-in input is from the manifest's.
    ///
    /// # Errors
    /// [`InferError::Device`] if nothing comes back.
    pub async fn self_check(&self) -> Result<CheckErrors, InferError> {
        let expected = &self.manifest.check;
        let found = answer(&self.model, expected.shape, &self.device).await?;
        Ok(CheckErrors::between(&found, expected))
    }

    /// Segments a scan, given the channels that the manifest names, in order and on one grid.
    /// `progress` is awaited after every step of the network; [`ControlFlow::Break`] cancels.
    ///
    /// # Errors
    /// [`InferError::Channels`] for another number of channels, [`InferError::Preprocess`] for a
    /// scan that cannot be prepared (empty, constant),
    /// [`InferError::Cancelled`], [`InferError::NotFinite`], [`InferError::Device`].
    pub async fn segment(
        &self,
        channels: &[Volume],
        mut progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Segmentation, InferError> {
        let mut windows = 0;
        let score_window = async |input, window, of| {
            windows = of;
            self.score(input, async |done| {
                progress(Progress {
                    fraction: ((window - 1) as f32 + done) / of as f32,
                    window,
                    windows: of,
                })
                .await
            })
            .await
        };
        let scored = self
            .pipeline
            .score(channels, &self.device, score_window)
            .await?;
        let Labelled { labels, changes } = scored.on_file_grid()?;
        let mut warnings = self.extent_warnings(&scored.grid);
        let kept = labels.iter().filter(|label| **label != 0).count();
        if kept == 0 {
            warnings.push(format!(
                "No voxel was given a label. This model expects {} of the region it was trained on.",
                self.manifest.modality
            ));
        }
        let is_noteworthy = |voxels: usize| voxels as f64 > NOTEWORTHY_CHANGE * kept as f64;
        let Changes {
            removed,
            relabelled,
        } = changes;
        if is_noteworthy(removed) {
            warnings.push(format!(
                "Only the largest connected part was kept, {kept} voxels; others of {removed} voxels together were \
                 taken away, as this model does with strays. That many speak of more than one structure in the scan, \
                 or of a wrong answer."
            ));
        }
        if is_noteworthy(relabelled) {
            warnings.push(format!(
                "Two labels were parted by a plane, as this model's protocol does; {relabelled} of {kept} voxels changed \
                 their label for it. That many speak of a scan that the protocol was not made for, or of a wrong answer."
            ));
        }
        Ok(Segmentation {
            labels,
            shape: channels[0].shape,
            warnings,
            windows,
        })
    }

    /// Logits of one window, step by step.
    async fn score(
        &self,
        input: Tensor<5>,
        mut progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, InferError> {
        let mut pass = self.model.start(input);
        let steps = pass.num_steps();
        while pass.remaining() > 0 {
            pass.step();
            // A device runs behind what it was told; waiting for one value keeps progress true
            // and lets a cancelled run end soon.
            read(pass.witness()).await?;
            let done = (steps - pass.remaining()) as f32 / steps as f32;
            if progress(done).await.is_break() {
                return Err(InferError::Cancelled);
            }
        }
        read(pass.logits().flatten::<1>(0, 4)).await
    }

    fn extent_warnings(&self, grid: &ModelGrid) -> Vec<String> {
        let Some(range) = self.manifest.extent_mm else {
            return Vec::new();
        };
        let (shape, spacing) = (grid.shape(), grid.spacing_mm());
        let extent: [f64; 3] = std::array::from_fn(|axis| shape[axis] as f64 * spacing[axis]);
        let outside = (0..3).any(|axis| {
            extent[axis] > EXTENT_SLACK * range.max[axis]
                || extent[axis] < range.min[axis] / EXTENT_SLACK
        });
        if !outside {
            return Vec::new();
        }
        let text = |edges: [f64; 3]| edges.map(|edge| format!("{edge:.0}")).join(" × ");
        vec![format!(
            "This scan measures {} mm; the model was trained on crops of {} to {} mm. Expect wrong labels.",
            text(extent),
            text(range.min),
            text(range.max)
        )]
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
