//! `dinomed3d train`: from a folder of labelled scans to weights.

use crate::device::devices;
use crate::prepared_cases::CacheArgs;
use crate::recipe_file::{read_draft, read_recipe};
use crate::report::report_run;
use crate::segment::read_manifest;
use anyhow::{Context, bail};
use dinomed3d_core::model::DinoMed3dConfig;
use dinomed3d_core::train::run_folder::RunFolder;
use dinomed3d_core::train::{Event, Fingerprint, Parallelism, Recipe, Start, Trainer};
use dinomed3d_core::weights::decode;
use dinomed3d_core::weights::fold::Folding;
use dinomed3d_core::weights::import::initialize::transformer;
use dinomed3d_core::weights::import::{Checkpoint, Identity, Source};
use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings of the run (TOML); see recipes/. What it leaves open is settled by the data set, and said.
    #[arg(long, value_name = "FILE", default_value = "recipes/hippocampus.toml")]
    recipe: PathBuf,
    /// Data set in the layout of the Medical Segmentation Decathlon or of nnU-Net v2.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder of the run: resolved recipe, log, checkpoint, weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// cpu; cuda, vulkan or wgpu where the program was built with them; cuda:1 for the second
    /// card, cuda:0,1 for both together.
    #[arg(long, default_value = "cpu", value_name = "LIST")]
    device: String,
    /// How several devices work together: gather all gradients on the first (default), or
    /// exchange them (distributed data parallel).
    #[arg(long, value_name = "HOW", default_value = "gather")]
    parallel: Parallel,
    /// Begin with the transformer of this checkpoint (DINOv3 official, Hugging Face or timm, the
    /// authors' stage 1, or our stage 1), or with our whole network, which leaves out stage 1.
    #[arg(long, value_name = "FILE")]
    init: Option<PathBuf>,
    /// How patch weights of colour images come to see slices: rgb, centre or mean.
    /// For DINOv3 only; rgb when not said.
    #[arg(long, value_name = "HOW", requires = "init")]
    fold: Option<Fold>,
    /// Go on after the last whole epoch of an earlier run in the same folder.
    #[arg(long)]
    resume: bool,
    /// Cross-validation: one run for each of N parts of the cases, held out in turn, in the folders
    /// fold-1 to fold-N of --out; `evaluate --folds` scores them together.
    #[arg(long, value_name = "N")]
    folds: Option<usize>,
    /// Epochs of stage 1, instead of the recipe's.
    #[arg(long, value_name = "N")]
    stage1_epochs: Option<usize>,
    /// Epochs of stage 2, instead of the recipe's.
    #[arg(long, value_name = "N")]
    stage2_epochs: Option<usize>,
    /// Seed, instead of the recipe's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    cache: CacheArgs,
}

/// What an interrupted run began with; it has to be given again if nothing of it was saved yet.
fn earlier_initialization(folder: &Path) -> anyhow::Result<String> {
    let recipe = read_recipe(&folder.join("recipe.toml"))?;
    let has_begun = RunFolder(folder.to_owned())
        .state()?
        .is_some_and(|state| !state.log.is_empty());
    if !has_begun && recipe.initialization != "random" {
        bail!(
            "the run began with {} and was stopped before its first epoch ended; give the same --init again",
            recipe.initialization
        );
    }
    Ok(recipe.initialization)
}

/// Between what the first of several runs began with and the weights of the last.
const GONE_ON: &str = ", gone on from an earlier run's";

/// What weights of ours began with, as the manifest beside them says.
fn own_initialization(weights: &Path) -> Option<String> {
    let manifest = read_manifest(weights.parent()?).ok()?;
    Some(manifest.training.initialization)
}

/// The weights of a checkpoint, and where they come from.
fn beginning(
    path: &Path,
    network: &DinoMed3dConfig,
    folding: Option<Folding>,
) -> anyhow::Result<(Start, Source)> {
    let checkpoint = Checkpoint::open(path)?;
    let source = Identity::of(&checkpoint)?.source;
    if folding.is_some() && !source.sees_colours() {
        bail!(
            "--fold is for DINOv3's own files, whose patches are of colour images; this is {source}"
        );
    }
    let is_network = checkpoint.names().any(|name| name.starts_with("decoder."));
    if source == Source::DinoMed3d && is_network {
        return Ok((Start::Network(decode(&std::fs::read(path)?)?), source));
    }
    let folding = folding.unwrap_or(Folding::Rgb);
    let (_, tensors) = transformer(&checkpoint, &network.vit, network.image_channels(), folding)?;
    Ok((Start::Transformer(tensors), source))
}

/// See [`Parallelism`].
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Parallel {
    /// All gradients go to the first device.
    Gather,
    /// Devices exchange gradients.
    Distributed,
}

impl From<Parallel> for Parallelism {
    fn from(parallel: Parallel) -> Self {
        match parallel {
            Parallel::Gather => Self::Gather,
            Parallel::Distributed => Self::Distributed,
        }
    }
}

/// See [`Folding`].
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Fold {
    /// As they are, for three channels.
    Rgb,
    /// Everything on the slice itself.
    Centre,
    /// The same share for every slice.
    Mean,
}

impl From<Fold> for Folding {
    fn from(fold: Fold) -> Self {
        match fold {
            Fold::Rgb => Self::Rgb,
            Fold::Centre => Self::Centre,
            Fold::Mean => Self::Mean,
        }
    }
}

/// Trains.
///
/// # Errors
/// A recipe, data set, device or folder that cannot be used; a loss that is not a number.
pub fn run(args: Args) -> anyhow::Result<()> {
    let draft = read_draft(&args.recipe)?;
    if draft.needs_fingerprint() {
        eprintln!(
            "the recipe leaves settings to the data set: looking at {}",
            args.data.display()
        );
    }
    let (mut recipe, choices) = draft
        .resolve(|| Fingerprint::read(&args.data))
        .with_context(|| format!("settling what {} leaves open", args.recipe.display()))?;
    for choice in choices {
        eprintln!("{choice}");
    }
    if let Some(epochs) = args.stage1_epochs {
        recipe.stage1.epochs = epochs;
    }
    if let Some(epochs) = args.stage2_epochs {
        recipe.stage2.epochs = epochs;
    }
    if let Some(seed) = args.seed {
        recipe.seed = seed;
    }
    recipe.check()?;
    let Some(folds) = args.folds else {
        return train(&args, recipe, &args.out);
    };
    for fold in 0..folds {
        let out = args.out.join(format!("fold-{}", fold + 1));
        eprintln!("fold {} of {folds}", fold + 1);
        let mut recipe = recipe.clone();
        recipe.validation_every = folds;
        recipe.validation_fold = fold;
        train(&args, recipe, &out)?;
    }
    Ok(())
}

/// One run, into `out`.
fn train(args: &Args, mut recipe: Recipe, out: &Path) -> anyhow::Result<()> {
    // Of a cross-validation the later runs may not have begun.
    let is_resumed = args.resume && out.join("recipe.toml").exists();
    if is_resumed && args.init.is_none() {
        recipe.initialization = earlier_initialization(out)?;
    }
    let devices = devices(&args.device)?;
    if matches!(args.parallel, Parallel::Distributed) && args.device.contains("cpu") {
        bail!(
            "--parallel distributed is for graphics cards: the processor's devices have no exchange of gradients; leave it out"
        );
    }
    eprintln!("reading {}", args.data.display());
    let dataset = Arc::new(
        args.cache
            .load(&args.data, &recipe.preprocessing, recipe.split())?,
    );
    eprintln!(
        "{} training and {} validation cases; labels {}",
        dataset.training.len(),
        dataset.validation.len(),
        dataset.labels[1..]
            .iter()
            .map(|(value, name)| format!("{value} {name}"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    eprintln!("image channels: {}", dataset.channels.join(", "));
    for (value, name) in dataset.absent_labels() {
        eprintln!(
            "warning: label {value} {name} occurs in no case: nothing can be learnt about it"
        );
    }
    let start = match &args.init {
        None => None,
        Some(path) => {
            let network = recipe.architecture(dataset.labels.len(), dataset.channels.len())?;
            let (start, source) = beginning(path, &network, args.fold.map(Folding::from))
                .with_context(|| format!("beginning with {}", path.display()))?;
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            recipe.initialization = match own_initialization(path) {
                Some(earlier) if source == Source::DinoMed3d => {
                    let beginning = earlier.split(GONE_ON).next().unwrap_or_default();
                    format!("{beginning}{GONE_ON} {name}")
                }
                _ => format!("{source} ({name})"),
            };
            eprintln!("beginning with {}", recipe.initialization);
            Some(start)
        }
    };
    let mut trainer = Trainer::new(&recipe, &dataset, &devices, out, args.resume)?
        .with_parallelism(args.parallel.into());
    if let Some(start) = start {
        trainer = trainer.with_start(start);
    }
    dinomed3d_core::atomic_file::write_whole(
        &out.join("recipe.toml"),
        toml::to_string_pretty(&recipe)?.as_bytes(),
    )
    .with_context(|| format!("writing into {}", out.display()))?;
    let mut recent = VecDeque::new();
    let state = trainer.run(|event| match event {
        Event::Step {
            stage,
            epoch,
            step,
            total_steps,
            loss,
            seconds,
        } => {
            recent.push_back(seconds);
            if recent.len() > 30 {
                recent.pop_front();
            }
            let mean = recent.iter().sum::<f64>() / recent.len() as f64;
            let left = mean * (total_steps - step) as f64;
            eprint!(
                "\rstage {stage} epoch {epoch} step {step}/{total_steps} loss {loss:.4} {mean:.2} s/step, {:.0} min left in this stage   ",
                left / 60.0
            );
            // A progress line that cannot be shown is no reason to stop.
            let _ = std::io::stderr().flush();
        }
        Event::Case { stage, done, total } => {
            eprint!("\rstage {stage}: validated {done} of {total} cases                                                  ");
            let _ = std::io::stderr().flush();
        }
        Event::Epoch(row) => {
            let dice: Vec<String> = row.dice.iter().map(|dice| format!("{dice:.4}")).collect();
            eprintln!(
                "\rstage {} epoch {}: loss {:.4}, validation Dice {:.4} ({}), {:.0} s, {:.1} % of it waiting for data          ",
                row.stage,
                row.epoch,
                row.loss,
                row.mean_dice(),
                dice.join(", "),
                row.seconds,
                100.0 * row.data_wait,
            );
        }
    })?;
    println!(
        "best mean validation Dice {:.4}; weights in {}",
        state.best_dice(),
        out.join("best.safetensors").display()
    );
    report_run(
        out,
        &args.data,
        args.device.split(',').next().unwrap_or("cpu"),
    )?;
    println!("report in {}", out.join("report.html").display());
    Ok(())
}
