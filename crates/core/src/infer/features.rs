//! What a transformer makes of images by itself: every tap, and all tokens at the end.

use super::InferError;
use super::predict::read;
use crate::model::vit::VisionTransformer;
use crate::weights::{NamedTensor, NamedTensors};
use burn::tensor::Tensor;

/// Passes images through all blocks.
///
/// # Shapes
/// - `images`: `[image, channel, row, column]`, edges multiples of the patch edge
/// - returns: after block i `raw{i}` and, through the final norm, `normed{i}`, each `[image,
///   embed_dim, row, column]` of the patch grid; at the end, normed, `cls` `[image, 1,
///   embed_dim]`, `storage` `[image, register, embed_dim]` if there are registers and `patch`
///   `[image, row · column, embed_dim]`
///
/// # Errors
/// [`InferError::Device`] if nothing comes back.
pub async fn features(
    vit: &VisionTransformer,
    images: Tensor<4>,
) -> Result<NamedTensors, InferError> {
    let count = images.dims()[0];
    let mut found = NamedTensors::new();
    let mut tokens = vit.embed(images, count);
    for index in 0..vit.blocks.len() {
        tokens = vit.block(index, tokens);
        for (name, grid) in [
            ("raw", vit.patch_grid(&tokens)),
            ("normed", vit.normed_patch_grid(&tokens)),
        ] {
            let [_, _, rows, columns, embed_dim] = grid.dims();
            let map = grid
                .permute([0, 1, 4, 2, 3])
                .reshape([count, embed_dim, rows, columns]);
            found.insert(format!("{name}{index}"), named(map).await?);
        }
    }
    let normed = vit.normed_tokens(&tokens);
    found.insert("cls".into(), named(normed.cls).await?);
    if let Some(storage) = normed.storage {
        found.insert("storage".into(), named(storage).await?);
    }
    found.insert("patch".into(), named(normed.patches).await?);
    Ok(found)
}

async fn named<const D: usize>(tensor: Tensor<D>) -> Result<NamedTensor, InferError> {
    Ok(NamedTensor {
        shape: tensor.dims().to_vec(),
        values: read(tensor.flatten::<1>(0, D - 1)).await?,
    })
}
