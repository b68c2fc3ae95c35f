//! Multi-slice embedding: neighbouring slices become the channels of a 2-D image.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What stands in for the neighbours that an end slice does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndSlices {
    /// The end slice once more: our own presets.
    Repeat,
    /// Zeros: stage 2 of the release.
    Zero,
}

/// Stacks every slice with its neighbours as channels.
///
/// Of a volume of several channels, such as the four sequences of BraTS, each keeps its neighbours together: with one
/// neighbour on either side, channels are `0₋ 0 0₊ 1₋ 1 1₊ …`, so that four make twelve.
///
/// # Shapes
/// - `volume`: `[batch, channel, slice, row, column]`
/// - returns: `[batch * slice, channel * (2 * num_neighbours + 1), row, column]`, of each channel from the slice
///   before to the slice after
///
/// Source: paper, section 2.1 (slices d−1, d, d+1). Repeating the end slice is our choice: in the
/// release the missing slice is black before normalisation in stage 1 and zero after it in stage
/// 2, which are two different grey values. The order of several channels is our choice too.
pub fn stack_neighbours(volume: Tensor<5>, num_neighbours: usize, ends: EndSlices) -> Tensor<4> {
    let [batch, channels, depth, height, width] = volume.dims();
    let slices = volume.swap_dims(1, 2); // [b, d, c, h, w]
    if num_neighbours == 0 {
        return slices.reshape([batch * depth, channels, height, width]);
    }
    let end_slice = |index| {
        let slice = slices.clone().narrow(1, index, 1);
        match ends {
            EndSlices::Repeat => slice,
            EndSlices::Zero => slice.zeros_like(),
        }
    };
    let (first, last) = (end_slice(0), end_slice(depth - 1));
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
    let stacked = channels * (2 * num_neighbours + 1);
    Tensor::stack::<6>(shifted, 3) // [b, d, c, k, h, w]
        .reshape([batch * depth, stacked, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    /// By hand: three 1x1 slices 1, 2, 3 with one neighbour each.
    #[test]
    fn end_slices_are_repeated_or_zero() {
        let device = Device::flex();
        let volume = Tensor::<1>::from_floats([1.0, 2.0, 3.0], &device).reshape([1, 1, 3, 1, 1]);
        let stacked = |ends| -> Vec<f32> {
            let data = stack_neighbours(volume.clone(), 1, ends).into_data();
            data.iter().collect()
        };
        let repeated = [1.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 3.0];
        assert_eq!(stacked(EndSlices::Repeat), repeated);
        let zero = [0.0, 1.0, 2.0, 1.0, 2.0, 3.0, 2.0, 3.0, 0.0];
        assert_eq!(stacked(EndSlices::Zero), zero);
    }

    /// By hand: two channels of two 1x1 slices, 1, 2 and 10, 20.
    #[test]
    fn every_channel_keeps_its_neighbours_together() {
        let device = Device::flex();
        let volume = Tensor::<1>::from_floats([1.0, 2.0, 10.0, 20.0], &device);
        let stacked = stack_neighbours(volume.reshape([1, 2, 2, 1, 1]), 1, EndSlices::Repeat);
        assert_eq!(stacked.dims(), [2, 6, 1, 1]);
        let values: Vec<f32> = stacked.into_data().iter().collect();
        let expected = [
            [1.0, 1.0, 2.0, 10.0, 10.0, 20.0],
            [1.0, 2.0, 2.0, 10.0, 20.0, 20.0],
        ];
        assert_eq!(values, expected.as_flattened());
    }

    #[test]
    fn one_slice_is_its_own_neighbour() {
        let device = Device::flex();
        let volume = Tensor::<5>::ones([2, 1, 1, 4, 4], &device);
        assert_eq!(
            stack_neighbours(volume, 2, EndSlices::Repeat).dims(),
            [2, 5, 4, 4]
        );
    }
}
