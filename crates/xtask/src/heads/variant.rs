//! The same scan in another form; its answer must be the same in the world.

use super::structures::DEEP;
use super::{Labels, places};
use dinomed3d_volume::metrics::dice_where;
use dinomed3d_volume::nifti::{Values, encode};
use dinomed3d_volume::region::mirror;
use dinomed3d_volume::statistics::mean;
use dinomed3d_volume::{Affine, AxisWeights, Orientation, Volume};

/// What is done to the scan.
#[derive(Clone, Copy, PartialEq)]
pub enum Variant {
    /// Its axes are stored in another order and direction.
    Reordered,
    /// Its header places it turned by 20° about the vertical and 10° about the axis between the ears.
    Turned,
    /// Left is put for right.
    Mirrored,
    /// Voxels of 1.3 × 1.1 × 0.9 times the edge.
    Resampled,
}

impl Variant {
    pub const ALL: [Self; 4] = [
        Self::Reordered,
        Self::Turned,
        Self::Mirrored,
        Self::Resampled,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Reordered => "reordered",
            Self::Turned => "turned",
            Self::Mirrored => "mirrored",
            Self::Resampled => "resampled",
        }
    }

    /// As a NIfTI file.
    pub fn file(self, scan: &Volume) -> Vec<u8> {
        let varied = match self {
            Self::Reordered => reordered(scan),
            Self::Turned => Volume {
                affine: turned(&scan.affine),
                ..scan.clone()
            },
            Self::Mirrored => {
                let mut mirrored = scan.clone();
                mirror(&mut mirrored.voxels, scan.shape, left_right(&scan.affine));
                mirrored
            }
            Self::Resampled => resampled(scan),
        };
        let [z, y, x] = varied.shape;
        let values = Values::Float32(&varied.voxels);
        encode(&[x, y, z], &varied.affine, values, "a variant")
    }

    /// Mean Dice over the structures of both answers, and the least with its structure, on the original's grid.
    pub fn agreement(self, original: &Labels, answer: &Labels) -> (f64, f64, &'static str) {
        let there = match self {
            Self::Turned => turned(&original.affine),
            _ => original.affine,
        };
        let inverse = answer.affine.inverse().expect("an invertible affine");
        let mut voxels: Vec<u16> = places(original.shape, there)
            .map(|place| answer.at(&inverse, place))
            .collect();
        if self == Self::Mirrored {
            mirror(&mut voxels, original.shape, left_right(&original.affine));
            for voxel in &mut voxels {
                *voxel = other_side(*voxel);
            }
        }
        let scores: Vec<(f64, &str)> = DEEP
            .iter()
            .flat_map(|(name, [left, right])| {
                [left, right].map(|label| {
                    let is = |value: u16| value == *label;
                    (dice_where(&original.voxels, &voxels, is, is), *name)
                })
            })
            .collect();
        let mean = mean(scores.iter().map(|(score, _)| *score)).expect("structures");
        let (least, name) = scores
            .into_iter()
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .expect("structures");
        (mean, least, name)
    }
}

/// The axis of `[z, y, x]` between left and right.
fn left_right(affine: &Affine) -> usize {
    affine.orientation().reversed().to(Orientation::RAS)[0].0
}

/// The label of the structure on the other side.
fn other_side(label: u16) -> u16 {
    let pairs = DEEP.iter().map(|(_, pair)| *pair);
    pairs
        .flat_map(|[left, right]| [(left, right), (right, left)])
        .find_map(|(from, to)| (from == label).then_some(to))
        .unwrap_or(label)
}

/// x, y, z become z, x, y, and the first runs backwards.
fn reordered(scan: &Volume) -> Volume {
    let [depth, rows, columns] = scan.shape;
    let mut voxels = Vec::with_capacity(scan.voxels.len());
    // Of the new array `[y', x', z']` in the old axes' names: slices are y, rows x, columns z from the last.
    for y in 0..rows {
        for x in 0..columns {
            for z in (0..depth).rev() {
                voxels.push(scan.voxels[(z * rows + y) * columns + x]);
            }
        }
    }
    let mut affine = scan.affine;
    for row in &mut affine.0[..3] {
        let [x, y, z, first] = *row;
        *row = [-z, x, y, first + z * (depth - 1) as f64];
    }
    Volume {
        voxels,
        shape: [rows, columns, depth],
        affine,
    }
}

fn turned(affine: &Affine) -> Affine {
    let (sin, cos) = 20f64.to_radians().sin_cos();
    let (sin_nod, cos_nod) = 10f64.to_radians().sin_cos();
    let mut turned = *affine;
    for column in 0..4 {
        let [x, y, z] = [0, 1, 2].map(|row| affine.0[row][column]);
        let [x, y] = [cos * x - sin * y, sin * x + cos * y];
        let [y, z] = [cos_nod * y - sin_nod * z, sin_nod * y + cos_nod * z];
        for (row, value) in [x, y, z].into_iter().enumerate() {
            turned.0[row][column] = value;
        }
    }
    turned
}

/// Trilinear; the first voxel stays where it is.
fn resampled(scan: &Volume) -> Volume {
    let factors = [1.3, 1.1, 0.9]; // x, y, z
    let mut shape = scan.shape;
    let mut voxels = scan.voxels.clone();
    for axis in 0..3 {
        let (from, factor) = (shape[axis], factors[2 - axis]);
        let to = ((from - 1) as f64 / factor) as usize + 1;
        let weights = AxisWeights::at(from, (0..to).map(|i| i as f64 * factor));
        let inner = shape[axis + 1..].iter().product();
        let mut along = Vec::new();
        weights.apply(&voxels, inner, &mut along);
        voxels = along;
        shape[axis] = to;
    }
    let mut affine = scan.affine;
    for row in &mut affine.0[..3] {
        for (entry, factor) in row.iter_mut().zip(factors) {
            *entry *= factor;
        }
    }
    Volume {
        voxels,
        shape,
        affine,
    }
}
