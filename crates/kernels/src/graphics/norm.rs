//! Norms of groups of channels and of rows, and what follows them, in three programs and in one.

use super::activation::activated;
use super::{On, WIDTH};
use crate::Activation;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// Units that share a group's sums.
const PARTS: usize = 256;

/// Groups of channels of volumes: `[batch, group, channel, voxel]`.
#[derive(Debug, Clone, Copy)]
pub struct Groups {
    /// How many volumes.
    pub batch: usize,
    /// Of a volume.
    pub groups: usize,
    /// Of a group.
    pub channels: usize,
    /// Of a channel.
    pub voxels: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Groups {
    /// Whether [`group_norm()`] takes channels of so many voxels.
    pub fn fit(&self) -> bool {
        self.voxels.is_multiple_of(WIDTH)
    }

    /// Numbers of room that [`group_norm()`] needs for sums, of single precision.
    pub fn of_sums(&self) -> usize {
        2 * self.batch * self.groups * (PARTS + 1)
    }
}

/// Rows of tokens.
#[derive(Debug, Clone, Copy)]
pub struct Rows {
    /// How many.
    pub rows: usize,
    /// Numbers of each.
    pub width: usize,
    /// Added to the variance.
    pub epsilon: f32,
}

impl Rows {
    /// Whether [`layer_norm()`] takes rows of this width.
    pub fn fit(&self) -> bool {
        self.width.is_multiple_of(WIDTH)
    }
}

#[cube]
fn total<N: Size>(vector: Vector<f32, N>) -> f32 {
    let mut sum = 0.0f32;
    #[unroll]
    for part in 0..WIDTH {
        sum += vector.extract(part);
    }
    sum
}

/// Sums of a part of a group and of its squares, of differences from the group's first number, so that few digits are lost.
#[cube(launch_unchecked, address_type = "dynamic")]
fn sum_parts<F: Float, N: Size>(
    values: &[Vector<F, N>],
    sums: &mut [f32],
    groups: usize,
    length: usize,
    #[define(F)] _numbers: ElemType,
) {
    let part = ABSOLUTE_POS % PARTS;
    let group = ABSOLUTE_POS / PARTS;
    if group >= groups {
        terminate!();
    }
    let first = group * length;
    let shift = Vector::new(f32::cast_from(values[first].extract(0usize)));
    let mut sum = Vector::<f32, N>::new(0.0f32);
    let mut squares = Vector::<f32, N>::new(0.0f32);
    for i in 0..(length + PARTS - 1 - part) / PARTS {
        let value = Vector::<f32, N>::cast_from(values[first + part + i * PARTS]) - shift;
        sum += value;
        squares = fma(value, value, squares);
    }
    sums[ABSOLUTE_POS * 2] = total::<N>(sum);
    sums[ABSOLUTE_POS * 2 + 1] = total::<N>(squares);
}

/// Mean and one over the deviation of each group, behind the sums of all parts.
#[cube(launch_unchecked, address_type = "dynamic")]
fn finish_sums<F: Float, N: Size>(
    values: &[Vector<F, N>],
    sums: &mut [f32],
    groups: usize,
    length: usize,
    epsilon: f32,
    #[define(F)] _numbers: ElemType,
) {
    let group = ABSOLUTE_POS;
    if group >= groups {
        terminate!();
    }
    let mut sum = 0.0f32;
    let mut squares = 0.0f32;
    for part in 0..PARTS {
        let at = (group * PARTS + part) * 2;
        sum += sums[at];
        squares += sums[at + 1];
    }
    let count = f32::cast_from(length * WIDTH);
    let shift = f32::cast_from(values[group * length].extract(0usize));
    let mean = sum / count;
    let variance = max(squares / count - mean * mean, 0.0f32);
    let at = (groups * PARTS + group) * 2;
    sums[at] = shift + mean;
    sums[at + 1] = 1.0f32 / (variance + epsilon).sqrt();
}

/// Some voxels of a channel. `length` is of a group and `voxels` of a channel, both in vectors.
#[cube(launch_unchecked, address_type = "dynamic")]
fn scale<F: Float, N: Size>(
    values: &[Vector<F, N>],
    sums: &[f32],
    weight: ComptimeOption<&[F]>,
    bias: ComptimeOption<&[F]>,
    result: &mut [Vector<F, N>],
    groups: usize,
    length: usize,
    voxels: usize,
    channels: usize,
    #[comptime] activation: Activation,
    #[define(F)] _numbers: ElemType,
) {
    let group = ABSOLUTE_POS / length;
    if group >= groups {
        terminate!();
    }
    let at = (groups * PARTS + group) * 2;
    let channel = ABSOLUTE_POS / voxels % channels;
    let mut factor = sums[at + 1];
    #[comptime]
    match &weight {
        ComptimeOption::Some(weight) => factor *= f32::cast_from(weight[channel]),
        ComptimeOption::None => {}
    }
    let mut shift = 0.0f32;
    #[comptime]
    match &bias {
        ComptimeOption::Some(bias) => shift = f32::cast_from(bias[channel]),
        ComptimeOption::None => {}
    }
    let value = Vector::<f32, N>::cast_from(values[ABSOLUTE_POS]) - Vector::new(sums[at]);
    let value = fma(value, Vector::new(factor), Vector::new(shift));
    result[ABSOLUTE_POS] = Vector::cast_from(activated::<N>(value, activation));
}

/// A row. `width` is in vectors.
#[cube(launch_unchecked, address_type = "dynamic")]
fn row<F: Float, N: Size>(
    values: &[Vector<F, N>],
    weight: &[Vector<F, N>],
    bias: ComptimeOption<&[Vector<F, N>]>,
    result: &mut [Vector<F, N>],
    rows: usize,
    width: usize,
    epsilon: f32,
    #[define(F)] _numbers: ElemType,
) {
    if ABSOLUTE_POS >= rows {
        terminate!();
    }
    let first = ABSOLUTE_POS * width;
    let count = f32::cast_from(width * WIDTH);
    let mut sum = Vector::<f32, N>::new(0.0f32);
    for i in 0..width {
        sum += Vector::cast_from(values[first + i]);
    }
    let mean = Vector::new(total::<N>(sum) / count);
    let mut squares = Vector::<f32, N>::new(0.0f32);
    for i in 0..width {
        let value = Vector::<f32, N>::cast_from(values[first + i]) - mean;
        squares = fma(value, value, squares);
    }
    let factor = Vector::new(1.0f32 / (total::<N>(squares) / count + epsilon).sqrt());
    for i in 0..width {
        let value = Vector::<f32, N>::cast_from(values[first + i]) - mean;
        let mut shift = Vector::<f32, N>::new(0.0f32);
        #[comptime]
        match &bias {
            ComptimeOption::Some(bias) => shift = Vector::cast_from(bias[i]),
            ComptimeOption::None => {}
        }
        let weight = Vector::<f32, N>::cast_from(weight[i]);
        result[first + i] = Vector::cast_from(fma(value, factor * weight, shift));
    }
}

/// `activation((values − mean) / √(variance + ε) · weight + bias)`, mean and variance being those of a group, of groups that
/// [`Groups::fit`].
///
/// # Shapes
/// - `values` and `result`: `[batch, group, channel, voxel]`
/// - `affine`: weights and biases, both `[group, channel]`
/// - `sums`: room, each time the same, for [`Groups::of_sums`], of single precision
pub fn group_norm(
    on: On<'_>,
    groups: Groups,
    values: impl Fn() -> BufferArg,
    affine: [Option<BufferArg>; 2],
    sums: impl Fn() -> BufferArg,
    result: BufferArg,
    activation: Activation,
) {
    assert!(groups.fit(), "{groups:?}");
    let voxels = groups.voxels / WIDTH;
    let length = groups.channels * voxels;
    let all = groups.batch * groups.groups;
    let [weight, bias] = affine;
    #[allow(
        unsafe_code,
        reason = "units beyond the last end, and what is read and written lies inside"
    )]
    unsafe {
        launch!(on, all * PARTS, sum_parts(values(), sums(), all, length));
        launch!(
            on,
            all,
            finish_sums(values(), sums(), all, length, groups.epsilon)
        );
        launch!(
            on,
            all * length,
            scale(
                values(),
                sums(),
                weight.into(),
                bias.into(),
                result,
                all,
                length,
                voxels,
                groups.groups * groups.channels,
                activation
            )
        );
    }
}

/// `(values − mean) / √(variance + ε) · weight + bias`, mean and variance being those of a row, of rows that [`Rows::fit`].
///
/// # Shapes
/// - `values` and `result`: `[row, width]`; `weight` and `bias`: `[width]`
pub fn layer_norm(
    on: On<'_>,
    rows: Rows,
    values: BufferArg,
    weight: BufferArg,
    bias: Option<BufferArg>,
    result: BufferArg,
) {
    assert!(rows.fit(), "{rows:?}");
    #[allow(
        unsafe_code,
        reason = "units beyond the last end, and what is read and written lies inside"
    )]
    unsafe {
        launch!(
            on,
            rows.rows,
            row(
                values,
                weight,
                bias.into(),
                result,
                rows.rows,
                rows.width / WIDTH,
                rows.epsilon
            )
        );
    }
}
