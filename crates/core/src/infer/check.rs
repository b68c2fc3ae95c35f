//! A known input whose answer is known, to catch a device that computes nonsense.

use super::InferError;
use super::predict::read;
use crate::manifest::SelfCheck;
use crate::model::DinoMed3d;
use burn::tensor::{Device, Tensor, TensorData};

/// Shape of the built-in input, `[slice, row, column]`: small, yet every part of the network
/// works on it.
pub const CHECK_SHAPE: [usize; 3] = [4, 16, 16];

/// Largest relative error at which a device is trusted.
pub const TOLERANCE: f32 = 1e-3;

/// The built-in input: smooth waves, the same on every machine, shifted from channel to channel.
///
/// # Shapes
/// returns: `[1, channel, slice, row, column]`
pub fn check_input(num_channels: usize, shape: [usize; 3], device: &Device) -> Tensor<5> {
    let [depth, height, width] = shape;
    let mut values = Vec::with_capacity(num_channels * depth * height * width);
    for channel in 0..num_channels {
        for z in 0..depth {
            for y in 0..height {
                for x in 0..width {
                    let phase = 0.7 * z as f64 + 0.31 * y as f64 + 0.53 * x as f64;
                    let phase = phase + 1.1 * channel as f64;
                    values.push((phase.sin() + 0.5 * (0.17 * (x * y) as f64).cos()) as f32);
                }
            }
        }
    }
    Tensor::from_data(
        TensorData::new(values, [1, num_channels, depth, height, width]),
        device,
    )
}

/// What `model` answers to the built-in input of a shape, on `device`.
///
/// # Errors
/// [`InferError::Device`] if nothing comes back.
pub async fn answer(
    model: &DinoMed3d,
    shape: [usize; 3],
    device: &Device,
) -> Result<SelfCheck, InferError> {
    let mut pass = model.start(check_input(model.image_channels(), shape, device));
    pass.step();
    let first_block = read(pass.tokens().flatten::<1>(0, 2)).await?;
    while pass.remaining() > 0 {
        pass.step();
    }
    let logits = read(pass.logits().flatten::<1>(0, 4)).await?;
    Ok(SelfCheck {
        shape,
        first_block,
        logits,
    })
}

/// How far an answer is from the expected one, each part relative to its largest expected value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckErrors {
    /// After one transformer block.
    pub first_block: f32,
    /// Of the whole network.
    pub logits: f32,
}

impl CheckErrors {
    /// Compares two answers.
    pub fn between(found: &SelfCheck, expected: &SelfCheck) -> Self {
        Self {
            first_block: relative_error(&found.first_block, &expected.first_block),
            logits: relative_error(&found.logits, &expected.logits),
        }
    }

    /// Whether a device that made no larger errors is trusted.
    pub fn are_tolerable(self) -> bool {
        self.first_block <= TOLERANCE && self.logits <= TOLERANCE
    }
}

impl std::fmt::Display for CheckErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0e} after one transformer block and {:.0e} after the whole network",
            self.first_block, self.logits
        )
    }
}

/// Largest difference, relative to the largest expected value; infinite for an answer that is
/// not finite or has another length.
fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
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
    fn a_device_is_trusted_only_if_both_parts_agree() {
        let errors = |first_block, logits| CheckErrors {
            first_block,
            logits,
        };
        assert!(errors(1e-6, 9e-4).are_tolerable());
        assert!(!errors(2e-3, 1e-6).are_tolerable());
        assert!(!errors(1e-6, f32::INFINITY).are_tolerable());
        assert!(!errors(f32::NAN, 0.0).are_tolerable());
    }

    #[test]
    fn nonsense_is_infinitely_wrong() {
        assert_eq!(relative_error(&[1.0, f32::NAN], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[1.0, 1.0], &[1.0, 2.0]), 0.5);
    }
}
