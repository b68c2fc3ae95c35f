//! Labelled volumes: which files a data set has, whether they can be used, and all of them ready to train on.
//!
//! [`index`] reads `dataset.json` in the layout of the Medical Segmentation Decathlon (`decathlon.rs`) or of nnU-Net v2
//! (`nnunet.rs`); [`case`] reads the files of a case, [`check`] looks at what they hold, [`prepared`] brings them onto the
//! model grid; [`case_split`] knows which of them train, [`patient`] whose they are.

pub mod cache;
pub mod case;
pub mod case_split;
pub mod check;
mod decathlon;
pub mod files;
mod held_out;
pub mod index;
mod label_maps;
mod nnunet;
pub mod patient;
pub mod prepared;

pub use cache::Cache;
pub use case::RawCase;
pub use case_split::{CaseSplit, Listing};
pub use files::CaseFiles;
pub use held_out::HeldOut;
pub use index::DatasetIndex;
pub use label_maps::LabelMaps;
pub use prepared::{PreparedCase, TrainingCase, ValidationCase};

use super::TrainError;
use super::recipe::{Recipe, Split};
use super::synthesis::{self, Synthesis};
use crate::preprocess::Preprocessing;
use label_maps::expect_none;
use std::path::Path;

/// What windows to learn from are taken from.
#[derive(Clone, Debug)]
pub enum Examples {
    /// Scans with their labels.
    Scans(Vec<TrainingCase>),
    /// Label maps, of which images are drawn.
    LabelMaps(LabelMaps),
}

impl Examples {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Scans(cases) => cases.len(),
            Self::LabelMaps(drawn) => drawn.maps.len(),
        }
    }

    /// Whether there is nothing to learn from.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The scans; none where images are drawn.
    pub fn scans(&self) -> &[TrainingCase] {
        match self {
            Self::Scans(cases) => cases,
            Self::LabelMaps(_) => &[],
        }
    }
}

/// A data set in memory, split.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Value and name of each label, background first; the place in this list is the class.
    pub labels: Vec<(u8, String)>,
    /// Names of the channels of every image, in order.
    pub channels: Vec<String>,
    /// What is learnt from.
    pub training: Examples,
    /// Cases to score on.
    pub validation: Vec<ValidationCase>,
    /// What lies in its folder and is not used, and why: a sentence each.
    pub passed_over: Vec<String>,
}

impl Dataset {
    /// Loads and prepares every case of `folder`, split by a rule; all problems are reported at once.
    ///
    /// # Errors
    /// [`TrainError::Data`] with one line per problem, naming the file; [`TrainError::Recipe`] for a rule that cannot be.
    pub fn load(
        folder: &Path,
        preprocessing: &Preprocessing,
        rule: impl Into<Split>,
    ) -> Result<Self, TrainError> {
        Self::load_with(folder, preprocessing, rule, None)
    }

    /// As [`Dataset::load`], where a cache spares preparing cases again.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    pub fn load_with(
        folder: &Path,
        preprocessing: &Preprocessing,
        rule: impl Into<Split>,
        cache: Option<&mut Cache>,
    ) -> Result<Self, TrainError> {
        let rule = rule.into();
        rule.check()?;
        let split = CaseSplit::by_rule(&DatasetIndex::survey(folder)?.0.cases, rule);
        Self::of_scans(folder, preprocessing, &split, cache)
    }

    /// What a recipe trains on, split as it says.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    pub fn of_recipe(
        recipe: &Recipe,
        folder: &Path,
        cache: Option<&mut Cache>,
    ) -> Result<Self, TrainError> {
        Self::of_split(
            recipe,
            &CaseSplit::of_recipe(recipe, folder)?,
            folder,
            cache,
        )
    }

    /// What a recipe trains on: a data set of scans, or a folder of label maps where it says how images are drawn.
    ///
    /// # Errors
    /// Those of [`Dataset::load`]; a case of the split that is not there.
    pub fn of_split(
        recipe: &Recipe,
        split: &CaseSplit,
        folder: &Path,
        cache: Option<&mut Cache>,
    ) -> Result<Self, TrainError> {
        match &recipe.synthesis {
            None => Self::of_scans(folder, &recipe.preprocessing, split, cache),
            Some(settings) => {
                settings.check()?;
                Self::of_label_maps(folder, &recipe.preprocessing, settings, split, recipe.seed)
            }
        }
    }

    fn of_label_maps(
        folder: &Path,
        preprocessing: &Preprocessing,
        settings: &Synthesis,
        split: &CaseSplit,
        seed: u64,
    ) -> Result<Self, TrainError> {
        let read = LabelMaps::read(folder, preprocessing, settings, split, seed)?;
        let (maps, held_out, mut problems) = read;
        let labels = maps.labels();
        let mut validation = Vec::new();
        for (place, name) in held_out.names().into_iter().enumerate() {
            let prepared = held_out.read(place).and_then(|case| {
                let prepared = case.prepare(preprocessing, &labels);
                prepared.map_err(|error| vec![format!("{name}: {error}")])
            });
            match prepared {
                Ok(case) => validation.push(case.into_validation(name)),
                Err(found) => problems.extend(found),
            }
        }
        expect_none(problems)?;
        Ok(Self {
            labels,
            channels: held_out.channels,
            training: Examples::LabelMaps(maps),
            validation,
            passed_over: synthesis::map_files(folder)?.passed_over,
        })
    }

    /// Loads and prepares the scans of a split.
    ///
    /// # Errors
    /// Those of [`Dataset::load`]; a case of the split that is not there.
    pub fn of_scans(
        folder: &Path,
        preprocessing: &Preprocessing,
        split: &CaseSplit,
        mut cache: Option<&mut Cache>,
    ) -> Result<Self, TrainError> {
        let (index, mut problems) = DatasetIndex::survey(folder)?;
        let [training_files, validation_files] = split.find(&index.cases)?;
        let mut prepared = |files: &CaseFiles| {
            let case = match &mut cache {
                Some(cache) => cache.load(files, preprocessing, &index),
                None => PreparedCase::load(files, preprocessing, &index),
            };
            case.map_err(|found| problems.extend(found)).ok()
        };
        let mut training = Vec::with_capacity(training_files.len());
        for files in training_files {
            training.extend(prepared(&files).map(|case| case.into_training(files.name)));
        }
        let mut validation = Vec::with_capacity(validation_files.len());
        for files in validation_files {
            validation.extend(prepared(&files).map(|case| case.into_validation(files.name)));
        }
        if training.is_empty() && problems.is_empty() {
            problems.push("no case is left to train on".into());
        }
        expect_none(problems)?;
        Ok(Self {
            labels: index.labels,
            channels: index.channels,
            training: Examples::Scans(training),
            validation,
            passed_over: index.passed_over,
        })
    }

    /// Labels after background that occur in no case; nothing can be learnt about them.
    pub fn absent_labels(&self) -> Vec<&(u8, String)> {
        let mut is_present = vec![false; self.labels.len()];
        for case in self.training.scans() {
            for class in &case.labels {
                is_present[usize::from(*class)] = true;
            }
        }
        if let Examples::LabelMaps(_) = self.training {
            // A table names what its maps hold.
            is_present.fill(true);
        }
        for case in &self.validation {
            for value in case.reference.present() {
                let class = self.labels.iter().position(|label| label.0 == value);
                if let Some(class) = class {
                    is_present[class] = true;
                }
            }
        }
        let labels = self.labels.iter().zip(is_present).skip(1);
        labels
            .filter_map(|(label, is_present)| (!is_present).then_some(label))
            .collect()
    }
}
