//! Stage 1: the segmentation proxy task on single multi-slice images.

use super::adaptation::Adaptation;
use super::dinomed3d::{DinoMed3d, DinoMed3dConfig, crop_in_plane, pad_to_patches};
use super::resize::trilinear;
use super::slices::{EndSlices, stack_neighbours};
use super::vit::{Tokens, VisionTransformer};
use burn::module::{Module, Param};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

/// The numbers of a [`ProxyHead`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProxyWeights {
    /// `[embed_dim, class]`, flattened.
    pub weight: Vec<f32>,
    /// Of each class.
    pub bias: Vec<f32>,
}

/// A 1×1 convolution on the last block's patch tokens and bilinear upsampling.
#[derive(Module, Debug)]
pub struct ProxyHead {
    classifier: Linear,
    patch_size: usize,
}

impl ProxyHead {
    /// Fresh weights.
    pub fn init(embed_dim: usize, patch_size: usize, num_classes: usize, device: &Device) -> Self {
        Self {
            classifier: LinearConfig::new(embed_dim, num_classes).init(device),
            patch_size,
        }
    }

    /// With the numbers of one that was trained, for patches of that edge.
    ///
    /// # Panics
    /// If their number does not make whole rows.
    pub fn of(weights: &ProxyWeights, patch_size: usize, device: &Device) -> Self {
        let classes = weights.bias.len();
        let shape = [weights.weight.len() / classes, classes];
        let weight = TensorData::new(weights.weight.clone(), shape);
        let bias = TensorData::new(weights.bias.clone(), [classes]);
        let bias = Param::from_tensor(Tensor::from_data(bias, device));
        Self {
            classifier: Linear {
                weight: Param::from_tensor(Tensor::from_data(weight, device)),
                bias: Some(bias),
            },
            patch_size,
        }
    }

    /// Its numbers. Natively only: it waits for the device.
    pub fn weights(&self) -> ProxyWeights {
        let bias = self.classifier.bias.as_ref().map(Param::val);
        let numbers = |data: TensorData| data.iter::<f32>().collect();
        ProxyWeights {
            weight: numbers(self.classifier.weight.val().into_data()),
            bias: bias.map_or_else(Vec::new, |bias| numbers(bias.into_data())),
        }
    }

    /// [`ProxyHead::forward`] without what was padded to whole patches.
    ///
    /// # Shapes
    /// - `patches`: `[batch, slice, row, column, embed_dim]`
    /// - returns: logits `[batch, class, slice, height, width]`
    pub fn logits(&self, patches: Tensor<5>, [height, width]: [usize; 2]) -> Tensor<5> {
        crop_in_plane(self.forward(patches), height, width)
    }

    /// # Shapes
    /// - `patches`: `[batch, slice, row, column, embed_dim]`
    /// - returns: logits `[batch, class, slice, row * patch, column * patch]`
    pub fn forward(&self, patches: Tensor<5>) -> Tensor<5> {
        let [_, depth, rows, columns, _] = patches.dims();
        let logits = self.classifier.forward(patches).permute([0, 4, 1, 2, 3]); // [b, n, d, h, w]
        trilinear(
            logits,
            [depth, rows * self.patch_size, columns * self.patch_size],
        )
    }
}

/// The network of stage 1: the transformer, without adapters, and the proxy head.
#[derive(Module, Debug)]
pub struct SliceSegmenter {
    /// What stage 2 takes over.
    pub vit: VisionTransformer,
    head: ProxyHead,
    num_neighbours: usize,
    #[module(skip)]
    end_slices: EndSlices,
}

impl SliceSegmenter {
    /// Fresh weights for the transformer that `config` describes.
    pub fn init(config: &DinoMed3dConfig, device: &Device) -> Self {
        Self {
            vit: config.vit.init(&Adaptation::None, device),
            head: ProxyHead::init(
                config.vit.embed_dim,
                config.vit.patch_size,
                config.num_classes,
                device,
            ),
            num_neighbours: config.num_neighbours,
            end_slices: config.end_slices,
        }
    }

    /// Segments every slice by itself.
    ///
    /// # Shapes
    /// - `volume`: `[batch, channel, slice, row, column]`
    /// - returns: logits `[batch, class, slice, row, column]`
    pub fn forward(&self, volume: Tensor<5>) -> Tensor<5> {
        let [batch, _, _, height, width] = volume.dims();
        let volume = pad_to_patches(volume, self.head.patch_size);
        let images = stack_neighbours(volume, self.num_neighbours, self.end_slices);
        crop_in_plane(self.segment_images(images, batch), height, width)
    }

    /// Segments slices whose neighbours are their channels already.
    ///
    /// # Shapes
    /// - `images`: `[batch * slice, channel, row, column]`, edges multiples of the patch edge
    /// - returns: logits `[batch, class, slice, row, column]`
    pub fn segment_images(&self, images: Tensor<4>, batch: usize) -> Tensor<5> {
        let mut tokens = self.vit.embed(images, batch);
        for index in 0..self.vit.blocks.len() {
            tokens = self.vit.block(index, tokens);
        }
        self.head.forward(self.vit.patch_grid(&tokens))
    }
}

impl DinoMed3d {
    /// What a proxy head says of `tokens`, which have passed all blocks; as in stage 1 where the network is
    /// [without](Self::without) adapters.
    ///
    /// # Shapes
    /// - `size`: rows and columns of the volume before it was padded to whole patches
    /// - returns: logits `[batch, class, slice, row, column]`
    pub fn proxy_logits(
        &self,
        head: &ProxyHead,
        tokens: &Tokens,
        [height, width]: [usize; 2],
    ) -> Tensor<5> {
        head.logits(self.vit.patch_grid(tokens), [height, width])
    }
}
