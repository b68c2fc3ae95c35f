//! The folder of reference numbers: an index in JSON, and a safetensors file for each thing that was run.

use super::{Comparison, ReferenceError};
use crate::weights::NamedTensor;
use safetensors::SafeTensors;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A folder of reference numbers.
#[derive(Clone, Debug)]
pub struct Reference {
    /// The folder.
    pub path: PathBuf,
    /// Settings and parameters of what was run, by file.
    pub index: Value,
}

impl Reference {
    /// Reads the index of a folder.
    ///
    /// # Errors
    /// [`ReferenceError::Layout`].
    pub fn open(folder: &Path) -> Result<Self, ReferenceError> {
        let path = folder.join("index.json");
        let index = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|json| serde_json::from_slice(&json).map_err(|error| error.to_string()))
            .map_err(|reason| ReferenceError::Layout { path, reason })?;
        Ok(Self {
            path: folder.to_owned(),
            index,
        })
    }

    /// Bytes of a safetensors file.
    ///
    /// # Errors
    /// [`ReferenceError::Layout`].
    pub fn read(&self, name: &str) -> Result<Vec<u8>, ReferenceError> {
        let path = self.path.join(format!("{name}.safetensors"));
        std::fs::read(&path).map_err(|error| ReferenceError::Layout {
            path,
            reason: error.to_string(),
        })
    }

    /// A number of the index.
    ///
    /// # Errors
    /// [`ReferenceError::Layout`].
    pub fn number(&self, file: &str, key: &str) -> Result<f64, ReferenceError> {
        let number = self.index[file][key].as_f64();
        number.ok_or_else(|| self.wrong(format!("{file} has no number {key}")))
    }

    /// A count of the index.
    ///
    /// # Errors
    /// [`ReferenceError::Layout`].
    pub fn count(&self, file: &str, key: &str) -> Result<usize, ReferenceError> {
        Ok(self.number(file, key)? as usize)
    }

    /// Name and shape of every parameter of a file.
    ///
    /// # Errors
    /// [`ReferenceError::Layout`].
    pub fn parameters(&self, file: &str) -> Result<Vec<(String, Vec<usize>)>, ReferenceError> {
        let keys = self.index[file]["keys"].clone();
        serde_json::from_value(keys)
            .map_err(|error| self.wrong(format!("the parameters of {file}: {error}")))
    }

    pub(super) fn wrong(&self, reason: impl std::fmt::Display) -> ReferenceError {
        ReferenceError::Layout {
            path: self.path.join("index.json"),
            reason: reason.to_string(),
        }
    }

    /// A safetensors file's content.
    pub(super) fn parse<'a>(&self, bytes: &'a [u8]) -> Result<SafeTensors<'a>, ReferenceError> {
        SafeTensors::deserialize(bytes).map_err(|error| self.wrong(error))
    }

    /// A tensor of single precision with `D` dimensions.
    pub(super) fn input<const D: usize>(
        &self,
        file: &SafeTensors<'_>,
    ) -> Result<(Vec<f32>, [usize; D]), ReferenceError> {
        let input = tensor(file, "input").ok_or_else(|| self.wrong("a file without input"))?;
        let shape = <[usize; D]>::try_from(input.shape)
            .map_err(|shape| self.wrong(format!("an input of shape {shape:?}")))?;
        Ok((input.values, shape))
    }
}

/// A tensor of a file, of single precision.
pub fn tensor(file: &SafeTensors<'_>, name: &str) -> Option<NamedTensor> {
    let view = file.tensor(name).ok()?;
    let values = view
        .data()
        .as_chunks()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes));
    Some(NamedTensor {
        shape: view.shape().to_vec(),
        values: values.collect(),
    })
}

/// Largest difference relative to the largest expected value; `found` may be longer, for of long outputs the beginning was kept.
/// Not a number if an output isn't, infinite if it is too short.
pub fn relative_error(found: &[f32], expected: &[f32]) -> f32 {
    if found.len() < expected.len() {
        return f32::INFINITY;
    }
    let largest = expected.iter().fold(0.0f32, |max, v| max.max(v.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    // A NaN stays: `max` alone would lose it.
    let worst = differences.fold(0.0f32, |max, v| {
        if max.is_nan() || v.is_nan() {
            f32::NAN
        } else {
            max.max(v)
        }
    });
    worst / largest
}

/// An output against the one of the same name in a file; none if the file has none.
pub(super) fn comparison(
    network: &str,
    output: &str,
    found: &[f32],
    file: &SafeTensors<'_>,
    tolerance: f32,
) -> Option<Comparison> {
    let expected = tensor(file, output)?;
    Some(Comparison {
        name: format!("{network} {output}"),
        error: relative_error(found, &expected.values),
        tolerance,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_or_missing_is_an_error() {
        assert_eq!(relative_error(&[1.0, 2.5, 9.0], &[1.0, 2.0]), 0.25);
        assert!(relative_error(&[f32::NAN, 2.0], &[1.0, 2.0]).is_nan());
        assert_eq!(relative_error(&[1.0], &[1.0, 2.0]), f32::INFINITY);
        let comparison = Comparison {
            name: String::new(),
            error: f32::NAN,
            tolerance: 1.0,
        };
        assert!(!comparison.is_tolerable());
    }
}
