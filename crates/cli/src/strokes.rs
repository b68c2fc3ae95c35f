//! `dinomed3d strokes`: what learning from a person's strokes is worth, by cases whose reference is known.

use crate::device::device;
use crate::progress::Counting;
use crate::say::{say, say_passed_over};
use crate::segmenting::load_model;
use anyhow::ensure;
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_core::results::model_cases::ModelCases;
use dinomed3d_core::results::predictor::Predictor;
use dinomed3d_core::results::strokes::{Step, StrokedCase, stroke_worst};
use dinomed3d_core::results::validation::check_order;
use dinomed3d_core::train::dataset::DatasetIndex;
use dinomed3d_volume::statistics::mean;
use std::path::PathBuf;

/// Arguments of `strokes`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// Data set with the cases that the manifest says were held out.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Strokes in each case: in the largest wrong part that is left, a voxel wide, 10 mm long at most, labelled as the reference.
    #[arg(long, value_name = "N", default_value_t = 10)]
    strokes: usize,
    /// How many cases get them: those with the lowest mean Dice.
    #[arg(long, value_name = "N", default_value_t = 10)]
    worst: usize,
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Imitates a person, and prints a row for each case.
///
/// # Errors
/// A model or data set that can't be read.
pub fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        args.strokes > 0 && args.worst > 0,
        "--strokes is {} and --worst {}, expected is 1 at least of both",
        args.strokes,
        args.worst
    );
    let index = DatasetIndex::read(&args.data)?;
    let training = ModelFolder::open(&args.model).manifest()?.training;
    let cases = ModelCases::of(&training, &index, None)?;
    cases.notes.iter().for_each(|note| eprintln!("{note}"));
    say_passed_over(&cases.passed_over);
    let segmenter = load_model(&args.model, &args.device)?;
    let predictor = Predictor::of_model(segmenter, device(&args.device)?);
    check_order(predictor.channels(), &cases.held_out.channels)?;
    let (mut scoring, mut mending) = (Counting::new("scoring case"), Counting::new("mending case"));
    let stroked = stroke_worst(
        &predictor,
        &cases.held_out,
        args.worst,
        args.strokes,
        |step, case, cases| match step {
            Step::Scoring => scoring.show(case, cases),
            Step::Mending => mending.show(case, cases),
        },
    )?;
    say!("{}", table(&stroked, args.strokes));
    Ok(())
}

/// A row for each case, and their mean.
fn table(cases: &[StrokedCase], strokes: usize) -> String {
    let mut text = format!(
        "{:<24} {:>8} {:>8} {:>8}  {:>7}\n",
        "case", "before", "painted", "learnt", "voxels"
    );
    let row = |name: &str, [before, painted, learnt]: [f64; 3], voxels: f64| {
        format!("{name:<24} {before:>8.4} {painted:>8.4} {learnt:>8.4}  {voxels:>7.0}\n")
    };
    let scores = |case: &StrokedCase, after: usize| [case.painted[after], case.learnt[after]];
    let of = |case: &StrokedCase| {
        let [painted, learnt] = scores(case, strokes);
        [case.painted[0], painted, learnt]
    };
    for case in cases {
        text += &row(&case.name, of(case), case.voxels as f64);
    }
    let mean = |value: &dyn Fn(&StrokedCase) -> f64| mean(cases.iter().map(value)).unwrap_or(0.0);
    let means = [0, 1, 2].map(|which| mean(&|case| of(case)[which]));
    text += &row("mean", means, mean(&|case| case.voxels as f64));
    text += "\nmean Dice after each stroke, painted and learnt:\n";
    for after in 0..=strokes {
        let [painted, learnt] = [0, 1].map(|which| mean(&|case| scores(case, after)[which]));
        text += &format!("{after:>3} {painted:.4} {learnt:.4}\n");
    }
    text.trim_end().to_owned()
}
