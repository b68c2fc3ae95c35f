//! Label maps as files, and which prediction belongs to which reference.

use anyhow::{Context, bail, ensure};
use dinomed3d_volume::{LabelMap, NiftiImage};
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

/// Reads a label map.
///
/// # Errors
/// A file that cannot be read or is no label map, by name.
pub fn read_label_map(path: &Path) -> anyhow::Result<LabelMap> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    NiftiImage::parse(&bytes)
        .and_then(|image| image.label_map())
        .with_context(|| format!("in {}", path.display()))
}

/// Every label of any case, so that a label that one case lacks is scored in it too.
///
/// # Errors
/// A file that cannot be read.
pub fn labels_present(pairs: &[Pair]) -> anyhow::Result<Vec<u8>> {
    let mut labels = BTreeSet::new();
    for pair in pairs {
        labels.extend(read_label_map(&pair.prediction)?.present());
        labels.extend(read_label_map(&pair.reference)?.present());
    }
    Ok(labels.into_iter().collect())
}

/// Pairs two files, or the files of two folders by the name of their case.
///
/// # Errors
/// A file beside a folder, a reference without prediction, two files of one case, an empty folder.
pub fn pair(predictions: &Path, references: &Path) -> anyhow::Result<Vec<Pair>> {
    match (predictions.is_dir(), references.is_dir()) {
        (false, false) => Ok(vec![Pair {
            case: case_name(references)
                .map_or_else(|| references.display().to_string(), |name| name.case),
            prediction: predictions.to_owned(),
            reference: references.to_owned(),
        }]),
        (true, true) => pair_folders(predictions, references),
        _ => bail!(
            "{} and {} are a folder and a file: two files or two folders are expected",
            predictions.display(),
            references.display()
        ),
    }
}

fn pair_folders(predictions: &Path, references: &Path) -> anyhow::Result<Vec<Pair>> {
    let mut predicted = cases_in(predictions)?;
    let wanted = cases_in(references)?;
    ensure!(
        !wanted.is_empty(),
        "no .nii or .nii.gz file in {}",
        references.display()
    );
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
    ensure!(
        missing.is_empty(),
        "no prediction in {} for {} of {} references: {}",
        predictions.display(),
        missing.len(),
        missing.len() + pairs.len(),
        missing.join(", ")
    );
    for case in predicted.keys() {
        eprintln!(
            "prediction {case} has no reference in {}: passed over",
            references.display()
        );
    }
    Ok(pairs)
}

/// The label maps of a folder by case; hidden files are passed over.
fn cases_in(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut cases: BTreeMap<String, (bool, PathBuf)> = BTreeMap::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", folder.display()))?
            .path();
        let Some(name) = case_name(&path) else {
            continue;
        };
        match cases.get(&name.case) {
            // X.nii.gz beside X_dseg.nii.gz is the scan.
            Some((true, _)) if !name.is_dseg => {}
            Some((is_dseg, other)) if *is_dseg == name.is_dseg => bail!(
                "{} and {} are the same case",
                other.display(),
                path.display()
            ),
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
