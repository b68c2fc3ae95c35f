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
