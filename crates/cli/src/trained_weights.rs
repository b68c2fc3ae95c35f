//! The weights that an export is made of: a run's best, or the mean of several runs'.

use crate::recipe_file::read_recipe;
use anyhow::{Context, ensure};
use dinomed3d_core::manifest::RunFacts;
use dinomed3d_core::model::DinoMed3dConfig;
use dinomed3d_core::train::Recipe;
use dinomed3d_core::train::run_folder::RunFolder;
use dinomed3d_core::weights::average::average;
use dinomed3d_core::weights::merge::merge_lora;
use dinomed3d_core::weights::{NamedTensors, decode};
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
    ) -> anyhow::Result<Self> {
        let network = |recipe: &Recipe| recipe.architecture(num_classes, image_channels);
        let mut architecture = network(recipe)?;
        let (tensors, run) = best_of(folder, recipe, &mut architecture)?;
        let (mut networks, mut averaged_with) = (vec![tensors], Vec::new());
        for other in others {
            let theirs = read_recipe(&other.join("recipe.toml"))?;
            check_kinship(recipe, &theirs)
                .with_context(|| format!("averaging with {}", other.display()))?;
            let (tensors, facts) = best_of(other, &theirs, &mut network(&theirs)?)?;
            networks.push(tensors);
            averaged_with.push(facts);
        }
        Ok(Self {
            tensors: average(&networks).context("averaging the runs")?,
            architecture,
            run,
            averaged_with,
        })
    }
}

/// Networks that began apart lie apart: between them is none that works. And one that was trained on our validation
/// cases would be scored on what it has seen.
fn check_kinship(ours: &Recipe, theirs: &Recipe) -> anyhow::Result<()> {
    let (our_start, their_start) = (&ours.initialization, &theirs.initialization);
    ensure!(
        our_start != "random" && our_start == their_start,
        "the runs began with {our_start} and {their_start}; expected are runs that began with the same weights, given by --init"
    );
    ensure!(
        ours.split() == theirs.split(),
        "the runs kept other cases for validation: {:?} and {:?}",
        ours.split(),
        theirs.split()
    );
    ensure!(
        ours.preprocessing == theirs.preprocessing,
        "the runs prepare scans differently: {:?} and {:?}",
        ours.preprocessing,
        theirs.preprocessing
    );
    Ok(())
}

fn best_of(
    folder: &Path,
    recipe: &Recipe,
    architecture: &mut DinoMed3dConfig,
) -> anyhow::Result<(NamedTensors, RunFacts)> {
    let run = RunFolder(folder.to_owned());
    let state = run
        .state()?
        .with_context(|| format!("{} holds no training run", folder.display()))?;
    let best = state
        .best(2)
        .with_context(|| format!("no epoch of stage 2 has ended in {}", folder.display()))?;
    let path = folder.join("best.safetensors");
    let mut tensors =
        decode(&run.read(&path)?).with_context(|| format!("in {}", path.display()))?;
    merge_lora(&mut tensors, architecture)?;
    let first_stage = state.log.iter().filter(|row| row.stage == 1);
    let facts = RunFacts {
        // Stage 2 goes on after the last epoch of stage 1.
        steps: [
            first_stage.map(|row| row.steps).max().unwrap_or(0),
            best.steps,
        ],
        seed: recipe.seed,
    };
    Ok((tensors, facts))
}
