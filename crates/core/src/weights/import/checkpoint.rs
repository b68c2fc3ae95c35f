//! A checkpoint file, opened but not yet read: tensors are fetched one by one.
//!
//! How values are stored ends here: half, bfloat16, double and our own eight and four bits all become
//! single precision.

use super::ImportError;
use crate::weights::NamedTensor;
use crate::weights::reader::is_ours;
use crate::weights::{WeightsError, WeightsReader};
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{ModuleStore, PytorchStore, SafetensorsStore, bridge};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Tensors of a file by name.
#[derive(Debug)]
pub struct Checkpoint(Kind);

#[derive(Debug)]
enum Kind {
    Ours(WeightsReader<File>),
    Theirs(BTreeMap<String, StoredTensor>),
}

impl Checkpoint {
    /// Opens a PyTorch file (`torch.save`, of any nesting) or a safetensors file; which of the two
    /// it is says its content, not its name.
    ///
    /// # Errors
    /// [`ImportError::File`].
    pub fn open(path: &Path) -> Result<Self, ImportError> {
        let error = |reason: String| ImportError::File {
            path: path.to_owned(),
            reason,
        };
        let mut head = Vec::new();
        File::open(path)
            .and_then(|file| file.take(9).read_to_end(&mut head))
            .map_err(|e| error(e.to_string()))?;
        // A safetensors file begins with the length of its header, which is JSON.
        let tensors = if head.get(8) == Some(&b'{') {
            let file = File::open(path).map_err(|e| error(e.to_string()))?;
            if matches!(is_ours(&file), Ok(true)) {
                let reader = WeightsReader::open(file).map_err(|e| error(e.to_string()))?;
                return Ok(Self(Kind::Ours(reader)));
            }
            SafetensorsStore::from_file(path)
                .get_all_tensors()
                .cloned()
                .map_err(|e| error(e.to_string()))?
        } else {
            PytorchStore::from_file(path)
                // Names as they are: a sequence's layers without parameters leave gaps in them.
                .map_indices_contiguous(false)
                .get_all_tensors()
                .cloned()
                .map_err(|e| error(e.to_string()))?
        };
        Ok(Self(Kind::Theirs(tensors)))
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let names: Vec<&str> = match &self.0 {
            Kind::Ours(reader) => reader.shapes().map(|(name, _)| name).collect(),
            Kind::Theirs(tensors) => tensors.keys().map(String::as_str).collect(),
        };
        names.into_iter()
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.0 {
            Kind::Ours(reader) => reader.shape(name).is_some(),
            Kind::Theirs(tensors) => tensors.contains_key(name),
        }
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        match &self.0 {
            Kind::Ours(reader) => reader.shape(name).map(<[usize]>::to_vec),
            Kind::Theirs(tensors) => tensors.get(name).map(|tensor| tensor.shape.to_vec()),
        }
    }

    /// Reads a tensor.
    ///
    /// # Errors
    /// [`ImportError::Tensor`] if it can't be read or is not of floating point,
    /// [`ImportError::NotFinite`].
    pub fn read(&self, name: &str) -> Result<NamedTensor, ImportError> {
        let error = |reason: String| ImportError::Tensor {
            name: name.to_owned(),
            reason,
        };
        let tensors = match &self.0 {
            Kind::Theirs(tensors) => tensors,
            Kind::Ours(reader) => {
                return reader.tensor(name).map_err(|wrong| match wrong {
                    WeightsError::Missing(_) => error("there is none".into()),
                    WeightsError::NotFinite(name) => ImportError::NotFinite(name),
                    other => error(other.to_string()),
                });
            }
        };
        let stored = tensors.get(name);
        let stored = stored.ok_or_else(|| error("there is none".into()))?;
        if !stored.dtype.is_float() {
            return Err(error(format!("it is {:?}", stored.dtype)));
        }
        let data = bridge::to_data(stored).map_err(|e| error(e.to_string()))?;
        let values = data.convert::<f32>().try_into_vec::<f32>();
        let values = values.map_err(|e| error(format!("{e:?}")))?;
        let shape = stored.shape.to_vec();
        if values.iter().any(|value| !value.is_finite()) {
            return Err(ImportError::NotFinite(name.to_owned()));
        }
        Ok(NamedTensor { shape, values })
    }
}
