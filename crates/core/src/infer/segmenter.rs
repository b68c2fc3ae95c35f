//! A loaded model, ready to segment.

use super::check::{CheckErrors, answer};
use super::predict::{Windowing, predict, read};
use super::{InferError, ModelError};
use crate::manifest::ModelManifest;
use crate::model::DinoMed3d;
use crate::volume::Volume;
use crate::weights::{WeightsError, decode, load_into};
use burn::tensor::{Device, Tensor};
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;

/// A model on a device.
#[derive(Debug)]
pub struct Segmenter {
    manifest: ModelManifest,
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
            manifest,
            model,
            device: device.clone(),
        })
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &ModelManifest {
        &self.manifest
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
        let manifest = &self.manifest;
        let expected = manifest.channel_names();
        if channels.len() != expected.len() {
            return Err(InferError::Channels {
                found: channels.len(),
                expected,
            });
        }
        let prepared = manifest.preprocessing.apply(channels)?;
        let mut windows = 0;
        let scores = predict(
            manifest.labels.len(),
            &prepared.voxels,
            prepared.shape,
            Windowing {
                window: manifest.window,
                overlap: manifest.overlap,
                blending: manifest.blending,
            },
            &self.device,
            async |input, window, of| {
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
            },
        )
        .await?;
        let classes = prepared
            .grid
            .scores_to_labels(&scores, manifest.labels.len())?;
        let labels: Vec<u8> = classes
            .into_iter()
            .map(|class| manifest.labels[usize::from(class)].value)
            .collect();
        let mut warnings = self.extent_warnings(&prepared);
        if labels.iter().all(|label| *label == 0) {
            warnings.push(format!(
                "No voxel was given a label. This model expects {} of the region it was trained on.",
                manifest.modality
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

    fn extent_warnings(&self, prepared: &crate::preprocess::Prepared) -> Vec<String> {
        let Some(range) = self.manifest.extent_mm else {
            return Vec::new();
        };
        let spacing = prepared.grid.spacing_mm();
        let extent: [f64; 3] =
            std::array::from_fn(|axis| prepared.shape[axis] as f64 * spacing[axis]);
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
