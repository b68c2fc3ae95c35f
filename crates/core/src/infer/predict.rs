//! Scores of a whole volume from windows.

use super::InferError;
use super::blend::ScoreVolume;
use super::windows::Blending;
use burn::tensor::{Device, Tensor, TensorData};

/// How a volume is cut into windows.
#[derive(Clone, Copy, Debug)]
pub struct Windowing {
    /// Edge of a window, `[slice, row, column]`.
    pub window: [usize; 3],
    /// Fraction by which neighbours overlap.
    pub overlap: f32,
    /// How they are laid and joined.
    pub blending: Blending,
    /// Whether each is also scored with its slices in reverse, and both answers averaged.
    pub mirroring: bool,
}

/// Scores every window of a prepared volume (`[channel, slice, row, column]`; `shape` is that of a
/// channel) with `score` and blends the logits.
///
/// Every window has the same shape; a volume smaller than the window lies in its middle, with
/// zeros (the mean intensity) around it. So a device compiles its programs once, and training
/// and inference see the same borders. `score` is given a window `[1, channel, slice, row,
/// column]`, its number from 1 and how many there are, a mirrored one counted by itself; it returns
/// logits, flattened.
///
/// # Shapes
/// returns: logits `[class, slice, row, column]` of the volume, flattened
///
/// # Errors
/// What `score` returns, and [`InferError::NotFinite`].
pub async fn predict(
    num_classes: usize,
    voxels: &[f32],
    shape: [usize; 3],
    windowing: Windowing,
    device: &Device,
    mut score: impl AsyncFnMut(Tensor<5>, usize, usize) -> Result<Vec<f32>, InferError>,
) -> Result<Vec<f32>, InferError> {
    let Windowing {
        window,
        overlap,
        blending,
        mirroring,
    } = windowing;
    let starts: [Vec<usize>; 3] =
        std::array::from_fn(|axis| blending.starts(shape[axis], window[axis], overlap));
    let margin: [usize; 3] =
        std::array::from_fn(|axis| window[axis].saturating_sub(shape[axis]) / 2);
    let passes: &[bool] = if mirroring { &[false, true] } else { &[false] };
    let windows = passes.len() * starts.iter().map(Vec::len).product::<usize>();
    let channel_voxels = shape.iter().product::<usize>();
    let num_channels = voxels.len() / channel_voxels;
    assert_eq!(
        voxels.len(),
        num_channels * channel_voxels,
        "values of whole channels of shape {shape:?}"
    );
    let mut scores = ScoreVolume::new(shape, num_classes, window, blending);
    let mut number = 0;
    for &z in &starts[0] {
        for &y in &starts[1] {
            for &x in &starts[2] {
                let start = [z, y, x];
                let cut: Vec<f32> = voxels
                    .chunks_exact(channel_voxels)
                    .flat_map(|channel| cut_window(channel, shape, start, margin, window))
                    .collect();
                for &is_mirrored in passes {
                    number += 1;
                    let mut input = cut.clone();
                    if is_mirrored {
                        reverse_slices(&mut input, window);
                    }
                    let [d, h, w] = window;
                    let input = TensorData::new(input, [1, num_channels, d, h, w]);
                    let input = Tensor::from_data(input, device);
                    let mut logits = score(input, number, windows).await?;
                    if is_mirrored {
                        reverse_slices(&mut logits, window);
                    }
                    // Another window at the same place: blending takes the mean.
                    if !scores.add(&logits, start, margin) {
                        return Err(InferError::NotFinite {
                            window: number,
                            windows,
                        });
                    }
                }
            }
        }
    }
    Ok(scores.into_scores())
}

/// Reads values from the device.
pub(crate) async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, InferError> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| InferError::Device(format!("{error:?}")))?;
    Ok(data.iter::<f32>().collect())
}

/// Turns the order of slices of every channel or class, `[channel, slice, row, column]`.
fn reverse_slices(values: &mut [f32], [depth, height, width]: [usize; 3]) {
    let plane = height * width;
    for channel in values.chunks_exact_mut(depth * plane) {
        for slice in 0..depth / 2 {
            let (front, back) = channel.split_at_mut((depth - 1 - slice) * plane);
            front[slice * plane..][..plane].swap_with_slice(&mut back[..plane]);
        }
    }
}

/// A channel's voxels of a window, zero where it hangs over the volume.
///
/// # Shapes
/// returns: `[slice, row, column]` of the window, flattened
fn cut_window(
    voxels: &[f32],
    shape: [usize; 3],
    start: [usize; 3],
    margin: [usize; 3],
    window: [usize; 3],
) -> Vec<f32> {
    let mut values = vec![0.0; window.iter().product()];
    let extent: [usize; 3] =
        std::array::from_fn(|axis| (shape[axis] - start[axis]).min(window[axis] - margin[axis]));
    for z in 0..extent[0] {
        for y in 0..extent[1] {
            let from = ((start[0] + z) * shape[1] + start[1] + y) * shape[2] + start[2];
            let to = ((margin[0] + z) * window[1] + margin[1] + y) * window[2] + margin[2];
            values[to..to + extent[2]].copy_from_slice(&voxels[from..from + extent[2]]);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: the score of a voxel is its value plus ten times its slice in the window, so that the mean of both
    /// directions has ten times the middle of the window.
    #[test]
    fn mirrored_answers_are_turned_back_and_averaged() {
        let windowing = Windowing {
            window: [3, 1, 2],
            overlap: 0.0,
            blending: Blending::Mean,
            mirroring: true,
        };
        let mut numbers = Vec::new();
        let scores = pollster::block_on(predict(
            1,
            &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
            [3, 1, 2],
            windowing,
            &Device::flex(),
            async |input, number, of| {
                numbers.push((number, of));
                let values: Vec<f32> = input.into_data().iter().collect();
                let slice = |voxel: usize| (voxel / 2) as f32;
                Ok((0..6)
                    .map(|voxel| values[voxel] + 10.0 * slice(voxel))
                    .collect())
            },
        ))
        .unwrap();
        assert_eq!(scores, [11.0, 12.0, 13.0, 14.0, 15.0, 16.0]);
        assert_eq!(numbers, [(1, 2), (2, 2)]);
    }
}
