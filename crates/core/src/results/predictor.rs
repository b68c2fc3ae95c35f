//! A network with everything that brings a scan to its grid and back, from a model folder or a run.

use super::{During, ResultsError};
use crate::infer::{
    InferError, Keep, OneDevice, Pipeline, Postprocessing, Prediction, ProxyTask, Seen,
};
use crate::manifest::ModelManifest;
use crate::model::{DinoMed3d, Part, ProxyHead};
use crate::segmenter::Segmenter;
use crate::strokes::Features;
use crate::train::Recipe;
use crate::train::dataset::HeldOut;
use crate::train::recipe_file::read_recipe;
use crate::weights::merge::merge_lora;
use crate::weights::{decode, load_into};
use burn::tensor::Device;
use dinomed3d_volume::Image;
use dinomed3d_volume::Label;
use std::ops::ControlFlow;
use std::path::Path;

/// A network that segments scans, on either grid.
#[derive(Debug)]
pub struct Predictor {
    /// After background.
    labels: Vec<Label>,
    pipeline: Pipeline,
    network: DinoMed3d,
    /// Of stage 1, in place of detail stream and decoder.
    head: Option<ProxyHead>,
    device: Device,
}

impl Predictor {
    /// The network of a model.
    pub fn new(manifest: &ModelManifest, network: DinoMed3d, device: Device) -> Self {
        Self {
            labels: manifest.labels[1..].to_vec(),
            pipeline: manifest.pipeline(),
            network,
            head: None,
            device,
        }
    }

    /// What stage 1 of a model's network says by a head of the proxy task: without adapters, detail stream, decoder, postprocessing and
    /// mirror image.
    pub fn of_proxy(
        manifest: &ModelManifest,
        network: &DinoMed3d,
        head: ProxyHead,
        device: Device,
    ) -> Self {
        let network = network.without(Part::Adapters);
        let mut predictor = Self::new(manifest, network, device);
        predictor.head = Some(head);
        predictor.pipeline.postprocessing = Postprocessing::default();
        predictor.pipeline.mirrored = false;
        predictor
    }

    /// Of a loaded model on its device.
    pub fn of_model(segmenter: Segmenter, device: Device) -> Self {
        let (manifest, network) = segmenter.into_parts();
        Self::new(&manifest, network, device)
    }

    /// The best weights of a run on the data that `data` is of.
    ///
    /// # Errors
    /// A run without recipe, or without weights of stage 2; labels or channels that aren't the recipe's.
    pub fn of_run(folder: &Path, data: &HeldOut, device: Device) -> Result<Self, ResultsError> {
        let recipe = read_recipe(&folder.join("recipe.toml"))?;
        let path = folder.join("best.safetensors");
        if !path.exists() {
            return Err(ResultsError::Unusable(format!(
                "{} holds no best.safetensors: no epoch of stage 2 has ended there",
                folder.display()
            )));
        }
        let bytes = std::fs::read(&path).during(|| format!("reading {}", path.display()))?;
        let in_file = || format!("in {}", path.display());
        let mut tensors = decode(&bytes).during(in_file)?;
        let mut architecture = recipe.architecture(data.labels.len(), data.channels.len())?;
        merge_lora(&mut tensors, &mut architecture).during(in_file)?;
        let network = load_into(architecture.init(&device), tensors).during(in_file)?;
        Ok(Self {
            labels: colored(&data.labels, &recipe)?.split_off(1),
            pipeline: Pipeline {
                channels: data.channels.clone(),
                windowing: recipe.windowing(),
                locate: recipe.locate,
                mirrored: recipe.mirrored,
                intensity_model: recipe.intensity_model,
                temperature: 1.0,
                preprocessing: recipe.preprocessing,
                values: data.labels.iter().map(|(value, _)| *value).collect(),
                // Decided at export; a run is judged by what its network says.
                postprocessing: Postprocessing::default(),
                sides: Vec::new(),
            },
            network,
            head: None,
            device,
        })
    }

    /// What it labels, without background.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The channels of the scans that it takes, in order.
    pub fn channels(&self) -> &[String] {
        &self.pipeline.channels
    }

    /// What the network says of every voxel of a scan, given its channels in order; of its logits `keep` stays.
    ///
    /// # Errors
    /// Those of [`Pipeline::predict`].
    pub fn predict(&self, channels: &[impl Image], keep: Keep) -> Result<Prediction, InferError> {
        let go_on = async |_| ControlFlow::Continue(());
        let (network, device) = (&self.network, &self.device);
        let window = self.pipeline.windowing.window;
        if let Some(head) = &self.head {
            let computer = ProxyTask {
                network,
                head,
                window,
                device,
            };
            let prediction = self.pipeline.predict(&computer, channels, keep, go_on);
            return pollster::block_on(prediction);
        }
        let computer = OneDevice {
            network,
            window,
            device,
        };
        let prediction = self.pipeline.predict(&computer, channels, keep, go_on);
        pollster::block_on(prediction)
    }

    /// What the network's last layers see of a scan, of which logits were kept.
    ///
    /// # Errors
    /// Those of [`Features::of`].
    pub fn features(&self, seen: &Seen) -> Result<Features, InferError> {
        let go_on = async |_| ControlFlow::Continue(());
        let features = Features::of(&self.network, &self.device, &self.pipeline, seen, go_on);
        pollster::block_on(features)
    }

    /// How a scan comes to its network and back.
    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// The same with the network's own logits, whatever it was calibrated by.
    #[must_use]
    pub fn uncalibrated(mut self) -> Self {
        self.pipeline.temperature = 1.0;
        self
    }

    /// Value of each class, background first.
    pub fn values(&self) -> &[u8] {
        &self.pipeline.values
    }

    /// How many classes its network tells apart, background among them.
    pub fn num_classes(&self) -> usize {
        self.pipeline.values.len()
    }

    /// The class of a label's value, either side's; background of a value that it does not know.
    pub fn class_of(&self, value: u8) -> u8 {
        self.pipeline.class_of(value).unwrap_or(0)
    }
}

/// A data set's labels, background first and black, with the recipe's colours.
///
/// # Errors
/// Another number of colours than of labels.
pub fn colored(labels: &[(u8, String)], recipe: &Recipe) -> Result<Vec<Label>, ResultsError> {
    if labels.len() != recipe.colors.len() + 1 {
        return Err(ResultsError::Unusable(format!(
            "the recipe has {} colours, the data set {} labels beside background",
            recipe.colors.len(),
            labels.len() - 1
        )));
    }
    let colors = std::iter::once([0; 3]).chain(recipe.colors.iter().copied());
    let label = |((value, name), color): (&(u8, String), [u8; 3])| Label {
        value: *value,
        name: name.clone(),
        color,
    };
    Ok(labels.iter().zip(colors).map(label).collect())
}
