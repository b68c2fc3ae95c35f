//! Steps by the crate `kernels`, of tensors that lie on a graphics processor and whose gradients nobody asks for: those that were
//! measured to be faster there than Burn's.

pub(super) mod choice;

use burn::backend::DispatchDevice;
use burn::nn::conv::Conv3d;
use burn::nn::{GroupNorm, LayerNorm};
use burn::tensor::{DType, Tensor};
use burn_cubecl::CubeBackend;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use dinomed3d_kernels::Activation;
use dinomed3d_kernels::graphics::{
    self, Bias, Grids, Groups, Heads, Matrices, Numbers, On, Rows, Volumes,
};

/// Whether [`attention()`] takes heads of this size, and is faster.
pub fn attends(joined: &Tensor<3>, num_heads: usize) -> bool {
    takes(joined) && choice::ATTENTION.is_ours(joined.dtype()) && heads(joined, num_heads).fit()
}

fn heads(joined: &Tensor<3>, heads: usize) -> Heads {
    let [images, tokens, width] = joined.dims();
    Heads {
        images,
        tokens,
        heads,
        head_dim: width / 3 / heads,
    }
}

/// As [`super::attention_of_joined`].
pub fn attention(joined: Tensor<3>, num_heads: usize, turn: [Tensor<2>; 2]) -> Tensor<3> {
    let heads = heads(&joined, num_heads);
    let [images, tokens, width] = joined.dims();
    let joined = seen(joined);
    let turn = turn.map(seen);
    let keys = empty(&joined, [heads.of_keys()]);
    let result = empty(&joined, [images, tokens, width / 3]);
    graphics::turn_keys(
        on(&result),
        heads,
        joined.clone().into_buffer_arg(),
        turn.clone().map(CubeTensor::into_buffer_arg),
        keys.clone().into_buffer_arg(),
    );
    graphics::attention(
        on(&result),
        heads,
        joined.into_buffer_arg(),
        turn.map(CubeTensor::into_buffer_arg),
        keys.into_buffer_arg(),
        result.clone().into_buffer_arg(),
    );
    Tensor::from_primitive::<CubeBackend>(result)
}

/// Whether a tensor lies on a graphics processor, and nobody asks for its gradient.
fn takes<const D: usize>(x: &Tensor<D>) -> bool {
    matches!(x.dtype(), DType::F32 | DType::F16)
        && matches!(x.device().as_dispatch(), DispatchDevice::Cube(_))
}

/// Where and how a tensor lies that [`takes`].
fn on(tensor: &CubeTensor) -> On<'_> {
    On {
        client: &tensor.client,
        numbers: match tensor.dtype {
            DType::F16 => Numbers::Half,
            _ => Numbers::Single,
        },
    }
}

/// A tensor's values in order.
fn seen<const D: usize>(x: Tensor<D>) -> CubeTensor {
    let x = x.try_into_primitive::<CubeBackend>();
    into_contiguous(x.expect("the tensor was asked where it lies"))
}

/// Room for a tensor, on the same device as another one and of the same numbers.
fn empty<const D: usize>(beside: &CubeTensor, shape: [usize; D]) -> CubeTensor {
    let (client, device) = (beside.client.clone(), beside.device.clone());
    empty_device_contiguous_dtype(client, device, shape.into(), beside.dtype)
}

/// Whether [`convolve()`] takes such a convolution of a tensor, and is faster.
pub fn convolves(conv: &Conv3d, x: &Tensor<5>) -> bool {
    takes(x) && choice::CONVOLUTIONS.is_ours(x.dtype()) && can_convolve(conv, x)
}

fn can_convolve(conv: &Conv3d, x: &Tensor<5>) -> bool {
    super::is_plain(conv) && volumes(conv, x).fit()
}

fn volumes(conv: &Conv3d, x: &Tensor<5>) -> Volumes {
    let [batch, inputs, slices, rows, columns] = x.dims();
    Volumes {
        batch,
        inputs,
        outputs: conv.weight.dims()[0],
        shape: [slices, rows, columns],
        stride: conv.stride[1],
    }
}

pub fn convolve(conv: &Conv3d, x: Tensor<5>) -> Tensor<5> {
    let volumes = volumes(conv, &x);
    let [slices, rows, columns] = volumes.result_shape();
    let weight = seen(conv.weight.val().permute([1, 2, 3, 4, 0])); // [in, 3, 3, 3, out]
    let bias = conv.bias.as_ref().map(|bias| seen(bias.val()));
    let x = seen(x);
    let result = empty(&x, [volumes.batch, volumes.outputs, slices, rows, columns]);
    graphics::convolve(
        on(&result),
        volumes,
        x.into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.map(CubeTensor::into_buffer_arg),
        result.clone().into_buffer_arg(),
    );
    Tensor::from_primitive::<CubeBackend>(result)
}

/// Whether [`pointwise()`] takes these sizes, and is faster.
pub fn points(weight: &Tensor<2>, x: &Tensor<5>) -> bool {
    let is_one = x.dims()[0] == 1;
    is_one
        && takes(x)
        && weight.dtype() == x.dtype()
        && choice::PRODUCTS.is_ours(x.dtype())
        && of_channels(weight, x).fit()
}

/// Weights times the channels of one volume.
fn of_channels(weight: &Tensor<2>, x: &Tensor<5>) -> Matrices {
    let [_, inner, slices, rows, columns] = x.dims();
    Matrices {
        rows: weight.dims()[0],
        inner,
        columns: slices * rows * columns,
    }
}

pub fn pointwise(weight: Tensor<2>, bias: Option<Tensor<1>>, x: Tensor<5>) -> Tensor<5> {
    let matrices = of_channels(&weight, &x);
    let [batch, _, slices, rows, columns] = x.dims();
    let shape = [batch, matrices.rows, slices, rows, columns];
    let bias = bias.map(|bias| Bias::OfRows(seen(bias).into_buffer_arg()));
    product(matrices, weight, x, bias, shape, Activation::Identity)
}

/// Whether [`linear()`] takes these sizes, and is faster.
pub fn maps<const D: usize>(x: &Tensor<D>, weight: &Tensor<2>) -> bool {
    takes(x)
        && weight.dtype() == x.dtype()
        && choice::PRODUCTS.is_ours(x.dtype())
        && of_tokens(x, weight).fit()
}

/// All tokens are rows of one matrix.
fn of_tokens<const D: usize>(x: &Tensor<D>, weight: &Tensor<2>) -> Matrices {
    let [inner, columns] = weight.dims();
    Matrices {
        rows: x.dims().iter().product::<usize>() / inner,
        inner,
        columns,
    }
}

pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<D> {
    let matrices = of_tokens(&x, &weight);
    let mut shape = x.dims();
    shape[D - 1] = matrices.columns;
    let bias = bias.map(|bias| Bias::OfColumns(seen(bias).into_buffer_arg()));
    product(matrices, x, weight, bias, shape, activation)
}

fn product<const A: usize, const B: usize, const D: usize>(
    matrices: Matrices,
    first: Tensor<A>,
    second: Tensor<B>,
    bias: Option<Bias>,
    shape: [usize; D],
    activation: Activation,
) -> Tensor<D> {
    let (first, second) = (seen(first), seen(second));
    let result = empty(&first, shape);
    graphics::product(
        on(&result),
        matrices,
        first.into_buffer_arg(),
        second.into_buffer_arg(),
        bias,
        result.clone().into_buffer_arg(),
        activation,
    );
    Tensor::from_primitive::<CubeBackend>(result)
}

/// Whether [`norm_then()`] takes such a volume, and is faster; in half precision squares would be larger than its numbers elsewhere.
pub fn norms_groups(norm: &GroupNorm, x: &Tensor<5>) -> bool {
    takes(x)
        && (x.dtype() == DType::F16 || choice::GROUP_NORMS.is_ours(x.dtype()))
        && groups(norm, x).fit()
}

fn groups(norm: &GroupNorm, x: &Tensor<5>) -> Groups {
    let [batch, channels, slices, rows, columns] = x.dims();
    Groups {
        batch,
        groups: norm.num_groups,
        channels: channels / norm.num_groups,
        voxels: slices * rows * columns,
        epsilon: norm.epsilon as f32,
    }
}

pub fn norm_then(norm: &GroupNorm, x: Tensor<5>, activation: Activation) -> Tensor<5> {
    let groups = groups(norm, &x);
    let shape = x.dims();
    let affine = [&norm.gamma, &norm.beta].map(|values| {
        let values = values.as_ref().map(|values| seen(values.val()));
        values.map(CubeTensor::into_buffer_arg)
    });
    let x = seen(x);
    let (client, device) = (x.client.clone(), x.device.clone());
    let room = [groups.of_sums()].into();
    let sums = empty_device_contiguous_dtype(client, device, room, DType::F32);
    let result = empty(&x, shape);
    graphics::group_norm(
        on(&result),
        groups,
        || x.clone().into_buffer_arg(),
        affine,
        || sums.clone().into_buffer_arg(),
        result.clone().into_buffer_arg(),
        activation,
    );
    Tensor::from_primitive::<CubeBackend>(result)
}

/// Whether [`layer_norm()`] takes such rows, and is faster, as for [`norms_groups`].
pub fn norms_rows<const D: usize>(x: &Tensor<D>) -> bool {
    takes(x) && (x.dtype() == DType::F16 || choice::ROW_NORMS.is_ours(x.dtype())) && rows(x).fit()
}

fn rows<const D: usize>(x: &Tensor<D>) -> Rows {
    let shape = x.dims();
    Rows {
        rows: shape[..D - 1].iter().product(),
        width: shape[D - 1],
        epsilon: super::LAYER_NORM_EPSILON as f32,
    }
}

pub fn layer_norm<const D: usize>(norm: &LayerNorm, x: Tensor<D>) -> Tensor<D> {
    let (rows, shape) = (rows(&x), x.dims());
    let weight = seen(norm.gamma.val());
    let bias = norm.beta.as_ref().map(|bias| seen(bias.val()));
    let x = seen(x);
    let result = empty(&x, shape);
    graphics::layer_norm(
        on(&result),
        rows,
        x.into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.map(CubeTensor::into_buffer_arg),
        result.clone().into_buffer_arg(),
    );
    Tensor::from_primitive::<CubeBackend>(result)
}

/// Whether [`depthwise()`] takes such a grid.
pub fn takes_grid(grid: &Tensor<5>, kernel: [usize; 3]) -> bool {
    takes(grid) && grids(grid, kernel).fit()
}

fn grids(grid: &Tensor<5>, kernel: [usize; 3]) -> Grids {
    let [batch, slices, rows, columns, channels] = grid.dims();
    Grids {
        batch,
        shape: [slices, rows, columns],
        channels,
        kernel,
    }
}

/// # Shapes
/// - `weight`: `[offset, channel]`; `bias`: `[channel]`
/// - `grid` and the result: `[batch, slice, row, column, channel]`
pub fn depthwise(
    weight: Tensor<2>,
    bias: Tensor<1>,
    kernel: [usize; 3],
    grid: Tensor<5>,
) -> Tensor<5> {
    let grids = grids(&grid, kernel);
    let shape = grid.dims();
    let (grid, weight, bias) = (seen(grid), seen(weight), seen(bias));
    let result = empty(&grid, shape);
    graphics::depthwise(
        on(&result),
        grids,
        grid.into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.into_buffer_arg(),
        result.clone().into_buffer_arg(),
    );
    Tensor::from_primitive::<CubeBackend>(result)
}
