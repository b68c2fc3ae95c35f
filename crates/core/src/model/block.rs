//! One transformer block of DINOv3, with room for a 3-D adapter.

use super::adaptation::Adaptation;
use super::adapter::Adapter3d;
use super::attention::{Attention, AttentionConfig};
use super::feed_forward::FeedForward;
use super::rope::RotaryEmbedding;
use super::vit::VitConfig;
use burn::module::{Initializer, Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{Device, Tensor};

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

impl Block {
    pub(super) fn init(config: &VitConfig, adaptation: &Adaptation, device: &Device) -> Self {
        let width = config.embed_dim;
        let lora = adaptation.lora();
        Self {
            norm1: LayerNormConfig::new(width).init(device),
            attn: AttentionConfig::new(width, config.num_heads).init(lora, device),
            ls1: LayerScale::init(width, config.layer_scale, device),
            norm2: LayerNormConfig::new(width).init(device),
            mlp: FeedForward::init(config.feed_forward, width, config.mlp_dim, lora, device),
            ls2: LayerScale::init(width, config.layer_scale, device),
            adapter: adaptation
                .in_block()
                .map(|adapter| adapter.init(width, device)),
        }
    }

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
        let tokens = match &self.adapter {
            Some(adapter) => adapter.forward(tokens, num_prefix, grid),
            None => tokens,
        };
        let attended = self.attn.forward(self.norm1.forward(tokens.clone()), rope);
        let tokens = tokens + self.ls1.forward(attended);
        let fed = self.mlp.forward(self.norm2.forward(tokens.clone()));
        tokens + self.ls2.forward(fed)
    }
}
