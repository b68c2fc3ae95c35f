//! `dinomed3d report`: what a person should see of a training run.

use crate::device::device;
use crate::progress::Counting;
use crate::say::say;
use dinomed3d_core::results::data_notes;
use dinomed3d_core::results::report::report_run;
use dinomed3d_volume::NOTICE;
use std::path::PathBuf;

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the training run; the report goes into it.
    run: PathBuf,
    /// The data set of the run.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// Writes a report and says where.
///
/// # Errors
/// See [`report_run`].
pub fn run(args: Args) -> anyhow::Result<()> {
    for note in data_notes(&args.run, &args.data)? {
        eprintln!("{note}");
    }
    let mut counting = Counting::new("scoring case");
    let evaluation = report_run(
        &args.run,
        &args.data,
        device(&args.device)?,
        |case, cases| counting.show(case, cases),
    )?;
    say!(
        "mean Dice {:.4} over {} validation cases; report in {}",
        evaluation.mean_dice(),
        evaluation.cases.len(),
        args.run.join("report.html").display()
    );
    say!("{NOTICE}");
    Ok(())
}
