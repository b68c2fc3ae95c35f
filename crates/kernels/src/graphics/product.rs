//! Products of matrices without matrix units or memory that units share: each unit holds a tile of the result in its registers.
//!
//! Burn's kernel for such devices stages its operands in shared memory, which a graphics processor in software has to imitate.

use super::activation::activated;
use super::{On, WIDTH};
use crate::Activation;
use cubecl::ir::ElemType;
use cubecl::prelude::*;

/// Rows of a tile.
const ROWS: usize = 8;
/// Vectors of a tile's row.
const VECTORS: usize = 2;

/// What is multiplied: `[row, inner] · [inner, column]`.
#[derive(Debug, Clone, Copy)]
pub struct Matrices {
    /// Rows of the first and of the result.
    pub rows: usize,
    /// Columns of the first, rows of the second.
    pub inner: usize,
    /// Columns of the second and of the result.
    pub columns: usize,
}

impl Matrices {
    /// Whether [`product()`] takes matrices of these sizes.
    pub fn fit(&self) -> bool {
        self.inner.is_multiple_of(WIDTH) && self.columns.is_multiple_of(VECTORS * WIDTH)
    }
}

/// What is added to the result.
pub enum Bias {
    /// A number for each row.
    OfRows(BufferArg),
    /// A number for each column.
    OfColumns(BufferArg),
}

/// A tile of the result. All buffers hold rows one after the other.
#[cube(launch_unchecked, address_type = "dynamic")]
fn tile<F: Float, N: Size>(
    first: &[Vector<F, N>],
    second: &[Vector<F, N>],
    bias: ComptimeOption<&[F]>,
    result: &mut [Vector<F, N>],
    rows: usize,
    inner: usize,
    columns: usize,
    #[comptime] is_bias_of_rows: bool,
    #[comptime] activation: Activation,
    #[define(F)] _numbers: ElemType,
) {
    let across = columns / VECTORS;
    let column = ABSOLUTE_POS % across * VECTORS;
    let row = ABSOLUTE_POS / across * ROWS;
    if row >= rows {
        terminate!();
    }
    let mut sums = Array::<Vector<f32, N>>::new(comptime!(ROWS * VECTORS));
    #[unroll]
    for i in 0..ROWS * VECTORS {
        sums[i] = Vector::new(0.0f32);
    }
    let mut starts = Array::<usize>::new(ROWS);
    #[unroll]
    for i in 0..ROWS {
        // Rows beyond the last are computed as that one, and not written.
        starts[i] = min(row + i, rows - 1) * inner;
    }
    let mut at = column;
    let mut values = Array::<Vector<f32, N>>::new(ROWS);
    for k in 0..inner {
        #[unroll]
        for i in 0..ROWS {
            values[i] = Vector::cast_from(first[starts[i] + k]);
        }
        #[unroll]
        for part in 0..WIDTH {
            #[unroll]
            for j in 0..VECTORS {
                let weight = Vector::<f32, N>::cast_from(second[at + j]);
                #[unroll]
                for i in 0..ROWS {
                    let value = Vector::new(values[i].extract(part));
                    sums[i * VECTORS + j] = fma(value, weight, sums[i * VECTORS + j]);
                }
            }
            at += columns;
        }
    }
    #[unroll]
    for i in 0..ROWS {
        if row + i < rows {
            #[unroll]
            for j in 0..VECTORS {
                let mut sum = sums[i * VECTORS + j];
                #[comptime]
                match &bias {
                    ComptimeOption::Some(bias) => {
                        if is_bias_of_rows {
                            sum += Vector::new(f32::cast_from(bias[row + i]));
                        } else {
                            #[unroll]
                            for part in 0..WIDTH {
                                let shift = f32::cast_from(bias[(column + j) * WIDTH + part]);
                                sum.insert(part, sum.extract(part) + shift);
                            }
                        }
                    }
                    ComptimeOption::None => {}
                }
                result[(row + i) * columns + column + j] =
                    Vector::cast_from(activated::<N>(sum, activation));
            }
        }
    }
}

/// `activation(first · second + bias)` into a buffer for `[row, column]`, of sizes that [`Matrices::fit`].
pub fn product(
    on: On<'_>,
    matrices: Matrices,
    first: BufferArg,
    second: BufferArg,
    bias: Option<Bias>,
    result: BufferArg,
    activation: Activation,
) {
    let Matrices {
        rows,
        inner,
        columns,
    } = matrices;
    let is_bias_of_rows = matches!(bias, Some(Bias::OfRows(_)));
    let bias = bias.map(|(Bias::OfRows(bias) | Bias::OfColumns(bias))| bias);
    assert!(matrices.fit(), "{matrices:?}");
    let units = rows.div_ceil(ROWS) * (columns / WIDTH / VECTORS);
    #[allow(
        unsafe_code,
        reason = "what is read and written lies within: `fit` was asked, rows beyond the last are not"
    )]
    unsafe {
        launch!(
            on,
            units,
            tile(
                first,
                second,
                bias.into(),
                result,
                rows,
                inner / WIDTH,
                columns / WIDTH,
                is_bias_of_rows,
                activation
            )
        );
    }
}
