//! What a person who knows the reference would paint next.

use crate::strokes::Stroke;
use dinomed3d_volume::component::{Neighbours, place};
use dinomed3d_volume::{Affine, LabelMap};
use std::collections::HashSet;

/// Longest stroke.
const LENGTH_MM: f64 = 10.0;

const FACES: Neighbours = Neighbours::Faces([true; 3]);

/// A stroke a voxel wide in the largest part that has one label in the reference and others here, parts being connected by faces:
/// from the voxel deepest inside of it as far as it goes straight on within its slice, up to [`LENGTH_MM`]. None where nothing is
/// wrong.
pub(super) fn next_stroke(labels: &[u8], reference: &LabelMap) -> Option<Stroke> {
    let shape = reference.shape;
    let is_wrong = |voxel: usize| labels[voxel] != reference.labels[voxel];
    let mut part_of = vec![0u32; labels.len()];
    let mut largest: Vec<usize> = Vec::new();
    let mut parts = 0;
    for start in 0..labels.len() {
        if !is_wrong(start) || part_of[start] != 0 {
            continue;
        }
        parts += 1;
        let value = reference.labels[start];
        let mut part = Vec::new();
        FACES.spread(start, shape, |voxel| {
            let is_new = part_of[voxel] == 0 && is_wrong(voxel) && reference.labels[voxel] == value;
            if is_new {
                part_of[voxel] = parts;
                part.push(voxel);
            }
            is_new
        });
        if part.len() > largest.len() {
            largest = part;
        }
    }
    let start = *largest.first()?;
    let number = part_of[start];
    let is_part = |voxel: usize| part_of[voxel] == number;
    let middle = deepest(&largest, shape, is_part);
    Some(Stroke {
        value: reference.labels[start],
        voxels: line(middle, shape, &reference.affine, is_part),
    })
}

/// The voxel of a part that is most steps away from what is not of it; of equals the one nearest to the part's middle.
fn deepest(part: &[usize], shape: [usize; 3], is_part: impl Fn(usize) -> bool) -> usize {
    let mut layer: Vec<usize> = part.to_vec();
    let mut inside: HashSet<usize> = part.iter().copied().collect();
    debug_assert!(part.iter().all(|voxel| is_part(*voxel)));
    loop {
        let inner: Vec<usize> = layer
            .iter()
            .copied()
            .filter(|voxel| {
                let mut is_inner = true;
                FACES.each(*voxel, shape, |next| is_inner &= inside.contains(&next));
                is_inner
            })
            .collect();
        if inner.is_empty() || inner.len() == layer.len() {
            break;
        }
        inside = inner.iter().copied().collect();
        layer = inner;
    }
    let places = part.iter().map(|voxel| place(*voxel, shape));
    let sum = places.fold([0usize; 3], |sum, at| {
        [0, 1, 2].map(|axis| sum[axis] + at[axis])
    });
    let middle = sum.map(|sum| sum as f64 / part.len() as f64);
    let apart = |voxel: &usize| {
        let at = place(*voxel, shape);
        (0..3)
            .map(|axis| (at[axis] as f64 - middle[axis]).powi(2))
            .sum::<f64>()
    };
    let nearest = layer
        .into_iter()
        .min_by(|a, b| apart(a).total_cmp(&apart(b)));
    nearest.expect("a part has a voxel")
}

/// The longest straight way through a voxel within its slice and what `is_part`, in one of eight directions.
fn line(
    middle: usize,
    shape: [usize; 3],
    affine: &Affine,
    is_part: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let [_, rows, columns] = shape;
    let [z, y, x] = place(middle, shape);
    let [x_mm, y_mm, _] = affine.spacing_mm();
    let way = |[dy, dx]: [f64; 2]| {
        let mut voxels = vec![middle as u32];
        let step_mm = (dy * y_mm).hypot(dx * x_mm);
        let steps = (LENGTH_MM / 2.0 / step_mm) as i32;
        for towards in [-1.0, 1.0] {
            for step in 1..=steps {
                let along = towards * f64::from(step);
                let (row, column) = (y as f64 + along * dy, x as f64 + along * dx);
                let (row, column) = (row.round(), column.round());
                let is_inside =
                    (0.0..rows as f64).contains(&row) && (0.0..columns as f64).contains(&column);
                if !is_inside {
                    break;
                }
                let voxel = (z * rows + row as usize) * columns + column as usize;
                if !is_part(voxel) {
                    break;
                }
                voxels.push(voxel as u32);
            }
        }
        voxels.sort_unstable();
        voxels.dedup();
        voxels
    };
    let ways = [
        [0.0, 1.0],
        [1.0, 0.0],
        [1.0, 1.0],
        [1.0, -1.0],
        [0.5, 1.0],
        [1.0, 0.5],
        [0.5, -1.0],
        [1.0, -0.5],
    ];
    // The first of equals.
    let longer = |best: Vec<u32>, next: Vec<u32>| if next.len() > best.len() { next } else { best };
    ways.map(way).into_iter().fold(Vec::new(), longer)
}
