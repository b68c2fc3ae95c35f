//! Label maps as files, and which prediction belongs to which reference.

use super::{CaseScores, EvaluationError, GhostLabel, score_as_paper};
use crate::metrics::evaluate_case;
use crate::{Affine, FileError, GridError, LabelMap, ModelGrid, nifti, open_file};
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
    /// Files that are passed over, and why.
    pub passed_over: Vec<String>,
}

/// Reads a label map, of a pair by either of its files.
///
/// # Errors
/// A file that cannot be read or is no label map, by name.
pub fn read_label_map(path: &Path) -> Result<LabelMap, EvaluationError> {
    let no_map = |source| EvaluationError::LabelMap {
        path: path.to_owned(),
        source,
    };
    let scan = open_file(path).map_err(|error| match error {
        FileError::Read { path, cause } => reading(&path)(cause),
        FileError::Scan { cause, .. } => no_map(cause),
    })?;
    scan.label_map().map_err(|error| no_map(Box::new(error)))
}

fn reading(path: &Path) -> impl Fn(std::io::Error) -> EvaluationError {
    move |source| EvaluationError::File {
        path: path.to_owned(),
        source,
    }
}

impl Pairs {
    /// All files that are read.
    pub fn files(&self) -> Vec<&Path> {
        let pairs = self.pairs.iter();
        pairs
            .flat_map(|pair| [pair.prediction.as_path(), &pair.reference])
            .collect()
    }

    /// The labels of the data set: those of any reference.
    fn reference_labels(&self) -> Result<BTreeSet<u8>, EvaluationError> {
        let mut labels = BTreeSet::new();
        for pair in &self.pairs {
            labels.extend(read_label_map(&pair.reference)?.present());
        }
        Ok(labels)
    }

    /// Scores of `chosen` labels, or else of those of the data set: each case on its own grid or, where `grid` makes one of
    /// its shape and affine, on that, as the paper does. A label that is neither chosen nor in any reference is a ghost of
    /// the case that is predicted to have it.
    ///
    /// # Errors
    /// A file that cannot be read; two that do not lie on one grid, which either convention asks for; references without
    /// a label where none is chosen.
    pub fn score(
        &self,
        chosen: &[u8],
        grid: Option<impl Fn([usize; 3], &Affine) -> Result<ModelGrid, GridError>>,
    ) -> Result<(Vec<CaseScores>, Vec<u8>), EvaluationError> {
        let mut known = self.reference_labels()?;
        let labels: Vec<u8> = match chosen {
            [] => known.iter().copied().collect(),
            chosen => chosen.to_vec(),
        };
        if labels.is_empty() {
            return Err(EvaluationError::Pairs(
                "no reference holds a label: say which labels are to be scored".to_owned(),
            ));
        }
        known.extend(chosen);
        let score = |pair: &Pair| {
            let prediction = read_label_map(&pair.prediction)?;
            let reference = read_label_map(&pair.reference)?;
            let ghosts = prediction.present().into_iter();
            let ghosts = ghosts.filter(|label| !known.contains(label));
            let ghosts = ghosts.map(|label| GhostLabel {
                label,
                prediction_ml: prediction.volume_ml(label),
            });
            let ghosts = ghosts.collect();
            let compare = || -> Result<_, EvaluationError> {
                let scores = evaluate_case(&prediction, &reference, &labels)?;
                let Some(grid) = &grid else {
                    return Ok(scores);
                };
                let grid = grid(reference.shape, &reference.affine)?;
                let on_grid = |map: &LabelMap| grid.labels_to_model(&map.labels);
                let (prediction, reference) = (on_grid(&prediction), on_grid(&reference));
                Ok(score_as_paper(prediction, reference, &grid, &labels)?)
            };
            let scores = compare().map_err(|source| EvaluationError::Comparing {
                prediction: pair.prediction.clone(),
                reference: pair.reference.clone(),
                source: Box::new(source),
            })?;
            Ok(CaseScores::new(pair.case.clone(), scores).with_ghosts(ghosts))
        };
        let cases: Result<Vec<CaseScores>, EvaluationError> =
            self.pairs.iter().map(score).collect();
        Ok((cases?, labels))
    }
}

/// Pairs two files, or the files of two folders by the name of their case.
///
/// # Errors
/// A name that leads nowhere, a file beside a folder, a reference without prediction, two files of one case, an empty folder.
pub fn pair(predictions: &Path, references: &Path) -> Result<Pairs, EvaluationError> {
    if let Some(missing) = [predictions, references].iter().find(|path| !path.exists()) {
        return Err(EvaluationError::Pairs(format!(
            "{} is not there: expected is a label map or a folder of them",
            missing.display()
        )));
    }
    match (predictions.is_dir(), references.is_dir()) {
        (false, false) => Ok(Pairs {
            pairs: vec![Pair {
                case: case_name(references).map_or_else(
                    || references.display().to_string(),
                    |name| words(&name.case),
                ),
                prediction: predictions.to_owned(),
                reference: references.to_owned(),
            }],
            passed_over: Vec::new(),
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
    let mut passed_over = Vec::new();
    let mut predicted = cases_in(predictions, &mut passed_over)?;
    let wanted = cases_in(references, &mut passed_over)?;
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
                case: words(&case),
                prediction,
                reference,
            }),
            None => missing.push(words(&case)),
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
    let without_reference = predicted.into_values();
    passed_over.extend(without_reference.map(|path| (path, "it has no reference")));
    passed_over.sort();
    let sentence = |(path, why): (PathBuf, &str)| format!("{}: {why}", path.display());
    Ok(Pairs {
        pairs,
        passed_over: passed_over.into_iter().map(sentence).collect(),
    })
}

/// The label maps of a folder by case; what else is there is passed over.
fn cases_in(
    folder: &Path,
    passed_over: &mut Vec<(PathBuf, &'static str)>,
) -> Result<BTreeMap<Vec<u8>, PathBuf>, EvaluationError> {
    const IS_SCAN: &str = "taken for the scan, as the label map beside it is called _dseg";
    let mut cases: BTreeMap<Vec<u8>, (bool, PathBuf)> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).map_err(reading(folder))? {
        let path = entry.map_err(reading(folder))?.path();
        let name = match case_name(&path) {
            Some(name) if !path.is_dir() => name,
            Some(_) => {
                passed_over.push((path, "a folder"));
                continue;
            }
            None => {
                passed_over.push((path, "its name is not that of a .nii or .nii.gz file"));
                continue;
            }
        };
        match cases.get(&name.case) {
            // X.nii.gz beside X_dseg.nii.gz is the scan.
            Some((true, _)) if !name.is_dseg => passed_over.push((path, IS_SCAN)),
            Some((is_dseg, other)) if *is_dseg == name.is_dseg => {
                return Err(EvaluationError::Pairs(format!(
                    "{} and {} are the same case",
                    other.display(),
                    path.display()
                )));
            }
            _ => {
                let scan = cases.insert(name.case, (name.is_dseg, path));
                passed_over.extend(scan.map(|(_, scan)| (scan, IS_SCAN)));
            }
        }
    }
    let paths = cases.into_iter().map(|(case, (_, path))| (case, path));
    Ok(paths.collect())
}

/// What a file's name says.
struct CaseName {
    /// As bytes, for a name need not be UTF-8.
    case: Vec<u8>,
    is_dseg: bool,
}

fn case_name(path: &Path) -> Option<CaseName> {
    let stem = nifti::stem(path)?.as_encoded_bytes();
    let case = stem.strip_suffix(b"_dseg");
    Some(CaseName {
        case: case.unwrap_or(stem).to_owned(),
        is_dseg: case.is_some(),
    })
}

/// For people.
fn words(case: &[u8]) -> String {
    String::from_utf8_lossy(case).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_cases_lose_ending_and_dseg() {
        let case = |name: &str| case_name(Path::new(name)).map(|name| words(&name.case));
        assert_eq!(case("a/sub-01_dseg.nii.gz").as_deref(), Some("sub-01"));
        assert_eq!(case("sub-01.nii").as_deref(), Some("sub-01"));
        assert_eq!(case("Sub-01_dseg.NII.GZ").as_deref(), Some("Sub-01"));
        assert_eq!(case("._sub-01.nii.gz"), None);
        assert_eq!(case("dataset.json"), None);
    }

    struct Folders(PathBuf);

    impl Folders {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir();
            let folder = folder.join(format!("dinomed3d-pairs-{name}-{}", std::process::id()));
            for name in ["predictions", "references"] {
                std::fs::create_dir_all(folder.join(name)).unwrap();
            }
            Self(folder)
        }

        /// Of eight voxels.
        fn write(&self, path: impl AsRef<Path>, labels: [i16; 8]) {
            let affine = Affine::from_spacing_mm([1.0; 3]);
            let file = nifti::encode(&[2, 2, 2], &affine, nifti::Values::Int16(&labels), "");
            std::fs::write(self.0.join(path), file).unwrap();
        }

        fn pair(&self) -> Result<Pairs, EvaluationError> {
            pair(&self.0.join("predictions"), &self.0.join("references"))
        }

        #[expect(clippy::type_complexity, reason = "no grid")]
        fn score(&self, chosen: &[u8]) -> Result<(Vec<CaseScores>, Vec<u8>), EvaluationError> {
            let grid: Option<fn([usize; 3], &Affine) -> Result<ModelGrid, GridError>> = None;
            self.pair()?.score(chosen, grid)
        }
    }

    impl Drop for Folders {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_passed_over_is_named() {
        let folders = Folders::new("passed");
        let ones = [1; 8];
        for file in [
            "predictions/A.NII",
            "references/A.nii",
            "predictions/extra.nii",
            "predictions/B.nii",
            "references/B.nii",
            "references/B_dseg.nii",
            "references/.hidden.nii",
        ] {
            folders.write(file, ones);
        }
        std::fs::write(folders.0.join("predictions/notes.txt"), "").unwrap();
        std::fs::create_dir(folders.0.join("references/more.nii")).unwrap();
        let pairs = folders.pair().unwrap();
        let cases: Vec<&str> = pairs.pairs.iter().map(|pair| pair.case.as_str()).collect();
        assert_eq!(cases, ["A", "B"]);
        assert!(pairs.pairs[1].reference.ends_with("B_dseg.nii"));
        assert_eq!(pairs.passed_over.len(), 5, "{:?}", pairs.passed_over);
        for (found, part) in pairs.passed_over.iter().zip([
            "extra.nii: it has no reference",
            "notes.txt: its name",
            ".hidden.nii: its name",
            "B.nii: taken for the scan",
            "more.nii: a folder",
        ]) {
            assert!(found.contains(part), "{found}");
        }
        // As a prediction in capitals, so a reference.
        folders.write("references/C.NII", ones);
        let error = folders.pair().unwrap_err().to_string();
        assert!(error.ends_with("for 1 of 3 references: C"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_utf_8_are_paired() {
        use std::os::unix::ffi::OsStrExt;
        let folders = Folders::new("bytes");
        for folder in ["predictions", "references"] {
            for name in [b"f\xfcnf.nii".as_slice(), b"f\xf6nf.nii"] {
                let name = std::ffi::OsStr::from_bytes(name);
                folders.write(Path::new(folder).join(name), [1; 8]);
            }
        }
        let pairs = folders.pair().unwrap();
        assert_eq!(pairs.pairs.len(), 2);
        assert_eq!(pairs.passed_over, [] as [&str; 0]);
        for pair in &pairs.pairs {
            assert_eq!(pair.prediction.file_name(), pair.reference.file_name());
            assert_eq!(pair.case, "f\u{fffd}nf");
        }
    }

    /// By hand: label 1 with Dice 2/3 and 0 (missed); label 2 absent from both of a, right in b; 7 in a is a ghost.
    #[test]
    fn the_data_set_s_labels_are_scored_and_ghosts_are_named() {
        let folders = Folders::new("ghosts");
        folders.write("predictions/a.nii", [1, 1, 0, 0, 0, 0, 0, 7]);
        folders.write("references/a.nii", [1, 0, 0, 0, 0, 0, 0, 0]);
        folders.write("predictions/b.nii", [0, 0, 2, 0, 0, 0, 0, 0]);
        folders.write("references/b.nii", [1, 0, 2, 0, 0, 0, 0, 0]);
        let (cases, labels) = folders.score(&[]).unwrap();
        assert_eq!(labels, [1, 2]);
        let dice: Vec<Option<f64>> = cases
            .iter()
            .flat_map(|case| case.labels.iter().map(|score| score.dice))
            .collect();
        assert_eq!(dice, [Some(2.0 / 3.0), None, Some(0.0), Some(1.0)]);
        assert_eq!(cases[0].mean_dice, Some(1.0 / 3.0));
        let [ghost] = &cases[0].ghosts[..] else {
            panic!("one ghost")
        };
        assert_eq!(ghost.label, 7);
        assert!((ghost.prediction_ml - 0.001).abs() < 1e-12);
        assert_eq!(cases[1].ghosts, []);
        // A label that is left out by choice is no ghost, nor is one that is chosen.
        let (cases, labels) = folders.score(&[2, 7]).unwrap();
        assert_eq!(labels, [2, 7]);
        assert_eq!(cases[0].ghosts, []);
        assert_eq!(cases[0].labels[1].dice, Some(0.0));

        folders.write("references/a.nii", [0; 8]);
        folders.write("references/b.nii", [0; 8]);
        let error = folders.score(&[]).unwrap_err().to_string();
        assert!(error.contains("no reference holds a label"), "{error}");
    }
}
