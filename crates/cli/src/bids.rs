//! `dinomed3d bids`: a BIDS-App, <https://bids-apps.neuroimaging.io>.

use crate::cases::{self, OfDataSet};
use crate::group;
use crate::many::{self, Many};
use crate::say::say;
use crate::scan::Choice;
use crate::segmenting::By;
use crate::threads;
use anyhow::ensure;
use dinomed3d_volume::bids;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `bids`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The data set.
    #[arg(value_name = "DATASET")]
    data_set: PathBuf,
    /// Folder for the derivatives.
    out: PathBuf,
    /// participant: segments the scans; group: writes one table of all volumes, volumes.tsv.
    #[arg(value_enum)]
    level: Level,
    #[command(flatten)]
    of_data_set: OfDataSet,
    #[command(flatten)]
    by: By,
    #[command(flatten)]
    many: Many,
    /// Taken for the sake of other BIDS-Apps: nothing is validated.
    #[arg(long, hide = true, alias = "skip_bids_validator")]
    skip_bids_validator: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Level {
    Participant,
    Group,
}

/// Runs one level.
///
/// # Errors
/// A data set that is none, or a level that can't begin.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    match args.level {
        Level::Participant => {
            threads::share_out(args.by.threads.map(usize::from))?;
            let cases = cases::find_in_data_set(&args.data_set, &args.of_data_set)?;
            many::run(cases, &args.out, &Choice::default(), &args.by, &args.many)
        }
        Level::Group => {
            ensure!(
                bids::is_data_set(&args.data_set),
                "{} is no BIDS data set: expected is a folder with dataset_description.json",
                args.data_set.display()
            );
            say!("{}", group::write(&args.out)?.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}
