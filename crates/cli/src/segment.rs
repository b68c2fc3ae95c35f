//! `dinomed3d segment`: from scans to their label maps.

use crate::cases::{self, Selection};
use crate::many::{self, Many};
use crate::outputs::{self, Content, Kind};
use crate::say::say;
use crate::scan::{Choice, files_of};
use crate::segmenting::{By, Input, Models};
use crate::threads;
use anyhow::Context;
use dinomed3d_core::infer::Keep;
use dinomed3d_volume::atomic_file::check_outputs;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};
use dinomed3d_volume::{NOTICE, Outline};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Arguments of `segment`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan: NIfTI (of a pair either file), ANALYZE 7.5, MGH; DICOM as a folder, a zip or one file. Of a model of several
    /// channels a file for each, in the model's order, or one file whose fourth dimension they are. With --out any number of
    /// scans, each by itself: files, folders of them, patterns such as 'study/*/t1.nii.gz', a BIDS data set.
    #[arg(required_unless_present = "list", value_name = "SCAN")]
    scans: Vec<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    #[arg(
        short,
        long = "output",
        value_name = "FILE",
        required_unless_present_any = ["preflight", "out"],
        conflicts_with = "out",
        help = outputs::HELP_OF_MANY
    )]
    outputs: Vec<PathBuf>,
    /// Folder for the results of many scans, which takes over the folders that they lie in: of each NAME_dseg.nii.gz, its
    /// labels, volumes and where it came from. What is finished is not done again. A line of JSON a scan on stdout; exit code 1 if
    /// any failed, or the table of all volumes.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    by: By,
    /// Only say what it would take: windows, arithmetic, time on this device, memory.
    #[arg(long, conflicts_with_all = ["outputs", "out"])]
    preflight: bool,
    #[command(flatten)]
    selection: Selection,
    #[command(flatten)]
    many: Many,
}

/// Segments; a failure of one scan among many is an exit code, not an error.
///
/// # Errors
/// A scan or model that cannot be read, or an output that cannot be written.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    threads::share_out(args.by.threads.map(usize::from))?;
    if let Some(out) = &args.out {
        let cases = cases::find(&args.scans, &args.selection, out)?;
        return many::run(cases, out, &args.choice, &args.by, &args.many);
    }
    let mut inputs = args.by.files()?;
    for scan in &args.scans {
        inputs.extend(files_of(scan)?);
    }
    check_outputs(&args.outputs, &inputs)?;
    let kinds = args.outputs.iter().map(|path| Kind::of(path));
    let kinds: Vec<Kind> = kinds.collect::<anyhow::Result<_>>()?;
    let outline = Input::outline(&args.scans, &args.choice)?;
    let models = Models::load(&args.by)?;
    models.expect_channels(&args.scans, &outline)?;
    if args.preflight {
        return preflight(&models, &outline).map(|()| ExitCode::SUCCESS);
    }
    let keep = Kind::keep(&kinds);
    models.expect_room(&outline, &args.scans[0].display().to_string(), keep)?;
    let input = Input::read(&args.scans, &args.choice, models.first(), |warning| {
        eprintln!("warning: {warning}");
    })?;
    if kinds.contains(&Kind::DicomSeg) {
        outputs::expect_dicom(input.origin(), input.name())?;
    }
    let found = models.segment(&input, keep, "")?;
    for warning in &found.warnings {
        eprintln!("warning: {warning}");
    }
    let result = input.result(&found)?;
    let writing = |output: &PathBuf| format!("writing {}", output.display());
    // All of them or none.
    let mut made: Vec<(PathBuf, Content)> = Vec::new();
    for (output, kind) in args.outputs.iter().zip(kinds) {
        made.extend(
            result
                .files(kind, output)
                .with_context(|| writing(output))?,
        );
    }
    let names: Vec<&PathBuf> = made.iter().map(|(output, _)| output).collect();
    check_outputs(&names, &inputs)?;
    for (output, file) in &made {
        file.write(output).with_context(|| writing(output))?;
    }
    say!("label  voxels  volume (mL)  name");
    for (label, size) in found.labels.iter().zip(result.sizes()) {
        let LabelSize {
            value,
            voxels,
            volume_ml,
        } = size;
        say!("{value:5}  {voxels:6}  {volume_ml:11.3}  {}", label.name);
    }
    if let Some(seen) = &found.seen {
        let (shape, affine) = (found.map.shape, found.map.affine);
        let ranges = models
            .first()
            .volume_ranges(seen, &result.sizes(), shape, &affine)?;
        say_ranges(&ranges);
    }
    say!("{NOTICE}");
    Ok(ExitCode::SUCCESS)
}

/// Says between which volumes the true ones lie.
fn say_ranges(ranges: &[VolumeRange]) {
    if !ranges.is_empty() {
        say!(
            "label  at least    at most (mL), in nine of ten cases like those that the model was calibrated by"
        );
    }
    for range in ranges {
        let VolumeRange {
            value,
            right,
            low_ml,
            high_ml,
        } = range;
        let label = right.map_or_else(|| value.to_string(), |right| format!("{value}+{right}"));
        say!("{label:>5}  {low_ml:8.3}  {high_ml:9.3}");
    }
}

/// Says what segmenting would take; the time is that of a piece of a window, as much longer as there is more arithmetic.
fn preflight(models: &Models, scan: &Outline) -> anyhow::Result<()> {
    let segmenter = models.first();
    let begun = Instant::now();
    let gflop = pollster::block_on(segmenter.rehearse())?;
    let seconds_per_gflop = begun.elapsed().as_secs_f64() / gflop;
    let preflight = models.preflight(scan, Keep::default())?;
    say!("windows  GFLOP  about  memory");
    say!(
        "{:7}  {:5.0}  {:3.0} s  {:.2} GB",
        preflight.windows,
        preflight.gflop,
        preflight.gflop * seconds_per_gflop,
        preflight.memory_bytes as f64 / 1e9
    );
    Ok(())
}
