//! Labelled volumes in the layout of the Medical Segmentation Decathlon.

use super::TrainError;
use super::recipe::Split;
use crate::preprocess::{Prepared, Preprocessing};
use crate::volume::{LabelMap, NiftiImage};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A case on the model grid, ready to draw windows from.
#[derive(Clone, Debug)]
pub struct TrainingCase {
    /// File name without its endings.
    pub name: String,
    /// Normalised intensities, `[slice, row, column]`.
    pub voxels: Vec<f32>,
    /// Class of each voxel.
    pub labels: Vec<u8>,
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// `[slice, row, column]`
    pub spacing_mm: [f64; 3],
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
    /// Cases to learn from.
    pub training: Vec<TrainingCase>,
    /// Cases to score on.
    pub validation: Vec<ValidationCase>,
}

/// Image and label file of a case.
#[derive(Clone, Debug)]
pub struct CaseFiles {
    /// File name without its endings.
    pub name: String,
    /// The scan.
    pub image: PathBuf,
    /// Its label map.
    pub label: PathBuf,
}

/// What `dataset.json` says.
#[derive(Clone, Debug)]
pub struct DatasetIndex {
    /// Value and name of each label, in order of value.
    pub labels: Vec<(u8, String)>,
    /// Cases in order of name.
    pub cases: Vec<CaseFiles>,
}

#[derive(Deserialize)]
struct Json {
    labels: BTreeMap<String, String>,
    training: Vec<JsonCase>,
}

#[derive(Deserialize)]
struct JsonCase {
    image: String,
    label: String,
}

impl DatasetIndex {
    /// Reads `dataset.json` of `folder`.
    ///
    /// # Errors
    /// [`TrainError::File`], or [`TrainError::Data`] for what is not a data set.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join("dataset.json");
        let json: Json = serde_json::from_slice(&read_file(&path)?).map_err(|error| {
            TrainError::Data(vec![format!(
                "{}: not the index of a Decathlon data set: {error}",
                path.display()
            )])
        })?;
        let mut problems = Vec::new();
        let mut labels = Vec::new();
        for (value, name) in json.labels {
            match value.parse::<u8>() {
                Ok(value) => labels.push((value, name)),
                Err(_) => problems.push(format!(
                    "{}: label {value:?} is not a number from 0 to 255",
                    path.display()
                )),
            }
        }
        labels.sort();
        if labels.first().map(|label| label.0) != Some(0) || labels.len() < 2 {
            problems.push(format!(
                "{}: expected label 0 (background) and at least one more, found {labels:?}",
                path.display()
            ));
        }
        let mut cases: Vec<CaseFiles> = json
            .training
            .into_iter()
            .map(|case| CaseFiles {
                name: case_name(&case.image),
                image: folder.join(case.image),
                label: folder.join(case.label),
            })
            .collect();
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        if cases.is_empty() {
            problems.push(format!("{}: no training cases", path.display()));
        }
        if problems.is_empty() {
            Ok(Self { labels, cases })
        } else {
            Err(TrainError::Data(problems))
        }
    }

    /// Splits the cases into those that train and those that validate; a number holds out the first of so many folds.
    pub fn split(&self, split: impl Into<Split>) -> (Vec<CaseFiles>, Vec<CaseFiles>) {
        let split = split.into();
        let mut training = Vec::new();
        let mut validation = Vec::new();
        for (index, case) in self.cases.iter().enumerate() {
            if split.validates(index) {
                validation.push(case.clone());
            } else {
                training.push(case.clone());
            }
        }
        (training, validation)
    }
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
        let split = split.into();
        split.check()?;
        let index = DatasetIndex::read(folder)?;
        let (training_files, validation_files) = index.split(split);
        let mut problems = Vec::new();
        let mut training = Vec::new();
        for files in training_files {
            match LoadedCase::read(&files, preprocessing, &index.labels) {
                Ok(case) => training.push(case.into_training(files.name)),
                Err(problem) => problems.push(problem),
            }
        }
        let mut validation = Vec::new();
        for files in validation_files {
            match LoadedCase::read(&files, preprocessing, &index.labels) {
                Ok(case) => validation.push(ValidationCase {
                    name: files.name,
                    prepared: case.prepared,
                    reference: case.reference,
                }),
                Err(problem) => problems.push(problem),
            }
        }
        if training.is_empty() && problems.is_empty() {
            problems.push("no case is left to train on".into());
        }
        if problems.is_empty() {
            Ok(Self {
                labels: index.labels,
                training,
                validation,
            })
        } else {
            Err(TrainError::Data(problems))
        }
    }
}

/// A case as read: image, reference and the class of each voxel of the model grid.
struct LoadedCase {
    prepared: Prepared,
    reference: LabelMap,
    classes: Vec<u8>,
}

impl LoadedCase {
    /// An error is a sentence that names the file.
    fn read(
        files: &CaseFiles,
        preprocessing: &Preprocessing,
        labels: &[(u8, String)],
    ) -> Result<Self, String> {
        let name =
            |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let image_error = |error: &dyn std::fmt::Display| name(&files.image, error);
        let label_error = |error: &dyn std::fmt::Display| name(&files.label, error);
        let volume = std::fs::read(&files.image)
            .map_err(|e| image_error(&e))
            .and_then(|bytes| NiftiImage::parse(&bytes).map_err(|e| image_error(&e)))
            .and_then(|image| image.volume().map_err(|e| image_error(&e)))?;
        let reference = std::fs::read(&files.label)
            .map_err(|e| label_error(&e))
            .and_then(|bytes| NiftiImage::parse(&bytes).map_err(|e| label_error(&e)))
            .and_then(|image| image.label_map().map_err(|e| label_error(&e)))?;
        if volume.shape != reference.shape {
            return Err(label_error(&format!(
                "label map has {:?} voxels (z, y, x), its image {:?}",
                reference.shape, volume.shape
            )));
        }
        let class_of = |value: u8| labels.iter().position(|label| label.0 == value);
        if let Some(value) = reference.labels.iter().find(|v| class_of(**v).is_none()) {
            return Err(label_error(&format!(
                "label {value} is not in dataset.json, which lists {:?}",
                labels.iter().map(|label| label.0).collect::<Vec<_>>()
            )));
        }
        let prepared = preprocessing.apply(&volume).map_err(|e| image_error(&e))?;
        let classes = prepared
            .grid
            .labels_to_model(&reference.labels)
            .into_iter()
            .map(|value| class_of(value).unwrap_or(0) as u8)
            .collect();
        Ok(Self {
            prepared,
            reference,
            classes,
        })
    }

    fn into_training(self, name: String) -> TrainingCase {
        TrainingCase {
            name,
            shape: self.prepared.shape,
            spacing_mm: self.prepared.grid.spacing_mm(),
            voxels: self.prepared.voxels,
            labels: self.classes,
        }
    }
}

/// File name without folder and endings.
fn case_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.trim_end_matches(".gz")
        .trim_end_matches(".nii")
        .to_owned()
}

fn read_file(path: &Path) -> Result<Vec<u8>, TrainError> {
    std::fs::read(path).map_err(|source| TrainError::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folds_hold_out_every_case_exactly_once() {
        let case = |number: usize| CaseFiles {
            name: format!("case_{number}"),
            image: PathBuf::new(),
            label: PathBuf::new(),
        };
        let index = DatasetIndex {
            labels: Vec::new(),
            cases: (0..7).map(case).collect(),
        };
        let names = |cases: &[CaseFiles]| -> Vec<String> {
            cases.iter().map(|case| case.name.clone()).collect()
        };
        let mut held_out = Vec::new();
        for fold in 0..3 {
            let (training, validation) = index.split(Split { every: 3, fold });
            assert_eq!(training.len() + validation.len(), 7);
            held_out.extend(names(&validation));
        }
        assert_eq!(held_out[..3], ["case_0", "case_3", "case_6"]);
        held_out.sort();
        assert_eq!(held_out, names(&index.cases));
        assert_eq!(names(&index.split(3).1), ["case_0", "case_3", "case_6"]);
    }

    #[test]
    fn a_fold_that_there_is_not_is_named() {
        let error = |every, fold| Split { every, fold }.check().unwrap_err().to_string();
        assert_eq!(
            error(5, 5),
            "the recipe's validation-fold is 5, expected is below validation-every, 5"
        );
        assert!(error(1, 0).contains("validation-every is 1"));
        assert!(Split { every: 5, fold: 4 }.check().is_ok());
    }
}
