//! `dinomed3d check`: whether a device computes what it should.

use crate::device::device;
use crate::places::models;
use crate::say::say;
use crate::segmenting::load_unchecked;
use anyhow::{Context, ensure};
use dinomed3d_core::infer::check::CheckReach;
use dinomed3d_core::model_folder::{MANIFEST_FILE, ModelFolder};
use dinomed3d_core::reference::{Comparison, Reference, compare_all};
use std::path::{Path, PathBuf};

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Folder of model folders; each has to give its known answer [default: public/models, or models beside the
    /// program or in the user's data folder, unless there is --reference].
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Folder of reference numbers; each of its networks has to give those of PyTorch.
    #[arg(long, value_name = "DIR")]
    reference: Option<PathBuf>,
    /// Write what this device answers for a whole window into each manifest, where the rest of the known answer holds: for
    /// models of an older program, which say nothing of it.
    #[arg(long)]
    add_window: bool,
}

/// Compares and prints a table (CSV): device, what was compared, relative error, what is allowed.
///
/// # Errors
/// A device that is not there or computes wrongly; a model or reference numbers that can't be read.
pub fn run(args: Args) -> anyhow::Result<()> {
    // A row at a time: what is known so far stays known if the device stops the program.
    let row = |cells: [&str; 4]| -> anyhow::Result<()> {
        let mut row = csv::Writer::from_writer(Vec::new());
        row.write_record(cells)?;
        let row = String::from_utf8(row.into_inner()?)?;
        say!("{}", row.trim_end());
        Ok(())
    };
    row(["device", "check", "error", "allowed"])?;
    let mut checked = 0;
    let mut wrong = Vec::new();
    let mut write = |comparisons: Vec<Comparison>| -> anyhow::Result<()> {
        for comparison in comparisons {
            checked += 1;
            row([
                &args.device,
                &comparison.name,
                &format!("{:.2e}", comparison.error),
                &format!("{:.0e}", comparison.tolerance),
            ])?;
            if !comparison.is_tolerable() {
                wrong.push(comparison.name);
            }
        }
        Ok(())
    };
    let usual = || args.reference.is_none().then(models).transpose();
    if let Some(models) = args
        .models
        .clone()
        .map_or_else(usual, |models| Ok(Some(models)))?
    {
        for folder in model_folders(&models)? {
            write(known_answer(&folder, &args.device, args.add_window)?)?;
        }
    }
    if let Some(folder) = &args.reference {
        let reference = Reference::open(folder)?;
        let device = device(&args.device)?;
        write(pollster::block_on(compare_all(&reference, &device))?)?;
    }
    ensure!(
        wrong.is_empty(),
        "device {} is off in {} of {checked}: {}",
        args.device,
        wrong.len(),
        wrong.join(", ")
    );
    Ok(())
}

/// The folders of models in a folder, sorted.
fn model_folders(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("in {}", folder.display()))?;
    let mut folders = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    folders.retain(|path| path.join(MANIFEST_FILE).is_file());
    ensure!(!folders.is_empty(), "{} holds no model", folder.display());
    folders.sort();
    Ok(folders)
}

/// How far the device is from a model's known answer; of `adds_window` see [`Args`].
fn known_answer(folder: &Path, device: &str, adds_window: bool) -> anyhow::Result<Vec<Comparison>> {
    let segmenter = load_unchecked(folder, device)?;
    let reach = if adds_window {
        CheckReach::Parts
    } else {
        CheckReach::Window
    };
    let errors = pollster::block_on(segmenter.self_check(reach))?;
    let model = &segmenter.manifest().name;
    if adds_window && errors.are_tolerable() {
        let mut manifest = segmenter.manifest().clone();
        manifest.check.window = Some(pollster::block_on(segmenter.window_answer())?);
        ModelFolder::open(folder).write_manifest(&manifest)?;
        eprintln!(
            "{}: known answer for a whole window written",
            folder.display()
        );
    } else if errors.window.is_none() {
        eprintln!(
            "{}: the manifest says nothing of a whole window, which was not checked",
            folder.display()
        );
    }
    let comparison = |part: &str, error| Comparison {
        name: format!("{model} {part}"),
        error,
        tolerance: errors.allowed,
    };
    let parts = [
        Some(comparison("first block", errors.first_block)),
        Some(comparison("logits", errors.logits)),
        errors.window.map(|error| comparison("window", error)),
    ];
    Ok(parts.into_iter().flatten().collect())
}
