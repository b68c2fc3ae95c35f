//! A stack that leans, moved onto a grid with right angles.
//!
//! The slices stay in their planes; each is moved along its plane, bilinearly, so that values are mixed within a slice only.

use super::stack::Tilt;
use crate::resample::lower_and_share;
use crate::{Affine, Volume};

/// The grid of a leaning stack once it is straightened.
pub(super) struct StraightGrid {
    pub shape: [usize; 3],
    pub affine: Affine,
    /// By how many columns and rows it begins before the first slice.
    before: [f64; 2],
}

impl StraightGrid {
    /// Of slices of `shape` with the affine of the first one. It grows so that nothing is lost.
    pub(super) fn new(shape: [usize; 3], affine: &Affine, tilt: &Tilt) -> Self {
        let [num_slices, rows, columns] = shape;
        let ends = tilt.pixels.map(|pixels| pixels * (num_slices - 1) as f64);
        let before = ends.map(|end| (-end).max(0.0).ceil());
        let [wider, higher] = [0, 1].map(|i| (before[i] + ends[i].max(0.0).ceil()) as usize);
        let [left, above] = before;
        let origin = affine.apply([-left, -above, 0.0]);
        let mut affine = *affine;
        for (row, mm) in affine.0.iter_mut().zip(origin) {
            row[3] = mm;
        }
        Self {
            shape: [num_slices, rows + higher, columns + wider],
            affine,
            before,
        }
    }
}

/// Moves the slices of `leaning` (with the affine of its first slice) to where they lie. What no slice covers takes the
/// smallest value.
pub(super) fn straightened(leaning: &Volume, tilt: &Tilt) -> Volume {
    let [_, rows, columns] = leaning.shape;
    let StraightGrid {
        shape,
        affine,
        before: [left, above],
    } = StraightGrid::new(leaning.shape, &leaning.affine, tilt);
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
            let (row, below) = lower_and_share(row as f64 - above - down);
            for column in 0..shape[2] {
                let (column, beside) = lower_and_share(column as f64 - left - right);
                let line = |row: i64| mix(at(row, column), at(row, column + 1), beside);
                voxels.push(mix(line(row), line(row + 1), below));
            }
        }
    }
    Volume {
        voxels,
        shape,
        affine,
    }
}

fn mix(a: f32, b: f32, share_of_b: f32) -> f32 {
    if share_of_b == 0.0 {
        a
    } else {
        (1.0 - share_of_b) * a + share_of_b * b
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::VR;
    use dicom_dictionary_std::tags;

    use super::super::fixture::{folder_of, image, put, put_number, put_pixels, put_position};

    /// A gantry tilted by 20°, either way: slices of a value that grows evenly in space keep it where they lie, because linear
    /// interpolation is exact for it, and the grid has right angles.
    #[test]
    fn a_leaning_stack_keeps_its_values_where_they_lie() {
        for degrees in [20.0f64, -20.0] {
            let (sine, cosine) = degrees.to_radians().sin_cos();
            let down = [0.0, cosine, -sine];
            let (rows, columns) = (20, 3);
            let value = |[x, y, z]: [f64; 3]| 1000.0 + 3.0 * x + 5.0 * y - 7.0 * z;
            let slices: Vec<_> = (0..4u16)
                .map(|number| {
                    let first = [10.0, 20.0, 3.0 * f64::from(number)];
                    let mut image = image(number, 0.0);
                    put_position(&mut image, first);
                    let orientation = format!("1\\0\\0\\{}\\{}\\{}", down[0], down[1], down[2]);
                    put(
                        &mut image,
                        tags::IMAGE_ORIENTATION_PATIENT,
                        VR::DS,
                        &orientation,
                    );
                    put(&mut image, tags::PIXEL_SPACING, VR::DS, "0.5\\0.5");
                    // Sixteenths, so that whole numbers are fine enough.
                    put(&mut image, tags::RESCALE_SLOPE, VR::DS, "0.0625");
                    put(&mut image, tags::RESCALE_INTERCEPT, VR::DS, "0");
                    put_number(&mut image, tags::ROWS, rows);
                    put_number(&mut image, tags::COLUMNS, columns);
                    put_number(&mut image, tags::BITS_STORED, 16);
                    put_number(&mut image, tags::HIGH_BIT, 15);
                    let pixels = (0..rows * columns).map(|i| {
                        let [x, y] = [i % columns, i / columns].map(|n| 0.5 * f64::from(n));
                        let at = [first[0] + x, first[1] + y * down[1], first[2] + y * down[2]];
                        (value(at) * 16.0).round() as u16
                    });
                    put_pixels(&mut image, pixels.collect());
                    image
                })
                .collect();
            let scan = folder_of(&slices).scan(0, 0).unwrap();
            assert!(
                scan.warnings[0].contains("lean by 20.0°"),
                "{:?}",
                scan.warnings
            );
            let volume = &scan.volume;
            // Three steps of 3 mm · sin 20° are 6.2 pixels.
            assert_eq!(volume.shape, [4, 27, 3]);
            let m = volume.affine.0;
            let column = |c: usize| [m[0][c], m[1][c], m[2][c]];
            for (a, b) in [(0, 1), (0, 2), (1, 2)] {
                let dot: f64 = (0..3).map(|i| column(a)[i] * column(b)[i]).sum();
                assert!(dot.abs() < 1e-9, "{dot}");
            }
            let spacing = volume.affine.spacing_mm();
            assert!((spacing[2] - 3.0 * cosine).abs() < 1e-9, "{spacing:?}");
            let fill = volume.voxels.iter().copied().fold(f32::INFINITY, f32::min);
            let mut kept = 0;
            for z in 0..4 {
                for y in 1..26 {
                    for x in 0..3 {
                        let at = |y: usize| volume.voxels[(z * 27 + y) * 3 + x];
                        // The rows at either end are mixed with what no slice covers.
                        if [at(y - 1), at(y), at(y + 1)].contains(&fill) {
                            continue;
                        }
                        let [right, anterior, up] =
                            volume.affine.apply([x, y, z].map(|v| v as f64));
                        let expected = value([-right, -anterior, up]);
                        let off = f64::from(at(y)) - expected;
                        assert!(off.abs() < 0.07, "{z} {y} {x}: {} {expected}", at(y));
                        kept += 1;
                    }
                }
            }
            assert!(kept >= 4 * 3 * 17, "{kept}");
        }
    }
}
