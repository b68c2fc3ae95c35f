//! Convolutions of 3×3×3 without memory that units share: each unit holds some places of a row, of several channels, in its registers.

use super::{On, WIDTH};
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// Places of a row that a unit computes.
const PLACES: usize = 8;
/// Vectors of channels that a unit computes.
const VECTORS: usize = 2;
const KERNEL: usize = 3;

/// What is convolved, with zeros around it.
#[derive(Debug, Clone, Copy)]
pub struct Volumes {
    /// How many.
    pub batch: usize,
    /// Channels of each.
    pub inputs: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Slices, rows and columns.
    pub shape: [usize; 3],
    /// Of rows and columns.
    pub stride: usize,
}

impl Volumes {
    /// Whether [`convolve()`] takes volumes of these channels and this stride.
    pub fn fit(&self) -> bool {
        self.outputs.is_multiple_of(VECTORS * WIDTH) && (1..=2).contains(&self.stride)
    }

    /// Slices, rows and columns of the result.
    pub fn result_shape(&self) -> [usize; 3] {
        let [slices, rows, columns] = self.shape;
        [
            slices,
            rows.div_ceil(self.stride),
            columns.div_ceil(self.stride),
        ]
    }
}

/// Sizes of a convolution, of which a unit needs all.
#[derive(CubeType, CubeLaunch, Clone)]
struct Sizes {
    batch: usize,
    inputs: usize,
    /// In vectors.
    outputs: usize,
    slices: usize,
    rows: usize,
    columns: usize,
    result_rows: usize,
    result_columns: usize,
}

/// Some places of a row. `weight` is `[input, slice, row, column, output]`.
#[cube(launch_unchecked, address_type = "dynamic")]
fn stretch<F: Float, N: Size>(
    values: &[F],
    weight: &[Vector<F, N>],
    bias: ComptimeOption<&[Vector<F, N>]>,
    result: &mut [F],
    sizes: Sizes,
    #[comptime] stride: usize,
    #[define(F)] _numbers: ElemType,
) {
    let stretches = sizes.result_columns.div_ceil(PLACES);
    let mut rest = ABSOLUTE_POS;
    let first = rest % stretches * PLACES;
    rest /= stretches;
    let row = rest % sizes.result_rows;
    rest /= sizes.result_rows;
    let slice = rest % sizes.slices;
    rest /= sizes.slices;
    let groups = sizes.outputs / VECTORS;
    let output = rest % groups * VECTORS;
    let volume = rest / groups;
    if volume >= sizes.batch {
        terminate!();
    }
    let reach = comptime!((PLACES - 1) * stride + KERNEL);
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(PLACES * VECTORS));
    #[unroll]
    for i in 0..PLACES * VECTORS {
        sums[i] = Vector::new(0.0f32);
    }
    let mut seen = Array::<f32>::new(reach);
    for input in 0..sizes.inputs {
        for from_slice in 0..KERNEL {
            // One more than the place, as numbers without sign begin at zero.
            let z = slice + from_slice;
            for from_row in 0..KERNEL {
                let y = row * stride + from_row;
                if z > 0 && z <= sizes.slices && y > 0 && y <= sizes.rows {
                    let line =
                        (((volume * sizes.inputs + input) * sizes.slices + z - 1) * sizes.rows + y
                            - 1)
                            * sizes.columns;
                    #[unroll]
                    for i in 0..reach {
                        let x = first * stride + i;
                        let is_inside = x > 0 && x <= sizes.columns;
                        let at = max(min(x, sizes.columns), 1) - 1;
                        seen[i] = select(is_inside, f32::cast_from(values[line + at]), 0.0f32);
                    }
                    let at = ((input * KERNEL + from_slice) * KERNEL + from_row)
                        * KERNEL
                        * sizes.outputs
                        + output;
                    #[unroll]
                    for from_column in 0..KERNEL {
                        #[unroll]
                        for j in 0..VECTORS {
                            let weight = weight[at + from_column * sizes.outputs + j];
                            let weight = Vector::<f32, N>::cast_from(weight);
                            #[unroll]
                            for i in 0..PLACES {
                                let value = Vector::new(seen[i * stride + from_column]);
                                sums[i * VECTORS + j] = fma(value, weight, sums[i * VECTORS + j]);
                            }
                        }
                    }
                }
            }
        }
    }
    let channel = sizes.slices * sizes.result_rows * sizes.result_columns;
    let line = (slice * sizes.result_rows + row) * sizes.result_columns + first;
    #[unroll]
    for j in 0..VECTORS {
        let mut shift = Vector::new(0.0f32);
        #[comptime]
        match &bias {
            ComptimeOption::Some(bias) => shift = Vector::cast_from(bias[output + j]),
            ComptimeOption::None => {}
        }
        #[unroll]
        for i in 0..PLACES {
            if first + i < sizes.result_columns {
                let sum = sums[i * VECTORS + j] + shift;
                #[unroll]
                for part in 0..WIDTH {
                    let of = volume * sizes.outputs * WIDTH + (output + j) * WIDTH + part;
                    result[of * channel + line + i] = F::cast_from(sum.extract(part));
                }
            }
        }
    }
}

/// A convolution into a buffer for `[batch, output, slice, row, column]`, of volumes that [`Volumes::fit`]. `weight` is
/// `[input, slice, row, column, output]`.
pub fn convolve(
    on: On<'_>,
    volumes: Volumes,
    values: BufferArg,
    weight: BufferArg,
    bias: Option<BufferArg>,
    result: BufferArg,
) {
    assert!(volumes.fit(), "{volumes:?}");
    let Volumes {
        batch,
        inputs,
        outputs,
        shape: [slices, rows, columns],
        stride,
    } = volumes;
    let [_, result_rows, result_columns] = volumes.result_shape();
    let outputs = outputs / WIDTH;
    let stretches = result_columns.div_ceil(PLACES);
    let units = batch * (outputs / VECTORS) * slices * result_rows * stretches;
    let sizes = SizesLaunch::new(
        batch,
        inputs,
        outputs,
        slices,
        rows,
        columns,
        result_rows,
        result_columns,
    );
    #[allow(
        unsafe_code,
        reason = "what is read is clamped to the volume, what is written lies in the result"
    )]
    unsafe {
        launch!(
            on,
            units,
            stretch(values, weight, bias.into(), result, sizes, stride)
        );
    }
}
