//! Runs side by side.

use super::{During, ResultsError};
use crate::train::Recipe;
use crate::train::beginning::RECIPE_FILE;
use crate::train::dataset::case_split::hold_out_the_same;
use crate::train::recipe_file::read_recipe;
use crate::train::run_folder::RunFolder;
use crate::weights::decode;
use dinomed3d_volume::statistics::mean;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a run says of itself.
struct Run<'a> {
    folder: &'a Path,
    recipe: Recipe,
    parameters: usize,
    /// Mean validation Dice of its last epoch: the best one would be chosen by the cases that score it.
    dice: f64,
    /// Of each stage.
    steps: [usize; 2],
    seconds: f64,
}

impl<'a> Run<'a> {
    fn read(folder: &'a Path) -> Result<Self, ResultsError> {
        let unusable = |what| move || ResultsError::Unusable(what);
        let recipe = folder.join(RECIPE_FILE);
        if !recipe.exists() {
            let what = match folder.join("fold-1").join(RECIPE_FILE).exists() {
                true => "a cross-validation, which `evaluate --folds` scores",
                false => "no run",
            };
            return Err(ResultsError::Unusable(format!(
                "{} holds {what}: expected are folders of runs that are done and held out the same cases",
                folder.display()
            )));
        }
        let recipe = read_recipe(&recipe)?;
        let state = RunFolder(folder.to_owned())
            .state()?
            .ok_or_else(unusable(format!("{} holds no run", folder.display())))?;
        if state.stages_done < 2 {
            return Err(ResultsError::Unusable(format!(
                "the run in {} is not done; go on with --resume",
                folder.display()
            )));
        }
        let of_stage = |stage| state.log.iter().rev().find(move |row| row.stage == stage);
        let steps = |stage| of_stage(stage).map_or(0, |row| row.steps);
        let last = of_stage(2).ok_or_else(unusable(format!(
            "the run in {} has no epoch of stage 2",
            folder.display()
        )))?;
        let path = folder.join("last.safetensors");
        let of_weights = || format!("the weights {}", path.display());
        let weights = std::fs::read(&path).during(of_weights)?;
        let weights = decode(&weights).during(of_weights)?;
        Ok(Self {
            folder,
            parameters: weights.values().map(|tensor| tensor.values.len()).sum(),
            steps: [steps(1), steps(2)],
            seconds: state.log.iter().map(|row| row.seconds).sum(),
            dice: last.mean_dice().ok_or_else(unusable(format!(
                "the run in {} has no validation cases, and no Dice to compare",
                folder.display()
            )))?,
            recipe,
        })
    }
}

/// All that a run was told beside its seed and what is only for people; its title names it.
fn experiment(recipe: &Recipe) -> Result<String, ResultsError> {
    let recipe = Recipe {
        seed: 0,
        description: String::new(),
        limits: Vec::new(),
        colors: Vec::new(),
        ..recipe.clone()
    };
    toml::to_string(&recipe).during(|| format!("writing down {}", recipe.name))
}

/// Mean, smallest and largest.
fn spread(values: impl Iterator<Item = f64> + Clone) -> String {
    let mean = mean(values.clone()).unwrap_or(f64::NAN);
    let low = values.clone().fold(f64::INFINITY, f64::min);
    let high = values.fold(f64::NEG_INFINITY, f64::max);
    format!("{mean:.4} ({low:.4} to {high:.4})")
}

/// What a row is called: its recipe's title and, where another recipe has the same, the folders of its runs.
fn names(rows: &[(&str, Vec<&Path>)]) -> Vec<String> {
    let name = |(title, folders): &(&str, Vec<&Path>)| {
        let of_title = rows.iter().filter(|(other, _)| other == title);
        let name = match of_title.count() {
            1 => (*title).to_owned(),
            _ => {
                let folders = folders.iter().map(|folder| folder.display().to_string());
                format!("{title} ({})", folders.collect::<Vec<_>>().join(", "))
            }
        };
        // It would end the cell.
        name.replace('|', "\\|")
    };
    rows.iter().map(name).collect()
}

/// A table in Markdown, a row for each recipe, the best first. Runs whose recipes differ in nothing but the seed,
/// description, limits and colours make one row.
///
/// # Errors
/// A folder without a run that is done; runs that were scored on different cases.
pub fn table(folders: &[PathBuf]) -> Result<String, ResultsError> {
    let Some(first) = folders.first() else {
        return Err(ResultsError::Unusable("no run to compare".to_owned()));
    };
    for (place, folder) in folders.iter().enumerate() {
        let real = |folder: &PathBuf| folder.canonicalize().ok();
        let is_same = |other: &&PathBuf| real(other).is_some_and(|it| Some(it) == real(folder));
        if let Some(other) = folders[..place].iter().find(is_same) {
            return Err(ResultsError::Unusable(format!(
                "{} and {} are one run, which would count twice",
                other.display(),
                folder.display()
            )));
        }
    }
    let runs = folders
        .iter()
        .map(|folder| Run::read(folder))
        .collect::<Result<Vec<_>, _>>()?;
    for (run, folder) in runs.iter().zip(folders) {
        if !hold_out_the_same((first, &runs[0].recipe), (folder, &run.recipe))? {
            return Err(ResultsError::Unusable(format!(
                "{} was scored on other cases than {}; expected is one split",
                folder.display(),
                first.display(),
            )));
        }
    }
    let mut rows: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
    for run in &runs {
        rows.entry(experiment(&run.recipe)?).or_default().push(run);
    }
    let mut rows: Vec<Vec<&Run>> = rows.into_values().collect();
    let mean_dice = |runs: &[&Run]| mean(runs.iter().map(|run| run.dice)).unwrap_or(f64::NAN);
    rows.sort_by(|a, b| mean_dice(b).total_cmp(&mean_dice(a)));
    let mut table = String::from(
        "| network | parameters | steps of stage 1 and 2 | seeds | Dice of the last epoch (lowest to highest) | s a run |\n|---|---|---|---|---|---|\n",
    );
    let titled = rows.iter().map(|runs| {
        let folders = runs.iter().map(|run| run.folder);
        (&*runs[0].recipe.title, folders.collect())
    });
    let names = names(&titled.collect::<Vec<_>>());
    for (runs, name) in rows.into_iter().zip(names) {
        let [first, second] = runs[0].steps;
        let seeds: Vec<String> = runs.iter().map(|run| run.recipe.seed.to_string()).collect();
        table += &format!(
            "| {name} | {:.2} M | {first} + {second} | {} | {} | {:.0} |\n",
            runs[0].parameters as f64 / 1e6,
            seeds.join(", "),
            spread(runs.iter().map(|run| run.dice)),
            mean(runs.iter().map(|run| run.seconds)).unwrap_or(f64::NAN),
        );
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_and_words_make_no_other_experiment() {
        let recipe = || {
            let path = Path::new(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/../../recipes/hippocampus.toml"
            ));
            read_recipe(path).unwrap()
        };
        let (mut worded, mut other) = (recipe(), recipe());
        worded.seed = 2;
        worded.limits.push("One more.".into());
        other.window[0] += 8;
        let [plain, worded, other] = [recipe(), worded, other].map(|r| experiment(&r).unwrap());
        assert_eq!(plain, worded);
        assert_ne!(plain, other);
    }

    #[test]
    fn rows_of_one_title_are_told_apart_by_their_folders() {
        let rows = [
            ("Box", vec![Path::new("runs/a"), Path::new("runs/b")]),
            ("a|b", vec![Path::new("runs/c")]),
            ("Box", vec![Path::new("other/a")]),
        ];
        assert_eq!(
            names(&rows),
            ["Box (runs/a, runs/b)", "a\\|b", "Box (other/a)"]
        );
    }

    /// By hand.
    #[test]
    fn a_spread_names_its_ends() {
        assert_eq!(
            spread([0.8, 0.9, 0.85].into_iter()),
            "0.8500 (0.8000 to 0.9000)"
        );
    }
}
