//! A stack that leans, moved onto a grid with right angles.
//!
//! The slices stay in their planes; each is moved along its plane, bilinearly, so that values are mixed within a slice only.

use super::stack::Tilt;
use crate::{Affine, Volume};

/// Moves the slices of `leaning` (with the affine of a straight stack) to where they lie. The grid grows so that nothing is
/// lost; what no slice covers takes the smallest value.
pub(super) fn straightened(leaning: &Volume, tilt: &Tilt) -> Volume {
    let [num_slices, rows, columns] = leaning.shape;
    let last = (num_slices - 1) as f64;
    // By how much the grid begins before the first slice, and by how much it is longer.
    let room = |pixels: f64| {
        let end = pixels * last;
        let before = (-end).max(0.0).ceil();
        (before, (before + end.max(0.0).ceil()) as usize)
    };
    let [(left, wider), (above, higher)] = tilt.pixels.map(room);
    let shape = [num_slices, rows + higher, columns + wider];
    let fill = leaning.voxels.iter().copied().fold(f32::INFINITY, f32::min);
    let mut voxels = Vec::with_capacity(shape.iter().product());
    for (number, slice) in leaning.voxels.chunks_exact(rows * columns).enumerate() {
        let [right, down] = tilt.pixels.map(|pixels| pixels * number as f64);
        let at = |row: i64, column: i64| {
            let is_inside =
                (0..rows as i64).contains(&row) && (0..columns as i64).contains(&column);
            if is_inside {
                slice[row as usize * columns + column as usize]
            } else {
                fill
            }
        };
        for row in 0..shape[1] {
            let (row, below) = whole_and_rest(row as f64 - above - down);
            for column in 0..shape[2] {
                let (column, beside) = whole_and_rest(column as f64 - left - right);
                let line = |row: i64| mix(at(row, column), at(row, column + 1), beside);
                voxels.push(mix(line(row), line(row + 1), below));
            }
        }
    }
    let mut affine = leaning.affine;
    let origin = leaning.affine.apply([-left, -above, 0.0]);
    for (row, mm) in affine.0.iter_mut().zip(origin) {
        row[3] = mm;
    }
    Volume {
        voxels,
        shape,
        affine: Affine(affine.0),
    }
}

fn whole_and_rest(position: f64) -> (i64, f32) {
    let whole = position.floor();
    (whole as i64, (position - whole) as f32)
}

fn mix(a: f32, b: f32, share_of_b: f32) -> f32 {
    if share_of_b == 0.0 {
        a
    } else {
        (1.0 - share_of_b) * a + share_of_b * b
    }
}
