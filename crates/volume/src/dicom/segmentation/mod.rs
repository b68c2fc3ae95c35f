//! DICOM segmentations: a label map as an object that belongs to the series it was made of, and back.
//!
//! One bit a voxel, one segment a label, one frame for each segment and slice in which it occurs.

mod color;
mod element;
mod error;
mod origin;
mod read;
#[cfg(test)]
mod round_trip;
mod terms;
mod write;

pub use error::SegmentationError;
pub use origin::Origin;
pub use read::{Segmentation, read};
pub use terms::{Code, Term};
pub use write::{Provenance, write};

use crate::Label;

/// A label with what it is in the words of a terminology.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Value, name and colour.
    pub label: Label,
    /// What it is.
    pub term: Term,
}

impl Segment {
    /// The label with the term of its name, as [`Term::of`] finds it.
    pub fn of(label: &Label, part_of: Option<&str>) -> Self {
        Self {
            term: Term::of(label, part_of),
            label: label.clone(),
        }
    }
}
