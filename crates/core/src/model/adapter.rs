//! The 3-D adapter inside a transformer block.

use super::depthwise::{Depthwise3d, Depthwise3dConfig};
use super::step::{gelu, layer_norm, linear};
use burn::config::Config;
use burn::module::{Initializer, Module};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Settings of an [`Adapter3d`].
#[derive(Config, Debug)]
pub struct Adapter3dConfig {
    /// Token width divided by the adapter's inner width.
    #[config(default = 4)]
    pub reduction: usize,
    /// Kernel edge over `[slice, row, column]`, odd.
    #[config(default = "[3, 3, 3]")]
    pub kernel: [usize; 3],
}

/// Lets patch tokens of neighbouring slices talk: `x + up(gelu(depthwise(down(norm(x)))))`.
///
/// `up` starts at zero, so a fresh adapter changes nothing and stage 2 begins exactly where
/// stage 1 ended.
#[derive(Module, Debug)]
pub struct Adapter3d {
    norm: LayerNorm,
    down: Linear,
    depthwise: Depthwise3d,
    up: Linear,
}

impl Adapter3dConfig {
    /// Fresh weights for tokens of width `embed_dim`.
    pub fn init(&self, embed_dim: usize, device: &Device) -> Adapter3d {
        let inner_dim = (embed_dim / self.reduction).max(1);
        Adapter3d {
            norm: LayerNormConfig::new(embed_dim).init(device),
            down: LinearConfig::new(embed_dim, inner_dim)
                .with_initializer(super::initializer::initializer())
                .init(device),
            depthwise: Depthwise3dConfig::new(inner_dim, self.kernel).init(device),
            up: LinearConfig::new(inner_dim, embed_dim)
                .with_initializer(Initializer::Zeros)
                .init(device),
        }
    }
}

impl Adapter3d {
    /// Mixes patch tokens over slices; prefix tokens pass unchanged.
    ///
    /// # Shapes
    /// - `tokens` and the result: `[batch * slice, num_prefix + row * column, embed_dim]`
    /// - `grid`: `[batch, slice, row, column]`
    pub fn forward(&self, tokens: Tensor<3>, num_prefix: usize, grid: [usize; 4]) -> Tensor<3> {
        let [batch, depth, rows, columns] = grid;
        let [images, num_tokens, embed_dim] = tokens.dims();
        let prefix = tokens.clone().narrow(1, 0, num_prefix);
        let patches = tokens.narrow(1, num_prefix, num_tokens - num_prefix);
        let inner = linear(&self.down, layer_norm(&self.norm, patches.clone()));
        let inner_dim = inner.dims()[2];
        let inner = inner.reshape([batch, depth, rows, columns, inner_dim]);
        let inner = gelu(self.depthwise.forward(inner));
        let inner = inner.reshape([images, rows * columns, inner_dim]);
        let patches = patches + linear(&self.up, inner);
        debug_assert_eq!(patches.dims()[2], embed_dim);
        Tensor::cat(vec![prefix, patches], 1)
    }
}
