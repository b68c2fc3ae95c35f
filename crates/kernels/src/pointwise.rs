//! Convolution with kernel 1×1×1: a product of a small matrix with a very wide one, which is read once and written once.
//!
//! A stretch of voxels of all input channels is copied into a buffer that stays in the cache; from it a block of output channels is
//! summed in registers, bias included. A general product makes another pass for the bias, and is slow for so few rows.

use crate::registers::{lanes, write};
use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// Voxels of a buffer, a multiple of what registers hold on any processor.
const STRETCH: usize = 384;

/// Convolves.
///
/// # Shapes
/// - `input`: `[channel, voxel]`
/// - `weight`: `[out_channel, channel]`
/// - `bias`: `[out_channel]`
/// - returns: `[out_channel, voxel]`
///
/// # Panics
/// If the input is none of so many channels, or the weights are none of so many outputs.
pub fn pointwise(
    channels: [usize; 2],
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
) -> Vec<f32> {
    pointwise_by(lanes(), channels, input, weight, bias, |stretch, planes| {
        Arch::new().dispatch(Planes { stretch, planes });
    })
}

/// `channels`: inputs and outputs.
fn pointwise_by(
    lanes: usize,
    channels: [usize; 2],
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    multiply: impl Fn(&Stretch, &mut [&mut [f32]]) + Sync + Send,
) -> Vec<f32> {
    let [inputs, outputs] = channels;
    assert_eq!(input.len() % inputs, 0, "voxels of {inputs} channels");
    assert_eq!(weight.len(), outputs * inputs, "weights");
    assert!(bias.is_none_or(|bias| bias.len() == outputs), "biases");
    let voxels = input.len() / inputs;
    let mut result = vec![0.0; outputs * voxels];
    if result.is_empty() {
        return result;
    }
    let block = if lanes == 16 { 8 } else { 4 };
    let mut ordered = vec![0.0; outputs.next_multiple_of(block) * inputs];
    for (place, value) in weight.iter().enumerate() {
        let (output, input) = (place / inputs, place % inputs);
        ordered[(output / block * inputs + input) * block + output % block] = *value;
    }
    let mut first = bias.map_or_else(|| vec![0.0; outputs], <[f32]>::to_vec);
    first.resize(outputs.next_multiple_of(block), 0.0);
    // Of each stretch the pieces of all planes.
    let mut stretches: Vec<(usize, Vec<&mut [f32]>)> = (0..voxels)
        .step_by(STRETCH)
        .map(|start| (start, Vec::with_capacity(outputs)))
        .collect();
    for plane in result.chunks_exact_mut(voxels) {
        for ((_, pieces), piece) in stretches.iter_mut().zip(plane.chunks_mut(STRETCH)) {
            pieces.push(piece);
        }
    }
    for_each(
        stretches,
        || vec![0.0; inputs * STRETCH],
        |buffer, (start, mut planes)| {
            let count = planes[0].len();
            let rows = input.chunks_exact(voxels);
            for (target, row) in buffer.chunks_exact_mut(STRETCH).zip(rows) {
                target[..count].copy_from_slice(&row[start..start + count]);
            }
            let stretch = Stretch {
                buffer,
                weight: &ordered,
                first: &first,
            };
            multiply(&stretch, &mut planes);
        },
    );
    result
}

/// A stretch of voxels under way.
struct Stretch<'a> {
    /// `[channel, voxel]`
    buffer: &'a [f32],
    /// `[block of outputs, channel, output in the block]`, zeros for outputs that there are not.
    weight: &'a [f32],
    /// Biases, likewise.
    first: &'a [f32],
}

/// A stretch and where its result goes, a piece a channel.
struct Planes<'a, 'b> {
    stretch: &'a Stretch<'a>,
    planes: &'a mut [&'b mut [f32]],
}

impl WithSimd for Planes<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { stretch, planes } = self;
        // So many sums and values as there are registers for, as in a convolution of 3×3×3.
        match S::F32_LANES {
            16 => stretch.blocks::<S, 3, 8>(simd, planes),
            8 => stretch.blocks::<S, 3, 4>(simd, planes),
            _ => stretch.blocks::<S, 2, 4>(simd, planes),
        }
    }
}

impl Stretch<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const VECTORS: usize, const BLOCK: usize>(
        &self,
        simd: S,
        planes: &mut [&mut [f32]],
    ) {
        let wide = VECTORS * S::F32_LANES;
        let inputs = self.buffer.len() / STRETCH;
        let weights = self.weight.chunks_exact(inputs * BLOCK);
        let firsts = self.first.chunks_exact(BLOCK);
        for ((planes, first), weight) in planes.chunks_mut(BLOCK).zip(firsts).zip(weights) {
            for start in (0..planes[0].len()).step_by(wide) {
                let sums = self.sums::<S, VECTORS, BLOCK>(simd, weight, first, start);
                for (plane, sums) in planes.iter_mut().zip(sums) {
                    let count = (plane.len() - start).min(wide);
                    write::<S, VECTORS>(&mut plane[start..start + count], sums);
                }
            }
        }
    }

    #[inline(always)]
    fn sums<S: Simd, const VECTORS: usize, const BLOCK: usize>(
        &self,
        simd: S,
        weight: &[f32],
        first: &[f32],
        start: usize,
    ) -> [[S::f32s; VECTORS]; BLOCK] {
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; BLOCK];
        for (sums, first) in sums.iter_mut().zip(first) {
            *sums = [simd.splat_f32s(*first); VECTORS];
        }
        let rows = self.buffer.chunks_exact(STRETCH);
        for (row, weights) in rows.zip(weight.chunks_exact(BLOCK)) {
            let (values, _) = S::as_simd_f32s(&row[start..][..VECTORS * S::F32_LANES]);
            for (sums, weight) in sums.iter_mut().zip(weights) {
                let weight = simd.splat_f32s(*weight);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = simd.mul_add_e_f32s(*value, weight, *sum);
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::{ByKind, by_all, numbers};

    struct Given<'a>([usize; 2], &'a [f32], &'a [f32], Option<&'a [f32]>);

    impl ByKind for Given<'_> {
        fn by<S: Simd>(&self, simd: S) -> Vec<f32> {
            let Self(channels, input, weight, bias) = *self;
            let lanes = S::F32_LANES;
            pointwise_by(lanes, channels, input, weight, bias, |stretch, planes| {
                Planes { stretch, planes }.with_simd(simd);
            })
        }
    }

    #[test]
    fn every_kind_of_processor_gives_what_the_formula_does() {
        for (inputs, outputs, voxels) in [
            (1, 1, 1),
            (3, 5, 47),
            (24, 19, 383),
            (8, 16, 384),
            (5, 9, 1000),
            (2, 3, 0),
        ] {
            let input = numbers(inputs * voxels, 1);
            let weight = numbers(outputs * inputs, 2);
            let bias = numbers(outputs, 3);
            for bias in [None, Some(&bias[..])] {
                let channels = [inputs, outputs];
                let mut all = by_all(&Given(channels, &input, &weight, bias));
                all.push(("own", pointwise(channels, &input, &weight, bias)));
                for (kind, found) in all {
                    assert_eq!(found.len(), outputs * voxels);
                    for (place, found) in found.iter().enumerate() {
                        let (output, voxel) = (place / voxels, place % voxels);
                        let mut sum = bias.map_or(0.0, |bias| f64::from(bias[output]));
                        for channel in 0..inputs {
                            sum += f64::from(weight[output * inputs + channel])
                                * f64::from(input[channel * voxels + voxel]);
                        }
                        assert!(
                            (f64::from(*found) - sum).abs() < 2e-5,
                            "{kind} {inputs} to {outputs}, voxel {voxel}: {found} for {sum}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "weights")]
    fn other_weights_are_refused() {
        pointwise([2, 3], &[0.0; 8], &[0.0; 5], None);
    }
}
