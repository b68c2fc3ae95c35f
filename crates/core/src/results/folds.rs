//! Cross-validation: every run scores the cases that it held out.

use super::predictor::Predictor;
use super::validation::score_cases;
use super::{During, ResultsError};
use crate::train::dataset::case_split::{SPLITS_FILE, new_cases_note, no_split_note, unknown_to};
use crate::train::dataset::files::first_few;
use crate::train::dataset::{CaseSplit, DatasetIndex, HeldOut};
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
    split: CaseSplit,
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

/// The runs of a cross-validation, and the data as they are now.
#[derive(Debug)]
pub struct CrossValidation {
    runs: PathBuf,
    folds: Vec<Fold>,
    index: DatasetIndex,
}

impl CrossValidation {
    /// Reads the runs in a folder.
    ///
    /// # Errors
    /// Folders that are not `fold-1` to `fold-N`, a case that is held out by none or by several, data that cannot be used.
    pub fn read(runs: &Path, data: &Path) -> Result<Self, ResultsError> {
        let index = DatasetIndex::read(data)?;
        let folds = folds_in(runs)?
            .into_iter()
            .map(|(number, run)| {
                let in_run = || format!("in {}", run.display());
                let recipe = read_recipe(&run.join("recipe.toml"))?;
                let split = CaseSplit::of_run_or_recipe(&run, &recipe, data).during(in_run)?;
                Ok(Fold { number, run, split })
            })
            .collect::<Result<Vec<_>, ResultsError>>()?;
        check_coverage(&folds)?;
        Ok(Self {
            runs: runs.to_owned(),
            folds,
            index,
        })
    }

    /// Cases that no fold knows: they came later, and take no part.
    fn new_cases(&self) -> Vec<&str> {
        let names = self.index.cases.iter().map(|case| case.name.as_str());
        unknown_to(self.folds.iter().map(|fold| &fold.split), names)
    }

    /// What a person should know of the splits on the data as they are now, a sentence each.
    ///
    /// # Errors
    /// A split that cannot be read.
    pub fn notes(&self) -> Result<Vec<String>, ResultsError> {
        let mut notes = Vec::new();
        for Fold { run, .. } in &self.folds {
            if CaseSplit::of_run(run)?.is_none() {
                notes.push(no_split_note(run));
            }
        }
        let new = self.new_cases();
        if !new.is_empty() {
            notes.push(new_cases_note(&new, &self.runs));
        }
        Ok(notes)
    }

    /// What of the data set takes no part, and why: a sentence each.
    pub fn passed_over(&self) -> Vec<String> {
        let new = self.new_cases().into_iter();
        let new = new.map(|case| format!("{case}: new since the runs began"));
        self.index.passed_over.iter().cloned().chain(new).collect()
    }

    /// Scores each fold's best weights on its own held-out cases.
    ///
    /// # Errors
    /// A run that cannot be used, a case that cannot be read.
    pub fn score(
        &self,
        convention: Convention,
        device: &Device,
        mut progress: impl FnMut(Progress),
    ) -> Result<(Vec<CaseScores>, Vec<Label>), ResultsError> {
        let mut cases = Vec::with_capacity(self.index.cases.len());
        let mut labels = Vec::new();
        for fold in &self.folds {
            let held_out = HeldOut::of_names(&self.index, &fold.split.val)
                .during(|| format!("in {}", fold.run.display()))?;
            let predictor = Predictor::of_run(&fold.run, &held_out, device.clone())?;
            let scores = score_cases(&predictor, &held_out, convention, None, |case, cases| {
                progress(Progress {
                    fold: fold.number,
                    folds: self.folds.len(),
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

/// Whether each case that a fold knows is held out exactly once. One that is new since is known to none.
fn check_coverage(folds: &[Fold]) -> Result<(), ResultsError> {
    let mut holders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for Fold { number, split, .. } in folds {
        for case in &split.train {
            holders.entry(case).or_default();
        }
        for case in &split.val {
            holders.entry(case).or_default().push(*number);
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
    let shown: Vec<&str> = wrong.iter().map(String::as_str).collect();
    Err(ResultsError::Unusable(format!(
        "each case must be held out by exactly one fold, but {} of {} are not: {} ({SPLITS_FILE} of each run says which)",
        wrong.len(),
        holders.len(),
        first_few(&shown)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(number: usize, train: &[&str], val: &[&str]) -> Fold {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Fold {
            number,
            run: PathBuf::new(),
            split: CaseSplit {
                train: names(train),
                val: names(val),
            },
        }
    }

    #[test]
    fn every_case_is_held_out_exactly_once() {
        let right = [fold(1, &["b"], &["a", "c"]), fold(2, &["a", "c"], &["b"])];
        assert!(check_coverage(&right).is_ok());
        let wrong = [fold(1, &["b"], &["a", "c"]), fold(2, &["b", "c"], &["a"])];
        let error = check_coverage(&wrong).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("2 of 3"), "{error}");
        assert!(
            error.contains("a by fold-1 and fold-2, b by none"),
            "{error}"
        );
    }
}
