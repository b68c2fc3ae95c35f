//! Bytes that lie outside this program's memory, which grows and never shrinks: as the browser gave them, in parts.

use std::io;

use dinomed3d_core::weights::WeightBytes;
use js_sys::Uint8Array;

/// A file in parts.
#[derive(Default)]
pub struct OutsideBytes {
    /// Each with where it begins.
    parts: Vec<(usize, Uint8Array)>,
    length: usize,
}

impl OutsideBytes {
    /// How many.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Adds a part at the end.
    pub fn push(&mut self, part: Uint8Array) {
        let length = part.length() as usize;
        if length > 0 {
            self.parts.push((self.length, part));
            self.length += length;
        }
    }

    /// Those from `from` up to `to`, in one part.
    pub fn slice(&self, from: usize, to: usize) -> Uint8Array {
        let length = (to - from) as u32;
        let slice = Uint8Array::new_with_length(length);
        let mut at = 0;
        for part in self.parts_from(from) {
            let count = part.length().min(length - at);
            slice.set(&part.subarray(0, count), at);
            at += count;
            if at == length {
                break;
            }
        }
        slice
    }

    /// Puts these in the place of those from `from` on.
    pub fn overwrite(&self, from: usize, bytes: &Uint8Array) {
        let mut at = 0;
        for part in self.parts_from(from) {
            let count = part.length().min(bytes.length() - at);
            part.set(&bytes.subarray(at, at + count), 0);
            at += count;
            if at == bytes.length() {
                break;
            }
        }
    }

    /// All of them, in this program's memory.
    pub fn to_vec(&self) -> Vec<u8> {
        self.slice(0, self.length).to_vec()
    }

    /// The parts from `from` on, the first without what lies before it.
    fn parts_from(&self, from: usize) -> impl Iterator<Item = Uint8Array> {
        let first = self.parts.partition_point(|(start, _)| *start <= from);
        let parts = self.parts[first.saturating_sub(1)..].iter();
        parts.map(move |(start, part)| {
            let skipped = from.saturating_sub(*start) as u32;
            part.subarray(skipped.min(part.length()), part.length())
        })
    }
}

impl WeightBytes for OutsideBytes {
    fn length(&self) -> io::Result<u64> {
        Ok(self.length as u64)
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        if self.length.checked_sub(from) < Some(into.len()) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut left = into;
        for part in self.parts_from(from) {
            if left.is_empty() {
                break;
            }
            let count = left.len().min(part.length() as usize);
            let (now, later) = left.split_at_mut(count);
            part.subarray(0, count as u32).copy_to(now);
            left = later;
        }
        Ok(())
    }
}
