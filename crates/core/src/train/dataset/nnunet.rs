//! The layout of nnU-Net v2: files are found by their names, `CASE_0000.nii.gz` and so on for the channels.
//!
//! Source: nnU-Net's documentation, "nnU-Net dataset format".

use super::files::{CaseFiles, Cases, NiftiFiles, numbered_names};
use dinomed3d_volume::nifti::is_gzip_name;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::path::Path;

/// Digits of a channel's number.
const DIGITS: usize = 4;

/// Value and name of each label, in order of value.
pub(super) fn labels(json: &Map<String, Value>) -> Result<Vec<(u8, String)>, Vec<String>> {
    let mut labels = Vec::new();
    let mut problems = Vec::new();
    for (name, value) in json["labels"].as_object().into_iter().flatten() {
        let number = value.as_u64().and_then(|value| u8::try_from(value).ok());
        match number {
            Some(value) if name == "ignore" => problems.push(format!(
                "label \"ignore\" ({value}) asks for voxels to be left out, which is not supported: train on labels that say of each voxel what it is"
            )),
            Some(value) => labels.push((value, name.clone())),
            None if value.is_array() => problems.push(format!(
                "label {name:?} is a region, {value}, which is not supported: each label is expected to be one number, and regions are their unions"
            )),
            None => problems.push(format!(
                "label {name:?} is {value}, expected is a whole number from 0 to 255"
            )),
        }
    }
    labels.sort();
    if problems.is_empty() {
        Ok(labels)
    } else {
        Err(problems)
    }
}

/// Names of the channels.
pub(super) fn channels(json: &Map<String, Value>) -> Result<Vec<String>, String> {
    match json.get("channel_names") {
        None => Err(r#"it names no channels, expected is "channel_names": {"0": "T1", …}"#.into()),
        Some(names) => numbered_names("channel_names", names),
    }
}

/// The cases of which there is an image or a label map; that the other is there, reading them will tell.
pub(super) fn cases(
    json: &Map<String, Value>,
    folder: &Path,
    channels: &[String],
) -> Result<Cases, String> {
    let ending = match json
        .get("file_ending")
        .map(|ending| (ending, ending.as_str()))
    {
        Some((_, Some(ending @ (".nii" | ".nii.gz")))) => ending,
        Some((other, _)) => {
            return Err(format!(
                "its file_ending is {other}, expected is \".nii.gz\" or \".nii\": only NIfTI files are read"
            ));
        }
        None => return Err("it says no file_ending, expected is \".nii.gz\" or \".nii\"".into()),
    };
    if json.contains_key("dataset") {
        return Err(
            "it lists its files under \"dataset\", which is not supported: expected are the folders imagesTr and labelsTr"
                .into(),
        );
    }
    let images = files(&folder.join("imagesTr"), ending)?;
    let labels = files(&folder.join("labelsTr"), ending)?;
    let mut names: BTreeSet<String> = labels.files.keys().cloned().collect();
    let mut problems = [images.problems, labels.problems].concat();
    for (image, path) in &images.files {
        match split_stem(image) {
            None => problems.push(format!(
                "{}: its name ends in no channel, expected is CASE_0000{ending}",
                path.display()
            )),
            Some((_, channel)) if channel >= channels.len() => problems.push(format!(
                "{}: dataset.json names no channel {channel}, but {}: {}",
                path.display(),
                channels.len(),
                channels.join(", ")
            )),
            Some((case, _)) => {
                names.insert(case.to_owned());
            }
        }
    }
    // The name that a missing file should have.
    let missing = |part: &str, name: &str| folder.join(part).join(format!("{name}{ending}"));
    let image = |name: String| {
        let found = images.files.get(&name).cloned();
        found.unwrap_or_else(|| missing("imagesTr", &name))
    };
    let case = |name: String| {
        let channels = 0..channels.len();
        let images = channels.map(|channel| image(format!("{name}_{channel:0DIGITS$}")));
        let images = images.collect();
        let label = labels.files.get(&name).cloned();
        let label = label.unwrap_or_else(|| missing("labelsTr", &name));
        CaseFiles::new(name, images, label)
    };
    let cases: Vec<CaseFiles> = names.into_iter().map(case).collect();
    if let Some(expected) = json.get("numTraining")
        && expected.as_u64() != Some(cases.len() as u64)
    {
        problems.push(format!(
            "{}: its numTraining is {expected}, but there are files of {} cases",
            folder.join("dataset.json").display(),
            cases.len()
        ));
    }
    Ok(Cases {
        cases,
        problems,
        passed_over: [images.passed_over, labels.passed_over].concat(),
    })
}

/// The files of a folder that have the data set's ending, in small letters or capitals.
fn files(folder: &Path, ending: &str) -> Result<NiftiFiles, String> {
    let is_gzip = ending == ".nii.gz";
    let mut found = NiftiFiles::default();
    let of_other_ending = |path: &Path| {
        (is_gzip_name(path) != is_gzip).then(|| format!("dataset.json says file_ending {ending}"))
    };
    found
        .add(folder, &[], of_other_ending)
        .map_err(|error| format!("reading {}: {error}", folder.display()))?;
    Ok(found)
}

/// Name of the case and number of the channel.
fn split_stem(stem: &str) -> Option<(&str, usize)> {
    let (case, channel) = stem.rsplit_once('_')?;
    let is_number = channel.len() == DIGITS && channel.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !case.is_empty())
        .then(|| channel.parse().ok().map(|channel| (case, channel)))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_image_ends_in_its_channel() {
        assert_eq!(split_stem("la_003_0001"), Some(("la_003", 1)));
        assert_eq!(split_stem("la_003"), None);
        assert_eq!(split_stem("_0000"), None);
        assert_eq!(split_stem("la_+001"), None);
    }
}
