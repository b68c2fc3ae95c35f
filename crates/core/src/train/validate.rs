//! Validation: Dice on each case's own grid.

use super::TrainError;
use super::dataset::ValidationCase;
use super::network::Network;
use crate::infer::computer::input;
use crate::infer::predict::read;
use crate::infer::{InferError, Windowing, predict};
use burn::tensor::Device;
use dinomed3d_volume::Labelling;
use dinomed3d_volume::metrics::dice;

/// Dice of each foreground class of a case.
///
/// # Errors
/// [`TrainError::Infer`] if a logit is not finite.
pub fn dice_of_case<N: Network>(
    network: &N,
    case: &ValidationCase,
    labels: &[(u8, String)],
    windowing: Windowing,
    device: &Device,
) -> Result<Vec<f64>, TrainError> {
    let grid = &case.prepared.grid;
    let mut labelling = Labelling::new(grid, labels.len()).map_err(InferError::from)?;
    pollster::block_on(predict(
        labels.len(),
        &case.prepared.voxels,
        case.prepared.shape,
        windowing,
        1,
        async |window, _| {
            let input = input(window, windowing.window, device);
            read(network.logits(input).flatten::<1>(0, 4)).await
        },
        |slice| Ok(labelling.add(slice)?),
    ))?;
    let classes = labelling.finish().map_err(InferError::from)?;
    let prediction: Vec<u8> = classes
        .into_iter()
        .map(|class| labels[usize::from(class)].0)
        .collect();
    Ok(labels[1..]
        .iter()
        .map(|(value, _)| dice(&prediction, &case.reference.labels, *value))
        .collect())
}
