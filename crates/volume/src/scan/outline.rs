//! How large a scan is and where it lies: what its header says, before any voxel is read.

use crate::Affine;

/// A scan's size and place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outline {
    /// Edges of each volume, `[z, y, x]`.
    pub shape: [usize; 3],
    /// From voxel index `(x, y, z)` to world millimetres.
    pub affine: Affine,
    /// Number of volumes that are read of it: all of a file, one of a DICOM series.
    pub num_volumes: usize,
    /// Length of the voxels of all these volumes as the file stores them, unpacked.
    pub stored_bytes: u64,
}
