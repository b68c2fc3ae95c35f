//! Images in space, whose voxels lie in memory as numbers or as their file has them.

use crate::{Affine, ScanError, Volume};
use std::borrow::Cow;
use std::ops::Range;

/// One number per voxel, with its place in space. Of a large scan a copy as numbers takes twice to four times what its file's voxels
/// do, so whoever needs a part of it takes that alone.
pub trait Image {
    /// Voxels along `[z, y, x]`.
    fn shape(&self) -> [usize; 3];

    /// From voxel index `(x, y, z)` to world millimetres.
    fn affine(&self) -> Affine;

    /// The voxels in `range` of all of them, row-major `[z, y, x]`.
    ///
    /// # Panics
    /// For a range beyond the last voxel.
    fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + '_;

    /// All of it as numbers.
    ///
    /// # Errors
    /// [`ScanError::OutOfMemory`].
    fn whole(&self) -> Result<Cow<'_, Volume>, ScanError>;

    /// Voxels in all.
    fn count(&self) -> usize {
        self.shape().iter().product()
    }
}

impl Image for Volume {
    fn shape(&self) -> [usize; 3] {
        self.shape
    }

    fn affine(&self) -> Affine {
        self.affine
    }

    fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + '_ {
        self.voxels[range].iter().copied()
    }

    fn whole(&self) -> Result<Cow<'_, Volume>, ScanError> {
        Ok(Cow::Borrowed(self))
    }
}
