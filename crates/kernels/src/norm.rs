//! Group normalisation and the activation after it.

use crate::activation::{Activation, OfVector, map};
use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// A normalisation.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// Groups that the channels are parted into, as many channels each; one a channel is instance normalisation.
    pub groups: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// What each channel is multiplied with and what is added to it then.
    pub affine: Option<(&'a [f32], &'a [f32])>,
    /// What is done last.
    pub activation: Activation,
}

/// Normalises in place: each group gets mean 0 and variance 1.
///
/// # Shapes
/// - `values`: `[channel, ..]`
///
/// # Panics
/// If channels are no multiple of the groups, or values none of the channels.
pub fn group_norm(norm: Norm, channels: usize, values: &mut [f32]) {
    assert_eq!(
        channels % norm.groups,
        0,
        "channels of {} groups",
        norm.groups
    );
    assert_eq!(values.len() % channels, 0, "values of {channels} channels");
    let per_group = channels / norm.groups;
    let parts: Vec<(usize, &mut [f32])> = values
        .chunks_mut((values.len() / norm.groups).max(1))
        .enumerate()
        .collect();
    for_each(
        parts,
        || (),
        |(), (group, values)| {
            let first = group * per_group;
            Arch::new().dispatch(Group {
                norm,
                channels: first..first + per_group,
                values,
            });
        },
    );
}

struct Group<'a> {
    norm: Norm<'a>,
    channels: std::ops::Range<usize>,
    values: &'a mut [f32],
}

impl WithSimd for Group<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            norm,
            channels,
            values,
        } = self;
        let count = values.len() as f64;
        let mean = (sum(simd, values, Same) / count) as f32;
        let variance = sum(simd, values, SquareFrom(mean)) / count;
        let deviation = (variance + f64::from(norm.epsilon)).sqrt();
        let per_channel = values.len() / channels.len();
        for (channel, values) in channels.zip(values.chunks_mut(per_channel)) {
            let (scale, shift) = norm.affine.map_or((1.0, 0.0), |(scale, shift)| {
                (scale[channel], shift[channel])
            });
            let scale = (f64::from(scale) / deviation) as f32;
            let scaled = Scaled {
                mean,
                scale,
                shift,
                activation: norm.activation,
            };
            map(simd, values, scaled);
        }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Same;

impl OfVector for Same {
    #[inline(always)]
    fn of<S: Simd>(self, _: S, x: S::f32s) -> S::f32s {
        x
    }
}

/// Square of the difference from a number.
#[derive(Clone, Copy)]
pub(crate) struct SquareFrom(pub(crate) f32);

impl OfVector for SquareFrom {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let difference = simd.sub_f32s(x, simd.splat_f32s(self.0));
        simd.mul_f32s(difference, difference)
    }
}

#[derive(Clone, Copy)]
struct Scaled {
    mean: f32,
    scale: f32,
    shift: f32,
    activation: Activation,
}

impl OfVector for Scaled {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let difference = simd.sub_f32s(x, simd.splat_f32s(self.mean));
        let (scale, shift) = (simd.splat_f32s(self.scale), simd.splat_f32s(self.shift));
        let scaled = simd.mul_add_e_f32s(difference, scale, shift);
        self.activation.of(simd, scaled)
    }
}

/// Sum of `f` over all values; of a stretch in single precision, of the stretches in double.
#[inline(always)]
pub(crate) fn sum<S: Simd>(simd: S, values: &[f32], f: impl OfVector) -> f64 {
    const STRETCH: usize = 4096;
    let mut total = 0.0;
    for stretch in values.chunks(STRETCH) {
        let (vectors, rest) = S::as_simd_f32s(stretch);
        let mut sums = [simd.splat_f32s(0.0); 4];
        for four in vectors.chunks(4) {
            for (sum, vector) in sums.iter_mut().zip(four) {
                *sum = simd.add_f32s(*sum, f.of(simd, *vector));
            }
        }
        let [a, b, c, d] = sums;
        let all = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
        total += f64::from(simd.reduce_sum_f32s(all));
        for value in rest {
            // One at a time: what fills up a vector would be counted too.
            let one = f.of(simd, simd.splat_f32s(*value));
            total += f64::from(pulp::bytemuck::cast_slice::<_, f32>(&[one])[0]);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_gets_mean_and_deviation_and_each_channel_its_own_scale() {
        let (channels, length) = (6, 5003);
        let value = |i: usize| (i * 7919 % 1000) as f32 / 100.0 + (i / length) as f32 * 50.0;
        let values: Vec<f32> = (0..channels * length).map(value).collect();
        let scale = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let shift = [0.0, 0.5, -1.0, 0.0, 2.0, 1.0];
        for (groups, affine) in [(6, None), (2, Some((&scale[..], &shift[..]))), (1, None)] {
            for activation in [Activation::Identity, Activation::Relu] {
                let norm = Norm {
                    groups,
                    epsilon: 1e-5,
                    affine,
                    activation,
                };
                let mut found = values.clone();
                group_norm(norm, channels, &mut found);
                let per_group = values.len() / groups;
                for (at, found) in found.iter().enumerate() {
                    if at % 997 != 0 {
                        continue;
                    }
                    let group = &values[at / per_group * per_group..][..per_group];
                    let mean = group.iter().map(|x| f64::from(*x)).sum::<f64>() / per_group as f64;
                    let variance = group
                        .iter()
                        .map(|x| (f64::from(*x) - mean).powi(2))
                        .sum::<f64>()
                        / per_group as f64;
                    let normed = (f64::from(values[at]) - mean) / (variance + 1e-5).sqrt();
                    let (scale, shift) = affine.map_or((1.0, 0.0), |(scale, shift)| {
                        (scale[at / length], shift[at / length])
                    });
                    let expected = normed * f64::from(scale) + f64::from(shift);
                    let expected = if activation == Activation::Relu {
                        expected.max(0.0)
                    } else {
                        expected
                    };
                    assert!(
                        (f64::from(*found) - expected).abs() < 1e-5 * expected.abs().max(1.0),
                        "{found} for {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_spoils_its_group_and_no_other() {
        let mut values = vec![1.0, 2.0, f32::NAN, 4.0, 5.0, 6.0];
        let norm = Norm {
            groups: 2,
            epsilon: 1e-5,
            affine: None,
            activation: Activation::Relu,
        };
        group_norm(norm, 2, &mut values);
        assert!(values[..3].iter().all(|value| value.is_nan()));
        assert!(values[3..].iter().all(|value| value.is_finite()));
    }
}
