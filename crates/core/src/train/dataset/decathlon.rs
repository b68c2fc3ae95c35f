//! The layout of the Medical Segmentation Decathlon: `dataset.json` lists pairs of files.
//!
//! Several modalities are the fourth dimension of one file.

use super::index::{CaseFiles, Cases, numbered_names};
use serde_json::{Map, Value};
use std::path::Path;

/// Value and name of each label, in order of value.
pub(super) fn labels(json: &Map<String, Value>) -> Result<Vec<(u8, String)>, Vec<String>> {
    let mut labels = Vec::new();
    let mut problems = Vec::new();
    for (value, name) in json["labels"].as_object().into_iter().flatten() {
        match value.parse::<u8>() {
            Ok(value) => labels.push((value, name.as_str().unwrap_or_default().to_owned())),
            Err(_) => problems.push(format!("label {value:?} is not a number from 0 to 255")),
        }
    }
    labels.sort();
    if problems.is_empty() {
        Ok(labels)
    } else {
        Err(problems)
    }
}

/// Names of the modalities; one, where the file does not say.
pub(super) fn channels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    match json.get("modality") {
        None => Ok(vec!["scan".into()]),
        Some(names) => numbered_names("modality", names),
    }
}

/// The pairs that are listed.
pub(super) fn cases(json: &Map<String, Value>, folder: &Path) -> Result<Cases, String> {
    let expected = r#"expected are pairs {"image": "./imagesTr/CASE.nii.gz", "label": "./labelsTr/CASE.nii.gz"}"#;
    let list = match json.get("training") {
        Some(Value::Array(list)) => list,
        Some(other) => return Err(format!("its training is {other}, {expected}")),
        None => return Err(format!("it lists no training, {expected}")),
    };
    let mut cases = Vec::with_capacity(list.len());
    for pair in list {
        let file = |key: &str| pair.get(key).and_then(Value::as_str);
        let (Some(image), Some(label)) = (file("image"), file("label")) else {
            return Err(format!("its training holds {pair}, {expected}"));
        };
        cases.push(CaseFiles {
            name: case_name(image),
            images: vec![folder.join(image)],
            label: folder.join(label),
        });
    }
    Ok((cases, Vec::new()))
}

/// File name without folder and endings.
fn case_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.trim_end_matches(".gz")
        .trim_end_matches(".nii")
        .to_owned()
}
