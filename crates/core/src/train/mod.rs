//! Training: stage 1 on slices, stage 2 on volumes.

pub mod augment;
mod base;
pub mod batches;
#[cfg(feature = "import")]
pub mod beginning;
pub mod checkpoint;
pub mod dataset;
pub mod defaults;
pub mod elastic;
pub mod ema;
pub mod ema_network;
pub mod fingerprint;
pub mod flat;
pub mod freeze;
pub mod intensity;
pub mod label_dice;
pub mod loss;
pub mod network;
pub mod optimize;
pub mod progress;
pub mod recipe;
mod recipe_check;
pub mod recipe_file;
pub mod run_folder;
pub mod schedule;
pub mod seed;
pub mod setting;
pub mod stage;
pub mod stop;
pub mod stretch;
pub mod synthesis;
pub mod trainer;
pub mod validate;

pub use dataset::{Cache, Dataset, TrainingCase};
pub use fingerprint::Fingerprint;
pub use progress::Event;
pub use recipe::Recipe;
pub use stage::Parallelism;
pub use trainer::{Start, Trainer};

use crate::model::SettingError;
use std::path::PathBuf;

/// Why a training run cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {cause}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why. Said already, so it is no source, which would be said again.
        cause: std::io::Error,
    },
    /// A place where nothing can be written, or an input lies.
    #[error(transparent)]
    Output(#[from] dinomed3d_volume::atomic_file::OutputError),
    /// Problems of the data set, one per line.
    #[error("the data set cannot be used:\n{}", .0.join("\n"))]
    Data(Vec<String>),
    /// Settings that cannot work.
    #[error("{0}")]
    Recipe(String),
    /// A setting of the network or its windows that can't be.
    #[error("the recipe's {0}")]
    Setting(SettingError),
    /// A checkpoint that does not fit or is damaged.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The loss left the numbers.
    #[error("the loss of stage {stage} became {loss} at step {step}; lower the learning rate")]
    Diverged {
        /// 1 or 2.
        stage: usize,
        /// Optimiser step.
        step: usize,
        /// Its value.
        loss: f32,
    },
    /// The learner gave up.
    #[error("training stopped: {0}")]
    Learner(String),
    /// Validation failed.
    #[error(transparent)]
    Infer(#[from] crate::infer::InferError),
    /// Weights failed to load or save.
    #[error(transparent)]
    Weights(#[from] crate::weights::WeightsError),
}

impl TrainError {
    /// Of a file that is not as a run wrote it; `then` says what can be done.
    fn damaged(path: PathBuf, error: impl std::fmt::Display, then: &str) -> Self {
        let reason = format!("cut short or damaged ({error}); {then}");
        Self::Checkpoint { path, reason }
    }
}

// No `#[from]`: the setting would be its source too, and be said twice.
impl From<SettingError> for TrainError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
}
