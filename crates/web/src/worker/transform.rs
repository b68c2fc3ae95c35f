//! A transformer by itself, with weights and images given.

use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_core::infer::features::features;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::vit::{VisionTransformer, VitConfig};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{NamedTensors, decode, encode, load_into};
use js_sys::Uint8Array;
use std::cell::RefCell;

/// Features of the images in `bytes`, see [`features`], as a safetensors file. The transformer is `kept`; images without weights are
/// for it.
///
/// # Errors
/// What is wrong with the request, as a sentence.
pub async fn transform(
    vit: &str,
    bytes: Option<Uint8Array>,
    device: &Device,
    kept: &RefCell<Option<VisionTransformer>>,
) -> Result<Vec<u8>, String> {
    let bytes = bytes.ok_or("No file came with the request.")?;
    let config: VitConfig = serde_json::from_str(vit).map_err(|error| error.to_string())?;
    config.check().map_err(|error| error.to_string())?;
    let mut tensors = decode(&bytes.to_vec()).map_err(|error| error.to_string())?;
    let input = tensors
        .remove("input")
        .ok_or("The file holds no images under “input”.")?;
    let shape: [usize; 4] = input
        .shape
        .try_into()
        .map_err(|shape| format!("Images have four dimensions, found {shape:?}."))?;
    config
        .check_images(shape)
        .map_err(|error| error.to_string())?;
    let weights: NamedTensors = tensors
        .into_iter()
        .map(|(name, tensor)| {
            let own = name.strip_prefix("vit.").map(str::to_owned);
            (own.unwrap_or(name), tensor)
        })
        .collect();
    if !weights.is_empty() {
        let vit = load_into(config.init(&Adaptation::None, device), weights)
            .map_err(|error| error.to_string())?;
        *kept.borrow_mut() = Some(vit);
    }
    let vit = kept.borrow().clone();
    let vit = vit.ok_or("No weights came with the request, nor with one before it.")?;
    let images = Tensor::from_data(TensorData::new(input.values, shape), device);
    let found = features(&vit, images)
        .await
        .map_err(|error| error.to_string())?;
    encode(&found, Quantization::None).map_err(|error| error.to_string())
}
