//! `dinomed3d volumes`: one table of what many jobs have found.

use crate::group;
use crate::say::say;
use std::path::PathBuf;

/// Arguments of `volumes`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of results, where volumes.tsv is written: a row a scan, a column a structure and side, mL.
    folder: PathBuf,
}

/// Gathers the tables of a folder's results.
///
/// # Errors
/// A folder without results, or a table that is none of volumes.
pub fn run(args: Args) -> anyhow::Result<()> {
    say!("{}", group::write(&args.folder)?.display());
    Ok(())
}
