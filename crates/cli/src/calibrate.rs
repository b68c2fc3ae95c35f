//! `dinomed3d calibrate`: makes the probabilities of a model that is there already true.

use crate::device::device;
use crate::evaluate::say_passed_over;
use crate::progress::Counting;
use crate::say::say;
use crate::segmenting::load_model;
use anyhow::{Context, ensure};
use dinomed3d_core::manifest::TrainingFacts;
use dinomed3d_core::model_folder::{CARD_FILE, MANIFEST_FILE, ModelFolder, readable_json};
use dinomed3d_core::results::calibration::calibrate;
use dinomed3d_core::results::model_card::with_certainty;
use dinomed3d_core::results::model_cases::ModelCases;
use dinomed3d_core::results::predictor::Predictor;
use dinomed3d_core::results::validation::check_order;
use dinomed3d_core::train::dataset::{CaseSplit, DatasetIndex, HeldOut, Listing};
use dinomed3d_core::train::recipe_file::{read_recipe, recipe_files};
use dinomed3d_volume::atomic_file::check_outputs_in;
use std::path::{Path, PathBuf};

/// Arguments of `calibrate`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model; its manifest and card are completed.
    model: PathBuf,
    /// Data set with the cases that the manifest says were held out.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Recipe by which a model was trained from label maps: cases are drawn from those of its maps that were held out.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// cpu, or vulkan or cuda where the program was built with them.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Calibrates, and says how true probabilities are then.
///
/// # Errors
/// A model or data set that can't be read; a folder that can't be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let folder = ModelFolder::open(&args.model);
    let mut manifest = folder.manifest()?;
    let held_out = match &args.recipe {
        Some(recipe) => drawn(&args, &manifest.training, recipe)?,
        None => labelled(&args, &manifest.training)?,
    };
    let segmenter = load_model(&args.model, &args.device)?;
    let predictor = Predictor::of_model(segmenter, device(&args.device)?).uncalibrated();
    check_order(predictor.channels(), &held_out.channels)?;
    let mut counting = Counting::new("calibrating by case");
    let calibration = calibrate(&predictor, &held_out, |case, cases| {
        counting.show(case, cases);
    })?;
    let calibration = calibration.with_context(|| {
        format!(
            "{} labels nothing in any of its held-out cases, expected is something to calibrate by",
            args.model.display()
        )
    })?;
    say!(
        "temperature {:.3}; expected calibration error {:.4}, {:.4} without it, over {} cases",
        calibration.temperature,
        calibration.reliability.expected_error(),
        calibration.uncalibrated_error,
        calibration.cases
    );
    if let Some(volumes) = &calibration.volumes {
        say!(
            "intervals of the volumes of {} labels, to hold the true one in {:.0} % of cases",
            volumes.labels.len(),
            100.0 * volumes.coverage
        );
    }
    let card = folder.file(CARD_FILE);
    let card = match std::fs::read_to_string(&card) {
        Ok(card) => Some(with_certainty(&card, &calibration)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("reading {}", card.display())),
    };
    manifest.calibration = Some(calibration);
    folder.write(MANIFEST_FILE, &readable_json(&manifest))?;
    if let Some(card) = card {
        folder.write(CARD_FILE, card.as_bytes())?;
    }
    Ok(())
}

/// The cases of a data set that the model did not learn from.
fn labelled(args: &Args, training: &TrainingFacts) -> anyhow::Result<HeldOut> {
    let index = DatasetIndex::read(&args.data)?;
    check_outputs_in(
        &args.model,
        &[MANIFEST_FILE, CARD_FILE],
        &index.files(&args.data),
    )?;
    let cases = ModelCases::of(training, &index, None)?;
    let held_out = &training.validation_cases;
    ensure!(
        cases
            .held_out
            .names()
            .iter()
            .all(|name| held_out.contains(name)),
        "{} holds none of the {} cases that the manifest of {} says were held out; by others, from which it may have learnt, nothing is calibrated",
        args.data.display(),
        held_out.len(),
        args.model.display()
    );
    cases.notes.iter().for_each(|note| eprintln!("{note}"));
    say_passed_over(&cases.passed_over);
    Ok(cases.held_out)
}

/// Images drawn from the label maps that the model did not learn from.
fn drawn(args: &Args, training: &TrainingFacts, recipe: &Path) -> anyhow::Result<HeldOut> {
    let settings = read_recipe(recipe)?;
    ensure!(
        settings.synthesis.is_some(),
        "{} has no [synthesis]: its cases are those of a data set, which --data alone names",
        recipe.display()
    );
    let data = Listing::read(&settings, &args.data)?;
    let inputs = [data.files, recipe_files(recipe)?].concat();
    check_outputs_in(&args.model, &[MANIFEST_FILE, CARD_FILE], &inputs)?;
    say_passed_over(&data.passed_over);
    let split = CaseSplit {
        train: training.training_cases.clone(),
        val: training.validation_cases.clone(),
    };
    Ok(HeldOut::of_split(&settings, &split, &args.data)?)
}
