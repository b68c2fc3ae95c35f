//! Small kernels, one for each channel, over grids whose channels lie side by side: one program instead of three for each place of a kernel.

use super::{On, WIDTH};
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// What is convolved, with zeros around it: `[batch, slice, row, column, channel]`.
#[derive(Debug, Clone, Copy)]
pub struct Grids {
    /// How many.
    pub batch: usize,
    /// Slices, rows and columns.
    pub shape: [usize; 3],
    /// Of each place.
    pub channels: usize,
    /// Odd edges of the kernels, of slices, rows and columns.
    pub kernel: [usize; 3],
}

impl Grids {
    /// Whether [`depthwise()`] takes grids of so many channels.
    pub fn fit(&self) -> bool {
        self.channels.is_multiple_of(WIDTH)
    }
}

/// Some channels of a place. `channels` is in vectors, as are all buffers; `weight` is `[place of the kernel, channel]`.
#[cube(launch_unchecked, address_type = "dynamic")]
fn place<F: Float, N: Size>(
    grid: &[Vector<F, N>],
    weight: &[Vector<F, N>],
    bias: &[Vector<F, N>],
    result: &mut [Vector<F, N>],
    batch: usize,
    slices: usize,
    rows: usize,
    columns: usize,
    channels: usize,
    #[comptime] kernel: [usize; 3],
    #[define(F)] _numbers: ElemType,
) {
    if ABSOLUTE_POS >= batch * slices * rows * columns * channels {
        terminate!();
    }
    let channel = ABSOLUTE_POS % channels;
    let mut rest = ABSOLUTE_POS / channels;
    let column = rest % columns;
    rest /= columns;
    let row = rest % rows;
    rest /= rows;
    let slice = rest % slices;
    let first = rest / slices * slices;
    let [kernel_slices, kernel_rows, kernel_columns] = comptime!(kernel);
    let mut sum = Vector::<f32, N>::cast_from(bias[channel]);
    // Places are those of the padded grid, as numbers without sign begin at zero.
    for from_slice in 0..kernel_slices {
        let z = slice + from_slice;
        for from_row in 0..kernel_rows {
            let y = row + from_row;
            for from_column in 0..kernel_columns {
                let x = column + from_column;
                let is_inside = z >= kernel_slices / 2
                    && z < slices + kernel_slices / 2
                    && y >= kernel_rows / 2
                    && y < rows + kernel_rows / 2
                    && x >= kernel_columns / 2
                    && x < columns + kernel_columns / 2;
                if is_inside {
                    let line = (first + z - kernel_slices / 2) * rows + y - kernel_rows / 2;
                    let at = (line * columns + x - kernel_columns / 2) * channels + channel;
                    let offset =
                        (from_slice * kernel_rows + from_row) * kernel_columns + from_column;
                    let value = Vector::cast_from(grid[at]);
                    let weight = Vector::cast_from(weight[offset * channels + channel]);
                    sum = fma(value, weight, sum);
                }
            }
        }
    }
    result[ABSOLUTE_POS] = Vector::cast_from(sum);
}

/// A convolution into a buffer for the same sizes, of grids that [`Grids::fit`]. `weight` is `[place of the kernel, channel]`.
pub fn depthwise(
    on: On<'_>,
    grids: Grids,
    grid: BufferArg,
    weight: BufferArg,
    bias: BufferArg,
    result: BufferArg,
) {
    assert!(grids.fit(), "{grids:?}");
    let Grids {
        batch,
        shape: [slices, rows, columns],
        channels,
        kernel,
    } = grids;
    let channels = channels / WIDTH;
    let units = batch * slices * rows * columns * channels;
    #[allow(
        unsafe_code,
        reason = "units beyond the last end, and what is read lies inside"
    )]
    unsafe {
        launch!(
            on,
            units,
            place(
                grid, weight, bias, result, batch, slices, rows, columns, channels, kernel
            )
        );
    }
}
