//! `dinomed3d proxy`: gives a model the head of stage 1's proxy task, for the page to show what stage 1 makes of a scan.

use crate::held_out::held_out;
use crate::progress::Counting;
use crate::say::say;
use crate::segmenting::load_model;
use anyhow::ensure;
use dinomed3d_core::model_folder::{CARD_FILE, MANIFEST_FILE, ModelFolder};
use dinomed3d_core::results::model_card::with_stage1;
use dinomed3d_core::results::proxy::{FitSettings, Step, fit_proxy, scored_proxy};
use dinomed3d_core::results::validation::check_order;
use dinomed3d_core::train::recipe_file::read_recipe;
use dinomed3d_volume::atomic_file::check_outputs_in;
use std::path::PathBuf;

/// Arguments of `proxy`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model; its manifest and card are completed.
    model: PathBuf,
    /// Data set with the cases that the manifest names: the head is fitted to those that were learnt from, and scored on those that were
    /// held out.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Recipe by which a model was trained from label maps: windows and cases are drawn.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Windows of each training case.
    #[arg(long, value_name = "N", default_value_t = 1)]
    windows: usize,
    /// How often each window is seen.
    #[arg(long, value_name = "N", default_value_t = 50)]
    epochs: usize,
}

/// Fits and scores.
///
/// # Errors
/// A model, recipe or data set that can't be read; a folder that can't be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        args.windows > 0 && args.epochs > 0,
        "--windows is {} and --epochs {}, expected is 1 at least of both",
        args.windows,
        args.epochs
    );
    let folder = ModelFolder::open(&args.model);
    let mut manifest = folder.manifest()?;
    ensure!(
        !manifest.training.training_cases.is_empty(),
        "the manifest of {} does not say which cases it learnt from: expected are their names, to fit to no others",
        args.model.display()
    );
    let recipe = args.recipe.as_deref();
    let (cases, inputs) = held_out(&args.model, &manifest.training, &args.data, recipe)?;
    check_outputs_in(&args.model, &[MANIFEST_FILE, CARD_FILE], &inputs)?;
    check_order(&manifest.channel_names(), &cases.channels)?;
    let settings = recipe.map(read_recipe).transpose()?;
    let (_, network) = load_model(&args.model, "cpu")?.into_parts();
    let (mut looking, mut fitting) = (Counting::new("window"), Counting::new("step"));
    let fit = FitSettings {
        windows_per_case: args.windows,
        epochs: args.epochs,
    };
    let weights = fit_proxy(
        &manifest,
        &network,
        &args.data,
        settings.as_ref(),
        fit,
        |step, place, of| match step {
            Step::Looking => looking.show(place, of),
            Step::Fitting => fitting.show(place, of),
        },
    )?;
    let mut scoring = Counting::new("scoring case");
    let show = |case, cases| scoring.show(case, cases);
    let by_class = recipe.is_some();
    let proxy = scored_proxy(&manifest, &network, (weights, true), &cases, by_class, show)?;
    // What is said may find no reader.
    manifest.proxy = Some(proxy.clone());
    folder.rewrite(&manifest, |card| with_stage1(card, &proxy))?;
    say!(
        "stage 1 by a head that was fitted anew: mean Dice {:.4} over {} held-out cases",
        proxy.mean_dice,
        proxy.num_cases
    );
    Ok(())
}
