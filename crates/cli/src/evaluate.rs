//! `dinomed3d evaluate`: how well label maps agree with their references.

use crate::device::device;
use crate::held_out::held_out;
use crate::progress::Counting;
use crate::say::{say, say_passed_over};
use crate::segmenting::load_model;
use anyhow::{Context, bail, ensure};
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_core::preprocess::Preprocessing;
use dinomed3d_core::results::answers::Answers;
use dinomed3d_core::results::folds::CrossValidation;
use dinomed3d_core::results::model_cases::ModelCases;
use dinomed3d_core::results::predictor::Predictor;
use dinomed3d_core::results::report::picture_of;
use dinomed3d_core::results::validation::{check_order, score_cases};
use dinomed3d_core::train::dataset::{DatasetIndex, HeldOut};
use dinomed3d_core::train::recipe::Split;
use dinomed3d_volume::Label;
use dinomed3d_volume::atomic_file::{check_outputs, write_whole};
use dinomed3d_volume::evaluation::pairs::{self, Pairs};
use dinomed3d_volume::evaluation::{self, CaseScores, Evaluation};
use dinomed3d_volume::metrics::Reliability;
use std::path::{Path, PathBuf};

/// Arguments of `evaluate`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["predictions", "model", "folds"])))]
#[command(group(clap::ArgGroup::new("network").args(["model", "folds"])))]
pub struct Args {
    /// A label map or a folder of them, `CASE.nii.gz` or `CASE_dseg.nii.gz`.
    #[arg(long, value_name = "DIR_OR_FILE", requires = "references")]
    predictions: Option<PathBuf>,
    /// The reference label map, or a folder of them named like the predictions.
    #[arg(long, value_name = "DIR_OR_FILE", requires = "predictions")]
    references: Option<PathBuf>,
    /// Folder of a model, which then segments the validation cases of a data set.
    #[arg(long, value_name = "DIR", requires = "data")]
    model: Option<PathBuf>,
    /// Folder of a cross-validation: runs fold-1 to fold-N, each of which segments the cases that it held out.
    #[arg(long, value_name = "DIR", requires = "data")]
    folds: Option<PathBuf>,
    /// Data set in the layout of the Medical Segmentation Decathlon or of nnU-Net v2; with --recipe folder of label maps.
    #[arg(long, value_name = "DIR", requires = "network")]
    data: Option<PathBuf>,
    /// Recipe by which a model was trained from label maps: cases are drawn from those of its maps that were held out.
    #[arg(
        long,
        value_name = "FILE",
        requires = "model",
        conflicts_with_all = ["predictions", "folds", "validation_every", "validation_fold"]
    )]
    recipe: Option<PathBuf>,
    /// Which cases a model is scored on: every n-th in sorted order [default: those that its manifest says were held out;
    /// of other data than its own every fifth].
    #[arg(long, value_name = "N", conflicts_with_all = ["predictions", "folds"])]
    validation_every: Option<usize>,
    /// From which of the first n on, counted from 0 [default: 0].
    #[arg(long, value_name = "K", conflicts_with_all = ["predictions", "folds"])]
    validation_fold: Option<usize>,
    /// Labels to score, such as 1,2 [default: all that any reference holds, without the background 0]. A predicted label
    /// that is neither named nor in any reference is an error of its case.
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "LABELS",
        conflicts_with = "network"
    )]
    labels: Vec<u8>,
    /// Where cases are compared: native (file's grid, mm) or paper (model's resized grid, every voxel 1 mm).
    #[arg(long, value_enum, default_value_t = Convention::Native)]
    convention: Convention,
    /// For label maps and the paper's convention: folder of the model whose grid they are resized to.
    #[arg(long, value_name = "DIR", requires = "predictions")]
    grid: Option<PathBuf>,
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Write JSON into a file, or print it when no file is named.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write a row for every case and label, comma-separated.
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw the scores of every label as an SVG.
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
}

/// See [`evaluation::Convention`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Convention {
    /// On the file's own grid, in the world's millimetres.
    Native,
    /// As the paper's authors do: on the model's resized grid, each of its voxels counted as 1 mm × 1 mm × 1 mm.
    Paper,
}

impl From<Convention> for evaluation::Convention {
    fn from(convention: Convention) -> Self {
        match convention {
            Convention::Native => Self::Native,
            Convention::Paper => Self::Paper,
        }
    }
}

/// Scores and prints.
///
/// # Errors
/// Files that cannot be read or paired, or whose grids differ; outputs that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let convention = args.convention;
    let outputs = args.outputs();
    let mut passed_over = Vec::new();
    let mut reliability = None;
    let (cases, labels) = match (&args.predictions, &args.references, &args.data) {
        (Some(predictions), Some(references), _) => {
            let grid = model_grid(convention, args.grid.as_deref())?;
            let pairs = pairs::pair(predictions, references)?;
            check_outputs(&outputs, &pairs.files())?;
            passed_over.clone_from(&pairs.passed_over);
            say_passed_over(&passed_over);
            score_files(&pairs, &args.labels, grid.as_ref())?
        }
        (_, _, Some(data)) => match (&args.model, &args.folds) {
            (Some(model), _) => {
                let rule = args.rule()?;
                let folder = ModelFolder::open(model);
                let training = folder.manifest()?.training;
                let (held_out, read) = match &args.recipe {
                    Some(recipe) => held_out(model, &training, data, Some(recipe))?,
                    None => {
                        let index = DatasetIndex::read(data)?;
                        let cases = ModelCases::of(&training, &index, rule)?;
                        cases.notes.iter().for_each(|note| eprintln!("{note}"));
                        passed_over = cases.passed_over;
                        say_passed_over(&passed_over);
                        (cases.held_out, index.files(data))
                    }
                };
                check_outputs(&outputs, &[folder.files(), read].concat())?;
                let scored = score_model(model, &held_out, convention.into(), &args.device)?;
                reliability = scored.reliability;
                (scored.cases, scored.labels)
            }
            (_, Some(runs)) => {
                let files = DatasetIndex::read(data)?.files(data);
                check_outputs(&outputs, &[files_of_runs(runs), files].concat())?;
                let runs = CrossValidation::read(runs, data)?;
                runs.notes()?.iter().for_each(|note| eprintln!("{note}"));
                passed_over = runs.passed_over();
                say_passed_over(&passed_over);
                let mut counting = Counting::new("scoring case");
                let device = device(&args.device)?;
                runs.score(convention.into(), &device, |at| {
                    if at.case == 1 {
                        eprintln!("fold {} of {}", at.fold, at.folds);
                    }
                    counting.show(at.case, at.cases);
                })?
            }
            _ => unreachable!("clap asks for one of them beside the data"),
        },
        _ => unreachable!("clap asks for one of the pairs"),
    };
    let mut evaluation = Evaluation::of(cases, labels, convention.into())?;
    evaluation.passed_over = passed_over;
    evaluation.reliability = reliability;
    if let Some(path) = &args.csv {
        write(path, &evaluation.csv())?;
    }
    if let Some(path) = &args.picture {
        write(path, &picture_of(&evaluation)?)?;
    }
    match &args.json {
        Some(path) if path.as_os_str() == "-" => say!("{}", evaluation.json()?.trim_end()),
        path => {
            if let Some(path) = path {
                write(path, &evaluation.json()?)?;
            }
            say!("{}", evaluation.table().trim_end());
        }
    }
    Ok(())
}

impl Args {
    /// Where results go.
    fn outputs(&self) -> Vec<&Path> {
        let json = self.json.as_deref();
        let json = json.filter(|path| path.as_os_str() != "-");
        [json, self.csv.as_deref(), self.picture.as_deref()]
            .into_iter()
            .flatten()
            .collect()
    }

    /// Which cases a model is scored on, if that is said.
    fn rule(&self) -> anyhow::Result<Option<Split>> {
        if self.validation_every.is_none() && self.validation_fold.is_none() {
            return Ok(None);
        }
        let every = self.validation_every.unwrap_or(5);
        let fold = self.validation_fold.unwrap_or(0);
        ensure!(
            fold < every,
            "--validation-fold is {fold}, expected is a number below --validation-every, {every}"
        );
        Ok(Some(Split { every, fold }))
    }
}

/// What lies in the folders of runs.
fn files_of_runs(runs: &Path) -> Vec<PathBuf> {
    let files = |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten();
    files(runs.to_owned())
        .flat_map(|run| files(run.path()))
        .map(|file| file.path())
        .collect()
}

/// Writes a text, whole or not at all.
///
/// # Errors
/// Whatever the file system says.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    write_whole(path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}

/// What a model's answers on cases are worth.
struct Scored {
    cases: Vec<CaseScores>,
    labels: Vec<Label>,
    reliability: Option<Reliability>,
}

/// Scores a model folder on cases.
fn score_model(
    model: &Path,
    held_out: &HeldOut,
    convention: evaluation::Convention,
    device_name: &str,
) -> anyhow::Result<Scored> {
    let predictor = Predictor::of_model(load_model(model, device_name)?, device(device_name)?);
    check_order(predictor.channels(), &held_out.channels)?;
    let mut counting = Counting::new("scoring case");
    let mut answers = Answers::of(&predictor, held_out.names().len());
    let show = |case, cases| counting.show(case, cases);
    Ok(Scored {
        cases: score_cases(&predictor, held_out, convention, Some(&mut answers), show)?,
        labels: predictor.labels().to_vec(),
        // Of a model that is calibrated, they are so already.
        reliability: answers.reliability(1.0),
    })
}

/// How label maps are resized, if they are.
fn model_grid(
    convention: Convention,
    model: Option<&Path>,
) -> anyhow::Result<Option<Preprocessing>> {
    match (convention, model) {
        (Convention::Native, None) => Ok(None),
        (Convention::Paper, Some(model)) => {
            Ok(Some(ModelFolder::open(model).manifest()?.preprocessing))
        }
        (Convention::Paper, None) => bail!(
            "--convention paper compares on a model's resized grid: say with --grid which model's"
        ),
        (Convention::Native, Some(_)) => {
            bail!("--grid is for --convention paper; label maps are compared on their own grid")
        }
    }
}

/// Scores label maps against their references.
fn score_files(
    pairs: &Pairs,
    chosen: &[u8],
    grid: Option<&Preprocessing>,
) -> anyhow::Result<(Vec<CaseScores>, Vec<Label>)> {
    let grid = grid.map(|preprocessing| |shape, affine: &_| preprocessing.grid(shape, affine));
    let (cases, labels) = pairs.score(chosen, grid)?;
    Ok((cases, labels.into_iter().map(Label::unnamed).collect()))
}
