//! Voxels as they are stored.

use std::ops::Range;

use super::Datatype;

/// The voxels' own bytes; turned into numbers when they are asked for, so that a large file is held once.
#[derive(Debug, Clone)]
pub struct Voxels {
    pub(crate) datatype: Datatype,
    pub(crate) is_big_endian: bool,
    /// Slope and offset, where values are not the numbers themselves.
    pub(crate) scaling: Option<(f64, f64)>,
    /// x fastest, a whole number of voxels.
    pub(crate) bytes: Vec<u8>,
}

impl Voxels {
    /// Of values that a reader has scaled: as 16-bit numbers where all of them are such, so that they take half the room.
    pub fn of_values(values: &[f32]) -> Self {
        let is_short = |value: &f32| f32::from(*value as i16) == *value;
        let (datatype, bytes) = if values.iter().all(is_short) {
            let shorts = values.iter().map(|value| *value as i16);
            (Datatype::Int16, shorts.flat_map(i16::to_le_bytes).collect())
        } else {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes());
            (Datatype::Float32, bytes.collect())
        };
        Self {
            datatype,
            is_big_endian: false,
            scaling: None,
            bytes,
        }
    }

    /// Number of voxels.
    pub fn count(&self) -> usize {
        self.bytes.len() / self.datatype.bytes()
    }

    /// Values of the voxels in `range`, scaled.
    ///
    /// # Panics
    /// For a range beyond the last voxel.
    pub fn values(&self, range: Range<usize>) -> impl ExactSizeIterator<Item = f64> + '_ {
        let (datatype, big_endian) = (self.datatype, self.is_big_endian);
        let (slope, inter) = self.scaling.unwrap_or((1.0, 0.0));
        let is_scaled = self.scaling.is_some();
        let size = datatype.bytes();
        let bytes = &self.bytes[range.start * size..range.end * size];
        bytes.chunks_exact(size).map(move |bytes| {
            let value = datatype.value(bytes, big_endian);
            if is_scaled {
                value * slope + inter
            } else {
                value
            }
        })
    }

    /// Only the voxels in `range`; the memory of the others is given back.
    pub(super) fn keep(&mut self, range: Range<usize>) {
        let size = self.datatype.bytes();
        self.bytes.truncate(range.end * size);
        self.bytes.drain(..range.start * size);
        self.bytes.shrink_to_fit();
    }
}
