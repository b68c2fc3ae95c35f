//! Stage 1: the segmentation proxy task on single multi-slice images.

use super::dinomed3d::{DinoMed3dConfig, crop_in_plane, pad_to_patches};
use super::slices::stack_neighbours;
use super::vit::VisionTransformer;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};

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

    /// # Shapes
    /// - `patches`: `[batch, slice, row, column, embed_dim]`
    /// - returns: logits `[batch, class, slice, row * patch, column * patch]`
    pub fn forward(&self, patches: Tensor<5>) -> Tensor<5> {
        let [batch, depth, rows, columns, _] = patches.dims();
        let device = patches.device();
        let scores = self.classifier.forward(patches).permute([0, 4, 1, 2, 3]); // [b, n, d, h, w]
        let classes = scores.dims()[1];
        let (height, width) = (rows * self.patch_size, columns * self.patch_size);
        // Bilinear upsampling is one small matrix product per axis, which every backend can
        // also differentiate.
        let up_columns = upsampling_matrix(columns, width, &device);
        let up_rows = upsampling_matrix(rows, height, &device);
        let scores = scores
            .reshape([batch * classes * depth, rows, columns])
            .matmul(up_columns.swap_dims(0, 1).unsqueeze::<3>());
        up_rows
            .unsqueeze::<3>()
            .matmul(scores)
            .reshape([batch, classes, depth, height, width])
    }
}

/// Linear interpolation weights from `from` to `to` samples, corners not aligned.
///
/// # Shapes
/// returns: `[to, from]`
fn upsampling_matrix(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let mut weights = vec![0.0f32; to * from];
    for target in 0..to {
        let source =
            ((target as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let lower = source.floor() as usize;
        let upper = (lower + 1).min(from - 1);
        let fraction = (source - lower as f64) as f32;
        weights[target * from + lower] += 1.0 - fraction;
        weights[target * from + upper] += fraction;
    }
    Tensor::from_data(TensorData::new(weights, [to, from]), device)
}

/// The network of stage 1: the transformer, without adapters, and the proxy head.
#[derive(Module, Debug)]
pub struct SliceSegmenter {
    /// What stage 2 takes over.
    pub vit: VisionTransformer,
    head: ProxyHead,
    num_neighbours: usize,
}

impl SliceSegmenter {
    /// Fresh weights for the transformer that `config` describes.
    pub fn init(config: &DinoMed3dConfig, device: &Device) -> Self {
        Self {
            vit: config.vit.init(None, device),
            head: ProxyHead::init(
                config.vit.embed_dim,
                config.vit.patch_size,
                config.num_classes,
                device,
            ),
            num_neighbours: config.num_neighbours,
        }
    }

    /// Segments every slice by itself.
    ///
    /// # Shapes
    /// - `volume`: `[batch, 1, slice, row, column]`
    /// - returns: logits `[batch, class, slice, row, column]`
    pub fn forward(&self, volume: Tensor<5>) -> Tensor<5> {
        let [batch, _, _, height, width] = volume.dims();
        let volume = pad_to_patches(volume, self.head.patch_size);
        let mut tokens = self
            .vit
            .embed(stack_neighbours(volume, self.num_neighbours), batch);
        for index in 0..self.vit.blocks.len() {
            tokens = self.vit.block(index, tokens);
        }
        let logits = self.head.forward(self.vit.patch_grid(&tokens));
        crop_in_plane(logits, height, width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, as `torch.nn.functional.interpolate(align_corners=False)`: [0, 1] to four
    /// samples gives 0, 0.25, 0.75, 1.
    #[test]
    fn upsampling_does_not_align_corners() {
        let device = Device::flex();
        let x = Tensor::<1>::from_floats([0.0, 1.0], &device).reshape([2, 1]);
        let y = upsampling_matrix(2, 4, &device).matmul(x).into_data();
        y.assert_eq(
            &TensorData::new(vec![0.0f32, 0.25, 0.75, 1.0], [4, 1]),
            true,
        );
    }
}
