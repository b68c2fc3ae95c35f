//! Label maps in memory, ready to draw from.

use super::appearance::Appearance;
use super::labels::{LabelTable, TABLE_FILE};
use super::{Contrast, Synthesis};
use crate::preprocess::Preprocessing;
use crate::train::TrainError;
use crate::train::dataset::case::RawCase;
use crate::train::dataset::files::NiftiFiles;
use crate::train::seed::{normal, rng_of};
use dinomed3d_volume::{LabelMap, Scan, Volume, whole};
use std::path::Path;

/// Deviation of the noise in images that are drawn for validation; black is 0, white 1.
const VALIDATION_NOISE: f32 = 0.02;

/// A label map in the model's orientation, on its own grid.
#[derive(Clone, Debug)]
pub struct SourceMap {
    /// File name without its endings.
    pub name: String,
    /// Place of each voxel's value in the table, `[slice, row, column]`.
    pub places: Vec<u8>,
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// `[slice, row, column]`
    pub spacing_mm: [f64; 3],
    /// First and last voxel that a network should answer with more than background, along each axis.
    pub extent: [[usize; 2]; 3],
}

/// A name and its label map as the file has it: the volume holds the place of each value in the table.
pub type Placed = (String, Volume);

/// The table of a folder and all its label maps: `labels.tsv` and NIfTI files, beside it or in a folder `labels`.
///
/// # Errors
/// [`TrainError::Data`] with a line for each problem, naming the file.
pub fn read_folder(folder: &Path) -> Result<(LabelTable, Vec<Placed>), TrainError> {
    let table = LabelTable::read(folder)?;
    let NiftiFiles {
        files,
        mut problems,
        ..
    } = map_files(folder)?;
    let mut maps = Vec::with_capacity(files.len());
    for (name, path) in files {
        match read(&path, &table) {
            Ok(volume) => maps.push((name, volume)),
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
    if maps.is_empty() && problems.is_empty() {
        problems.push(format!(
            "{} holds no label map (.nii, .nii.gz)",
            folder.display()
        ));
    }
    if problems.is_empty() {
        Ok((table, maps))
    } else {
        Err(TrainError::Data(problems))
    }
}

/// The NIfTI files of a folder of label maps, and what else is there.
///
/// # Errors
/// [`TrainError::File`].
pub fn map_files(folder: &Path) -> Result<NiftiFiles, TrainError> {
    const LABELS: &str = "labels";
    let mut found = NiftiFiles::default();
    for place in [folder, &folder.join(LABELS)] {
        if place.is_dir() {
            let added = found.add(place, &[LABELS, TABLE_FILE], |_| None);
            added.map_err(|cause| TrainError::File {
                path: place.to_owned(),
                cause,
            })?;
        }
    }
    Ok(found)
}

/// The places of a file's values in the table.
fn read(path: &Path, table: &LabelTable) -> Result<Volume, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    let image = Scan::open(&bytes, None).map_err(|error| error.to_string())?;
    let mut volume = image.volume().map_err(|error| error.to_string())?;
    let mut places = vec![None; usize::from(u16::MAX) + 1];
    for (place, row) in table.rows().iter().enumerate() {
        places[usize::from(row.value)] = Some(place as f32);
    }
    for voxel in &mut volume.voxels {
        let value = whole(f64::from(*voxel)).and_then(|value| u16::try_from(value).ok());
        let place = value.and_then(|value| places[usize::from(value)]);
        *voxel =
            place.ok_or_else(|| format!("it holds the value {voxel}, which the table lacks"))?;
    }
    Ok(volume)
}

impl SourceMap {
    /// Turns a label map to the model's orientation.
    ///
    /// # Errors
    /// In words, for a map without any structure or an unusable affine.
    pub fn new(
        (name, volume): &Placed,
        table: &LabelTable,
        preprocessing: &Preprocessing,
    ) -> Result<Self, String> {
        let own = Preprocessing {
            spacing_mm: None,
            ..preprocessing.clone()
        };
        let grid = own
            .grid(volume.shape, &volume.affine)
            .map_err(|error| format!("{name}: {error}"))?;
        let places: Vec<u8> = volume.voxels.iter().map(|place| *place as u8).collect();
        let places = grid.labels_to_model(&places);
        let shape = grid.shape();
        let mut extent = shape.map(|edge| [edge, 0]);
        let [_, rows, columns] = shape;
        for (voxel, &place) in places.iter().enumerate() {
            if table.rows()[usize::from(place)].target != 0 {
                let at = [
                    voxel / (rows * columns),
                    voxel / columns % rows,
                    voxel % columns,
                ];
                for ([first, last], at) in extent.iter_mut().zip(at) {
                    (*first, *last) = ((*first).min(at), (*last).max(at));
                }
            }
        }
        if extent[0][0] > extent[0][1] {
            return Err(format!("{name}: it is background everywhere"));
        }
        Ok(Self {
            name: name.clone(),
            places,
            shape,
            spacing_mm: grid.spacing_mm(),
            extent,
        })
    }
}

/// A whole label map drawn in a contrast of validation, by its place, as a scan with its reference: neither deformed nor
/// cut.
///
/// # Errors
/// A contrast that there is not.
pub fn drawn_whole(
    (_, placed): &Placed,
    table: &LabelTable,
    settings: &Synthesis,
    contrast: usize,
    seed: u64,
) -> Result<RawCase, TrainError> {
    let mut rng = rng_of(&[seed, u64::MAX, contrast as u64]);
    let contrast = settings.contrast(&settings.validation_contrasts[contrast])?;
    let mut typical = settings.clone();
    typical.texture = [(settings.texture[0] + settings.texture[1]) / 2.0; 2];
    let known = Contrast {
        spread: 0.0,
        ..contrast.clone()
    };
    let appearance = Appearance::of_contrast(&known, &typical, table, &mut rng);
    let deviation: Vec<f32> = appearance.variance.iter().map(|v| v.sqrt()).collect();
    let voxels = placed.voxels.iter().map(|&place| {
        let place = place as usize;
        let value = appearance.mean[place] + deviation[place] * normal(&mut rng);
        (value + VALIDATION_NOISE * normal(&mut rng)).abs()
    });
    let image = Volume {
        voxels: voxels.collect(),
        ..placed.clone()
    };
    let places = placed.voxels.iter().map(|&place| place as usize);
    let targets = places.map(|place| table.target(place, settings.merge_sides));
    Ok(RawCase {
        reference: LabelMap {
            labels: targets.collect(),
            shape: placed.shape,
            affine: placed.affine,
        },
        channels: vec![image],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::Affine;
    use dinomed3d_volume::nifti::{Values, encode};

    #[test]
    fn maps_of_whatever_name_are_read_and_whole_numbers_are_whole_but_for_rounding() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-maps-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("labels")).unwrap();
        let table =
            "value\tname\ttarget\tintensity_class\tother_side\n0\tair\t0\t0\t\n2\tbrain\t1\t1\t\n";
        std::fs::write(folder.join(TABLE_FILE), table).unwrap();
        let write = |name: &str, values: [f32; 2]| {
            let affine = Affine::from_spacing_mm([1.0; 3]);
            let file = encode(&[2, 1, 1], &affine, Values::Float32(&values), "");
            std::fs::write(folder.join(name), file).unwrap();
        };
        write("loud.NII", [0.0, 2.0]);
        write("labels/scaled.nii", [-1e-6, 1.999_999_9]);
        write("labels/._scaled.nii", [0.5, 0.5]);
        std::fs::write(folder.join("labels/notes.txt"), "").unwrap();
        let found = map_files(&folder).unwrap();
        assert_eq!(found.problems, [] as [&str; 0]);
        let [notes, hidden] = <[String; 2]>::try_from(found.passed_over).unwrap();
        assert!(notes.contains("notes.txt: its name"), "{notes}");
        assert!(hidden.ends_with("1 hidden: ._scaled.nii"), "{hidden}");
        let (_, maps) = read_folder(&folder).unwrap();
        for (name, volume) in &maps {
            assert_eq!(volume.voxels, [0.0, 1.0], "{name}");
        }
        assert_eq!(maps.len(), 2);
        write("labels/half.nii", [0.0, 1.5]);
        write("labels/loud.nii", [0.0, 2.0]);
        let error = read_folder(&folder).unwrap_err().to_string();
        assert!(
            error.contains("half.nii: it holds the value 1.5"),
            "{error}"
        );
        assert!(error.contains("are both called loud"), "{error}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
