//! Layer normalisation: each row gets mean 0 and variance 1, then the columns their own scale and shift.

use crate::norm::{Same, SquareFrom, sum};
use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// Values of a part, about.
const PART: usize = 1 << 13;

/// Normalises in place.
///
/// # Shapes
/// - `values`: `[row, column]`
/// - `scale`, `shift`: `[column]`
///
/// # Panics
/// If scales and shifts are not as many as each other, or values none of so many columns.
pub fn layer_norm(values: &mut [f32], [scale, shift]: [&[f32]; 2], epsilon: f32) {
    let columns = scale.len();
    assert_eq!(shift.len(), columns, "shifts of {columns} columns");
    assert_eq!(values.len() % columns, 0, "values of {columns} columns");
    let parts: Vec<&mut [f32]> = values
        .chunks_mut(PART.div_ceil(columns) * columns)
        .collect();
    for_each(
        parts,
        || (),
        |(), values| {
            Arch::new().dispatch(Rows {
                values,
                scale,
                shift,
                epsilon,
            });
        },
    );
}

struct Rows<'a> {
    values: &'a mut [f32],
    scale: &'a [f32],
    shift: &'a [f32],
    epsilon: f32,
}

impl WithSimd for Rows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let columns = self.scale.len();
        let (scales, scale) = S::as_simd_f32s(self.scale);
        let (shifts, shift) = S::as_simd_f32s(self.shift);
        for row in self.values.chunks_exact_mut(columns) {
            let mean = (sum(simd, row, Same) / columns as f64) as f32;
            let variance = sum(simd, row, SquareFrom(mean)) / columns as f64;
            let factor = (1.0 / (variance + f64::from(self.epsilon)).sqrt()) as f32;
            let means = simd.splat_f32s(mean);
            let factors = simd.splat_f32s(factor);
            let (vectors, rest) = S::as_mut_simd_f32s(row);
            for ((value, scale), shift) in vectors.iter_mut().zip(scales).zip(shifts) {
                let normed = simd.mul_f32s(simd.sub_f32s(*value, means), factors);
                *value = simd.mul_add_e_f32s(normed, *scale, *shift);
            }
            for ((value, scale), shift) in rest.iter_mut().zip(scale).zip(shift) {
                *value = (*value - mean) * factor * scale + shift;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::{ByKind, by_all, numbers};

    struct Given<'a>(&'a [f32], [&'a [f32]; 2]);

    impl ByKind for Given<'_> {
        fn by<S: Simd>(&self, simd: S) -> Vec<f32> {
            let mut values = self.0.to_vec();
            let [scale, shift] = self.1;
            let rows = Rows {
                values: &mut values,
                scale,
                shift,
                epsilon: 1e-5,
            };
            rows.with_simd(simd);
            values
        }
    }

    #[test]
    fn every_kind_of_processor_gives_what_the_formula_does() {
        for (rows, columns) in [(1, 2), (3, 47), (300, 64), (7, 35), (0, 5)] {
            let values = numbers(rows * columns, 1);
            let scale = numbers(columns, 2);
            let shift = numbers(columns, 3);
            let given = Given(&values, [&scale, &shift]);
            let mut all = by_all(&given);
            let mut own = values.clone();
            layer_norm(&mut own, [&scale, &shift], 1e-5);
            all.push(("own", own));
            for (kind, found) in all {
                for (place, found) in found.iter().enumerate() {
                    let column = place % columns;
                    let row = &values[place - column..][..columns];
                    let of_row = |f: &dyn Fn(f64) -> f64| {
                        row.iter().map(|x| f(f64::from(*x))).sum::<f64>() / columns as f64
                    };
                    let mean = of_row(&|x| x);
                    let variance = of_row(&|x| (x - mean).powi(2));
                    let normed = (f64::from(values[place]) - mean) / (variance + 1e-5).sqrt();
                    let expected = normed * f64::from(scale[column]) + f64::from(shift[column]);
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-5,
                        "{kind}, {rows} rows of {columns}, {place}: {found} for {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_spoils_its_row_and_no_other() {
        let mut values = [1.0, f32::NAN, 3.0, 4.0, 5.0, 6.0];
        layer_norm(&mut values, [&[1.0; 3], &[0.0; 3]], 1e-5);
        assert!(values[..3].iter().all(|value| value.is_nan()));
        assert!(values[3..].iter().all(|value| value.is_finite()));
    }
}
