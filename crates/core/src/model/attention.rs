//! Multi-head self-attention of DINOv3.

use super::lora::{AdaptedLinear, LoraConfig};
use super::rope::RotaryEmbedding;
use super::step::{Activation, attention, attention_of_joined};
use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use tracing::trace_span;

/// Scores of so many pairs of query and key are made at once, 64 MiB, by a backend that makes them all: those of the page, and
/// every one in training.
const SCORES_AT_ONCE: usize = 1 << 24;

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
        let dims = tokens.dims();
        let joined = self.joined(tokens);
        let elsewhere = |joined| {
            let [query, key, value] = self.parts(joined, rope);
            attend(query, key, value, SCORES_AT_ONCE)
                .swap_dims(1, 2)
                .reshape(dims)
        };
        let mixed = trace_span!("attend")
            .in_scope(|| attention_of_joined(joined, self.num_heads, rope.tables(), elsewhere));
        self.proj.forward(mixed)
    }

    /// How much each token of an image looks at each other: what [`Attention::forward`] weighs values by, for whoever wants to see it.
    ///
    /// # Shapes
    /// - `tokens`: `[image, token, embed_dim]`
    /// - returns: `[image, head, token that looks, token looked at]`, of each that looks 1 in all
    pub fn weights(&self, tokens: Tensor<3>, rope: &RotaryEmbedding) -> Tensor<4> {
        let [query, key, _] = self.parts(self.joined(tokens), rope);
        let scale = (query.dims()[3] as f64).sqrt();
        softmax(query.matmul(key.swap_dims(2, 3)) / scale, 3)
    }

    /// Queries, keys and values.
    ///
    /// # Shapes
    /// - `tokens`: `[image, token, embed_dim]`
    /// - returns: `[image, token, 3 * embed_dim]`
    fn joined(&self, tokens: Tensor<3>) -> Tensor<3> {
        let bias = self.masked_bias();
        self.qkv.forward_then(tokens, bias, Activation::Identity)
    }

    /// # Shapes
    /// - `joined`: `[image, token, 3 * embed_dim]`
    /// - returns: each `[image, head, token, head_dim]`, queries and keys turned by their places
    fn parts(&self, joined: Tensor<3>, rope: &RotaryEmbedding) -> [Tensor<4>; 3] {
        let [images, num_tokens, width] = joined.dims();
        let head_dim = width / 3 / self.num_heads;
        let qkv = joined
            .reshape([images, num_tokens, 3, self.num_heads, head_dim])
            .permute([2, 0, 3, 1, 4]); // [3, n, head, t, dh]
        let part = |index| {
            qkv.clone()
                .narrow(0, index, 1)
                .reshape([images, self.num_heads, num_tokens, head_dim])
        };
        let [query, key] =
            trace_span!("rope").in_scope(|| [rope.rotate(part(0)), rope.rotate(part(1))]);
        [query, key, part(2)]
    }

    /// The bias of queries and values; the keys' third is held at zero.
    ///
    /// Source: DINOv3, `LinearKMaskedBias`.
    fn masked_bias(&self) -> Option<Tensor<1>> {
        self.qkv.bias().map(|bias| {
            let embed_dim = bias.dims()[0] / 3;
            let zeros = Tensor::zeros([embed_dim], (&bias.device(), bias.dtype()));
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

/// `softmax(query · keyᵀ / √head_dim) · value`, in stretches of queries that have no more than so many scores.
///
/// # Shapes
/// all, and the result: `[image, head, token, head_dim]`
fn attend(query: Tensor<4>, key: Tensor<4>, value: Tensor<4>, scores_at_once: usize) -> Tensor<4> {
    let [images, heads, num_tokens, _] = query.dims();
    let longest = (scores_at_once / (images * heads * num_tokens)).max(1);
    let stretch = |first: usize| {
        let count = longest.min(num_tokens - first);
        let query = query.clone().narrow(2, first, count);
        attention(query, key.clone(), value.clone())
    };
    let stretches = (0..num_tokens).step_by(longest).map(stretch);
    Tensor::cat(stretches.collect(), 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    /// Stretches of three queries of seven, and all at once, against all scores written out.
    #[test]
    fn stretches_of_queries_make_the_whole() {
        let device = Device::flex();
        let draw = || Tensor::<4>::random([2, 3, 7, 8], Distribution::Normal(0.0, 1.0), &device);
        let [query, key, value] = [draw(), draw(), draw()];
        let scores = query.clone().matmul(key.clone().swap_dims(2, 3));
        let expected = softmax(scores / 8.0f64.sqrt(), 3).matmul(value.clone());
        for at_once in [1, 3 * 2 * 3 * 7, SCORES_AT_ONCE] {
            let found = attend(query.clone(), key.clone(), value.clone(), at_once);
            let difference: f32 = (found - expected.clone()).abs().max().into_scalar();
            assert!(difference < 1e-5, "{at_once}: {difference}");
        }
    }

    /// Values weighed by what is said of who looks at whom are what attention gives.
    #[test]
    fn weights_are_what_values_are_weighed_by() {
        let device = Device::flex();
        let attention = AttentionConfig::new(16, 2).init(None, &device);
        let rope = RotaryEmbedding::new(1, 2, 3, 8, &device);
        let tokens = Tensor::random([2, 7, 16], Distribution::Normal(0.0, 1.0), &device);
        let [_, _, value] = attention.parts(attention.joined(tokens.clone()), &rope);
        let mixed = attention.weights(tokens.clone(), &rope).matmul(value);
        let by_weights = attention
            .proj
            .forward(mixed.swap_dims(1, 2).reshape([2, 7, 16]));
        let difference = (attention.forward(tokens, &rope) - by_weights).abs().max();
        assert!(difference.into_scalar::<f32>() < 1e-5);
    }
}
