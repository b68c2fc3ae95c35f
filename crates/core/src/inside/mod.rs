//! What goes on inside the network while it looks at a window: its tokens after every block, who looks at whom, what the detail
//! stream adds, and the same without a part.
//!
//! [`Inside`] is a forward pass, taken step by step as always, of which everything is kept. What can be asked of it gives a [`Map`]:
//! numbers, colours or labels with a place in the world, so that they can be laid over the scan.

mod answer;
mod attention;
mod colours;
mod map;
mod reach;
mod similarity;

pub use answer::Agreement;
pub use attention::Heads;
pub use map::{Map, Values};
pub use reach::reach;

use crate::infer::computer::input;
use crate::infer::predict::read;
use crate::infer::{InferError, SeenWindow};
use crate::model::DinoMed3d;
use crate::model::detail::DetailFeatures;
use crate::model::vit::Tokens;
use burn::tensor::{Device, Tensor};
use dinomed3d_volume::Affine;
use std::ops::ControlFlow;

/// A forward pass over one window, of which everything is kept.
#[derive(Debug)]
pub struct Inside {
    network: DinoMed3d,
    window: SeenWindow,
    /// Before the first block, and after each.
    states: Vec<Tokens>,
    taps: Vec<Tensor<5>>,
    detail: DetailFeatures,
    /// Value of the class that wins, `[slice, row, column]`.
    labels: Vec<u8>,
}

/// Of tokens of so many numbers each.
fn mean_of(tokens: &[f32], width: usize) -> Vec<f64> {
    let count = (tokens.len() / width) as f64;
    let mut mean = vec![0.0f64; width];
    for token in tokens.chunks_exact(width) {
        let pairs = mean.iter_mut().zip(token);
        pairs.for_each(|(sum, value)| *sum += f64::from(*value));
    }
    mean.iter_mut().for_each(|sum| *sum /= count);
    mean
}

/// Value of the class that wins at each voxel.
async fn labels_of(logits: Tensor<5>, values: &[u8]) -> Result<Vec<u8>, InferError> {
    let logits = read(logits.flatten::<1>(0, 4)).await?;
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(InferError::NotFinite {
            window: 1,
            windows: 1,
        });
    }
    let classes = crate::infer::classes(&logits, values.len());
    Ok(classes.map(|class| values[usize::from(class)]).collect())
}

impl Inside {
    /// Passes a window through a network; `values` is the value of each class in a label map. `progress` is awaited after every
    /// step with the share of them that is done; [`ControlFlow::Break`] gives it up.
    ///
    /// # Errors
    /// [`InferError::Cancelled`], [`InferError::Device`], and [`InferError::NotFinite`] for an answer that is not a number.
    pub async fn of(
        network: DinoMed3d,
        window: SeenWindow,
        values: &[u8],
        device: &Device,
        mut progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Self, InferError> {
        let mut pass = network.start(input(window.values.clone(), window.shape, device));
        let mut states = vec![pass.state().clone()];
        let mut taps = Vec::new();
        let mut detail = DetailFeatures::default();
        let (steps, blocks) = (pass.num_steps(), network.vit.blocks.len());
        while pass.remaining() > 0 {
            pass.step();
            read(pass.witness()).await?;
            if states.len() <= blocks {
                states.push(pass.state().clone());
            }
            if !pass.taps().is_empty() {
                taps = pass.taps().to_vec();
            }
            if let Some(found) = pass.detail() {
                detail = found.clone();
            }
            let done = (steps - pass.remaining()) as f32 / steps as f32;
            if progress(done).await.is_break() {
                return Err(InferError::Cancelled);
            }
        }
        let labels = labels_of(pass.logits(), values).await?;
        Ok(Self {
            network,
            window,
            states,
            taps,
            detail,
            labels,
        })
    }

    /// What was looked at.
    pub fn window(&self) -> &SeenWindow {
        &self.window
    }

    /// The network that looked.
    pub fn network(&self) -> &DinoMed3d {
        &self.network
    }

    /// Blocks of the transformer.
    pub fn num_blocks(&self) -> usize {
        self.states.len() - 1
    }

    /// Heads of each block.
    pub fn num_heads(&self) -> usize {
        self.network.vit.num_heads()
    }

    /// Numbers of a token.
    pub fn token_width(&self) -> usize {
        self.states[0].values.dims()[2]
    }

    /// Slices, rows and columns of the patch grid.
    pub fn token_grid(&self) -> [usize; 3] {
        let [_, slices, rows, columns] = self.states[0].grid;
        [slices, rows, columns]
    }

    /// The token (slice, row, column of the patch grid) of a place in the world; none outside the window.
    pub fn token_at(&self, at_mm: [f64; 3]) -> Option<[usize; 3]> {
        let [slice, row, column] = self.window.voxel_at(at_mm)?;
        let edge = self.network.patch_size();
        Some([slice, row / edge, column / edge])
    }

    /// Patch tokens after so many blocks, through the final norm as the decoder sees them, and the shape of their grid.
    ///
    /// # Shapes
    /// returns: `[slice, row, column, embed_dim]`, flattened, and slices, rows, columns
    async fn patches(&self, after_blocks: usize) -> Result<(Vec<f32>, [usize; 3]), InferError> {
        let state = &self.states[after_blocks];
        let [_, slices, rows, columns] = state.grid;
        let tokens = self.network.vit.normed_patch_grid(state);
        let values = read(tokens.flatten::<1>(0, 4)).await?;
        Ok((values, [slices, rows, columns]))
    }

    /// Where the cells of a map of the window lie that has `cell` of its pixels along rows and columns.
    fn affine_of_cells(&self, cell: usize) -> Affine {
        let middle = (cell as f64 - 1.0) / 2.0;
        let edge = cell as f64;
        let affine = &self.window.affine;
        affine.subgrid([middle, middle, 0.0], [edge, edge, 1.0])
    }

    /// A map of the patch grid.
    fn map_of_tokens(&self, shape: [usize; 3], values: Values) -> Map {
        let affine = self.affine_of_cells(self.network.patch_size());
        Map {
            shape,
            affine,
            values,
        }
    }
}
