//! The weights that an export is made of: a run's best, or the mean of several runs'.

use super::{During, ResultsError};
use crate::manifest::RunFacts;
use crate::model::DinoMed3dConfig;
use crate::train::Recipe;
use crate::train::dataset::case_split::{SPLITS_FILE, hold_out_the_same};
use crate::train::recipe_file::read_recipe;
use crate::train::run_folder::RunFolder;
use crate::weights::average::average;
use crate::weights::merge::merge_lora;
use crate::weights::{NamedTensors, decode};
use std::path::{Path, PathBuf};

/// A network that one run or several have trained.
#[derive(Debug)]
pub struct TrainedWeights {
    /// LoRA folded in.
    pub tensors: NamedTensors,
    /// What they belong to.
    pub architecture: DinoMed3dConfig,
    /// The run.
    pub run: RunFacts,
    /// Those that it was averaged with.
    pub averaged_with: Vec<RunFacts>,
}

impl TrainedWeights {
    /// The best weights of the run in `folder`, averaged with those of `others`; `recipe` is the run's.
    ///
    /// # Errors
    /// A folder without weights of stage 2; runs that began with random weights or with others than the first, whose
    /// mean would be no network; that kept other cases for validation; that prepare scans in another way; other networks.
    pub fn read(
        folder: &Path,
        others: &[PathBuf],
        recipe: &Recipe,
        num_classes: usize,
        image_channels: usize,
    ) -> Result<Self, ResultsError> {
        let network = |recipe: &Recipe| recipe.architecture(num_classes, image_channels);
        let mut architecture = network(recipe)?;
        let (tensors, run) = best_of(folder, recipe, &mut architecture)?;
        let (mut networks, mut averaged_with) = (vec![tensors], Vec::new());
        for other in others {
            let theirs = read_recipe(&other.join("recipe.toml"))?;
            check_kinship((folder, recipe), (other, &theirs))
                .during(|| format!("averaging with {}", other.display()))?;
            let (tensors, facts) = best_of(other, &theirs, &mut network(&theirs)?)?;
            networks.push(tensors);
            averaged_with.push(facts);
        }
        Ok(Self {
            tensors: average(&networks).during(|| "averaging the runs".to_owned())?,
            architecture,
            run,
            averaged_with,
        })
    }
}

/// Networks that began apart lie apart: between them is none that works. And one that was trained on our validation
/// cases would be scored on what it has seen.
fn check_kinship(
    (our_run, ours): (&Path, &Recipe),
    (their_run, theirs): (&Path, &Recipe),
) -> Result<(), ResultsError> {
    let (our_start, their_start) = (&ours.initialization, &theirs.initialization);
    if our_start == "random" || our_start != their_start {
        return Err(ResultsError::Unusable(format!(
            "the runs began with {our_start} and {their_start}; expected are runs that began with the same weights, given by --init"
        )));
    }
    if !hold_out_the_same((our_run, ours), (their_run, theirs))? {
        return Err(ResultsError::Unusable(format!(
            "the runs kept other cases for validation, see {SPLITS_FILE} in {} and {}",
            our_run.display(),
            their_run.display()
        )));
    }
    if ours.preprocessing != theirs.preprocessing {
        return Err(ResultsError::Unusable(format!(
            "the runs prepare scans differently: {:?} and {:?}",
            ours.preprocessing, theirs.preprocessing
        )));
    }
    Ok(())
}

fn best_of(
    folder: &Path,
    recipe: &Recipe,
    architecture: &mut DinoMed3dConfig,
) -> Result<(NamedTensors, RunFacts), ResultsError> {
    let run = RunFolder(folder.to_owned());
    let folder = folder.display();
    let unusable = |what| move || ResultsError::Unusable(what);
    let state = run
        .state()?
        .ok_or_else(unusable(format!("{folder} holds no training run")))?;
    let best = state.best(2).ok_or_else(unusable(format!(
        "no epoch of stage 2 has ended in {folder}"
    )))?;
    let path = run.0.join("best.safetensors");
    let mut tensors = decode(&run.read(&path)?).during(|| format!("in {}", path.display()))?;
    merge_lora(&mut tensors, architecture)?;
    let facts = RunFacts {
        steps: [state.steps_of_stage1(), best.steps],
        seed: recipe.seed,
    };
    Ok((tensors, facts))
}
