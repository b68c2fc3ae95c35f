//! How a run begins, or goes on: by which recipe, on which cases, from which weights.

use super::TrainError;
use super::dataset::case_split::{SPLITS_FILE, read_splits, split_notes, write_splits};
use super::dataset::files::first_few;
use super::dataset::{CaseSplit, Listing};
use super::fingerprint::Fingerprint;
use super::recipe::{Recipe, Split};
use super::recipe_file::{read_recipe, read_settled, recipe_files};
use super::run_folder::{RUN_FILES, RunFolder};
use super::trainer::Start;
use crate::manifest::{Ancestor, ModelManifest, RunFacts};
use crate::model::DinoMed3dConfig;
use crate::model_folder::{MANIFEST_FILE, ModelFolder};
use crate::weights::decode;
use crate::weights::fold::Folding;
use crate::weights::import::initialize::transformer;
use crate::weights::import::{Checkpoint, Identity, Source};
use dinomed3d_volume::atomic_file::{check_outputs_in, write_whole};
use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Name of a run's recipe in its folder.
pub const RECIPE_FILE: &str = "recipe.toml";

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

fn unusable(what: String) -> TrainError {
    TrainError::Recipe(what)
}

/// Says with what something failed.
fn with<E: Display>(what: impl Display) -> impl FnOnce(E) -> TrainError {
    move |error| unusable(format!("{what}: {error}"))
}

impl Request {
    /// The run, or those of the folds; `say` is told what a person should know.
    ///
    /// # Errors
    /// A recipe or data that cannot be read; a run that cannot go on as it is asked to, or would replace one of these.
    pub fn runs(&self, mut say: impl FnMut(String)) -> Result<Vec<Run>, TrainError> {
        let mut settled = None;
        let Some(every) = self.folds else {
            let recipe = self.recipe_of(&self.out, None, &mut settled, &mut say)?;
            return Ok(vec![self.run(&self.out, recipe, None, &mut say)?]);
        };
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
        if is_new {
            check_outputs_in(&self.out, &[SPLITS_FILE], &runs[0].inputs)?;
            std::fs::create_dir_all(&self.out).map_err(|source| TrainError::File {
                path: self.out.clone(),
                source,
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

impl Run {
    /// Whether a run that goes on knows what it began with: it has to be given again if nothing of it was saved yet.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] if it does not.
    pub fn check_beginning(&self) -> Result<(), TrainError> {
        if !self.goes_on {
            return Ok(());
        }
        let has_begun = RunFolder(self.folder.clone())
            .state()?
            .is_some_and(|state| !(state.log.is_empty() && state.parts.is_empty()));
        if !has_begun && self.recipe.initialization != "random" {
            return Err(unusable(format!(
                "the run began with {} and was stopped before its first checkpoint; give the same --init again",
                self.recipe.initialization
            )));
        }
        Ok(())
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
        write_whole(&path, recipe.as_bytes()).map_err(|source| TrainError::File { path, source })
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

/// Between what the first of several runs began with and the weights of the last.
const GONE_ON: &str = ", gone on from an earlier run's";

/// The file that is meant by a file or a folder.
fn weights_of(init: &Path) -> Result<PathBuf, TrainError> {
    if !init.is_dir() {
        return Ok(init.to_owned());
    }
    if init.join(MANIFEST_FILE).exists() {
        let manifest = manifest_in(init)?;
        return Ok(init.join(manifest.weights.file));
    }
    Ok(init.join("best.safetensors"))
}

fn manifest_in(folder: &Path) -> Result<ModelManifest, TrainError> {
    let manifest = ModelFolder::open(folder).manifest();
    manifest.map_err(|error| {
        // Without it weights would pass for another's, and their licence be lost.
        let source =
            std::error::Error::source(&error).map_or_else(String::new, |s| format!(": {s}"));
        unusable(format!("{error}{source}"))
    })
}

/// The weights of a checkpoint, and what wrote it.
fn start_with(
    path: &Path,
    network: &DinoMed3dConfig,
    folding: Option<Folding>,
) -> Result<(Start, Source), TrainError> {
    let beginning = || format!("beginning with {}", path.display());
    let checkpoint = Checkpoint::open(path).map_err(with(beginning()))?;
    let identity = Identity::of(&checkpoint).map_err(with(beginning()))?;
    let source = identity.source;
    if folding.is_some() && !source.sees_colours() {
        return Err(unusable(format!(
            "--fold is for DINOv3's own files, whose patches are of colour images; {} is {source}",
            path.display()
        )));
    }
    let is_network = checkpoint.names().any(|name| name.starts_with("decoder."));
    if source == Source::DinoMed3d && is_network {
        let bytes = std::fs::read(path).map_err(with(beginning()))?;
        let tensors = decode(&bytes).map_err(with(beginning()))?;
        return Ok((Start::Network(tensors), source));
    }
    let folding = folding.unwrap_or(Folding::Rgb);
    let (_, tensors) = transformer(&checkpoint, &network.vit, network.image_channels(), folding)
        .map_err(with(beginning()))?;
    Ok((Start::Transformer(tensors), source))
}

/// What is known of weights of ours.
struct Parent {
    /// What they began with.
    initialization: String,
    /// The line of their descent, with what trained them last.
    ancestors: Vec<Ancestor>,
}

impl Parent {
    /// What the manifest beside the weights says or, in the folder of a run, its recipe and log.
    ///
    /// # Errors
    /// One that is there and can't be read.
    fn of(weights: &Path) -> Result<Option<Self>, TrainError> {
        let folder = weights.parent().unwrap_or(Path::new("."));
        if folder.join(MANIFEST_FILE).exists() {
            let ModelManifest { name, training, .. } = manifest_in(folder)?;
            let mut ancestors = training.ancestors;
            ancestors.push(Ancestor {
                recipe: name,
                data: training.data,
                run: training.run,
                averaged_with: training.averaged_with,
                training_cases: training.training_cases,
            });
            return Ok(Some(Self {
                initialization: training.initialization,
                ancestors,
            }));
        }
        if !folder.join(RECIPE_FILE).exists() {
            return Ok(None);
        }
        let recipe = read_recipe(&folder.join(RECIPE_FILE))?;
        let run = RunFolder(folder.to_owned());
        let state = run.state()?.unwrap_or_default();
        let of_stage2 = match weights.file_name().and_then(|name| name.to_str()) {
            Some("stage1.safetensors") => 0,
            Some("last.safetensors") => state.steps_of_last(2),
            _ => state.best(2).map_or(0, |row| row.steps),
        };
        let mut ancestors = run.ancestors()?;
        ancestors.push(Ancestor {
            recipe: recipe.name,
            data: recipe.data.source,
            run: RunFacts {
                steps: [state.steps_of_stage1(), of_stage2],
                seed: recipe.seed,
            },
            averaged_with: Vec::new(),
            training_cases: CaseSplit::of_run(folder)?.unwrap_or_default().train,
        });
        Ok(Some(Self {
            initialization: recipe.initialization,
            ancestors,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hippocampus() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/hippocampus.toml")
    }

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

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("dinomed3d-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The folder of a run that began with another window and seed, as an older version wrote it: balanced and in-plane
    /// were no settings yet, and no spacing was the scan's own.
    fn begun(folder: &Path) -> Recipe {
        let old: String = std::fs::read_to_string(hippocampus())
            .unwrap()
            .lines()
            .filter(|line| {
                !["spacingMm", "balanced", "in-plane"]
                    .iter()
                    .any(|key| line.starts_with(key))
            })
            .map(|line| match line.split(' ').next() {
                Some("window") => "window = [8, 8, 8]\n".to_owned(),
                Some("seed") => "seed = 77\n".to_owned(),
                _ => format!("{line}\n"),
            })
            .collect();
        std::fs::create_dir_all(folder).unwrap();
        std::fs::write(folder.join(RECIPE_FILE), &old).unwrap();
        toml::from_str(&old).unwrap()
    }

    fn text(recipe: &Recipe) -> String {
        toml::to_string(recipe).unwrap()
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

    #[test]
    fn weights_of_a_run_began_as_its_recipe_says() {
        let folder = scratch("beginning");
        let weights = folder.join("best.safetensors");
        assert!(Parent::of(&weights).unwrap().is_none());
        let mut recipe = begun(&folder);
        recipe.initialization = "DINOv3, official (vits16.safetensors)".into();
        std::fs::write(folder.join(RECIPE_FILE), text(&recipe)).unwrap();
        let parent = Parent::of(&weights).unwrap().unwrap();
        assert_eq!(parent.initialization, recipe.initialization);
        assert_eq!(parent.ancestors.len(), 1);
        assert_eq!(parent.ancestors[0].run.seed, 77);
        // Cut short within its second epoch.
        let part = |epoch: usize, steps: usize| {
            serde_json::json!({
                "stage": 2, "epoch": epoch, "steps": steps, "batches": 9, "loss": 0.5, "learning_rate": 0.1, "seconds": 1.0,
                "waited": 0.0
            })
        };
        let row = serde_json::json!({
            "stage": 2, "epoch": 1, "steps": 200, "loss": 0.5, "learning_rate": 0.1, "dice": [0.7], "seconds": 1.0, "data_wait": 0.0
        });
        let state = serde_json::json!({"log": [row], "parts": [part(1, 150), part(2, 3700)]});
        std::fs::write(folder.join("state.json"), state.to_string()).unwrap();
        let steps = |file: &str| {
            let parent = Parent::of(&folder.join(file)).unwrap().unwrap();
            parent.ancestors[0].run.steps
        };
        assert_eq!(steps("last.safetensors"), [0, 3700]);
        assert_eq!(steps("best.safetensors"), [0, 200]);
        std::fs::write(folder.join(MANIFEST_FILE), r#"{"format": 1}"#).unwrap();
        let error = Parent::of(&weights).err().unwrap().to_string();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(error.contains("format 1"), "{error}");
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
