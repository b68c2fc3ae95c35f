//! LoRA folded into the weights it adapts, for inference and export.

use super::{NamedTensor, NamedTensors, WeightsError};
use crate::model::DinoMed3dConfig;
use crate::model::adaptation::Adaptation;

const DOWN: &str = ".lora.down";
const UP: &str = ".lora.up";

/// Adds every low-rank update to its weight and takes it out; the network that `architecture`
/// describes afterwards has none and answers the same.
///
/// Products are summed in double precision, so that merging costs one rounding.
///
/// # Errors
/// [`WeightsError::Missing`] where half of an update, or the weight it adapts, is not there;
/// [`WeightsError::Shape`] where they don't fit.
pub fn merge_lora(
    tensors: &mut NamedTensors,
    architecture: &mut DinoMed3dConfig,
) -> Result<(), WeightsError> {
    let Adaptation::Lora(lora) = &architecture.adaptation else {
        return Ok(());
    };
    let scale = lora.scale();
    let prefixes: Vec<String> = tensors
        .keys()
        .filter_map(|name| name.strip_suffix(DOWN))
        .map(str::to_owned)
        .collect();
    for prefix in prefixes {
        let take = |tensors: &mut NamedTensors, name: String| {
            let missing = || WeightsError::Missing(vec![name.clone()]);
            tensors.remove(&name).ok_or_else(missing)
        };
        let down = take(tensors, format!("{prefix}{DOWN}"))?;
        let up = take(tensors, format!("{prefix}{UP}"))?;
        // The patch projection is stored as the convolution of the checkpoint.
        let projection = format!("{prefix}.proj.weight");
        let is_projection = tensors.contains_key(&projection);
        let name = if is_projection {
            projection
        } else {
            format!("{prefix}.weight")
        };
        let Some(weight) = tensors.get_mut(&name) else {
            return Err(WeightsError::Missing(vec![name]));
        };
        let update = product(&down, &up, scale);
        if update.values.len() != weight.values.len() {
            return Err(WeightsError::Shape {
                name: format!("{prefix}{UP}"),
                found: update.shape,
                expected: weight.shape.clone(),
            });
        }
        let [rows, columns] = update.shape[..] else {
            unreachable!("a product has two dimensions");
        };
        for row in 0..rows {
            for column in 0..columns {
                let index = if is_projection {
                    column * rows + row
                } else {
                    row * columns + column
                };
                weight.values[index] += update.values[row * columns + column];
            }
        }
    }
    architecture.adaptation = Adaptation::None;
    Ok(())
}

/// `scale · down · up`.
///
/// # Shapes
/// - `down`: `[input, rank]`, `up`: `[rank, output]`
/// - returns: `[input, output]`
fn product(down: &NamedTensor, up: &NamedTensor, scale: f64) -> NamedTensor {
    let (rank, output) = (up.shape[0], up.shape[1]);
    let mut values = Vec::with_capacity(down.shape[0] * output);
    let mut sums = vec![0.0f64; output];
    for row in down.values.chunks_exact(rank) {
        sums.fill(0.0);
        for (factor, line) in row.iter().zip(up.values.chunks_exact(output)) {
            for (sum, value) in sums.iter_mut().zip(line) {
                *sum += f64::from(*factor) * f64::from(*value);
            }
        }
        values.extend(sums.iter().map(|sum| (scale * sum) as f32));
    }
    NamedTensor {
        shape: vec![down.shape[0], output],
        values,
    }
}
