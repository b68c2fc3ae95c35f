//! Inference: from a volume to a label map, window by window.

mod bias_field;
mod brightness;
pub mod check;
pub mod computer;
pub mod features;
mod intensity_model;
pub mod locate;
mod looks;
pub mod part;
pub mod pipeline;
pub mod postprocess;
pub mod predict;
mod prediction;
mod progress;
mod seen;
mod seen_window;
pub mod slab;
pub(crate) mod together;
pub mod windows;

pub use computer::{Computer, OneDevice, ProxyTask};
pub use intensity_model::IntensityModel;
pub use locate::Locate;
pub use part::{Crop, PartOf, Place};
pub use pipeline::Pipeline;
pub use postprocess::{Changes, Correction, PlaneCut, Postprocessing};
pub use predict::predict;
pub(crate) use prediction::classes;
pub use prediction::{Labelled, Prediction};
pub use progress::Progress;
pub use seen::{Keep, Seen};
pub use seen_window::SeenWindow;
pub use windows::{Beyond, Blending, Windowing};

use crate::preprocess::PreprocessError;
use dinomed3d_volume::{GridError, ScanError};

/// Why a volume could not be segmented.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InferError {
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
    /// The network's answer is not a number: arithmetic went wrong on this device.
    #[error(
        "window {window} of {windows} has a logit that is not finite; this device computes wrongly or its memory failed"
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
    /// The scan's voxels could not be read.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Reading a result from the device failed.
    #[error("the device did not return a result: {0}")]
    Device(String),
}

impl From<GridError> for InferError {
    fn from(error: GridError) -> Self {
        PreprocessError::from(error).into()
    }
}
