//! Low-rank adaptation (LoRA) of the linear maps of a frozen transformer.

use super::step::{Activation, activate, linear_map};
use burn::config::Config;
use burn::module::{Initializer, Module, Param};
use burn::nn::{Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

/// Settings of LoRA; the defaults are the paper's.
#[derive(Config, Debug, PartialEq)]
pub struct LoraConfig {
    /// Inner width.
    #[config(default = 16)]
    pub rank: usize,
    /// The update counts `alpha / rank` times.
    #[config(default = 16.0)]
    pub alpha: f64,
    /// Chance that an input value is dropped, in training.
    #[config(default = 0.1)]
    pub dropout: f64,
}

impl LoraConfig {
    /// Factor of the update.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }
}

/// The learnt update of one linear map: `scale · up(down(dropout(x)))`.
///
/// `up` starts at zero, so fresh LoRA changes nothing.
///
/// Source: Hu et al. 2021, arXiv:2106.09685.
#[derive(Module, Debug)]
pub struct Lora {
    /// `[input, rank]`
    down: Param<Tensor<2>>,
    /// `[rank, output]`
    up: Param<Tensor<2>>,
    dropout: Dropout,
    scale: f64,
}

impl Lora {
    /// A fresh update of a map from `d_input` to `d_output` channels.
    pub fn init(config: &LoraConfig, d_input: usize, d_output: usize, device: &Device) -> Self {
        Self {
            down: Initializer::KaimingUniform {
                gain: 1.0 / 3.0f64.sqrt(),
                fan_out_only: false,
            }
            .init_with(
                [d_input, config.rank],
                Some(d_input),
                Some(config.rank),
                device,
            ),
            up: Initializer::Zeros.init([config.rank, d_output], device),
            dropout: DropoutConfig::new(config.dropout).init(),
            scale: config.scale(),
        }
    }

    /// What is added to the map's own output.
    ///
    /// # Shapes
    /// - `x`: `[.., input]`
    /// - returns: `[.., output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let as_is = Activation::Identity;
        let inner = linear_map(self.dropout.forward(x), self.down.val(), None, as_is);
        linear_map(inner, self.up.val(), None, as_is).mul_scalar(self.scale)
    }
}

/// A linear map that LoRA may adapt.
#[derive(Module, Debug)]
pub struct AdaptedLinear {
    /// `[input, output]`
    weight: Param<Tensor<2>>,
    /// `[output]`
    bias: Option<Param<Tensor<1>>>,
    lora: Option<Lora>,
}

impl AdaptedLinear {
    /// Fresh weights.
    pub fn init(
        d_input: usize,
        d_output: usize,
        lora: Option<&LoraConfig>,
        device: &Device,
    ) -> Self {
        let Linear { weight, bias } = LinearConfig::new(d_input, d_output)
            .with_initializer(super::initializer::initializer())
            .init(device);
        Self {
            weight,
            bias,
            lora: lora.map(|config| Lora::init(config, d_input, d_output, device)),
        }
    }

    /// # Shapes
    /// - `x`: `[.., input]`
    /// - returns: `[.., output]`
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        self.forward_then(x, self.bias(), Activation::Identity)
    }

    /// As [`forward`](Self::forward), with a bias that may be another, and what follows.
    pub(super) fn forward_then<const D: usize>(
        &self,
        x: Tensor<D>,
        bias: Option<Tensor<1>>,
        activation: Activation,
    ) -> Tensor<D> {
        // One product over all rows instead of one for each image.
        let mut shape = x.dims();
        let d_input = shape[D - 1];
        let rows = shape[..D - 1].iter().product();
        let x: Tensor<2> = x.reshape([rows, d_input]);
        let update = self.lora.as_ref().map(|lora| lora.forward(x.clone()));
        let weight = self.weight.val();
        let y = match update {
            Some(update) => {
                let y = linear_map(x, weight, bias, Activation::Identity);
                activate(y + update, activation)
            }
            None => linear_map(x, weight, bias, activation),
        };
        shape[D - 1] = y.dims()[1];
        y.reshape(shape)
    }

    /// The bias.
    pub(super) fn bias(&self) -> Option<Tensor<1>> {
        self.bias.as_ref().map(Param::val)
    }
}
