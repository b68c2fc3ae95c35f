//! DINO-Med3D on the command line.

// It panics where nobody listens any more: `say!` is there instead.
#![deny(clippy::print_stdout)]

use clap::{Parser, Subcommand};
use std::process::ExitCode;

mod allocator;
mod bids;
mod calibrate;
mod cases;
mod check;
mod compare;
mod convert;
mod device;
mod evaluate;
mod export;
mod fingerprint;
mod group;
mod held_out;
mod info;
mod inspect;
mod learn;
mod many;
mod memory;
mod models;
mod nifti;
mod outputs;
mod places;
mod prepared_cases;
mod progress;
mod proxy;
mod quantize;
mod report;
mod say;
mod scan;
mod scan_list;
mod segment;
mod segmenting;
mod standing;
mod strokes;
mod synthesise;
mod threads;
mod train;
mod volumes;

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
    /// Say what a scan's file holds.
    Info(info::Args),
    /// Write a scan as NIfTI, whatever it came as.
    Nifti(nifti::Args),
    /// Say what a data set is like: spacings, intensities, sizes of labels.
    Fingerprint(fingerprint::Args),
    /// Segment scans.
    Segment(segment::Args),
    /// Show what goes on inside the network at a place of a scan, as maps and numbers.
    Inspect(inspect::Args),
    /// Segment a scan and have the network's last layers learn from a person's strokes, as in the page.
    Learn(learn::Args),
    /// Segment a BIDS data set, as a BIDS-App.
    Bids(bids::Args),
    /// Gather the volumes of many results in one table.
    Volumes(volumes::Args),
    /// List the models that can be named.
    Models(models::Args),
    /// Score label maps, a model on its validation cases, or the runs of a cross-validation.
    Evaluate(evaluate::Args),
    /// Train a network from a recipe and a labelled data set.
    Train(train::Args),
    /// Draw images from label maps, as a training from label maps would see them.
    Synthesise(synthesise::Args),
    /// Write what a person should see of a training run: curves, scores, the worst cases drawn.
    Report(report::Args),
    /// Lay runs of several recipes side by side: a table of their validation Dice.
    Compare(compare::Args),
    /// Take over a checkpoint of DINOv3 or of the authors' code.
    Convert(convert::Args),
    /// Store a model's weights in eight or four bits, and say what that costs.
    Quantize(quantize::Args),
    /// Put the result of a training run into a model folder, eight bits, scored.
    Export(export::Args),
    /// Make the probabilities of a model true, by the cases that it did not learn from.
    Calibrate(calibrate::Args),
    /// Give a model a head for stage 1's proxy task, so that what stage 1 makes of a scan can be shown.
    Proxy(proxy::Args),
    /// Say what learning from a person's strokes is worth: Dice of the worst held-out cases before and after strokes.
    Strokes(strokes::Args),
    /// Say whether a device computes what it should: models' known answers, reference numbers.
    Check(check::Args),
}

fn main() -> ExitCode {
    allocator::keep_memory();
    // A wrong command line ends in clap with exit code 2, as bad input does below.
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help is an answer: one that can't be written is no success.
        Err(error) if !error.use_stderr() => {
            return match error.print() {
                Ok(()) => ExitCode::SUCCESS,
                Err(cause) => say::failed(&cause),
            };
        }
        Err(error) => error.exit(),
    };
    let result = match cli.command {
        Command::Segment(args) => return ended(segment::run(args)),
        Command::Bids(args) => return ended(bids::run(args)),
        Command::Info(args) => info::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Learn(args) => learn::run(args),
        Command::Nifti(args) => nifti::run(args),
        Command::Fingerprint(args) => fingerprint::run(args),
        Command::Models(args) => models::run(args),
        Command::Volumes(args) => volumes::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Train(args) => train::run(args),
        Command::Synthesise(args) => synthesise::run(args),
        Command::Report(args) => report::run(args),
        Command::Compare(args) => compare::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Export(args) => export::run(args),
        Command::Quantize(args) => quantize::run(args),
        Command::Calibrate(args) => calibrate::run(args),
        Command::Proxy(args) => proxy::run(args),
        Command::Strokes(args) => strokes::run(args),
        Command::Check(args) => check::run(args),
    };
    ended(result.map(|()| ExitCode::SUCCESS))
}

fn ended(result: anyhow::Result<ExitCode>) -> ExitCode {
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("dinomed3d: {error:#}");
            ExitCode::from(2)
        }
    }
}
