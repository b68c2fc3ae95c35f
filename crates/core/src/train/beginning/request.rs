//! What a person asks for, and the runs that come of it.

use super::{RECIPE_FILE, Run, unusable, with};
use crate::train::TrainError;
use crate::train::dataset::case_split::{SPLITS_FILE, read_splits, split_notes, write_splits};
use crate::train::dataset::{CaseSplit, Listing};
use crate::train::fingerprint::Fingerprint;
use crate::train::recipe::{Recipe, Split};
use crate::train::recipe_file::{read_recipe, read_settled, recipe_files};
use crate::train::run_folder::{RUN_FILES, RunFolder};
use dinomed3d_volume::atomic_file::check_outputs_in;
use std::path::{Path, PathBuf};

/// What a person asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// For a new run.
    pub recipe: PathBuf,
    /// Folder of the data set.
    pub data: PathBuf,
    /// Folder of the run, or of the folds of a cross-validation.
    pub out: PathBuf,
    /// Whether what has begun goes on.
    pub resume: bool,
    /// Number of parts of a cross-validation.
    pub folds: Option<usize>,
    /// Instead of the recipe's, for each stage.
    pub epochs: [Option<usize>; 2],
    /// Instead of the recipe's.
    pub seed: Option<u64>,
}

impl Request {
    /// The run, or those of the folds; `say` is told what a person should know.
    ///
    /// # Errors
    /// A recipe or data that cannot be read; a run that cannot go on as it is asked to, or would replace one of these.
    pub fn runs(&self, mut say: impl FnMut(String)) -> Result<Vec<Run>, TrainError> {
        if !self.resume {
            RunFolder(self.out.clone()).expect_new()?;
        }
        let mut settled = None;
        let Some(every) = self.folds else {
            let recipe = self.recipe_of(&self.out, None, &mut settled, &mut say)?;
            return Ok(vec![self.run(&self.out, recipe, None, &mut say)?]);
        };
        if every < 2 {
            return Err(unusable(format!(
                "--folds is {every}, expected is 2 or more, to leave cases to train on"
            )));
        }
        // All folds are cut at once: a case that comes between two of them must not move the others.
        let mut splits = match read_splits(&self.out)? {
            Some(splits) if !self.resume || splits.len() != every => {
                return Err(unusable(format!(
                    "{} already holds a cross-validation of {} folds; resume it with the same --folds or choose another folder",
                    self.out.display(),
                    splits.len()
                )));
            }
            splits => splits.unwrap_or_default(),
        };
        let is_new = splits.is_empty();
        let mut runs = Vec::new();
        for fold in 0..every {
            let folder = self.out.join(format!("fold-{}", fold + 1));
            let rule = Some(Split { every, fold });
            let recipe = self.recipe_of(&folder, rule, &mut settled, &mut say)?;
            if is_new {
                splits.push(CaseSplit::of_run_or_recipe(&folder, &recipe, &self.data)?);
            }
            runs.push(self.run(&folder, recipe, Some(&splits[fold]), &mut say)?);
        }
        if let Some(empty) = splits.iter().position(|split| split.val.is_empty()) {
            return Err(unusable(format!(
                "--folds is {every}, and fold {} holds out no case: expected are at most as many folds as there are patients",
                empty + 1
            )));
        }
        if is_new {
            check_outputs_in(&self.out, &[SPLITS_FILE], &runs[0].inputs)?;
            std::fs::create_dir_all(&self.out).map_err(|cause| TrainError::File {
                path: self.out.clone(),
                cause,
            })?;
            write_splits(&self.out, &splits)?;
        }
        Ok(runs)
    }

    /// Of a cross-validation the later runs may not have begun.
    fn goes_on(&self, folder: &Path) -> bool {
        self.resume && folder.join(RECIPE_FILE).exists()
    }

    fn run(
        &self,
        folder: &Path,
        recipe: Recipe,
        fold: Option<&CaseSplit>,
        say: &mut impl FnMut(String),
    ) -> Result<Run, TrainError> {
        let goes_on = self.goes_on(folder);
        let own = if goes_on {
            split_notes(folder, &recipe, &self.data)?
                .into_iter()
                .for_each(say);
            CaseSplit::of_run(folder)?
        } else {
            None
        };
        let split = match own.or_else(|| fold.cloned()) {
            Some(split) => split,
            None => CaseSplit::of_recipe(&recipe, &self.data)?,
        };
        let ancestors = if goes_on {
            RunFolder(folder.to_owned()).ancestors()?
        } else {
            Vec::new()
        };
        let mut inputs = Listing::read(&recipe, &self.data)?.files;
        if !goes_on {
            inputs.extend(recipe_files(&self.recipe)?);
        }
        check_outputs_in(folder, &RUN_FILES, &inputs)?;
        Ok(Run {
            folder: folder.to_owned(),
            recipe,
            split,
            goes_on,
            ancestors,
            inputs,
        })
    }

    /// The recipe of the run in `folder`, with what the request names: the run's own where it goes on, for the data set
    /// may have changed since, and the weights have not. `settled` is that of new runs, which is made once.
    fn recipe_of(
        &self,
        folder: &Path,
        rule: Option<Split>,
        settled: &mut Option<Recipe>,
        say: &mut impl FnMut(String),
    ) -> Result<Recipe, TrainError> {
        let path = folder.join(RECIPE_FILE);
        let mut recipe = if self.goes_on(folder) {
            let recipe = read_recipe(&path)?;
            if let Some(expected) = rule
                && recipe.split() != expected
            {
                let part = |rule: Split| format!("part {} of {}", rule.fold + 1, rule.every);
                return Err(unusable(format!(
                    "the run in {} holds out {}, expected is {}; go on with the same --folds",
                    folder.display(),
                    part(recipe.split()),
                    part(expected)
                )));
            }
            if let Some(seed) = self.seed.filter(|seed| *seed != recipe.seed) {
                return Err(unusable(format!(
                    "the run in {} has the seed {}, found is --seed {seed}: it would go on with other data than it began with; leave --seed out",
                    folder.display(),
                    recipe.seed
                )));
            }
            say(format!(
                "the run goes on by its own recipe, {}; --recipe is for new runs",
                path.display()
            ));
            recipe
        } else {
            let mut recipe = match settled {
                Some(recipe) => recipe.clone(),
                None => settled.insert(self.new_recipe(say)?).clone(),
            };
            if let Some(Split { every, fold }) = rule {
                recipe.validation_every = every;
                recipe.validation_fold = fold;
            }
            recipe
        };
        let [stage1, stage2] = self.epochs;
        recipe.stage1.epochs = stage1.unwrap_or(recipe.stage1.epochs);
        recipe.stage2.epochs = stage2.unwrap_or(recipe.stage2.epochs);
        recipe.seed = self.seed.unwrap_or(recipe.seed);
        recipe.check()?;
        Ok(recipe)
    }

    /// What the recipe says, and the data set where it says nothing.
    fn new_recipe(&self, say: &mut impl FnMut(String)) -> Result<Recipe, TrainError> {
        let fingerprint = || {
            say(format!(
                "the recipe leaves settings to the data set: looking at {}",
                self.data.display()
            ));
            Fingerprint::read(&self.data)
        };
        let (recipe, choices) = read_settled(&self.recipe, fingerprint).map_err(with(format!(
            "settling what {} leaves open",
            self.recipe.display()
        )))?;
        for choice in choices {
            say(choice.to_string());
        }
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{begun, hippocampus, scratch, text};
    use super::*;

    fn request(folder: &Path, recipe: &Path, resume: bool) -> Request {
        Request {
            recipe: recipe.to_owned(),
            data: "there-is-none".into(),
            out: folder.to_owned(),
            resume,
            folds: None,
            epochs: [None; 2],
            seed: None,
        }
    }

    /// Neither the data set, which is not even there, nor another recipe has a say.
    #[test]
    fn a_run_goes_on_by_its_own_recipe() {
        let folder = scratch("own-recipe");
        let begun = begun(&folder);
        assert_eq!(begun.preprocessing.spacing_mm, None);
        assert_eq!(begun.augmentation.balanced, 0.0);
        let of = |request: &Request| request.recipe_of(&folder, None, &mut None, &mut |_| ());
        for recipe in [hippocampus(), "no-such-recipe.toml".into()] {
            let own = of(&request(&folder, &recipe, true)).unwrap();
            assert_eq!(text(&own), text(&begun));
        }
        // What is asked for counts, as at the beginning, but for a seed that would change the data midway.
        let mut asked = request(&folder, &hippocampus(), true);
        (asked.epochs, asked.seed) = ([Some(3), Some(91)], Some(77));
        let mut expected = begun.clone();
        (expected.stage1.epochs, expected.stage2.epochs) = (3, 91);
        assert_eq!(text(&of(&asked).unwrap()), text(&expected));
        asked.seed = Some(5);
        let error = of(&asked).unwrap_err().to_string();
        assert!(
            error.contains("has the seed 77, found is --seed 5"),
            "{error}"
        );
        // Otherwise it is a new run, which Trainer::new refuses to put here.
        let new = of(&request(&folder, &hippocampus(), false)).unwrap();
        assert_ne!(new.window, begun.window);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_fold_goes_on_by_its_own_recipe_and_the_others_share_one() {
        let folder = scratch("own-folds");
        let first = folder.join("fold-1");
        let begun = begun(&first);
        let rule = |every, fold| Some(Split { every, fold });
        let request = request(&folder, &hippocampus(), true);
        let mut settled = None;
        let of = |folder: &Path, rule, settled: &mut _| {
            request.recipe_of(folder, rule, settled, &mut |_| ())
        };
        let own = of(&first, rule(begun.validation_every, 0), &mut settled).unwrap();
        assert_eq!(text(&own), text(&begun));
        assert!(settled.is_none(), "nothing has to be settled for it");
        let second = of(&folder.join("fold-2"), rule(4, 1), &mut settled).unwrap();
        assert_ne!(second.window, begun.window);
        assert_eq!(second.split(), Split { every: 4, fold: 1 });
        assert_eq!(settled.unwrap().window, second.window);
        // A fold of another number of parts is another experiment.
        let error = of(&first, rule(9, 0), &mut None).unwrap_err().to_string();
        let found = format!("part 1 of {}", begun.validation_every);
        assert!(
            error.contains(&found) && error.contains("part 1 of 9"),
            "{error}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
