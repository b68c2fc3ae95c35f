//! A box of voxels: found around a label, cut out of a scan, laid back.

use crate::component::keep_largest_component;
use crate::{Affine, Image, LabelMap, Volume};
use std::ops::Range;

/// A box of voxels of a grid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// Of the voxels along `[z, y, x]`; none is empty.
    pub ranges: [Range<usize>; 3],
}

impl Region {
    /// The smallest box around the largest connected part of a label, so that a stray voxel does not widen it; none where the
    /// label is not there.
    pub fn around(map: &LabelMap, label: u8) -> Option<Self> {
        let mut of_label: Vec<u8> = map.labels.iter().map(|l| u8::from(*l == label)).collect();
        keep_largest_component(&mut of_label, map.shape);
        let [_, rows, columns] = map.shape;
        let mut ranges: Option<[Range<usize>; 3]> = None;
        for (index, _) in of_label.iter().enumerate().filter(|(_, is)| **is != 0) {
            let at = [
                index / (rows * columns),
                index / columns % rows,
                index % columns,
            ];
            let ranges = ranges.get_or_insert_with(|| at.map(|i| i..i + 1));
            for (range, i) in ranges.iter_mut().zip(at) {
                *range = range.start.min(i)..range.end.max(i + 1);
            }
        }
        ranges.map(|ranges| Self { ranges })
    }

    /// Wider by at least so many millimetres on every side, as far as the grid of `shape` goes.
    pub fn widened(&self, margin_mm: f64, affine: &Affine, shape: [usize; 3]) -> Self {
        let [x, y, z] = affine.spacing_mm();
        let spacing_mm = [z, y, x];
        Self {
            ranges: std::array::from_fn(|axis| {
                let margin = (margin_mm / spacing_mm[axis]).ceil() as usize;
                let Range { start, end } = self.ranges[axis];
                start.saturating_sub(margin)..(end + margin).min(shape[axis])
            }),
        }
    }

    /// Voxels along `[z, y, x]`.
    pub fn shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|axis| self.ranges[axis].len())
    }

    /// The image's voxels in this box, each where it was in the world.
    pub fn cut(&self, image: &impl Image) -> Volume {
        let mut voxels = Vec::with_capacity(self.shape().iter().product());
        for row in self.rows(image.shape()) {
            voxels.extend(image.values(row));
        }
        let [z, y, x] = [0, 1, 2].map(|axis| self.ranges[axis].start as f64);
        let mut affine = image.affine();
        for (row, first) in affine.0.iter_mut().zip(image.affine().apply([x, y, z])) {
            row[3] = first;
        }
        Volume {
            voxels,
            shape: self.shape(),
            affine,
        }
    }

    /// Where this box lies in a grid of `shape`, row by row in the box's own order.
    pub fn rows(&self, shape: [usize; 3]) -> impl Iterator<Item = Range<usize>> + '_ {
        let [_, rows, columns] = shape;
        let [slices_of, rows_of, columns_of] = self.ranges.clone();
        slices_of.flat_map(move |z| {
            let columns_of = columns_of.clone();
            rows_of.clone().map(move |y| {
                let row = (z * rows + y) * columns;
                row + columns_of.start..row + columns_of.end
            })
        })
    }
}

/// Turns the voxels of a grid of `shape` round along one axis, 0 for z, and leaves the grid where it is: the mirror image.
pub fn mirror<T>(voxels: &mut [T], shape: [usize; 3], axis: usize) {
    let inner: usize = shape[axis + 1..].iter().product();
    for slab in voxels.chunks_exact_mut(shape[axis] * inner) {
        for i in 0..shape[axis] / 2 {
            let (front, back) = slab.split_at_mut((shape[axis] - 1 - i) * inner);
            front[i * inner..][..inner].swap_with_slice(&mut back[..inner]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    const OBLIQUE: Affine = Affine([
        [0.0, -0.3, 1.9, 7.0],
        [-1.0, 0.1, 0.2, -11.0],
        [0.1, 1.2, 0.3, 4.0],
        [0.0, 0.0, 0.0, 1.0],
    ]);

    fn map() -> LabelMap {
        let shape = [4, 5, 6];
        let mut labels = vec![0; 120];
        for (z, y, x) in [(1, 2, 2), (1, 2, 3), (2, 3, 3)] {
            labels[(z * 5 + y) * 6 + x] = 17;
        }
        labels[119] = 17; // a stray
        labels[0] = 5;
        LabelMap {
            labels,
            shape,
            affine: OBLIQUE,
        }
    }

    #[test]
    fn a_box_holds_the_largest_part_of_a_label_alone() {
        let region = Region::around(&map(), 17).unwrap();
        assert_eq!(region.ranges, [1..3, 2..4, 2..4]);
        assert_eq!(Region::around(&map(), 18), None);
    }

    /// Spacing is about 1.0, 1.2 and 1.9 mm along x, y and z.
    #[test]
    fn a_margin_is_in_millimetres_and_ends_with_the_grid() {
        let region = Region::around(&map(), 17)
            .unwrap()
            .widened(2.0, &OBLIQUE, [4, 5, 6]);
        assert_eq!(region.ranges, [0..4, 0..5, 0..6]);
        let little = Region::around(&map(), 17)
            .unwrap()
            .widened(1.0, &OBLIQUE, [4, 5, 6]);
        assert_eq!(little.ranges, [0..4, 1..5, 1..5]);
    }

    #[test]
    fn every_voxel_of_a_cut_stays_where_it_was_in_the_world() {
        let mut random = SplitMix64::new(3);
        let scan = Volume {
            voxels: (0..120).map(|_| random.next_f64() as f32).collect(),
            shape: [4, 5, 6],
            affine: OBLIQUE,
        };
        let region = Region {
            ranges: [1..3, 2..5, 3..6],
        };
        let cut = region.cut(&scan);
        assert_eq!(cut.shape, [2, 3, 3]);
        for z in 0..2 {
            for y in 0..3 {
                for x in 0..3 {
                    let whole = ((z + 1) * 5 + y + 2) * 6 + x + 3;
                    assert_eq!(cut.voxels[(z * 3 + y) * 3 + x], scan.voxels[whole]);
                    let here = cut.affine.apply([x, y, z].map(|v| v as f64));
                    let there = scan.affine.apply([x + 3, y + 2, z + 1].map(|v| v as f64));
                    for (a, b) in here.into_iter().zip(there) {
                        assert!((a - b).abs() < 1e-12, "{here:?} {there:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn mirrored_along_each_axis() {
        let voxels: Vec<u8> = (0..12).collect(); // [2, 2, 3]
        let along = |axis| {
            let mut mirrored = voxels.clone();
            mirror(&mut mirrored, [2, 2, 3], axis);
            mirrored
        };
        assert_eq!(along(0), [6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5]);
        assert_eq!(along(1), [3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8]);
        assert_eq!(along(2), [2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9]);
    }
}
