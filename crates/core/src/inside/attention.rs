//! Which tokens a token looks at. A token looks at those of its own slice alone; what adapters bring from other slices is in them.

use super::{Inside, Map, Values};
use crate::infer::InferError;
use crate::infer::predict::read;

/// Where one token looks, head by head.
#[derive(Clone, Debug, PartialEq)]
pub struct Heads {
    /// Rows and columns of the patch grid.
    pub shape: [usize; 2],
    /// Of each head the share of its attention that each patch has, `[row, column]`.
    pub heads: Vec<Vec<f32>>,
    /// Of each head the share that tokens of no patch have: CLS and registers.
    pub elsewhere: Vec<f32>,
}

impl Inside {
    /// Where the token at `of` (slice, row, column of the patch grid) looks in a block, counted from 0.
    ///
    /// # Errors
    /// [`InferError::Device`].
    pub async fn heads(&self, block: usize, of: [usize; 3]) -> Result<Heads, InferError> {
        let weights = self.network.vit.attention(block, &self.states[block]);
        let [_, heads, tokens, _] = weights.dims();
        let state = &self.states[block];
        let [_, _, rows, columns] = state.grid;
        let row = state.num_prefix + of[1] * columns + of[2];
        let of_token = weights.narrow(0, of[0], 1).narrow(2, row, 1);
        let values = read(of_token.flatten::<1>(0, 3)).await?;
        let mut found = Heads {
            shape: [rows, columns],
            heads: Vec::with_capacity(heads),
            elsewhere: Vec::with_capacity(heads),
        };
        for head in values.chunks_exact(tokens) {
            let (prefix, patches) = head.split_at(state.num_prefix);
            found.elsewhere.push(prefix.iter().sum());
            found.heads.push(patches.to_vec());
        }
        Ok(found)
    }

    /// Where the token at `of` has looked through all blocks up to and with this one: heads averaged, half of each block's answer
    /// being what the token was before. Adapters, which mix slices between blocks, are not in it.
    ///
    /// # Shapes
    /// returns: `[row, column]` of the patch grid
    ///
    /// # Errors
    /// [`InferError::Device`].
    ///
    /// Source: attention rollout, Abnar and Zuidema 2020.
    pub async fn rollout(&self, block: usize, of: [usize; 3]) -> Result<Vec<f32>, InferError> {
        let state = &self.states[block];
        let [_, _, _, columns] = state.grid;
        let tokens = state.values.dims()[1];
        let mut looks = vec![0.0f32; tokens];
        looks[state.num_prefix + of[1] * columns + of[2]] = 1.0;
        // From the last block back: what the token looks at, and what that had looked at.
        for index in (0..=block).rev() {
            let weights = self.network.vit.attention(index, &self.states[index]);
            let weights = weights.narrow(0, of[0], 1).mean_dim(1);
            let weights = read(weights.flatten::<1>(0, 3)).await?;
            looks = step(&looks, &weights);
        }
        Ok(looks.split_off(state.num_prefix))
    }

    /// A map of the patch grid in which only one slice has values, as attention does.
    pub fn map_of_slice(&self, slice: usize, of_slice: &[f32]) -> Map {
        let [_, slices, rows, columns] = self.states[0].grid;
        let mut values = vec![0.0; slices * rows * columns];
        values[slice * rows * columns..][..rows * columns].copy_from_slice(of_slice);
        self.map_of_tokens([slices, rows, columns], Values::Numbers(values))
    }
}

/// Shares of what was looked at before a block, of shares after it; `weights` is `[token that looks, token looked at]`.
fn step(looks: &[f32], weights: &[f32]) -> Vec<f32> {
    let mut before: Vec<f32> = looks.iter().map(|share| 0.5 * share).collect();
    for (share, row) in looks.iter().zip(weights.chunks_exact(looks.len())) {
        let pairs = before.iter_mut().zip(row);
        pairs.for_each(|(before, weight)| *before += 0.5 * share * weight);
    }
    before
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, two tokens: the first looks at the second with 3/4, the second at itself alone.
    #[test]
    fn half_stays_and_half_goes_where_the_token_looks() {
        let weights = [0.25, 0.75, 0.0, 1.0];
        let once = step(&[1.0, 0.0], &weights);
        assert_eq!(once, [0.625, 0.375]);
        assert_eq!(step(&once, &weights), [0.390625, 0.609375]);
    }
}
