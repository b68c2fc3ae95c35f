//! `dinomed3d train`: from a folder of labelled scans to weights.

use crate::device::{device, devices};
use crate::prepared_cases::CacheArgs;
use crate::progress::Counting;
use anyhow::{Context, bail};
use dinomed3d_core::model::DinoMed3dConfig;
use dinomed3d_core::model_folder::{MANIFEST_FILE, ModelFolder};
use dinomed3d_core::results::report::report_run;
use dinomed3d_core::train::recipe::Split;
use dinomed3d_core::train::recipe_file::{read_recipe, read_settled};
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
    /// cpu; cuda, vulkan, wgpu or libtorch where the program was built with them; cuda:1 for the
    /// second card, cuda:0,1 for both together.
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
    /// Go on after the last whole epoch of an earlier run in the same folder, by that run's own recipe.
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

impl Args {
    /// Whether there is a run in `out` to go on with; of a cross-validation the later ones may not have begun.
    fn resumes(&self, out: &Path) -> bool {
        self.resume && out.join("recipe.toml").exists()
    }
}

/// Whether a run that goes on knows what it began with: it has to be given again if nothing of it was saved yet.
fn check_beginning(recipe: &Recipe, folder: &Path) -> anyhow::Result<()> {
    let has_begun = RunFolder(folder.to_owned())
        .state()?
        .is_some_and(|state| !state.log.is_empty());
    if !has_begun && recipe.initialization != "random" {
        bail!(
            "the run began with {} and was stopped before its first epoch ended; give the same --init again",
            recipe.initialization
        );
    }
    Ok(())
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

/// What weights of ours began with, as the manifest beside them says or, in the folder of a run, its recipe.
///
/// # Errors
/// One that is there and can't be read: without it weights would pass for another's, and their licence be lost.
fn own_initialization(weights: &Path) -> anyhow::Result<Option<String>> {
    let recipe = weights.with_file_name("recipe.toml");
    Ok(if weights.with_file_name(MANIFEST_FILE).exists() {
        let folder = weights.parent().unwrap_or(Path::new("."));
        Some(
            ModelFolder::open(folder)
                .manifest()?
                .training
                .initialization,
        )
    } else if recipe.exists() {
        Some(read_recipe(&recipe)?.initialization)
    } else {
        None
    })
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
    let mut settled = None;
    let Some(folds) = args.folds else {
        let recipe = recipe_of(&args, &args.out, None, &mut settled)?;
        return train(&args, recipe, &args.out);
    };
    for fold in 0..folds {
        let out = args.out.join(format!("fold-{}", fold + 1));
        eprintln!("fold {} of {folds}", fold + 1);
        let split = Split { every: folds, fold };
        let recipe = recipe_of(&args, &out, Some(split), &mut settled)?;
        train(&args, recipe, &out)?;
    }
    Ok(())
}

/// The recipe of the run in `out`, with what the command line names: the run's own where it goes on, for the data set
/// may have changed since, and the weights have not. `settled` is that of new runs, which is made once.
fn recipe_of(
    args: &Args,
    out: &Path,
    split: Option<Split>,
    settled: &mut Option<Recipe>,
) -> anyhow::Result<Recipe> {
    let path = out.join("recipe.toml");
    let mut recipe = if args.resumes(out) {
        let recipe = read_recipe(&path)?;
        if let Some(expected) = split
            && recipe.split() != expected
        {
            let part = |split: Split| format!("part {} of {}", split.fold + 1, split.every);
            bail!(
                "the run in {} holds out {}, expected is {}; go on with the same --folds",
                out.display(),
                part(recipe.split()),
                part(expected)
            );
        }
        eprintln!(
            "the run goes on by its own recipe, {}; --recipe is for new runs",
            path.display()
        );
        recipe
    } else {
        let mut recipe = match settled {
            Some(recipe) => recipe.clone(),
            None => settled.insert(new_recipe(args)?).clone(),
        };
        if let Some(Split { every, fold }) = split {
            recipe.validation_every = every;
            recipe.validation_fold = fold;
        }
        recipe
    };
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
    Ok(recipe)
}

/// What --recipe says, and the data set where it says nothing.
fn new_recipe(args: &Args) -> anyhow::Result<Recipe> {
    let fingerprint = || {
        eprintln!(
            "the recipe leaves settings to the data set: looking at {}",
            args.data.display()
        );
        Fingerprint::read(&args.data)
    };
    let (recipe, choices) = read_settled(&args.recipe, fingerprint)
        .with_context(|| format!("settling what {} leaves open", args.recipe.display()))?;
    for choice in choices {
        eprintln!("{choice}");
    }
    Ok(recipe)
}

/// One run, into `out`.
fn train(args: &Args, mut recipe: Recipe, out: &Path) -> anyhow::Result<()> {
    if args.resumes(out) && args.init.is_none() {
        check_beginning(&recipe, out)?;
    }
    let devices = devices(&args.device)?;
    if matches!(args.parallel, Parallel::Distributed) && args.device.contains("cpu") {
        bail!(
            "--parallel distributed is for graphics cards: the processor's devices have no exchange of gradients; leave it out"
        );
    }
    eprintln!("reading {}", args.data.display());
    let dataset = Arc::new(args.cache.load(&args.data, &recipe)?);
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
            let earlier = match source {
                Source::DinoMed3d => own_initialization(path)?,
                _ => None,
            };
            recipe.initialization = match earlier {
                Some(earlier) => {
                    let beginning = earlier.split(GONE_ON).next().unwrap_or_default();
                    format!("{beginning}{GONE_ON} {name}")
                }
                None => format!("{source} ({name})"),
            };
            eprintln!("beginning with {}", recipe.initialization);
            Some(start)
        }
    };
    if let Some(warning) = frozen_at_random(&recipe) {
        eprintln!("warning: {warning}");
    }
    let mut trainer = Trainer::new(&recipe, &dataset, &devices, out, args.resume)?
        .with_parallelism(args.parallel.into());
    if let Some(start) = start {
        trainer = trainer.with_start(start);
    }
    dinomed3d_volume::atomic_file::write_whole(
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
    let mut counting = Counting::new("scoring case");
    report_run(
        out,
        &args.data,
        device(args.device.split(',').next().unwrap_or("cpu"))?,
        |case, cases| counting.show(case, cases),
    )?;
    println!("report in {}", out.join("report.html").display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Args {
        let begin = ["train", "--data", "there-is-none", "--out", "none"];
        Line::parse_from(begin.iter().chain(words)).args
    }

    fn hippocampus() -> String {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../recipes/hippocampus.toml")
            .display()
            .to_string()
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
        std::fs::write(folder.join("recipe.toml"), &old).unwrap();
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
        let recipe = |words: &[&str]| recipe_of(&args(words), &folder, None, &mut None).unwrap();
        for words in [
            &["--resume"][..],
            &["--resume", "--recipe", &hippocampus()],
            &["--resume", "--recipe", "no-such-recipe.toml"],
        ] {
            assert_eq!(text(&recipe(words)), text(&begun));
        }
        // What the command line names counts, as at the beginning.
        let named = recipe(&[
            "--resume",
            "--stage1-epochs",
            "3",
            "--stage2-epochs",
            "91",
            "--seed",
            "5",
        ]);
        let mut expected = begun.clone();
        (
            expected.stage1.epochs,
            expected.stage2.epochs,
            expected.seed,
        ) = (3, 91, 5);
        assert_eq!(text(&named), text(&expected));
        // Without --resume it is a new run, which Trainer::new refuses to put here.
        assert_ne!(recipe(&["--recipe", &hippocampus()]).window, begun.window);
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
        assert_eq!(own_initialization(&weights).unwrap(), None);
        let mut recipe = begun(&folder);
        recipe.initialization = "DINOv3, official (vits16.safetensors)".into();
        std::fs::write(folder.join("recipe.toml"), text(&recipe)).unwrap();
        let found = own_initialization(&weights).unwrap();
        assert_eq!(found, Some(recipe.initialization));
        std::fs::write(folder.join("manifest.json"), r#"{"format": 1}"#).unwrap();
        let error = format!("{:#}", own_initialization(&weights).unwrap_err());
        std::fs::remove_dir_all(folder).unwrap();
        assert!(error.contains("format 1"), "{error}");
    }

    #[test]
    fn every_fold_goes_on_by_its_own_recipe_and_the_others_share_one() {
        let folder = scratch("own-folds");
        let first = folder.join("fold-1");
        let begun = begun(&first);
        let split = |every, fold| Some(Split { every, fold });
        let args = args(&["--resume", "--recipe", &hippocampus()]);
        let mut settled = None;
        let own = recipe_of(
            &args,
            &first,
            split(begun.validation_every, 0),
            &mut settled,
        )
        .unwrap();
        assert_eq!(text(&own), text(&begun));
        assert!(settled.is_none(), "nothing has to be settled for it");
        let second = recipe_of(&args, &folder.join("fold-2"), split(4, 1), &mut settled).unwrap();
        assert_ne!(second.window, begun.window);
        assert_eq!(second.split(), Split { every: 4, fold: 1 });
        assert_eq!(settled.unwrap().window, second.window);
        // A fold of another number of parts is another experiment.
        let error = recipe_of(&args, &first, split(9, 0), &mut None).unwrap_err();
        let error = error.to_string();
        let found = format!("part 1 of {}", begun.validation_every);
        assert!(
            error.contains(&found) && error.contains("part 1 of 9"),
            "{error}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
