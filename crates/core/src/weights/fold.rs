//! RGB patch weights for the slices of a volume.

use super::NamedTensor;
use serde::{Deserialize, Serialize};

/// How the patch weights of a transformer of colour images come to see slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Folding {
    /// As they are: the slice before is red, the slice itself green, the slice after blue. The
    /// paper's; for three channels only.
    Rgb,
    /// Everything on the slice itself, which is then seen as a grey image; its neighbours begin
    /// unseen.
    Centre,
    /// The same share for every slice: the mean of the slices is seen as a grey image.
    Mean,
}

/// A folding that does not work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "patch weights of shape {shape:?} can't be folded by {folding:?} into {channels} channels: expected are [embed_dim, 3, patch, patch]{}",
    if *.folding == Folding::Rgb { " and 3 channels" } else { " and an odd number of channels" }
)]
pub struct FoldError {
    shape: Vec<usize>,
    folding: Folding,
    channels: usize,
}

impl Folding {
    /// Patch weights for images of `channels` channels.
    ///
    /// # Shapes
    /// - `weight`: `[embed_dim, 3, patch, patch]`
    /// - returns: `[embed_dim, channels, patch, patch]`
    ///
    /// # Errors
    /// [`FoldError`] for another shape, or channels that the folding can't serve.
    pub fn fold(self, weight: &NamedTensor, channels: usize) -> Result<NamedTensor, FoldError> {
        let error = || FoldError {
            shape: weight.shape.clone(),
            folding: self,
            channels,
        };
        let [embed_dim, 3, rows, columns] = weight.shape[..] else {
            return Err(error());
        };
        if self == Self::Rgb {
            return if channels == 3 {
                Ok(weight.clone())
            } else {
                Err(error())
            };
        }
        if channels.is_multiple_of(2) {
            return Err(error());
        }
        let pixels = rows * columns;
        let mut values = vec![0.0; embed_dim * channels * pixels];
        for (rgb, folded) in weight
            .values
            .chunks_exact(3 * pixels)
            .zip(values.chunks_exact_mut(channels * pixels))
        {
            for pixel in 0..pixels {
                let grey = rgb[pixel] + rgb[pixels + pixel] + rgb[2 * pixels + pixel];
                match self {
                    Self::Centre => folded[channels / 2 * pixels + pixel] = grey,
                    _ => {
                        for channel in 0..channels {
                            folded[channel * pixels + pixel] = grey / channels as f32;
                        }
                    }
                }
            }
        }
        Ok(NamedTensor {
            shape: vec![embed_dim, channels, rows, columns],
            values,
        })
    }
}

/// Patch weights of one channel for a scan of several: the same for each, divided by their number, so that the sum over
/// channels of one scale keeps its size.
///
/// # Shapes
/// - `weight`: `[embed_dim, slice, patch, patch]`
/// - returns: `[embed_dim, channel * slice, patch, patch]`, the slices of each channel together
pub fn spread(mut weight: NamedTensor, image_channels: usize) -> NamedTensor {
    let row = weight.values.len() / weight.shape[0];
    let share = 1.0 / image_channels as f32;
    weight.values = weight
        .values
        .chunks_exact(row)
        .flat_map(|row| std::iter::repeat_n(row, image_channels).flatten())
        .map(|value| value * share)
        .collect();
    weight.shape[1] *= image_channels;
    weight
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: two rows of two slices become four channels of half the weight.
    #[test]
    fn channels_share_the_weights_of_one() {
        let weight = NamedTensor {
            shape: vec![2, 2, 1, 1],
            values: vec![1.0, 2.0, 3.0, 4.0],
        };
        assert_eq!(spread(weight.clone(), 1).values, weight.values);
        let spread = spread(weight, 2);
        assert_eq!(spread.shape, [2, 4, 1, 1]);
        assert_eq!(spread.values, [0.5, 1.0, 0.5, 1.0, 1.5, 2.0, 1.5, 2.0]);
    }
}
