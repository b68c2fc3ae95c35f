//! Other people's checkpoints: DINOv3 in the forms it is published in, and DINO-Med3D as its
//! authors' code saves it.
//!
//! [`checkpoint`] opens a file, [`identify`] says what it is, a table of names per source
//! ([`official`], [`hugging_face`], [`timm`], [`authors`]) says where every parameter of ours is
//! found, [`mapping`] takes it from there and names whatever does not fit.

pub mod authors;
pub mod checkpoint;
pub mod hugging_face;
pub mod identify;
pub mod initialize;
pub mod mapping;
pub mod official;
pub mod rules;
pub mod timm;

pub use checkpoint::Checkpoint;
pub use identify::{Identity, Source};
pub use mapping::{Imported, Scope, import};

use super::fold::FoldError;
use std::path::PathBuf;

/// Why a checkpoint can't be taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The file can't be read, or is damaged.
    #[error("{path} is not a readable PyTorch or safetensors file: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the reader says.
        reason: String,
    },
    /// Nothing in it is known.
    #[error(
        "no known checkpoint: expected are DINOv3 (official, Hugging Face, timm) or DINO-Med3D (authors' stage 1 or stage 2, or our own); found are {count} tensors such as {}", .examples.join(", ")
    )]
    Unknown {
        /// Number of tensors.
        count: usize,
        /// Some of their names.
        examples: Vec<String>,
    },
    /// More than one set of weights.
    #[error(
        "the checkpoint holds several sets of weights, under {}: expected is one; save the one you mean by itself", .0.join(" and ")
    )]
    Ambiguous(Vec<String>),
    /// A tensor that is not of floating point.
    #[error("tensor {name} can't be read as floating point: {reason}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What the reader says.
        reason: String,
    },
    /// The checkpoint is not of this network.
    #[error("{0}")]
    Mismatch(Box<Mismatch>),
    /// Not a transformer that training can begin with.
    #[error(
        "{0} can't be the start of a training run: expected is a DINOv3 transformer, or one of stage 1"
    )]
    NoStart(Source),
    /// Patch weights that don't fold.
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// A value that is not a number.
    #[error("tensor {0} holds a value that is not finite")]
    NotFinite(String),
}

/// All that keeps a checkpoint and a network apart, in the checkpoint's own names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// What the network needs and the checkpoint lacks.
    pub missing: Vec<String>,
    /// What the network has no place for.
    pub left_over: Vec<String>,
    /// Name, shape found, shape expected.
    pub shapes: Vec<(String, Vec<usize>, Vec<usize>)>,
}

impl Mismatch {
    fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.left_over.is_empty() && self.shapes.is_empty()
    }
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the checkpoint is not of this network")?;
        if !self.missing.is_empty() {
            let names = self.missing.join(", ");
            write!(f, "\n  {} missing: {names}", self.missing.len())?;
        }
        if !self.left_over.is_empty() {
            let names = self.left_over.join(", ");
            write!(f, "\n  {} left over: {names}", self.left_over.len())?;
        }
        if !self.shapes.is_empty() {
            write!(f, "\n  {} of another shape:", self.shapes.len())?;
            for (name, found, expected) in &self.shapes {
                write!(f, "\n    {name}: found {found:?}, expected {expected:?}")?;
            }
        }
        Ok(())
    }
}
