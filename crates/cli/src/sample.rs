//! `dinomed3d sample`: a made-up scan with its own reference, to try the program with.

use crate::phantom::{self, SHAPE_XYZ};
use anyhow::Context;
use dinomed3d_core::atomic_file::write_whole;
use dinomed3d_core::volume::{NiftiImage, gzip};
use std::path::{Path, PathBuf};

/// The one sample there is.
const SEED: u64 = 11;

/// World millimetres of the first voxel's centre: about where a left hippocampus lies in a head
/// whose origin is the anterior commissure.
const ORIGIN_MM: [f32; 3] = [-43.0, -47.0, -32.0];

/// Bytes before the voxels: the header and four bytes that say that no extension follows.
const VOXEL_OFFSET: usize = 352;

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
    let mut scan = header().to_vec();
    scan.extend(phantom.voxels.iter().flat_map(|value| value.to_le_bytes()));
    let reference = NiftiImage::parse(&scan)?
        .encode_label_map(&phantom.labels, "DINO-Med3D phantom reference")?;
    Ok((scan, reference))
}

/// A NIfTI-1 header for 16-bit voxels of 1 mm whose axes run to the right, front and top.
fn header() -> [u8; VOXEL_OFFSET] {
    let mut header = [0; VOXEL_OFFSET];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes()); // sizeof_hdr
    put(40, &3i16.to_le_bytes()); // dim[0]
    for axis in 0..7 {
        let extent = SHAPE_XYZ.get(axis).map_or(1, |&voxels| voxels as i16);
        put(42 + 2 * axis, &extent.to_le_bytes()); // dim[1..]
    }
    put(70, &4i16.to_le_bytes()); // datatype: 16-bit integers
    put(72, &16i16.to_le_bytes()); // bitpix
    for entry in 0..8 {
        put(76 + 4 * entry, &1f32.to_le_bytes()); // pixdim; the first is qfac
    }
    put(108, &(VOXEL_OFFSET as f32).to_le_bytes()); // vox_offset
    put(112, &1f32.to_le_bytes()); // scl_slope; scl_inter stays 0
    put(123, &[2]); // xyzt_units: millimetres
    put(148, b"DINO-Med3D phantom, not a person"); // descrip
    put(252, &1i16.to_le_bytes()); // qform_code; the quaternion 0, 0, 0 turns nothing
    put(254, &1i16.to_le_bytes()); // sform_code
    for (axis, origin) in ORIGIN_MM.into_iter().enumerate() {
        put(268 + 4 * axis, &origin.to_le_bytes()); // qoffset
        put(280 + 20 * axis, &1f32.to_le_bytes()); // the diagonal of srow
        put(292 + 16 * axis, &origin.to_le_bytes()); // the last column of srow
    }
    put(344, b"n+1\0"); // magic
    header
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
        assert_eq!(origin, ORIGIN_MM.map(f64::from));
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
