//! Tokens as colours: their three main components are red, green and blue.

use super::{Inside, Map, Values, mean_of};
use crate::infer::InferError;
use nalgebra::{DMatrix, SymmetricEigen};

/// Share of the tokens at either end of a component that are drawn as its darkest and its brightest.
const OUTLIERS: f64 = 0.01;

impl Inside {
    /// Patch tokens after so many blocks, as colours by their principal components: tokens that the network takes for alike have
    /// like colours. The colours of one map mean nothing in another.
    ///
    /// # Errors
    /// [`InferError::Device`].
    pub async fn colours(&self, after_blocks: usize) -> Result<Map, InferError> {
        let (tokens, shape) = self.patches(after_blocks).await?;
        let width = tokens.len() / shape.iter().product::<usize>();
        Ok(self.map_of_tokens(shape, Values::Colours(colours(&tokens, width))))
    }
}

/// Of each token of so many numbers a colour.
fn colours(tokens: &[f32], width: usize) -> Vec<[u8; 3]> {
    let components = principal_components(tokens, width);
    let mut colours = vec![[0; 3]; tokens.len() / width];
    for (channel, component) in components.iter().enumerate() {
        let places: Vec<f64> = tokens
            .chunks_exact(width)
            .map(|token| dot(token, component))
            .collect();
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64).round() as usize];
        let (low, high) = (at(OUTLIERS), at(1.0 - OUTLIERS));
        let range = (high - low).max(f64::MIN_POSITIVE);
        for (colour, place) in colours.iter_mut().zip(places) {
            colour[channel] = (255.0 * ((place - low) / range).clamp(0.0, 1.0)).round() as u8;
        }
    }
    colours
}

/// The directions along which tokens differ most, the first three; of tokens that differ in fewer, fewer.
fn principal_components(tokens: &[f32], width: usize) -> Vec<Vec<f64>> {
    let mean = mean_of(tokens, width);
    let mut covariance = DMatrix::<f64>::zeros(width, width);
    let mut centred = vec![0.0f64; width];
    for token in tokens.chunks_exact(width) {
        for ((centred, value), mean) in centred.iter_mut().zip(token).zip(&mean) {
            *centred = f64::from(*value) - mean;
        }
        // The upper half; columns lie one after the other.
        for (column, factor) in centred.iter().enumerate() {
            let entries = &mut covariance.as_mut_slice()[column * width..][..=column];
            for (entry, other) in entries.iter_mut().zip(&centred) {
                *entry += factor * other;
            }
        }
    }
    covariance.fill_lower_triangle_with_upper_triangle();
    let SymmetricEigen {
        eigenvectors,
        eigenvalues,
    } = SymmetricEigen::new(covariance);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
    let direction = |index: &usize| {
        let mut direction: Vec<f64> = eigenvectors.column(*index).iter().copied().collect();
        // A direction and its opposite are equally good: the one whose largest entry is positive.
        let largest = direction
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()));
        if largest.is_some_and(|largest| largest < 0.0) {
            direction.iter_mut().for_each(|entry| *entry = -*entry);
        }
        direction
    };
    order.iter().take(3).map(direction).collect()
}

fn dot(token: &[f32], direction: &[f64]) -> f64 {
    let products = token.iter().zip(direction);
    products
        .map(|(value, entry)| f64::from(*value) * entry)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: along (3, 4) tokens differ most, then across it; a third direction has nothing.
    #[test]
    fn the_first_component_is_where_tokens_differ_most() {
        let tokens: Vec<f32> = [-10.0f32, -5.0, 0.0, 5.0, 10.0]
            .iter()
            .enumerate()
            .flat_map(|(i, along)| {
                let across = if i % 2 == 0 { 0.5 } else { -0.75 };
                [0.6 * along - 0.8 * across, 0.8 * along + 0.6 * across, 7.0]
            })
            .collect();
        let components = principal_components(&tokens, 3);
        for (found, expected) in components.iter().zip([[0.6, 0.8, 0.0], [0.8, -0.6, 0.0]]) {
            for (a, b) in found.iter().zip(expected) {
                assert!((a - b).abs() < 0.02, "{components:?}");
            }
        }
        let reds: Vec<u8> = colours(&tokens, 3).iter().map(|colour| colour[0]).collect();
        assert_eq!(reds[0], 0);
        assert_eq!(reds[4], 255);
        assert!(reds.is_sorted());
    }
}
