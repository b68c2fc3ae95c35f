//! What `dataset.json` says: labels, channels, and the files of each case.

use super::files::{CaseFiles, Cases};
use super::{decathlon, nnunet, patient};
use crate::train::TrainError;
use crate::train::synthesis::TABLE_FILE;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the file that says what a data set is.
pub const INDEX_FILE: &str = "dataset.json";

/// What `dataset.json` says, in either layout.
#[derive(Clone, Debug)]
pub struct DatasetIndex {
    /// Value and name of each label, in order of value.
    pub labels: Vec<(u8, String)>,
    /// Names of the channels of every image, in order.
    pub channels: Vec<String>,
    /// Cases in order of name.
    pub cases: Vec<CaseFiles>,
    /// What lies beside the cases' files and is not used, and why: a sentence each.
    pub passed_over: Vec<String>,
}

impl DatasetIndex {
    /// Reads `dataset.json` of `folder`.
    ///
    /// # Errors
    /// [`TrainError::File`], or [`TrainError::Data`] for what is not a data set.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let (index, problems) = Self::survey(folder)?;
        if problems.is_empty() {
            Ok(index)
        } else {
            Err(TrainError::Data(problems))
        }
    }

    /// Reads `dataset.json` of `folder`, with problems of single files beside it, so that those of the files' contents
    /// can be told together with them.
    ///
    /// # Errors
    /// [`TrainError::File`], or [`TrainError::Data`] where there is no telling what the data set is.
    pub fn survey(folder: &Path) -> Result<(Self, Vec<String>), TrainError> {
        let path = folder.join(INDEX_FILE);
        let bytes = std::fs::read(&path).map_err(|cause| match cause.kind() {
            ErrorKind::NotFound if folder.join(TABLE_FILE).is_file() => {
                TrainError::Data(vec![format!(
                    "{}: found is a folder of label maps with {TABLE_FILE}, expected is a data set with {INDEX_FILE}, or a recipe with \
                     [synthesis], by which images are drawn from label maps (of a command that takes one, --recipe)",
                    folder.display()
                )])
            }
            _ => TrainError::File {
                path: path.clone(),
                cause,
            },
        })?;
        let in_file = |problem: String| format!("{}: {problem}", path.display());
        let fatal = |problem: String| TrainError::Data(vec![in_file(problem)]);
        // Editors of Windows begin a file with a mark of its encoding, which JSON has not.
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let json: Map<String, Value> = serde_json::from_slice(bytes)
            .map_err(|error| fatal(format!("not the index of a data set: {error}")))?;
        let layout = Layout::of(&json).map_err(fatal)?;
        let (labels, channels) = match layout {
            Layout::Decathlon => (decathlon::labels(&json), decathlon::channels(&json)),
            Layout::NnUnet => (nnunet::labels(&json), nnunet::channels(&json)),
        };
        let mut problems = Vec::new();
        let labels = labels.unwrap_or_else(|found| {
            problems.extend(found);
            Vec::new()
        });
        let channels = channels.unwrap_or_else(|found| {
            problems.push(found);
            Vec::new()
        });
        if problems.is_empty() {
            problems.extend(check_labels(&labels));
        }
        let cases = match layout {
            Layout::Decathlon => decathlon::cases(&json, folder),
            Layout::NnUnet => nnunet::cases(&json, folder, &channels),
        };
        let Cases {
            mut cases,
            problems: file_problems,
            passed_over,
        } = match cases {
            Ok(cases) if problems.is_empty() => cases,
            // Without labels and channels nothing can be said of the files.
            Ok(_) => {
                return Err(TrainError::Data(
                    problems.into_iter().map(in_file).collect(),
                ));
            }
            Err(problem) => {
                problems.push(problem);
                return Err(TrainError::Data(
                    problems.into_iter().map(in_file).collect(),
                ));
            }
        };
        cases.sort_by(|a, b| a.name.cmp(&b.name));
        if cases.is_empty() {
            return Err(fatal("no training cases".into()));
        }
        let mut problems: Vec<String> = file_problems;
        let mut patients = patient::read_table(folder).unwrap_or_else(|problem| {
            problems.push(problem);
            HashMap::new()
        });
        for case in &mut cases {
            if let Some(patient) = patients.remove(&case.name) {
                case.patient = patient;
            }
        }
        for pair in cases.windows(2) {
            if pair[0].name == pair[1].name {
                problems.push(in_file(format!("two cases are called {}", pair[0].name)));
            }
        }
        let index = Self {
            labels,
            channels,
            cases,
            passed_over,
        };
        Ok((index, problems))
    }

    /// All files of the data set in `folder` that are read, for no result to replace one.
    pub fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let tables = [INDEX_FILE, patient::TABLE].map(|name| folder.join(name));
        let files = self.cases.iter();
        let files = files.flat_map(|case| case.images.iter().chain([&case.label]));
        tables.into_iter().chain(files.cloned()).collect()
    }
}

/// How files lie in a data set's folder, and what `dataset.json` calls things.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// Labels from value to name, a list of pairs of files.
    Decathlon,
    /// Labels from name to value, files found by their names.
    NnUnet,
}

impl Layout {
    /// Labels tell: of the Decathlon their values are the keys, of nnU-Net v2 their names.
    fn of(json: &Map<String, Value>) -> Result<Self, String> {
        let expected = r#"expected is "labels": {"0": "background", …} (Medical Segmentation Decathlon) or {"background": 0, …} (nnU-Net v2)"#;
        let labels = match json.get("labels") {
            Some(Value::Object(labels)) if !labels.is_empty() => labels,
            Some(other) => return Err(format!("its labels are {other}, {expected}")),
            None => return Err(format!("it names no labels, {expected}")),
        };
        if labels.values().all(Value::is_string) {
            Ok(Self::Decathlon)
        } else if labels
            .values()
            .all(|value| value.is_number() || value.is_array())
        {
            Ok(Self::NnUnet)
        } else {
            let labels = Value::Object(labels.clone());
            Err(format!("its labels are {labels}, {expected}"))
        }
    }
}

fn check_labels(labels: &[(u8, String)]) -> Option<String> {
    let has_background = labels.first().is_some_and(|label| label.0 == 0);
    if !has_background || labels.len() < 2 {
        return Some(format!(
            "expected label 0 (background) and at least one more, found {labels:?}"
        ));
    }
    let twice = labels.windows(2).find(|pair| pair[0].0 == pair[1].0)?;
    let [(value, one), (_, other)] = twice else {
        return None;
    };
    Some(format!("labels {one:?} and {other:?} are both {value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_labels_tell_the_layout() {
        let layout = |labels: Value| {
            let json = serde_json::json!({ "labels": labels });
            Layout::of(json.as_object().unwrap())
        };
        let json = serde_json::json!({"0": "background", "1": "tumour"});
        assert_eq!(layout(json), Ok(Layout::Decathlon));
        let json = serde_json::json!({"background": 0, "tumour": 1});
        assert_eq!(layout(json), Ok(Layout::NnUnet));
        let error = layout(serde_json::json!({"0": "background", "tumour": 1})).unwrap_err();
        assert!(
            error.contains("Decathlon") && error.contains("nnU-Net"),
            "{error}"
        );
        assert!(layout(serde_json::json!(["background"])).is_err());
    }

    #[test]
    fn a_folder_of_label_maps_is_called_so_where_scans_are_expected() {
        let name = format!("dinomed3d-maps-no-scans-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let empty = DatasetIndex::read(&folder).unwrap_err();
        std::fs::write(folder.join(TABLE_FILE), "value\tname\n").unwrap();
        let maps = DatasetIndex::read(&folder).unwrap_err();
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(matches!(empty, TrainError::File { .. }), "{empty}");
        let words = maps.to_string();
        assert!(words.contains("label maps with labels.tsv"), "{words}");
        assert!(words.contains("--recipe"), "{words}");
    }
}
