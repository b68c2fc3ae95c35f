//! The numbers a voxel can be.

use super::ScanError;

/// The numbers a voxel can be, or its colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "numpy's names say it")]
pub enum Datatype {
    Uint8,
    Int8,
    Uint16,
    Int16,
    Uint32,
    Int32,
    Uint64,
    Int64,
    Float32,
    Float64,
    /// Red, green and blue, a byte each.
    Rgb24,
    /// And opacity, which is passed over.
    Rgba32,
}

impl Datatype {
    /// In numpy's words where it has any.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uint8 => "uint8",
            Self::Int8 => "int8",
            Self::Uint16 => "uint16",
            Self::Int16 => "int16",
            Self::Uint32 => "uint32",
            Self::Int32 => "int32",
            Self::Uint64 => "uint64",
            Self::Int64 => "int64",
            Self::Float32 => "float32",
            Self::Float64 => "float64",
            Self::Rgb24 => "rgb24",
            Self::Rgba32 => "rgba32",
        }
    }

    /// Bytes of a voxel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Uint8 | Self::Int8 => 1,
            Self::Uint16 | Self::Int16 => 2,
            Self::Rgb24 => 3,
            Self::Uint32 | Self::Int32 | Self::Float32 | Self::Rgba32 => 4,
            Self::Uint64 | Self::Int64 | Self::Float64 => 8,
        }
    }

    /// Bytes of a grid of voxels.
    ///
    /// # Errors
    /// [`ScanError::TooLarge`] for more than can be held.
    pub(crate) fn bytes_of(self, shape: &[usize]) -> Result<usize, ScanError> {
        shape
            .iter()
            .try_fold(self.bytes(), |bytes, &n| bytes.checked_mul(n))
            .filter(|&bytes| bytes <= isize::MAX as usize / 2)
            .ok_or_else(|| ScanError::TooLarge {
                shape: shape.to_vec(),
                bytes_per_voxel: self.bytes(),
            })
    }

    /// Whether a voxel has several components, which have no byte order together and take no scaling.
    pub fn is_colour(self) -> bool {
        matches!(self, Self::Rgb24 | Self::Rgba32)
    }

    /// One voxel from its bytes; of a colour its luminance.
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
            Self::Uint16 => f64::from(u16::from_le_bytes(take(bytes, big_endian))),
            Self::Int16 => f64::from(i16::from_le_bytes(take(bytes, big_endian))),
            Self::Uint32 => f64::from(u32::from_le_bytes(take(bytes, big_endian))),
            Self::Int32 => f64::from(i32::from_le_bytes(take(bytes, big_endian))),
            Self::Uint64 => u64::from_le_bytes(take(bytes, big_endian)) as f64,
            Self::Int64 => i64::from_le_bytes(take(bytes, big_endian)) as f64,
            Self::Float32 => f64::from(f32::from_le_bytes(take(bytes, big_endian))),
            Self::Float64 => f64::from_le_bytes(take(bytes, big_endian)),
            Self::Rgb24 | Self::Rgba32 => {
                // Of ITU-R BT.601; in whole numbers, so that a grey is itself.
                let [red, green, blue] = [bytes[0], bytes[1], bytes[2]].map(u32::from);
                f64::from(299 * red + 587 * green + 114 * blue) / 1000.0
            }
        }
    }
}
