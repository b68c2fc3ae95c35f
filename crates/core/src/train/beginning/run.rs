//! A run that is to begin or to go on.

use super::parent::Parent;
use super::weights::{start_with, weights_of};
use super::{RECIPE_FILE, unusable, with};
use crate::manifest::Ancestor;
use crate::model::DinoMed3dConfig;
use crate::model_folder::{MANIFEST_FILE, ModelFolder};
use crate::train::TrainError;
use crate::train::dataset::CaseSplit;
use crate::train::dataset::case_split::write_splits;
use crate::train::dataset::files::first_few;
use crate::train::recipe::Recipe;
use crate::train::run_folder::{Held, RUN_FILES, RunFolder};
use crate::train::trainer::Start;
use crate::weights::fold::Folding;
use crate::weights::import::Source;
use dinomed3d_volume::atomic_file::{check_outputs_in, write_whole};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Between what the first of several runs began with and the weights of the last.
const GONE_ON: &str = ", gone on from an earlier run's";

/// A run that is to begin or to go on.
#[derive(Clone, Debug)]
pub struct Run {
    /// Where it leaves what it makes.
    pub folder: PathBuf,
    /// All that it is told.
    pub recipe: Recipe,
    /// Which cases train and which validate.
    pub split: CaseSplit,
    /// Whether it has begun before.
    pub goes_on: bool,
    /// Trainings that its first weights went through, the oldest first.
    pub ancestors: Vec<Ancestor>,
    /// What is read for it, and must not be replaced.
    pub inputs: Vec<PathBuf>,
}

impl Run {
    /// Whether a run that goes on knows what it began with: it has to be given again if nothing of it was saved yet.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] if it does not.
    pub fn check_beginning(&self) -> Result<(), TrainError> {
        if !self.goes_on {
            return Ok(());
        }
        let folder = RunFolder(self.folder.clone());
        let has_weights = folder
            .state()?
            .is_some_and(|state| folder.has_weights(&state));
        if !has_weights && self.recipe.initialization != "random" {
            return Err(unusable(format!(
                "the run began with {} and has no checkpoint to go on from; give the same --init again",
                self.recipe.initialization
            )));
        }
        Ok(())
    }

    /// Keeps its folder for it, as long as what is returned lives.
    ///
    /// # Errors
    /// Those of [`RunFolder::hold`]; a folder in which another run has got somewhere since this one was asked for.
    pub fn hold(&self) -> Result<Held, TrainError> {
        let folder = RunFolder(self.folder.clone());
        let held = folder.hold()?;
        if !self.goes_on {
            folder.expect_new()?;
        }
        Ok(held)
    }

    /// What a person should know before it begins, a sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let unseen = "no case validates: no epoch is known to be the best, and the last one's weights are kept as such";
        let unseen = self.split.val.is_empty().then_some(unseen);
        let frozen = frozen_at_random(&self.recipe);
        unseen
            .into_iter()
            .chain(frozen)
            .map(str::to_owned)
            .collect()
    }

    /// The weights of a checkpoint for the run to begin with: of a file, of the folder of a model, or the best ones of the
    /// folder of a run. Where they come from becomes part of what the run keeps; `say` is told what a person should know.
    ///
    /// # Errors
    /// A file that cannot be read or is of another network; weights that were trained on cases that are to validate.
    pub fn begin_with(
        &mut self,
        init: &Path,
        folding: Option<Folding>,
        network: &DinoMed3dConfig,
        mut say: impl FnMut(String),
    ) -> Result<Start, TrainError> {
        let path = weights_of(init)?;
        self.inputs.push(path.clone());
        let folder = path.parent().unwrap_or(Path::new("."));
        if folder.join(MANIFEST_FILE).exists() {
            self.inputs.extend(ModelFolder::open(folder).files());
        }
        check_outputs_in(&self.folder, &RUN_FILES, &self.inputs)?;
        let (start, source) = start_with(&path, network, folding)?;
        let parent = match source {
            Source::DinoMed3d => Parent::of(&path)?,
            _ => None,
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match parent {
            Some(parent) => {
                let beginning = parent.initialization.split(GONE_ON).next();
                let beginning = beginning.unwrap_or_default();
                self.recipe.initialization = format!("{beginning}{GONE_ON} {name}");
                self.ancestors = parent.ancestors;
            }
            None => {
                self.recipe.initialization = format!("{source} ({name})");
                self.ancestors = Vec::new();
            }
        }
        self.check_unseen()?.into_iter().for_each(&mut say);
        say(format!("beginning with {}", self.recipe.initialization));
        Ok(start)
    }

    /// Whether the cases that validate are new to the weights, as far as the line of their descent tells; a sentence where
    /// it does not.
    fn check_unseen(&self) -> Result<Vec<String>, TrainError> {
        let mut notes = Vec::new();
        for ancestor in &self.ancestors {
            let Ancestor { recipe, run, .. } = ancestor;
            let who = format!(
                "the training {recipe} (seed {}), which the weights went through",
                run.seed
            );
            let seen: HashSet<&String> = ancestor.training_cases.iter().collect();
            let again = self.split.val.iter().filter(|name| seen.contains(name));
            let again: Vec<&str> = again.map(String::as_str).collect();
            let is_same_data = ancestor.data == self.recipe.data.source;
            if !again.is_empty() && is_same_data {
                return Err(unusable(format!(
                    "{} of {} validation cases were learnt from by {who}: {}. Their scores would flatter; hold out the cases that it held out, or begin with other weights",
                    again.len(),
                    self.split.val.len(),
                    first_few(&again)
                )));
            }
            if !again.is_empty() {
                notes.push(format!(
                    "warning: {} validation cases are called as cases that {who}, learnt from, in other data ({}): {}; if they are the same, the scores flatter",
                    again.len(),
                    ancestor.data,
                    first_few(&again)
                ));
            }
            if seen.is_empty() && is_same_data {
                notes.push(format!(
                    "warning: on which cases of these data {who}, learnt is not known; if some validate now, their scores flatter"
                ));
            }
        }
        Ok(notes)
    }

    /// Writes into the run's folder what it goes on by.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write(&self) -> Result<(), TrainError> {
        let recipe =
            toml::to_string_pretty(&self.recipe).map_err(with("writing the recipe down"))?;
        let path = self.folder.join(RECIPE_FILE);
        write_splits(&self.folder, std::slice::from_ref(&self.split))?;
        RunFolder(self.folder.clone()).write_ancestors(&self.ancestors)?;
        write_whole(&path, recipe.as_bytes()).map_err(|cause| TrainError::File { path, cause })
    }
}

/// What a person should know who freezes a transformer that no other training has taught. It is not refused: to see what
/// freezing costs, one does it on purpose.
fn frozen_at_random(recipe: &Recipe) -> Option<&'static str> {
    if !recipe.freeze_backbone || recipe.initialization != "random" {
        return None;
    }
    Some(if recipe.stage1.epochs == 0 {
        "the transformer begins with random weights and will stay so, frozen without a stage 1; give --init, or set freeze-backbone = false"
    } else {
        "the transformer begins with random weights and will be frozen after stage 1; give --init, or set freeze-backbone = false"
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{begun, scratch};
    use super::*;
    use crate::manifest::RunFacts;

    #[test]
    fn a_transformer_that_is_frozen_at_random_is_warned_of() {
        let folder = scratch("frozen");
        let mut recipe = begun(&folder);
        std::fs::remove_dir_all(folder).unwrap();
        recipe.freeze_backbone = false;
        recipe.initialization = "random".into();
        assert_eq!(frozen_at_random(&recipe), None);
        recipe.freeze_backbone = true;
        recipe.stage1.epochs = 2;
        assert!(frozen_at_random(&recipe).unwrap().contains("after stage 1"));
        recipe.stage1.epochs = 0;
        assert!(frozen_at_random(&recipe).unwrap().contains("stay so"));
        recipe.initialization = "DINOv3, official (vits16.safetensors)".into();
        assert_eq!(frozen_at_random(&recipe), None);
    }

    /// It would go on with random weights.
    #[test]
    fn a_run_without_a_checkpoint_has_to_be_given_its_first_weights_again() {
        let folder = scratch("unsaved");
        let mut recipe = begun(&folder);
        recipe.initialization = "DINOv3, official (vits16.safetensors)".into();
        let run = Run {
            folder: folder.clone(),
            recipe,
            split: CaseSplit::default(),
            goes_on: true,
            ancestors: Vec::new(),
            inputs: Vec::new(),
        };
        let row = serde_json::json!({
            "stage": 2, "epoch": 1, "steps": 9, "loss": 0.5, "learning_rate": 0.1, "dice": [0.7], "seconds": 1.0
        });
        let state = |done| {
            let state = serde_json::json!({"stages_done": done, "log": [row]});
            std::fs::write(folder.join("state.json"), state.to_string()).unwrap();
        };
        let refuses = || {
            let error = run.check_beginning().err().map(|error| error.to_string());
            error.is_some_and(|error| error.contains("give the same --init again"))
        };
        assert!(refuses(), "without a state");
        // The log is written before the checkpoint.
        state(1);
        assert!(refuses(), "without a checkpoint");
        std::fs::create_dir(folder.join("checkpoint")).unwrap();
        for part in ["model", "optimizer", "scheduler"] {
            let name = format!("checkpoint/stage2-epoch1-{part}.bpk");
            std::fs::write(folder.join(name), "").unwrap();
        }
        assert!(!refuses());
        std::fs::remove_dir_all(folder.join("checkpoint")).unwrap();
        std::fs::write(folder.join("stage1.safetensors"), "").unwrap();
        assert!(!refuses(), "stage 2 begins with stage 1's");
        state(2);
        assert!(!refuses());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn weights_that_know_what_is_to_validate_are_refused() {
        let folder = scratch("unseen");
        let recipe = begun(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let run = |data: &str, training_cases: &[&str]| Run {
            folder: folder.clone(),
            recipe: recipe.clone(),
            split: CaseSplit {
                train: names(&["a", "b"]),
                val: names(&["c", "d"]),
            },
            goes_on: false,
            inputs: Vec::new(),
            ancestors: vec![
                Ancestor {
                    recipe: "first".into(),
                    data: data.to_owned(),
                    run: RunFacts {
                        steps: [1, 2],
                        seed: 8,
                    },
                    averaged_with: Vec::new(),
                    training_cases: names(training_cases),
                },
                Ancestor {
                    recipe: "second".into(),
                    data: recipe.data.source.clone(),
                    run: RunFacts {
                        steps: [0, 5],
                        seed: 9,
                    },
                    averaged_with: Vec::new(),
                    training_cases: names(&["a"]),
                },
            ],
        };
        let own = &*recipe.data.source;
        assert!(run(own, &["a", "b"]).check_unseen().unwrap().is_empty());
        let error = run(own, &["a", "d"])
            .check_unseen()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(
                "1 of 2 validation cases were learnt from by the training first (seed 8)"
            ) && error.contains(": d."),
            "{error}"
        );
        let notes = run("others", &["a", "d"]).check_unseen().unwrap();
        assert!(notes[0].contains("in other data (others): d"), "{notes:?}");
        let notes = run(own, &[]).check_unseen().unwrap();
        assert!(notes[0].contains("is not known"), "{notes:?}");
    }
}
