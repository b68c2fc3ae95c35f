//! Which slices hear of a slice: those whose tokens change when there is nothing to be seen in it.

use super::{Inside, Values};
use crate::infer::InferError;

/// How much the tokens of each slice change after so many blocks between one pass and another: the length of the difference as a
/// share of the tokens' own, in the mean over the slice. With a window of which a slice was
/// [blanked](crate::infer::SeenWindow::blanked), that is who heard of the slice.
///
/// # Errors
/// [`InferError::Device`].
pub async fn reach(
    whole: &Inside,
    other: &Inside,
    after_blocks: usize,
) -> Result<Vec<f32>, InferError> {
    let map = whole.difference(other, after_blocks).await?;
    let Values::Numbers(changes) = map.values else {
        unreachable!("a difference is numbers")
    };
    let [_, rows, columns] = map.shape;
    let mean = |slice: &[f32]| slice.iter().sum::<f32>() / slice.len() as f32;
    Ok(changes.chunks_exact(rows * columns).map(mean).collect())
}
