//! Steps by the crate `kernels`, of tensors that lie on the processor and whose gradients nobody asks for.

use super::LAYER_NORM_EPSILON;
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, LayerNorm};
use burn::tensor::{DType, Device, Tensor, TensorData};
use dinomed3d_kernels::{self as kernels, Activation, Attention, Conv3, Norm};
use std::ops::Deref;

/// Whether a tensor lies where the kernels compute, and nobody asks for its gradient.
pub fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    // Devices are equal with gradients or without.
    x.dtype() == DType::F32 && !device.is_autodiff() && device == Device::flex()
}

/// Its values to be changed, not copied where nobody else has them.
fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    let values = x.into_data().try_into_vec();
    values.expect("the tensor was asked for its type")
}

/// A tensor's values where they lie; only those that lie in another order are laid out anew.
struct Seen(FloatTensor<Flex>);

impl Seen {
    fn of<const D: usize>(x: Tensor<D>) -> Self {
        let x = x.try_into_primitive::<Flex>();
        let x = x.expect("the tensor was asked where it lies");
        match x.as_slice::<f32>() {
            Some(_) => Self(x),
            None => Self(x.to_contiguous()),
        }
    }
}

impl Deref for Seen {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_slice().expect("they lie in order")
    }
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

pub fn convolve(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    let [batch, inputs, depth, rows, columns] = x.dims();
    let weight = conv.weight.val();
    let kernel = Conv3 {
        inputs,
        outputs: weight.dims()[0],
        shape: [depth, rows, columns],
        stride: conv.stride[1],
    };
    let weight = Seen::of(weight);
    let bias = conv.bias.as_ref().map(|bias| Seen::of(bias.val()));
    let input = Seen::of(x);
    let of_one = |input: &[f32]| kernels::conv3(kernel, input, &weight, bias.as_deref());
    let mut parts = input.chunks(input.len() / batch).map(of_one);
    let result = match batch {
        1 => parts.next().unwrap_or_default(),
        _ => parts.flatten().collect(),
    };
    let [depth, rows, columns] = kernel.result_shape();
    tensor(result, [batch, kernel.outputs, depth, rows, columns])
}

pub fn pointwise(weight: Tensor<2>, bias: Option<Tensor<1>>, x: Tensor<5>) -> Tensor<5> {
    let [batch, inputs, depth, rows, columns] = x.dims();
    let [outputs, _] = weight.dims();
    let (weight, bias) = (Seen::of(weight), bias.map(Seen::of));
    let input = Seen::of(x);
    let of_one =
        |input: &[f32]| kernels::pointwise([inputs, outputs], input, &weight, bias.as_deref());
    let mut parts = input.chunks(input.len() / batch).map(of_one);
    let result = match batch {
        1 => parts.next().unwrap_or_default(),
        _ => parts.flatten().collect(),
    };
    tensor(result, [batch, outputs, depth, rows, columns])
}

pub fn pixel_shuffle(x: Tensor<5>, factor: usize) -> Tensor<5> {
    let [batch, channels, depth, rows, columns] = x.dims();
    let result = kernels::pixel_shuffle(factor, [depth, rows, columns], &Seen::of(x));
    let channels = channels / (factor * factor);
    tensor(
        result,
        [batch, channels, depth, rows * factor, columns * factor],
    )
}

pub fn norm_then(norm: &GroupNorm, x: Tensor<5>, activation: Activation) -> Tensor<5> {
    let shape = x.dims();
    let [batch, channels, ..] = shape;
    let parameters = |parameters: &Option<burn::module::Param<Tensor<1>>>| {
        parameters.as_ref().map(|values| Seen::of(values.val()))
    };
    let (scale, shift) = (parameters(&norm.gamma), parameters(&norm.beta));
    let norm = Norm {
        groups: norm.num_groups,
        epsilon: norm.epsilon as f32,
        affine: scale.as_deref().zip(shift.as_deref()),
        activation,
    };
    let mut all = values(x);
    let of_one = all.len() / batch;
    for values in all.chunks_mut(of_one) {
        kernels::group_norm(norm, channels, values);
    }
    tensor(all, shape)
}

pub fn layer_norm<const D: usize>(norm: &LayerNorm, x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    let scale = Seen::of(norm.gamma.val());
    let shift = norm.beta.as_ref().map(|shift| Seen::of(shift.val()));
    let zeros;
    let shift = match &shift {
        Some(shift) => &shift[..],
        None => {
            zeros = vec![0.0; scale.len()];
            &zeros
        }
    };
    let mut all = values(x);
    kernels::layer_norm(&mut all, [&scale, shift], LAYER_NORM_EPSILON as f32);
    tensor(all, shape)
}

pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let channels = weight.dims();
    let mut shape = x.dims();
    assert_eq!(shape[D - 1], channels[0], "inputs of a linear map");
    shape[D - 1] = channels[1];
    let (weight, bias) = (Seen::of(weight), bias.map(Seen::of));
    let input = Seen::of(x);
    let result = kernels::linear(channels, &input, &weight, bias.as_deref(), activation);
    tensor(result, shape)
}

pub fn attention(joined: Tensor<3>, heads: usize, turn: [Tensor<2>; 2]) -> Tensor<3> {
    let [images, tokens, width] = joined.dims();
    let [cos, sin] = turn.map(Seen::of);
    let kernel = Attention {
        tokens,
        heads,
        turn: [&cos, &sin],
    };
    let result = kernels::attention(kernel, &Seen::of(joined));
    tensor(result, [images, tokens, width / 3])
}

pub fn gelu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let shape = x.dims();
    let mut all = values(x);
    Activation::Gelu.apply(&mut all);
    tensor(all, shape)
}
