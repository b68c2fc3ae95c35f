//! Where the reference numbers are.

use dinomed3d_core::weights::NamedTensor;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::PathBuf;

/// A folder of reference numbers.
pub struct Reference {
    pub path: PathBuf,
    pub index: Value,
}

/// The folder, if it is there.
fn reference() -> Option<Reference> {
    let path = std::env::var_os("DINOMED3D_REFERENCE").map_or_else(
        || {
            PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
                .join("../../../shared/reference")
        },
        PathBuf::from,
    );
    let Ok(index) = std::fs::read(path.join("index.json")) else {
        assert!(
            std::env::var_os("DINOMED3D_REFERENCE").is_none(),
            "DINOMED3D_REFERENCE is set and {} holds no index.json",
            path.display()
        );
        println!("skipped: no reference numbers in {}", path.display());
        return None;
    };
    let index = serde_json::from_slice(&index).unwrap();
    Some(Reference { path, index })
}

/// The folder and the bytes of a safetensors file in it, if both are there.
pub fn reference_file(name: &str) -> Option<(Reference, Vec<u8>)> {
    let reference = reference()?;
    let bytes = reference.file(name)?;
    Some((reference, bytes))
}

impl Reference {
    /// Bytes of a safetensors file; none, saying so, if the folder or the index lacks it.
    fn file(&self, name: &str) -> Option<Vec<u8>> {
        let bytes = std::fs::read(self.path.join(format!("{name}.safetensors")));
        if bytes.is_err() || self.index.get(name).is_none() {
            println!("skipped: no {name} in {}", self.path.display());
            return None;
        }
        bytes.ok()
    }

    /// A number of the index.
    pub fn number(&self, file: &str, key: &str) -> usize {
        let value = &self.index[file][key];
        usize::try_from(
            value
                .as_u64()
                .unwrap_or_else(|| panic!("{file} has no {key}")),
        )
        .unwrap()
    }
}

/// A tensor of a file, of single precision.
pub fn tensor(file: &SafeTensors<'_>, name: &str) -> NamedTensor {
    let view = file.tensor(name).unwrap();
    let values = view
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    NamedTensor {
        shape: view.shape().to_vec(),
        values,
    }
}

/// Largest difference relative to the largest expected value; `found` may be longer.
pub fn error(found: &[f32], expected: &[f32]) -> f32 {
    assert!(found.len() >= expected.len());
    let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let worst = differences.fold(0.0f32, |max, v| if v.is_nan() { v } else { max.max(v) });
    worst / largest
}
