//! The layout of the Medical Segmentation Decathlon: `dataset.json` lists pairs of files.
//!
//! Several modalities are the fourth dimension of one file.

use super::files::{CaseFiles, Cases, numbered_names, passed_over};
use dinomed3d_volume::nifti;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

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

/// Names of the modalities, under their numbers, as a list, or of one alone; one, where the file does not say.
pub(super) fn channels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    match json.get("modality") {
        None => Ok(vec!["scan".into()]),
        Some(Value::String(name)) => Ok(vec![name.clone()]),
        Some(Value::Array(names)) if !names.is_empty() && names.iter().all(Value::is_string) => {
            let names = names.iter().filter_map(Value::as_str);
            Ok(names.map(str::to_owned).collect())
        }
        Some(names) => numbered_names("modality", names),
    }
}

/// The pairs that are listed; other files of their folders are passed over.
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
        cases.push(CaseFiles::new(
            case_name(image),
            vec![folder.join(image)],
            folder.join(label),
        ));
    }
    Ok(Cases {
        passed_over: unlisted(&cases),
        cases,
        problems: Vec::new(),
    })
}

/// What lies beside the files of the cases. A folder that cannot be read is not told of here: neither can its cases.
fn unlisted(cases: &[CaseFiles]) -> Vec<String> {
    let files = cases.iter();
    let files = files.flat_map(|case| case.images.iter().chain([&case.label]));
    // A list may say ./imagesTr, or have links.
    let files: BTreeSet<PathBuf> = files.filter_map(|file| file.canonicalize().ok()).collect();
    let folders: BTreeSet<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    let why = |path: &Path| {
        let is_listed = path.canonicalize().is_ok_and(|path| files.contains(&path));
        (!is_listed).then(|| "dataset.json does not list it".to_owned())
    };
    let sentences = folders
        .into_iter()
        .filter_map(|folder| passed_over(folder, why).ok());
    sentences.flatten().collect()
}

/// File name without folder and ending.
fn case_name(path: &str) -> String {
    let path = Path::new(path);
    let stem = nifti::stem(path).or(path.file_name());
    stem.unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modalities_are_numbered_listed_or_one() {
        let channels = |modality: Value| {
            let json = serde_json::json!({ "modality": modality });
            channels(json.as_object().unwrap())
        };
        let numbered = serde_json::json!({"0": "FLAIR", "1": "T1w"});
        assert_eq!(channels(numbered).unwrap(), ["FLAIR", "T1w"]);
        let listed = serde_json::json!(["FLAIR", "T1w"]);
        assert_eq!(channels(listed).unwrap(), ["FLAIR", "T1w"]);
        assert_eq!(channels("CT".into()).unwrap(), ["CT"]);
        assert_eq!(super::channels(&Map::new()).unwrap(), ["scan"]);
        for wrong in [
            serde_json::json!([]),
            serde_json::json!(["CT", 1]),
            serde_json::json!(1),
        ] {
            let error = channels(wrong.clone()).unwrap_err();
            assert!(error.contains(&wrong.to_string()), "{error}");
        }
    }
}
