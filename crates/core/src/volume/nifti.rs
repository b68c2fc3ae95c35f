//! NIfTI-1 files: single files of both byte orders read, label maps written with the source's header.

use std::io::Read;

use nifti::{Endianness, NiftiHeader};

use super::gzip::{MAX_RATIO, Members};
use super::{Affine, LabelMap, Volume};

const HEADER_BYTES: usize = 348;
/// Where voxels start in a single file without extensions.
const FIRST_VOXEL: usize = 352;
/// NIFTI_INTENT_LABEL.
const INTENT_LABEL: i16 = 1002;
/// What may follow the voxels of a compressed file: padding, some tool's own block.
const MAX_TRAILING_BYTES: u64 = 1 << 20;

/// Byte positions of header fields.
///
/// Source: nifti1.h.
mod field {
    pub const DIM: usize = 40;
    pub const INTENT_CODE: usize = 68;
    pub const DATATYPE: usize = 70;
    pub const BITPIX: usize = 72;
    pub const VOX_OFFSET: usize = 108;
    pub const SCL_SLOPE: usize = 112;
    pub const SCL_INTER: usize = 116;
    pub const CAL_MAX: usize = 124;
    pub const CAL_MIN: usize = 128;
    pub const DESCRIP: usize = 148;
    pub const DESCRIP_BYTES: usize = 80;
    pub const MAGIC: usize = 344;
}

/// Why a file can't be read as a NIfTI-1 volume, or a label map not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NiftiError {
    /// Neither size nor magic of a NIfTI-1 header.
    #[error(
        "not a NIfTI-1 file: its first four bytes are {start:02x?} (a header size of 348 is expected), its magic is {magic:?} (\"n+1\" is expected)"
    )]
    NotNifti {
        /// First four bytes, where a header says its size of 348.
        start: [u8; 4],
        /// Bytes 344 to 348 as text.
        magic: String,
    },
    /// A header of 540 bytes.
    #[error("this is a NIfTI-2 file (header of 540 bytes); NIfTI-1 is expected: convert it first")]
    Nifti2,
    /// Magic `ni1`.
    #[error(
        "this is the header of a pair (.hdr with a separate .img); a single .nii or .nii.gz file is expected: convert it first"
    )]
    DetachedPair,
    /// A header of 348 bytes without NIfTI's magic.
    #[error(
        "this looks like the header of an ANALYZE 7.5 pair (its magic is {magic:?}); a single .nii or .nii.gz file is expected: convert it first"
    )]
    Analyze {
        /// Bytes 344 to 348 as text.
        magic: String,
    },
    /// The file ends too early.
    #[error("file ends after {got} of {expected} bytes")]
    Truncated {
        /// Bytes that the header asks for (after unpacking).
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A compressed file that can't hold what its header claims.
    #[error(
        "the header claims {claimed} bytes, but a gzip file of {compressed} bytes holds at most {most}"
    )]
    ImpossibleClaim {
        /// Bytes that the header asks for.
        claimed: u64,
        /// Size of the compressed file.
        compressed: u64,
        /// What so many bytes can hold.
        most: u64,
    },
    /// A compressed file that goes on long after its last voxel.
    #[error("the file unpacks to more than {limit} bytes, but its header claims {claimed}")]
    Overlong {
        /// Bytes that the header asks for.
        claimed: u64,
        /// Where reading stopped.
        limit: u64,
    },
    /// The compressed stream is damaged.
    #[error("the gzip file is damaged after {got} unpacked bytes: {cause}")]
    Gzip {
        /// Bytes unpacked before.
        got: u64,
        /// What the decoder says.
        cause: String,
    },
    /// No memory for the voxels.
    #[error("no memory for the {bytes} bytes of this file's voxels")]
    OutOfMemory {
        /// Bytes that the header asks for.
        bytes: u64,
    },
    /// A number of dimensions or an edge that can't be.
    #[error("dim is {dim:?}: 1 to 7 dimensions, each of at least 1, are expected")]
    Dimensions {
        /// The header's `dim`.
        dim: [i16; 8],
    },
    /// More voxels than this machine can address.
    #[error("shape {shape:?} with {bytes_per_voxel} bytes per voxel is more than can be addressed")]
    TooLarge {
        /// x, y, z, t, …
        shape: Vec<usize>,
        /// Bytes per voxel.
        bytes_per_voxel: usize,
    },
    /// Colours, complex numbers, 128-bit floats, bits, or no known code.
    #[error(
        "datatype {code} ({name}) is not supported: integers of 8 to 64 bits and floats of 32 or 64 bits are"
    )]
    Datatype {
        /// The header's `datatype`.
        code: i16,
        /// Its name.
        name: &'static str,
    },
    /// Voxels can't start there.
    #[error("vox_offset is {found}: 352 or more is expected (or 0)")]
    VoxelOffset {
        /// The header's `vox_offset`.
        found: f32,
    },
    /// A scale without a finite offset.
    #[error("scl_slope is {slope} but scl_inter is {inter}: a finite number is expected")]
    Scaling {
        /// The header's `scl_slope`.
        slope: f32,
        /// The header's `scl_inter`.
        inter: f32,
    },
    /// The affine is flat or not finite, so voxels have no place in space.
    #[error("the {source_field} gives no usable affine: {rows:?}")]
    Affine {
        /// `sform`, `qform` or `pixdim`.
        source_field: &'static str,
        /// First three rows.
        rows: [[f64; 4]; 3],
    },
    /// Several volumes where one is expected.
    #[error("shape is {shape:?}: one three-dimensional volume is expected")]
    NotOneVolume {
        /// x, y, z, t, …
        shape: Vec<usize>,
    },
    /// More than one volume for each place along the fourth axis.
    #[error(
        "shape is {shape:?}: three dimensions are expected, or four of which the last is the channel"
    )]
    NotChannels {
        /// x, y, z, t, …
        shape: Vec<usize>,
    },
    /// A value that is no label.
    #[error("voxel {voxel:?} (x, y, z) holds {value}: labels are whole numbers from 0 to 255")]
    NotALabel {
        /// Index of the voxel.
        voxel: [usize; 3],
        /// What it holds.
        value: f64,
    },
    /// Labels of another scan.
    #[error("{got} labels for a scan of {expected} voxels")]
    LabelCount {
        /// Voxels of the scan.
        expected: usize,
        /// Labels given.
        got: usize,
    },
}

/// The numbers a voxel can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Datatype {
    Uint8,
    Int16,
    Int32,
    Float32,
    Float64,
    Int8,
    Uint16,
    Uint32,
    Int64,
    Uint64,
}

impl Datatype {
    fn from_code(code: i16) -> Result<Self, NiftiError> {
        let name = match code {
            2 => return Ok(Self::Uint8),
            4 => return Ok(Self::Int16),
            8 => return Ok(Self::Int32),
            16 => return Ok(Self::Float32),
            64 => return Ok(Self::Float64),
            256 => return Ok(Self::Int8),
            512 => return Ok(Self::Uint16),
            768 => return Ok(Self::Uint32),
            1024 => return Ok(Self::Int64),
            1280 => return Ok(Self::Uint64),
            1 => "bits",
            32 => "complex64",
            128 => "rgb24",
            1536 => "float128",
            1792 => "complex128",
            2048 => "complex256",
            2304 => "rgba32",
            _ => "unknown",
        };
        Err(NiftiError::Datatype { code, name })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Uint8 => "uint8",
            Self::Int16 => "int16",
            Self::Int32 => "int32",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Int8 => "int8",
            Self::Uint16 => "uint16",
            Self::Uint32 => "uint32",
            Self::Int64 => "int64",
            Self::Uint64 => "uint64",
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Float64 | Self::Int64 | Self::Uint64 => 8,
        }
    }

    /// One voxel from its bytes.
    fn value(self, bytes: &[u8], big_endian: bool) -> f64 {
        fn take<const N: usize>(bytes: &[u8], big_endian: bool) -> [u8; N] {
            let mut taken: [u8; N] = bytes.try_into().expect("a voxel's own bytes");
            if big_endian {
                taken.reverse();
            }
            taken
        }
        match self {
            Self::Uint8 => f64::from(bytes[0]),
            Self::Int8 => f64::from(bytes[0] as i8),
            Self::Int16 => f64::from(i16::from_le_bytes(take(bytes, big_endian))),
            Self::Uint16 => f64::from(u16::from_le_bytes(take(bytes, big_endian))),
            Self::Int32 => f64::from(i32::from_le_bytes(take(bytes, big_endian))),
            Self::Uint32 => f64::from(u32::from_le_bytes(take(bytes, big_endian))),
            Self::Float32 => f64::from(f32::from_le_bytes(take(bytes, big_endian))),
            Self::Float64 => f64::from_le_bytes(take(bytes, big_endian)),
            Self::Int64 => i64::from_le_bytes(take(bytes, big_endian)) as f64,
            Self::Uint64 => u64::from_le_bytes(take(bytes, big_endian)) as f64,
        }
    }
}

/// A NIfTI-1 file: its 348-byte header as it came, and its voxels.
#[derive(Debug, Clone)]
pub struct NiftiImage {
    raw_header: [u8; HEADER_BYTES],
    header: NiftiHeader,
    datatype: Datatype,
    /// x, y, z, t, …
    shape: Vec<usize>,
    /// Slope and offset, where the file has them.
    scaling: Option<(f64, f64)>,
    /// The voxels' own bytes; unpacked when they are asked for, so that a large file is held once.
    data: Vec<u8>,
}

impl NiftiImage {
    /// Reads a `.nii` or `.nii.gz` file of either byte order; which one it is, its first bytes say.
    ///
    /// Nothing is allocated before the header's claims are checked against the file, and a compressed file is
    /// unpacked no further than its header claims (and a little for what may follow).
    ///
    /// # Errors
    /// A [`NiftiError`] that says what was found and what is expected; never a panic.
    pub fn parse(bytes: &[u8]) -> Result<Self, NiftiError> {
        if Members::is_gzip(bytes) {
            Self::parse_gzip(bytes)
        } else {
            Self::parse_plain(bytes)
        }
    }

    fn parse_plain(bytes: &[u8]) -> Result<Self, NiftiError> {
        let layout = Layout::read(bytes)?;
        let got = bytes.len() as u64;
        if layout.total_bytes() > got {
            return Err(NiftiError::Truncated {
                expected: layout.total_bytes(),
                got,
            });
        }
        let voxels = &bytes[layout.offset..layout.offset + layout.data_bytes];
        let mut data = layout.reserve(layout.data_bytes)?;
        data.extend_from_slice(voxels);
        Ok(layout.into_image(data))
    }

    fn parse_gzip(bytes: &[u8]) -> Result<Self, NiftiError> {
        let mut stream = Members::new(bytes);
        let mut start = Vec::with_capacity(HEADER_BYTES);
        read_exactly(&mut stream, &mut start, HEADER_BYTES, 0)?;
        let layout = Layout::read(&start)?;

        let claimed = layout.total_bytes();
        let compressed = bytes.len() as u64;
        let most = compressed.saturating_mul(MAX_RATIO);
        if claimed > most {
            return Err(NiftiError::ImpossibleClaim {
                claimed,
                compressed,
                most,
            });
        }

        // The gap before the voxels (extensions) is passed over, not kept.
        let mut position = HEADER_BYTES;
        let mut passed = Vec::new();
        while position < layout.offset {
            passed.clear();
            let count = (layout.offset - position).min(1 << 16);
            read_exactly(&mut stream, &mut passed, count, position).map_err(|e| e.of(claimed))?;
            position += count;
        }
        // A scan seldom shrinks to less than a sixteenth; a file that claims more has to deliver it first.
        let mut data = layout.reserve(layout.data_bytes.min(bytes.len().saturating_mul(16)))?;
        while data.len() < layout.data_bytes {
            let count = (layout.data_bytes - data.len()).min(1 << 20);
            data.try_reserve(count)
                .map_err(|_| NiftiError::OutOfMemory {
                    bytes: layout.data_bytes as u64,
                })?;
            let position = layout.offset + data.len();
            read_exactly(&mut stream, &mut data, count, position).map_err(|e| e.of(claimed))?;
        }
        // To the end, so that the checksum is verified.
        let mut trailing = 0;
        let mut scratch = [0; 1 << 13];
        loop {
            match stream.read(&mut scratch) {
                Ok(0) => break,
                Ok(count) => trailing += count as u64,
                Err(cause) => return Err(gzip_error(&cause, claimed, claimed + trailing)),
            }
            if trailing > MAX_TRAILING_BYTES {
                return Err(NiftiError::Overlong {
                    claimed,
                    limit: claimed + MAX_TRAILING_BYTES,
                });
            }
        }
        Ok(layout.into_image(data))
    }

    /// Edges in the file's order: x, y, z, t, …
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The sform if its code is positive, else the qform if its code is, else spacing alone, centred and with x
    /// towards the left (as nibabel does).
    pub fn affine(&self) -> Affine {
        self.affine_and_source().0
    }

    /// The datatype in numpy's words, such as `int16`.
    pub fn datatype_name(&self) -> &'static str {
        self.datatype.name()
    }

    /// The codes of qform and sform.
    pub fn form_codes(&self) -> (i16, i16) {
        (self.header.qform_code, self.header.sform_code)
    }

    /// The 348 bytes of the header as they came.
    pub fn raw_header(&self) -> &[u8; HEADER_BYTES] {
        &self.raw_header
    }

    /// All values in the file's order, x fastest, scaled by scl_slope and scl_inter.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        let (datatype, big_endian) = (self.datatype, self.is_big_endian());
        let (slope, inter) = self.scaling.unwrap_or((1.0, 0.0));
        let is_scaled = self.scaling.is_some();
        self.data.chunks_exact(datatype.bytes()).map(move |bytes| {
            let value = datatype.value(bytes, big_endian);
            if is_scaled {
                value * slope + inter
            } else {
                value
            }
        })
    }

    /// The one volume of this file; a file of two dimensions is one slice.
    ///
    /// # Errors
    /// [`NiftiError::NotOneVolume`] if there are several, [`NiftiError::Affine`] if voxels have no place in space.
    pub fn volume(&self) -> Result<Volume, NiftiError> {
        let (shape, affine) = self.one_volume()?;
        let mut voxels = self.reserve_voxels::<f32>()?;
        voxels.extend(self.values().map(|v| v as f32));
        Ok(Volume {
            voxels,
            shape,
            affine,
        })
    }

    /// The volumes of this file: one of three dimensions, or of four one for each place along the last axis.
    ///
    /// # Errors
    /// [`NiftiError::NotChannels`] for more dimensions, [`NiftiError::Affine`] if voxels have no place in space.
    pub fn volumes(&self) -> Result<Vec<Volume>, NiftiError> {
        if self.shape.iter().skip(4).any(|&n| n != 1) {
            return Err(NiftiError::NotChannels {
                shape: self.shape.clone(),
            });
        }
        let shape = self.grid_shape();
        let affine = self.usable_affine()?;
        let count = shape.iter().product::<usize>();
        let mut values = self.values().map(|v| v as f32);
        (0..self.shape.get(3).copied().unwrap_or(1))
            .map(|_| {
                let mut voxels = Vec::new();
                voxels
                    .try_reserve_exact(count)
                    .map_err(|_| NiftiError::OutOfMemory {
                        bytes: (count * size_of::<f32>()) as u64,
                    })?;
                voxels.extend(values.by_ref().take(count));
                Ok(Volume {
                    voxels,
                    shape,
                    affine,
                })
            })
            .collect()
    }

    /// Edges of a voxel in mm, x, y, z, where the file says how its voxels lie: lengths of the sform's columns, otherwise
    /// pixdim as it stands, unmended.
    pub fn stated_spacing_mm(&self) -> [f64; 3] {
        if self.header.sform_code > 0 {
            self.affine().spacing_mm()
        } else {
            [1, 2, 3].map(|i| f64::from(self.header.pixdim[i]))
        }
    }

    /// The one volume of this file as labels.
    ///
    /// # Errors
    /// As [`NiftiImage::volume`], and [`NiftiError::NotALabel`] for a value that is no whole number of 0 to 255.
    pub fn label_map(&self) -> Result<LabelMap, NiftiError> {
        let (shape, affine) = self.one_volume()?;
        let mut labels = self.reserve_voxels::<u8>()?;
        for value in self.values() {
            let label = value as u8; // saturates, and 0 for NaN
            if f64::from(label) != value {
                let (index, [_, rows, columns]) = (labels.len(), shape);
                return Err(NiftiError::NotALabel {
                    voxel: [
                        index % columns,
                        index / columns % rows,
                        index / (columns * rows),
                    ],
                    value,
                });
            }
            labels.push(label);
        }
        Ok(LabelMap {
            labels,
            shape,
            affine,
        })
    }

    /// An uncompressed `.nii` file of labels for this scan, in its byte order and with its geometry to the byte.
    ///
    /// dim, pixdim, units, qform and sform with both codes and all else stay as they came; only what says how voxels
    /// are stored and what they mean is changed: datatype uint8, no scaling, no display range, voxels at byte 352,
    /// intent 1002 (label), the description (cut to 79 bytes). Extensions of the source are not carried over.
    ///
    /// # Shapes
    /// `labels` is `[z, y, x]`, one for each voxel of the scan.
    ///
    /// # Errors
    /// [`NiftiError::LabelCount`] for another number of labels, [`NiftiError::NotChannels`] for a file of more than four
    /// dimensions.
    pub fn encode_label_map(
        &self,
        labels: &[u8],
        description: &str,
    ) -> Result<Vec<u8>, NiftiError> {
        if self.shape.iter().skip(4).any(|&n| n != 1) {
            return Err(NiftiError::NotChannels {
                shape: self.shape.clone(),
            });
        }
        let expected = self.grid_shape().iter().product();
        if labels.len() != expected {
            return Err(NiftiError::LabelCount {
                expected,
                got: labels.len(),
            });
        }
        let mut file = Vec::new();
        file.try_reserve_exact(FIRST_VOXEL + labels.len())
            .map_err(|_| NiftiError::OutOfMemory {
                bytes: labels.len() as u64,
            })?;
        file.extend_from_slice(&self.raw_header);
        file.extend_from_slice(&[0; FIRST_VOXEL - HEADER_BYTES]); // no extension follows

        let short = |v: i16| {
            if self.is_big_endian() {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        let float = |v: f32| {
            if self.is_big_endian() {
                v.to_be_bytes()
            } else {
                v.to_le_bytes()
            }
        };
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        if self.shape.get(3).is_some_and(|&channels| channels != 1) {
            // One label map for all channels.
            put(field::DIM, &short(3));
            for axis in 4..8 {
                put(field::DIM + 2 * axis, &short(1));
            }
        }
        put(field::INTENT_CODE, &short(INTENT_LABEL));
        put(field::DATATYPE, &short(2));
        put(field::BITPIX, &short(8));
        put(field::VOX_OFFSET, &float(FIRST_VOXEL as f32));
        put(field::SCL_SLOPE, &float(1.0));
        put(field::SCL_INTER, &float(0.0));
        put(field::CAL_MAX, &float(0.0));
        put(field::CAL_MIN, &float(0.0));
        let mut text = [0; field::DESCRIP_BYTES];
        let mut end = description.len().min(field::DESCRIP_BYTES - 1); // the last byte ends the text
        while !description.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].copy_from_slice(&description.as_bytes()[..end]);
        put(field::DESCRIP, &text);
        put(field::MAGIC, b"n+1\0");
        file.extend_from_slice(labels);
        Ok(file)
    }

    fn is_big_endian(&self) -> bool {
        self.header.endianness == Endianness::Big
    }

    /// Edges of each volume in the file, z, y, x.
    pub fn grid_shape(&self) -> [usize; 3] {
        let edge = |axis: usize| self.shape.get(axis).copied().unwrap_or(1);
        [edge(2), edge(1), edge(0)]
    }

    fn one_volume(&self) -> Result<([usize; 3], Affine), NiftiError> {
        if self.shape.iter().skip(3).any(|&n| n != 1) {
            return Err(NiftiError::NotOneVolume {
                shape: self.shape.clone(),
            });
        }
        Ok((self.grid_shape(), self.usable_affine()?))
    }

    fn usable_affine(&self) -> Result<Affine, NiftiError> {
        let (affine, source_field) = self.affine_and_source();
        if !affine.is_invertible() {
            let [x, y, z, _] = affine.0;
            return Err(NiftiError::Affine {
                source_field,
                rows: [x, y, z],
            });
        }
        Ok(affine)
    }

    fn reserve_voxels<T>(&self) -> Result<Vec<T>, NiftiError> {
        let count = self.data.len() / self.datatype.bytes();
        let mut voxels = Vec::new();
        voxels
            .try_reserve_exact(count)
            .map_err(|_| NiftiError::OutOfMemory {
                bytes: (count * size_of::<T>()) as u64,
            })?;
        Ok(voxels)
    }

    fn affine_and_source(&self) -> (Affine, &'static str) {
        let header = &self.header;
        if header.sform_code > 0 {
            let row = |values: [f32; 4]| values.map(f64::from);
            let affine = Affine([
                row(header.srow_x),
                row(header.srow_y),
                row(header.srow_z),
                [0.0, 0.0, 0.0, 1.0],
            ]);
            (affine, "sform")
        } else if header.qform_code > 0 {
            (self.qform(), "qform")
        } else {
            (self.base_affine(), "pixdim")
        }
    }

    /// Edges of a voxel from pixdim; a sign is dropped and 0 becomes 1, as nibabel mends them.
    fn pixdim_mm(&self) -> [f64; 3] {
        [1, 2, 3].map(|i| match f64::from(self.header.pixdim[i]).abs() {
            0.0 => 1.0,
            edge => edge,
        })
    }

    /// Source: nifti1.h, method 2. A quaternion longer than 1 is shortened to 1.
    fn qform(&self) -> Affine {
        let header = &self.header;
        let [mut b, mut c, mut d] =
            [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
        let rest = 1.0 - (b * b + c * c + d * d);
        let a = if rest > 3.0 * f64::from(f32::EPSILON) {
            rest.sqrt()
        } else {
            let length = (b * b + c * c + d * d).sqrt();
            (b, c, d) = (b / length, c / length, d / length);
            0.0
        };
        let rotation = [
            [
                a * a + b * b - c * c - d * d,
                2.0 * (b * c - a * d),
                2.0 * (b * d + a * c),
            ],
            [
                2.0 * (b * c + a * d),
                a * a + c * c - b * b - d * d,
                2.0 * (c * d - a * b),
            ],
            [
                2.0 * (b * d - a * c),
                2.0 * (c * d + a * b),
                a * a + d * d - b * b - c * c,
            ],
        ];
        let [x, y, z] = self.pixdim_mm();
        let qfac = if header.pixdim[0] == -1.0 { -1.0 } else { 1.0 };
        let edges = [x, y, z * qfac];
        let offset = [header.quatern_x, header.quatern_y, header.quatern_z].map(f64::from);
        let row = |r: usize| {
            [
                rotation[r][0] * edges[0],
                rotation[r][1] * edges[1],
                rotation[r][2] * edges[2],
                offset[r],
            ]
        };
        Affine([row(0), row(1), row(2), [0.0, 0.0, 0.0, 1.0]])
    }

    fn base_affine(&self) -> Affine {
        let [x, y, z] = self.pixdim_mm();
        let mut affine = Affine::from_spacing_mm([-x, y, z]);
        for axis in 0..3 {
            let edge = self.shape.get(axis).copied().unwrap_or(1);
            affine.0[axis][3] = -(edge as f64 - 1.0) / 2.0 * affine.0[axis][axis];
        }
        affine
    }
}

/// A header whose claims make sense by themselves.
struct Layout {
    raw_header: [u8; HEADER_BYTES],
    header: NiftiHeader,
    datatype: Datatype,
    shape: Vec<usize>,
    scaling: Option<(f64, f64)>,
    offset: usize,
    data_bytes: usize,
}

impl Layout {
    fn read(bytes: &[u8]) -> Result<Self, NiftiError> {
        let magic = |at: usize| match bytes.get(at..at + 4) {
            Some(found) => String::from_utf8_lossy(found)
                .trim_end_matches('\0')
                .to_owned(),
            None => String::new(),
        };
        let start: [u8; 4] = match bytes.first_chunk() {
            Some(start) => *start,
            None => {
                return Err(NiftiError::Truncated {
                    expected: HEADER_BYTES as u64,
                    got: bytes.len() as u64,
                });
            }
        };
        let big_endian = match (i32::from_le_bytes(start), i32::from_be_bytes(start)) {
            (348, _) => false,
            (_, 348) => true,
            (540, _) | (_, 540) => return Err(NiftiError::Nifti2),
            _ => {
                return Err(NiftiError::NotNifti {
                    start,
                    magic: magic(field::MAGIC),
                });
            }
        };
        let Some(&raw_header) = bytes.first_chunk::<HEADER_BYTES>() else {
            return Err(NiftiError::Truncated {
                expected: HEADER_BYTES as u64,
                got: bytes.len() as u64,
            });
        };
        match &raw_header[field::MAGIC..] {
            b"n+1\0" => {}
            b"ni1\0" => return Err(NiftiError::DetachedPair),
            _ => {
                return Err(NiftiError::Analyze {
                    magic: magic(field::MAGIC),
                });
            }
        }
        let short = |at: usize| {
            let pair = [raw_header[at], raw_header[at + 1]];
            if big_endian {
                i16::from_be_bytes(pair)
            } else {
                i16::from_le_bytes(pair)
            }
        };
        let dim: [i16; 8] = std::array::from_fn(|i| short(40 + 2 * i));
        let bad_dimensions = || NiftiError::Dimensions { dim };
        // Checked before the header parser sees it: it takes the byte order from dim[0].
        if !(1..=7).contains(&dim[0]) {
            return Err(bad_dimensions());
        }
        let shape = dim[1..=dim[0] as usize]
            .iter()
            .map(|&n| usize::try_from(n).ok().filter(|&n| n > 0))
            .collect::<Option<Vec<_>>>()
            .ok_or_else(bad_dimensions)?;
        let header =
            NiftiHeader::from_reader(&raw_header[..]).map_err(|_| NiftiError::NotNifti {
                start,
                magic: magic(field::MAGIC),
            })?;

        let datatype = Datatype::from_code(header.datatype)?;
        let data_bytes = shape
            .iter()
            .try_fold(datatype.bytes(), |bytes, &n| bytes.checked_mul(n))
            .filter(|&bytes| bytes <= isize::MAX as usize / 2)
            .ok_or_else(|| NiftiError::TooLarge {
                shape: shape.clone(),
                bytes_per_voxel: datatype.bytes(),
            })?;
        let offset = match header.vox_offset {
            0.0 => FIRST_VOXEL,
            // Beyond 2^30 an f32 no longer names single bytes anyway.
            found if found >= FIRST_VOXEL as f32 && found <= (1u32 << 30) as f32 => found as usize,
            found => return Err(NiftiError::VoxelOffset { found }),
        };
        let (slope, inter) = (header.scl_slope, header.scl_inter);
        let scaling = if slope == 0.0 || !slope.is_finite() || (slope == 1.0 && inter == 0.0) {
            None
        } else if inter.is_finite() {
            Some((f64::from(slope), f64::from(inter)))
        } else {
            return Err(NiftiError::Scaling { slope, inter });
        };
        Ok(Self {
            raw_header,
            header,
            datatype,
            shape,
            scaling,
            offset,
            data_bytes,
        })
    }

    fn total_bytes(&self) -> u64 {
        self.offset as u64 + self.data_bytes as u64
    }

    fn reserve(&self, count: usize) -> Result<Vec<u8>, NiftiError> {
        let mut data = Vec::new();
        data.try_reserve_exact(count)
            .map_err(|_| NiftiError::OutOfMemory {
                bytes: self.data_bytes as u64,
            })?;
        Ok(data)
    }

    fn into_image(self, data: Vec<u8>) -> NiftiImage {
        NiftiImage {
            raw_header: self.raw_header,
            header: self.header,
            datatype: self.datatype,
            shape: self.shape,
            scaling: self.scaling,
            data,
        }
    }
}

impl NiftiError {
    /// The same error, with what the whole file should hold.
    fn of(self, claimed: u64) -> Self {
        match self {
            Self::Truncated { got, .. } => Self::Truncated {
                expected: claimed,
                got,
            },
            other => other,
        }
    }
}

/// Appends `count` bytes of a stream that has given `position` bytes before.
fn read_exactly(
    stream: &mut Members<'_>,
    into: &mut Vec<u8>,
    count: usize,
    position: usize,
) -> Result<(), NiftiError> {
    let before = into.len();
    let result = stream.by_ref().take(count as u64).read_to_end(into);
    let got = (position + into.len() - before) as u64;
    let expected = (position + count) as u64;
    match result {
        Ok(read) if read == count => Ok(()),
        Ok(_) => Err(NiftiError::Truncated { expected, got }),
        Err(cause) => Err(gzip_error(&cause, expected, got)),
    }
}

fn gzip_error(cause: &std::io::Error, expected: u64, got: u64) -> NiftiError {
    if cause.kind() == std::io::ErrorKind::UnexpectedEof && got < expected {
        NiftiError::Truncated { expected, got }
    } else {
        NiftiError::Gzip {
            got,
            cause: cause.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::gzip;
    use super::*;

    /// A file of 3×2×2 int16 voxels 0, 1, 2, … with both forms set, little-endian unless asked otherwise.
    fn file(big_endian: bool) -> Vec<u8> {
        let mut bytes = vec![0; 352];
        let mut put = |at: usize, value: &[u8]| {
            let mut value = value.to_vec();
            if big_endian {
                value.reverse();
            }
            bytes[at..at + value.len()].copy_from_slice(&value);
        };
        put(0, &348i32.to_le_bytes());
        for (i, n) in [3i16, 3, 2, 2, 1, 1, 1, 1].into_iter().enumerate() {
            put(40 + 2 * i, &n.to_le_bytes());
        }
        put(field::DATATYPE, &4i16.to_le_bytes());
        put(field::BITPIX, &16i16.to_le_bytes());
        for (i, edge) in [-1.0f32, 2.0, 3.0, 4.0].into_iter().enumerate() {
            put(76 + 4 * i, &edge.to_le_bytes());
        }
        put(field::VOX_OFFSET, &352f32.to_le_bytes());
        put(252, &1i16.to_le_bytes());
        put(268, &(-7f32).to_le_bytes());
        for value in 0..12i16 {
            let stored = if big_endian {
                value.to_be_bytes()
            } else {
                value.to_le_bytes()
            };
            bytes.extend(stored);
        }
        bytes[field::MAGIC..field::MAGIC + 4].copy_from_slice(b"n+1\0");
        bytes
    }

    #[test]
    fn both_byte_orders_and_gzip_give_the_same_volume() {
        let little = NiftiImage::parse(&file(false)).unwrap();
        let volume = little.volume().unwrap();
        assert_eq!(volume.shape, [2, 2, 3]);
        assert_eq!(volume.voxels[5], 5.0);
        // qfac -1 turns the third axis.
        assert_eq!(volume.affine.orientation().to_string(), "RAI");
        assert_eq!(volume.affine.apply([0.0; 3]), [-7.0, 0.0, 0.0]);
        let big = NiftiImage::parse(&gzip(&file(true))).unwrap();
        assert_eq!(big.volume().unwrap(), volume);
        assert_eq!(big.form_codes(), (1, 0));
    }

    #[test]
    fn two_gzip_members_and_a_gap_before_the_voxels_are_read() {
        let mut plain = file(false);
        plain[field::VOX_OFFSET..field::VOX_OFFSET + 4].copy_from_slice(&400f32.to_le_bytes());
        plain.splice(352..352, [9; 48]);
        let mut packed = gzip(&plain[..390]);
        packed.extend(gzip(&plain[390..]));
        let image = NiftiImage::parse(&packed).unwrap();
        assert!(image.values().eq((0..12).map(f64::from)));
    }

    #[test]
    fn scaling_follows_nibabel() {
        let with = |slope: f32, inter: f32| {
            let mut bytes = file(false);
            bytes[field::SCL_SLOPE..][..4].copy_from_slice(&slope.to_le_bytes());
            bytes[field::SCL_INTER..][..4].copy_from_slice(&inter.to_le_bytes());
            NiftiImage::parse(&bytes).map(|image| image.values().nth(3).unwrap())
        };
        assert_eq!(with(2.0, -1.0).unwrap(), 5.0);
        assert_eq!(with(0.0, 5.0).unwrap(), 3.0);
        assert_eq!(with(f32::NAN, 5.0).unwrap(), 3.0);
        assert_eq!(with(f32::INFINITY, f32::NAN).unwrap(), 3.0);
        assert!(matches!(
            with(2.0, f32::NAN),
            Err(NiftiError::Scaling { .. })
        ));
    }

    #[test]
    fn what_can_not_be_is_named() {
        let changed = |at: usize, value: i16| {
            let mut bytes = file(false);
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
            NiftiImage::parse(&bytes).map(drop)
        };
        for (at, value) in [(40, 0), (40, 8), (40, -1), (42, 0), (44, -3)] {
            let result = changed(at, value);
            assert!(
                matches!(result, Err(NiftiError::Dimensions { .. })),
                "{result:?}"
            );
        }
        for (code, name) in [
            (128, "rgb24"),
            (32, "complex64"),
            (1792, "complex128"),
            (-3, "unknown"),
        ] {
            match changed(field::DATATYPE, code) {
                Err(NiftiError::Datatype {
                    code: found,
                    name: named,
                }) => {
                    assert_eq!((found, named), (code, name));
                }
                other => panic!("{other:?}"),
            }
        }
        let result = changed(42, 30000);
        assert!(
            matches!(result, Err(NiftiError::Truncated { expected, got: 376 }) if expected == 352 + 30000 * 4 * 2),
            "{result:?}"
        );
        let mut overflow = file(false);
        for i in 0..8 {
            overflow[40 + 2 * i..42 + 2 * i].copy_from_slice(&i16::MAX.to_le_bytes());
        }
        overflow[40..42].copy_from_slice(&7i16.to_le_bytes());
        let result = NiftiImage::parse(&overflow);
        assert!(
            matches!(result, Err(NiftiError::TooLarge { .. })),
            "{result:?}"
        );
        let mut offset = file(false);
        for found in [f32::NAN, -1.0, 348.0, 1e30, f32::INFINITY] {
            offset[field::VOX_OFFSET..][..4].copy_from_slice(&found.to_le_bytes());
            let result = NiftiImage::parse(&offset);
            assert!(
                matches!(result, Err(NiftiError::VoxelOffset { .. })),
                "{result:?}"
            );
        }
    }

    #[test]
    fn a_gzip_file_is_unpacked_no_further_than_its_header_claims() {
        let mut claims = file(false);
        for i in 1..4 {
            claims[40 + 2 * i..42 + 2 * i].copy_from_slice(&500i16.to_le_bytes());
        }
        let result = NiftiImage::parse(&gzip(&claims));
        assert!(
            matches!(result, Err(NiftiError::ImpossibleClaim { claimed, .. }) if claimed == 352 + 250_000_000),
            "{result:?}"
        );
        let mut bomb = file(false);
        bomb.resize(40 << 20, 0);
        let result = NiftiImage::parse(&gzip(&bomb));
        assert!(
            matches!(result, Err(NiftiError::Overlong { claimed: 376, .. })),
            "{result:?}"
        );
    }

    #[test]
    fn a_cut_or_damaged_gzip_file_is_an_error() {
        let packed = gzip(&file(false));
        for end in 2..packed.len() {
            assert!(NiftiImage::parse(&packed[..end]).is_err(), "{end}");
        }
        let mut damaged = packed.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(matches!(
            NiftiImage::parse(&damaged),
            Err(NiftiError::Gzip { .. })
        ));
    }

    #[test]
    fn several_volumes_are_no_volume_and_a_flat_slice_is_one() {
        let mut series = file(false);
        series[40..42].copy_from_slice(&4i16.to_le_bytes());
        series[46..48].copy_from_slice(&1i16.to_le_bytes());
        series[48..50].copy_from_slice(&2i16.to_le_bytes());
        let image = NiftiImage::parse(&series).unwrap();
        assert_eq!(image.shape(), [3, 2, 1, 2]);
        assert_eq!(image.values().len(), 12);
        assert!(
            matches!(image.volume(), Err(NiftiError::NotOneVolume { shape }) if shape == [3, 2, 1, 2])
        );
        let volumes = image.volumes().unwrap();
        let firsts: Vec<f32> = volumes.iter().map(|volume| volume.voxels[0]).collect();
        assert_eq!(
            firsts,
            [
                image.values().next().unwrap() as f32,
                image.values().nth(6).unwrap() as f32
            ]
        );
        assert!(
            volumes
                .iter()
                .all(|volume| volume.shape == [1, 2, 3] && volume.voxels.len() == 6)
        );

        // Its label map has three dimensions.
        let labels = image.encode_label_map(&[1; 6], "test").unwrap();
        let labels = NiftiImage::parse(&labels).unwrap();
        assert_eq!(labels.shape(), [3, 2, 1]);
        assert_eq!(labels.label_map().unwrap().labels, [1; 6]);

        let mut slice = file(false);
        slice[40..42].copy_from_slice(&2i16.to_le_bytes());
        let image = NiftiImage::parse(&slice).unwrap();
        assert_eq!(image.volume().unwrap().shape, [1, 2, 3]);
    }

    #[test]
    fn labels_are_whole_numbers_of_one_byte() {
        let mut bytes = file(false);
        assert_eq!(
            NiftiImage::parse(&bytes)
                .unwrap()
                .label_map()
                .unwrap()
                .labels[11],
            11
        );
        for (value, text) in [(-1i16, "-1"), (256, "256")] {
            bytes[352 + 14..352 + 16].copy_from_slice(&value.to_le_bytes());
            let error = NiftiImage::parse(&bytes).unwrap().label_map().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "voxel [1, 0, 1] (x, y, z) holds {text}: labels are whole numbers from 0 to 255"
                )
            );
        }
    }

    #[test]
    fn a_flat_affine_has_no_place_in_space() {
        let mut bytes = file(false);
        bytes[254..256].copy_from_slice(&1i16.to_le_bytes()); // sform code, with rows of zeros
        let error = NiftiImage::parse(&bytes).unwrap().volume().unwrap_err();
        assert!(
            matches!(
                error,
                NiftiError::Affine {
                    source_field: "sform",
                    ..
                }
            ),
            "{error}"
        );
    }

    #[test]
    fn an_encoded_label_map_differs_from_its_source_only_where_it_must() {
        for big_endian in [false, true] {
            let source = file(big_endian);
            let labels: Vec<u8> = (0..12).map(|i| i % 3).collect();
            let image = NiftiImage::parse(&source).unwrap();
            let written = image.encode_label_map(&labels, &"é".repeat(60)).unwrap();
            let back = NiftiImage::parse(&written).unwrap();
            assert_eq!(back.label_map().unwrap().labels, labels);
            assert_eq!(back.affine(), image.affine());
            for (at, (a, b)) in source[..348].iter().zip(&written).enumerate() {
                let may_change = (68..74).contains(&at)
                    || (108..120).contains(&at)
                    || (124..132).contains(&at)
                    || (148..228).contains(&at);
                assert!(a == b || may_change, "byte {at}: {a} {b}");
            }
            // 39 letters of two bytes fit before the closing zero.
            assert_eq!(
                &written[148..228],
                ["é".repeat(39).as_bytes(), &[0, 0]].concat()
            );
            assert!(matches!(
                image.encode_label_map(&labels[1..], ""),
                Err(NiftiError::LabelCount {
                    expected: 12,
                    got: 11
                })
            ));
        }
    }

    /// Seeded: flips, cuts and doubles bytes of a valid file, plain and compressed.
    #[test]
    fn no_damage_makes_the_reader_panic() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = |below: usize| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 33) as usize % below
        };
        let plain = file(false);
        let sources = [plain.clone(), file(true), gzip(&plain)];
        for round in 0..30_000 {
            let mut bytes = sources[round % 3].clone();
            for _ in 0..=random(6) {
                if bytes.is_empty() {
                    break;
                }
                let at = random(bytes.len());
                match random(8) {
                    0 => bytes.truncate(at),
                    1 => {
                        bytes.remove(at);
                    }
                    2 => bytes.insert(at, random(256) as u8),
                    3 => bytes[at] ^= 1 << random(8),
                    _ => {
                        // In the header's fields that matter most.
                        let at = [0, 40, 42, 44, 46, 48, 70, 76, 80, 108, 112, 116, 252, 254]
                            [random(14)]
                        .min(bytes.len() - 1);
                        bytes[at] = random(256) as u8;
                    }
                }
            }
            // Packed again, damage reaches the header behind the checksum too.
            for bytes in [gzip(&bytes), bytes] {
                let Ok(image) = NiftiImage::parse(&bytes) else {
                    continue;
                };
                image.values().for_each(drop);
                let _ = image.affine().orientation();
                let _ = image.volume();
                if let Ok(map) = image.label_map() {
                    image.encode_label_map(&map.labels, "").unwrap();
                }
            }
        }
    }
}
