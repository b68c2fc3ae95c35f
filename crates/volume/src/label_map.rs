//! Label maps: one small integer per voxel.

use crate::Affine;

/// One integer per voxel, 0 for background, with its place in space.
///
/// # Shapes
/// `labels` is row-major `[z, y, x]`, x fastest, as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMap {
    /// Label of each voxel.
    pub labels: Vec<u8>,
    /// Voxels along `[z, y, x]`.
    pub shape: [usize; 3],
    /// From voxel index `(x, y, z)` to world millimetres.
    pub affine: Affine,
}

impl LabelMap {
    /// The labels that occur, in ascending order, without the background.
    pub fn present(&self) -> Vec<u8> {
        let mut seen = [false; 256];
        for &label in &self.labels {
            seen[usize::from(label)] = true;
        }
        (1..=255u8).filter(|&l| seen[usize::from(l)]).collect()
    }
}
