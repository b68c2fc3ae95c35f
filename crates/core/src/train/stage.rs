//! One stage of training, driven by Burn's learner.

use super::TrainError;
use super::augment::Sampler;
use super::batches::{Draw, Wait, WindowLoader, Windows, case_loader};
use super::checkpoint::{PartFile, StudentFile};
use super::dataset::{Dataset, Examples};
use super::label_dice::LabelDice;
use super::network::Network;
use super::progress::{Event, Reporter};
use super::recipe::{Recipe, StageRecipe};
use super::run_folder::{LogRow, RunFolder, RunState};
use super::schedule::learning_rates;
use super::student::{Stop, Student, Task};
use super::synthesis::Synthesizer;
use super::trainer::Parallelism;
use crate::infer::Windowing;
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
use std::time::Instant;

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
}

/// As many as there are cores: where a card computes they have nothing else to do, and where the cores do they draw only
/// as much as is learnt from.
fn drawing_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// What is counted over a stage.
#[derive(Clone, Copy)]
struct Count {
    batches_per_epoch: usize,
    steps_per_epoch: usize,
}

impl Stage<'_> {
    /// As the learner counts: each device has its share of the windows, and the last batches of an
    /// epoch may be smaller.
    fn count(&self) -> Count {
        let windows = self.dataset.training.len() * self.settings.windows_per_case;
        let devices = self.devices.len();
        let rounds = windows.div_ceil(devices).div_ceil(self.settings.batch_size);
        Count {
            batches_per_epoch: rounds * devices,
            steps_per_epoch: rounds.div_ceil(self.settings.accumulation),
        }
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
        let count = self.count();
        let done = self.folder.last_checkpoint(self.number, state).unwrap_or(0);
        state.rewind(self.number, done);
        let total_steps = count.steps_per_epoch * self.settings.epochs;
        let stop = &self.stop;
        let task = Arc::new(Task {
            dataset: self.dataset.clone(),
            windowing: Windowing {
                window: self.recipe.window,
                overlap: self.recipe.overlap,
                blending: self.recipe.blending.unwrap_or_default(),
            },
            ema_decay: self.recipe.ema_decay,
            max_gradient_norm: self.settings.max_gradient_norm,
            cross_entropy: self.settings.cross_entropy,
            batches_per_step: self.settings.accumulation * self.summed_devices(),
            stop: stop.clone(),
        });
        let student = Student::new(network, average, task).at(done * count.steps_per_epoch);
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
            wait: wait.clone(),
        });
        let book = Book {
            stage: self.number,
            epochs_before: done,
            steps_per_epoch: count.steps_per_epoch,
            folder: self.folder.clone(),
            labels: self.dataset.labels.clone(),
            state: shared.clone(),
            wait,
            stop: stop.clone(),
            events: self.events.clone(),
            begun: Instant::now(),
        };
        let reporter = Reporter::new(
            self.number,
            done * count.batches_per_epoch,
            self.settings.epochs * count.batches_per_epoch,
            self.events.clone(),
            stop.clone(),
        );
        let loader = WindowLoader::new(windows, done, &self.devices[0]);
        let mut training = SupervisedTraining::<Student<N>>::new(
            &self.folder.0,
            Arc::new(loader),
            case_loader(self.dataset.validation.len()),
        )
        .with_training_strategy(self.strategy().into())
        .with_interrupter(stop.interrupter())
        .with_application_logger(None)
        .with_metric_logger(InMemoryMetricLogger::default())
        .renderer(Box::new(reporter))
        .metric_train_numeric(LossMetric::new())
        .metric_train_numeric(LearningRateMetric::new())
        .with_custom_checkpointers(
            StudentFile {
                template: student.clone(),
                folder: self.folder.clone(),
                stage: self.number,
                state: shared.clone(),
            },
            PartFile::optimizer(self.folder, self.number),
            PartFile::scheduler(self.folder, self.number),
        )
        .num_epochs(self.settings.epochs);
        for place in 0..self.dataset.labels.len() - 1 {
            training = training.metric_valid_numeric(LabelDice::new(place));
        }
        if self.settings.accumulation > 1 {
            training = training.grads_accumulation(self.settings.accumulation);
        }
        if let Some(epochs) = self.settings.early_stopping {
            training = training.early_stopping(Patience {
                stage: self.number,
                epochs,
                state: shared.clone(),
            });
        }
        if done > 0 {
            training = training.checkpoint(done);
        }
        let result = training
            .with_checkpointing_strategy(book)
            .launch(Learner::new(student, optimizer, rates));
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
        let synthesizer = match &self.dataset.training {
            Examples::LabelMaps { table, .. } => {
                Synthesizer::of_recipe(recipe, table, &self.dataset.labels, self.number)
            }
            Examples::Scans(_) => None,
        };
        match synthesizer {
            Some(synthesizer) => Draw::FromLabelMaps(Box::new(synthesizer)),
            None => Draw::FromScans(Sampler::new(
                recipe.augmentation.clone(),
                recipe.window,
                self.dataset.labels.len(),
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

/// Writes the log after every epoch and has the last two kept.
struct Book {
    stage: usize,
    epochs_before: usize,
    steps_per_epoch: usize,
    folder: RunFolder,
    labels: Vec<(u8, String)>,
    state: Arc<Mutex<RunState>>,
    wait: Wait,
    stop: Stop,
    events: Sender<Event>,
    begun: Instant,
}

impl CheckpointingStrategy for Book {
    fn checkpointing(
        &mut self,
        epoch: usize,
        store: &EventStoreClient,
    ) -> Vec<CheckpointingAction> {
        // The store in memory counts from the first epoch that it saw.
        let seen = epoch - self.epochs_before;
        let mean = |name: &str, split: Split| {
            store
                .find_metric(name, seen, Aggregate::Mean, &split)
                .unwrap_or(f64::NAN)
        };
        let seconds = self.begun.elapsed().as_secs_f64();
        self.begun = Instant::now();
        let row = LogRow {
            stage: self.stage,
            epoch,
            steps: epoch * self.steps_per_epoch,
            loss: mean("Loss", Split::Train) as f32,
            learning_rate: mean("Learning Rate", Split::Train),
            dice: (0..self.labels.len() - 1)
                .map(|place| mean(&LabelDice::name_of(place), Split::Valid))
                .collect(),
            seconds,
            data_wait: self.wait.take() / seconds,
        };
        let mut state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        state.log.push(row.clone());
        if let Err(error) = self.folder.write_state(&state, &self.labels) {
            self.stop.because(error);
        }
        // Whoever listens may have gone; that is no reason to stop training.
        let _ = self.events.send(Event::Epoch(row));
        // The one before stays until this one is whole.
        let mut actions = vec![CheckpointingAction::Save];
        if epoch > 2 {
            actions.insert(0, CheckpointingAction::Delete(epoch - 2));
        }
        actions
    }
}

/// Ends a stage that gets no better, also across a resumed run.
#[derive(Clone)]
struct Patience {
    stage: usize,
    epochs: usize,
    state: Arc<Mutex<RunState>>,
}

impl EarlyStoppingStrategy for Patience {
    fn should_stop(&mut self, epoch: usize, _store: &EventStoreClient) -> bool {
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        let Some(best) = state.best(self.stage).map(LogRow::mean_dice) else {
            return false;
        };
        // The first of several: to be as good again is not to get better.
        let mut rows = state.log.iter().filter(|row| row.stage == self.stage);
        rows.find(|row| row.mean_dice() >= best)
            .is_some_and(|row| epoch - row.epoch >= self.epochs)
    }
}
