//! A whole training run: stage 1, then stage 2.

use super::TrainError;
use super::checkpoint::{LogRow, RunFolder, RunState};
use super::dataset::Dataset;
use super::freeze::{freeze, is_backbone};
use super::recipe::Recipe;
use super::stage::Stage;
use crate::model::{DinoMed3d, SliceSegmenter};
use crate::weights::{NamedTensors, load_into, named_tensors};
use burn::module::Module;
use burn::tensor::Device;
use std::path::Path;

/// What a run tells while it goes.
#[derive(Clone, Debug)]
pub enum Event {
    /// A step of the optimiser is done.
    Step {
        /// 1 or 2.
        stage: usize,
        /// From 1.
        epoch: usize,
        /// Steps of this stage done.
        step: usize,
        /// Steps of this stage in all.
        total_steps: usize,
        /// Training loss of the step.
        loss: f32,
        /// Wall-clock time of the step.
        seconds: f64,
    },
    /// An epoch is done, validated and saved.
    Epoch(LogRow),
}

/// Runs a recipe.
#[derive(Debug)]
pub struct Trainer<'a> {
    recipe: &'a Recipe,
    dataset: &'a Dataset,
    device: Device,
    folder: RunFolder,
    start: Option<Start>,
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
    /// A run in `folder`, which is made if it is not there.
    ///
    /// With `resume` an earlier run goes on after its last whole epoch; without, a folder that
    /// already holds one is refused.
    ///
    /// # Errors
    /// [`TrainError::File`], or [`TrainError::Recipe`] if the folder is taken.
    pub fn new(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        device: &Device,
        folder: &Path,
        resume: bool,
    ) -> Result<Self, TrainError> {
        recipe.check()?;
        std::fs::create_dir_all(folder).map_err(|source| TrainError::File {
            path: folder.to_owned(),
            source,
        })?;
        let folder = RunFolder(folder.to_owned());
        if !resume && folder.state()?.is_some() {
            return Err(TrainError::Recipe(format!(
                "{} already holds a run; resume it or choose another folder",
                folder.0.display()
            )));
        }
        if dataset.labels.len() != recipe.colors.len() + 1 {
            return Err(TrainError::Recipe(format!(
                "the recipe has {} colours, the data set {} labels beside background",
                recipe.colors.len(),
                dataset.labels.len() - 1
            )));
        }
        Ok(Self {
            recipe,
            dataset,
            device: device.clone().autodiff(),
            folder,
            start: None,
        })
    }

    /// Begins with the weights of another training.
    pub fn with_start(mut self, start: Start) -> Self {
        self.start = Some(start);
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
        let mut state = self.folder.state()?.unwrap_or_default();
        let architecture = self.recipe.architecture(self.dataset.labels.len())?;
        let device = &self.device;
        let stage = |number, settings| Stage {
            number,
            settings,
            recipe: self.recipe,
            dataset: self.dataset,
            folder: &self.folder,
            device,
        };
        device.clone().inner().seed(self.recipe.seed);
        let stage1_path = self.folder.0.join("stage1.safetensors");
        if state.stage < 2 && self.has_stage1() {
            let start = self.started(SliceSegmenter::init(&architecture, device))?;
            stage(1, &self.recipe.stage1).run(
                || start.clone(),
                // Parameters that were loaded, of a start or a checkpoint, don't train by themselves.
                |network| freeze(network, |_| false),
                &mut state,
                &mut report,
            )?;
        }
        let fresh = || architecture.init(device);
        let from_stage1 = || -> Result<DinoMed3d, TrainError> {
            let network = fresh();
            if !self.has_stage1() {
                return self.started(network);
            }
            let tensors = crate::weights::decode(&self.folder.read(&stage1_path)?)?;
            let stage1 = load_into(SliceSegmenter::init(&architecture, device), tensors)?;
            Ok(network.with_stage1(&stage1.vit)?)
        };
        // A checkpoint of stage 2 holds all weights; only a fresh start needs stage 1.
        let begun = state.stage == 2 && state.epochs_done > 0;
        let start = if begun { fresh() } else { from_stage1()? };
        stage(2, &self.recipe.stage2).run(
            || start.clone(),
            |network: DinoMed3d| {
                let frozen = self.recipe.freeze_backbone;
                freeze(network, |name| frozen && is_backbone(name))
            },
            &mut state,
            &mut report,
        )?;
        Ok(state)
    }

    /// `network` with the weights that the run begins with.
    fn started<M: Module>(&self, network: M) -> Result<M, TrainError> {
        let tensors = match &self.start {
            None => return Ok(network),
            // LoRA may have been merged; a fresh one changes nothing.
            Some(Start::Network(trained)) => {
                let mut tensors = named_tensors(&network);
                tensors.retain(|name, _| name.contains(".lora."));
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
