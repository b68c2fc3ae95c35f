//! Label maps turned in memory.

use crate::{GridError, LabelMap, ModelGrid, Orientation};

impl LabelMap {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Affine;

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
