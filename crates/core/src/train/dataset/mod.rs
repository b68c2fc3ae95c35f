//! Labelled volumes: which files a data set has, whether they can be used, and all of them ready to train on.
//!
//! [`index`] reads `dataset.json` in the layout of the Medical Segmentation Decathlon (`decathlon.rs`) or of nnU-Net v2
//! (`nnunet.rs`); [`case`] reads the files of a case, [`check`] looks at what they hold.

pub mod case;
pub mod check;
mod decathlon;
pub mod index;
mod nnunet;

pub use case::{PreparedCase, RawCase};
pub use index::{CaseFiles, DatasetIndex};

use super::TrainError;
use super::cache::Cache;
use super::recipe::Split;
use crate::preprocess::{Prepared, Preprocessing};
use dinomed3d_volume::LabelMap;
use std::path::Path;

/// A case on the model grid, ready to draw windows from.
#[derive(Clone, Debug)]
pub struct TrainingCase {
    /// File name without its endings.
    pub name: String,
    /// Normalised intensities, `[channel, slice, row, column]`.
    pub voxels: Vec<f32>,
    /// Class of each voxel, `[slice, row, column]`.
    pub labels: Vec<u8>,
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// `[slice, row, column]`
    pub spacing_mm: [f64; 3],
}

impl TrainingCase {
    /// Number of channels of its image.
    pub fn num_channels(&self) -> usize {
        self.voxels.len() / self.labels.len()
    }
}

/// A case that is scored on its own grid.
#[derive(Clone, Debug)]
pub struct ValidationCase {
    /// File name without its endings.
    pub name: String,
    /// The image, ready for the network.
    pub prepared: Prepared,
    /// Label values on the file grid.
    pub reference: LabelMap,
}

/// A data set in memory, split.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Value and name of each label, background first; the place in this list is the class.
    pub labels: Vec<(u8, String)>,
    /// Names of the channels of every image, in order.
    pub channels: Vec<String>,
    /// Cases to learn from.
    pub training: Vec<TrainingCase>,
    /// Cases to score on.
    pub validation: Vec<ValidationCase>,
}

impl Dataset {
    /// Loads and prepares every case of `folder`; all problems are reported at once.
    ///
    /// # Errors
    /// [`TrainError::Data`] with one line per problem, naming the file; [`TrainError::Recipe`] for a split that
    /// cannot be.
    pub fn load(
        folder: &Path,
        preprocessing: &Preprocessing,
        split: impl Into<Split>,
    ) -> Result<Self, TrainError> {
        Self::load_with(folder, preprocessing, split, None)
    }

    /// As [`Dataset::load`], where a cache spares preparing cases again.
    ///
    /// # Errors
    /// Those of [`Dataset::load`].
    pub fn load_with(
        folder: &Path,
        preprocessing: &Preprocessing,
        split: impl Into<Split>,
        mut cache: Option<&mut Cache>,
    ) -> Result<Self, TrainError> {
        let split = split.into();
        split.check()?;
        let (index, mut problems) = DatasetIndex::survey(folder)?;
        let (training_files, validation_files) = index.split(split);
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
        if problems.is_empty() {
            Ok(Self {
                labels: index.labels,
                channels: index.channels,
                training,
                validation,
            })
        } else {
            Err(TrainError::Data(problems))
        }
    }

    /// Labels after background that occur in no case; nothing can be learnt about them.
    pub fn absent_labels(&self) -> Vec<&(u8, String)> {
        let mut is_present = vec![false; self.labels.len()];
        for case in &self.training {
            for class in &case.labels {
                is_present[usize::from(*class)] = true;
            }
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
