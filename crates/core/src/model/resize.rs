//! Changing the size of feature maps.
//!
//! Along one axis, interpolation and averaging are small matrices; a map is resized by one matrix
//! product per axis, which every backend has and can differentiate.

use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_volume::AxisWeights;

/// Trilinear interpolation to `size`, corners not aligned.
///
/// # Shapes
/// - `x`: `[batch, channel, slice, row, column]`
/// - returns: `[batch, channel]` and `size`
pub fn trilinear(x: Tensor<5>, size: [usize; 3]) -> Tensor<5> {
    resize(x, size, linear_weights)
}

/// Adaptive averaging to `size`: cell i of n covers the samples that its share of the axis touches.
///
/// # Shapes
/// - `x`: `[batch, channel, slice, row, column]`
/// - returns: `[batch, channel]` and `size`
pub fn adaptive_average(x: Tensor<5>, size: [usize; 3]) -> Tensor<5> {
    resize(x, size, average_weights)
}

fn resize(
    mut x: Tensor<5>,
    size: [usize; 3],
    weights: fn(usize, usize, &Device) -> Tensor<2>,
) -> Tensor<5> {
    let device = x.device();
    for (index, &to) in size.iter().enumerate() {
        let axis = index + 2;
        let mut shape = x.dims();
        if shape[axis] == to {
            continue;
        }
        let weights = weights(shape[axis], to, &device).cast(x.dtype());
        let outer = shape[..axis].iter().product();
        let inner: usize = shape[axis + 1..].iter().product();
        let from = shape[axis];
        shape[axis] = to;
        x = if inner == 1 {
            x.reshape([outer, from])
                .matmul(weights.swap_dims(0, 1))
                .reshape(shape)
        } else {
            weights
                .unsqueeze::<3>()
                .matmul(x.reshape([outer, from, inner]))
                .reshape(shape)
        };
    }
    x
}

/// Linear interpolation from `from` to `to` samples.
///
/// # Shapes
/// returns: `[to, from]`
fn linear_weights(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0f32; to * from];
    let along = AxisWeights::new(from, to);
    for target in 0..to {
        for (source, share) in along.neighbours(target) {
            weights[target * from + source] += share;
        }
    }
    Tensor::from_data(TensorData::new(weights, [to, from]), device)
}

/// Means of the samples from `floor(i · from / to)` up to `ceil((i + 1) · from / to)`.
///
/// # Shapes
/// returns: `[to, from]`
fn average_weights(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0f32; to * from];
    for target in 0..to {
        let begin = target * from / to;
        let end = ((target + 1) * from).div_ceil(to);
        weights[target * from + begin..target * from + end].fill(1.0 / (end - begin) as f32);
    }
    Tensor::from_data(TensorData::new(weights, [to, from]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(values: &[f32]) -> Tensor<5> {
        Tensor::<1>::from_floats(values, &Device::flex()).reshape([1, 1, 1, values.len(), 1])
    }

    fn values(x: Tensor<5>) -> Vec<f32> {
        x.into_data().iter::<f32>().collect()
    }

    /// By hand, as `torch.nn.functional.interpolate(align_corners=False)`: [0, 1] to four
    /// samples gives 0, 0.25, 0.75, 1.
    #[test]
    fn interpolation_does_not_align_corners() {
        let y = trilinear(column(&[0.0, 1.0]), [1, 4, 1]);
        assert_eq!(values(y), [0.0, 0.25, 0.75, 1.0]);
    }

    /// By hand: five samples to three cells cover 0–1, 1–3 and 3–4; two to three cover 0, 0–1, 1.
    #[test]
    fn averaging_covers_what_a_cell_touches() {
        let y = adaptive_average(column(&[0.0, 2.0, 4.0, 8.0, 16.0]), [1, 3, 1]);
        let expected = [1.0, 14.0 / 3.0, 12.0];
        for (a, b) in values(y).iter().zip(expected) {
            assert!((a - b).abs() < 1e-6);
        }
        let y = adaptive_average(column(&[1.0, 3.0]), [1, 3, 1]);
        assert_eq!(values(y), [1.0, 2.0, 3.0]);
    }

    #[test]
    fn each_axis_has_its_own_size() {
        let x = Tensor::<5>::ones([2, 3, 2, 3, 4], &Device::flex());
        let y = trilinear(x, [3, 5, 2]);
        assert_eq!(y.dims(), [2, 3, 3, 5, 2]);
        assert!(values(y).iter().all(|v| (v - 1.0).abs() < 1e-6));
    }
}
