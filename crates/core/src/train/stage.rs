//! One stage of training.

use super::TrainError;
use super::augment::Sampler;
use super::checkpoint::{LogRow, RunFolder, RunState};
use super::clip::clip_global_norm;
use super::dataset::Dataset;
use super::ema::MovingAverage;
use super::loss::{one_hot, segmentation_loss};
use super::network::Network;
use super::recipe::{Recipe, StageRecipe};
use super::schedule::warmup_cosine;
use super::trainer::Event;
use super::validate::validate;
use crate::infer::Windowing;
use crate::weights::file::Quantization;
use crate::weights::{encode, load_into};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use std::time::Instant;

/// Trains a network on a data set, epoch by epoch.
pub(super) struct Stage<'a> {
    pub number: usize,
    pub settings: &'a StageRecipe,
    pub recipe: &'a Recipe,
    pub dataset: &'a Dataset,
    pub folder: &'a RunFolder,
    /// A device that records gradients.
    pub device: &'a Device,
}

impl Stage<'_> {
    fn steps_per_epoch(&self) -> usize {
        let windows = self.dataset.training.len() * self.settings.windows_per_case;
        windows.div_ceil(self.settings.batch_size)
    }

    /// Runs the epochs that `state` says are not done and returns the averaged network.
    ///
    /// `prepare` freezes what must not train; it is applied after every load.
    pub fn run<N: Network>(
        &self,
        fresh: impl Fn() -> N,
        prepare: impl Fn(N) -> N,
        state: &mut RunState,
        report: &mut dyn FnMut(Event),
    ) -> Result<MovingAverage, TrainError> {
        let optimizer: ModuleOptimizer = AdamWConfig::new()
            .with_weight_decay(self.settings.weight_decay)
            .with_epsilon(1e-8)
            .init();
        let (mut network, mut optimizer, mut average) =
            if state.stage == self.number && state.epochs_done > 0 {
                self.folder
                    .load(state, fresh(), optimizer, self.recipe.ema_decay)?
            } else {
                state.stage = self.number;
                state.epochs_done = 0;
                state.steps_done = 0;
                let network = fresh();
                let average = MovingAverage::new(&network, self.recipe.ema_decay);
                (network, optimizer, average)
            };
        network = prepare(network);
        let num_classes = self.dataset.labels.len();
        let sampler = Sampler::new(
            self.recipe.augmentation.clone(),
            self.recipe.window,
            num_classes,
            self.recipe.seed ^ self.number as u64,
        );
        let steps_per_epoch = self.steps_per_epoch();
        let total_steps = steps_per_epoch * self.settings.epochs;
        for epoch in state.epochs_done..self.settings.epochs {
            let begun = Instant::now();
            let order = sampler.order(
                self.dataset.training.len(),
                self.settings.windows_per_case,
                epoch,
            );
            let mut loss_sum = 0.0;
            let mut learning_rate = 0.0;
            for (batch, cases) in order.chunks(self.settings.batch_size).enumerate() {
                let begun_step = Instant::now();
                learning_rate = self.settings.learning_rate
                    * warmup_cosine(state.steps_done, self.settings.warmup_steps, total_steps);
                let first = batch * self.settings.batch_size;
                let (input, target) = self.batch(&sampler, cases, epoch, first);
                let loss = segmentation_loss(network.logits(input), target).total;
                let value: f32 = loss.clone().into_scalar();
                if !value.is_finite() {
                    return Err(TrainError::Diverged {
                        stage: self.number,
                        step: state.steps_done,
                        loss: value,
                    });
                }
                let mut gradients = GradientsParams::from_grads(loss.backward(), &network);
                clip_global_norm(&network, &mut gradients, self.settings.max_gradient_norm);
                network = optimizer.step(learning_rate, network, gradients);
                average.update(&network, state.steps_done);
                state.steps_done += 1;
                loss_sum += value;
                report(Event::Step {
                    stage: self.number,
                    epoch: epoch + 1,
                    step: state.steps_done,
                    total_steps,
                    loss: value,
                    seconds: begun_step.elapsed().as_secs_f64(),
                });
            }
            let plain_device = self.device.clone().inner();
            let averaged = load_into(fresh().valid(), average.tensors().clone())?;
            let dice = validate(
                &averaged,
                &self.dataset.validation,
                &self.dataset.labels,
                Windowing {
                    window: self.recipe.window,
                    overlap: self.recipe.overlap,
                    blending: self.recipe.blending.unwrap_or_default(),
                },
                &plain_device,
            )?;
            state.epochs_done = epoch + 1;
            let row = LogRow {
                stage: self.number,
                epoch: epoch + 1,
                steps: state.steps_done,
                loss: loss_sum / steps_per_epoch as f32,
                learning_rate,
                dice,
                seconds: begun.elapsed().as_secs_f64(),
            };
            state.log.push(row.clone());
            self.save_weights(state, &average, &row)?;
            self.folder.save(state, &network, &optimizer, &average)?;
            report(Event::Epoch(row));
        }
        Ok(average)
    }

    /// Input and target of a step.
    fn batch(
        &self,
        sampler: &Sampler,
        cases: &[usize],
        epoch: usize,
        first: usize,
    ) -> (Tensor<5>, Tensor<3>) {
        let mut voxels = Vec::new();
        let mut labels = Vec::new();
        for (offset, &case) in cases.iter().enumerate() {
            let sample = sampler.draw(&self.dataset.training[case], epoch, first + offset);
            voxels.extend(sample.voxels);
            labels.extend(sample.labels);
        }
        let [depth, height, width] = self.recipe.window;
        let input = Tensor::from_data(
            TensorData::new(voxels, [cases.len(), 1, depth, height, width]),
            self.device,
        );
        let target = one_hot(
            &labels,
            [cases.len(), depth, height, width],
            self.dataset.labels.len(),
            self.device,
        );
        (input, target)
    }

    /// Averaged weights of the last and of the best epoch, and the log.
    fn save_weights(
        &self,
        state: &mut RunState,
        average: &MovingAverage,
        row: &LogRow,
    ) -> Result<(), TrainError> {
        let bytes = encode(average.tensors(), Quantization::None)?;
        let folder = &self.folder.0;
        if self.number == 1 {
            self.folder
                .write(&folder.join("stage1.safetensors"), &bytes)?;
        } else {
            self.folder
                .write(&folder.join("last.safetensors"), &bytes)?;
            let mean = row.dice.iter().sum::<f64>() / row.dice.len() as f64;
            if mean >= state.best_dice {
                state.best_dice = mean;
                self.folder
                    .write(&folder.join("best.safetensors"), &bytes)?;
            }
        }
        let names = self.dataset.labels[1..]
            .iter()
            .map(|(value, _)| format!("dice_{value}"))
            .collect::<Vec<_>>()
            .join(",");
        let mut csv = format!("stage,epoch,steps,loss,learning_rate,seconds,{names}\n");
        for row in &state.log {
            let dice: Vec<String> = row.dice.iter().map(|d| format!("{d:.5}")).collect();
            csv += &format!(
                "{},{},{},{:.5},{:.3e},{:.1},{}\n",
                row.stage,
                row.epoch,
                row.steps,
                row.loss,
                row.learning_rate,
                row.seconds,
                dice.join(",")
            );
        }
        self.folder.write(&folder.join("log.csv"), csv.as_bytes())
    }
}
