//! One stage of training, driven by Burn's learner.

use super::TrainError;
use super::augment::Sampler;
use super::batches::{CaseLoader, Draw, Wait, WindowLoader, Windows};
use super::checkpoint::{NetworkFile, PartFile, expect_readable};
use super::dataset::{Dataset, Examples, LabelMaps};
use super::ema_network::{EmaNetwork, Task};
use super::label_dice::LabelDice;
use super::network::Network;
use super::progress::{Event, Reporter};
use super::recipe::{Recipe, StageRecipe};
use super::run_folder::{LogPart, LogRow, RunFolder, RunState};
use super::schedule::learning_rates;
use super::stop::Stop;
use super::stretch::Stretches;
use super::synthesis::Synthesizer;
use burn::optim::AdamWConfig;
use burn::tensor::Device;
use burn::tensor::distributed::{DistributedConfig, ReduceOperation};
use burn::train::checkpoint::{CheckpointingAction, CheckpointingStrategy};
use burn::train::logger::InMemoryMetricLogger;
use burn::train::metric::store::{Aggregate, EventStoreClient, Split};
use burn::train::metric::{LearningRateMetric, LossMetric};
use burn::train::{
    EarlyStoppingStrategy, ExecutionStrategy, Learner, MultiDeviceOptim, SupervisedTraining,
};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How several devices train one network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Parallelism {
    /// Gradients of all devices are gathered on the first, which makes the step.
    #[default]
    Gather,
    /// Devices exchange gradients, and each makes the same step.
    Distributed,
}

/// Trains a network on a data set, epoch by epoch.
pub(super) struct Stage<'a> {
    pub number: usize,
    pub settings: &'a StageRecipe,
    pub recipe: &'a Recipe,
    pub dataset: &'a Arc<Dataset>,
    pub folder: &'a RunFolder,
    /// Devices that record gradients, at least one.
    pub devices: &'a [Device],
    pub parallelism: Parallelism,
    /// Blocks of the transformer.
    pub depth: usize,
    /// Who listens.
    pub events: Sender<Event>,
    /// How it is ended early.
    pub stop: Stop,
    /// Training between two checkpoints.
    pub checkpoint_every: Duration,
}

/// All cores but two: the learner and what differentiates for it have a thread each, which a card waits for. Where the cores
/// compute themselves windows are drawn only as fast as they are learnt from.
fn drawing_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    cores.saturating_sub(2).max(1)
}

impl Stage<'_> {
    /// Batches of each device in an epoch. As the learner counts: each device has its share of the windows, and the last
    /// batches of an epoch may be smaller.
    fn rounds_per_epoch(&self) -> usize {
        let windows = self.dataset.training.len() * self.settings.windows_per_case;
        let share = windows.div_ceil(self.devices.len());
        share.div_ceil(self.settings.batch_size)
    }

    /// Runs the epochs that `state` and the checkpoints say are not done.
    ///
    /// `network` is where the stage begins, frozen where it is to stay; `average` a network of the
    /// same weights.
    pub fn run<N: Network>(
        &self,
        network: N,
        average: N,
        state: &mut RunState,
    ) -> Result<(), TrainError> {
        let StageRecipe {
            epochs,
            accumulation,
            ..
        } = *self.settings;
        let rounds_per_epoch = self.rounds_per_epoch();
        let stretches = Stretches::new(rounds_per_epoch, accumulation, self.checkpoint_every);
        let total_steps = stretches.steps_per_epoch() * epochs;
        let done = self.folder.last_checkpoint(self.number, state);
        let steps_before = done.map_or(0, |(_, steps)| steps);
        state.rewind(self.number, steps_before);
        if steps_before >= total_steps {
            return Ok(());
        }
        let stretches = Arc::new(match done {
            Some((mark, steps)) => stretches.after(mark, steps),
            None => stretches,
        });
        let stop = &self.stop;
        let task = Arc::new(Task {
            dataset: self.dataset.clone(),
            windowing: self.recipe.windowing(),
            ema_decay: self.recipe.ema_decay,
            max_gradient_norm: self.settings.max_gradient_norm,
            cross_entropy: self.settings.cross_entropy,
            batches_per_step: accumulation * self.summed_devices(),
            stop: stop.clone(),
        });
        let network = EmaNetwork::new(network, average, task).at(steps_before);
        if let Some(checkpoint) = done {
            expect_readable(self.folder, self.number, checkpoint, state, &network)?;
        }
        let optimizer = AdamWConfig::new()
            .with_weight_decay(self.settings.weight_decay)
            .with_epsilon(1e-8)
            .init();
        let rates = learning_rates(self.settings, self.depth, total_steps)?;
        let shared = Arc::new(Mutex::new(std::mem::take(state)));
        let wait = Wait::default();
        let windows = Arc::new(Windows {
            dataset: self.dataset.clone(),
            draw: self.draw(),
            seed: self.seed(),
            threads: drawing_threads(),
            windows_per_case: self.settings.windows_per_case,
            batch_size: self.settings.batch_size,
            window: self.recipe.window,
            stretches: stretches.clone(),
            wait: wait.clone(),
        });
        // The learner counts stretches, and takes the checkpoint that it begins with for the first.
        let stretches_before = usize::from(done.is_some());
        let book = Book {
            stage: self.number,
            stretches_before,
            stretches: stretches.clone(),
            folder: self.folder.clone(),
            labels: self.dataset.labels.clone(),
            is_validated: !self.dataset.validation.is_empty(),
            state: shared.clone(),
            wait,
            stop: stop.clone(),
            events: self.events.clone(),
            begun: Instant::now(),
        };
        let reporter = Reporter::new(
            self.number,
            stretches.rounds_before() * self.devices.len(),
            epochs * rounds_per_epoch * self.devices.len(),
            stretches.clone(),
            self.events.clone(),
            stop.clone(),
        );
        let mut training = SupervisedTraining::<EmaNetwork<N>>::new(
            &self.folder.0,
            Arc::new(WindowLoader::new(windows, &self.devices[0])),
            Arc::new(CaseLoader {
                cases: 0..self.dataset.validation.len(),
                stretches: stretches.clone(),
            }),
        )
        .with_training_strategy(self.strategy().into())
        .with_interrupter(stop.interrupter())
        .with_application_logger(None)
        .with_metric_logger(InMemoryMetricLogger::default())
        .renderer(Box::new(reporter))
        .metric_train_numeric(LossMetric::new())
        .metric_train_numeric(LearningRateMetric::new())
        .with_custom_checkpointers(
            NetworkFile {
                template: network.clone(),
                folder: self.folder.clone(),
                stage: self.number,
                state: shared.clone(),
                stretches: stretches.clone(),
            },
            PartFile::optimizer(self.folder, self.number, &stretches),
            PartFile::scheduler(self.folder, self.number, &stretches),
        )
        // Of how many stretches, time tells; `End` knows the last.
        .num_epochs(usize::MAX)
        .early_stopping(End {
            stage: self.number,
            epochs,
            patience: self.settings.early_stopping,
            stretches_before,
            stretches,
            state: shared.clone(),
        });
        for place in 0..self.dataset.labels.len() - 1 {
            training = training.metric_valid_numeric(LabelDice::new(place));
        }
        if accumulation > 1 {
            training = training.grads_accumulation(accumulation);
        }
        if stretches_before > 0 {
            training = training.checkpoint(stretches_before);
        }
        let result = training
            .with_checkpointing_strategy(book)
            .launch(Learner::new(network, optimizer, rates));
        *state = std::mem::take(&mut *shared.lock().unwrap_or_else(|e| e.into_inner()));
        if let Some(reason) = stop.take_reason() {
            return Err(reason);
        }
        match result.error {
            None => Ok(()),
            Some(error) => Err(TrainError::Learner(error.to_string())),
        }
    }

    /// What no other run and stage begins its random numbers with.
    fn seed(&self) -> [u64; 2] {
        [self.recipe.seed, self.number as u64]
    }

    fn draw(&self) -> Draw {
        let recipe = self.recipe;
        let labels = &self.dataset.labels;
        match &self.dataset.training {
            Examples::LabelMaps(LabelMaps {
                settings, table, ..
            }) => {
                let synthesizer = Synthesizer::new(recipe, settings, table, labels, self.number);
                Draw::FromLabelMaps(Box::new(synthesizer))
            }
            Examples::Scans(_) => Draw::FromScans(Sampler::new(
                recipe.augmentation.clone(),
                recipe.window,
                labels.len(),
                self.seed(),
            )),
        }
    }

    /// Devices whose gradients the learner sums; distributed ones average theirs.
    fn summed_devices(&self) -> usize {
        match self.parallelism {
            Parallelism::Gather => self.devices.len(),
            Parallelism::Distributed => 1,
        }
    }

    fn strategy(&self) -> ExecutionStrategy {
        let devices = self.devices.to_vec();
        match self.parallelism {
            _ if devices.len() == 1 => ExecutionStrategy::single(devices[0].clone()),
            Parallelism::Gather => {
                ExecutionStrategy::multi(devices, MultiDeviceOptim::OptimMainDevice)
            }
            Parallelism::Distributed => {
                let config = DistributedConfig {
                    all_reduce_op: ReduceOperation::Mean,
                };
                ExecutionStrategy::ddp(devices, config)
            }
        }
    }
}

/// Writes the log after every stretch.
struct Book {
    stage: usize,
    stretches_before: usize,
    stretches: Arc<Stretches>,
    folder: RunFolder,
    labels: Vec<(u8, String)>,
    is_validated: bool,
    state: Arc<Mutex<RunState>>,
    wait: Wait,
    stop: Stop,
    events: Sender<Event>,
    begun: Instant,
}

impl CheckpointingStrategy for Book {
    fn checkpointing(
        &mut self,
        number: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        // The store in memory counts from the first stretch that it saw.
        let seen = number - self.stretches_before;
        let mean =
            |name: &str, split: Split| store.find_metric(name, seen, Aggregate::Mean, &split);
        let of_training = |name| mean(name, Split::Train).unwrap_or(f64::NAN);
        let stretch = self.stretches.finish();
        let part = LogPart {
            stage: self.stage,
            epoch: stretch.epoch,
            steps: stretch.steps,
            batches: stretch.rounds,
            loss: of_training("Loss"),
            learning_rate: of_training("Learning Rate"),
            seconds: self.begun.elapsed().as_secs_f64(),
            waited: self.wait.take(),
        };
        self.begun = Instant::now();
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        // A run goes back to an earlier epoch than this or the last one only to its end.
        state
            .parts
            .retain(|old| old.stage == self.stage && old.epoch + 1 >= stretch.epoch);
        if stretch.ends_epoch {
            let dice = if self.is_validated {
                let of_label = |place| mean(&LabelDice::name_of(place), Split::Valid);
                let labels = 0..self.labels.len() - 1;
                labels
                    .map(|place| of_label(place).unwrap_or(f64::NAN))
                    .collect()
            } else {
                Vec::new()
            };
            let row = row(&state.parts, part, dice);
            state.log.push(row.clone());
            // Whoever listens may have gone; that is no reason to stop training.
            let _ = self.events.send(Event::Epoch(row));
        } else {
            state.parts.push(part);
        }
        if let Err(error) = self.folder.write_state(&state, &self.labels) {
            self.stop.because(error);
        }
        vec![CheckpointingAction::Save]
    }
}

/// The row of an epoch of its earlier stretches, which are among `parts`, and its last one.
fn row(parts: &[LogPart], last: LogPart, dice: Vec<f64>) -> LogRow {
    let earlier = parts.iter().filter(|part| part.epoch == last.epoch);
    let all: Vec<&LogPart> = earlier.chain([&last]).collect();
    let sum = |of: fn(&LogPart) -> f64| -> f64 { all.iter().map(|part| of(part)).sum() };
    let batches = sum(|part| part.batches as f64);
    let seconds = sum(|part| part.seconds);
    LogRow {
        stage: last.stage,
        epoch: last.epoch,
        steps: last.steps,
        loss: (sum(|part| part.loss * part.batches as f64) / batches) as f32,
        learning_rate: sum(|part| part.learning_rate * part.batches as f64) / batches,
        dice,
        seconds,
        data_wait: sum(|part| part.waited) / seconds,
    }
}

/// Ends a stage after its last epoch, or when it gets no better, also across a resumed run.
#[derive(Clone)]
struct End {
    stage: usize,
    epochs: usize,
    /// Epochs without a better Dice.
    patience: Option<usize>,
    stretches_before: usize,
    stretches: Arc<Stretches>,
    state: Arc<Mutex<RunState>>,
}

impl EarlyStoppingStrategy for End {
    fn should_stop(&mut self, number: usize, _store: &EventStoreClient) -> bool {
        let number = number - self.stretches_before - 1;
        self.stretches.is_last(number, self.epochs)
            || (self.stretches.ends_epoch() && self.is_in_vain())
    }
}

impl End {
    fn is_in_vain(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let best = state.best(self.stage).and_then(LogRow::mean_dice);
        let (Some(patience), Some(best)) = (self.patience, best) else {
            return false;
        };
        // The first of several: to be as good again is not to get better.
        let first = state
            .rows(self.stage)
            .find(|row| row.mean_dice() >= Some(best));
        let last = state.rows(self.stage).next_back();
        first
            .zip(last)
            .is_some_and(|(first, last)| last.epoch - first.epoch >= patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: of six batches four have a loss of 1 and two of 4.
    #[test]
    fn a_row_is_of_all_stretches_of_its_epoch() {
        let part = |epoch, batches, loss, steps| LogPart {
            stage: 2,
            epoch,
            steps,
            batches,
            loss,
            learning_rate: 1e-3,
            seconds: 10.0,
            waited: 1.0,
        };
        let parts = [part(1, 5, 9.0, 5), part(2, 4, 1.0, 9)];
        let row = row(&parts, part(2, 2, 4.0, 11), vec![0.5]);
        assert_eq!((row.epoch, row.steps, row.loss), (2, 11, 2.0));
        assert_eq!((row.seconds, row.data_wait), (20.0, 0.1));
    }
}
