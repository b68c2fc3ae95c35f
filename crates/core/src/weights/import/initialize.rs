//! A transformer for a training run to begin with.

use super::identify::{Identity, Source};
use super::mapping::{Scope, import};
use super::{Checkpoint, ImportError};
use crate::model::adaptation::Adaptation;
use crate::model::vit::VitConfig;
use crate::weights::fold::{Folding, spread};
use crate::weights::{NamedTensors, parameter_shapes};
use burn::tensor::Device;
use std::collections::BTreeMap;

const PATCH_WEIGHT: &str = "vit.patch_embed.proj.weight";

/// Names (`vit.…`) and shapes of the parameters of a transformer without adaptation.
pub fn transformer_shapes(config: &VitConfig) -> BTreeMap<String, Vec<usize>> {
    let vit = config.init(&Adaptation::None, &Device::flex());
    parameter_shapes(&vit)
        .into_iter()
        .map(|(name, shape)| (format!("vit.{name}"), shape))
        .collect()
}

/// Takes the transformer that `config` describes from a checkpoint of DINOv3, of the authors'
/// stage 1 or of ours. Patch weights of DINOv3, which sees colour images, are folded into the
/// channels of a slice, the same for each of the scan's `image_channels`; those of the others see
/// slices already.
///
/// # Errors
/// Any [`ImportError`]; stage 2 of the authors is refused, since LoRA may be part of it.
pub fn transformer(
    checkpoint: &Checkpoint,
    config: &VitConfig,
    image_channels: usize,
    folding: Folding,
) -> Result<(Identity, NamedTensors), ImportError> {
    let identity = Identity::of(checkpoint)?;
    if identity.source == Source::AuthorsStage2 {
        return Err(ImportError::NoStart(identity.source));
    }
    let mut wanted = transformer_shapes(config);
    let sees_colours = identity.source.sees_colours();
    if let (true, Some(shape)) = (sees_colours, wanted.get_mut(PATCH_WEIGHT)) {
        shape[1] = 3;
    }
    let mut tensors = import(checkpoint, &identity, &wanted, Scope::Transformer)?.tensors;
    if sees_colours && let Some(weight) = tensors.get_mut(PATCH_WEIGHT) {
        let slices = config.in_channels / image_channels;
        *weight = spread(folding.fold(weight, slices)?, image_channels);
    }
    Ok((identity, tensors))
}
