//! What follows a sum in a network.

use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// A function of each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// None.
    Identity,
    /// What is above zero.
    Relu,
    /// x · Φ(x), Φ the normal distribution.
    Gelu,
}

/// Beyond it the error function is ±1 in single precision.
const FURTHEST: f32 = 3.9;
/// erf(u)/u as a polynomial of 2 (u / FURTHEST)² − 1, highest power first: fitted at Chebyshev's places, off by 2e-7 at most.
const ERF: [f32; 17] = [
    0.00035405843,
    -0.00085232616,
    0.0005320576,
    -0.0010229697,
    0.0041178665,
    -0.007744337,
    0.011753226,
    -0.01909621,
    0.029968541,
    -0.04295279,
    0.057700235,
    -0.07376956,
    0.09069479,
    -0.10953525,
    0.13468994,
    -0.18101102,
    0.362584,
];

impl OfVector for Activation {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        match self {
            Self::Identity => x,
            // In this order what is no number stays none.
            Self::Relu => simd.max_f32s(simd.splat_f32s(0.0), x),
            Self::Gelu => {
                let half = simd.mul_f32s(x, simd.splat_f32s(0.5));
                simd.mul_add_e_f32s(half, erf_of_root_half(simd, x), half)
            }
        }
    }
}

impl Activation {
    /// Of each value, in place.
    pub fn apply(self, values: &mut [f32]) {
        struct Chunk<'a>(Activation, &'a mut [f32]);
        impl WithSimd for Chunk<'_> {
            type Output = ();
            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                map(simd, self.1, self.0);
            }
        }
        const CHUNK: usize = 1 << 14;
        let chunks: Vec<&mut [f32]> = values.chunks_mut(CHUNK).collect();
        for_each(
            chunks,
            || (),
            |(), chunk| Arch::new().dispatch(Chunk(self, chunk)),
        );
    }
}

/// What becomes of a vector. A trait, because a closure would be compiled without the processor's instructions.
pub(crate) trait OfVector: Copy {
    fn of<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;
}

/// `f` of all values, the last ones in a vector that is not full.
#[inline(always)]
pub(crate) fn map<S: Simd>(simd: S, values: &mut [f32], f: impl OfVector) {
    let (vectors, rest) = S::as_mut_simd_f32s(values);
    for vector in vectors {
        *vector = f.of(simd, *vector);
    }
    if !rest.is_empty() {
        let vector = simd.partial_load_f32s(rest);
        simd.partial_store_f32s(rest, f.of(simd, vector));
    }
}

/// erf(x / √2).
#[inline(always)]
fn erf_of_root_half<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let furthest = simd.splat_f32s(FURTHEST);
    let u = simd.mul_f32s(x, simd.splat_f32s(std::f32::consts::FRAC_1_SQRT_2));
    let u = simd.max_f32s(simd.min_f32s(u, furthest), simd.splat_f32s(-FURTHEST));
    let square = simd.mul_f32s(u, u);
    let place = simd.mul_add_e_f32s(
        square,
        simd.splat_f32s(2.0 / (FURTHEST * FURTHEST)),
        simd.splat_f32s(-1.0),
    );
    let mut sum = simd.splat_f32s(ERF[0]);
    for coefficient in &ERF[1..] {
        sum = simd.mul_add_e_f32s(sum, place, simd.splat_f32s(*coefficient));
    }
    simd.mul_f32s(sum, u)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By scipy.special.erf in double precision.
    #[test]
    fn gelu_is_that_of_other_programs() {
        let mut values = [
            0.0, 1.0, -1.0, 0.5, -3.0, 2.5, -6.0, 6.0, 30.0, -30.0, 1e-20, 0.1, -0.7, 4.2, -4.2,
            0.01, 100.0,
        ];
        Activation::Gelu.apply(&mut values);
        let expected = [
            0.0,
            0.8413447,
            -0.1586553,
            0.3457312,
            -0.004049694,
            2.484476,
            -5.919526e-09,
            6.0,
            30.0,
            0.0,
            5e-21,
            0.05398278,
            -0.1693746,
            4.199944,
            -5.605215e-05,
            0.005039894,
            100.0,
        ];
        for (found, expected) in values.iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
                "{found} for {expected}"
            );
        }
    }

    #[test]
    fn what_is_no_number_stays_none() {
        for activation in [Activation::Identity, Activation::Relu, Activation::Gelu] {
            let mut values = [f32::NAN; 17];
            activation.apply(&mut values);
            assert!(values.iter().all(|value| value.is_nan()), "{activation:?}");
        }
    }
}
