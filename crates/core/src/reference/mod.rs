//! Numbers of the reference implementations (PyTorch), and how far a device's are from them.
//!
//! One body for the tests, on the processor, and for a program on a graphics card. The folder of numbers is not part of the
//! repository; its `README.md` says how it is laid out.

mod fill;
mod folder;
mod network;
mod transformer;

pub use folder::{Reference, relative_error, tensor};
pub use network::{sliding_window, stage1, stage2, stage2_lora};
pub use transformer::{released_transformers, transformers};

use crate::infer::InferError;
use crate::weights::WeightsError;
use crate::weights::import::ImportError;
use burn::tensor::Device;
use std::path::PathBuf;

/// One output of a network against the reference's.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Network and output.
    pub name: String,
    /// Largest difference, relative to the largest expected value.
    pub error: f32,
    /// What single precision has to hold.
    pub tolerance: f32,
}

impl Comparison {
    /// Whether single precision explains the error; not if it is not a number.
    pub fn is_tolerable(&self) -> bool {
        self.error <= self.tolerance
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: largest error {:.1e} of the largest value, {:.0e} allowed",
            self.name, self.error, self.tolerance
        )
    }
}

/// Why there is nothing to compare.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// A file that is missing or not what the README of the numbers says.
    #[error("the reference numbers in {path} are not as their README says: {reason}")]
    Layout {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Its weights are refused.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// They do not fit the network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The device gave no answer.
    #[error(transparent)]
    Infer(#[from] InferError),
}

/// Every network of the reference on a device.
///
/// # Errors
/// [`ReferenceError`].
pub async fn compare_all(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let mut found = transformers(reference, device).await?;
    found.extend(stage1(reference, device).await?);
    found.extend(stage2(reference, device).await?);
    found.extend(stage2_lora(reference, device).await?);
    found.extend(sliding_window(reference, device).await?);
    Ok(found)
}
