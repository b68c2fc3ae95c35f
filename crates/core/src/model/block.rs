//! One transformer block of DINOv3, with room for a 3-D adapter.

use super::adaptation::Adaptation;
use super::adapter::Adapter3d;
use super::attention::{Attention, AttentionConfig};
use super::feed_forward::{FeedForward, FeedForwardKind};
use super::rope::RotaryEmbedding;
use super::step::layer_norm;
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};
use tracing::trace_span;

/// Settings of a [`Block`], those of its transformer.
#[derive(Config, Debug)]
pub struct BlockConfig {
    /// Width of a token.
    pub embed_dim: usize,
    /// Number of attention heads.
    pub num_heads: usize,
    /// Inner width of the feed-forward network.
    pub mlp_dim: usize,
    /// Kind of feed-forward network.
    pub feed_forward: FeedForwardKind,
    /// First value of LayerScale.
    pub layer_scale: f64,
}

/// Learnt scale of each channel of a residual branch.
#[derive(Module, Debug)]
pub struct LayerScale {
    gamma: Param<Tensor<1>>,
}

impl LayerScale {
    fn init(embed_dim: usize, value: f64, device: &Device) -> Self {
        Self {
            gamma: Initializer::Constant { value }.init([embed_dim], device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        x * self.gamma.val().unsqueeze()
    }
}

/// `x += adapter(x)`, `x += ls1 · attn(norm1(x))`, `x += ls2 · mlp(norm2(x))`.
#[derive(Module, Debug)]
pub struct Block {
    norm1: LayerNorm,
    attn: Attention,
    ls1: LayerScale,
    norm2: LayerNorm,
    mlp: FeedForward,
    ls2: LayerScale,
    /// Absent in stage 1.
    adapter: Option<Adapter3d>,
}

impl BlockConfig {
    /// Fresh weights.
    pub fn init(&self, adaptation: &Adaptation, device: &Device) -> Block {
        let width = self.embed_dim;
        let lora = adaptation.lora();
        Block {
            norm1: LayerNormConfig::new(width).init(device),
            attn: AttentionConfig::new(width, self.num_heads).init(lora, device),
            ls1: LayerScale::init(width, self.layer_scale, device),
            norm2: LayerNormConfig::new(width).init(device),
            mlp: FeedForward::init(self.feed_forward, width, self.mlp_dim, lora, device),
            ls2: LayerScale::init(width, self.layer_scale, device),
            adapter: adaptation
                .in_block()
                .map(|adapter| adapter.init(width, device)),
        }
    }
}

impl Block {
    /// One block over the tokens of all slices.
    ///
    /// # Shapes
    /// - `tokens` and the result: `[batch * slice, num_prefix + row * column, embed_dim]`
    /// - `grid`: `[batch, slice, row, column]`
    pub fn forward(
        &self,
        tokens: Tensor<3>,
        rope: &RotaryEmbedding,
        num_prefix: usize,
        grid: [usize; 4],
    ) -> Tensor<3> {
        let tokens = self.adapted(tokens, num_prefix, grid);
        let tokens = trace_span!("attention").in_scope(|| {
            let normed = layer_norm(&self.norm1, tokens.clone());
            tokens + self.ls1.forward(self.attn.forward(normed, rope))
        });
        trace_span!("feed_forward").in_scope(|| {
            let normed = layer_norm(&self.norm2, tokens.clone());
            tokens + self.ls2.forward(self.mlp.forward(normed))
        })
    }

    /// How much each token looks at each other of its slice, see [`Attention::weights`].
    ///
    /// # Shapes
    /// - `tokens`, `grid`: as [`Block::forward`] takes them
    /// - returns: `[batch * slice, head, token that looks, token looked at]`
    pub fn attention(
        &self,
        tokens: Tensor<3>,
        rope: &RotaryEmbedding,
        num_prefix: usize,
        grid: [usize; 4],
    ) -> Tensor<4> {
        let tokens = self.adapted(tokens, num_prefix, grid);
        self.attn.weights(layer_norm(&self.norm1, tokens), rope)
    }

    fn adapted(&self, tokens: Tensor<3>, num_prefix: usize, grid: [usize; 4]) -> Tensor<3> {
        match &self.adapter {
            Some(adapter) => {
                trace_span!("adapter").in_scope(|| adapter.forward(tokens, num_prefix, grid))
            }
            None => tokens,
        }
    }

    /// The same without its adapter.
    #[must_use]
    pub(super) fn without_adapter(self) -> Self {
        Self {
            adapter: None,
            ..self
        }
    }
}
