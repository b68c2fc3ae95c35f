//! The cases that a model did not learn from, of a data set or drawn.

use crate::say::say_passed_over;
use anyhow::ensure;
use dinomed3d_core::manifest::TrainingFacts;
use dinomed3d_core::results::model_cases::ModelCases;
use dinomed3d_core::train::dataset::{CaseSplit, DatasetIndex, HeldOut, Listing};
use dinomed3d_core::train::recipe_file::{read_recipe, recipe_files};
use std::path::{Path, PathBuf};

/// The cases that the manifest of `model` says were held out, and the files that they are made from. Those of a model that was
/// trained from label maps are drawn as its `recipe` says.
///
/// # Errors
/// A data set that can't be read, or holds none of them.
pub fn held_out(
    model: &Path,
    training: &TrainingFacts,
    data: &Path,
    recipe: Option<&Path>,
) -> anyhow::Result<(HeldOut, Vec<PathBuf>)> {
    match recipe {
        Some(recipe) => drawn(training, data, recipe),
        None => labelled(model, training, data),
    }
}

/// The cases of a data set that the model did not learn from.
fn labelled(
    model: &Path,
    training: &TrainingFacts,
    data: &Path,
) -> anyhow::Result<(HeldOut, Vec<PathBuf>)> {
    let index = DatasetIndex::read(data)?;
    let cases = ModelCases::of(training, &index, None)?;
    let held_out = &training.validation_cases;
    ensure!(
        cases
            .held_out
            .names()
            .iter()
            .all(|name| held_out.contains(name)),
        "{} holds none of the {} cases that the manifest of {} says were held out; by others, from which it may have learnt, nothing is measured",
        data.display(),
        held_out.len(),
        model.display()
    );
    cases.notes.iter().for_each(|note| eprintln!("{note}"));
    say_passed_over(&cases.passed_over);
    Ok((cases.held_out, index.files(data)))
}

/// Images drawn from the label maps that the model did not learn from.
fn drawn(
    training: &TrainingFacts,
    data: &Path,
    recipe: &Path,
) -> anyhow::Result<(HeldOut, Vec<PathBuf>)> {
    let settings = read_recipe(recipe)?;
    ensure!(
        settings.synthesis.is_some(),
        "{} has no [synthesis]: its cases are those of a data set, which --data alone names",
        recipe.display()
    );
    let listing = Listing::read(&settings, data)?;
    let inputs = [listing.files, recipe_files(recipe)?].concat();
    say_passed_over(&listing.passed_over);
    let split = CaseSplit {
        train: training.training_cases.clone(),
        val: training.validation_cases.clone(),
    };
    Ok((HeldOut::of_split(&settings, &split, data)?, inputs))
}
