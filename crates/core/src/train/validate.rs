//! Validation: Dice on each case's own grid.

use super::TrainError;
use super::dataset::ValidationCase;
use super::network::Network;
use crate::infer::predict::read;
use crate::infer::{Windowing, predict};
use crate::metrics::dice;
use burn::tensor::Device;

/// Mean Dice of each foreground class over `cases`.
///
/// # Errors
/// [`TrainError::Infer`] if a score is not finite.
pub fn validate<N: Network>(
    network: &N,
    cases: &[ValidationCase],
    labels: &[(u8, String)],
    windowing: Windowing,
    device: &Device,
) -> Result<Vec<f64>, TrainError> {
    let mut sums = vec![0.0; labels.len() - 1];
    for case in cases {
        let scores = pollster::block_on(predict(
            labels.len(),
            &case.prepared.voxels,
            case.prepared.shape,
            windowing,
            device,
            async |input, _, _| read(network.logits(input).flatten::<1>(0, 4)).await,
        ))?;
        let classes = case
            .prepared
            .grid
            .scores_to_labels(&scores, labels.len())
            .map_err(crate::infer::InferError::from)?;
        let prediction: Vec<u8> = classes
            .into_iter()
            .map(|class| labels[usize::from(class)].0)
            .collect();
        for (sum, (value, _)) in sums.iter_mut().zip(&labels[1..]) {
            *sum += dice(&prediction, &case.reference.labels, *value);
        }
    }
    Ok(sums
        .into_iter()
        .map(|sum| sum / cases.len().max(1) as f64)
        .collect())
}
