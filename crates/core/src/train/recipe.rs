//! Everything that a training run is told: a file that people write and a run keeps.

use super::TrainError;
use super::loss::CROSS_ENTROPY_WEIGHT;
use super::setting::{RandomChange, expect};
use super::synthesis::Synthesis;
use crate::infer::{
    Beyond, Blending, Correction, IntensityModel, Locate, PartOf, PlaneCut, Windowing,
};
use crate::model::DinoMed3dConfig;
use crate::model::presets::Preset;
use crate::preprocess::{Intensity, Preprocessing, Spacing};
use dinomed3d_volume::Orientation;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A training recipe, complete. What a file leaves open is settled by [`settle`](super::defaults::settle).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Recipe {
    /// Folder name of the model.
    pub name: String,
    /// For people.
    pub title: String,
    /// One or two sentences for people.
    pub description: String,
    /// What kind of scan, such as "T1-weighted MR".
    pub modality: String,
    /// What a user of the model must know, one sentence or two each.
    #[serde(default)]
    pub limits: Vec<String>,
    /// Facts about the data that travel with the weights.
    pub data: DataFacts,
    /// Red, green, blue of each label after background.
    pub colors: Vec<[u8; 3]>,
    /// How a scan becomes the network's input.
    #[serde(serialize_with = "spelled_out")]
    pub preprocessing: Preprocessing,
    /// Edge of a window, `[slice, row, column]`.
    pub window: [usize; 3],
    /// Fraction by which windows overlap in inference.
    pub overlap: f32,
    /// How windows are laid and joined; smoothly when absent.
    #[serde(default)]
    pub blending: Option<Blending>,
    /// What one window is laid around that holds all that is labelled, as in training; windows over the whole scan when absent.
    #[serde(default)]
    pub locate: Option<Locate>,
    /// Whether a trained network sees a window's mirror image too, left for right, and both answers are averaged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
    /// How much the brightness of a scan's own voxels counts beside a trained network, where they are finer than its grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intensity_model: Option<IntensityModel>,
    /// Of what the model sees a part, and which model finds it there.
    #[serde(default)]
    pub part_of: Option<PartOf>,
    /// Seed of weights, order and augmentation.
    pub seed: u64,
    /// Every n-th case in sorted order validates.
    pub validation_every: usize,
    /// From which of the first n on, counted from 0: n runs of a cross-validation differ in it.
    #[serde(default)]
    pub validation_fold: usize,
    /// Decay of the moving average of the weights.
    pub ema_decay: f32,
    /// The proxy task on slices.
    pub stage1: StageRecipe,
    /// The whole network on volumes.
    pub stage2: StageRecipe,
    /// Whether stage 2 leaves the transformer as stage 1 made it and trains only what is new.
    pub freeze_backbone: bool,
    /// What the transformer's weights begin with, for people; `train --init` fills it in.
    #[serde(default = "random")]
    pub initialization: String,
    /// Random changes of training volumes.
    pub augmentation: Augmentation,
    /// How images are drawn from label maps; a recipe without it trains on scans.
    #[serde(default)]
    pub synthesis: Option<Synthesis>,
    /// Two labels, by name, that the protocol of the data set cuts from each other by a plane; `export` tries whether the
    /// network's answers are better cut likewise.
    #[serde(default)]
    pub plane_cut: Option<PlaneCut<String>>,
    /// The network; the compact preset when absent.
    #[serde(default)]
    pub architecture: Option<Architecture>,
}

/// A network in a recipe: `"paper-s"`, or all of its settings.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Architecture {
    /// By name.
    Preset(String),
    /// By settings.
    Config(Box<DinoMed3dConfig>),
}

// Not derived: of an untagged enum serde says no more than that nothing matched.
impl<'de> Deserialize<'de> for Architecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrSettings;
        impl<'de> Visitor<'de> for NameOrSettings {
            type Value = Architecture;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the name of a preset, or all settings of a network")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Architecture::Preset(name.to_owned()))
            }

            fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
                DinoMed3dConfig::deserialize(MapAccessDeserializer::new(map))
                    .map(|config| Architecture::Config(Box::new(config)))
            }
        }
        deserializer.deserialize_any(NameOrSettings)
    }
}

impl Recipe {
    /// How a whole scan is cut into windows for its network.
    pub fn windowing(&self) -> Windowing {
        Windowing {
            window: self.window,
            overlap: self.overlap,
            blending: self.blending.unwrap_or_default(),
            beyond: match self.synthesis {
                Some(_) => Beyond::Darkest,
                None => Beyond::Mean,
            },
        }
    }

    /// Corrections of a network's answers that are worth a try on a data set.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for the name of a label that is none of `labels` (value and name), or twice the same.
    pub fn corrections(&self, labels: &[(u8, String)]) -> Result<Vec<Correction>, TrainError> {
        let mut corrections = vec![Correction::LargestComponent];
        let Some(cut) = &self.plane_cut else {
            return Ok(corrections);
        };
        let foreground = labels.get(1..).unwrap_or_default();
        let value = |name: &String| {
            let of_name = foreground.iter().find(|(_, known)| known == name);
            of_name.map(|(value, _)| *value).ok_or_else(|| {
                let names: Vec<&str> = foreground.iter().map(|(_, name)| &**name).collect();
                TrainError::Recipe(format!(
                    "plane-cut: {name:?} is no label of the data set; expected two of {}",
                    names.join(", ")
                ))
            })
        };
        let [before, behind] = &cut.labels;
        let labels = [value(before)?, value(behind)?];
        expect(
            labels[0] != labels[1],
            "plane-cut.labels",
            format!("twice {before:?}"),
            "two labels",
        )?;
        corrections.push(Correction::PlaneCut(PlaneCut {
            labels,
            towards: cut.towards,
        }));
        Ok(corrections)
    }

    /// Which cases validate.
    pub fn split(&self) -> Split {
        Split {
            every: self.validation_every,
            fold: self.validation_fold,
        }
    }

    /// The network for `num_classes` classes, background included, and scans of `image_channels` channels.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] for a preset that there is not, or settings of another number of
    /// classes or channels.
    pub fn architecture(
        &self,
        num_classes: usize,
        image_channels: usize,
    ) -> Result<DinoMed3dConfig, TrainError> {
        let config = self.network(num_classes)?;
        if !matches!(self.architecture, Some(Architecture::Config(_))) {
            return Ok(config.with_image_channels(image_channels));
        }
        if config.num_classes != num_classes {
            return Err(TrainError::Recipe(format!(
                "the network has {} classes, the data set {num_classes} labels",
                config.num_classes
            )));
        }
        config.check()?;
        let channels = image_channels * (2 * config.num_neighbours + 1);
        let expected = format!(
            "{channels}, for {} neighbours and the {image_channels} channels of the data set",
            config.num_neighbours
        );
        let found = config.vit.in_channels;
        expect(found == channels, "in_channels", found, &expected)?;
        Ok(config)
    }

    /// The network that is written out, or that of a preset for so many classes.
    pub(super) fn network(&self, num_classes: usize) -> Result<DinoMed3dConfig, TrainError> {
        let preset = match &self.architecture {
            Some(Architecture::Config(config)) => return Ok((**config).clone()),
            Some(Architecture::Preset(name)) => {
                Preset::from_name(name).map_err(|error| TrainError::Recipe(error.to_string()))?
            }
            None => Preset::Compact,
        };
        Ok(preset.config(num_classes))
    }
}

/// Which cases validate: those whose index in sorted order leaves `fold` when divided by `every`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Number of folds.
    pub every: usize,
    /// The fold that is held out, from 0.
    pub fold: usize,
}

impl From<usize> for Split {
    /// The first of that many folds.
    fn from(every: usize) -> Self {
        Self { every, fold: 0 }
    }
}

impl Split {
    /// Whether cases are left to train on and the fold exists.
    ///
    /// # Errors
    /// [`TrainError::Recipe`].
    pub fn check(self) -> Result<(), TrainError> {
        let Self { every, fold } = self;
        let expected = "2 or more, to leave cases to train on";
        expect(every >= 2, "validation-every", every, expected)?;
        let expected = format!("below validation-every, {every}");
        expect(fold < every, "validation-fold", fold, &expected)
    }

    /// Whether the case at `index` in sorted order validates.
    pub fn validates(self, index: usize) -> bool {
        index % self.every == self.fold
    }
}

/// Also says when scans keep their own spacing: a recipe that says nothing leaves it to the data set.
fn spelled_out<S: Serializer>(
    preprocessing: &Preprocessing,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct SpelledOut<'a> {
        orientation: Orientation,
        spacing_mm: Spacing,
        intensity: &'a Intensity,
    }
    SpelledOut {
        orientation: preprocessing.orientation,
        spacing_mm: preprocessing.spacing_mm.into(),
        intensity: &preprocessing.intensity,
    }
    .serialize(serializer)
}

fn random() -> String {
    "random".into()
}

/// Where data come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataFacts {
    /// Data set, with citation.
    pub source: String,
    /// Its licence.
    pub licence: String,
    /// Licence of the weights trained on it.
    pub weights_licence: String,
    /// Who must be named.
    pub attribution: String,
}

/// Settings of one stage.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StageRecipe {
    /// Passes over the data.
    pub epochs: usize,
    /// Windows drawn from every case in an epoch.
    pub windows_per_case: usize,
    /// Windows of a device in a step.
    pub batch_size: usize,
    /// Batches whose gradients are averaged before a step.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulation: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Factor of the learning rate from one block of the transformer to the one before it; 1
    /// leaves all alike.
    #[serde(default = "undiminished", skip_serializing_if = "is_undiminished")]
    pub layer_decay: f64,
    /// AdamW's weight decay.
    pub weight_decay: f32,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Largest norm of the gradient.
    pub max_gradient_norm: f32,
    /// Share of the cross-entropy in the loss, 0 … 1; the rest is Dice. The paper's is 0.2.
    #[serde(default = "paper_share", skip_serializing_if = "is_paper_share")]
    pub cross_entropy: f32,
    /// Ends the stage when the mean validation Dice has not risen for so many epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
}

fn one() -> usize {
    1
}

fn is_one(value: &usize) -> bool {
    *value == 1
}

fn paper_share() -> f32 {
    CROSS_ENTROPY_WEIGHT
}

fn is_paper_share(value: &f32) -> bool {
    *value == CROSS_ENTROPY_WEIGHT
}

fn undiminished() -> f64 {
    1.0
}

fn is_undiminished(value: &f64) -> bool {
    *value == 1.0
}

/// Ranges of random changes; every one is drawn anew for each window.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Augmentation {
    /// Chance of a flip of the order of slices.
    pub flip_slices: f32,
    /// Chance of a flip of the order of columns: of left and right in axial and coronal slices.
    #[serde(default)]
    pub flip_columns: f32,
    /// Chance of rotation and scaling.
    pub affine: f32,
    /// Whether rotation, scaling, shift and displacement stay within slices, as befits thick ones.
    #[serde(default)]
    pub in_plane: bool,
    /// Largest rotation about each axis, in degrees.
    pub rotation_deg: f32,
    /// Smallest and largest scale.
    pub scale: [f32; 2],
    /// Largest shift along each axis, in voxels.
    pub shift_voxels: f32,
    /// A smooth displacement of every voxel, by up to limit millimetres along each axis and never
    /// so far that tissue would fold; in plane only where the other changes are.
    #[serde(default)]
    pub elastic: RandomChange,
    /// Chance of a change of intensities.
    pub intensity: f32,
    /// Largest relative change of contrast.
    pub contrast: f32,
    /// Largest change of brightness, in standard deviations of the volume.
    pub brightness: f32,
    /// Largest standard deviation of added noise, likewise.
    pub noise: f32,
    /// A curve over intensities, of exponent 2^−limit to 2^limit; mean and deviation are kept.
    #[serde(default)]
    pub gamma: RandomChange,
    /// A smooth factor over the window, from 2^−limit to 2^limit.
    #[serde(default)]
    pub bias_field: RandomChange,
    /// Voxels up to 1 + limit times as long, interpolated back.
    #[serde(default)]
    pub low_resolution: RandomChange,
    /// Chance that a window of a larger scan has a labelled voxel in its middle, the label drawn
    /// first, so that rare ones are seen as often as common ones.
    #[serde(default)]
    pub balanced: f32,
}
