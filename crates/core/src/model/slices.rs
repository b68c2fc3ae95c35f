//! Multi-slice embedding: neighbouring slices become the channels of a 2-D image.

use burn::tensor::Tensor;

/// Stacks every slice with its neighbours as channels; beyond an end the end slice is repeated.
///
/// # Shapes
/// - `volume`: `[batch, 1, slice, row, column]`
/// - returns: `[batch * slice, 2 * num_neighbours + 1, row, column]`, channels from the slice
///   before to the slice after
///
/// Source: paper, section 2.1 (slices d−1, d, d+1). Repeating the end slice is our choice; the
/// release leaves a black one, which becomes another grey value after normalisation.
pub fn stack_neighbours(volume: Tensor<5>, num_neighbours: usize) -> Tensor<4> {
    let [batch, channels, depth, height, width] = volume.dims();
    assert_eq!(channels, 1, "a volume has one channel, found {channels}");
    let slices = volume.reshape([batch, depth, height, width]);
    if num_neighbours == 0 {
        return slices.reshape([batch * depth, 1, height, width]);
    }
    let first = slices.clone().narrow(1, 0, 1);
    let last = slices.clone().narrow(1, depth - 1, 1);
    let padded = Tensor::cat(
        vec![
            first.repeat_dim(1, num_neighbours),
            slices,
            last.repeat_dim(1, num_neighbours),
        ],
        1,
    );
    let shifted = (0..=2 * num_neighbours)
        .map(|offset| padded.clone().narrow(1, offset, depth))
        .collect();
    Tensor::stack::<5>(shifted, 2) // [b, d, k, h, w]
        .reshape([batch * depth, 2 * num_neighbours + 1, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// By hand: three 1x1 slices 1, 2, 3 with one neighbour each.
    #[test]
    fn end_slices_are_repeated() {
        let device = Device::flex();
        let volume = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).reshape([1, 1, 3, 1, 1]);
        let stacked = stack_neighbours(volume, 1).into_data();
        stacked.assert_eq(
            &burn::tensor::TensorData::new(
                vec![1.0f32, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 3.0],
                [3, 3, 1, 1],
            ),
            true,
        );
    }

    #[test]
    fn one_slice_is_its_own_neighbour() {
        let device = Device::flex();
        let volume = Tensor::<5>::ones([2, 1, 1, 4, 4], &device);
        assert_eq!(stack_neighbours(volume, 2).dims(), [2, 5, 4, 4]);
    }
}
