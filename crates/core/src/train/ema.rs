//! Exponential moving average of the weights.

use super::flat::{flatten, lay, part};
use burn::module::Module;

/// Share of the average that stays at a step: less in the first steps, when it still remembers the
/// random start.
pub fn decay_at(step: usize, decay: f32) -> f32 {
    decay.min((1 + step) as f32 / (10 + step) as f32)
}

/// Moves every parameter of `average` towards the same one of `network` by `1 − decay` of the way.
pub fn follow<M: Module>(average: M, network: &M, decay: f32) -> M {
    let (Some((parts, own)), Some((_, goal))) = (flatten(&average), flatten(network)) else {
        return average;
    };
    let values = own.clone() + (goal - own).mul_scalar(1.0 - decay);
    lay(average, part(parts, &values).collect())
}
