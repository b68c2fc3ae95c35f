//! Steps that LibTorch computes whole, gradients and all.
//!
//! Burn asks a backend for a convolution's gradient in its weights as another convolution, whose kernel is as large as the
//! image: LibTorch has no good way to do that. Its own gradients are asked for here instead. Norms and activations become one
//! operation each way instead of a dozen.

#![allow(
    deprecated,
    reason = "it goes when Burn drops LibTorch; till then it is the fastest on a card"
)]

use super::Activation;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::libtorch::TchTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, DispatchDevice, LibTorch};
use burn::module::Param;
use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, LayerNorm, PaddingConfig3d};
use burn::tensor::Tensor;
use std::sync::Arc;

/// LibTorch, with gradients.
type Traced = Autodiff<LibTorch>;

/// Whether a tensor is LibTorch's.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device().without_autodiff();
    matches!(device.as_dispatch(), DispatchDevice::LibTorch(_))
}

/// As [`Conv3d::forward`].
///
/// # Panics
/// When its padding is not given in numbers.
pub fn convolve(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    let PaddingConfig3d::Explicit(slices, rows, columns) = conv.padding else {
        panic!("a padding in numbers is expected, found {:?}", conv.padding);
    };
    let numbers = |values: [usize; 3]| values.map(|value| value as i64);
    let (stride, dilation) = (numbers(conv.stride), numbers(conv.dilation));
    let padding = numbers([slices, rows, columns]);
    let groups = conv.groups as i64;
    let (x, weight) = (Input::of(x), Input::of(conv.weight.val()));
    match &conv.bias {
        Some(bias) => compute([x, weight, Input::of(bias.val())], |[x, weight, bias]| {
            x.conv3d(weight, Some(bias), stride, padding, dilation, groups)
        }),
        None => compute([x, weight], |[x, weight]| {
            let none = None::<&tch::Tensor>;
            if !(x.requires_grad() && x.device().is_cuda()) {
                return x.conv3d(weight, none, stride, padding, dilation, groups);
            }
            // While it learns, a card takes 24 ms for what takes 39 in single precision (all of a step of eight heads, H200).
            let (x, weight) = (coarse(x), coarse(weight));
            x.conv3d(&weight, none, stride, padding, dilation, groups)
                .to_kind(tch::Kind::Float)
                .contiguous()
        }),
    }
}

/// In bfloat16, channels last.
fn coarse(x: &tch::Tensor) -> tch::Tensor {
    x.to_kind(tch::Kind::BFloat16)
        .permute([0, 2, 3, 4, 1])
        .contiguous()
        .permute([0, 4, 1, 2, 3])
}

/// A convolution of each channel by itself, with zeros beyond the border.
///
/// # Shapes
/// - `weight`: `[offset, channel]`, offsets in slice, row, column order of `kernel`; `bias`: `[channel]`
/// - `grid` and the result: `[batch, slice, row, column, channel]`
pub fn depthwise(
    weight: Tensor<2>,
    bias: Tensor<1>,
    kernel: [usize; 3],
    grid: Tensor<5>,
) -> Tensor<5> {
    let [.., channels] = grid.dims().map(|edge| edge as i64);
    let kernel = kernel.map(|edge| edge as i64);
    let padding = kernel.map(|edge| edge / 2);
    let inputs = [Input::of(grid), Input::of(weight), Input::of(bias)];
    compute(inputs, |[grid, weight, bias]| {
        let [slices, rows, columns] = kernel;
        let weight = weight
            .t_copy()
            .reshape([channels, 1, slices, rows, columns]);
        grid.permute([0, 4, 1, 2, 3])
            .contiguous()
            .conv3d(&weight, Some(bias), [1; 3], padding, [1; 3], channels)
            .permute([0, 2, 3, 4, 1])
            .contiguous()
    })
}

/// As [`GroupNorm::forward`], and what follows it.
pub fn norm_then(norm: &GroupNorm, x: Tensor<5>, activation: Activation) -> Tensor<5> {
    let groups = norm.num_groups as i64;
    let epsilon = norm.epsilon;
    let then = |x: tch::Tensor| match activation {
        Activation::Identity => x,
        Activation::Relu => x.relu(),
        Activation::Gelu => x.gelu("none"),
    };
    let x = Input::of(x);
    let input = |values: &Param<Tensor<1>>| Input::of(values.val());
    match norm.gamma.as_ref().zip(norm.beta.as_ref()) {
        Some((scale, shift)) => compute([x, input(scale), input(shift)], |[x, scale, shift]| {
            then(x.group_norm(groups, Some(scale), Some(shift), epsilon, true))
        }),
        None => compute([x], |[x]| {
            let none = None::<&tch::Tensor>;
            then(x.group_norm(groups, none, none, epsilon, true))
        }),
    }
}

/// As [`LayerNorm::forward`], with this epsilon.
pub fn layer_norm<const D: usize>(norm: &LayerNorm, epsilon: f64, x: Tensor<D>) -> Tensor<D> {
    let scale = Input::of(norm.gamma.val());
    let width = [norm.gamma.dims()[0] as i64];
    match &norm.beta {
        Some(shift) => {
            let inputs = [Input::of(x), scale, Input::of(shift.val())];
            compute(inputs, |[x, scale, shift]| {
                x.layer_norm(width, Some(scale), Some(shift), epsilon, true)
            })
        }
        None => compute([Input::of(x), scale], |[x, scale]| {
            x.layer_norm(width, Some(scale), None::<&tch::Tensor>, epsilon, true)
        }),
    }
}

/// `x · weight + bias`.
///
/// # Shapes
/// - `x`: `[.., input]`; `weight`: `[input, output]`; `bias`: `[output]`
/// - returns: `[.., output]`
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let (x, weight) = (Input::of(x), Input::of(weight));
    match bias {
        Some(bias) => compute([x, weight, Input::of(bias)], |[x, weight, bias]| {
            x.linear(&weight.tr(), Some(bias))
        }),
        None => compute([x, weight], |[x, weight]| x.matmul(weight)),
    }
}

/// A convolution with kernel 1×1×1.
///
/// # Shapes
/// - `weight`: `[out_channel, in_channel]`
/// - `x`: `[batch, in_channel, slice, row, column]`
/// - returns: `[batch, out_channel, slice, row, column]`
pub fn pointwise(weight: Tensor<2>, bias: Option<Tensor<1>>, x: Tensor<5>) -> Tensor<5> {
    let [batch, channels, depth, height, width] = x.dims().map(|edge| edge as i64);
    let product = move |x: &tch::Tensor, weight: &tch::Tensor| {
        weight.matmul(&x.reshape([batch, channels, depth * height * width]))
    };
    let shape = move |y: tch::Tensor| y.reshape([batch, -1, depth, height, width]);
    let (x, weight) = (Input::of(x), Input::of(weight));
    match bias {
        Some(bias) => compute([x, weight, Input::of(bias)], |[x, weight, bias]| {
            shape(product(x, weight) + bias.reshape([1, -1, 1]))
        }),
        None => compute([x, weight], |[x, weight]| shape(product(x, weight))),
    }
}

/// `softmax(query · keyᵀ / √head_dim) · value`.
///
/// # Shapes
/// all, and the result: `[image, head, token, head_dim]`
pub fn attention(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>) -> Tensor<4> {
    let inputs = [Input::of(query), Input::of(key), Input::of(value)];
    compute(inputs, |[query, key, value]| {
        let (no_mask, no_scale) = (None::<&tch::Tensor>, None);
        tch::Tensor::scaled_dot_product_attention(
            query, key, value, no_mask, 0.0, false, no_scale, false,
        )
        .contiguous()
    })
}

/// x · Φ(x), Φ the normal distribution.
pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    compute([Input::of(x)], |[x]| x.gelu("none"))
}

/// What a step is computed of.
enum Input {
    Plain(TchTensor),
    Traced(FloatTensor<Traced>),
}

impl Input {
    /// # Panics
    /// When the tensor is not LibTorch's, or what is needed for gradients is not kept but computed again.
    fn of<const D: usize>(x: Tensor<D>) -> Self {
        const NOT: &str = "tensors of a step are LibTorch's";
        if x.device().is_autodiff() {
            Self::Traced(x.try_into_primitive::<Traced>().expect(NOT))
        } else {
            Self::Plain(x.try_into_primitive::<LibTorch>().expect(NOT))
        }
    }

    /// What has no gradients is a constant among what has.
    fn traced(self) -> FloatTensor<Traced> {
        match self {
            Self::Traced(tensor) => tensor,
            Self::Plain(tensor) => Traced::from_inner(tensor),
        }
    }
}

/// Computes `step`, which returns a tensor of its own, not a view of an input.
fn compute<const N: usize, const D: usize>(
    inputs: [Input; N],
    step: impl Fn([&tch::Tensor; N]) -> tch::Tensor,
) -> Tensor<D> {
    let on_plain = |tensors: &[TchTensor; N]| {
        TchTensor::new(tch::no_grad(|| step(tensors.each_ref().map(|t| &t.tensor))))
    };
    if inputs.iter().all(|input| matches!(input, Input::Plain(_))) {
        let tensors = inputs.map(|input| input.traced().into_primitive());
        return Tensor::from_primitive::<LibTorch>(on_plain(&tensors));
    }
    let traced = inputs.map(Input::traced);
    let nodes = traced.each_ref().map(FloatTensor::<Traced>::node);
    let tensors = traced.map(FloatTensor::<Traced>::into_primitive);
    let prepared = Step.prepare::<NoCheckpointing>(nodes).compute_bound();
    Tensor::from_primitive::<Traced>(match prepared.stateful() {
        OpsKind::UnTracked(prepared) => prepared.finish(on_plain(&tensors)),
        OpsKind::Tracked(prepared) => {
            let leaves = tensors
                .each_ref()
                .map(|input| TchTensor::new(input.tensor.detach().set_requires_grad(true)));
            let result = step(leaves.each_ref().map(|leaf| &leaf.tensor));
            // Burn writes over what nobody else holds, LibTorch needs it for the gradient: so both hold it.
            let output = TchTensor::new(result.detach());
            let graph = Graph {
                leaves,
                result: TchTensor::new(result),
                _held: (tensors, output.clone()),
            };
            prepared.finish(Arc::new(graph), output)
        }
    })
}

/// One step as LibTorch's own differentiation has it.
#[derive(Debug)]
struct Graph<const N: usize> {
    leaves: [TchTensor; N],
    result: TchTensor,
    _held: ([TchTensor; N], TchTensor),
}

#[derive(Debug)]
struct Step;

impl<const N: usize> Backward<LibTorch, N> for Step {
    type State = Arc<Graph<N>>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<LibTorch>(&ops.node);
        let graph = ops.state;
        let wanted: Vec<usize> = (0..N)
            .filter(|place| ops.parents[*place].is_some())
            .collect();
        let inputs: Vec<&tch::Tensor> = wanted
            .iter()
            .map(|place| &graph.leaves[*place].tensor)
            .collect();
        // LibTorch's binding differentiates numbers only: this one's gradient in the result is the one that came.
        let [result, gradient] = [&graph.result.tensor, &gradient.tensor].map(|t| t.reshape([-1]));
        let number = result.dot(&gradient);
        let found = tch::Tensor::run_backward(&[number], &inputs, false, false);
        for (place, gradient) in wanted.into_iter().zip(found) {
            if let Some(node) = &ops.parents[place] {
                grads.register::<LibTorch>(node.id, TchTensor::new(gradient));
            }
        }
    }
}

/// Run where LibTorch is: `cargo test --package dinomed3d-core --features libtorch libtorch`.
#[cfg(test)]
mod tests {
    use super::super::{attention, convolve, gelu, layer_norm, linear, norm_then, pointwise};
    use super::*;
    use crate::model::depthwise::Depthwise3dConfig;
    use burn::module::Module;
    use burn::nn::conv::Conv3dConfig;
    use burn::nn::{GroupNormConfig, LayerNormConfig, LinearConfig};
    use burn::optim::GradientsParams;
    use burn::tensor::{Device, Distribution, TensorData, Tolerance};

    /// Every step and its gradients, beside those that Burn makes on the processor.
    #[test]
    fn gradients_are_those_of_burn() {
        let (flex, torch) = (Device::flex().autodiff(), Device::libtorch().autodiff());
        let conv = Conv3dConfig::new([2, 8], [3; 3])
            .with_stride([1, 2, 2])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 1))
            .init(&flex);
        let affine = GroupNormConfig::new(4, 8).init(&flex);
        let plain = GroupNormConfig::new(8, 8).with_affine(false).init(&flex);
        let depthwise = Depthwise3dConfig {
            channels: 8,
            kernel: [3; 3],
        }
        .init(&flex);
        let layers = (conv, affine, plain, depthwise);
        let values = Tensor::<5>::random([2, 2, 4, 6, 8], Distribution::Default, &flex);
        let computed = |device: &Device| -> Vec<TensorData> {
            let layers = layers.clone().fork(device);
            let x = Tensor::<5>::from_data(values.to_data(), device).require_grad();
            let y = norm_then(&layers.1, convolve(&layers.0, x.clone()), Activation::Relu);
            let y = norm_then(&layers.2, gelu(y), Activation::Gelu);
            let y = layers.3.forward(y.permute([0, 2, 3, 4, 1]));
            let gradients = (y.clone() * y.clone()).mean().backward();
            let of_x = x.grad(&gradients).expect("it was asked for");
            let of = GradientsParams::from_grads(gradients, &layers);
            vec![
                y.into_data(),
                of_x.into_data(),
                of.get::<5>(layers.0.weight.id)
                    .expect("a weight's")
                    .into_data(),
                of.get::<1>(layers.0.bias.as_ref().unwrap().id)
                    .expect("a bias's")
                    .into_data(),
                of.get::<1>(layers.1.gamma.as_ref().unwrap().id)
                    .expect("a scale's")
                    .into_data(),
            ]
        };
        for (ours, burns) in computed(&torch).iter().zip(computed(&flex)) {
            ours.assert_approx_eq::<f32>(&burns, Tolerance::rel_abs(1e-4, 1e-5));
        }
    }

    /// The steps of a transformer and a pointwise convolution, likewise.
    #[test]
    fn gradients_of_tokens_are_those_of_burn() {
        let (flex, torch) = (Device::flex().autodiff(), Device::libtorch().autodiff());
        let norm = LayerNormConfig::new(8).init(&flex);
        let map = LinearConfig::new(8, 8).init(&flex);
        let plain = LinearConfig::new(8, 8).with_bias(false).init(&flex);
        let layers = (norm, map, plain);
        let draw = |shape: [usize; 4]| Tensor::<4>::random(shape, Distribution::Default, &flex);
        let values = draw([2, 3, 6, 8]);
        let computed = |device: &Device| -> Vec<TensorData> {
            let (norm, map, plain) = layers.clone().fork(device);
            let x = Tensor::<4>::from_data(values.to_data(), device).require_grad();
            let normed = layer_norm(&norm, x.clone());
            let query = linear(&map, normed.clone());
            let key = linear(&plain, normed.clone());
            let y = attention(query, key.clone(), normed) + key;
            let weight = plain.weight.val().narrow(0, 0, 4).narrow(1, 0, 3);
            let bias = map.bias.as_ref().expect("it has one").val();
            let y = pointwise(weight.clone(), None, y.unsqueeze_dim::<5>(2))
                + pointwise(
                    weight.clone(),
                    Some(bias.narrow(0, 0, 4)),
                    x.clone().unsqueeze_dim(2),
                );
            let gradients = (y.clone() * y.clone()).mean().backward();
            let of_x = x.grad(&gradients).expect("it was asked for");
            let layers = (norm, map, plain);
            let of = GradientsParams::from_grads(gradients, &layers);
            let gradient_2 = |of_param| of.get::<2>(of_param).expect("a weight's").into_data();
            let gradient_1 = |of_param| of.get::<1>(of_param).expect("a bias's").into_data();
            vec![
                y.into_data(),
                of_x.into_data(),
                gradient_1(layers.0.gamma.id),
                gradient_1(layers.0.beta.as_ref().expect("it has one").id),
                gradient_2(layers.1.weight.id),
                gradient_1(layers.1.bias.as_ref().expect("it has one").id),
                gradient_2(layers.2.weight.id),
            ]
        };
        for (ours, burns) in computed(&torch).iter().zip(computed(&flex)) {
            ours.assert_approx_eq::<f32>(&burns, Tolerance::rel_abs(1e-4, 1e-5));
        }
    }
}
