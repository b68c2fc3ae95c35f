//! How alike the tokens of a window are to one of them.

use super::{Inside, Map, Values, mean_of};
use crate::infer::InferError;

impl Inside {
    /// Cosine of the angle between the token at `of` (slice, row, column of the patch grid) and each token, after so many blocks:
    /// 1 for the same direction, 0 for none in common. The mean of all tokens is taken away first, so that what all share makes none alike.
    ///
    /// # Errors
    /// [`InferError::Device`].
    pub async fn similarity(&self, after_blocks: usize, of: [usize; 3]) -> Result<Map, InferError> {
        let (tokens, shape) = self.patches(after_blocks).await?;
        let [_, rows, columns] = shape;
        let place = (of[0] * rows + of[1]) * columns + of[2];
        let width = tokens.len() / shape.iter().product::<usize>();
        let values = cosines(tokens, width, place);
        Ok(self.map_of_tokens(shape, Values::Numbers(values)))
    }
}

/// Of each token of so many numbers to the one at `place`.
fn cosines(mut tokens: Vec<f32>, width: usize, place: usize) -> Vec<f32> {
    let mean = mean_of(&tokens, width);
    for token in tokens.chunks_exact_mut(width) {
        let of_mean = token.iter_mut().zip(&mean);
        of_mean.for_each(|(value, mean)| *value -= *mean as f32);
    }
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        let products = a.iter().zip(b);
        products.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let chosen = tokens[place * width..][..width].to_vec();
    let length = dot(&chosen, &chosen).sqrt();
    let cosine = |token: &[f32]| {
        let lengths = length * dot(token, token).sqrt();
        if lengths > 0.0 {
            (dot(token, &chosen) / lengths) as f32
        } else {
            0.0
        }
    };
    tokens.chunks_exact(width).map(cosine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: around their mean (5, 5) the tokens are (3, 0), (−1.5, 1.5), (0, −3) and (−1.5, 1.5).
    #[test]
    fn a_token_is_like_itself() {
        let tokens = vec![8.0, 5.0, 3.5, 6.5, 5.0, 2.0, 3.5, 6.5];
        let half = 0.5f32.sqrt();
        for (place, expected) in [(0, [1.0, -half, 0.0, -half]), (1, [-half, 1.0, -half, 1.0])] {
            let found = cosines(tokens.clone(), 2, place);
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 1e-6, "{found:?}");
            }
        }
        assert_eq!(
            cosines(vec![1.0; 4], 2, 0),
            [0.0, 0.0],
            "all alike: no direction"
        );
    }
}
