//! `dinomed3d sample`: a made-up scan with its own reference, to try the program with.

use anyhow::Context;
use dinomed3d_volume::atomic_file::write_whole;
use dinomed3d_volume::gzip;
use dinomed3d_volume::phantom::{self, Files};
use std::path::{Path, PathBuf};

/// The one sample there is.
pub const SEED: u64 = 11;

/// Command line of `dinomed3d sample`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder for sample.nii.gz (a made-up T1-like crop of a left hippocampus) and
    /// sample_dseg.nii.gz (its reference: 1 anterior, 2 posterior).
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Writes the sample scan and its reference.
///
/// # Errors
/// Whatever the file system says.
pub fn run(args: Args) -> anyhow::Result<()> {
    let Files { scan, reference } = phantom::draw(SEED).files();
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    write_if_new(&args.out.join("sample.nii.gz"), &gzip(&scan))?;
    write_if_new(&args.out.join("sample_dseg.nii.gz"), &gzip(&reference))
}

/// Leaves a file alone that already holds `bytes`: its time tells a build what is stale.
fn write_if_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    write_whole(path, bytes).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::NiftiImage;

    #[test]
    fn files_that_are_there_stay_untouched() {
        let out = std::env::temp_dir().join(format!("dinomed3d-sample-{}", std::process::id()));
        let times = || {
            run(Args { out: out.clone() }).unwrap();
            ["sample.nii.gz", "sample_dseg.nii.gz"].map(|name| {
                std::fs::metadata(out.join(name))
                    .unwrap()
                    .modified()
                    .unwrap()
            })
        };
        assert_eq!(times(), times());
        // A file that differs is replaced.
        std::fs::write(out.join("sample.nii.gz"), b"other").unwrap();
        times();
        let scan = std::fs::read(out.join("sample.nii.gz")).unwrap();
        assert!(NiftiImage::parse(&scan).is_ok());
        std::fs::remove_dir_all(out).unwrap();
    }
}
