//! The case that whole heads are measured by: the sample head at 1 mm in a field of 256³ voxels, as many scanners write them.

use crate::places::Places;
use anyhow::{Context, Result};
use dinomed3d_volume::atomic_file::write_whole;
use dinomed3d_volume::nifti::{Values, encode};
use dinomed3d_volume::{Affine, ModelGrid, Orientation, gzip, open_file};
use std::path::PathBuf;

const EDGE: usize = 256;

/// Writes it below `target` and returns its path.
///
/// # Errors
/// A sample head that is not there, or a folder that can't be written.
pub fn make(places: &Places) -> Result<PathBuf> {
    let sample = open_file(&places.samples().join("head.nii.gz"))?.volume()?;
    let grid = ModelGrid::new(
        sample.shape,
        &sample.affine,
        Orientation::RAS,
        Some([1.0; 3]),
    )?;
    let fine = grid.resample(grid.orient(&sample.voxels));
    let shape = grid.shape();
    let margin = shape.map(|edge| (EDGE - edge) / 2);
    let mut values = vec![0i16; EDGE * EDGE * EDGE];
    for (index, value) in fine.into_iter().enumerate() {
        let [x, y, z] = [
            index / (shape[1] * shape[2]),
            index / shape[2] % shape[1],
            index % shape[2],
        ];
        let [x, y, z] = [x + margin[0], y + margin[1], z + margin[2]];
        values[(z * EDGE + y) * EDGE + x] = value.round() as i16;
    }
    let affine = Affine::from_spacing_mm([1.0; 3]);
    let description = "DINO-Med3D, drawn, not a person";
    let file = encode(&[EDGE; 3], &affine, Values::Int16(&values), description);
    let path = places.root.join("target/head-256.nii.gz");
    std::fs::create_dir_all(path.parent().context("a file in a folder")?)?;
    write_whole(&path, &gzip(&file)).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
