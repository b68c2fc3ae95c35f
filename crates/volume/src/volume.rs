//! A scan.

use crate::Affine;

/// A scan: one value per voxel, with its place in space.
///
/// # Shapes
/// `voxels` is row-major `[z, y, x]`, x fastest, as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Values, scaled as the file says.
    pub voxels: Vec<f32>,
    /// Voxels along `[z, y, x]`.
    pub shape: [usize; 3],
    /// From voxel index `(x, y, z)` to world millimetres.
    pub affine: Affine,
}
