//! The 348 bytes at the start of a file: which field lies where, and in which byte order.

use super::NiftiError;

/// Length of a header.
pub(super) const HEADER_BYTES: usize = 348;
/// Where voxels start in a single file without extensions.
pub(super) const FIRST_VOXEL: usize = 352;
/// NIFTI_INTENT_LABEL.
pub(super) const INTENT_LABEL: i16 = 1002;
/// The bits of xyzt_units that are for lengths.
pub(super) const SPACE_UNITS: u8 = 7;
/// NIFTI_UNITS_METER.
pub(super) const UNITS_METRE: u8 = 1;
/// NIFTI_UNITS_MM.
pub(super) const UNITS_MM: u8 = 2;
/// NIFTI_UNITS_MICRON.
pub(super) const UNITS_MICRON: u8 = 3;
/// Of a single file.
pub(super) const MAGIC: &[u8; 4] = b"n+1\0";

/// Byte positions of header fields.
///
/// Source: nifti1.h.
pub(super) mod field {
    pub const SIZEOF_HDR: usize = 0;
    pub const DIM: usize = 40;
    pub const INTENT_CODE: usize = 68;
    pub const DATATYPE: usize = 70;
    pub const BITPIX: usize = 72;
    pub const PIXDIM: usize = 76;
    pub const VOX_OFFSET: usize = 108;
    pub const SCL_SLOPE: usize = 112;
    pub const SCL_INTER: usize = 116;
    pub const XYZT_UNITS: usize = 123;
    pub const CAL_MAX: usize = 124;
    pub const CAL_MIN: usize = 128;
    pub const DESCRIP: usize = 148;
    pub const QFORM_CODE: usize = 252;
    pub const SFORM_CODE: usize = 254;
    pub const QUATERN: usize = 256;
    pub const QOFFSET: usize = 268;
    pub const SROW: usize = 280;
    pub const MAGIC: usize = 344;

    /// Length of the description.
    pub const DESCRIP_BYTES: usize = 80;
}

/// A header as it came.
#[derive(Debug, Clone)]
pub(super) struct Header {
    pub bytes: [u8; HEADER_BYTES],
    pub is_big_endian: bool,
}

impl Header {
    /// The header that a file starts with, if it is one of NIfTI-1.
    pub fn parse(bytes: &[u8]) -> Result<Self, NiftiError> {
        let magic = || match bytes.get(field::MAGIC..field::MAGIC + 4) {
            Some(found) => String::from_utf8_lossy(found)
                .trim_end_matches('\0')
                .to_owned(),
            None => String::new(),
        };
        let truncated = || NiftiError::Truncated {
            expected: HEADER_BYTES as u64,
            got: bytes.len() as u64,
        };
        let start: [u8; 4] = *bytes.first_chunk().ok_or_else(truncated)?;
        let is_big_endian = match (i32::from_le_bytes(start), i32::from_be_bytes(start)) {
            (348, _) => false,
            (_, 348) => true,
            (540, _) | (_, 540) => return Err(NiftiError::Nifti2),
            _ => {
                return Err(NiftiError::NotNifti {
                    start,
                    magic: magic(),
                });
            }
        };
        let header = Self {
            bytes: *bytes.first_chunk().ok_or_else(truncated)?,
            is_big_endian,
        };
        match &header.bytes[field::MAGIC..] {
            found if found == MAGIC => Ok(header),
            b"ni1\0" => Err(NiftiError::DetachedPair),
            _ => Err(NiftiError::Analyze { magic: magic() }),
        }
    }

    /// Edges in the file's order: x, y, z, t, …
    pub fn shape(&self) -> Result<Vec<usize>, NiftiError> {
        let dim: [i16; 8] = std::array::from_fn(|i| self.short(field::DIM + 2 * i));
        let count = usize::try_from(dim[0])
            .ok()
            .filter(|count| (1..=7).contains(count));
        count
            .and_then(|count| {
                dim[1..=count]
                    .iter()
                    .map(|&n| usize::try_from(n).ok().filter(|&n| n > 0))
                    .collect()
            })
            .ok_or(NiftiError::Dimensions { dim })
    }

    pub fn short(&self, at: usize) -> i16 {
        let pair = [self.bytes[at], self.bytes[at + 1]];
        if self.is_big_endian {
            i16::from_be_bytes(pair)
        } else {
            i16::from_le_bytes(pair)
        }
    }

    pub fn float(&self, at: usize) -> f32 {
        let four = std::array::from_fn(|i| self.bytes[at + i]);
        if self.is_big_endian {
            f32::from_be_bytes(four)
        } else {
            f32::from_le_bytes(four)
        }
    }

    /// So many floats in a row.
    pub fn floats<const N: usize>(&self, at: usize) -> [f32; N] {
        std::array::from_fn(|i| self.float(at + 4 * i))
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
    }

    pub fn put_short(&mut self, at: usize, value: i16) {
        let little = value.to_le_bytes();
        let big = value.to_be_bytes();
        self.put(at, if self.is_big_endian { &big } else { &little });
    }

    pub fn put_float(&mut self, at: usize, value: f32) {
        let little = value.to_le_bytes();
        let big = value.to_be_bytes();
        self.put(at, if self.is_big_endian { &big } else { &little });
    }

    pub fn put_floats(&mut self, at: usize, values: &[f32]) {
        for (i, &value) in values.iter().enumerate() {
            self.put_float(at + 4 * i, value);
        }
    }

    /// The description, cut to 79 bytes.
    pub fn put_description(&mut self, description: &str) {
        let mut text = [0; field::DESCRIP_BYTES];
        let mut end = description.len().min(field::DESCRIP_BYTES - 1); // the last byte ends the text
        while !description.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].copy_from_slice(&description.as_bytes()[..end]);
        self.put(field::DESCRIP, &text);
    }
}
