//! The sample: a made-up scan with its own reference. It is drawn, so no data file is committed.

use crate::files::write_if_new;
use anyhow::Result;
use dinomed3d_volume::gzip;
use dinomed3d_volume::phantom::{self, Files};
use std::path::Path;

/// Writes `sample.nii.gz`, a T1-like crop of a left hippocampus, and `sample_dseg.nii.gz`, its reference (1 anterior, 2 posterior).
///
/// # Errors
/// Whatever the file system says.
pub fn make(folder: &Path) -> Result<()> {
    let Files { scan, reference } = phantom::draw(phantom::SAMPLE_SEED).files();
    write_if_new(&folder.join("sample.nii.gz"), &gzip(&scan))?;
    write_if_new(&folder.join("sample_dseg.nii.gz"), &gzip(&reference))
}
