//! From stage 1 to stage 2.

use super::{WeightsError, load_into, named_tensors};
use crate::model::DinoMed3d;
use crate::model::vit::VisionTransformer;

/// `network` with the transformer of stage 1; what adapts it to volumes keeps its own weights.
/// Natively only: it waits for the device.
///
/// # Errors
/// [`WeightsError`] if the transformers are not of one kind.
pub fn with_stage1(
    mut network: DinoMed3d,
    stage1: &VisionTransformer,
) -> Result<DinoMed3d, WeightsError> {
    let mut tensors = named_tensors(&network.vit);
    tensors.extend(named_tensors(stage1));
    network.vit = load_into(network.vit, tensors)?;
    Ok(network)
}
