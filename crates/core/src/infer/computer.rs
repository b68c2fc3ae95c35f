//! Who takes windows to logits: one device, or several that share them out.

use super::InferError;
use super::predict::read;
use crate::model::{DinoMed3d, ForwardPass, ProxyHead};
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::ControlFlow;

/// Takes windows to their logits.
pub trait Computer {
    /// Windows that it has in hand at a time, at most.
    fn at_a_time(&self) -> usize;

    /// Logits of a window; `progress` is awaited with the share of it that is done, and [`ControlFlow::Break`] gives it up.
    ///
    /// # Shapes
    /// - `window`: `[channel, slice, row, column]`, flattened
    /// - returns: `[class, slice, row, column]`, flattened
    ///
    /// # Errors
    /// [`InferError::Cancelled`], [`InferError::Device`].
    fn logits(
        &self,
        window: Vec<f32>,
        progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> impl Future<Output = Result<Vec<f32>, InferError>>;
}

/// A network on a device: one window after the other.
#[derive(Clone, Copy, Debug)]
pub struct OneDevice<'a> {
    /// Which network.
    pub network: &'a DinoMed3d,
    /// Edges of its windows, `[slice, row, column]`.
    pub window: [usize; 3],
    /// Where it lies.
    pub device: &'a Device,
}

impl Computer for OneDevice<'_> {
    fn at_a_time(&self) -> usize {
        1
    }

    async fn logits(
        &self,
        window: Vec<f32>,
        progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, InferError> {
        let input = input(window, self.window, self.device);
        window_logits(self.network, input, progress).await
    }
}

/// Stage 1 on a device: the transformer of a network without adapters, and a head of the proxy task.
#[derive(Clone, Copy, Debug)]
pub struct ProxyTask<'a> {
    /// Which network, without adapters.
    pub network: &'a DinoMed3d,
    /// Its head.
    pub head: &'a ProxyHead,
    /// Edges of its windows, `[slice, row, column]`.
    pub window: [usize; 3],
    /// Where both lie.
    pub device: &'a Device,
}

impl Computer for ProxyTask<'_> {
    fn at_a_time(&self) -> usize {
        1
    }

    async fn logits(
        &self,
        window: Vec<f32>,
        progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, InferError> {
        let input = input(window, self.window, self.device);
        let [_, _, _, rows, columns] = input.dims();
        let pass = blocks(self.network, input, progress).await?;
        let logits = self
            .network
            .proxy_logits(self.head, pass.state(), [rows, columns]);
        read(logits.flatten::<1>(0, 4)).await
    }
}

/// A pass after all blocks: before detail stream and decoder.
pub(crate) async fn blocks(
    network: &DinoMed3d,
    input: Tensor<5>,
    progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
) -> Result<ForwardPass<'_>, InferError> {
    all_but(2, network.start(input), progress).await
}

/// A window's values on a device, `[1, channel, slice, row, column]`.
pub(crate) fn input(values: Vec<f32>, window: [usize; 3], device: &Device) -> Tensor<5> {
    let [d, h, w] = window;
    let num_channels = values.len() / (d * h * w);
    Tensor::from_data(TensorData::new(values, [1, num_channels, d, h, w]), device)
}

/// What the decoder's last layers make a window's logits of, flattened `[feature, slice, row, column]`; `progress` as in
/// [`window_logits`].
pub(crate) async fn window_features(
    network: &DinoMed3d,
    input: Tensor<5>,
    progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<f32>, InferError> {
    let pass = all_but(1, network.start(input), progress).await?;
    read(pass.features().flatten::<1>(0, 4)).await
}

/// Logits of one window, flattened; `progress` is awaited after every step, with how much of the window is done.
pub(super) async fn window_logits(
    network: &DinoMed3d,
    input: Tensor<5>,
    progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
) -> Result<Vec<f32>, InferError> {
    let pass = all_but(0, network.start(input), progress).await?;
    read(pass.logits().flatten::<1>(0, 4)).await
}

/// A pass after all its steps but the last so many.
async fn all_but(
    left: usize,
    mut pass: ForwardPass<'_>,
    mut progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
) -> Result<ForwardPass<'_>, InferError> {
    let steps = pass.num_steps();
    while pass.remaining() > left {
        pass.step();
        // A device runs behind what it was told; waiting for one value keeps progress true
        // and lets a cancelled run end soon.
        read(pass.witness()).await?;
        let done = (steps - pass.remaining()) as f32 / steps as f32;
        if progress(done).await.is_break() {
            return Err(InferError::Cancelled);
        }
    }
    Ok(pass)
}
