//! `dinomed3d train`: from a folder of labelled scans to weights.

use crate::device::{device, devices};
use crate::places::default_recipe;
use crate::prepared_cases::CacheArgs;
use crate::progress::{Counting, Progress};
use crate::say::{say, say_passed_over};
use anyhow::bail;
use dinomed3d_core::results::report::report_run;
use dinomed3d_core::train::beginning::{RECIPE_FILE, Request, Run};
use dinomed3d_core::train::dataset::case_split::SPLITS_FILE;
use dinomed3d_core::train::{Event, Parallelism, Trainer};
use dinomed3d_core::weights::fold::Folding;
use dinomed3d_volume::statistics::mean;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Arguments of `train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Settings of the run (TOML); see recipes/. What it leaves open is settled by the data set, and said.
    /// [default: hippocampus.toml, in recipes/, beside the program or in the user's data folder].
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Data set in the layout of the Medical Segmentation Decathlon or of nnU-Net v2.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder of the run: resolved recipe, split, log, checkpoint, weights.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, libtorch, libtorch-cuda; cuda:1 for the second card, cuda:0,1 for
    /// both together.
    #[arg(long, default_value = "cpu", value_name = "LIST")]
    device: String,
    /// How several devices work together: gather all gradients on the first (default), or
    /// exchange them (distributed data parallel).
    #[arg(long, value_name = "HOW", default_value = "gather")]
    parallel: Parallel,
    /// Begin with the transformer of this checkpoint (DINOv3 official, Hugging Face or timm, the
    /// authors' stage 1, or our stage 1), or with our whole network, which leaves out stage 1; of a folder, with the model
    /// or the run's best weights in it.
    #[arg(long, value_name = "FILE_OR_DIR")]
    init: Option<PathBuf>,
    /// How patch weights of colour images come to see slices: rgb, centre or mean.
    /// For DINOv3 only; rgb when not said.
    #[arg(long, value_name = "HOW", requires = "init")]
    fold: Option<Fold>,
    /// Go on after the last checkpoint of an earlier run in the same folder, by that run's own recipe and split; an error where
    /// there is none.
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
    /// That what is to go on has begun, and that what has not can only be by a recipe that is named: nobody who resumes means
    /// the default one.
    fn expect_begun(&self) -> anyhow::Result<()> {
        let has = |folder: &Path, file: &str| folder.join(file).is_file();
        let Some(folds) = self.folds else {
            anyhow::ensure!(
                has(&self.out, RECIPE_FILE),
                "there is no run to go on with in {}: expected is the folder of one, with {RECIPE_FILE} in it; without --resume a new one begins there{}",
                self.out.display(),
                match has(&self.out.join("fold-1"), RECIPE_FILE) {
                    true => "; what is there is a cross-validation, which --folds goes on with",
                    false => "",
                }
            );
            return Ok(());
        };
        let fold = |number: usize| self.out.join(format!("fold-{number}"));
        let new = (1..=folds).find(|number| !has(&fold(*number), RECIPE_FILE));
        anyhow::ensure!(
            new != Some(1) || has(&self.out, SPLITS_FILE),
            "there is no cross-validation to go on with in {}: expected are folders fold-1 to fold-{folds}; without --resume a new one begins there",
            self.out.display()
        );
        if let Some(number) = new {
            anyhow::ensure!(
                self.recipe.is_some(),
                "{} has not begun: expected is the --recipe of the other folds",
                fold(number).display()
            );
        }
        Ok(())
    }

    fn request(&self) -> anyhow::Result<Request> {
        if self.resume {
            self.expect_begun()?;
        }
        let recipe = match &self.recipe {
            Some(path) => path.clone(),
            // A run that goes on has its own.
            None if self.resume => default_recipe().unwrap_or_default(),
            None => default_recipe()?,
        };
        Ok(Request {
            recipe,
            data: self.data.clone(),
            out: self.out.clone(),
            resume: self.resume,
            folds: self.folds,
            epochs: [self.stage1_epochs, self.stage2_epochs],
            seed: self.seed,
        })
    }
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
    let runs = args.request()?.runs(|line| eprintln!("{line}"))?;
    let count = runs.len();
    for (place, run) in runs.into_iter().enumerate() {
        if count > 1 {
            eprintln!("fold {} of {count}", place + 1);
        }
        train(&args, run)?;
    }
    Ok(())
}

/// One run.
fn train(args: &Args, mut run: Run) -> anyhow::Result<()> {
    let _held = run.hold()?;
    if args.init.is_none() {
        run.check_beginning()?;
    }
    let devices = devices(&args.device)?;
    if matches!(args.parallel, Parallel::Distributed) && args.device.contains("cpu") {
        bail!(
            "--parallel distributed is for graphics cards: the processor's devices have no exchange of gradients; leave it out"
        );
    }
    eprintln!("reading {}", args.data.display());
    let dataset = Arc::new(args.cache.load(&args.data, &run.recipe, &run.split)?);
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
    say_passed_over(&dataset.passed_over);
    for (value, name) in dataset.absent_labels() {
        eprintln!(
            "warning: label {value} {name} occurs in no case: nothing can be learnt about it"
        );
    }
    let start = match &args.init {
        None => None,
        Some(path) => {
            let (labels, channels) = (dataset.labels.len(), dataset.channels.len());
            let network = run.recipe.architecture(labels, channels)?;
            let folding = args.fold.map(Folding::from);
            Some(run.begin_with(path, folding, &network, |line| eprintln!("{line}"))?)
        }
    };
    for warning in run.warnings() {
        eprintln!("warning: {warning}");
    }
    let out = &run.folder;
    let mut trainer = Trainer::new(&run.recipe, &dataset, &devices, out, args.resume)?
        .with_parallelism(args.parallel.into());
    if let Some(start) = start {
        trainer = trainer.with_start(start);
    }
    run.write()?;
    let state = trainer.run(progress())?;
    if state.rows(2).next().is_none() {
        say!(
            "no epoch of stage 2 was asked for; weights of stage 1, which --init takes, in {}",
            out.join("stage1.safetensors").display()
        );
        return Ok(());
    }
    // What is said may find no reader.
    let report = report(args, out)?;
    say!(
        "{}; weights in {}",
        match state.best_dice() {
            Some(dice) => format!("best mean validation Dice {dice:.4}"),
            None => "no case validates, the last epoch counts as the best".to_owned(),
        },
        out.join("best.safetensors").display()
    );
    if let Some(report) = report {
        say!("report in {}", report.display());
    }
    Ok(())
}

/// Writes the report, and where. The training is done by now, and a report that fails does not undo it.
fn report(args: &Args, out: &Path) -> anyhow::Result<Option<PathBuf>> {
    let first_device = device(args.device.split(',').next().unwrap_or("cpu"))?;
    let mut counting = Counting::new("scoring case");
    let reported = report_run(out, &args.data, first_device, |case, cases| {
        counting.show(case, cases);
    });
    if let Err(error) = reported {
        eprintln!(
            "warning: the training is done and its weights are whole, but there is no report: {:#}; `dinomed3d report {} --data {}` tries again",
            anyhow::Error::from(error),
            out.display(),
            args.data.display()
        );
        return Ok(None);
    }
    Ok(Some(out.join("report.html")))
}

/// Shows how far a training is.
fn progress() -> impl FnMut(Event) {
    let mut recent = VecDeque::new();
    let mut line = Progress::new();
    move |event| match event {
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
            let mean = mean(recent.iter().copied()).unwrap_or(0.0);
            let left = mean * (total_steps - step) as f64;
            line.show(&format!(
                "stage {stage} epoch {epoch} step {step}/{total_steps} loss {loss:.4} {mean:.2} s/step, {:.0} min left in this stage",
                left / 60.0
            ));
        }
        Event::Case { stage, done, total } => {
            line.show(&format!("stage {stage}: validated {done} of {total} cases"));
        }
        Event::Epoch(row) => {
            let dice: Vec<String> = row.dice.iter().map(|dice| format!("{dice:.4}")).collect();
            let validation = match row.mean_dice() {
                Some(mean) => format!("validation Dice {mean:.4} ({})", dice.join(", ")),
                None => "no validation".to_owned(),
            };
            line.keep(&format!(
                "stage {} epoch {}: loss {:.4}, {validation}, {:.0} s, {:.1} % of it waiting for data",
                row.stage,
                row.epoch,
                row.loss,
                row.seconds,
                100.0 * row.data_wait,
            ));
        }
    }
}
