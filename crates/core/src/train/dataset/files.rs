//! What both layouts tell of a case: its name, whose it is, its files.

use super::patient::patient_in;
use serde_json::Value;
use std::path::PathBuf;

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

/// Cases of a layout, and what is wrong with their files as far as names tell.
pub(super) type Cases = (Vec<CaseFiles>, Vec<String>);

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
