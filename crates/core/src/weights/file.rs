//! The weights file: safetensors, with large tensors in fewer bits.
//!
//! Of a quantised tensor `name` the scales lie beside it as `name.scales`, row-major block by block. In eight bits it is of type I8 and
//! keeps its shape, its scales are F32. In four bits it is of type U8, of as many bytes as it takes, its scales are F16, and its shape
//! stands in the file's metadata.

use super::layout::{FORMAT, FORMAT_KEY, SCALES, SHAPES};
use super::quantization::{Bits, Quantized};
use super::{NamedTensor, NamedTensors, WeightsError, WeightsReader};
use dinomed3d_volume::atomic_file::write_whole_by;
use half::f16;
use safetensors::tensor::{Dtype, View, serialize, serialize_to_file};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

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
    /// Four bits with one scale per 32 values; tensors that lose too much by it are in eight bits or floating point.
    Q4Block32,
}

impl Quantization {
    /// In how many bits a tensor is stored by it; none in floating point.
    pub fn bits(self, tensor: &NamedTensor) -> Option<Bits> {
        let is_large = tensor.shape.len() > 1 && tensor.values.len() >= SMALLEST_QUANTIZED;
        match self {
            Self::None => None,
            Self::Q8Block64 => is_large.then_some(Bits::Eight),
            Self::Q4Block32 => is_large.then_some(Bits::Four),
        }
    }

    /// For people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::None => "32 bits",
            Self::Q8Block64 => "8 bits with one scale per 64 values",
            Self::Q4Block32 => "4 bits with one scale per 32 values",
        }
    }
}

/// One tensor as the file holds it; bytes of floating point are made when they are written.
enum Stored<'a> {
    Float(&'a NamedTensor),
    Values(Quantized, Vec<usize>),
    Scales(Bits, Vec<f32>, [usize; 1]),
}

impl View for Stored<'_> {
    fn dtype(&self) -> Dtype {
        match self {
            Self::Float(_) | Self::Scales(Bits::Eight, ..) => Dtype::F32,
            Self::Scales(Bits::Four, ..) => Dtype::F16,
            Self::Values(quantized, _) => match quantized.bits {
                Bits::Eight => Dtype::I8,
                Bits::Four => Dtype::U8,
            },
        }
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::Float(tensor) => &tensor.shape,
            Self::Values(_, shape) => shape,
            Self::Scales(_, _, shape) => shape,
        }
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Float(tensor) => f32_bytes(&tensor.values).into(),
            Self::Values(quantized, _) => (&quantized.values).into(),
            Self::Scales(Bits::Eight, scales, _) => f32_bytes(scales).into(),
            Self::Scales(Bits::Four, scales, _) => {
                let half = |scale: &f32| f16::from_f32(*scale).to_le_bytes();
                scales.iter().flat_map(half).collect()
            }
        }
    }

    fn data_len(&self) -> usize {
        let size = self.dtype().bitsize() / 8;
        size * self.shape().iter().product::<usize>()
    }
}

/// What a file of `tensors` holds, and its metadata.
type Contents<'a> = (Vec<(String, Stored<'a>)>, Option<HashMap<String, String>>);

fn contents(
    tensors: &NamedTensors,
    bits: impl Fn(&str, &NamedTensor) -> Option<Bits>,
) -> Result<Contents<'_>, WeightsError> {
    let mut stored = Vec::new();
    let mut shapes = BTreeMap::new();
    for (name, tensor) in tensors {
        if tensor.values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite(name.clone()));
        }
        let Some(bits) = bits(name, tensor) else {
            stored.push((name.clone(), Stored::Float(tensor)));
            continue;
        };
        let mut quantized = Quantized::of(&tensor.values, bits);
        // A 16-bit number ends where some others go on.
        if quantized.scales.iter().any(|scale| !scale.is_finite()) {
            stored.push((name.clone(), Stored::Float(tensor)));
            continue;
        }
        let scales = std::mem::take(&mut quantized.scales);
        let num_blocks = [scales.len()];
        let shape = match bits {
            Bits::Eight => tensor.shape.clone(),
            Bits::Four => {
                shapes.insert(name, &tensor.shape);
                vec![quantized.values.len()]
            }
        };
        stored.push((name.clone(), Stored::Values(quantized, shape)));
        let scales = Stored::Scales(bits, scales, num_blocks);
        stored.push((format!("{name}{SCALES}"), scales));
    }
    let mut metadata = HashMap::from([(FORMAT_KEY.to_owned(), FORMAT.to_owned())]);
    if !shapes.is_empty() {
        let shapes = serde_json::to_string(&shapes);
        let shapes = shapes.map_err(|error| WeightsError::Format(error.to_string()))?;
        metadata.insert(SHAPES.to_owned(), shapes);
    }
    Ok((stored, Some(metadata)))
}

/// Writes tensors as the bytes of a safetensors file.
///
/// # Errors
/// [`WeightsError::NotFinite`] if a value is not finite; [`WeightsError::Format`] if the library
/// refuses.
pub fn encode(tensors: &NamedTensors, quantization: Quantization) -> Result<Vec<u8>, WeightsError> {
    encode_each(tensors, |_, tensor| quantization.bits(tensor))
}

/// As [`encode`], each tensor in as many bits as `bits` says; none is floating point.
///
/// # Errors
/// As [`encode`].
pub fn encode_each(
    tensors: &NamedTensors,
    bits: impl Fn(&str, &NamedTensor) -> Option<Bits>,
) -> Result<Vec<u8>, WeightsError> {
    let (stored, metadata) = contents(tensors, bits)?;
    serialize(stored, metadata).map_err(|error| WeightsError::Format(error.to_string()))
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
    let (stored, metadata) = contents(tensors, |_, tensor| quantization.bits(tensor))?;
    write_whole_by(path, |temporary| {
        serialize_to_file(stored, metadata, temporary).map_err(std::io::Error::other)
    })
    .map_err(|error| WeightsError::Format(format!("{}: {error}", path.display())))
}

/// Reads what [`encode`] wrote, back in floating point.
///
/// # Errors
/// Those of [`WeightsReader::open`] and [`WeightsReader::tensor`].
pub fn decode(bytes: &[u8]) -> Result<NamedTensors, WeightsError> {
    let reader = WeightsReader::open(bytes)?;
    let names = reader.shapes().map(|(name, _)| name);
    names
        .map(|name| Ok((name.to_owned(), reader.tensor(name)?)))
        .collect()
}

fn f32_bytes(values: &[f32]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_le_bytes())
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

    /// Eight bits: 1/254 of the largest value of a block at most, four half of a seventh of it; biases exactly.
    #[test]
    fn fewer_bits_are_close_and_small() {
        let tensors = example();
        for (quantization, most_bytes, most) in [
            (Quantization::Q8Block64, 2 * 40 * 33, 1.0 / 250.0),
            (Quantization::Q4Block32, 40 * 33, 0.31),
        ] {
            let bytes = encode(&tensors, quantization).unwrap();
            assert!(bytes.len() < most_bytes, "{} bytes", bytes.len());
            let back = decode(&bytes).unwrap();
            assert_eq!(back["a.bias"], tensors["a.bias"]);
            let (wanted, found) = (&tensors["a.weight"], &back["a.weight"]);
            assert_eq!(found.shape, wanted.shape);
            for (a, b) in found.values.iter().zip(&wanted.values) {
                assert!((a - b).abs() < most, "{a} {b}");
            }
        }
    }

    /// 16-bit scales end at 65504.
    #[test]
    fn values_too_large_for_four_bits_stay_as_they_are() {
        let mut tensors = example();
        tensors.get_mut("a.weight").unwrap().values[7] = 1e6;
        let bytes = encode(&tensors, Quantization::Q4Block32).unwrap();
        assert_eq!(decode(&bytes).unwrap(), tensors);
    }

    #[test]
    fn damage_is_an_error() {
        for quantization in [Quantization::Q8Block64, Quantization::Q4Block32] {
            let bytes = encode(&example(), quantization).unwrap();
            assert!(decode(&bytes[..bytes.len() - 5]).is_err());
            assert!(decode(&[&bytes[..], &[0; 5]].concat()).is_err());
        }
        assert!(decode(b"not a safetensors file").is_err());
        assert!(decode(b"short").is_err());
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
