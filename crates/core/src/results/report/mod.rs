//! What a person should see of a training run, as one page.

mod curves;
mod page;
mod picture;
mod slices;

pub use picture::draw as picture_of;
pub use slices::png_of;

use super::predictor::Predictor;
use super::validation::{read_case, score_cases};
use super::{During, ResultsError, inputs_of_run};
use crate::infer::Keep;
use crate::train::Recipe;
use crate::train::dataset::{CaseSplit, HeldOut};
use crate::train::recipe_file::read_recipe;
use crate::train::run_folder::{RunFolder, RunState};
use burn::tensor::Device;
use dinomed3d_volume::atomic_file::{check_outputs_in, write_whole};
use dinomed3d_volume::evaluation::{Convention, Evaluation};
use page::{DrawnCase, Page};
use std::path::Path;

/// What a report consists of.
const REPORT_FILES: [&str; 4] = [
    "curves.svg",
    "validation.json",
    "validation.csv",
    "report.html",
];

/// How many cases are drawn.
const NUM_WORST: usize = 4;

/// Scores a run's best weights on its validation cases and writes its report; an older one is replaced. `progress` is
/// told a case and of how many.
///
/// # Errors
/// A run without weights of stage 2, a data set that is not its own, a folder that cannot be written.
pub fn report_run(
    run: &Path,
    data: &Path,
    device: Device,
    progress: impl FnMut(usize, usize),
) -> Result<Evaluation, ResultsError> {
    check_outputs_in(run, &REPORT_FILES, &inputs_of_run(run, data)?)?;
    let recipe = read_recipe(&run.join("recipe.toml"))?;
    let state = RunFolder(run.to_owned()).state()?.ok_or_else(|| {
        ResultsError::Unusable(format!("{} holds no training run", run.display()))
    })?;
    let split = CaseSplit::of_run_or_recipe(run, &recipe, data)?;
    let cases = HeldOut::of_split(&recipe, &split, data)?;
    let predictor = Predictor::of_run(run, &cases, device)?;
    let scores = score_cases(&predictor, &cases, Convention::Native, None, progress)?;
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
) -> Result<Vec<DrawnCase>, ResultsError> {
    let names = cases.names();
    let worst = evaluation.worst_first().into_iter().take(NUM_WORST);
    worst
        .map(|scores| {
            let place = names.iter().position(|name| *name == scores.case);
            let case = read_case(cases, place.expect("a case that was scored"))?;
            let drawing = || format!("drawing {}", scores.case);
            let prediction = predictor
                .predict(&case.channels, Keep::Nothing)
                .during(drawing)?;
            let slices = slices::worst_slices(
                &case.channels[0],
                &prediction.on_file_grid().labels,
                &case.reference.labels,
                &recipe.preprocessing.intensity,
            );
            Ok(DrawnCase {
                scores: scores.clone(),
                slices: slices.during(drawing)?,
            })
        })
        .collect()
}

/// Writes [`REPORT_FILES`] into a run's folder, each whole or not at all.
///
/// # Errors
/// A folder that cannot be written, a picture that cannot be laid out.
fn write_report(
    run: &Path,
    recipe: &Recipe,
    state: &RunState,
    evaluation: &Evaluation,
    worst: &[DrawnCase],
) -> Result<(), ResultsError> {
    let curves = curves::draw(&state.log, &evaluation.labels)?;
    let picture = picture::draw(evaluation)?;
    let [curves_file, json_file, csv_file, page_file] = REPORT_FILES;
    let write = |name: &str, text: &str| {
        let path = run.join(name);
        write_whole(&path, text.as_bytes()).during(|| format!("writing {}", path.display()))
    };
    let json = evaluation.json().during(|| "the evaluation".to_owned())?;
    write(curves_file, &curves)?;
    write(json_file, &json)?;
    write(csv_file, &evaluation.csv())?;
    let page = Page {
        recipe,
        state,
        evaluation,
        worst,
        curves: &curves,
        picture: &picture,
    };
    write(page_file, &page.html())
}
