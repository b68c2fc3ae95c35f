//! Left and right: a plane that parts structures that a network answers without a side.
//!
//! The plane is the one in which the label map is most like its own mirror image. It is found in the world, in
//! millimetres, so that neither the order of axes nor obliquity nor spacing matters, and a mirrored scan has mirrored sides.

use crate::random::SplitMix64;
use crate::{Affine, LabelMap};

/// Voxels that the first search looks at, and the last.
const FEW: usize = 3_000;
const MANY: usize = 20_000;
/// How far the first search goes on either side: degrees that the head is turned or tilted, and millimetres.
const FIRST_STEPS: [f64; 3] = [8.0, 8.0, 4.0];
const FIRST_REACH: i32 = 3;
/// Steps become half as long until they are shorter than these.
const LAST_STEPS: [f64; 3] = [0.25, 0.25, 0.25];

/// A plane in the world; what lies on its normal's side is right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MidPlane {
    /// Of length 1, towards the right.
    pub normal: [f64; 3],
    /// Of the plane from the origin along the normal.
    pub offset_mm: f64,
}

impl MidPlane {
    /// Fits the plane to a label map in which each of `values` stands for a structure on both sides; none where it holds
    /// none of them or its affine says no place.
    pub fn fit(map: &LabelMap, values: &[u8]) -> Option<Self> {
        let inverse = map.affine.inverse()?;
        let points = Points::of(map, values)?;
        let world = World {
            map,
            inverse: &inverse,
        };
        let few = points.thinned(FEW);
        let at = |pose: [f64; 3]| points.plane(pose);
        let mut best = [0.0; 3];
        let mut most = f64::NEG_INFINITY;
        let reach = || (-FIRST_REACH..=FIRST_REACH).map(f64::from);
        for yaw in reach() {
            for roll in reach() {
                for shift in reach() {
                    let pose = [yaw, roll, shift];
                    let pose = std::array::from_fn(|i| pose[i] * FIRST_STEPS[i]);
                    let likeness = world.likeness(&at(pose), &few);
                    if likeness > most {
                        (best, most) = (pose, likeness);
                    }
                }
            }
        }
        let many = points.thinned(MANY);
        most = world.likeness(&at(best), &many);
        let mut steps = FIRST_STEPS.map(|step| step / 2.0);
        while (0..3).any(|i| steps[i] >= LAST_STEPS[i]) {
            let mut is_better = false;
            for parameter in 0..3 {
                for sign in [-1.0, 1.0] {
                    let mut pose = best;
                    pose[parameter] += sign * steps[parameter];
                    let likeness = world.likeness(&at(pose), &many);
                    if likeness > most {
                        (best, most, is_better) = (pose, likeness, true);
                    }
                }
            }
            if !is_better {
                steps = steps.map(|step| step / 2.0);
            }
        }
        Some(at(best))
    }

    /// How far a place of the world lies on the right of the plane, in millimetres.
    pub fn to_the_right_mm(&self, place: [f64; 3]) -> f64 {
        dot(self.normal, place) - self.offset_mm
    }

    /// Whether a voxel of a scan lies on the right, counted in memory, `[z, y, x]` of `shape`.
    pub fn is_right(&self, affine: &Affine, voxel: usize, [_, rows, columns]: [usize; 3]) -> bool {
        self.to_the_right_mm(place_of(affine, voxel, rows, columns)) > 0.0
    }

    fn mirrored(&self, place: [f64; 3]) -> [f64; 3] {
        let twice = 2.0 * self.to_the_right_mm(place);
        std::array::from_fn(|axis| place[axis] - twice * self.normal[axis])
    }

    /// Gives every voxel of the first value of a pair that lies on the right the second one.
    pub fn part(&self, map: &mut LabelMap, sides: &[[u8; 2]]) {
        let mut right_of: [u8; 256] = std::array::from_fn(|value| value as u8);
        for &[left, right] in sides {
            right_of[usize::from(left)] = right;
        }
        let affine = map.affine;
        let shape = map.shape;
        for (index, label) in map.labels.iter_mut().enumerate() {
            let right = right_of[usize::from(*label)];
            if right != *label && self.is_right(&affine, index, shape) {
                *label = right;
            }
        }
    }
}

/// Millimetres of a voxel's middle.
pub(crate) fn place_of(affine: &Affine, index: usize, rows: usize, columns: usize) -> [f64; 3] {
    let voxel = [
        index % columns,
        index / columns % rows,
        index / (columns * rows),
    ];
    affine.apply(voxel.map(|v| v as f64))
}

/// Where structures with two sides are, each as heavy as the square root of its number of voxels. Of a fine scan they are
/// tens of millions: a few of them are taken when they are asked for, and none held.
struct Points<'a> {
    map: &'a LabelMap,
    /// Of each label that is asked for.
    weights: [Option<f64>; 256],
    num: usize,
    middle: [f64; 3],
}

#[derive(Clone, Copy)]
struct Point {
    place: [f64; 3],
    label: u8,
    weight: f64,
}

impl<'a> Points<'a> {
    fn of(map: &'a LabelMap, values: &[u8]) -> Option<Self> {
        let mut counts = [0usize; 256];
        for label in &map.labels {
            counts[usize::from(*label)] += 1;
        }
        let mut points = Self {
            map,
            weights: [None; 256],
            num: 0,
            middle: [0.0; 3],
        };
        for (label, &count) in counts.iter().enumerate() {
            if count > 0 && values.contains(&(label as u8)) {
                points.weights[label] = Some((count as f64).sqrt().recip());
                points.num += count;
            }
        }
        let mut middle = [0.0; 3];
        for point in points.at(|_| true) {
            for (sum, mm) in middle.iter_mut().zip(point.place) {
                *sum += mm / points.num as f64;
            }
        }
        points.middle = middle;
        (points.num > 0).then_some(points)
    }

    /// Those at the voxels that `is_wanted` says.
    fn at(&self, is_wanted: impl Fn(usize) -> bool) -> impl Iterator<Item = Point> {
        let [_, rows, columns] = self.map.shape;
        let labels = self.map.labels.iter().enumerate();
        labels.filter_map(move |(index, &label)| {
            let weight = self.weights[usize::from(label)]?;
            is_wanted(index).then(|| Point {
                place: place_of(&self.map.affine, index, rows, columns),
                label,
                weight,
            })
        })
    }

    /// About so many of them, evenly spread. A voxel is taken for where it is, not for how many points come before it:
    /// so one more elsewhere changes no other, and label maps that differ in a few voxels are parted in one plane.
    fn thinned(&self, count: usize) -> Vec<Point> {
        let one_in = (self.num / count).max(1) as u64;
        self.at(|index| mixed(index).is_multiple_of(one_in))
            .collect()
    }

    /// The plane at these degrees of yaw and roll and millimetres from the middle.
    fn plane(&self, [yaw, roll, shift]: [f64; 3]) -> MidPlane {
        let direction = [1.0, yaw.to_radians().tan(), roll.to_radians().tan()];
        let length = dot(direction, direction).sqrt();
        let normal = direction.map(|d| d / length);
        MidPlane {
            normal,
            offset_mm: dot(normal, self.middle) + shift,
        }
    }
}

/// A number without a pattern, the same for the same voxel: rows of a volume fall in step with any simpler rule.
fn mixed(index: usize) -> u64 {
    SplitMix64::new(index as u64).next_u64()
}

struct World<'a> {
    map: &'a LabelMap,
    inverse: &'a Affine,
}

impl World<'_> {
    /// Weight of the points whose mirror image is of the same label.
    fn likeness(&self, plane: &MidPlane, points: &[Point]) -> f64 {
        points
            .iter()
            .filter(|point| self.label_at(plane.mirrored(point.place)) == Some(point.label))
            .map(|point| point.weight)
            .sum()
    }

    fn label_at(&self, place: [f64; 3]) -> Option<u8> {
        let [x, y, z] = self.inverse.apply(place).map(f64::round);
        let [slices, rows, columns] = self.map.shape.map(|edge| edge as f64);
        let is_inside = x >= 0.0 && y >= 0.0 && z >= 0.0 && x < columns && y < rows && z < slices;
        is_inside.then(|| self.map.labels[((z * rows + y) * columns + x) as usize])
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two balls and a shell around them, mirror images in a plane that is turned, tilted and off the origin; 1 is the
    /// shell and 2 the balls.
    fn head(turn: f64, tilt: f64, affine: Affine, shape: [usize; 3]) -> (LabelMap, MidPlane) {
        let direction = [1.0, turn.to_radians().tan(), tilt.to_radians().tan()];
        let length = dot(direction, direction).sqrt();
        let normal = direction.map(|d| d / length);
        let centre = [3.0, -4.0, 5.0];
        let plane = MidPlane {
            normal,
            offset_mm: dot(normal, centre),
        };
        let label = |place: [f64; 3]| {
            let from: [f64; 3] = std::array::from_fn(|i| place[i] - centre[i]);
            let side = dot(normal, from);
            let in_plane: [f64; 3] = std::array::from_fn(|i| from[i] - side * normal[i]);
            let ball = (side.abs() - 18.0).powi(2)
                + (in_plane[1] - 8.0).powi(2)
                + (in_plane[2] + 6.0).powi(2);
            // Longer from front to back than from left to right.
            let shell =
                (side / 36.0).powi(2) + (in_plane[1] / 46.0).powi(2) + (in_plane[2] / 34.0).powi(2);
            if ball < 64.0 {
                2
            } else {
                u8::from(shell < 1.0)
            }
        };
        let [_, rows, columns] = shape;
        let count = shape.iter().product();
        let labels = (0..count)
            .map(|i| label(place_of(&affine, i, rows, columns)))
            .collect();
        let map = LabelMap {
            labels,
            shape,
            affine,
        };
        (map, plane)
    }

    fn affine(spacing: [f64; 3], origin: [f64; 3]) -> Affine {
        let mut affine = Affine::from_spacing_mm(spacing);
        for (row, mm) in affine.0.iter_mut().zip(origin) {
            row[3] = mm;
        }
        affine
    }

    #[test]
    fn the_plane_of_symmetry_is_found_however_the_head_lies() {
        for [turn, tilt] in [[0.0, 0.0], [12.0, -7.0], [-20.0, 15.0]] {
            for spacing in [[2.0, 2.0, 2.0], [-1.5, 3.0, 2.5]] {
                let origin = spacing.map(|mm| -mm * 30.0);
                let (map, truth) = head(turn, tilt, affine(spacing, origin), [60, 60, 60]);
                let found = MidPlane::fit(&map, &[1, 2]).unwrap();
                let angle = dot(found.normal, truth.normal).min(1.0).acos().to_degrees();
                assert!(
                    angle < 2.0,
                    "{angle} degrees off at {turn}, {tilt}, {spacing:?}"
                );
                let middle = [3.0, -4.0, 5.0];
                let off = found.to_the_right_mm(middle).abs();
                assert!(off < 1.0, "{off} mm off at {turn}, {tilt}, {spacing:?}");
            }
        }
    }

    /// The same voxels under an affine that runs the other way: left becomes right.
    #[test]
    fn a_mirrored_scan_has_mirrored_sides() {
        let spacing = [2.0, 2.0, 2.0];
        let (mut map, _) = head(10.0, 5.0, affine(spacing, [-60.0; 3]), [60, 60, 60]);
        let mut mirrored = LabelMap {
            affine: affine([-2.0, 2.0, 2.0], [60.0, -60.0, -60.0]),
            ..map.clone()
        };
        for map in [&mut map, &mut mirrored] {
            let plane = MidPlane::fit(map, &[1, 2]).unwrap();
            plane.part(map, &[[1, 41], [2, 42]]);
        }
        let swapped = mirrored.labels.iter().map(|label| match label {
            1 => 41,
            41 => 1,
            2 => 42,
            42 => 2,
            other => *other,
        });
        let differing = swapped.zip(&map.labels).filter(|(a, b)| a != *b).count();
        let total = map.labels.iter().filter(|label| **label != 0).count();
        assert!(differing * 200 < total, "{differing} of {total}");
        assert!(map.labels.contains(&42) && map.labels.contains(&2));
    }

    /// As two devices answer: a voxel more or less at a border. Points counted off would all be others then, and where
    /// one plane is hardly better than the next, as in a head that is not quite its own mirror image, another would be best.
    #[test]
    fn a_voxel_more_moves_no_plane() {
        let (mut map, _) = head(3.0, -2.0, affine([1.0; 3], [-50.0; 3]), [100; 3]);
        for (index, label) in map.labels.iter_mut().enumerate() {
            // A mixture that no likeness is smooth in.
            if *label == 1 && mixed(mixed(index) as usize).is_multiple_of(2) {
                *label = 0;
            }
        }
        let of = |map: &LabelMap| MidPlane::fit(map, &[1, 2]).unwrap();
        let before = of(&map);
        let empty = (0..map.labels.len()).filter(|index| map.labels[*index] == 0);
        for index in empty.step_by(100_000) {
            let mut other = map.clone();
            other.labels[index] = 1;
            let after = of(&other);
            let angle = dot(before.normal, after.normal)
                .min(1.0)
                .acos()
                .to_degrees();
            let off = (before.offset_mm - after.offset_mm).abs();
            assert!(
                angle < 1e-3 && off < 1e-2,
                "{index}: {angle} degrees, {off} mm"
            );
        }
    }

    #[test]
    fn without_a_structure_of_two_sides_there_is_no_plane() {
        let (map, _) = head(0.0, 0.0, affine([2.0; 3], [-60.0; 3]), [60, 60, 60]);
        assert_eq!(MidPlane::fit(&map, &[9]), None);
    }
}
