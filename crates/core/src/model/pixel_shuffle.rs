//! Rearrangement between channels and in-plane resolution; slices stay as they are.

use super::step;
use burn::tensor::Tensor;
use tracing::trace_span;

/// Spreads `factor²` channels over a finer grid of rows and columns.
///
/// # Shapes
/// - `x`: `[batch, channel * factor * factor, slice, row, column]`
/// - returns: `[batch, channel, slice, row * factor, column * factor]`
pub fn pixel_shuffle(x: Tensor<5>, factor: usize) -> Tensor<5> {
    step::pixel_shuffle(x, factor)
}

/// The inverse of [`pixel_shuffle`]: nothing is lost, as a strided convolution would.
///
/// # Shapes
/// - `x`: `[batch, channel, slice, row, column]`, rows and columns multiples of `factor`
/// - returns: `[batch, channel * factor * factor, slice, row / factor, column / factor]`
pub fn pixel_unshuffle(x: Tensor<5>, factor: usize) -> Tensor<5> {
    let _span = trace_span!("shuffle").entered();
    let [batch, channels, depth, height, width] = x.dims();
    let (rows, columns) = (height / factor, width / factor);
    x.reshape([batch, channels, depth, rows, factor, columns, factor])
        .permute([0, 1, 4, 6, 2, 3, 5]) // [b, c, r, r, d, h, w]
        .reshape([batch, channels * factor * factor, depth, rows, columns])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Distribution};

    #[test]
    fn shuffle_undoes_unshuffle() {
        let device = Device::flex();
        let x = Tensor::<5>::random([2, 3, 2, 4, 6], Distribution::Default, &device);
        let there = pixel_unshuffle(x.clone(), 2);
        assert_eq!(there.dims(), [2, 12, 2, 2, 3]);
        pixel_shuffle(there, 2)
            .into_data()
            .assert_eq(&x.into_data(), true);
    }

    /// By hand: the channels of one position are its four pixels, row by row.
    #[test]
    fn channels_are_the_pixels_of_a_cell() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([0.0, 1.0, 2.0, 3.0], &device).reshape([1, 4, 1, 1, 1]);
        let y = pixel_shuffle(x, 2).reshape([4]).into_data();
        y.assert_eq(
            &burn::tensor::TensorData::from([0.0f32, 1.0, 2.0, 3.0]),
            true,
        );
    }
}
