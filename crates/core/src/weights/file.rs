//! The weights file: safetensors, with large tensors in eight bits.
//!
//! A quantised tensor `name` of type I8 has its scales beside it as `name.scales`.

use super::quantization::{BLOCK, dequantize, quantize};
use super::{NamedTensor, NamedTensors, WeightsError};
use dinomed3d_volume::atomic_file::write_whole_by;
use safetensors::tensor::{Dtype, SafeTensors, View, serialize, serialize_to_file};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

pub(super) const SCALES: &str = ".scales";
/// Norms, biases and other small tensors keep their precision: they cost no space.
const SMALLEST_QUANTIZED: usize = 1024;

/// How the values of a weights file are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Quantization {
    /// 32-bit floating point.
    None,
    /// Eight bits with one scale per 64 values.
    Q8Block64,
}

/// One tensor as the file holds it; bytes are made when they are written.
enum Stored<'a> {
    Float(&'a NamedTensor),
    Eighth(&'a NamedTensor),
    Scales(&'a NamedTensor, Vec<usize>),
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Float(_) | Self::Scales(..) => Dtype::F32,
            Self::Eighth(_) => Dtype::I8,
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Float(tensor) | Self::Eighth(tensor) => &tensor.shape,
            Self::Scales(_, shape) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned(match self {
            Self::Float(tensor) => f32_bytes(&tensor.values),
            Self::Eighth(tensor) => {
                let quantized = quantize(&tensor.values);
                quantized.values.iter().map(|v| v.cast_unsigned()).collect()
            }
            Self::Scales(tensor, _) => f32_bytes(&quantize(&tensor.values).scales),
        })
    }

    fn data_len(&self) -> usize {
        let size = match self {
            Self::Eighth(_) => 1,
            Self::Float(_) | Self::Scales(..) => 4,
        };
        size * self.shape().iter().product::<usize>()
    }
}

/// What a file of `tensors` holds.
fn stored(
    tensors: &NamedTensors,
    quantization: Quantization,
) -> Result<Vec<(String, Stored<'_>)>, WeightsError> {
    let mut stored = Vec::new();
    for (name, tensor) in tensors {
        if tensor.values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite(name.clone()));
        }
        let quantizes = quantization == Quantization::Q8Block64
            && tensor.shape.len() > 1
            && tensor.values.len() >= SMALLEST_QUANTIZED;
        if quantizes {
            let num_blocks = tensor.values.len().div_ceil(BLOCK);
            stored.push((name.clone(), Stored::Eighth(tensor)));
            stored.push((
                format!("{name}{SCALES}"),
                Stored::Scales(tensor, vec![num_blocks]),
            ));
        } else {
            stored.push((name.clone(), Stored::Float(tensor)));
        }
    }
    Ok(stored)
}

fn metadata() -> HashMap<String, String> {
    HashMap::from([("format".to_owned(), "dinomed3d-1".to_owned())])
}

/// Writes tensors as the bytes of a safetensors file.
///
/// # Errors
/// [`WeightsError::NotFinite`] if a value is not finite; [`WeightsError::Format`] if the library
/// refuses.
pub fn encode(tensors: &NamedTensors, quantization: Quantization) -> Result<Vec<u8>, WeightsError> {
    serialize(stored(tensors, quantization)?, Some(metadata()))
        .map_err(|error| WeightsError::Format(error.to_string()))
}

/// As [`encode`], into a file: written whole or not at all, and without a second copy of the
/// tensors in memory.
///
/// # Errors
/// As [`encode`]; [`WeightsError::Format`] also if the file can't be written.
pub fn encode_to_file(
    tensors: &NamedTensors,
    quantization: Quantization,
    path: &Path,
) -> Result<(), WeightsError> {
    let stored = stored(tensors, quantization)?;
    write_whole_by(path, |temporary| {
        serialize_to_file(stored, Some(metadata()), temporary).map_err(std::io::Error::other)
    })
    .map_err(|error| WeightsError::Format(format!("{}: {error}", path.display())))
}

/// Reads what [`encode`] wrote, back in floating point.
///
/// # Errors
/// [`WeightsError::Format`] for a damaged file, [`WeightsError::Encoding`] for a type other than
/// F32 or I8 with scales, [`WeightsError::NotFinite`].
pub fn decode(bytes: &[u8]) -> Result<NamedTensors, WeightsError> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| WeightsError::Format(printable(&error.to_string())))?;
    let mut tensors = NamedTensors::new();
    for (name, view) in file.iter() {
        if name.contains(char::is_control) {
            let name = printable(name);
            return Err(WeightsError::Format(format!(
                "a tensor is called {name}, with signs that can't be printed"
            )));
        }
        if name.ends_with(SCALES) {
            continue;
        }
        let values = match view.dtype() {
            Dtype::F32 => f32_values(view.data()),
            Dtype::I8 => {
                let scales = file
                    .tensor(&format!("{name}{SCALES}"))
                    .map_err(|_| WeightsError::Missing(vec![format!("{name}{SCALES}")]))?;
                let scales = f32_values(scales.data());
                let values: Vec<i8> = view.data().iter().map(|v| v.cast_signed()).collect();
                if scales.len() != values.len().div_ceil(BLOCK) {
                    return Err(WeightsError::Shape {
                        name: format!("{name}{SCALES}"),
                        found: vec![scales.len()],
                        expected: vec![values.len().div_ceil(BLOCK)],
                    });
                }
                dequantize(&values, &scales)
            }
            other => {
                return Err(WeightsError::Encoding {
                    name: name.to_owned(),
                    found: format!("{other:?}"),
                    expected: "F32, or I8 with scales",
                });
            }
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite(name.to_owned()));
        }
        let shape = view.shape().to_vec();
        tensors.insert(name.to_owned(), NamedTensor { shape, values });
    }
    Ok(tensors)
}

/// Without signs that a terminal would obey, which a damaged file may bring into a sentence.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Lower-case hexadecimal digits, as checksums of weights files are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect()
}

fn f32_values(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> NamedTensors {
        let tensor = |shape: &[usize]| NamedTensor {
            shape: shape.to_vec(),
            values: (0..shape.iter().product::<usize>())
                .map(|i| (i as f32 * 0.7).sin())
                .collect(),
        };
        NamedTensors::from([
            ("a.weight".to_owned(), tensor(&[40, 33])),
            ("a.bias".to_owned(), tensor(&[40])),
        ])
    }

    #[test]
    fn floats_survive_exactly() {
        let tensors = example();
        let bytes = encode(&tensors, Quantization::None).unwrap();
        assert_eq!(decode(&bytes).unwrap(), tensors);
    }

    /// Eight bits: 1/254 of the largest value of a block at most; biases exactly.
    #[test]
    fn eight_bits_are_close_and_small() {
        let tensors = example();
        let bytes = encode(&tensors, Quantization::Q8Block64).unwrap();
        assert!(bytes.len() < 2 * 40 * 33);
        let back = decode(&bytes).unwrap();
        assert_eq!(back["a.bias"], tensors["a.bias"]);
        for (a, b) in back["a.weight"]
            .values
            .iter()
            .zip(&tensors["a.weight"].values)
        {
            assert!((a - b).abs() < 1.0 / 250.0);
        }
    }

    #[test]
    fn damage_is_an_error() {
        let bytes = encode(&example(), Quantization::Q8Block64).unwrap();
        assert!(decode(&bytes[..bytes.len() - 5]).is_err());
        assert!(decode(b"not a safetensors file").is_err());
    }

    #[test]
    fn no_sentence_holds_a_sign_that_can_not_be_printed() {
        let NamedTensor { shape, values } = example().remove("a.bias").unwrap();
        let odd = NamedTensors::from([("a\u{1b}[2J".to_owned(), NamedTensor { shape, values })]);
        let bytes = encode(&odd, Quantization::None).unwrap();
        let said = decode(&bytes).unwrap_err().to_string();
        assert!(said.contains("called a\u{fffd}[2J"), "{said:?}");
        let (found, expected) = ("ab".to_owned(), "\u{1b}[2J".to_owned());
        let said = WeightsError::Checksum { found, expected }.to_string();
        assert!(said.ends_with("says \u{fffd}[2J"), "{said:?}");
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        let mut tensors = example();
        tensors.get_mut("a.bias").unwrap().values[3] = f32::NAN;
        assert!(matches!(
            encode(&tensors, Quantization::None),
            Err(WeightsError::NotFinite(name)) if name == "a.bias"
        ));
    }
}
