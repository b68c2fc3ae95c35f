//! Inference: from a volume to a label map, window by window.

pub mod blend;
pub mod check;
pub mod features;
pub mod locate;
pub mod part;
pub mod pipeline;
pub mod postprocess;
pub mod predict;
pub mod segmenter;
pub mod windows;

pub use locate::Locate;
pub use part::{Crop, PartOf, Place};
pub use pipeline::{Labelled, Pipeline, Scored};
pub use postprocess::{Changes, Correction, PlaneCut, Postprocessing};
pub use predict::{Windowing, predict};
pub use segmenter::{Progress, Segmentation, Segmenter};
pub use windows::Blending;

use crate::manifest::ManifestError;
use crate::preprocess::PreprocessError;
use crate::weights::WeightsError;
use dinomed3d_volume::GridError;
use std::path::PathBuf;

/// Why a volume could not be segmented.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The network's answer is not a number: arithmetic went wrong on this device.
    #[error(
        "window {window} of {windows} has a score that is not finite; this device computes wrongly or its memory failed"
    )]
    NotFinite {
        /// From 1.
        window: usize,
        /// Of so many.
        windows: usize,
    },
    /// Another number of channels than the model was trained on.
    #[error(
        "the scan has {found} channels, this model expects {}: {}",
        expected.len(),
        expected.join(", ")
    )]
    Channels {
        /// Given.
        found: usize,
        /// Names of those that the model takes, in order.
        expected: Vec<String>,
    },
    /// The scan could not be prepared, or its label map not brought back.
    #[error(transparent)]
    Preprocess(#[from] PreprocessError),
    /// Reading a result from the device failed.
    #[error("the device did not return a result: {0}")]
    Device(String),
}

impl From<GridError> for InferError {
    fn from(error: GridError) -> Self {
        PreprocessError::from(error).into()
    }
}

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file or the folder of a model.
    #[error("{doing} {}", path.display())]
    File {
        /// "reading", "in" and so on.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
