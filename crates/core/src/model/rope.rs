//! Rotary position embedding of patch tokens in two dimensions.

use burn::tensor::{DType, Device, Tensor, TensorData};

/// Base of the rotary periods of DINOv3.
const BASE: f64 = 100.0;

/// Cosines and sines that rotate queries and keys by the place of their patch.
///
/// Prefix tokens (CLS and registers) have cosine 1 and sine 0: they stay as they are, and no
/// tensor has to be cut apart for it.
#[derive(Clone, Debug)]
pub struct RotaryEmbedding {
    cos: Tensor<2>,
    sin: Tensor<2>,
}

impl RotaryEmbedding {
    /// Tables for `num_prefix` prefix tokens and a grid of `rows` by `columns` patches.
    ///
    /// The centre of patch i of n lies at `2 (i + 0.5) / n − 1`, each axis by its own n; periods
    /// are `100^(4k / head_dim)` for k < head_dim / 4; the angles are all of y, then all of x,
    /// repeated twice.
    ///
    /// # Panics
    /// If `head_dim` is not a multiple of four.
    ///
    /// Source: DINOv3 reference implementation, `RopePositionEmbedding` (facts in the paper's
    /// appendix); the random rescaling of coordinates is a training augmentation and left out.
    pub fn new(
        num_prefix: usize,
        rows: usize,
        columns: usize,
        head_dim: usize,
        device: &Device,
    ) -> Self {
        assert_eq!(
            head_dim % 4,
            0,
            "head width {head_dim} is not a multiple of 4"
        );
        let num_periods = head_dim / 4;
        let centre = |i: usize, n: usize| 2.0 * (i as f64 + 0.5) / n as f64 - 1.0;
        let angle = |coordinate: f64, k: usize| {
            let period = BASE.powf(4.0 * k as f64 / head_dim as f64);
            2.0 * std::f64::consts::PI * coordinate / period
        };
        let num_tokens = num_prefix + rows * columns;
        let mut cos = vec![1.0f32; num_prefix * head_dim];
        let mut sin = vec![0.0f32; num_prefix * head_dim];
        for row in 0..rows {
            for column in 0..columns {
                let half: Vec<f64> = (0..num_periods)
                    .map(|k| angle(centre(row, rows), k))
                    .chain((0..num_periods).map(|k| angle(centre(column, columns), k)))
                    .collect();
                for angle in half.iter().chain(&half) {
                    cos.push(angle.cos() as f32);
                    sin.push(angle.sin() as f32);
                }
            }
        }
        let table =
            |values| Tensor::from_data(TensorData::new(values, [num_tokens, head_dim]), device);
        Self {
            cos: table(cos),
            sin: table(sin),
        }
    }

    /// In other numbers.
    pub(super) fn cast(self, dtype: DType) -> Self {
        Self {
            cos: self.cos.cast(dtype),
            sin: self.sin.cast(dtype),
        }
    }

    /// Cosines and sines, each `[token, head_dim]`.
    pub(super) fn tables(&self) -> [Tensor<2>; 2] {
        [self.cos.clone(), self.sin.clone()]
    }

    /// Rotates queries or keys.
    ///
    /// # Shapes
    /// - `x` and the result: `[image, head, token, head_dim]`
    pub fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let head_dim = x.dims()[3];
        let first = x.clone().narrow(3, 0, head_dim / 2);
        let second = x.clone().narrow(3, head_dim / 2, head_dim / 2);
        let half_turned = Tensor::cat(vec![second.neg(), first], 3);
        x * self.cos.clone().unsqueeze() + half_turned * self.sin.clone().unsqueeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rotation keeps lengths, and leaves the prefix tokens alone.
    #[test]
    fn rotation_keeps_norms_and_prefix() {
        let device = Device::flex();
        let rope = RotaryEmbedding::new(5, 2, 3, 8, &device);
        let x = Tensor::<1, burn::tensor::Int>::arange(0..(2 * 11 * 8), &device)
            .float()
            .reshape([1, 2, 11, 8]);
        let y = rope.rotate(x.clone());
        let norm = |t: Tensor<4>| t.square().sum_dim(3).into_data();
        norm(y.clone())
            .assert_approx_eq::<f32>(&norm(x.clone()), burn::tensor::Tolerance::relative(1e-5));
        y.narrow(2, 0, 5)
            .into_data()
            .assert_eq(&x.narrow(2, 0, 5).into_data(), true);
    }
}
