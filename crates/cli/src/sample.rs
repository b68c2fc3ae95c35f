//! `dinomed3d sample`: a made-up scan with its own reference, to try the program with.

use crate::phantom::{self, SHAPE_XYZ};
use anyhow::Context;
use dinomed3d_volume::atomic_file::write_whole;
use dinomed3d_volume::nifti::{Values, encode};
use dinomed3d_volume::{Affine, NiftiImage, gzip};
use std::path::{Path, PathBuf};

/// The one sample there is.
const SEED: u64 = 11;

/// World millimetres of the first voxel's centre: about where a left hippocampus lies in a head
/// whose origin is the anterior commissure.
const ORIGIN_MM: [f64; 3] = [-43.0, -47.0, -32.0];

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
    let (scan, reference) = make()?;
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    write_if_new(&args.out.join("sample.nii.gz"), &gzip(&scan))?;
    write_if_new(&args.out.join("sample_dseg.nii.gz"), &gzip(&reference))
}

/// The scan as an uncompressed NIfTI file.
///
/// # Errors
/// None that a build with passing tests can show.
pub fn scan() -> anyhow::Result<Vec<u8>> {
    Ok(make()?.0)
}

/// The scan and its reference as uncompressed NIfTI files.
fn make() -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let phantom = phantom::draw(SEED);
    // Voxels of 1 mm whose axes run to the right, front and top.
    let mut affine = Affine::from_spacing_mm([1.0; 3]);
    for (row, origin) in affine.0.iter_mut().zip(ORIGIN_MM) {
        row[3] = origin;
    }
    let scan = encode(
        &SHAPE_XYZ,
        &affine,
        Values::Int16(&phantom.voxels),
        "DINO-Med3D phantom, not a person",
    );
    let reference = NiftiImage::parse(&scan)?
        .encode_label_map(&phantom.labels, "DINO-Med3D phantom reference")?;
    Ok((scan, reference))
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

    #[test]
    fn the_same_seed_draws_the_same_files() {
        assert_eq!(make().unwrap(), make().unwrap());
        assert_ne!(
            phantom::draw(1).voxels,
            phantom::draw(2).voxels,
            "the seed counts"
        );
    }

    #[test]
    fn both_labels_have_plausible_volumes() {
        let (_, reference) = make().unwrap();
        let map = NiftiImage::parse(&reference).unwrap().label_map().unwrap();
        assert_eq!(map.present(), [1, 2]);
        for label in [1, 2] {
            let voxels = map.labels.iter().filter(|&&found| found == label).count();
            let ml = voxels as f64 * map.affine.voxel_volume_ml();
            assert!((0.5..=3.0).contains(&ml), "label {label}: {ml} mL");
        }
    }

    #[test]
    fn the_reference_lies_on_the_grid_of_the_scan() {
        let (scan, reference) = make().unwrap();
        let scan = NiftiImage::parse(&scan).unwrap();
        let reference = NiftiImage::parse(&reference).unwrap();
        assert_eq!(scan.shape(), SHAPE_XYZ);
        assert_eq!(reference.shape(), scan.shape());
        assert_eq!(reference.affine(), scan.affine());
        assert_eq!(scan.form_codes(), (1, 1));
        assert_eq!(reference.form_codes(), (1, 1));
        assert_eq!(scan.affine().orientation().to_string(), "RAS");
        let origin = scan.affine().apply([0.0; 3]);
        assert_eq!(origin, ORIGIN_MM);
        assert_eq!(scan.datatype_name(), "int16");
    }

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
