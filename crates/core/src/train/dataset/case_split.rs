//! Which cases train and which validate, by name: decided once, when a run begins, and kept in its folder.
//!
//! Places in a list would not do: one case more, and those that validated were those that trained.

use super::files::{CaseFiles, first_few};
use super::index::DatasetIndex;
use crate::train::TrainError;
use crate::train::recipe::{Recipe, Split};
use crate::train::synthesis::{TABLE_FILE, map_files};
use dinomed3d_volume::atomic_file::write_whole;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Name of the file in the folder of a run; in that of a cross-validation it has all folds. It has the form of nnU-Net's
/// `splits_final.json`.
pub const SPLITS_FILE: &str = "splits.json";

/// Names of the cases on either side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSplit {
    /// Those that are learnt from.
    pub train: Vec<String>,
    /// Those that are held out.
    pub val: Vec<String>,
}

impl CaseSplit {
    /// Splits cases, which are in order of name. Those of one patient stay together: the rule counts patients, by their first
    /// case.
    pub fn by_rule(cases: &[CaseFiles], rule: Split) -> Self {
        let mut places = HashMap::new();
        let mut split = Self::default();
        for case in cases {
            let next = places.len();
            let place = *places.entry(&case.patient).or_insert(next);
            let side = if rule.validates(place) {
                &mut split.val
            } else {
                &mut split.train
            };
            side.push(case.name.clone());
        }
        split
    }

    /// What a recipe says of data that nobody has split yet. What is wrong with single files is for
    /// [`Dataset::of_split`](super::Dataset::of_split) to tell.
    ///
    /// # Errors
    /// Data whose cases cannot be listed; a rule that cannot be.
    pub fn of_recipe(recipe: &Recipe, folder: &Path) -> Result<Self, TrainError> {
        if let Some(settings) = &recipe.synthesis {
            let (val, train) = Listing::read(recipe, folder)?
                .cases
                .into_iter()
                .partition(|name| settings.validation.contains(name));
            return Ok(Self { train, val });
        }
        let rule = recipe.split();
        rule.check()?;
        Ok(Self::by_rule(&DatasetIndex::survey(folder)?.0.cases, rule))
    }

    /// The split of the run in `folder`; none if it was begun before runs kept one.
    ///
    /// # Errors
    /// A file that cannot be read, or has not one split.
    pub fn of_run(folder: &Path) -> Result<Option<Self>, TrainError> {
        let Some(splits) = read_splits(folder)? else {
            return Ok(None);
        };
        let [split] = <[Self; 1]>::try_from(splits).map_err(|splits| {
            TrainError::Recipe(format!(
                "{}: it has {} splits, expected is the one of this run",
                folder.join(SPLITS_FILE).display(),
                splits.len()
            ))
        })?;
        Ok(Some(split))
    }

    /// The split of the run in `run`; of one that kept none, what its recipe says of the data as they are now.
    ///
    /// # Errors
    /// Those of [`CaseSplit::of_run`] and [`CaseSplit::of_recipe`].
    pub fn of_run_or_recipe(run: &Path, recipe: &Recipe, data: &Path) -> Result<Self, TrainError> {
        match Self::of_run(run)? {
            Some(split) => Ok(split),
            None => Self::of_recipe(recipe, data),
        }
    }

    /// The files of the cases on both sides, in the order of the split.
    ///
    /// # Errors
    /// [`TrainError::Data`] with a line for each case that is not there.
    pub(super) fn find(&self, cases: &[CaseFiles]) -> Result<[Vec<CaseFiles>; 2], TrainError> {
        let by_name: HashMap<&str, &CaseFiles> =
            cases.iter().map(|case| (&*case.name, case)).collect();
        let mut missing = Vec::new();
        let mut side = |names: &[String]| -> Vec<CaseFiles> {
            let find = |name: &String| {
                let case = by_name.get(&**name).copied();
                if case.is_none() {
                    missing.push(name.clone());
                }
                case.cloned()
            };
            names.iter().filter_map(find).collect()
        };
        let sides = [side(&self.train), side(&self.val)];
        no_missing(missing)?;
        Ok(sides)
    }
}

impl DatasetIndex {
    /// The files of the cases that a rule trains on, and of those that it holds out; a number is that of the folds, of which
    /// the first is held out.
    pub fn split(&self, rule: impl Into<Split>) -> (Vec<CaseFiles>, Vec<CaseFiles>) {
        let split = CaseSplit::by_rule(&self.cases, rule.into());
        let [train, val] = split.find(&self.cases).expect("names of these cases");
        (train, val)
    }
}

/// An error if there are cases of a split that the data lack.
pub(super) fn no_missing(names: Vec<String>) -> Result<(), TrainError> {
    if names.is_empty() {
        return Ok(());
    }
    let line = |name| format!("case {name} of the run's split is not in the data set any more");
    Err(TrainError::Data(names.into_iter().map(line).collect()))
}

/// The splits in a folder, if there are any.
///
/// # Errors
/// A file that cannot be read.
pub fn read_splits(folder: &Path) -> Result<Option<Vec<CaseSplit>>, TrainError> {
    let path = folder.join(SPLITS_FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(TrainError::File { path, cause }),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        TrainError::Recipe(format!(
            "{}: {error}; expected is [{{\"train\": [names], \"val\": [names]}}]",
            path.display()
        ))
    })
}

/// Writes splits into a folder, whole or not at all.
///
/// # Errors
/// [`TrainError::File`].
pub fn write_splits(folder: &Path, splits: &[CaseSplit]) -> Result<(), TrainError> {
    let path = folder.join(SPLITS_FILE);
    let json = serde_json::to_vec_pretty(splits).expect("names are plain data");
    write_whole(&path, &json).map_err(|cause| TrainError::File { path, cause })
}

/// What a person should know of the split of the run in `run` on the data as they are now, a sentence each.
///
/// # Errors
/// A split or data that cannot be read.
pub fn split_notes(run: &Path, recipe: &Recipe, data: &Path) -> Result<Vec<String>, TrainError> {
    let Some(split) = CaseSplit::of_run(run)? else {
        return Ok(vec![no_split_note(run)]);
    };
    let cases = Listing::read(recipe, data)?.cases;
    let new = unknown_to([&split], cases.iter().map(String::as_str));
    if new.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![new_cases_note(&new, run)])
}

/// Of a run that was begun before runs kept their split.
pub(crate) fn no_split_note(run: &Path) -> String {
    format!(
        "the run in {} has no {SPLITS_FILE}: which cases validate is taken from its recipe, which is right only if the data set is as it was",
        run.display()
    )
}

/// Of cases that a run, or those in a folder, knows nothing of.
pub(crate) fn new_cases_note(new: &[&str], run: &Path) -> String {
    format!(
        "{} cases are new in the data set since the run in {} began and take no part: {}",
        new.len(),
        run.display(),
        first_few(new)
    )
}

/// Those of `names` that are on neither side of any of the splits.
pub(crate) fn unknown_to<'a>(
    splits: impl IntoIterator<Item = &'a CaseSplit>,
    names: impl Iterator<Item = &'a str>,
) -> Vec<&'a str> {
    let splits = splits.into_iter();
    let known: BTreeSet<&str> = splits
        .flat_map(|split| split.train.iter().chain(&split.val))
        .map(String::as_str)
        .collect();
    names.filter(|name| !known.contains(name)).collect()
}

/// Whether two runs hold out the same cases: by name where both know them, otherwise by their recipes' rules.
///
/// # Errors
/// A split that cannot be read.
pub fn hold_out_the_same(
    (run, recipe): (&Path, &Recipe),
    (other, others): (&Path, &Recipe),
) -> Result<bool, TrainError> {
    Ok(match (CaseSplit::of_run(run)?, CaseSplit::of_run(other)?) {
        (Some(split), Some(theirs)) => split.val == theirs.val,
        _ => recipe.split() == others.split(),
    })
}

/// What lies in the folder that a recipe trains on: scans, or label maps where images are drawn.
#[derive(Clone, Debug)]
pub struct Listing {
    /// Names of the cases, in order.
    pub cases: Vec<String>,
    /// All files that are read.
    pub files: Vec<PathBuf>,
    /// What else is there and is not used, and why: a sentence each.
    pub passed_over: Vec<String>,
}

impl Listing {
    /// Lists a folder.
    ///
    /// # Errors
    /// One whose cases cannot be listed.
    pub fn read(recipe: &Recipe, folder: &Path) -> Result<Self, TrainError> {
        if recipe.synthesis.is_some() {
            let maps = map_files(folder)?;
            let table = folder.join(TABLE_FILE);
            return Ok(Self {
                cases: maps.files.keys().cloned().collect(),
                files: maps.files.into_values().chain([table]).collect(),
                passed_over: maps.passed_over,
            });
        }
        let (index, _) = DatasetIndex::survey(folder)?;
        Ok(Self {
            files: index.files(folder),
            cases: index.cases.into_iter().map(|case| case.name).collect(),
            passed_over: index.passed_over,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cases(names: &[&str]) -> Vec<CaseFiles> {
        let case = |name: &&str| CaseFiles::new((*name).to_owned(), Vec::new(), "".into());
        names.iter().map(case).collect()
    }

    #[test]
    fn the_folds_hold_out_every_case_exactly_once() {
        let names: Vec<String> = (0..7).map(|number| format!("case_{number}")).collect();
        let cases = cases(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut held_out = Vec::new();
        for fold in 0..3 {
            let split = CaseSplit::by_rule(&cases, Split { every: 3, fold });
            assert_eq!(split.train.len() + split.val.len(), 7);
            held_out.extend(split.val);
        }
        assert_eq!(held_out[..3], ["case_0", "case_3", "case_6"]);
        held_out.sort();
        assert_eq!(held_out, names);
    }

    /// Two patients of two scans each beside one of one.
    #[test]
    fn scans_of_a_patient_stay_together() {
        let cases = cases(&["a", "sub-1_x", "sub-1_y", "sub-2_x", "sub-2_y"]);
        let split = CaseSplit::by_rule(&cases, Split { every: 2, fold: 1 });
        assert_eq!(split.val, ["sub-1_x", "sub-1_y"]);
        assert_eq!(split.train, ["a", "sub-2_x", "sub-2_y"]);
    }

    #[test]
    fn a_case_that_is_gone_is_named() {
        let split = CaseSplit {
            train: vec!["a".into(), "b".into()],
            val: vec!["c".into()],
        };
        let error = split.find(&cases(&["a", "z"])).unwrap_err().to_string();
        assert!(
            error.contains("case b of the run's split is not"),
            "{error}"
        );
        assert!(
            error.contains("case c of the run's split is not"),
            "{error}"
        );
    }
}
