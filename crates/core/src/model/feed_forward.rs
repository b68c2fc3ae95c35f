//! Feed-forward networks of a transformer block.

use super::lora::{AdaptedLinear, LoraConfig};
use super::step::Activation;
use burn::module::Module;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

/// Which feed-forward network a transformer has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeedForwardKind {
    /// [`Mlp`]: S, B and L.
    Mlp,
    /// [`SwiGlu`]: S+ and H+.
    SwiGlu,
}

/// The feed-forward network of a block.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a block has one, and Burn boxes no modules"
)]
pub enum FeedForward {
    /// Up, GELU, down.
    Mlp(Mlp),
    /// Gated.
    SwiGlu(SwiGlu),
}

/// Up, exact GELU, down.
#[derive(Module, Debug)]
pub struct Mlp {
    fc1: AdaptedLinear,
    fc2: AdaptedLinear,
}

/// `w3(silu(w1 x) · w2 x)`.
///
/// Source: Shazeer 2020, arXiv:2002.05202.
#[derive(Module, Debug)]
pub struct SwiGlu {
    w1: AdaptedLinear,
    w2: AdaptedLinear,
    w3: AdaptedLinear,
}

impl FeedForward {
    /// Fresh weights; `hidden_dim` is the inner width.
    pub fn init(
        kind: FeedForwardKind,
        embed_dim: usize,
        hidden_dim: usize,
        lora: Option<&LoraConfig>,
        device: &Device,
    ) -> Self {
        let linear = |d_input, d_output| AdaptedLinear::init(d_input, d_output, lora, device);
        match kind {
            FeedForwardKind::Mlp => Self::Mlp(Mlp {
                fc1: linear(embed_dim, hidden_dim),
                fc2: linear(hidden_dim, embed_dim),
            }),
            FeedForwardKind::SwiGlu => Self::SwiGlu(SwiGlu {
                w1: linear(embed_dim, hidden_dim),
                w2: linear(embed_dim, hidden_dim),
                w3: linear(hidden_dim, embed_dim),
            }),
        }
    }

    /// # Shapes
    /// - `x` and the result: `[image, token, embed_dim]`
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        match self {
            Self::Mlp(Mlp { fc1, fc2 }) => {
                fc2.forward(fc1.forward_then(x, fc1.bias(), Activation::Gelu))
            }
            Self::SwiGlu(swiglu) => {
                let gate = silu(swiglu.w1.forward(x.clone()));
                swiglu.w3.forward(gate * swiglu.w2.forward(x))
            }
        }
    }
}
