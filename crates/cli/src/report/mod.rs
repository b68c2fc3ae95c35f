//! `dinomed3d report`: what a person should see of a training run.

mod curves;
mod page;
pub mod slices;

use crate::NOTICE;
use crate::evaluate::convention::Convention;
use crate::evaluate::evaluation::Evaluation;
use crate::evaluate::{csv, json, picture, write};
use crate::predictor::Predictor;
use crate::recipe_file::read_recipe;
use crate::validation::{read_case, score_cases};
use anyhow::Context;
use dinomed3d_core::train::Recipe;
use dinomed3d_core::train::dataset::HeldOut;
use dinomed3d_core::train::run_folder::{RunFolder, RunState};
use page::{DrawnCase, Page};
use std::path::{Path, PathBuf};

/// How many cases are drawn.
const NUM_WORST: usize = 4;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the training run; the report goes into it.
    run: PathBuf,
    /// The data set of the run.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// cpu, or vulkan or cuda where the program was built with them.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Writes a report and says where.
///
/// # Errors
/// See [`report_run`].
pub fn run(args: Args) -> anyhow::Result<()> {
    let evaluation = report_run(&args.run, &args.data, &args.device)?;
    println!(
        "mean Dice {:.4} over {} validation cases; report in {}",
        evaluation.mean.dice,
        evaluation.cases.len(),
        args.run.join("report.html").display()
    );
    println!("{NOTICE}");
    Ok(())
}

/// Scores a run's best weights on its validation cases and writes its report; an older one is replaced.
///
/// # Errors
/// A run without weights of stage 2, a data set that is not its own, a folder that cannot be written.
pub fn report_run(run: &Path, data: &Path, device: &str) -> anyhow::Result<Evaluation> {
    let recipe = read_recipe(&run.join("recipe.toml"))?;
    let state = RunFolder(run.to_owned())
        .state()?
        .with_context(|| format!("{} holds no training run", run.display()))?;
    let cases = HeldOut::of_recipe(&recipe, data)?;
    let predictor = Predictor::of_run(run, &cases, device)?;
    let scores = score_cases(&predictor, &cases, Convention::Native)?;
    let evaluation = Evaluation::of(scores, predictor.labels().to_vec(), Convention::Native)?;
    let worst = draw_worst(&predictor, &recipe, &cases, &evaluation)?;
    write_report(run, &recipe, &state, &evaluation, &worst)?;
    Ok(evaluation)
}

/// Segments the worst cases once more and draws them, of several channels the first; so no label map waits in memory for being one of them.
fn draw_worst(
    predictor: &Predictor,
    recipe: &Recipe,
    cases: &HeldOut,
    evaluation: &Evaluation,
) -> anyhow::Result<Vec<DrawnCase>> {
    let names = cases.names();
    let worst = evaluation.worst_first().into_iter().take(NUM_WORST);
    worst
        .map(|scores| {
            let place = names.iter().position(|name| *name == scores.case);
            let case = read_case(cases, place.expect("a case that was scored"))?;
            let drawing = || format!("drawing {}", scores.case);
            let scored = predictor.score(&case.channels).with_context(drawing)?;
            let slices = slices::worst_slices(
                &case.channels[0],
                &scored.on_file_grid()?.labels,
                &case.reference.labels,
                &recipe.preprocessing.intensity,
            );
            Ok(DrawnCase {
                scores: scores.clone(),
                slices: slices.with_context(drawing)?,
            })
        })
        .collect()
}

/// Writes `report.html`, `curves.svg`, `validation.json` and `validation.csv` into a run's folder, each whole or not
/// at all.
///
/// # Errors
/// A folder that cannot be written, a picture that cannot be laid out.
pub fn write_report(
    run: &Path,
    recipe: &Recipe,
    state: &RunState,
    evaluation: &Evaluation,
    worst: &[DrawnCase],
) -> anyhow::Result<()> {
    let curves = curves::draw(&state.log, &evaluation.labels)?;
    let picture = picture::draw(evaluation)?;
    write(&run.join("curves.svg"), &curves)?;
    write(&run.join("validation.json"), &json(evaluation)?)?;
    write(&run.join("validation.csv"), &csv::csv(evaluation)?)?;
    let page = Page {
        recipe,
        state,
        evaluation,
        worst,
        curves: &curves,
        picture: &picture,
    };
    write(&run.join("report.html"), &page.html())
}
