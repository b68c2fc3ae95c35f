//! Linear maps: rows of a matrix, each multiplied with the same weights.
//!
//! Weights are laid out once in stripes that are two vectors wide; a stripe stays in the cache while all rows of a part go through
//! it, so many at a time as registers hold sums of.

use crate::activation::{Activation, OfVector};
use crate::registers::{lanes, rows, sums, write};
use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// Rows of a part, a multiple of those that are summed at a time.
const ROWS_AT_ONCE: usize = 48;
/// Vectors of a stripe.
const VECTORS: usize = 2;

/// `activation(input · weight + bias)`.
///
/// # Shapes
/// - `channels`: inputs and outputs
/// - `input`: `[row, input]`
/// - `weight`: `[input, output]`
/// - `bias`: `[output]`
/// - returns: `[row, output]`
///
/// # Panics
/// If a slice is not as long as its shape says.
pub fn linear(
    channels: [usize; 2],
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    activation: Activation,
) -> Vec<f32> {
    let map = Map {
        channels,
        weight,
        bias,
        activation,
    };
    linear_by(lanes(), map, input, |part| Arch::new().dispatch(part))
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Map<'a> {
    channels: [usize; 2],
    weight: &'a [f32],
    bias: Option<&'a [f32]>,
    activation: Activation,
}

fn linear_by(
    lanes: usize,
    map: Map,
    input: &[f32],
    multiply: impl Fn(Part) + Sync + Send,
) -> Vec<f32> {
    let [inputs, outputs] = map.channels;
    assert_eq!(map.weight.len(), inputs * outputs, "weights");
    assert!(map.bias.is_none_or(|bias| bias.len() == outputs), "biases");
    assert_eq!(input.len() % inputs, 0, "rows of {inputs} channels");
    let mut result = vec![0.0; input.len() / inputs * outputs];
    let width = VECTORS * lanes;
    let stripes = outputs.div_ceil(width);
    let mut ordered = vec![Vec::new(); stripes];
    let of_stripes = ordered.iter_mut().enumerate().collect();
    for_each(
        of_stripes,
        || (),
        |(), (stripe, ordered): (usize, &mut Vec<f32>)| {
            ordered.reserve_exact(inputs * width);
            let count = width.min(outputs - stripe * width);
            for row in map.weight.chunks_exact(outputs) {
                ordered.extend_from_slice(&row[stripe * width..][..count]);
                ordered.resize(ordered.len() + width - count, 0.0);
            }
        },
    );
    let mut bias = map.bias.map_or_else(Vec::new, <[f32]>::to_vec);
    bias.resize(stripes * width, 0.0);
    let parts: Vec<(&[f32], &mut [f32])> = input
        .chunks(ROWS_AT_ONCE * inputs)
        .zip(result.chunks_mut(ROWS_AT_ONCE * outputs))
        .collect();
    for_each(
        parts,
        || (),
        |(), (input, result)| {
            multiply(Part {
                channels: map.channels,
                weight: &ordered,
                bias: &bias,
                activation: map.activation,
                input,
                result,
            });
        },
    );
    result
}

/// Some rows under way.
struct Part<'a> {
    channels: [usize; 2],
    /// Of each stripe `[input, output in the stripe]`, zeros for outputs that there are not.
    weight: &'a [Vec<f32>],
    /// `[stripe, output in the stripe]`, likewise.
    bias: &'a [f32],
    activation: Activation,
    input: &'a [f32],
    result: &'a mut [f32],
}

impl WithSimd for Part<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // So many sums as there are registers for: 32 of those of 16 lanes, else 16, of which a browser has some for itself.
        match S::F32_LANES {
            16 => self.multiply::<S, 12>(simd),
            8 => self.multiply::<S, 6>(simd),
            _ => self.multiply::<S, 4>(simd),
        }
    }
}

impl Part<'_> {
    #[inline(always)]
    fn multiply<S: Simd, const ROWS: usize>(self, simd: S) {
        let [inputs, outputs] = self.channels;
        let width = VECTORS * S::F32_LANES;
        let stripes = self.weight.iter().zip(self.bias.chunks_exact(width));
        for (stripe, (weight, bias)) in stripes.enumerate() {
            let (bias, _) = S::as_simd_f32s(bias);
            let start = stripe * width;
            let count = width.min(outputs - start);
            for (block, result) in self.result.chunks_mut(ROWS * outputs).enumerate() {
                let rows = rows::<ROWS>(self.input, inputs, inputs, block * ROWS);
                let bias = [bias[0], bias[1]];
                let sums = sums::<S, ROWS, VECTORS>(simd, bias, rows, weight, width);
                for (result, sums) in result.chunks_exact_mut(outputs).zip(sums) {
                    let mut values = sums;
                    for value in &mut values {
                        *value = self.activation.of(simd, *value);
                    }
                    write::<S, VECTORS>(&mut result[start..][..count], values);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::{ByKind, by_all, numbers};

    struct Given<'a>(Map<'a>, &'a [f32]);

    impl ByKind for Given<'_> {
        fn by<S: Simd>(&self, simd: S) -> Vec<f32> {
            linear_by(S::F32_LANES, self.0, self.1, |part| part.with_simd(simd))
        }
    }

    #[test]
    fn every_kind_of_processor_gives_what_the_formula_does() {
        for (rows, inputs, outputs) in [
            (1, 1, 1),
            (5, 3, 47),
            (49, 24, 19),
            (13, 8, 32),
            (100, 33, 65),
            (0, 3, 2),
        ] {
            let input = numbers(rows * inputs, 1);
            let weight = numbers(inputs * outputs, 2);
            let bias = numbers(outputs, 3);
            for (bias, activation) in [
                (None, Activation::Identity),
                (Some(&bias[..]), Activation::Relu),
            ] {
                let channels = [inputs, outputs];
                let map = Map {
                    channels,
                    weight: &weight,
                    bias,
                    activation,
                };
                let mut all = by_all(&Given(map, &input));
                all.push(("own", linear(channels, &input, &weight, bias, activation)));
                for (kind, found) in all {
                    assert_eq!(found.len(), rows * outputs);
                    for (place, found) in found.iter().enumerate() {
                        let (row, output) = (place / outputs, place % outputs);
                        let mut sum = bias.map_or(0.0, |bias| f64::from(bias[output]));
                        for channel in 0..inputs {
                            sum += f64::from(input[row * inputs + channel])
                                * f64::from(weight[channel * outputs + output]);
                        }
                        if activation == Activation::Relu {
                            sum = sum.max(0.0);
                        }
                        assert!(
                            (f64::from(*found) - sum).abs() < 2e-6,
                            "{kind} {rows} rows of {inputs} to {outputs}, {place}: {found} for {sum}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "weights")]
    fn other_weights_are_refused() {
        linear([2, 3], &[0.0; 8], &[0.0; 5], None, Activation::Identity);
    }
}
