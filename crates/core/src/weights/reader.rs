//! A weights file read tensor by tensor, wherever its bytes are: neither the file nor all tensors need be in memory beside the network.

use super::layout::{FORMAT, FORMAT_KEY, SCALES, SHAPES, hex, printable};
use super::quantization::{Bits, Quantized};
use super::{NamedTensor, WeightsError};
use half::f16;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Bytes in memory, on a disk or anywhere else.
pub trait WeightBytes {
    /// How many.
    ///
    /// # Errors
    /// When that can't be known.
    fn length(&self) -> io::Result<u64>;

    /// Fills `into` with those from `offset` on.
    ///
    /// # Errors
    /// When they can't be read, or end before.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()>;
}

impl WeightBytes for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..));
        let bytes = rest.and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl WeightBytes for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        self[..].length()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        self[..].read_at(offset, into)
    }
}

impl WeightBytes for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(into)
    }
}

impl<B: WeightBytes + ?Sized> WeightBytes for &B {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        (**self).read_at(offset, into)
    }
}

/// SHA-256 of all bytes, lower-case hexadecimal.
///
/// # Errors
/// [`WeightsError::Read`].
pub fn checksum(bytes: &(impl WeightBytes + ?Sized)) -> Result<String, WeightsError> {
    let mut hasher = Sha256::new();
    each_piece(bytes, 1 << 20, |piece| hasher.update(piece))?;
    Ok(hex(&hasher.finalize()))
}

/// Hands out all bytes in pieces of that length, the last as long as it is.
///
/// # Errors
/// [`WeightsError::Read`].
pub(crate) fn each_piece(
    bytes: &(impl WeightBytes + ?Sized),
    at_once: u64,
    mut take: impl FnMut(&[u8]),
) -> Result<(), WeightsError> {
    let mut piece = Vec::new();
    let length = bytes.length()?;
    for offset in (0..length).step_by(at_once as usize) {
        piece.resize(at_once.min(length - offset) as usize, 0);
        bytes.read_at(offset, &mut piece)?;
        take(&piece);
    }
    Ok(())
}

/// Whether a safetensors file is one that this program wrote.
///
/// # Errors
/// [`WeightsError::Format`] for a damaged one, [`WeightsError::Read`].
pub fn is_ours(bytes: &(impl WeightBytes + ?Sized)) -> Result<bool, WeightsError> {
    let (metadata, _) = header(bytes)?;
    let metadata = metadata.metadata().as_ref();
    Ok(metadata
        .and_then(|metadata| metadata.get(FORMAT_KEY))
        .map(String::as_str)
        == Some(FORMAT))
}

/// A weights file of which the header has been read.
#[derive(Debug)]
pub struct WeightsReader<B> {
    bytes: B,
    entries: BTreeMap<String, Entry>,
}

/// A tensor in the file.
#[derive(Debug)]
struct Entry {
    shape: Vec<usize>,
    /// In which bits and where its scales are, if it is quantised.
    quantized: Option<(Bits, Place)>,
    values: Place,
}

/// Where bytes lie in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: usize,
}

impl<B: WeightBytes> WeightsReader<B> {
    /// Reads and checks the header.
    ///
    /// # Errors
    /// [`WeightsError::Format`] for a damaged file, [`WeightsError::Encoding`] for a tensor of another type than F32, or I8 or U8
    /// with scales, [`WeightsError::Missing`] and [`WeightsError::Shape`] for scales that are not there or not so many.
    pub fn open(bytes: B) -> Result<Self, WeightsError> {
        let (metadata, start) = header(&bytes)?;
        let infos = metadata.tensors();
        let shapes: HashMap<String, Vec<usize>> = match metadata.metadata() {
            Some(metadata) if metadata.contains_key(SHAPES) => {
                serde_json::from_str(&metadata[SHAPES]).map_err(|error| damaged(&error))?
            }
            _ => HashMap::new(),
        };
        let mut entries = BTreeMap::new();
        for (name, info) in &infos {
            if name.contains(char::is_control) {
                let name = printable(name);
                return Err(WeightsError::Format(format!(
                    "a tensor is called {name}, with signs that can't be printed"
                )));
            }
            if name.ends_with(SCALES) {
                continue;
            }
            let bits = match info.dtype {
                Dtype::F32 => None,
                Dtype::I8 => Some(Bits::Eight),
                Dtype::U8 => Some(Bits::Four),
                other => {
                    return Err(WeightsError::Encoding {
                        name: name.clone(),
                        found: format!("{other:?}"),
                        expected: "F32, or I8 or U8 with scales",
                    });
                }
            };
            let values = place(info, start);
            let shape = match bits {
                Some(Bits::Four) => four_bit_shape(name, shapes.get(name), values.length)?,
                _ => info.shape.clone(),
            };
            let quantized = match bits {
                Some(bits) => {
                    let scales = format!("{name}{SCALES}");
                    let blocks = shape.iter().product::<usize>().div_ceil(bits.block());
                    Some((bits, scales_of(scales, &infos, bits, blocks, start)?))
                }
                None => None,
            };
            let entry = Entry {
                shape,
                quantized,
                values,
            };
            entries.insert(name.clone(), entry);
        }
        Ok(Self { bytes, entries })
    }

    /// Names and shapes of all tensors.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> + Clone {
        let entries = self.entries.iter();
        entries.map(|(name, entry)| (&**name, &*entry.shape))
    }

    /// A tensor's shape, if it is there.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| &*entry.shape)
    }

    /// A tensor in floating point.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Read`], [`WeightsError::NotFinite`].
    pub fn tensor(&self, name: &str) -> Result<NamedTensor, WeightsError> {
        let entry = self.entry(name)?;
        let values = match self.quantized(name)? {
            Some(quantized) => quantized.widened(),
            None => f32_values(&self.read(entry.values)?),
        };
        if values.iter().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite(name.to_owned()));
        }
        let shape = entry.shape.clone();
        Ok(NamedTensor { shape, values })
    }

    /// A tensor as it is stored, if that is in fewer bits.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Read`], [`WeightsError::NotFinite`].
    pub fn quantized(&self, name: &str) -> Result<Option<Quantized>, WeightsError> {
        let entry = self.entry(name)?;
        let Some((bits, scales)) = entry.quantized else {
            return Ok(None);
        };
        let scales = self.read(scales)?;
        let scales = match bits {
            Bits::Eight => f32_values(&scales),
            Bits::Four => {
                let pairs = scales.chunks_exact(2);
                pairs
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect()
            }
        };
        if scales.iter().any(|scale| !scale.is_finite()) {
            return Err(WeightsError::NotFinite(name.to_owned()));
        }
        Ok(Some(Quantized {
            bits,
            count: entry.shape.iter().product(),
            values: self.read(entry.values)?,
            scales,
        }))
    }

    fn entry(&self, name: &str) -> Result<&Entry, WeightsError> {
        let entry = self.entries.get(name);
        entry.ok_or_else(|| WeightsError::Missing(vec![name.to_owned()]))
    }

    fn read(&self, place: Place) -> Result<Vec<u8>, WeightsError> {
        let mut bytes = vec![0; place.length];
        self.bytes.read_at(place.offset, &mut bytes)?;
        Ok(bytes)
    }
}

fn damaged(error: &dyn std::fmt::Display) -> WeightsError {
    WeightsError::Format(printable(&error.to_string()))
}

/// What the header says, of a file that is as long as it says, and where the tensors begin.
fn header(bytes: &(impl WeightBytes + ?Sized)) -> Result<(Metadata, u64), WeightsError> {
    let length = bytes.length()?;
    let mut size = [0; 8];
    if length < size.len() as u64 {
        let problem = format!("it has {length} bytes, expected are 8 and a header");
        return Err(WeightsError::Format(problem));
    }
    bytes.read_at(0, &mut size)?;
    let size = u64::from_le_bytes(size);
    if size > length - 8 {
        let problem = format!(
            "its header should have {size} bytes, of which {} are there",
            length - 8
        );
        return Err(WeightsError::Format(problem));
    }
    let mut json = vec![0; size as usize];
    bytes.read_at(8, &mut json)?;
    let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| damaged(&error))?;
    let start = 8 + size;
    let mut infos: Vec<_> = metadata.tensors().into_iter().collect();
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in infos {
        let (from, to) = info.data_offsets;
        let mut count = info.shape.iter().copied();
        let count = count.try_fold(1usize, usize::checked_mul);
        let bits = count.and_then(|count| count.checked_mul(info.dtype.bitsize()));
        if from != end
            || bits.is_none()
            || to.checked_sub(from) != bits.map(|bits| bits.div_ceil(8))
        {
            let problem = format!(
                "tensor {name} of shape {:?} lies at bytes {from} to {to}, expected is a place as large as it behind the one before, which ends at {end}",
                info.shape
            );
            return Err(WeightsError::Format(printable(&problem)));
        }
        end = to;
    }
    let found = length - start;
    if found != end as u64 {
        let problem = format!("its tensors have {found} bytes, expected are {end}");
        return Err(WeightsError::Format(problem));
    }
    Ok((metadata, start))
}

/// Where a tensor's bytes are, in a file whose tensors begin at `start`.
fn place(info: &TensorInfo, start: u64) -> Place {
    let (from, to) = info.data_offsets;
    Place {
        offset: start + from as u64,
        length: to - from,
    }
}

/// The shape of a tensor of that many bytes, which the metadata says.
fn four_bit_shape(
    name: &str,
    shape: Option<&Vec<usize>>,
    bytes: usize,
) -> Result<Vec<usize>, WeightsError> {
    let count = shape.and_then(|shape| shape.iter().copied().try_fold(1usize, usize::checked_mul));
    match (shape, count) {
        (Some(shape), Some(count)) if Bits::Four.bytes(count) == bytes => Ok(shape.clone()),
        _ => Err(WeightsError::Format(format!(
            "tensor {name} has {bytes} bytes of two values each, expected is a shape of as many values in the file's metadata"
        ))),
    }
}

fn scales_of(
    name: String,
    infos: &HashMap<String, &TensorInfo>,
    bits: Bits,
    blocks: usize,
    start: u64,
) -> Result<Place, WeightsError> {
    let Some(info) = infos.get(&name) else {
        return Err(WeightsError::Missing(vec![name]));
    };
    let (dtype, expected) = match bits {
        Bits::Eight => (Dtype::F32, "F32"),
        Bits::Four => (Dtype::F16, "F16"),
    };
    if info.dtype != dtype {
        return Err(WeightsError::Encoding {
            name,
            found: format!("{:?}", info.dtype),
            expected,
        });
    }
    if info.shape != [blocks] {
        return Err(WeightsError::Shape {
            name,
            found: info.shape.clone(),
            expected: vec![blocks],
        });
    }
    Ok(place(info, start))
}

fn f32_values(bytes: &[u8]) -> Vec<f32> {
    let fours = bytes.chunks_exact(4);
    fours
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::file::{Quantization, encode};
    use super::super::{Hold, NamedTensors, decode, load_from, named_tensors};
    use super::*;
    use crate::model::DinoMed3dConfig;
    use burn::tensor::{Device, Tensor};
    use std::cell::Cell;

    fn example() -> NamedTensors {
        let values = (0..35 * 64).map(|i| (i as f32 * 0.7).sin()).collect();
        let tensor = NamedTensor {
            shape: vec![35, 64],
            values,
        };
        NamedTensors::from([("a.weight".to_owned(), tensor)])
    }

    /// The same from memory and from a disk, whole and tensor by tensor.
    #[test]
    fn a_file_on_a_disk_is_the_one_in_memory() {
        let name = format!("dinomed3d-reader-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        for quantization in [
            Quantization::None,
            Quantization::Q8Block64,
            Quantization::Q4Block32,
        ] {
            let bytes = encode(&example(), quantization).unwrap();
            std::fs::write(&path, &bytes).unwrap();
            let file = File::open(&path).unwrap();
            let reader = WeightsReader::open(&file).unwrap();
            assert_eq!(reader.shape("a.weight"), Some(&[35, 64][..]));
            let found = reader.tensor("a.weight").unwrap();
            assert_eq!(found, decode(&bytes).unwrap()["a.weight"]);
            assert_eq!(checksum(&file).unwrap(), hex(&Sha256::digest(&bytes)));
        }
        std::fs::remove_file(&path).unwrap();
    }

    /// What is asked for at once is a tensor, or its scales, and not the file.
    #[test]
    fn a_network_is_loaded_a_tensor_at_a_time() {
        struct Watched<'a> {
            bytes: &'a [u8],
            most: Cell<usize>,
        }
        impl WeightBytes for Watched<'_> {
            fn length(&self) -> io::Result<u64> {
                self.bytes.length()
            }

            fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
                self.most.set(self.most.get().max(into.len()));
                self.bytes.read_at(offset, into)
            }
        }
        let device = Device::flex();
        let config = DinoMed3dConfig::compact(3);
        let tensors = named_tensors(&config.init(&device));
        let bytes = encode(&tensors, Quantization::Q4Block32).unwrap();
        let watched = Watched {
            bytes: &bytes,
            most: Cell::new(0),
        };
        let reader = WeightsReader::open(&watched).unwrap();
        let of = |hold| load_from(config.init(&device), &reader, hold).unwrap();
        let loaded = of(Hold::Widened);
        assert_eq!(named_tensors(&loaded), decode(&bytes).unwrap());
        let largest = tensors.values().map(|tensor| tensor.values.len()).max();
        let most = watched.most.get();
        assert!(
            Some(most) <= largest && most < bytes.len() / 8,
            "{most} of {}",
            bytes.len()
        );

        // Held in as few bits as they are, weights answer the same: products are of the widened ones.
        let input = || Tensor::<5>::ones([1, 1, 2, 16, 16], &device);
        let [widened, held] = [loaded, of(Hold::Quantized)].map(|network| network.forward(input()));
        let difference: f32 = (widened - held).abs().max().into_scalar();
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn scales_that_are_lacking_or_too_few_are_named() {
        let of = |change: &dyn Fn(&mut serde_json::Value)| {
            let bytes = encode(&example(), Quantization::Q4Block32).unwrap();
            let size = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let mut header = serde_json::from_slice(&bytes[8..8 + size]).unwrap();
            change(&mut header);
            let header = header.to_string();
            let size = (header.len() as u64).to_le_bytes();
            let changed = [&size, header.as_bytes(), &bytes[8 + bytes_of(&bytes)..]].concat();
            decode(&changed).unwrap_err().to_string()
        };
        let said = of(&|header| header["a.weight.scales"]["dtype"] = "BF16".into());
        assert!(
            said.contains("a.weight.scales is stored as BF16, expected F16"),
            "{said}"
        );
        let said = of(&|header| header["__metadata__"]["shapes"] = "{}".into());
        assert!(
            said.contains("tensor a.weight has 1120 bytes of two values"),
            "{said}"
        );
        let said = of(&|header| {
            header["__metadata__"]["shapes"] = r#"{"a.weight":[35,63]}"#.into();
        });
        assert!(
            said.contains("expected is a shape of as many values"),
            "{said}"
        );
        let said = of(&|header| {
            let scales = header["a.weight.scales"].take();
            header.as_object_mut().unwrap().remove("a.weight.scales");
            header["b.weight.scales"] = scales;
        });
        assert!(
            said.contains("lacks 1") && said.contains("a.weight.scales"),
            "{said}"
        );
    }

    fn bytes_of(bytes: &[u8]) -> usize {
        u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
    }
}
