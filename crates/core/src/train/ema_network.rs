//! What the learner trains: a network, and the moving average of its weights.

use super::dataset::{Dataset, ValidationCase};
use super::ema::{decay_at, follow};
use super::freeze::freeze;
use super::loss::segmentation_loss;
use super::network::Network;
use super::optimize::step;
use super::stop::Stop;
use super::validate::dice_of_case;
use crate::infer::Windowing;
use burn::module::Module;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, ExecutionError, Tensor};
use burn::train::metric::{Adaptor, LossInput};
use burn::train::{InferenceStep, ItemLazy, TrainOutput, TrainStep};
use std::sync::Arc;

/// A network in training with the exponential moving average (EMA) of its weights, which follows it slowly, validates
/// better than it does, and is what a run leaves behind.
#[derive(Module, Debug)]
pub struct EmaNetwork<N: Network> {
    /// What the optimiser moves.
    pub network: N,
    /// Moving average of its weights; never has gradients.
    pub average: N,
    #[module(skip)]
    steps: usize,
    #[module(skip)]
    task: Arc<Task>,
}

/// What a training network has to know beside its weights.
#[derive(Debug)]
pub struct Task {
    /// The data set, for its labels and validation cases.
    pub dataset: Arc<Dataset>,
    /// How validation cuts a scan.
    pub windowing: Windowing,
    /// Of the moving average, per step of the optimiser.
    pub ema_decay: f32,
    /// Largest norm of the gradient.
    pub max_gradient_norm: f32,
    /// Share of the cross-entropy in the loss.
    pub cross_entropy: f32,
    /// Number of batches whose gradients are summed before a step: of all devices, and accumulated.
    pub batches_per_step: usize,
    /// Where a run stops at once.
    pub stop: Stop,
}

impl<N: Network> EmaNetwork<N> {
    /// Both at the first step. Frozen parameters of `network` stay frozen; `average` is any
    /// network of the same weights.
    pub fn new(network: N, average: N, task: Arc<Task>) -> Self {
        Self {
            network,
            average: freeze(average, |_| true),
            steps: 0,
            task,
        }
    }

    /// The same after `steps` steps of the optimiser.
    pub fn at(mut self, steps: usize) -> Self {
        self.steps = steps;
        self
    }
}

/// Windows and their labels.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[batch, channel, slice, row, column]`
    pub input: Tensor<5>,
    /// As [`one_hot`](super::loss::one_hot) makes it: `[batch, class, slice * row * column]`
    pub target: Tensor<3>,
}

/// Loss of a step.
#[derive(Clone, Debug)]
pub struct StepLoss(Tensor<1>);

impl ItemLazy for StepLoss {
    fn sync(self) -> Result<Self, ExecutionError> {
        // Metrics are computed beside the training, and not on its device.
        let value: f32 = self.0.into_scalar();
        Ok(Self(Tensor::from_floats([value], &Device::flex())))
    }
}

impl Adaptor<LossInput> for StepLoss {
    fn adapt(&self) -> LossInput {
        LossInput::new(self.0.clone())
    }
}

impl<N: Network> TrainStep for EmaNetwork<N> {
    type Input = Batch;
    type Output = StepLoss;

    fn step(&self, batch: Batch) -> TrainOutput<StepLoss> {
        let loss = segmentation_loss(
            self.network.logits(batch.input),
            batch.target,
            self.task.cross_entropy,
        )
        .total;
        // The learner sums gradients; the step is to be that of their mean.
        let share = 1.0 / self.task.batches_per_step as f32;
        let gradients = loss.clone().mul_scalar(share).backward();
        TrainOutput::new(&self.network, gradients, StepLoss(loss.detach()))
    }

    fn optimize(
        self,
        optimizer: &mut ModuleOptimizer,
        learning_rate: ModuleLearningRate,
        gradients: GradientsParams,
    ) -> Self {
        let max_norm = self.task.max_gradient_norm;
        let network = step(self.network, gradients, optimizer, &learning_rate, max_norm);
        let decay = decay_at(self.steps, self.task.ema_decay);
        Self {
            average: follow(self.average, &network, decay),
            network,
            steps: self.steps + 1,
            task: self.task,
        }
    }
}

/// Dice of every foreground class of one case.
#[derive(Clone, Debug)]
pub struct CaseDice(pub Vec<f64>);

impl ItemLazy for CaseDice {
    fn sync(self) -> Result<Self, ExecutionError> {
        Ok(self)
    }
}

impl Adaptor<CaseDice> for CaseDice {
    fn adapt(&self) -> CaseDice {
        self.clone()
    }
}

impl<N: Network> InferenceStep for EmaNetwork<N> {
    /// Place in [`Dataset::validation`].
    type Input = usize;
    type Output = CaseDice;

    fn step(&self, case: usize) -> CaseDice {
        let dataset = &self.task.dataset;
        let case: &ValidationCase = &dataset.validation[case];
        let device = self.average.devices()[0].clone().inner();
        let dice = dice_of_case(
            &self.average,
            case,
            &dataset.labels,
            self.task.windowing,
            &device,
        );
        CaseDice(dice.unwrap_or_else(|error| {
            self.task.stop.because(error);
            vec![f64::NAN; dataset.labels.len() - 1]
        }))
    }
}
