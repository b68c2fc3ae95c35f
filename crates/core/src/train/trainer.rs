//! A whole training run: stage 1, then stage 2.

use super::TrainError;
use super::dataset::Dataset;
use super::freeze::{freeze, is_backbone};
use super::progress::Event;
use super::recipe::Recipe;
use super::run_folder::{RunFolder, RunState};
use super::stage::{Parallelism, Stage};
use super::stop::Stop;
use crate::model::{DinoMed3d, SliceSegmenter};
use crate::weights::transfer::with_stage1;
use crate::weights::{NamedTensors, decode, load_into, named_tensors};
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// Training between two checkpoints, at most: what a kill may cost.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// Runs a recipe.
#[derive(Debug)]
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    dataset: &'a Arc<Dataset>,
    devices: Vec<Device>,
    parallelism: Parallelism,
    folder: RunFolder,
    start: Option<Start>,
    checkpoint_every: Duration,
}

/// Weights that a run begins with.
#[derive(Clone, Debug)]
pub enum Start {
    /// Of a transformer, under the names `vit.…`: stage 1 goes on from there.
    Transformer(NamedTensors),
    /// Of a whole network: stage 2 goes on from there, and there is no stage 1.
    Network(NamedTensors),
}

impl<'a> Trainer<'a> {
    /// A run on `devices` in `folder`, which is made if it is not there.
    ///
    /// With `resume` an earlier run goes on after its last checkpoint; without, a folder that
    /// already holds one is refused.
    ///
    /// # Errors
    /// [`TrainError::File`], or [`TrainError::Recipe`] if the folder is taken.
    pub fn new(
        recipe: &'a Recipe,
        dataset: &'a Arc<Dataset>,
        devices: &[Device],
        folder: &Path,
        resume: bool,
    ) -> Result<Self, TrainError> {
        recipe.check()?;
        std::fs::create_dir_all(folder).map_err(|cause| TrainError::File {
            path: folder.to_owned(),
            cause,
        })?;
        let folder = RunFolder(folder.to_owned());
        if !resume {
            folder.expect_new()?;
        }
        if devices.is_empty() {
            return Err(TrainError::Recipe("no device to train on".into()));
        }
        if dataset.labels.len() != recipe.colors.len() + 1 {
            return Err(TrainError::Recipe(format!(
                "the recipe has {} colours, the data set {} labels beside background",
                recipe.colors.len(),
                dataset.labels.len() - 1
            )));
        }
        recipe.corrections(&dataset.labels)?;
        Ok(Self {
            recipe,
            dataset,
            devices: devices.iter().map(|d| d.clone().autodiff()).collect(),
            parallelism: Parallelism::default(),
            folder,
            start: None,
            checkpoint_every: CHECKPOINT_EVERY,
        })
    }

    /// How several devices work together; makes no difference with one.
    pub fn with_parallelism(mut self, parallelism: Parallelism) -> Self {
        self.parallelism = parallelism;
        self
    }

    /// Begins with the weights of another training.
    pub fn with_start(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// Writes a checkpoint after so much training; a minute when not said.
    pub fn with_checkpoint_every(mut self, time: Duration) -> Self {
        self.checkpoint_every = time;
        self
    }

    fn has_stage1(&self) -> bool {
        self.recipe.stage1.epochs > 0 && !matches!(self.start, Some(Start::Network(_)))
    }

    /// Trains both stages to their end.
    ///
    /// # Errors
    /// Any [`TrainError`]; what was saved before stays usable.
    pub fn run(&self, mut report: impl FnMut(Event)) -> Result<RunState, TrainError> {
        let (events, told) = channel();
        let stop = Stop::default();
        let outcome = std::thread::scope(|scope| {
            // One thread computes from the first weight to the last: LibTorch keeps a team of threads
            // for every thread that calls it, and with more teams than processors they sleep and
            // wake at every operation, which took two fifths of a step.
            let training = scope.spawn(|| self.train(events, &stop));
            let guard = StopOnPanic(&stop);
            for event in told {
                report(event);
            }
            std::mem::forget(guard);
            training.join()
        });
        outcome.unwrap_or_else(|panic| {
            let reason = stop.take_reason();
            Err(reason.unwrap_or_else(|| TrainError::Learner(panic_message(&*panic))))
        })
    }

    fn train(&self, events: Sender<Event>, stop: &Stop) -> Result<RunState, TrainError> {
        let mut state = self.folder.state()?.unwrap_or_default();
        let architecture = self
            .recipe
            .architecture(self.dataset.labels.len(), self.dataset.channels.len())?;
        let device = &self.devices[0];
        let stage = |number, settings| Stage {
            number,
            settings,
            recipe: self.recipe,
            dataset: self.dataset,
            folder: &self.folder,
            devices: &self.devices,
            parallelism: self.parallelism,
            depth: architecture.vit.depth,
            events: events.clone(),
            stop: stop.clone(),
            checkpoint_every: self.checkpoint_every,
        };
        // What a stage's first weights are hangs on the seed alone, not on what was drawn before: a run that goes on between
        // the stages begins the second as one that never stopped.
        let seed = || {
            for device in &self.devices {
                device.clone().inner().seed(self.recipe.seed);
            }
        };
        let stage1_path = self.folder.stage1_weights();
        let fresh_stage1 = || SliceSegmenter::init(&architecture, device);
        let has_begun_stage2 = self.folder.last_checkpoint(2, &state).is_some();
        if state.stages_done < 1 && !has_begun_stage2 {
            if self.has_stage1() {
                seed();
                let network = self.started(fresh_stage1())?;
                let average = copy(&network, fresh_stage1())?;
                // Parameters that were loaded don't train by themselves.
                let network = freeze(network, |_| false);
                stage(1, &self.recipe.stage1).run(network, average, &mut state)?;
            }
            state.stages_done = 1;
            state.stage1_steps = state.best(1).map(|row| row.steps);
            if self.has_stage1() {
                self.folder.write_state(&state, &self.dataset.labels)?;
                self.folder.remove_checkpoints(1);
            }
        }
        if state.stages_done < 2 {
            seed();
            let network: DinoMed3d = if has_begun_stage2 {
                // A checkpoint holds all weights, whatever the run began with.
                architecture.init(device)
            } else if self.has_stage1() {
                let damaged = |error| {
                    let then = "stage 2 begins with what stage 1 wrote: expected is another run";
                    TrainError::damaged(stage1_path.clone(), error, then)
                };
                let tensors = decode(&self.folder.read(&stage1_path)?).map_err(damaged)?;
                let stage1 = load_into(fresh_stage1(), tensors).map_err(damaged)?;
                with_stage1(architecture.init(device), &stage1.vit)?
            } else {
                self.started(architecture.init(device))?
            };
            let average = copy(&network, architecture.init(device))?;
            let frozen = self.recipe.freeze_backbone;
            let network = freeze(network, |name| frozen && is_backbone(name));
            stage(2, &self.recipe.stage2).run(network, average, &mut state)?;
            state.stages_done = 2;
            self.folder.write_state(&state, &self.dataset.labels)?;
            self.folder.remove_checkpoints(2);
        }
        Ok(state)
    }

    /// `network` with the weights that the run begins with.
    fn started<M: Module>(&self, network: M) -> Result<M, TrainError> {
        let tensors = match &self.start {
            None => return Ok(network),
            // LoRA may have been merged, and the refinement at full size be new; fresh ones change nothing.
            Some(Start::Network(trained)) => {
                let mut tensors = named_tensors(&network);
                tensors.retain(|name, _| name.contains(".lora.") || name.contains(".full."));
                tensors.extend(trained.clone());
                tensors
            }
            Some(Start::Transformer(transformer)) => {
                let mut tensors = named_tensors(&network);
                tensors.extend(transformer.clone());
                tensors
            }
        };
        Ok(load_into(network, tensors)?)
    }
}

/// `other` with the weights of `network`.
fn copy<M: Module>(network: &M, other: M) -> Result<M, TrainError> {
    Ok(load_into(other, named_tensors(network))?)
}

/// Stops the training when whoever listens to it fails.
struct StopOnPanic<'a>(&'a Stop);

impl Drop for StopOnPanic<'_> {
    fn drop(&mut self) {
        let reason = "whoever listened to the training failed";
        self.0.because(TrainError::Learner(reason.into()));
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "the training stopped without a reason".into())
}
