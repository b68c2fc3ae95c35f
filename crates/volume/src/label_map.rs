//! Label maps: one small integer per voxel.

use crate::{Affine, GridError, ModelGrid, Orientation};

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

    /// The same map with its axes, of `(x, y, z)`, as `orientation` says: voxels change their place in memory, none in the world.
    ///
    /// # Errors
    /// Those of [`ModelGrid::new`], where the axes are others.
    pub fn turned_to(self, orientation: Orientation) -> Result<Self, GridError> {
        let axes = self.affine.orientation().to(orientation);
        if axes == [(0, false), (1, false), (2, false)] {
            return Ok(self);
        }
        let turned = ModelGrid::new(self.shape, &self.affine, orientation.reversed(), None)?;
        let [z, y, x] = self.shape;
        let edges = [x, y, z];
        let mut first = [0.0; 3];
        let mut affine = self.affine;
        for (axis, (from, is_reversed)) in axes.into_iter().enumerate() {
            if is_reversed {
                first[from] = (edges[from] - 1) as f64;
            }
            for (row, old) in affine.0.iter_mut().zip(&self.affine.0) {
                row[axis] = if is_reversed { -old[from] } else { old[from] };
            }
        }
        for (row, at) in affine.0.iter_mut().zip(self.affine.apply(first)) {
            row[3] = at;
        }
        Ok(Self {
            labels: turned.labels_to_model(&self.labels),
            shape: turned.shape(),
            affine,
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of an oblique map: each voxel's label stays where it is in the world, and the axes run as was asked.
    #[test]
    fn a_turned_map_has_its_labels_where_they_were() {
        let mut affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        (affine.0[0][1], affine.0[1][0], affine.0[2][3]) = (0.3, -0.2, 17.0);
        let map = LabelMap {
            labels: (1..=24).collect(),
            shape: [2, 3, 4],
            affine,
        };
        let places = |map: &LabelMap| -> Vec<(u8, [i64; 3])> {
            let [_, rows, columns] = map.shape;
            let place = |(voxel, label): (usize, &u8)| {
                let at = [
                    voxel % columns,
                    voxel / columns % rows,
                    voxel / (rows * columns),
                ];
                let world = map.affine.apply(at.map(|index| index as f64));
                (*label, world.map(|mm| (1000.0 * mm).round() as i64))
            };
            let mut places: Vec<_> = map.labels.iter().enumerate().map(place).collect();
            places.sort_unstable();
            places
        };
        for orientation in Orientation::all() {
            let turned = map.clone().turned_to(orientation).unwrap();
            assert_eq!(turned.affine.orientation(), orientation);
            assert_eq!(places(&turned), places(&map), "{orientation}");
        }
    }
}
