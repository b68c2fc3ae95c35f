//! `dinomed3d compare`: runs side by side.

use crate::say::say;
use dinomed3d_core::results::compare::table;
use std::path::PathBuf;

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of runs that are done. Runs whose recipes differ in nothing but the seed, description, limits and colours
    /// make one row.
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

/// Prints a table in Markdown, a row for each recipe, the best first.
///
/// # Errors
/// A folder without a run that is done; runs that were scored on different cases.
pub fn run(args: Args) -> anyhow::Result<()> {
    say!("{}", table(&args.runs)?.trim_end());
    Ok(())
}
