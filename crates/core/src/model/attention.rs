//! Multi-head self-attention of DINOv3.

use super::lora::{AdaptedLinear, LoraConfig};
use super::rope::RotaryEmbedding;
use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::softmax};

/// Settings of an [`Attention`].
#[derive(Config, Debug)]
pub struct AttentionConfig {
    /// Width of a token.
    pub embed_dim: usize,
    /// Number of heads.
    pub num_heads: usize,
}

/// Self-attention within one slice, with rotary positions and no bias on the keys.
#[derive(Module, Debug)]
pub struct Attention {
    qkv: AdaptedLinear,
    proj: AdaptedLinear,
    num_heads: usize,
}

impl AttentionConfig {
    /// Fresh weights; with `lora`, an update of both linear maps.
    pub fn init(&self, lora: Option<&LoraConfig>, device: &Device) -> Attention {
        assert_eq!(
            self.embed_dim % self.num_heads,
            0,
            "token width {} does not divide into {} heads",
            self.embed_dim,
            self.num_heads
        );
        Attention {
            qkv: AdaptedLinear::init(self.embed_dim, 3 * self.embed_dim, lora, device),
            proj: AdaptedLinear::init(self.embed_dim, self.embed_dim, lora, device),
            num_heads: self.num_heads,
        }
    }
}

impl Attention {
    /// Lets the tokens of each image look at one another.
    ///
    /// # Shapes
    /// - `tokens` and the result: `[image, token, embed_dim]`
    pub fn forward(&self, tokens: Tensor<3>, rope: &RotaryEmbedding) -> Tensor<3> {
        let [images, num_tokens, embed_dim] = tokens.dims();
        let head_dim = embed_dim / self.num_heads;
        let qkv = self
            .qkv
            .forward_with_bias(tokens, self.masked_bias())
            .reshape([images, num_tokens, 3, self.num_heads, head_dim])
            .permute([2, 0, 3, 1, 4]); // [3, n, head, t, dh]
        let part = |index| {
            qkv.clone()
                .narrow(0, index, 1)
                .reshape([images, self.num_heads, num_tokens, head_dim])
        };
        let scale = (head_dim as f64).powf(-0.5);
        let query = rope.rotate(part(0)).mul_scalar(scale);
        let key = rope.rotate(part(1));
        let attention = softmax(query.matmul(key.swap_dims(2, 3)), 3);
        let mixed = attention
            .matmul(part(2))
            .swap_dims(1, 2)
            .reshape([images, num_tokens, embed_dim]);
        self.proj.forward(mixed)
    }

    /// The bias of queries and values; the keys' third is held at zero.
    ///
    /// Source: DINOv3, `LinearKMaskedBias`.
    fn masked_bias(&self) -> Option<Tensor<1>> {
        self.qkv.bias().map(|bias| {
            let embed_dim = bias.dims()[0] / 3;
            let zeros = Tensor::zeros([embed_dim], &bias.device());
            Tensor::cat(
                vec![
                    bias.clone().narrow(0, 0, embed_dim),
                    zeros,
                    bias.narrow(0, 2 * embed_dim, embed_dim),
                ],
                0,
            )
        })
    }
}
