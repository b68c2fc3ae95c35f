//! DINOv3 vision transformer over the slices of a volume.

use super::adaptation::Adaptation;
use super::block::{Block, BlockConfig};
use super::feed_forward::FeedForwardKind;
use super::initializer::initializer;
use super::lora::Lora;
use super::rope::RotaryEmbedding;
use super::step::{Activation, layer_norm, linear_map};
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::{DType, Device, Tensor};
use tracing::trace_span;

/// Settings of a [`VisionTransformer`].
#[derive(Config, Debug)]
pub struct VitConfig {
    /// Channels of an image: a slice and its neighbours, for each channel of the scan.
    #[config(default = 3)]
    pub in_channels: usize,
    /// Edge of a square patch, in pixels.
    #[config(default = 16)]
    pub patch_size: usize,
    /// Width of a token.
    pub embed_dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Number of attention heads.
    pub num_heads: usize,
    /// Inner width of the feed-forward network.
    pub mlp_dim: usize,
    /// Kind of feed-forward network.
    #[config(default = "FeedForwardKind::Mlp")]
    pub feed_forward: FeedForwardKind,
    /// Number of register (storage) tokens.
    #[config(default = 4)]
    pub num_registers: usize,
    /// First value of LayerScale.
    #[config(default = 1e-5)]
    pub layer_scale: f64,
}

/// Cuts images into patches and projects each to a token.
#[derive(Module, Debug)]
pub struct PatchEmbed {
    proj: Conv2d,
    lora: Option<Lora>,
    patch_size: usize,
}

impl PatchEmbed {
    /// Turns pixels into tokens.
    ///
    /// The projection is the convolution of the checkpoint, computed as the matrix product that
    /// it is: patches do not overlap.
    ///
    /// # Shapes
    /// - `images`: `[image, channel, row, column]`, both edges multiples of the patch edge
    /// - returns: `[image, token, embed_dim]`, tokens row by row
    fn forward(&self, images: Tensor<4>) -> Tensor<3> {
        let _span = trace_span!("embed").entered();
        let [num_images, channels, height, width] = images.dims();
        let p = self.patch_size;
        let (rows, columns) = (height / p, width / p);
        let weight = self.proj.weight.val();
        let embed_dim = weight.dims()[0];
        let patches = images
            .reshape([num_images, channels, rows, p, columns, p])
            .permute([0, 2, 4, 1, 3, 5]) // [n, h, w, c, p, p]
            .reshape([num_images, rows * columns, channels * p * p]);
        let weight = weight
            .reshape([embed_dim, channels * p * p])
            .swap_dims(0, 1);
        let update = self.lora.as_ref().map(|lora| lora.forward(patches.clone()));
        let bias = self.proj.bias.as_ref().map(Param::val);
        let tokens = linear_map(patches, weight, bias, Activation::Identity);
        match update {
            Some(update) => tokens + update,
            None => tokens,
        }
    }

    /// The same, hearing of each channel of a scan its own slice in the place of every neighbour; `per_channel` are the slice and
    /// its neighbours.
    fn of_own_slice(mut self, per_channel: usize) -> Self {
        self.proj.weight = self.proj.weight.map(|weight| {
            let [embed_dim, channels, height, width] = weight.dims();
            let images = channels / per_channel;
            let groups = weight.reshape([embed_dim, images, per_channel, height, width]);
            let zeros = groups.zeros_like().narrow(2, 0, per_channel / 2);
            let all = groups.sum_dim(2);
            Tensor::cat(vec![zeros.clone(), all, zeros], 2)
                .reshape([embed_dim, channels, height, width])
        });
        self
    }
}

/// A vision transformer, with what adapts it to volumes.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    patch_embed: PatchEmbed,
    cls_token: Param<Tensor<3>>,
    storage_tokens: Option<Param<Tensor<3>>>,
    /// The transformer blocks in order.
    pub blocks: Vec<Block>,
    norm: LayerNorm,
    num_heads: usize,
}

impl VitConfig {
    /// Fresh weights.
    pub fn init(&self, adaptation: &Adaptation, device: &Device) -> VisionTransformer {
        let patch = [self.patch_size, self.patch_size];
        let block = BlockConfig {
            embed_dim: self.embed_dim,
            num_heads: self.num_heads,
            mlp_dim: self.mlp_dim,
            feed_forward: self.feed_forward,
            layer_scale: self.layer_scale,
        };
        VisionTransformer {
            patch_embed: PatchEmbed {
                proj: Conv2dConfig::new([self.in_channels, self.embed_dim], patch)
                    .with_stride(patch)
                    .with_initializer(Initializer::XavierUniform { gain: 1.0 })
                    .init(device),
                lora: adaptation.lora().map(|config| {
                    let pixels = self.in_channels * self.patch_size * self.patch_size;
                    Lora::init(config, pixels, self.embed_dim, device)
                }),
                patch_size: self.patch_size,
            },
            cls_token: initializer().init([1, 1, self.embed_dim], device),
            storage_tokens: (self.num_registers > 0)
                .then(|| initializer().init([1, self.num_registers, self.embed_dim], device)),
            blocks: (0..self.depth)
                .map(|_| block.init(adaptation, device))
                .collect(),
            norm: LayerNormConfig::new(self.embed_dim).init(device),
            num_heads: self.num_heads,
        }
    }

    /// Blocks whose output the decoder sees: after block `depth · (i + 1) / 4 − 1`, i = 0 … 3.
    pub fn taps(&self) -> [usize; 4] {
        std::array::from_fn(|i| (self.depth * (i + 1)).div_ceil(4) - 1)
    }
}

/// Tokens on their way through the blocks.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// `[batch * slice, num_prefix + row * column, embed_dim]`
    pub values: Tensor<3>,
    /// `[batch, slice, row, column]`
    pub grid: [usize; 4],
    /// Tokens of no patch, before the others: CLS and registers.
    pub num_prefix: usize,
    rope: RotaryEmbedding,
}

/// All tokens after the final norm, by kind.
#[derive(Clone, Debug)]
pub struct NormedTokens {
    /// `[image, 1, embed_dim]`
    pub cls: Tensor<3>,
    /// `[image, register, embed_dim]`; of no registers, none.
    pub storage: Option<Tensor<3>>,
    /// `[image, row * column, embed_dim]`
    pub patches: Tensor<3>,
}

impl VisionTransformer {
    /// Channels of the images that it takes.
    pub fn in_channels(&self) -> usize {
        self.patch_embed.proj.weight.dims()[1]
    }

    /// What kind of numbers its weights are, and what it is given.
    pub(super) fn dtype(&self) -> DType {
        self.cls_token.val().dtype()
    }

    /// Heads of each block.
    pub fn num_heads(&self) -> usize {
        self.num_heads
    }

    /// Embeds the slices of a batch of volumes.
    ///
    /// # Shapes
    /// - `images`: `[batch * slice, channel, row, column]`, edges multiples of the patch edge
    pub fn embed(&self, images: Tensor<4>, batch: usize) -> Tokens {
        let [num_images, _, height, width] = images.dims();
        let p = self.patch_embed.patch_size;
        assert!(
            height % p == 0 && width % p == 0,
            "image of {height} x {width} does not divide into patches of {p}"
        );
        let of_images = (images.device(), images.dtype());
        let patches = self.patch_embed.forward(images);
        let embed_dim = patches.dims()[2];
        let mut parts = vec![self.cls_token.val().repeat_dim(0, num_images)];
        if let Some(storage) = &self.storage_tokens {
            parts.push(storage.val().repeat_dim(0, num_images));
        }
        let num_prefix = parts.iter().map(|part| part.dims()[1]).sum();
        parts.push(patches);
        let (rows, columns) = (height / p, width / p);
        Tokens {
            values: Tensor::cat(parts, 1),
            grid: [batch, num_images / batch, rows, columns],
            num_prefix,
            rope: RotaryEmbedding::new(
                num_prefix,
                rows,
                columns,
                embed_dim / self.num_heads,
                &of_images.0,
            )
            .cast(of_images.1),
        }
    }

    /// Passes tokens through block `index`.
    pub fn block(&self, index: usize, mut tokens: Tokens) -> Tokens {
        tokens.values =
            self.blocks[index].forward(tokens.values, &tokens.rope, tokens.num_prefix, tokens.grid);
        tokens
    }

    /// How much each token looks at each other of its slice in block `index`, which is given `tokens`.
    ///
    /// # Shapes
    /// returns: `[batch * slice, head, token that looks, token looked at]`, tokens of no patch first
    pub fn attention(&self, index: usize, tokens: &Tokens) -> Tensor<4> {
        self.blocks[index].attention(
            tokens.values.clone(),
            &tokens.rope,
            tokens.num_prefix,
            tokens.grid,
        )
    }

    /// The same without adapters in its blocks.
    #[must_use]
    pub(super) fn without_adapters(mut self) -> Self {
        let blocks = std::mem::take(&mut self.blocks).into_iter();
        self.blocks = blocks.map(Block::without_adapter).collect();
        self
    }

    /// The same, its embedding hearing no neighbouring slices; `per_channel` are a slice and its neighbours.
    #[must_use]
    pub(super) fn of_own_slice(mut self, per_channel: usize) -> Self {
        self.patch_embed = self.patch_embed.of_own_slice(per_channel);
        self
    }

    /// Patch tokens as they stand, as a grid.
    ///
    /// # Shapes
    /// returns: `[batch, slice, row, column, embed_dim]`
    pub fn patch_grid(&self, tokens: &Tokens) -> Tensor<5> {
        let [batch, depth, rows, columns] = tokens.grid;
        let [_, num_tokens, embed_dim] = tokens.values.dims();
        tokens
            .values
            .clone()
            .narrow(1, tokens.num_prefix, num_tokens - tokens.num_prefix)
            .reshape([batch, depth, rows, columns, embed_dim])
    }

    /// Patch tokens after the final norm, as a grid.
    ///
    /// # Shapes
    /// returns: `[batch, slice, row, column, embed_dim]`
    pub fn normed_patch_grid(&self, tokens: &Tokens) -> Tensor<5> {
        layer_norm(&self.norm, self.patch_grid(tokens))
    }

    /// All tokens after the final norm.
    pub fn normed_tokens(&self, tokens: &Tokens) -> NormedTokens {
        let normed = self.norm.forward(tokens.values.clone());
        let [_, num_tokens, _] = normed.dims();
        let part = |from, to| normed.clone().narrow(1, from, to - from);
        NormedTokens {
            cls: part(0, 1),
            storage: (tokens.num_prefix > 1).then(|| part(1, tokens.num_prefix)),
            patches: part(tokens.num_prefix, num_tokens),
        }
    }
}
