//! The transformer by itself.

use super::fill::checkpoint;
use super::folder::comparison;
use super::{Comparison, Reference, ReferenceError};
use crate::infer::features::features;
use crate::model::adaptation::Adaptation;
use crate::model::feed_forward::FeedForwardKind;
use crate::model::vit::VitConfig;
use crate::weights::import::initialize::transformer_shapes;
use crate::weights::import::{Checkpoint, Identity, Scope, import};
use crate::weights::load_into;
use burn::tensor::{Device, Tensor, TensorData};

/// What the reference asks of a port.
const TOLERANCE: f32 = 1e-5;

/// Settings of a transformer of the reference, from the shapes of its parameters.
pub fn vit_config(reference: &Reference, file: &str) -> Result<VitConfig, ReferenceError> {
    let mut parameters = reference.parameters(file)?;
    for (name, _) in &mut parameters {
        // peft puts `base_layer` into names.
        *name = name.replace(".base_layer.", ".");
    }
    let shape = |end: &str| {
        let found = parameters.iter().find(|(name, _)| name.ends_with(end));
        found.map(|(_, shape)| shape)
    };
    let edge = |end: &str, axis: usize| {
        let edge = shape(end).and_then(|shape| shape.get(axis)).copied();
        edge.ok_or_else(|| reference.wrong(format!("{file} has no parameter {end}")))
    };
    let depth = (0..)
        .take_while(|i| shape(&format!("blocks.{i}.norm1.weight")).is_some())
        .count();
    let is_gated = shape("mlp.w1.weight").is_some();
    let mlp_dim = if is_gated {
        edge("blocks.0.mlp.w1.weight", 0)?
    } else {
        edge("blocks.0.mlp.fc1.bias", 0)?
    };
    // All networks of the reference have the heads of its transformers by themselves.
    let heads = reference.count("dinov3_mlp", "heads")?;
    Ok(VitConfig::new(edge("cls_token", 2)?, depth, heads, mlp_dim)
        .with_num_registers(edge("storage_tokens", 1)?)
        .with_feed_forward(if is_gated {
            FeedForwardKind::SwiGlu
        } else {
            FeedForwardKind::Mlp
        }))
}

/// CLS, storage and patch tokens and all taps, raw and normed, of the transformer in `file` with the weights of `checkpoint`.
async fn compare(
    reference: &Reference,
    file: &str,
    weights: &str,
    checkpoint: &Checkpoint,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let config = vit_config(reference, file)?;
    let identity = Identity::of(checkpoint)?;
    let shapes = transformer_shapes(&config);
    let tensors = import(checkpoint, &identity, &shapes, Scope::Whole)?.tensors;
    let own_name = |name: String| name.strip_prefix("vit.").unwrap_or(&name).to_owned();
    let tensors = tensors
        .into_iter()
        .map(|(name, tensor)| (own_name(name), tensor));
    let vit = load_into(config.init(&Adaptation::None, device), tensors.collect())?;

    let bytes = reference.read(file)?;
    let expected = reference.parse(&bytes)?;
    let (values, shape) = reference.input::<4>(&expected)?;
    let images = Tensor::<4>::from_data(TensorData::new(values, shape), device);
    let found = features(&vit, images).await?;
    let compared: Vec<Comparison> = found
        .iter()
        .filter_map(|(name, found)| comparison(weights, name, &found.values, &expected, TOLERANCE))
        .collect();
    // Everything that the file holds beside the input.
    if compared.len() != expected.len() - 1 {
        return Err(reference.wrong(format!("{file} holds outputs that are not known")));
    }
    Ok(compared)
}

/// The transformers with either kind of feed-forward network.
///
/// # Errors
/// [`ReferenceError`].
pub async fn transformers(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let mut compared = Vec::new();
    for file in ["dinov3_mlp", "dinov3_swiglu"] {
        let (checkpoint, _path) = checkpoint(reference, file)?;
        compared.extend(compare(reference, file, file, &checkpoint, device).await?);
    }
    Ok(compared)
}

/// The same weights under the names of the official and of the Hugging Face release.
///
/// # Errors
/// [`ReferenceError`].
pub async fn released_transformers(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let mut compared = Vec::new();
    for name in [
        "dinov3_mlp_official_weights.pth",
        "dinov3_mlp_hf_weights.safetensors",
    ] {
        let checkpoint = Checkpoint::open(&reference.path.join(name))?;
        compared.extend(compare(reference, "dinov3_mlp", name, &checkpoint, device).await?);
    }
    Ok(compared)
}
