//! What both layouts tell of a case: its name, whose it is, its files; and what lies beside them.

use super::patient::patient_in;
use dinomed3d_volume::nifti;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseFiles {
    /// File name without its endings.
    pub name: String,
    /// Whose scan it is, see [`patient`](super::patient).
    pub patient: String,
    /// The scan: a file for each channel, or one file that holds them all.
    pub images: Vec<PathBuf>,
    /// Its label map.
    pub label: PathBuf,
}

impl CaseFiles {
    /// A case of the patient that its name names.
    pub fn new(name: String, images: Vec<PathBuf>, label: PathBuf) -> Self {
        Self {
            patient: patient_in(&name).to_owned(),
            name,
            images,
            label,
        }
    }
}

/// Cases of a layout.
#[derive(Debug, Default)]
pub(super) struct Cases {
    pub cases: Vec<CaseFiles>,
    /// What is wrong with files as far as names tell.
    pub problems: Vec<String>,
    /// See [`passed_over`].
    pub passed_over: Vec<String>,
}

/// What in a folder is not used, in order of name: a sentence each with the reason that `why` gives, one for all hidden
/// files. `why` gives none for what is used.
///
/// # Errors
/// A folder that cannot be read.
pub fn passed_over(
    folder: &Path,
    mut why: impl FnMut(&Path) -> Option<String>,
) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<std::io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    let name = |path: &Path| {
        let name = path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    };
    // Other systems leave one beside every file.
    let (hidden, paths): (Vec<PathBuf>, Vec<PathBuf>) = paths
        .into_iter()
        .partition(|path| name(path).starts_with('.'));
    let mut sentences = Vec::new();
    for path in paths {
        let reason = why(&path);
        sentences.extend(reason.map(|reason| format!("{}: {reason}", path.display())));
    }
    if !hidden.is_empty() {
        let names: Vec<String> = hidden.iter().map(|path| name(path)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sentences.push(format!(
            "{}: {} hidden: {}",
            folder.display(),
            names.len(),
            first_few(&names)
        ));
    }
    Ok(sentences)
}

/// The NIfTI files of a folder by name without ending, as text, for a name need not be UTF-8.
#[derive(Debug, Default)]
pub struct NiftiFiles {
    /// Those that are used.
    pub files: BTreeMap<String, PathBuf>,
    /// Two files of one name, a sentence for each.
    pub problems: Vec<String>,
    /// See [`passed_over`].
    pub passed_over: Vec<String>,
}

impl NiftiFiles {
    /// Adds those of a folder; `why` says of a NIfTI file why it is not used, if it is not. What is called as one of
    /// `others` has another use.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn add(
        &mut self,
        folder: &Path,
        others: &[&str],
        why: impl Fn(&Path) -> Option<String>,
    ) -> std::io::Result<()> {
        let Self {
            files, problems, ..
        } = self;
        let sentences = passed_over(folder, |path| {
            let is_called = |other: &&str| path.file_name().is_some_and(|name| name == *other);
            if others.iter().any(is_called) {
                return None;
            }
            if path.is_dir() {
                return Some("a folder".to_owned());
            }
            let Some(stem) = nifti::stem(path) else {
                return Some("its name is not that of a .nii or .nii.gz file".to_owned());
            };
            let reason = why(path);
            if reason.is_none() {
                let name = stem.to_string_lossy().into_owned();
                if let Some(other) = files.insert(name.clone(), path.to_owned()) {
                    problems.push(format!(
                        "{} and {} are both called {name}",
                        other.display(),
                        path.display()
                    ));
                }
            }
            reason
        })?;
        self.passed_over.extend(sentences);
        Ok(())
    }
}

/// Some names of many.
pub(crate) fn first_few(names: &[&str]) -> String {
    let shown = names.len().min(5);
    let more = if names.len() > shown { " …" } else { "" };
    format!("{}{more}", names[..shown].join(", "))
}

/// Names under the keys "0", "1", …, in this order.
pub(super) fn numbered_names(key: &str, json: &Value) -> Result<Vec<String>, String> {
    let problem = || {
        format!(
            r#"its {key} is {json}, expected are names under the numbers from 0 on, such as {{"0": "T1", "1": "T2"}}"#
        )
    };
    let names = json.as_object().ok_or_else(problem)?;
    if names.is_empty() {
        return Err(problem());
    }
    (0..names.len())
        .map(|number| {
            let name = names.get(&number.to_string()).and_then(Value::as_str);
            name.map(str::to_owned).ok_or_else(problem)
        })
        .collect()
}
