//! A known input whose answer is known, to catch a device that computes nonsense.

use burn::tensor::{Device, Tensor, TensorData};

/// Shape of the built-in input, `[slice, row, column]`: small, yet every part of the network
/// works on it.
pub const CHECK_SHAPE: [usize; 3] = [4, 16, 16];

/// Largest relative error at which a device is trusted.
pub const TOLERANCE: f32 = 1e-3;

/// The built-in input: smooth waves, the same on every machine.
///
/// # Shapes
/// returns: `[1, 1, slice, row, column]`
pub fn check_input(shape: [usize; 3], device: &Device) -> Tensor<5> {
    let [depth, height, width] = shape;
    let mut values = Vec::with_capacity(depth * height * width);
    for z in 0..depth {
        for y in 0..height {
            for x in 0..width {
                let phase = 0.7 * z as f64 + 0.31 * y as f64 + 0.53 * x as f64;
                values.push((phase.sin() + 0.5 * (0.17 * (x * y) as f64).cos()) as f32);
            }
        }
    }
    Tensor::from_data(
        TensorData::new(values, [1, 1, depth, height, width]),
        device,
    )
}

/// Largest difference, relative to the largest expected value; infinite for an answer that is
/// not finite or has another length.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    if found.len() != expected.len() || found.iter().any(|value| !value.is_finite()) {
        return f32::INFINITY;
    }
    let largest = expected
        .iter()
        .fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    found
        .iter()
        .zip(expected)
        .fold(0.0f32, |max, (a, b)| max.max((a - b).abs()))
        / largest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonsense_is_infinitely_wrong() {
        assert_eq!(relative_error(&[1.0, f32::NAN], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[1.0, 1.0], &[1.0, 2.0]), 0.5);
    }
}
