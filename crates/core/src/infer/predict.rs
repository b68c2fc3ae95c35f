//! Logits of a whole volume from windows.

use super::InferError;
use super::slab::Slab;
use super::windows::Windowing;
use burn::tensor::Tensor;
use futures_util::stream::{StreamExt, iter};
use std::pin::pin;

/// Takes every window of a prepared volume (`[channel, slice, row, column]`; `shape` is that of a
/// channel) to its logits and blends them.
///
/// Every window has the same shape; a volume smaller than the window lies in its middle, with
/// what [`Windowing::beyond`] says around it. So a device compiles its programs once, and training
/// and inference see the same borders. `logits_of` is given a window `[channel, slice, row, column]`, flattened, and its
/// number from 1; it returns logits, flattened. So many windows as `at_a_time` says are under way together. `finished` is
/// given each slice of the volume, in order, as soon as no later window reaches it: its logits `[class, row, column]`.
///
/// Returns the number of windows.
///
/// # Errors
/// What the two return, and [`InferError::NotFinite`].
pub async fn predict(
    num_classes: usize,
    voxels: &[f32],
    shape: [usize; 3],
    windowing: Windowing,
    at_a_time: usize,
    logits_of: impl AsyncFn(Vec<f32>, usize) -> Result<Vec<f32>, InferError>,
    mut finished: impl FnMut(&[f32]) -> Result<(), InferError>,
) -> Result<usize, InferError> {
    let Windowing {
        window,
        blending,
        beyond,
        ..
    } = windowing;
    let starts = windowing.starts(shape);
    let margin: [usize; 3] =
        std::array::from_fn(|axis| window[axis].saturating_sub(shape[axis]) / 2);
    let windows = starts.iter().map(Vec::len).product::<usize>();
    let channel_voxels = shape.iter().product::<usize>();
    let num_channels = voxels.len() / channel_voxels;
    assert_eq!(
        voxels.len(),
        num_channels * channel_voxels,
        "values of whole channels of shape {shape:?}"
    );
    let channels: Vec<(&[f32], f32)> = voxels
        .chunks_exact(channel_voxels)
        .map(|channel| (channel, beyond.value(channel)))
        .collect();
    let [planes, rows, columns] = &starts;
    let in_order = planes.iter().flat_map(|&z| {
        let of_row = move |&y| columns.iter().map(move |&x| [z, y, x]);
        rows.iter().flat_map(of_row)
    });
    let logits_of = &logits_of;
    let under_way = iter(in_order.zip(1..)).map(async |(start, number)| {
        let input = channels
            .iter()
            .flat_map(|&(channel, beyond)| {
                cut_window(channel, beyond, shape, start, margin, window)
            })
            .collect();
        logits_of(input, number)
            .await
            .map(|logits| (start, number, logits))
    });
    let mut done = pin!(under_way.buffered(at_a_time));
    let mut slab = Slab::new(shape, num_classes, window, blending);
    while let Some(logits) = done.next().await {
        let (start, number, logits) = logits?;
        if !slab.add(&logits, start, margin) {
            return Err(InferError::NotFinite {
                window: number,
                windows,
            });
        }
        if number % (rows.len() * columns.len()) == 0 {
            let next = planes.get(number / (rows.len() * columns.len()));
            for slice in slab.finish(next.copied().unwrap_or(shape[0])) {
                finished(&slice)?;
            }
        }
    }
    Ok(windows)
}

/// Reads values from the device.
pub(crate) async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, InferError> {
    let data = tensor
        .into_data_async()
        .await
        .map_err(|error| InferError::Device(format!("{error:?}")))?;
    Ok(data.iter::<f32>().collect())
}

/// A channel's voxels of a window, `beyond` where it hangs over the volume.
///
/// # Shapes
/// returns: `[slice, row, column]` of the window, flattened
pub(super) fn cut_window(
    voxels: &[f32],
    beyond: f32,
    shape: [usize; 3],
    start: [usize; 3],
    margin: [usize; 3],
    window: [usize; 3],
) -> Vec<f32> {
    let mut values = vec![beyond; window.iter().product()];
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
    use super::super::windows::Beyond;
    use super::*;

    /// Two voxels in the middle of a window of four.
    #[test]
    fn beyond_the_scan_lies_what_training_had_there() {
        let channel = [3.0, -1.0];
        for (beyond, expected) in [
            (Beyond::Mean, [0.0, 3.0, -1.0, 0.0]),
            (Beyond::Darkest, [-1.0, 3.0, -1.0, -1.0]),
        ] {
            let beyond = beyond.value(&channel);
            let window = cut_window(&channel, beyond, [1, 1, 2], [0; 3], [0, 0, 1], [1, 1, 4]);
            assert_eq!(window, expected);
        }
    }
}
