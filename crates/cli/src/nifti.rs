//! `dinomed3d nifti`: a scan as a NIfTI file, whatever it came as.

use crate::scan::{Choice, files_of};
use anyhow::Context;
use dinomed3d_volume::atomic_file::{check_outputs, write_whole};
use dinomed3d_volume::gzip;
use dinomed3d_volume::nifti::{is_gzip_name, stem};
use std::path::PathBuf;

/// Arguments of `nifti`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan: NIfTI-1 or NIfTI-2 (of a pair either file), ANALYZE 7.5, MGH or MGZ; DICOM as a folder, a zip or one file.
    input: PathBuf,
    /// Where the file goes, `.nii` or `.nii.gz`, never over the scan.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    choice: Choice,
}

/// Writes what was read: voxels and scale as they are stored, the header of a NIfTI file in its own version, otherwise a new
/// one that says the same place.
///
/// # Errors
/// A scan that cannot be read, a volume that it has not, or an output that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let name = args.output.display();
    anyhow::ensure!(
        stem(&args.output).is_some(),
        "{name} is the name of no NIfTI file: expected is an ending of .nii or .nii.gz"
    );
    check_outputs(&[&args.output], &files_of(&args.input)?)?;
    let scan = args.choice.read(&args.input)?;
    for warning in scan.warnings() {
        eprintln!("warning: {warning}");
    }
    let mut file = scan.encode()?;
    if is_gzip_name(&args.output) {
        file = gzip(&file);
    }
    write_whole(&args.output, &file).with_context(|| format!("writing {name}"))
}
