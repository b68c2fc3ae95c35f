//! A file's bytes, unpacked where they are packed.

use std::io::{ErrorKind, Read};

use super::ScanError;
use crate::gzip::{MAX_RATIO, Members};

/// How far a compressed file is unpacked behind its last voxel, to the checksum at its end. Beyond, as in a plain file,
/// what follows the voxels (more volumes than the header says, some tool's own block) is not looked at.
const MAX_TRAILING_BYTES: u64 = 1 << 26;

/// A file's bytes, gzipped or not, which their beginning says. Nothing is allocated before it is checked that the file can
/// hold it, and a compressed file is unpacked little further than it is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    /// What an error calls it.
    name: &'static str,
}

impl<'a> Source<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            name: "the file",
        }
    }

    /// As an error should call it.
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The first `count` bytes, fewer where there are no more.
    ///
    /// # Errors
    /// [`ScanError::Gzip`] for a damaged beginning.
    pub fn head(self, count: usize) -> Result<Vec<u8>, ScanError> {
        if !Members::is_gzip(self.bytes) {
            return Ok(self.bytes[..count.min(self.bytes.len())].to_vec());
        }
        let mut head = Vec::with_capacity(count);
        let read = Members::new(self.bytes)
            .take(count as u64)
            .read_to_end(&mut head);
        match read {
            Err(cause) if cause.kind() != ErrorKind::UnexpectedEof => {
                Err(self.damaged(&cause, head.len() as u64))
            }
            _ => Ok(head),
        }
    }

    /// `length` bytes from `offset` on. What follows them is passed over.
    ///
    /// # Errors
    /// A file that ends earlier, can't hold so much or is damaged.
    pub fn part(self, offset: usize, length: usize) -> Result<Vec<u8>, ScanError> {
        let claimed = offset as u64 + length as u64;
        if Members::is_gzip(self.bytes) {
            return self.packed_part(offset, length, claimed);
        }
        let Some(part) = self.bytes.get(offset..).and_then(|rest| rest.get(..length)) else {
            return Err(self.truncated(claimed, self.bytes.len() as u64));
        };
        let mut data = reserve(length, length)?;
        data.extend_from_slice(part);
        Ok(data)
    }

    fn packed_part(self, offset: usize, length: usize, claimed: u64) -> Result<Vec<u8>, ScanError> {
        let compressed = self.bytes.len() as u64;
        let most = compressed.saturating_mul(MAX_RATIO);
        if claimed > most {
            return Err(ScanError::ImpossibleClaim {
                claimed,
                compressed,
                most,
            });
        }
        let mut stream = Members::new(self.bytes);
        let mut got = 0;
        // Appends so many bytes.
        let mut read = |into: &mut Vec<u8>, count: usize| {
            let before = into.len();
            let read = stream.by_ref().take(count as u64).read_to_end(into);
            got += (into.len() - before) as u64;
            match read {
                Ok(read) if read == count => Ok(()),
                Err(cause) if cause.kind() != ErrorKind::UnexpectedEof => {
                    Err(self.damaged(&cause, got))
                }
                _ => Err(self.truncated(claimed, got)),
            }
        };
        // What lies before is passed over, not kept.
        let mut passed = Vec::new();
        let mut left = offset;
        while left > 0 {
            passed.clear();
            let count = left.min(1 << 16);
            read(&mut passed, count)?;
            left -= count;
        }
        // A scan seldom shrinks to less than a sixteenth; a file that claims more has to deliver it first.
        let mut data = reserve(length.min(self.bytes.len().saturating_mul(16)), length)?;
        while data.len() < length {
            let count = (length - data.len()).min(1 << 20);
            if data.capacity() - data.len() < count {
                // Twice as much each time, and never more than is asked for.
                let more = data.len().max(count).min(length - data.len());
                let grown = data.try_reserve_exact(more);
                grown.map_err(|_| out_of_memory(length))?;
            }
            read(&mut data, count)?;
        }
        // To the end, so that the checksum is verified.
        let mut trailing = 0;
        let mut scratch = [0; 1 << 13];
        while trailing < MAX_TRAILING_BYTES {
            match stream.read(&mut scratch) {
                Ok(0) => break,
                Ok(count) => trailing += count as u64,
                Err(cause) => return Err(self.damaged(&cause, claimed + trailing)),
            }
        }
        Ok(data)
    }

    fn truncated(self, expected: u64, got: u64) -> ScanError {
        ScanError::Truncated {
            name: self.name,
            expected,
            got,
        }
    }

    fn damaged(self, cause: &std::io::Error, got: u64) -> ScanError {
        ScanError::Gzip {
            name: self.name,
            got,
            cause: cause.to_string(),
        }
    }

    /// Of a header that should be `expected` bytes long.
    pub fn header_ends(self, expected: usize, head: &[u8]) -> ScanError {
        self.truncated(expected as u64, head.len() as u64)
    }
}

/// Room for `count` of `all` bytes.
fn reserve(count: usize, all: usize) -> Result<Vec<u8>, ScanError> {
    let mut data = Vec::new();
    data.try_reserve_exact(count)
        .map_err(|_| out_of_memory(all))?;
    Ok(data)
}

fn out_of_memory(bytes: usize) -> ScanError {
    ScanError::OutOfMemory {
        bytes: bytes as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip;

    #[test]
    fn what_is_unpacked_takes_no_more_room_than_it_needs() {
        let bytes: Vec<u8> = (0..5_000_000u32).map(|at| (at >> 16) as u8).collect();
        let packed = gzip(&bytes);
        assert!(packed.len() * 16 < bytes.len(), "else room is made at once");
        let part = Source::new(&packed).part(1000, 4_900_000).unwrap();
        assert_eq!(part.capacity(), part.len());
        assert!(part == bytes[1000..4_901_000]);
    }
}
