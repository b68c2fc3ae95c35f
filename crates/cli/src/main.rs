//! DINO-Med3D on the command line.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod device;
mod export;
mod segment;
mod train;
mod validation;

/// Segments 3-D medical scans with DINO-Med3D and trains the networks for it.
///
/// Research and education only; not a medical device.
#[derive(Debug, Parser)]
#[command(name = "dinomed3d", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Segment a scan.
    Segment(segment::Args),
    /// Put the result of a training run into a model folder, eight bits, scored.
    Export(export::Args),
    /// Train a network from a recipe and a labelled data set.
    Train(train::Args),
}

fn main() -> ExitCode {
    // A wrong command line ends in clap with exit code 2, as bad input does below.
    let result = match Cli::parse().command {
        Command::Segment(args) => segment::run(args),
        Command::Export(args) => export::run(args),
        Command::Train(args) => train::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dinomed3d: {error:#}");
            ExitCode::from(2)
        }
    }
}
