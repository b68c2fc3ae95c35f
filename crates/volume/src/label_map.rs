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

/// The whole number that a value of a file means, where it is one but for rounding: within 1e-4, as scales such as 1/127
/// and 32-bit floats make it. A value halfway is a mistake, not a label.
pub fn whole(value: f64) -> Option<i64> {
    let nearest = value.round();
    // Not a number is not near.
    ((value - nearest).abs() <= 1e-4).then_some(nearest as i64)
}

impl LabelMap {
    /// Volume of a label, mL.
    pub fn volume_ml(&self, label: u8) -> f64 {
        let voxels = self.labels.iter().filter(|&&l| l == label).count();
        voxels as f64 * self.affine.voxel_volume_ml()
    }

    /// The labels that occur, in ascending order, without the background.
    pub fn present(&self) -> Vec<u8> {
        let mut seen = [false; 256];
        for &label in &self.labels {
            seen[usize::from(label)] = true;
        }
        (1..=255u8).filter(|&l| seen[usize::from(l)]).collect()
    }
}
