//! `dinomed3d export`: from a training run to a model that the page can serve.

use crate::progress::Counting;
use crate::say::say;
use dinomed3d_core::results::export::{check_output, export};
use dinomed3d_core::results::{data_notes, inputs_of_run};
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the training run.
    run: PathBuf,
    /// Where the model goes.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The data set of the run; the exported weights are scored on its validation cases.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Another run that began with the same weights, by --init; the mean of both is exported. May be given several times.
    #[arg(long, value_name = "RUN")]
    average_with: Vec<PathBuf>,
    /// Version of the weights.
    #[arg(long, default_value = "0.1.0")]
    weights_version: String,
}

/// Exports.
///
/// # Errors
/// A run or data set that cannot be read, or a folder that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let mut inputs = Vec::new();
    for run in args.average_with.iter().chain([&args.run]) {
        inputs.extend(inputs_of_run(run, &args.data)?);
    }
    check_output(&args.output, &inputs)?;
    for note in data_notes(&args.run, &args.data)? {
        eprintln!("{note}");
    }
    let mut counting = Counting::new("scoring case");
    let exported = export(
        &args.run,
        &args.average_with,
        &args.data,
        &args.weights_version,
        |case, cases| counting.show(case, cases),
    )?;
    // What is said may find no reader.
    exported.write(&args.output)?;
    let manifest = &exported.manifest;
    if let Some(scores) = &manifest.scores {
        say!(
            "mean Dice {:.4} over {} cases, {:.4} before quantisation",
            scores.mean_dice,
            scores.num_cases,
            exported.unquantized_dice
        );
    }
    for (index, (postprocessing, dice)) in exported.tried.iter().enumerate() {
        let mark = if index == exported.chosen {
            ", chosen"
        } else {
            ""
        };
        say!(
            "postprocessing: {}: {dice:.4}{mark}",
            postprocessing.describe(|value| manifest.label_name(value))
        );
    }
    Ok(())
}
