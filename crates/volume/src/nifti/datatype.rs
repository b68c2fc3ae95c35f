//! The numbers a voxel can be.

use super::NiftiError;

/// The numbers a voxel can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Datatype {
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
    pub(super) const ALL: [Self; 10] = [
        Self::Uint8,
        Self::Int16,
        Self::Int32,
        Self::Float32,
        Self::Float64,
        Self::Int8,
        Self::Uint16,
        Self::Uint32,
        Self::Int64,
        Self::Uint64,
    ];

    pub(super) fn from_code(code: i16) -> Result<Self, NiftiError> {
        if let Some(found) = Self::ALL.into_iter().find(|kind| kind.code() == code) {
            return Ok(found);
        }
        let name = match code {
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

    pub(super) fn code(self) -> i16 {
        match self {
            Self::Uint8 => 2,
            Self::Int16 => 4,
            Self::Int32 => 8,
            Self::Float32 => 16,
            Self::Float64 => 64,
            Self::Int8 => 256,
            Self::Uint16 => 512,
            Self::Uint32 => 768,
            Self::Int64 => 1024,
            Self::Uint64 => 1280,
        }
    }

    pub(super) fn name(self) -> &'static str {
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

    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
            Self::Float64 | Self::Int64 | Self::Uint64 => 8,
        }
    }

    /// One voxel from its bytes.
    pub(super) fn value(self, bytes: &[u8], big_endian: bool) -> f64 {
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
