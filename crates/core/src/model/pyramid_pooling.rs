//! Pyramid pooling: a map sees its surroundings at several scales.

use super::conv::{ConvNormPrelu, NormPrelu, Pointwise};
use super::resize::{adaptive_average, trilinear};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// Cells along each of the three axes, branch by branch.
const CELLS: [usize; 4] = [1, 2, 3, 6];

/// A map and its averages over coarse cells, joined.
///
/// Source: Zhao et al. 2017, PSPNet, in three dimensions.
#[derive(Module, Debug)]
pub struct PyramidPooling {
    branches: Vec<Branch>,
    join: ConvNormPrelu,
}

/// 1×1×1 convolution, group norm, PReLU.
#[derive(Module, Debug)]
pub struct Branch {
    conv: Pointwise,
    after: NormPrelu,
}

impl Branch {
    pub(super) fn init(in_channels: usize, out_channels: usize, device: &Device) -> Self {
        Self {
            conv: Pointwise::init(in_channels, out_channels, true, device),
            after: NormPrelu::init(out_channels, device),
        }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.after.forward(self.conv.forward(x))
    }
}

impl PyramidPooling {
    /// Fresh weights for maps of `channels` channels, a multiple of 128.
    pub fn init(channels: usize, device: &Device) -> Self {
        let narrow = channels / CELLS.len();
        Self {
            branches: CELLS
                .iter()
                .map(|_| Branch::init(channels, narrow, device))
                .collect(),
            join: ConvNormPrelu::init(channels + CELLS.len() * narrow, channels, device),
        }
    }

    /// # Shapes
    /// - `x` and the result: `[batch, channel, slice, row, column]`
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [_, _, depth, height, width] = x.dims();
        let pooled = self.branches.iter().zip(CELLS).map(|(branch, cells)| {
            let y = branch.forward(adaptive_average(x.clone(), [cells; 3]));
            trilinear(y, [depth, height, width])
        });
        let joined = std::iter::once(x.clone()).chain(pooled).collect();
        self.join.forward(Tensor::cat(joined, 1))
    }
}
