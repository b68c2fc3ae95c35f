//! What follows a sum or a norm.

use crate::Activation;
use cubecl::prelude::*;

#[cube]
pub(super) fn activated<N: Size>(
    value: Vector<f32, N>,
    #[comptime] activation: Activation,
) -> Vector<f32, N> {
    let mut result = value;
    #[comptime]
    match activation {
        Activation::Identity => {}
        Activation::Relu => result = max(value, Vector::new(0.0f32)),
        Activation::Gelu => {
            let half = Vector::new(0.5f32);
            let one = Vector::new(1.0f32);
            let root = Vector::new(core::f32::consts::FRAC_1_SQRT_2);
            result = value * half * (one + (value * root).erf());
        }
    }
    result
}
