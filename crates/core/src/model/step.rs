//! Steps of the network that a device takes by our own kernels or LibTorch's; other devices, and gradients, take Burn's.

#[cfg(feature = "graphics")]
pub(super) mod graphics;
#[cfg(feature = "libtorch")]
pub(super) mod libtorch;
#[cfg(feature = "graphics")]
pub(super) mod measure;
#[cfg(feature = "flex")]
mod processor;
#[cfg(any(test, feature = "graphics"))]
mod race;

#[cfg(any(feature = "flex", feature = "graphics"))]
use burn::nn::PaddingConfig3d;
use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::activation::{gelu as burn_gelu, relu};
use burn::tensor::module::attention as burn_attention;
use burn::tensor::ops::AttentionModuleOptions;
pub(super) use dinomed3d_kernels::Activation;
use tracing::trace_span;

/// Burn's norms keep theirs to themselves; all of the network's have Burn's default, which is DINOv3's, too.
#[cfg(any(feature = "flex", feature = "graphics", feature = "libtorch"))]
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// As [`Conv3d::forward`].
pub(super) fn convolve(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    let _span = trace_span!("conv3").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) && is_plain(conv) {
        return processor::convolve(conv, x);
    }
    #[cfg(feature = "graphics")]
    if graphics::convolves(conv, &x) {
        return graphics::convolve(conv, x);
    }
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&x) {
        return libtorch::convolve(conv, x);
    }
    conv.forward(x)
}

/// Whether a convolution is one of those that our kernels know: 3×3×3, zeros around, one stride of rows and columns.
#[cfg(any(feature = "flex", feature = "graphics"))]
fn is_plain(conv: &Conv3d) -> bool {
    let [of_slices, of_rows, of_columns] = conv.stride;
    conv.kernel_size == [3; 3]
        && conv.dilation == [1; 3]
        && conv.groups == 1
        && conv.padding == PaddingConfig3d::Explicit(1, 1, 1)
        && of_slices == 1
        && of_rows == of_columns
        && of_rows <= 2
}

/// A convolution with kernel 1×1×1, elsewhere computed as the matrix product that it is.
///
/// # Shapes
/// - `weight`: `[out_channel, in_channel]`
/// - `x`: `[batch, in_channel, slice, row, column]`
/// - returns: `[batch, out_channel, slice, row, column]`
pub(super) fn pointwise(weight: Tensor<2>, bias: Option<Tensor<1>>, x: Tensor<5>) -> Tensor<5> {
    let _span = trace_span!("pointwise").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) {
        return processor::pointwise(weight, bias, x);
    }
    #[cfg(feature = "graphics")]
    if graphics::points(&weight, &x) {
        return graphics::pointwise(weight, bias, x);
    }
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&x) {
        return libtorch::pointwise(weight, bias, x);
    }
    pointwise_product(weight, bias, x)
}

fn pointwise_product(weight: Tensor<2>, bias: Option<Tensor<1>>, x: Tensor<5>) -> Tensor<5> {
    let [batch, channels, depth, height, width] = x.dims();
    let [out_channels, _] = weight.dims();
    let y = weight
        .unsqueeze::<3>()
        .matmul(x.reshape([batch, channels, depth * height * width]))
        .reshape([batch, out_channels, depth, height, width]);
    match bias {
        Some(bias) => y + bias.reshape([1, out_channels, 1, 1, 1]),
        None => y,
    }
}

/// Spreads channels over rows and columns, as [`super::pixel_shuffle`] says.
pub(super) fn pixel_shuffle(x: Tensor<5>, factor: usize) -> Tensor<5> {
    let _span = trace_span!("shuffle").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) {
        return processor::pixel_shuffle(x, factor);
    }
    let [batch, channels, depth, height, width] = x.dims();
    let channels = channels / (factor * factor);
    x.reshape([batch, channels, factor, factor, depth, height, width])
        .permute([0, 1, 4, 5, 2, 6, 3]) // [b, c, d, h, r, w, r]
        .reshape([batch, channels, depth, height * factor, width * factor])
}

/// As [`GroupNorm::forward`], and what follows it.
pub(super) fn norm_then(norm: &GroupNorm, x: Tensor<5>, activation: Activation) -> Tensor<5> {
    let _span = trace_span!("norm").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) {
        return processor::norm_then(norm, x, activation);
    }
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&x) {
        return libtorch::norm_then(norm, x, activation);
    }
    #[cfg(feature = "graphics")]
    if graphics::norms_groups(norm, &x) {
        return graphics::norm_then(norm, x, activation);
    }
    activate(norm.forward(x), activation)
}

/// What follows a sum.
pub(super) fn activate<const D: usize>(x: Tensor<D>, activation: Activation) -> Tensor<D> {
    match activation {
        Activation::Identity => x,
        Activation::Relu => relu(x),
        Activation::Gelu => gelu(x),
    }
}

/// As [`LayerNorm::forward`].
pub(super) fn layer_norm<const D: usize>(norm: &LayerNorm, x: Tensor<D>) -> Tensor<D> {
    let _span = trace_span!("layer_norm").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) {
        return processor::layer_norm(norm, x);
    }
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&x) {
        return libtorch::layer_norm(norm, LAYER_NORM_EPSILON, x);
    }
    #[cfg(feature = "graphics")]
    if graphics::norms_rows(&x) {
        return graphics::layer_norm(norm, x);
    }
    norm.forward(x)
}

/// As [`Linear::forward`].
pub(super) fn linear<const D: usize>(linear: &Linear, x: Tensor<D>) -> Tensor<D> {
    let bias = linear.bias.as_ref().map(|bias| bias.val());
    linear_map(x, linear.weight.val(), bias, Activation::Identity)
}

/// `activation(x · weight + bias)`.
///
/// # Shapes
/// - `x`: `[.., input]`; `weight`: `[input, output]`; `bias`: `[output]`
/// - returns: `[.., output]`
pub(super) fn linear_map<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let span = trace_span!("linear").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) && processor::takes(&weight) {
        return processor::linear(x, weight, bias, activation);
    }
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&x) {
        let y = libtorch::linear(x, weight, bias);
        drop(span);
        return activate(y, activation);
    }
    #[cfg(feature = "graphics")]
    if graphics::maps(&x, &weight) {
        return graphics::linear(x, weight, bias, activation);
    }
    let y = burn::tensor::module::linear(x, weight, bias);
    drop(span);
    activate(y, activation)
}

/// Attention of queries, keys and values that lie side by side, queries and keys turned by cosines and sines first; devices without
/// a kernel for it take it `elsewhere`.
///
/// # Shapes
/// - `joined`: `[image, token, 3 * embed_dim]`, each third heads side by side
/// - `turn`: both `[token, head_dim]`
/// - returns: `[image, token, embed_dim]`
#[allow(
    unused_variables,
    reason = "without our kernels there is only elsewhere"
)]
pub(super) fn attention_of_joined(
    joined: Tensor<3>,
    num_heads: usize,
    turn: [Tensor<2>; 2],
    elsewhere: impl FnOnce(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    #[cfg(feature = "flex")]
    if processor::takes(&joined) {
        return processor::attention(joined, num_heads, turn);
    }
    #[cfg(feature = "graphics")]
    if graphics::attends(&joined, num_heads) {
        return graphics::attention(joined, num_heads, turn);
    }
    elsewhere(joined)
}

/// `softmax(query · keyᵀ / √head_dim) · value`.
///
/// # Shapes
/// all, and the result: `[image, head, token, head_dim]`
pub(super) fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&query) {
        return libtorch::attention(query, key, value);
    }
    burn_attention(
        query,
        key,
        value,
        None,
        None,
        AttentionModuleOptions::default(),
    )
}

/// x · Φ(x), Φ the normal distribution.
pub(super) fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let _span = trace_span!("gelu").entered();
    #[cfg(feature = "flex")]
    if processor::takes(&x) {
        return processor::gelu(x);
    }
    #[cfg(feature = "libtorch")]
    if libtorch::takes(&x) {
        return libtorch::gelu(x);
    }
    burn_gelu(x)
}

/// A device without the kernels is one whose tensors ask for gradients.
#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::conv::Conv3dConfig;
    use burn::nn::{GroupNormConfig, LayerNormConfig, PaddingConfig3d};
    use burn::tensor::{Device, Distribution, Tolerance};

    fn agree<const D: usize>(ours: Tensor<D>, burns: Tensor<D>) {
        let tolerance = Tolerance::<f32>::rel_abs(1e-4, 1e-5);
        ours.into_data()
            .assert_approx_eq(&burns.into_data(), tolerance);
    }

    #[test]
    fn kernels_agree_with_burn() {
        let device = Device::flex();
        let random = |shape: [usize; 5]| {
            Tensor::<5>::random(shape, Distribution::Uniform(-1.0, 1.0), &device)
        };
        for (inputs, outputs, stride, bias) in [(3, 5, 1, true), (4, 8, 2, false)] {
            let conv = Conv3dConfig::new([inputs, outputs], [3; 3])
                .with_stride([1, stride, stride])
                .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
                .with_bias(bias)
                .init(&device);
            let x = random([2, inputs, 3, 7, 18]);
            agree(convolve(&conv, x.clone()), conv.forward(x));
        }
        for bias in [true, false] {
            let weight = random([1, 1, 1, 5, 3]).reshape([5, 3]);
            let bias = bias.then(|| random([1, 1, 1, 1, 5]).reshape([5]));
            let x = random([2, 3, 3, 7, 18]);
            agree(
                pointwise(weight.clone(), bias.clone(), x.clone()),
                pointwise_product(weight, bias, x),
            );
        }
        for affine in [true, false] {
            let norm = GroupNormConfig::new(2, 6).with_affine(affine).init(&device);
            let x = random([2, 6, 2, 5, 9]);
            let burns = norm.forward(x.clone());
            agree(
                norm_then(&norm, x.clone(), Activation::Identity),
                burns.clone(),
            );
            agree(
                norm_then(&norm, x.clone(), Activation::Relu),
                relu(burns.clone()),
            );
            agree(norm_then(&norm, x, Activation::Gelu), burn_gelu(burns));
        }
        for bias in [true, false] {
            let norm = LayerNormConfig::new(9).with_bias(bias).init(&device);
            let x = random([2, 3, 2, 5, 9]);
            agree(layer_norm(&norm, x.clone()), norm.forward(x));
        }
        let x = random([1, 2, 3, 4, 5]) * 5.0;
        agree(gelu(x.clone()), burn_gelu(x));
        for bias in [true, false] {
            let weight = random([1, 1, 1, 5, 37]).reshape([5, 37]);
            let bias = bias.then(|| random([1, 1, 1, 1, 37]).reshape([37]));
            let x = random([1, 2, 3, 7, 5]);
            let burns = burn::tensor::module::linear(x.clone(), weight.clone(), bias.clone());
            for activation in [Activation::Identity, Activation::Gelu] {
                agree(
                    linear_map(x.clone(), weight.clone(), bias.clone(), activation),
                    activate(burns.clone(), activation),
                );
            }
        }
    }

    #[test]
    fn gradients_are_burn_s() {
        let device = Device::flex().autodiff();
        let x = Tensor::<5>::ones([1, 1, 1, 2, 2], &device).require_grad();
        let gradients = gelu(x.clone()).sum().backward();
        assert!(x.grad(&gradients).is_some());
    }

    /// What another kernel or padding asks for is not what ours does.
    #[test]
    fn other_convolutions_are_burn_s() {
        let device = Device::flex();
        let conv = Conv3dConfig::new([1, 1], [1, 3, 3]).init(&device);
        let x = Tensor::<5>::ones([1, 1, 2, 5, 5], &device);
        assert_eq!(convolve(&conv, x).dims(), [1, 1, 2, 3, 3]);
    }
}
