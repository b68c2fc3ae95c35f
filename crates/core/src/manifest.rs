//! The manifest beside a weights file: everything one must know to use a model.

use crate::infer::check::{SelfCheck, summary_len};
use crate::infer::{
    Beyond, Blending, Correction, IntensityModel, Locate, PartOf, Pipeline, Postprocessing,
    Windowing,
};
use crate::model::check::expect;
use crate::model::{DinoMed3dConfig, ProxyWeights, SettingError};
use crate::preprocess::{PreprocessError, Preprocessing};
use crate::weights::file::Quantization;
use crate::weights::reader::each_piece;
use crate::weights::{WeightBytes, WeightsError, hex, printable};
use dinomed3d_volume::metrics::{Reliability, ReliabilityBin};
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};
use dinomed3d_volume::{Label, UsualVolume};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::ops::Range;

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
    /// What windows show beyond the scan.
    #[serde(default)]
    pub beyond: Beyond,
    /// What one window is laid around that holds all that is labelled; windows over the whole scan where this is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locate: Option<Locate>,
    /// Whether the network sees a window's mirror image too, left for right, and both answers are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
    /// How much the brightness of a scan's own voxels counts beside the network, where they are finer than its grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intensity_model: Option<IntensityModel>,
    /// Of what the model sees a part, and which model finds it there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part_of: Option<PartOf>,
    /// What is done to a label map after the network.
    #[serde(default)]
    pub postprocessing: Postprocessing,
    /// Extent of the training scans, `[slice, row, column]` in mm; a scan far outside is
    /// warned about.
    pub extent_mm: Option<ExtentRange>,
    /// Volumes of the labels in the training cases; a label map in which three or more are far from them is warned about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub usual_volumes: Vec<UsualVolume>,
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
    /// What these weights score beside others of the same network, stored in more or fewer bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_scores: Option<StorageScores>,
    /// How its probabilities are made true, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// The head of stage 1's proxy task, to show what stage 1 makes of a scan; nothing else needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Proxy>,
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
    /// Checksums of its parts, so that one that was damaged on its way is known, and fetched again alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chunks: Option<WeightChunks>,
}

/// Checksums of the parts of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightChunks {
    /// Length of each but the last, which may be shorter.
    pub bytes: u64,
    /// Of each in order, lower-case hexadecimal.
    pub sha256: Vec<String>,
}

impl WeightChunks {
    /// Length of the chunks that this program makes: small beside what a download costs, and few lines in a manifest.
    const BYTES: u64 = 1 << 20;

    /// Where a chunk lies, counted from 0, in a file of that length.
    pub fn range(&self, place: usize, length: u64) -> Range<u64> {
        let start = place as u64 * self.bytes;
        start..(start + self.bytes).min(length)
    }

    /// Compares a chunk, counted from 0, with its checksum.
    ///
    /// # Errors
    /// What is wrong, as a sentence without its full stop.
    pub fn verify(&self, place: usize, chunk: &[u8]) -> Result<(), String> {
        let (found, expected) = (hex(&Sha256::digest(chunk)), &self.sha256[place]);
        if found == *expected {
            return Ok(());
        }
        Err(format!(
            "part {} of {} of the weights has SHA-256 {found}, the manifest says {}",
            place + 1,
            self.sha256.len(),
            printable(expected)
        ))
    }

    /// Those of a weights file.
    ///
    /// # Errors
    /// [`WeightsError::Read`].
    pub fn of(weights: &(impl WeightBytes + ?Sized)) -> Result<Self, WeightsError> {
        let mut sha256 = Vec::new();
        each_piece(weights, Self::BYTES, |piece| {
            sha256.push(hex(&Sha256::digest(piece)));
        })?;
        Ok(Self {
            bytes: Self::BYTES,
            sha256,
        })
    }
}

/// The head of stage 1's proxy task, for the network's transformer without adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proxy {
    /// Whether it was fitted when the network was done, and not trained in stage 1.
    pub is_fitted: bool,
    /// Mean Dice of stage 1 over held-out cases and labels, without postprocessing.
    pub mean_dice: f64,
    /// Of so many cases.
    pub num_cases: usize,
    /// Its numbers.
    pub weights: ProxyWeights,
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

/// What makes probabilities true, and how true they are then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calibration {
    /// Logits are divided by it; 1 changes nothing, more makes answers less sure.
    pub temperature: f64,
    /// Number of cases that it was found by.
    pub cases: usize,
    /// Expected calibration error without it, over voxels that the model labels and their neighbours.
    pub uncalibrated_error: f64,
    /// With it, over the same voxels.
    pub reliability: Reliability,
    /// How far volumes were from the true ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volumes: Option<VolumeCalibration>,
}

/// What makes intervals of volumes true: a label's volume is within so many times the network's own doubt of it, see
/// [`Seen::doubt`](crate::infer::Seen::doubt).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeCalibration {
    /// In which share of cases, 0 to 1.
    pub coverage: f64,
    /// Of each label that enough cases had.
    pub labels: Vec<LabelTimes>,
}

/// How many times the doubt of a label's volume is its interval to either side.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelTimes {
    /// Value in the label map; of a structure of which the network does not say the side, the left half's.
    pub value: u8,
    /// Times.
    pub times: f64,
    /// By how many cases it was found.
    pub cases: usize,
}

impl VolumeCalibration {
    /// The intervals of volumes that come with these doubts, both halves of a structure together where the network does not tell
    /// them apart (`sides`); `sizes` are those of the label map, `doubt` that of each value, in voxels.
    pub fn ranges(
        &self,
        sizes: &[LabelSize],
        doubt: &[f64; 256],
        sides: &[[u8; 2]],
        voxel_ml: f64,
    ) -> Vec<VolumeRange> {
        let size = |value: u8| {
            let size = sizes.iter().find(|size| size.value == value);
            size.map(|size| size.volume_ml)
        };
        let of = |label: &LabelTimes| {
            let value = label.value;
            let pair = sides.iter().find(|[left, _]| *left == value);
            let right = pair.map(|[_, right]| *right);
            let of_right = right.map_or(0.0, |right| doubt[usize::from(right)]);
            let beside = label.times * (doubt[usize::from(value)] + of_right) * voxel_ml;
            let volume_ml = size(value)? + right.and_then(size).unwrap_or(0.0);
            Some(VolumeRange {
                value,
                right,
                low_ml: (volume_ml - beside).max(0.0),
                high_ml: volume_ml + beside,
            })
        };
        self.labels.iter().filter_map(of).collect()
    }
}

/// What a network scores on the same cases when its weights are stored in more or fewer bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageScores {
    /// How the weights were stored that all others were made from; no more was at hand.
    pub reference: Quantization,
    /// Number of cases.
    pub num_cases: usize,
    /// Each storage that was measured, the reference first.
    pub measured: Vec<StoredDice>,
}

/// What a network scores when its weights are stored in a way.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredDice {
    /// The way.
    pub quantization: Quantization,
    /// Number of tensors in more bits for what fewer would do to the network's answer.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub eased: usize,
    /// Length of the weights file.
    pub bytes: u64,
    /// Mean over cases and labels.
    pub mean_dice: f64,
}

impl StoredDice {
    /// For people.
    pub fn describe(&self) -> String {
        let stored = self.quantization.describe();
        match self.eased {
            0 => stored.to_owned(),
            eased => format!("{stored}, {eased} tensors in 8"),
        }
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
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
    #[error("not a model manifest: {}", printable(&.0.to_string()))]
    Json(#[from] serde_json::Error),
    /// Written by an older or a newer program.
    #[error(
        "manifest has format {found}, this program knows {FORMAT}; export the model with this program"
    )]
    Format {
        /// In the file.
        found: u32,
    },
    /// A setting that can't be, or does not fit another.
    #[error("in the manifest, {0}")]
    Setting(SettingError),
    /// Of the preprocessing.
    #[error(transparent)]
    Preprocessing(#[from] PreprocessError),
}

// No `#[from]`: the setting would be its source too, and be said twice.
impl From<SettingError> for ManifestError {
    fn from(error: SettingError) -> Self {
        Self::Setting(error)
    }
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
        manifest.check()?;
        Ok(manifest)
    }

    /// Whether all that it says can be followed. What passes can be loaded, if its weights fit, and run on any scan.
    ///
    /// # Errors
    /// [`ManifestError::Setting`] or [`ManifestError::Preprocessing`], naming the first that can't.
    pub fn check(&self) -> Result<(), ManifestError> {
        self.architecture.check()?;
        self.check_labels()?;
        let network = &self.architecture;
        let slices = 2 * network.num_neighbours + 1;
        let channels = self.channels.len().max(1);
        expect(
            network.vit.in_channels == slices.saturating_mul(channels),
            "channels",
            format!("{:?}", self.channels),
            &format!(
                "a name for each of those that make {} input channels with {} neighbouring slices on either side",
                network.vit.in_channels, network.num_neighbours
            ),
        )?;
        self.preprocessing.check()?;
        self.pipeline().windowing.check()?;
        if let Some(ExtentRange { min, max }) = self.extent_mm {
            let is_right =
                |axis: usize| min[axis] > 0.0 && min[axis] <= max[axis] && max[axis].is_finite();
            expect(
                (0..3).all(is_right),
                "extentMm",
                format!("{min:?} to {max:?}"),
                "lengths above 0, the smaller first",
            )?;
        }
        for usual in &self.usual_volumes {
            let UsualVolume { min_ml, max_ml, .. } = *usual;
            expect(
                min_ml >= 0.0 && min_ml <= max_ml && max_ml.is_finite(),
                "usualVolumes",
                format!("{min_ml} to {max_ml}"),
                "volumes of 0 or more, the smaller first",
            )?;
        }
        if let Some(Calibration {
            temperature,
            reliability,
            volumes,
            ..
        }) = &self.calibration
        {
            if let Some(VolumeCalibration { coverage, labels }) = volumes {
                expect(
                    0.0 < *coverage && *coverage < 1.0,
                    "calibration.volumes.coverage",
                    coverage,
                    "between 0 and 1",
                )?;
                let is_right = |label: &LabelTimes| label.times.is_finite() && label.times >= 0.0;
                expect(
                    labels.iter().all(is_right),
                    "calibration.volumes.labels",
                    format!("{labels:?}"),
                    "finite numbers of times, 0 or more",
                )?;
            }
            expect(
                (0.01..=100.0).contains(temperature),
                "calibration.temperature",
                temperature,
                "0.01 to 100",
            )?;
            let is_share = |share: f64| (0.0..=1.0).contains(&share);
            let is_right = |bin: &ReliabilityBin| {
                bin.answers > 0 && is_share(bin.certainty) && is_share(bin.right)
            };
            expect(
                !reliability.0.is_empty() && reliability.0.iter().all(is_right),
                "calibration.reliability",
                format!("{:?}", reliability.0),
                "bins of one answer or more, with shares of 0 to 1",
            )?;
        }
        let file = &self.weights.file;
        expect(
            !file.is_empty() && file != ".." && !file.contains(['/', '\\', ':']),
            "weights.file",
            format!("{file:?}"),
            "the name of a file in the manifest's own folder",
        )?;
        if let Some(chunks) = &self.weights.chunks {
            let count = chunks.sha256.len() as u64;
            expect(
                chunks.bytes > 0 && count == self.weights.bytes.div_ceil(chunks.bytes),
                "weights.chunks",
                format!("{count} of {} bytes", chunks.bytes),
                &format!("as many as {} bytes have", self.weights.bytes),
            )?;
        }
        if let Some(Proxy { weights, .. }) = &self.proxy {
            let (dim, classes) = (network.vit.embed_dim, network.num_classes);
            let mut numbers = weights.weight.iter().chain(&weights.bias);
            expect(
                weights.weight.len() == dim * classes
                    && weights.bias.len() == classes
                    && numbers.all(|number| number.is_finite()),
                "proxy",
                format!(
                    "{} and {} numbers",
                    weights.weight.len(),
                    weights.bias.len()
                ),
                &format!(
                    "{} and {classes} finite numbers, by the network",
                    dim * classes
                ),
            )?;
        }
        if let Some(model) = self.intensity_model {
            model.check(self.channel_names().len())?;
        }
        if let Some(part_of) = &self.part_of {
            part_of.check(self.labels.len().saturating_sub(1))?;
        }
        self.check_known_answer()
    }

    fn check_labels(&self) -> Result<(), ManifestError> {
        let values: Vec<u8> = self.labels.iter().map(|label| label.value).collect();
        let is_repeated = |place: usize| values[..place].contains(&values[place]);
        expect(
            values.first() == Some(&0) && !(1..values.len()).any(is_repeated),
            "labels",
            format!("of the values {values:?}"),
            "background first, which is 0, and each value once",
        )?;
        let two_labels = |setting: &str, [a, b]: [u8; 2]| {
            let is_label = |value: u8| value != 0 && values.contains(&value);
            expect(
                a != b && is_label(a) && is_label(b),
                setting,
                format!("{a} and {b}"),
                "two different labels that are not background",
            )
        };
        for (place, sides) in self.sides.iter().enumerate() {
            two_labels("sides", *sides)?;
            let before = self.sides[..place].as_flattened();
            expect(
                !sides.iter().any(|value| before.contains(value)),
                "sides",
                format!("{:?}", self.sides),
                "each label in one pair",
            )?;
        }
        for correction in &self.postprocessing.0 {
            if let Correction::PlaneCut(cut) = correction {
                two_labels("postprocessing.plane-cut.labels", cut.labels)?;
            }
        }
        let classes = self.classes().count();
        Ok(expect(
            classes == self.architecture.num_classes,
            "num_classes",
            self.architecture.num_classes,
            &format!("{classes}, for so many labels that the network tells apart"),
        )?)
    }

    /// Whether the known answer is one of this network.
    fn check_known_answer(&self) -> Result<(), ManifestError> {
        let network = &self.architecture;
        let shape = self.check.shape;
        let shape_text = format!("{shape:?}");
        let small = 1..=256;
        let is_small = shape.iter().all(|edge| small.contains(edge));
        expect(
            is_small,
            "check.shape",
            shape_text,
            "three edges from 1 to 256",
        )?;
        let [depth, rows, columns] = shape;
        let patches = |edge: usize| edge.div_ceil(network.vit.patch_size);
        let tokens = 1 + network.vit.num_registers + patches(rows) * patches(columns);
        let window = self.check.window.as_deref();
        for (setting, found, expected) in [
            (
                "check.firstBlock",
                Some(&*self.check.first_block),
                depth * tokens * network.vit.embed_dim,
            ),
            (
                "check.logits",
                Some(&*self.check.logits),
                network.num_classes * depth * rows * columns,
            ),
            ("check.window", window, summary_len(network.num_classes)),
        ] {
            let Some(found) = found else { continue };
            let is_finite = found.iter().all(|value| value.is_finite());
            let finite = if is_finite {
                "finite numbers"
            } else {
                "numbers, not all finite"
            };
            expect(
                found.len() == expected && is_finite,
                setting,
                format!("{} {finite}", found.len()),
                &format!("{expected} finite numbers, by check.shape and the network"),
            )?;
        }
        Ok(())
    }

    /// The labels that are classes of the network, in its order: all but those that only a side tells apart.
    pub fn classes(&self) -> impl Iterator<Item = &Label> {
        let is_second = |label: &Label| self.sides.iter().any(|[_, right]| *right == label.value);
        self.labels.iter().filter(move |label| !is_second(label))
    }

    /// The same with its classes as labels: one for both sides of a structure, as drawn images have it.
    #[must_use]
    pub fn by_class(&self) -> Self {
        Self {
            labels: self.classes().cloned().collect(),
            sides: Vec::new(),
            ..self.clone()
        }
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
                beyond: self.beyond,
            },
            locate: self.locate,
            mirrored: self.mirrored,
            intensity_model: self.intensity_model,
            temperature: self
                .calibration
                .as_ref()
                .map_or(1.0, |calibration| calibration.temperature as f32),
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
