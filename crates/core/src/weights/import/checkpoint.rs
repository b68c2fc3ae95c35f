//! A checkpoint file, opened but not yet read: tensors are fetched one by one.
//!
//! How values are stored ends here: half, bfloat16, double and our own eight bits all become
//! single precision.

use super::ImportError;
use crate::weights::NamedTensor;
use crate::weights::file::SCALES;
use crate::weights::quantization::dequantize;
use burn::tensor::DType;
use burn_store::burn_pack::Tensor as StoredTensor;
use burn_store::{ModuleStore, PytorchStore, SafetensorsStore, bridge};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Tensors of a file by name.
#[derive(Debug)]
pub struct Checkpoint {
    tensors: BTreeMap<String, StoredTensor>,
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
        Ok(Self { tensors })
    }

    /// Names of all tensors, sorted; the scales of one in eight bits are part of it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let is_part = |name: &str| {
            let whole = name
                .strip_suffix(SCALES)
                .and_then(|of| self.tensors.get(of));
            whole.is_some_and(|tensor| tensor.dtype == DType::I8)
        };
        self.tensors
            .keys()
            .map(String::as_str)
            .filter(move |name| !is_part(name))
    }

    /// Whether there is a tensor of that name.
    pub fn contains(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.get(name).map(|tensor| tensor.shape.to_vec())
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
        let stored = self
            .tensors
            .get(name)
            .ok_or_else(|| error("there is none".into()))?;
        let data = |tensor| bridge::to_data(tensor).map_err(|e| error(e.to_string()));
        let floats = |tensor| -> Result<Vec<f32>, ImportError> {
            let values = data(tensor)?.convert::<f32>().try_into_vec::<f32>();
            values.map_err(|e| error(format!("{e:?}")))
        };
        let shape = stored.shape.to_vec();
        let scales = self.tensors.get(&format!("{name}{SCALES}"));
        let values = match (stored.dtype, scales) {
            (DType::I8, Some(scales)) => {
                let values = data(stored)?.try_into_vec::<i8>();
                dequantize(
                    &values.map_err(|e| error(format!("{e:?}")))?,
                    &floats(scales)?,
                )
            }
            (dtype, _) if dtype.is_float() => floats(stored)?,
            (dtype, _) => return Err(error(format!("it is {dtype:?}"))),
        };
        if values.len() != shape.iter().product::<usize>() {
            return Err(error("its scales are not of its size".into()));
        }
        if values.iter().any(|value| !value.is_finite()) {
            return Err(ImportError::NotFinite(name.to_owned()));
        }
        Ok(NamedTensor { shape, values })
    }
}
