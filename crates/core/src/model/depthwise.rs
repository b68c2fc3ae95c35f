//! Depthwise 3-D convolution of token grids.

#[cfg(feature = "graphics")]
use super::step::graphics;
#[cfg(feature = "libtorch")]
use super::step::libtorch;
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::tensor::{Device, Tensor, ops::PadMode};
use tracing::trace_span;

/// Settings of a [`Depthwise3d`].
#[derive(Config, Debug)]
pub struct Depthwise3dConfig {
    /// Channels, each with its own kernel.
    pub channels: usize,
    /// Kernel edge, `[slice, row, column]`, odd.
    pub kernel: [usize; 3],
}

/// One small kernel per channel over slices, rows and columns; sizes stay as they are.
///
/// Written as a sum of shifted products on channels-last grids: the token grid is small, the
/// gradient is as cheap as the forward pass, and every backend has the two operations. (Burn's
/// grouped convolution takes three times as long in training and wants channels first.)
#[derive(Module, Debug)]
pub struct Depthwise3d {
    /// `[offset, channel]`, offsets in slice, row, column order.
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
    kernel: [usize; 3],
}

impl Depthwise3dConfig {
    /// Fresh weights.
    pub fn init(&self, device: &Device) -> Depthwise3d {
        assert!(
            self.kernel.iter().all(|edge| edge % 2 == 1),
            "kernel edges must be odd, found {:?}",
            self.kernel
        );
        let num_offsets = self.kernel.iter().product::<usize>();
        let bound = 1.0 / (num_offsets as f64).sqrt();
        Depthwise3d {
            weight: Initializer::Uniform {
                min: -bound,
                max: bound,
            }
            .init([num_offsets, self.channels], device),
            bias: Initializer::Zeros.init([self.channels], device),
            kernel: self.kernel,
        }
    }
}

impl Depthwise3d {
    /// Convolves each channel, with zeros beyond the border.
    ///
    /// # Shapes
    /// - `grid` and the result: `[batch, slice, row, column, channel]`
    pub fn forward(&self, grid: Tensor<5>) -> Tensor<5> {
        let _span = trace_span!("depthwise").entered();
        #[cfg(feature = "libtorch")]
        if libtorch::takes(&grid) {
            return libtorch::depthwise(self.weight.val(), self.bias.val(), self.kernel, grid);
        }
        #[cfg(feature = "graphics")]
        if graphics::takes_grid(&grid, self.kernel) {
            return graphics::depthwise(self.weight.val(), self.bias.val(), self.kernel, grid);
        }
        let [batch, depth, rows, columns, channels] = grid.dims();
        let [kernel_d, kernel_h, kernel_w] = self.kernel;
        let margin = |edge: usize| (edge / 2, edge / 2);
        let padded = grid.pad(
            [
                (0, 0),
                margin(kernel_d),
                margin(kernel_h),
                margin(kernel_w),
                (0, 0),
            ],
            PadMode::Constant(0.0),
        );
        let weight = self.weight.val();
        let mut sum = self.bias.val().reshape([1, 1, 1, 1, channels]);
        for d in 0..kernel_d {
            for h in 0..kernel_h {
                for w in 0..kernel_w {
                    let offset = (d * kernel_h + h) * kernel_w + w;
                    let shifted = padded.clone().slice([
                        0..batch,
                        d..d + depth,
                        h..h + rows,
                        w..w + columns,
                        0..channels,
                    ]);
                    let factor = weight.clone().narrow(0, offset, 1);
                    sum = sum + shifted * factor.reshape([1, 1, 1, 1, channels]);
                }
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Tolerance, module::conv3d, ops::ConvOptions};

    /// Against Burn's own grouped convolution.
    #[test]
    fn equals_a_grouped_convolution() {
        let device = Device::flex();
        for kernel in [[3, 3, 3], [3, 1, 1]] {
            let layer = Depthwise3dConfig::new(4, kernel).init(&device);
            let grid = Tensor::<5>::random([2, 5, 4, 3, 4], Distribution::Default, &device);
            let ours = layer.forward(grid.clone());
            let weight = layer
                .weight
                .val()
                .swap_dims(0, 1)
                .reshape([4, 1, kernel[0], kernel[1], kernel[2]]);
            let padding = kernel.map(|edge| edge / 2);
            let theirs = conv3d(
                grid.permute([0, 4, 1, 2, 3]),
                weight,
                Some(layer.bias.val()),
                ConvOptions::new([1; 3], padding, [1; 3], 4),
            )
            .permute([0, 2, 3, 4, 1]);
            ours.into_data()
                .assert_approx_eq::<f32>(&theirs.into_data(), Tolerance::absolute(1e-5));
        }
    }
}
