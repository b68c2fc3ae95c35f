//! Channels spread over finer rows and columns.

use crate::tasks::for_each;

/// Spreads `factor²` channels over a grid that is as much finer in rows and columns.
///
/// # Shapes
/// - `input`: `[channel, factor, factor, slice, row, column]`
/// - returns: `[channel, slice, row, factor, column, factor]`
///
/// # Panics
/// If the input is none of such channels.
pub fn pixel_shuffle(factor: usize, shape: [usize; 3], input: &[f32]) -> Vec<f32> {
    let [depth, rows, columns] = shape;
    let plane = rows * columns;
    let cells = factor * factor;
    assert_eq!(
        input.len() % (cells * depth * plane).max(1),
        0,
        "channels of {shape:?} by {factor}"
    );
    let mut result = vec![0.0; input.len()];
    let planes: Vec<(usize, &mut [f32])> = result
        .chunks_mut((cells * plane).max(1))
        .enumerate()
        .collect();
    for_each(
        planes,
        || (),
        |(), (index, finer)| {
            let (channel, slice) = (index / depth, index % depth);
            for (row, target) in finer.chunks_exact_mut(factor * columns).enumerate() {
                for place in 0..factor {
                    let from = (channel * cells + row % factor * factor + place) * depth + slice;
                    let source = &input[from * plane + row / factor * columns..][..columns];
                    let targets = target.chunks_exact_mut(factor);
                    for (target, value) in targets.zip(source) {
                        target[place] = *value;
                    }
                }
            }
        },
    );
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_comes_where_its_channel_says() {
        for (channels, factor, shape) in [(2, 2, [3, 2, 5]), (1, 3, [1, 2, 2]), (3, 1, [2, 2, 2])] {
            let [depth, rows, columns] = shape;
            let count = channels * factor * factor * depth * rows * columns;
            let input: Vec<f32> = (0..count).map(|value| value as f32).collect();
            let found = pixel_shuffle(factor, shape, &input);
            assert_eq!(found.len(), count);
            for (at, found) in found.iter().enumerate() {
                let (x, left) = (at % (columns * factor), at / (columns * factor));
                let (y, left) = (left % (rows * factor), left / (rows * factor));
                let (z, channel) = (left % depth, left / depth);
                let from = (channel * factor + y % factor) * factor + x % factor;
                let from = ((from * depth + z) * rows + y / factor) * columns + x / factor;
                assert_eq!(*found, from as f32);
            }
        }
    }
}
