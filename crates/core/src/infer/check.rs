//! A known input whose answer is known, to catch a device that computes nonsense.

use super::InferError;
use super::computer::window_logits;
use super::predict::read;
use crate::model::DinoMed3d;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;

/// Output of the network for the built-in input of that shape, see [`check_input`].
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfCheck {
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// Tokens after the first transformer block, `[slice, token, embed_dim]`, flattened; computed on the CPU.
    pub first_block: Vec<f32>,
    /// Logits `[class, slice, row, column]`, flattened; likewise.
    pub logits: Vec<f32>,
    /// For the built-in input of a whole window: its logits by `summary`. Older manifests have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Vec<f32>>,
}

/// What of a device is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckReach {
    /// Every part of the network, on an input so small that it costs nothing.
    Parts,
    /// Beside that a window of the size that scans are cut into, as kernels may fail at one size and not at another. It
    /// costs as much as a window of a scan.
    Window,
}

/// Shape of the built-in input, `[slice, row, column]`: small, yet every part of the network
/// works on it.
pub const CHECK_SHAPE: [usize; 3] = [4, 16, 16];

/// Largest relative error at which a device is trusted.
pub const TOLERANCE: f32 = 1e-3;

/// The same where what lies in memory has half as many bits.
pub const HALF_TOLERANCE: f32 = 3e-2;

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
        window: None,
    })
}

/// What `model` answers to the built-in input of a whole window, by `summary`.
///
/// # Errors
/// [`InferError::Device`] if nothing comes back.
pub async fn window_answer(
    model: &DinoMed3d,
    window: [usize; 3],
    device: &Device,
) -> Result<Vec<f32>, InferError> {
    let input = check_input(model.image_channels(), window, device);
    let logits = window_logits(model, input, async |_| ControlFlow::Continue(())).await?;
    Ok(summary(&logits, window))
}

/// All that a manifest says of the answers of `model`.
///
/// # Errors
/// [`InferError::Device`] if nothing comes back.
pub async fn known_answer(
    model: &DinoMed3d,
    window: [usize; 3],
    device: &Device,
) -> Result<SelfCheck, InferError> {
    let mut known = answer(model, CHECK_SHAPE, device).await?;
    known.window = Some(window_answer(model, window, device).await?);
    Ok(known)
}

/// Cells of a window, `[slice, row, column]`.
const CELLS: [usize; 3] = [2, 4, 4];

/// Numbers that `summary` makes of a window.
pub fn summary_len(num_classes: usize) -> usize {
    2 * num_classes * CELLS.iter().product::<usize>()
}

/// Few numbers in which every voxel counts: of each class and each cell of a coarse grid the mean of the logits, and one of
/// them.
///
/// # Shapes
/// - `logits`: `[class, slice, row, column]`
/// - returns: `[class, cell, 2]`, flattened
fn summary(logits: &[f32], shape: [usize; 3]) -> Vec<f32> {
    let [_, height, width] = shape;
    // A cell holds the voxels that its share of the axis touches, at least one.
    let range = |axis: usize, cell: usize| {
        let (size, cells) = (shape[axis], CELLS[axis]);
        cell * size / cells..((cell + 1) * size).div_ceil(cells)
    };
    let mut numbers = Vec::new();
    for logits in logits.chunks_exact(shape.iter().product()) {
        for cell in 0..CELLS.iter().product() {
            let at = [
                cell / (CELLS[1] * CELLS[2]),
                cell / CELLS[2] % CELLS[1],
                cell % CELLS[2],
            ];
            let [slices, rows, columns] = [0, 1, 2].map(|axis| range(axis, at[axis]));
            let mut sum = 0.0f64;
            for z in slices.clone() {
                for y in rows.clone() {
                    let row = &logits[(z * height + y) * width..][columns.clone()];
                    sum += row.iter().map(|logit| f64::from(*logit)).sum::<f64>();
                }
            }
            let voxels = slices.len() * rows.len() * columns.len();
            numbers.push((sum / voxels as f64) as f32);
            // Elsewhere in each cell, so that no period of a kernel's tiles hides.
            let place = |range: std::ops::Range<usize>| range.start + cell * 5 % range.len();
            numbers.push(logits[(place(slices) * height + place(rows)) * width + place(columns)]);
        }
    }
    numbers
}

/// How far an answer is from the expected one, each part relative to its largest expected value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CheckErrors {
    /// After one transformer block.
    pub first_block: f32,
    /// Of the whole network.
    pub logits: f32,
    /// Over a whole window; none if that was not checked.
    pub window: Option<f32>,
    /// What is allowed of each.
    pub allowed: f32,
}

impl CheckErrors {
    /// Compares two answers.
    pub fn between(found: &SelfCheck, expected: &SelfCheck, allowed: f32) -> Self {
        Self {
            allowed,
            first_block: relative_error(&found.first_block, &expected.first_block),
            logits: relative_error(&found.logits, &expected.logits),
            window: match (&found.window, &expected.window) {
                (Some(found), Some(expected)) => Some(relative_error(found, expected)),
                _ => None,
            },
        }
    }

    /// Whether a device that made no larger errors is trusted.
    pub fn are_tolerable(self) -> bool {
        let is_tolerable = |error: f32| error <= self.allowed;
        is_tolerable(self.first_block)
            && is_tolerable(self.logits)
            && self.window.is_none_or(is_tolerable)
    }
}

impl std::fmt::Display for CheckErrors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.0e} after one transformer block and {:.0e} after the whole network",
            self.first_block, self.logits
        )?;
        match self.window {
            Some(window) => write!(f, ", {window:.0e} over a whole window"),
            None => Ok(()),
        }
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
            window: None,
            allowed: TOLERANCE,
        };
        assert!(errors(1e-6, 9e-4).are_tolerable());
        assert!(!errors(2e-3, 1e-6).are_tolerable());
        assert!(!errors(1e-6, f32::INFINITY).are_tolerable());
        assert!(!errors(f32::NAN, 0.0).are_tolerable());
        for (window, is_trusted) in [(1e-5, true), (2e-3, false), (f32::NAN, false)] {
            let mut errors = errors(0.0, 0.0);
            errors.window = Some(window);
            assert_eq!(errors.are_tolerable(), is_trusted, "{errors}");
        }
    }

    /// By hand: cells of 2 × 1 × 2 voxels; and one wrong voxel anywhere is seen.
    #[test]
    fn every_voxel_counts_in_the_summary() {
        let shape = [4, 4, 8];
        let logits: Vec<f32> = (0..2 * 128).map(|i| i as f32).collect();
        let numbers = summary(&logits, shape);
        assert_eq!(numbers.len(), summary_len(2));
        // Slices 0 and 1, row 0, columns 0 and 1.
        assert_eq!(numbers[0], (0.0 + 1.0 + 32.0 + 33.0) / 4.0);
        for voxel in 0..logits.len() {
            let mut wrong = logits.clone();
            wrong[voxel] += 50.0;
            let error = relative_error(&summary(&wrong, shape), &numbers);
            assert!(error > TOLERANCE, "{voxel}: {error}");
            wrong[voxel] = f32::NAN;
            let error = relative_error(&summary(&wrong, shape), &numbers);
            assert_eq!(error, f32::INFINITY);
        }
        // A window thinner than the grid of cells.
        assert_eq!(summary(&[1.0, 2.0], [1, 1, 2]).len(), summary_len(1));
    }

    #[test]
    fn nonsense_is_infinitely_wrong() {
        assert_eq!(relative_error(&[1.0, f32::NAN], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f32::INFINITY);
        assert_eq!(relative_error(&[1.0, 1.0], &[1.0, 2.0]), 0.5);
    }
}
