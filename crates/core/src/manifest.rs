//! The manifest beside a weights file: everything one must know to use a model.

use crate::infer::{Blending, Correction, Pipeline, PlaneCut, Postprocessing, Windowing};
use crate::model::DinoMed3dConfig;
use crate::preprocess::Preprocessing;
use crate::weights::file::Quantization;
use dinomed3d_volume::Label;
use serde::{Deserialize, Serialize};

/// Version of the manifest's own format.
pub const FORMAT: u32 = 2;

/// A model as the page and the command line know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelManifest {
    /// Version of this format, [`FORMAT`].
    pub format: u32,
    /// Folder name.
    pub name: String,
    /// For people.
    pub title: String,
    /// One or two sentences for people: what goes in, what comes out.
    pub description: String,
    /// Version of the weights.
    pub version: String,
    /// What kind of scan the model was trained on, such as "T1-weighted MR".
    pub modality: String,
    /// Names of the scan's channels, in the order in which the network takes them; a model of one channel need not
    /// name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<String>,
    /// All labels, background (value 0) first.
    pub labels: Vec<Label>,
    /// Labels that are one class of the network: the first stands for both, and where it lies on the right side of the
    /// body it becomes the second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sides: Vec<[u8; 2]>,
    /// How a scan becomes the network's input.
    pub preprocessing: Preprocessing,
    /// Edge of a window, `[slice, row, column]` of the model grid.
    pub window: [usize; 3],
    /// Fraction by which neighbouring windows overlap.
    pub overlap: f32,
    /// How windows are laid and joined.
    #[serde(default)]
    pub blending: Blending,
    /// What is done to a label map after the network.
    #[serde(default)]
    pub postprocessing: Postprocessing,
    /// Extent of the training scans, `[slice, row, column]` in mm; a scan far outside is
    /// warned about.
    pub extent_mm: Option<ExtentRange>,
    /// The network.
    pub architecture: DinoMed3dConfig,
    /// The weights file.
    pub weights: WeightsFile,
    /// What the network answers to a known input.
    pub check: SelfCheck,
    /// Data, licence and how it was trained.
    pub training: TrainingFacts,
    /// Measured on validation cases, with these weights.
    pub scores: Option<Scores>,
}

/// Smallest and largest extent of the training scans in mm.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ExtentRange {
    /// `[slice, row, column]`
    pub min: [f64; 3],
    /// `[slice, row, column]`
    pub max: [f64; 3],
}

/// The weights file beside a manifest.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WeightsFile {
    /// File name, in the manifest's own folder.
    pub file: String,
    /// Length.
    pub bytes: u64,
    /// Checksum, lower-case hexadecimal.
    pub sha256: String,
    /// How values are stored.
    pub quantization: Quantization,
}

/// Output of the network for the built-in input of that shape, see
/// [`check_input`](crate::infer::check::check_input).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SelfCheck {
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// Tokens after the first transformer block, `[slice, token, embed_dim]`, flattened; computed on the CPU.
    pub first_block: Vec<f32>,
    /// Logits `[class, slice, row, column]`, flattened; likewise.
    pub logits: Vec<f32>,
}

/// Where weights come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrainingFacts {
    /// Data set, with citation.
    pub data: String,
    /// Licence of the data.
    pub data_licence: String,
    /// Licence of the weights.
    pub licence: String,
    /// Who must be named.
    pub attribution: String,
    /// What the weights started from.
    pub initialization: String,
    /// Training cases.
    pub num_training: usize,
    /// Validation cases.
    pub num_validation: usize,
    /// The run of the weights.
    #[serde(flatten)]
    pub run: RunFacts,
    /// Other runs whose weights these are the mean with; they began with the same ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averaged_with: Vec<RunFacts>,
    /// Trainings that the weights went through before, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<Ancestor>,
    /// Names of the cases that were learnt from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub training_cases: Vec<String>,
    /// Names of the cases that were held out, and that the scores are of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_cases: Vec<String>,
}

/// A training that weights went through before the one that a manifest is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ancestor {
    /// Name of its recipe.
    pub recipe: String,
    /// Data set, with citation.
    pub data: String,
    /// What of it is in the weights.
    #[serde(flatten)]
    pub run: RunFacts,
    /// Other runs whose weights were averaged with its.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averaged_with: Vec<RunFacts>,
    /// Names of the cases that were learnt from; none where nobody wrote them down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub training_cases: Vec<String>,
}

/// What of a run is in its weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFacts {
    /// Optimiser steps of stage 1, and of stage 2 up to the epoch of the weights.
    pub steps: [usize; 2],
    /// Its seed.
    pub seed: u64,
}

/// Scores on validation cases.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scores {
    /// Number of cases.
    pub num_cases: usize,
    /// Which cases.
    pub protocol: String,
    /// Mean over cases and labels.
    pub mean_dice: f64,
    /// One row per label.
    pub labels: Vec<LabelScores>,
}

/// Mean scores of one label.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelScores {
    /// Value in the label map.
    pub value: u8,
    /// Mean Dice over cases.
    pub dice: f64,
    /// Mean 95 % Hausdorff distance over cases where both masks exist.
    pub hd95_mm: Option<f64>,
}

/// What can be wrong with a manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not JSON of the expected form.
    #[error("not a model manifest: {0}")]
    Json(#[from] serde_json::Error),
    /// Written by an older or a newer program.
    #[error(
        "manifest has format {found}, this program knows {FORMAT}; export the model with this program"
    )]
    Format {
        /// In the file.
        found: u32,
    },
    /// Labels and network disagree.
    #[error("manifest names {labels} labels, its network has {classes} classes")]
    Classes {
        /// Number of labels.
        labels: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Channels and network disagree.
    #[error(
        "manifest names the channels {channels:?}, its network has {in_channels} input channels for {neighbours} neighbouring slices on either side"
    )]
    Channels {
        /// Names of the channels.
        channels: Vec<String>,
        /// Of the patch embedding.
        in_channels: usize,
        /// On either side.
        neighbours: usize,
    },
    /// Sides of what is no label.
    #[error(
        "sides are of labels {values:?}, expected are two different labels of the model after background"
    )]
    Sides {
        /// What was found.
        values: [u8; 2],
    },
    /// A plane between what are not two labels.
    #[error(
        "plane-cut names the values {values:?}; expected are two different labels that are not background"
    )]
    PlaneCut {
        /// In the file.
        values: [u8; 2],
    },
    /// A window edge or overlap that cannot work.
    #[error(
        "window {window:?} with overlap {overlap} is not usable: edges must be positive and overlap within 0 … 0.9"
    )]
    Window {
        /// `[slice, row, column]`
        window: [usize; 3],
        /// Fraction.
        overlap: f32,
    },
}

impl ModelManifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// Any [`ManifestError`].
    pub fn from_json(json: &[u8]) -> Result<Self, ManifestError> {
        /// What manifests of all formats have.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Head { format } = serde_json::from_slice(json)?;
        if format != FORMAT {
            return Err(ManifestError::Format { found: format });
        }
        let manifest: Self = serde_json::from_slice(json)?;
        let is_label = |value: u8| value != 0 && manifest.labels.iter().any(|l| l.value == value);
        for &[left, right] in &manifest.sides {
            if left == right || !is_label(left) || !is_label(right) {
                return Err(ManifestError::Sides {
                    values: [left, right],
                });
            }
        }
        let num_classes = manifest.classes().count();
        if num_classes != manifest.architecture.num_classes {
            return Err(ManifestError::Classes {
                labels: num_classes,
                classes: manifest.architecture.num_classes,
            });
        }
        for correction in &manifest.postprocessing.0 {
            let Correction::PlaneCut(PlaneCut { labels: values, .. }) = *correction else {
                continue;
            };
            let foreground = manifest.labels.get(1..).unwrap_or_default();
            let is_label = |value: u8| foreground.iter().any(|label| label.value == value);
            if values[0] == values[1] || !values.into_iter().all(is_label) {
                return Err(ManifestError::PlaneCut { values });
            }
        }
        let network = &manifest.architecture;
        let slices = 2 * network.num_neighbours + 1;
        if network.vit.in_channels != slices * manifest.channels.len().max(1) {
            return Err(ManifestError::Channels {
                in_channels: network.vit.in_channels,
                neighbours: network.num_neighbours,
                channels: manifest.channels,
            });
        }
        let Self {
            window, overlap, ..
        } = manifest;
        if window.contains(&0) || !(0.0..=0.9).contains(&overlap) {
            return Err(ManifestError::Window { window, overlap });
        }
        Ok(manifest)
    }

    /// The labels that are classes of the network, in its order: all but those that only a side tells apart.
    pub fn classes(&self) -> impl Iterator<Item = &Label> {
        let is_second = |label: &Label| self.sides.iter().any(|[_, right]| *right == label.value);
        self.labels.iter().filter(move |label| !is_second(label))
    }

    /// The way of a scan to the network and back.
    pub fn pipeline(&self) -> Pipeline {
        Pipeline {
            channels: self.channel_names(),
            preprocessing: self.preprocessing.clone(),
            windowing: Windowing {
                window: self.window,
                overlap: self.overlap,
                blending: self.blending,
            },
            values: self.classes().map(|label| label.value).collect(),
            sides: self.sides.clone(),
            postprocessing: self.postprocessing.clone(),
        }
    }

    /// The name of the label of a value; the value itself where there is none.
    pub fn label_name(&self, value: u8) -> String {
        let label = self.labels.iter().find(|label| label.value == value);
        label.map_or_else(|| value.to_string(), |label| label.name.clone())
    }

    /// Names of the channels of a scan, at least one: where the manifest names none, the kind of scan.
    pub fn channel_names(&self) -> Vec<String> {
        if self.channels.is_empty() {
            vec![self.modality.clone()]
        } else {
            self.channels.clone()
        }
    }
}
