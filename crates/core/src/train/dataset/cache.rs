//! Prepared cases kept on disk, so that a training need not read, turn and resample every scan again.
//!
//! An entry is found by what it was made from, the contents of a case's files and all settings, so none is ever out of
//! date: what changed has another name. Entries that nobody used for a month are removed.

use super::files::CaseFiles;
use super::index::DatasetIndex;
use super::prepared::PreparedCase;
use crate::preprocess::{Prepared, Preprocessing};
use crate::weights::hex;
use dinomed3d_volume::atomic_file::write_whole;
use dinomed3d_volume::{Affine, LabelMap};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Version of an entry and of what preparing means: to be raised when either changes.
const FORMAT: u32 = 1;
/// SHA-256 of the entry of a made-up case. To be changed together with [`FORMAT`], never alone: entries of before are
/// used as long as the version is theirs.
#[cfg(test)]
const FORMAT_SHA256: &str = "3b6ae96974e381250bbb64d133e4226e5e317ac0704372760f607272b656a8a9";
/// Ending of an entry's name.
const ENDING: &str = "case";
/// Length of the checksum at an entry's end.
const CHECKSUM: usize = 32;
/// After how long an entry that nobody used is removed.
pub const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Prepared cases in a folder.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
    /// What it was good for since it was opened.
    pub usage: Usage,
    is_writable: bool,
}

/// What a cache was good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Cases that lay in it.
    pub found: usize,
    /// Cases that were prepared.
    pub new: usize,
    /// What a person should know, a sentence each: damaged entries, a folder that can't be written.
    pub notes: Vec<String>,
}

impl Cache {
    /// A cache in `folder`, which is made if it is not there; entries that were not used for [`KEPT`] are removed.
    ///
    /// # Errors
    /// A folder that can't be made or read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let oldest = SystemTime::now().checked_sub(KEPT);
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let is_old = || {
                let used = path.metadata().and_then(|facts| facts.modified());
                used.is_ok_and(|used| Some(used) < oldest)
            };
            if is_entry(&path) && is_old() {
                // An entry that stays costs room and nothing else; another program may have removed it first.
                let _ = std::fs::remove_file(&path);
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            usage: Usage::default(),
            is_writable: true,
        })
    }

    /// A case from the cache, or prepared and put there.
    ///
    /// # Errors
    /// See [`PreparedCase::load`]. A cache that fails is no error: the case is prepared, and
    /// [`usage`](Self::usage) has a note.
    pub fn load(
        &mut self,
        files: &CaseFiles,
        preprocessing: &Preprocessing,
        index: &DatasetIndex,
    ) -> Result<PreparedCase, Vec<String>> {
        let Ok(key) = key(files, preprocessing, index) else {
            // The files can't be read, which says it better.
            return PreparedCase::load(files, preprocessing, index);
        };
        let path = self.folder.join(format!("{key}.{ENDING}"));
        if let Ok(bytes) = std::fs::read(&path) {
            match decode(&bytes, preprocessing) {
                Ok(case) => {
                    // For the clean-up; where the time can't be set the entry is made anew a month later.
                    let _ = File::options()
                        .append(true)
                        .open(&path)
                        .and_then(|file| file.set_modified(SystemTime::now()));
                    self.usage.found += 1;
                    return Ok(case);
                }
                Err(reason) => self.usage.notes.push(format!(
                    "{}: the cached case {} is damaged ({reason}); it is made anew",
                    path.display(),
                    files.name
                )),
            }
        }
        let case = PreparedCase::load(files, preprocessing, index)?;
        self.usage.new += 1;
        if self.is_writable {
            // The key comes from one reading of the files and the case from another.
            let again = self::key(files, preprocessing, index).ok();
            self.keep(&files.name, &case, &key, again.as_deref());
        }
        Ok(case)
    }

    /// Puts a case there, if its files were the same before and after it was prepared.
    fn keep(&mut self, name: &str, case: &PreparedCase, key: &str, again: Option<&str>) {
        if again != Some(key) {
            self.usage.notes.push(format!(
                "the files of case {name} changed while they were read; it is used as it was read, and not kept"
            ));
            return;
        }
        let path = self.folder.join(format!("{key}.{ENDING}"));
        if let Err(error) = write_whole(&path, &encode(case)) {
            self.is_writable = false;
            self.usage.notes.push(format!(
                "{}: {error}; going on without keeping prepared cases",
                path.display()
            ));
        }
    }
}

/// Whether a file of the folder is ours: an entry, or what a killed program left of one.
fn is_entry(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((key, ending)) = name.split_once('.') else {
        return false;
    };
    let is_key = key.len() == 2 * CHECKSUM && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_ours = ending == ENDING
        || (ending.starts_with(&format!("{ENDING}.")) && ending.ends_with(".part"));
    is_key && is_ours
}

/// Name of everything that a prepared case depends on.
fn key(
    files: &CaseFiles,
    preprocessing: &Preprocessing,
    index: &DatasetIndex,
) -> io::Result<String> {
    let mut digest = Sha256::new();
    let settings = serde_json::json!({
        "format": FORMAT,
        "preprocessing": preprocessing,
        // A label's place is its class.
        "labels": index.labels.iter().map(|label| label.0).collect::<Vec<_>>(),
        "channels": index.channels.len(),
        "files": files.images.len(),
    });
    digest.update(settings.to_string());
    for path in files.images.iter().chain([&files.label]) {
        let mut content = Sha256::new();
        io::copy(&mut File::open(path)?, &mut content)?;
        // Of one length each, so that no byte can move from one file to the next.
        digest.update(content.finalize());
    }
    Ok(hex(&digest.finalize()))
}

/// An entry: a safetensors file, and the SHA-256 of it at the end.
fn encode(case: &PreparedCase) -> Vec<u8> {
    let Prepared {
        voxels,
        num_channels,
        shape,
        ..
    } = &case.prepared;
    let voxel_bytes: Vec<u8> = voxels
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let affine_bytes: Vec<u8> = [&case.affine, &case.reference.affine]
        .iter()
        .flat_map(|affine| affine.0.as_flattened())
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let image_shape = [&[*num_channels], shape.as_slice()].concat();
    let tensor = |dtype, shape: &[usize], bytes| {
        TensorView::new(dtype, shape.to_vec(), bytes).expect("bytes of that shape")
    };
    let tensors = [
        ("voxels", tensor(Dtype::F32, &image_shape, &voxel_bytes)),
        ("classes", tensor(Dtype::U8, shape, &case.classes)),
        (
            "reference",
            tensor(Dtype::U8, &case.reference.shape, &case.reference.labels),
        ),
        ("affines", tensor(Dtype::F64, &[2, 4, 4], &affine_bytes)),
    ];
    let mut bytes = safetensors::serialize(tensors, None).expect("tensors of different names");
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The case of an entry, or in words why it is none.
fn decode(bytes: &[u8], preprocessing: &Preprocessing) -> Result<PreparedCase, String> {
    let end = bytes
        .len()
        .checked_sub(CHECKSUM)
        .ok_or_else(|| format!("it has {} bytes", bytes.len()))?;
    let (content, checksum) = bytes.split_at(end);
    if Sha256::digest(content).as_slice() != checksum {
        return Err("its checksum is wrong".into());
    }
    let file = SafeTensors::deserialize(content).map_err(|error| error.to_string())?;
    let tensor = |name: &str, dtype: Dtype| {
        let tensor = file.tensor(name).map_err(|error| error.to_string())?;
        if tensor.dtype() == dtype {
            Ok(tensor)
        } else {
            Err(format!(
                "{name} is {:?}, expected is {dtype:?}",
                tensor.dtype()
            ))
        }
    };
    let voxels = tensor("voxels", Dtype::F32)?;
    let classes = tensor("classes", Dtype::U8)?;
    let labels = tensor("reference", Dtype::U8)?;
    let affines = tensor("affines", Dtype::F64)?;
    let [image_affine, reference_affine] = affines_of(affines.data())?;
    let edges = |shape: &[usize]| -> Result<[usize; 3], String> {
        let edges = shape.try_into();
        edges.map_err(|_| format!("a shape is {shape:?}, expected are three edges"))
    };
    let (shape, reference_shape) = (edges(classes.shape())?, edges(labels.shape())?);
    let grid = preprocessing
        .grid(reference_shape, &image_affine)
        .map_err(|error| error.to_string())?;
    let num_channels = voxels.shape().first().copied().unwrap_or(0);
    if grid.shape() != shape || voxels.shape() != [&[num_channels], shape.as_slice()].concat() {
        return Err(format!(
            "its image is {:?} and its classes {shape:?}, expected is {:?}",
            voxels.shape(),
            grid.shape()
        ));
    }
    let values = voxels.data().as_chunks::<4>().0;
    Ok(PreparedCase {
        prepared: Prepared {
            voxels: values
                .iter()
                .map(|value| f32::from_le_bytes(*value))
                .collect(),
            num_channels,
            shape,
            grid,
        },
        affine: image_affine,
        reference: LabelMap {
            labels: labels.data().to_vec(),
            shape: reference_shape,
            affine: reference_affine,
        },
        classes: classes.data().to_vec(),
    })
}

/// Of the image and of the reference.
fn affines_of(bytes: &[u8]) -> Result<[Affine; 2], String> {
    let numbers: Vec<f64> = bytes
        .as_chunks::<8>()
        .0
        .iter()
        .map(|number| f64::from_le_bytes(*number))
        .collect();
    let [image, reference] = numbers.as_chunks::<16>().0 else {
        return Err(format!(
            "its affines are {} numbers, expected are 32",
            numbers.len()
        ));
    };
    let affine = |numbers: &[f64; 16]| {
        Affine(std::array::from_fn(|row| {
            std::array::from_fn(|column| numbers[4 * row + column])
        }))
    };
    Ok([affine(image), affine(reference)])
}

#[cfg(test)]
mod tests {
    use super::super::case::RawCase;
    use super::*;
    use dinomed3d_volume::Volume;

    /// Turned, resampled and of two channels and three classes.
    fn case() -> PreparedCase {
        let shape = [5, 6, 7];
        let affine = Affine::from_spacing_mm([0.7, 0.9, 2.1]);
        let count = 5 * 6 * 7;
        let volume = |factor: usize| Volume {
            voxels: (0..count).map(|at| (at * factor % 101) as f32).collect(),
            shape,
            affine,
        };
        let settings = serde_json::json!({
            "orientation": "SPL", "spacingMm": [1.3, 0.8, 1.1],
            "intensity": {"kind": "percentile-z-score", "lowPercent": 0.5, "highPercent": 99.5}
        });
        let preprocessing: Preprocessing = serde_json::from_value(settings).unwrap();
        let raw = RawCase {
            channels: vec![volume(37), volume(53)],
            reference: LabelMap {
                labels: (0..count).map(|at| (at / 50 % 3) as u8).collect(),
                shape,
                affine,
            },
        };
        let labels = [(0, "background"), (1, "box"), (2, "ball")];
        let labels = labels.map(|(value, name)| (value, name.to_owned()));
        raw.prepare(&preprocessing, &labels).unwrap()
    }

    /// Fails when an entry, or what preparing gives, has changed: raise FORMAT, and put the new sum beside it.
    #[test]
    fn what_is_kept_is_of_this_format() {
        let sum = hex(&Sha256::digest(encode(&case())));
        assert_eq!(
            sum, FORMAT_SHA256,
            "prepared cases are others than those of format {FORMAT}"
        );
    }

    #[test]
    fn a_case_whose_files_changed_meanwhile_is_not_kept() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-keep-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let mut cache = Cache::open(&folder).unwrap();
        let num_entries = || std::fs::read_dir(&folder).unwrap().count();
        for again in [Some("another"), None] {
            cache.keep("case_1", &case(), "one", again);
            let note = cache.usage.notes.pop().unwrap();
            assert!(note.contains("case_1 changed"), "{note}");
            assert_eq!(num_entries(), 0);
        }
        cache.keep("case_1", &case(), "one", Some("one"));
        assert_eq!(cache.usage.notes, Vec::<String>::new());
        assert_eq!(num_entries(), 1);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
