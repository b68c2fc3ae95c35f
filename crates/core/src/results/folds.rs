//! Cross-validation: every run scores the cases that it held out.

use super::predictor::Predictor;
use super::validation::score_cases;
use super::{During, ResultsError};
use crate::train::dataset::{CaseFiles, DatasetIndex, HeldOut};
use crate::train::recipe_file::read_recipe;
use burn::tensor::Device;
use dinomed3d_volume::Label;
use dinomed3d_volume::evaluation::{CaseScores, Convention};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A run of a cross-validation.
#[derive(Debug)]
struct Fold {
    /// In its folder's name, from 1.
    number: usize,
    run: PathBuf,
    held_out: Vec<CaseFiles>,
}

/// How far a cross-validation's scoring is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// From 1.
    pub fold: usize,
    /// Number of folds.
    pub folds: usize,
    /// The fold's case under way, from 1.
    pub case: usize,
    /// The fold's number of cases.
    pub cases: usize,
}

/// Scores each fold's best weights on its own held-out cases.
///
/// # Errors
/// Folders that are not `fold-1` to `fold-N`, a case that is held out by none or by several, a run that cannot be
/// used.
pub fn score_folds(
    runs: &Path,
    data: &Path,
    convention: Convention,
    device: &Device,
    mut progress: impl FnMut(Progress),
) -> Result<(Vec<CaseScores>, Vec<Label>), ResultsError> {
    let index = DatasetIndex::read(data)?;
    let folds = folds_in(runs)?
        .into_iter()
        .map(|(number, run)| {
            let split = read_recipe(&run.join("recipe.toml"))?.split();
            let in_run = || format!("in {}", run.display());
            split.check().during(in_run)?;
            let (_, held_out) = index.split(split);
            Ok(Fold {
                number,
                run,
                held_out,
            })
        })
        .collect::<Result<Vec<_>, ResultsError>>()?;
    check_coverage(&index.cases, &folds)?;
    let mut cases = Vec::with_capacity(index.cases.len());
    let mut labels = Vec::new();
    for fold in &folds {
        let held_out = HeldOut::of_files(&index, fold.held_out.clone());
        let predictor = Predictor::of_run(&fold.run, &held_out, device.clone())?;
        let scores = score_cases(&predictor, &held_out, convention, |case, cases| {
            progress(Progress {
                fold: fold.number,
                folds: folds.len(),
                case,
                cases,
            });
        })?;
        cases.extend(scores.into_iter().map(|case| CaseScores {
            fold: Some(fold.number),
            ..case
        }));
        labels = predictor.labels().to_vec();
    }
    Ok((cases, labels))
}

/// The folders `fold-1` to `fold-N`, in this order.
fn folds_in(runs: &Path) -> Result<BTreeMap<usize, PathBuf>, ResultsError> {
    let mut folds = BTreeMap::new();
    let reading = || format!("reading {}", runs.display());
    for entry in std::fs::read_dir(runs).during(reading)? {
        let path = entry.during(reading)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("fold-")?.parse().ok());
        if let Some(number) = number.filter(|_| path.is_dir()) {
            folds.insert(number, path);
        }
    }
    let found: Vec<usize> = folds.keys().copied().collect();
    let is_whole = found.iter().copied().eq(1..=found.len());
    if found.len() < 2 || !is_whole {
        return Err(ResultsError::Unusable(format!(
            "{} holds the folds {found:?}, expected are folders fold-1, fold-2 and so on, two or more",
            runs.display()
        )));
    }
    Ok(folds)
}

/// Whether each case is held out exactly once.
fn check_coverage(cases: &[CaseFiles], folds: &[Fold]) -> Result<(), ResultsError> {
    let mut holders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for case in cases {
        holders.insert(&case.name, Vec::new());
    }
    for fold in folds {
        for case in &fold.held_out {
            holders.entry(&case.name).or_default().push(fold.number);
        }
    }
    let wrong: Vec<String> = holders
        .iter()
        .filter(|(_, folds)| folds.len() != 1)
        .map(|(case, folds)| match &folds[..] {
            [] => format!("{case} by none"),
            folds => {
                let names: Vec<String> = folds.iter().map(|f| format!("fold-{f}")).collect();
                format!("{case} by {}", names.join(" and "))
            }
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let shown = wrong.len().min(5);
    Err(ResultsError::Unusable(format!(
        "each case must be held out by exactly one fold, but {} of {} are not: {}{} (validation-every and validation-fold in the recipes say which)",
        wrong.len(),
        cases.len(),
        wrong[..shown].join(", "),
        if wrong.len() > shown { " …" } else { "" }
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(names: &[&str]) -> Vec<CaseFiles> {
        let case = |name: &&str| CaseFiles {
            name: (*name).to_owned(),
            images: Vec::new(),
            label: PathBuf::new(),
        };
        names.iter().map(case).collect()
    }

    fn fold(number: usize, names: &[&str]) -> Fold {
        Fold {
            number,
            run: PathBuf::new(),
            held_out: cases(names),
        }
    }

    #[test]
    fn every_case_is_held_out_exactly_once() {
        let all = cases(&["a", "b", "c"]);
        assert!(check_coverage(&all, &[fold(1, &["a", "c"]), fold(2, &["b"])]).is_ok());
        let error = check_coverage(&all, &[fold(1, &["a", "c"]), fold(2, &["a"])]).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("2 of 3"), "{error}");
        assert!(
            error.contains("a by fold-1 and fold-2, b by none"),
            "{error}"
        );
    }
}
