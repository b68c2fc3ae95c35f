//! Which kernels and numbers are the fastest on a graphics processor.

use super::Activation;
use super::graphics::{attention, choice, convolve, layer_norm, linear, norm_then};
use crate::model::numbers::cast;
use burn::nn::conv::Conv3dConfig;
use burn::nn::{GroupNormConfig, LayerNormConfig, PaddingConfig3d};
use burn::tensor::{DType, Device, Tensor, TensorData};
pub use dinomed3d_kernels::graphics::Numbers;

/// Half precision costs digits, and is worth it for so much of the time.
const MUCH_FASTER: f64 = 0.9;

/// Which numbers, and whose kernels for them, are faster on a device that the program computes on from now on, by what takes longest
/// in the network; `now_ms` is a clock. Takes a few times what all need to be compiled.
pub async fn choose(device: &Device, now_ms: impl Fn() -> f64) -> Numbers {
    let single_ms = measure(device, DType::F32, &now_ms).await;
    if !device.supports_dtype(DType::F16) {
        return Numbers::Single;
    }
    let half_ms = measure(device, DType::F16, &now_ms).await;
    match (single_ms, half_ms) {
        (Some(single), Some(half)) if half < MUCH_FASTER * single => Numbers::Half,
        _ => Numbers::Single,
    }
}

/// Milliseconds that one of each step takes, all together.
async fn measure(device: &Device, dtype: DType, now_ms: impl Fn() -> f64) -> Option<f64> {
    let (tokens, inner, outer) = (128, 256, 256);
    let x = values([tokens, inner], device, dtype);
    let weight = values([inner, outer], device, dtype);
    let ours = || linear(x.clone(), weight.clone(), None, Activation::Identity);
    let burns = || burn::tensor::module::linear(x.clone(), weight.clone(), None);
    let of_product = choice::PRODUCTS.make(dtype, &now_ms, ours, burns).await?;

    let (tokens, num_heads, head_dim) = (48, 3, 64);
    let joined = values([2, tokens, 3 * num_heads * head_dim], device, dtype);
    // Turned by nothing.
    let table = |value: f32| Tensor::<2>::full([tokens, head_dim], value, (device, dtype));
    let ours = || attention(joined.clone(), num_heads, [table(1.0), table(0.0)]);
    let burns = || {
        let parts = joined.clone().reshape([2, tokens, 3, num_heads, head_dim]);
        let parts = parts.permute([2, 0, 3, 1, 4]);
        let part = |i| {
            let part = parts.clone().narrow(0, i, 1);
            part.reshape([2, num_heads, tokens, head_dim])
        };
        super::attention(part(0), part(1), part(2)).swap_dims(1, 2)
    };
    let of_attention = choice::ATTENTION.make(dtype, &now_ms, ours, burns).await?;

    let conv = Conv3dConfig::new([16, 16], [3; 3])
        .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
        .init(device);
    let conv = cast(conv, dtype);
    let volume = values([1, 16, 4, 16, 16], device, dtype);
    let ours = || convolve(&conv, volume.clone());
    let burns = || conv.forward(volume.clone());
    let of_convolution = choice::CONVOLUTIONS
        .make(dtype, &now_ms, ours, burns)
        .await?;

    let norm = cast(GroupNormConfig::new(16, 16).init(device), dtype);
    let ours = || norm_then(&norm, volume.clone(), Activation::Relu);
    let burns = || super::activate(norm.forward(volume.clone()), Activation::Relu);
    let of_groups = choice::GROUP_NORMS
        .make(dtype, &now_ms, ours, burns)
        .await?;

    let norm = cast(LayerNormConfig::new(inner).init(device), dtype);
    let ours = || layer_norm(&norm, x.clone());
    let burns = || norm.forward(x.clone());
    let of_rows = choice::ROW_NORMS.make(dtype, &now_ms, ours, burns).await?;
    Some(of_product + of_attention + of_convolution + of_groups + of_rows)
}

/// Numbers between −1 and 1.
fn values<const D: usize>(shape: [usize; D], device: &Device, dtype: DType) -> Tensor<D> {
    let number = |i: usize| (i * 7919 % 1009) as f32 / 504.5 - 1.0;
    let numbers: Vec<f32> = (0..shape.iter().product()).map(number).collect();
    Tensor::from_data(TensorData::new(numbers, shape), (device, dtype))
}
