//! Label maps as files, and which prediction belongs to which reference.

use super::{CaseScores, EvaluationError, score_as_paper};
use crate::metrics::evaluate_case;
use crate::{Affine, GridError, LabelMap, ModelGrid, NiftiImage};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A case's two files.
#[derive(Debug, PartialEq)]
pub struct Pair {
    /// Name of the case.
    pub case: String,
    /// The label map to score.
    pub prediction: PathBuf,
    /// What it should be.
    pub reference: PathBuf,
}

/// The cases of two folders.
#[derive(Debug, PartialEq)]
pub struct Pairs {
    /// Of each reference.
    pub pairs: Vec<Pair>,
    /// Predictions that are passed over, as they have no reference.
    pub without_reference: Vec<String>,
}

/// Reads a label map.
///
/// # Errors
/// A file that cannot be read or is no label map, by name.
pub fn read_label_map(path: &Path) -> Result<LabelMap, EvaluationError> {
    let bytes = std::fs::read(path).map_err(reading(path))?;
    NiftiImage::parse(&bytes)
        .and_then(|image| image.label_map())
        .map_err(|source| EvaluationError::LabelMap {
            path: path.to_owned(),
            source: Box::new(source),
        })
}

fn reading(path: &Path) -> impl Fn(std::io::Error) -> EvaluationError {
    move |source| EvaluationError::File {
        path: path.to_owned(),
        source,
    }
}

impl Pairs {
    /// Every label of any case, so that a label that one case lacks is scored in it too.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn labels_present(&self) -> Result<Vec<u8>, EvaluationError> {
        let mut labels = BTreeSet::new();
        for pair in &self.pairs {
            labels.extend(read_label_map(&pair.prediction)?.present());
            labels.extend(read_label_map(&pair.reference)?.present());
        }
        Ok(labels.into_iter().collect())
    }

    /// Scores of `labels`: each case on its own grid or, where `grid` makes one of its shape and affine, on that, as the
    /// paper does.
    ///
    /// # Errors
    /// A file that cannot be read; two that do not lie on one grid, which either convention asks for.
    pub fn score(
        &self,
        labels: &[u8],
        grid: Option<impl Fn([usize; 3], &Affine) -> Result<ModelGrid, GridError>>,
    ) -> Result<Vec<CaseScores>, EvaluationError> {
        let score = |pair: &Pair| {
            let prediction = read_label_map(&pair.prediction)?;
            let reference = read_label_map(&pair.reference)?;
            let compare = || -> Result<_, EvaluationError> {
                let scores = evaluate_case(&prediction, &reference, labels)?;
                let Some(grid) = &grid else {
                    return Ok(scores);
                };
                let grid = grid(reference.shape, &reference.affine)?;
                let on_grid = |map: &LabelMap| grid.labels_to_model(&map.labels);
                let (prediction, reference) = (on_grid(&prediction), on_grid(&reference));
                Ok(score_as_paper(prediction, reference, &grid, labels)?)
            };
            let scores = compare().map_err(|source| EvaluationError::Comparing {
                prediction: pair.prediction.clone(),
                reference: pair.reference.clone(),
                source: Box::new(source),
            })?;
            Ok(CaseScores::new(pair.case.clone(), scores))
        };
        self.pairs.iter().map(score).collect()
    }
}

/// Pairs two files, or the files of two folders by the name of their case.
///
/// # Errors
/// A file beside a folder, a reference without prediction, two files of one case, an empty folder.
pub fn pair(predictions: &Path, references: &Path) -> Result<Pairs, EvaluationError> {
    match (predictions.is_dir(), references.is_dir()) {
        (false, false) => Ok(Pairs {
            pairs: vec![Pair {
                case: case_name(references)
                    .map_or_else(|| references.display().to_string(), |name| name.case),
                prediction: predictions.to_owned(),
                reference: references.to_owned(),
            }],
            without_reference: Vec::new(),
        }),
        (true, true) => pair_folders(predictions, references),
        _ => Err(EvaluationError::Pairs(format!(
            "{} and {} are a folder and a file: two files or two folders are expected",
            predictions.display(),
            references.display()
        ))),
    }
}

fn pair_folders(predictions: &Path, references: &Path) -> Result<Pairs, EvaluationError> {
    let mut predicted = cases_in(predictions)?;
    let wanted = cases_in(references)?;
    if wanted.is_empty() {
        return Err(EvaluationError::Pairs(format!(
            "no .nii or .nii.gz file in {}",
            references.display()
        )));
    }
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    for (case, reference) in wanted {
        match predicted.remove(&case) {
            Some(prediction) => pairs.push(Pair {
                case,
                prediction,
                reference,
            }),
            None => missing.push(case),
        }
    }
    // A mean over some of the cases would look like one over all.
    if !missing.is_empty() {
        return Err(EvaluationError::Pairs(format!(
            "no prediction in {} for {} of {} references: {}",
            predictions.display(),
            missing.len(),
            missing.len() + pairs.len(),
            missing.join(", ")
        )));
    }
    Ok(Pairs {
        pairs,
        without_reference: predicted.into_keys().collect(),
    })
}

/// The label maps of a folder by case; hidden files are passed over.
fn cases_in(folder: &Path) -> Result<BTreeMap<String, PathBuf>, EvaluationError> {
    let mut cases: BTreeMap<String, (bool, PathBuf)> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(reading(folder))? {
        let path = entry.map_err(reading(folder))?.path();
        let Some(name) = case_name(&path) else {
            continue;
        };
        match cases.get(&name.case) {
            // X.nii.gz beside X_dseg.nii.gz is the scan.
            Some((true, _)) if !name.is_dseg => {}
            Some((is_dseg, other)) if *is_dseg == name.is_dseg => {
                return Err(EvaluationError::Pairs(format!(
                    "{} and {} are the same case",
                    other.display(),
                    path.display()
                )));
            }
            _ => {
                cases.insert(name.case, (name.is_dseg, path));
            }
        }
    }
    let paths = cases.into_iter().map(|(case, (_, path))| (case, path));
    Ok(paths.collect())
}

/// What a file's name says.
struct CaseName {
    case: String,
    is_dseg: bool,
}

fn case_name(path: &Path) -> Option<CaseName> {
    let name = path.file_name()?.to_str()?;
    let stem = name
        .strip_suffix(".nii.gz")
        .or_else(|| name.strip_suffix(".nii"))
        .filter(|stem| !stem.starts_with('.'))?;
    let case = stem.strip_suffix("_dseg");
    Some(CaseName {
        case: case.unwrap_or(stem).to_owned(),
        is_dseg: case.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cases_lose_ending_and_dseg() {
        let case = |name: &str| case_name(Path::new(name)).map(|name| name.case);
        assert_eq!(case("a/sub-01_dseg.nii.gz").as_deref(), Some("sub-01"));
        assert_eq!(case("sub-01.nii").as_deref(), Some("sub-01"));
        assert_eq!(case("._sub-01.nii.gz"), None);
        assert_eq!(case("dataset.json"), None);
    }
}
