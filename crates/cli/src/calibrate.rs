//! `dinomed3d calibrate`: makes the probabilities of a model that is there already true.

use crate::device::device;
use crate::held_out::held_out;
use crate::progress::Counting;
use crate::say::say;
use crate::segmenting::load_model;
use anyhow::Context;
use dinomed3d_core::model_folder::{CARD_FILE, MANIFEST_FILE, ModelFolder};
use dinomed3d_core::results::calibration::calibrate;
use dinomed3d_core::results::model_card::with_certainty;
use dinomed3d_core::results::predictor::Predictor;
use dinomed3d_core::results::validation::check_order;
use dinomed3d_volume::atomic_file::check_outputs_in;
use std::path::PathBuf;

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
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
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
    let (cases, inputs) = held_out(
        &args.model,
        &manifest.training,
        &args.data,
        args.recipe.as_deref(),
    )?;
    check_outputs_in(&args.model, &[MANIFEST_FILE, CARD_FILE], &inputs)?;
    let segmenter = load_model(&args.model, &args.device)?;
    let predictor = Predictor::of_model(segmenter, device(&args.device)?).uncalibrated();
    check_order(predictor.channels(), &cases.channels)?;
    let mut counting = Counting::new("calibrating by case");
    let calibration = calibrate(&predictor, &cases, |case, cases| {
        counting.show(case, cases);
    })?;
    let calibration = calibration.with_context(|| {
        format!(
            "{} labels nothing in any of its held-out cases, expected is something to calibrate by",
            args.model.display()
        )
    })?;
    // What is said may find no reader.
    manifest.calibration = Some(calibration.clone());
    folder.rewrite(&manifest, |card| with_certainty(card, &calibration))?;
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
    Ok(())
}
