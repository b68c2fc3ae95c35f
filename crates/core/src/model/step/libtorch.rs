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
use burn::nn::{GroupNorm, PaddingConfig3d};
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
        let number = (&graph.result.tensor * gradient.tensor).sum(None);
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
    use super::super::{convolve, gelu, norm_then};
    use super::*;
    use crate::model::depthwise::Depthwise3dConfig;
    use burn::module::Module;
    use burn::nn::GroupNormConfig;
    use burn::nn::conv::Conv3dConfig;
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
}
