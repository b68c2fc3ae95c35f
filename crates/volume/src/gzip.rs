//! Gzip in bounds: what a header promises decides how much is ever unpacked.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;

/// Deflate can't do better than 258 bytes in two bits.
pub(crate) const MAX_RATIO: u64 = 1032;

/// The bytes of a gzip file of one or several members; what follows the last one is passed over, as gzip itself does.
pub(crate) struct Members<'a> {
    decoder: GzDecoder<&'a [u8]>,
}

impl<'a> Members<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            decoder: GzDecoder::new(bytes),
        }
    }

    pub(crate) fn is_gzip(bytes: &[u8]) -> bool {
        // And the only method there is, so that a voxel of 31, 139 begins no file.
        bytes.starts_with(&[0x1f, 0x8b]) && bytes.get(2).is_none_or(|&method| method == 8)
    }
}

impl Read for Members<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let count = self.decoder.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            let rest: &[u8] = self.decoder.get_ref();
            if !Self::is_gzip(rest) {
                return Ok(0);
            }
            self.decoder = GzDecoder::new(rest);
        }
    }
}

/// Compresses bytes as a gzip file without name and time, so that equal bytes give an equal file.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(bytes)
        .and_then(|()| encoder.finish())
        .expect("writing into memory does not fail")
}

/// As [`gzip`], of what `write` writes and is too large for memory.
///
/// # Errors
/// Those of `to` and `write`.
pub fn gzip_by<W: Write, E: From<io::Error>>(
    to: W,
    write: impl FnOnce(&mut GzEncoder<W>) -> Result<(), E>,
) -> Result<(), E> {
    let mut encoder = GzEncoder::new(to, Compression::default());
    write(&mut encoder)?;
    Ok(encoder.finish()?.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_becomes_the_same_file() {
        let bytes: Vec<u8> = (0..100_000u32)
            .map(|i| (i.wrapping_mul(i) >> 7) as u8)
            .collect();
        let mut file = Vec::new();
        let write = |packed: &mut GzEncoder<_>| io::copy(&mut &bytes[..], packed).map(drop);
        gzip_by(&mut file, write).unwrap();
        assert_eq!(file, gzip(&bytes));
    }

    #[test]
    fn several_members_are_one_file_and_padding_is_passed_over() {
        let mut file = gzip(b"one ");
        file.extend(gzip(b""));
        file.extend(gzip(b"two"));
        file.extend([0; 512]);
        let mut text = String::new();
        Members::new(&file).read_to_string(&mut text).unwrap();
        assert_eq!(text, "one two");
    }

    #[test]
    fn a_damaged_member_is_an_error() {
        let mut file = gzip(b"some text that is long enough");
        let checksum = file.len() - 8;
        file[checksum] ^= 1;
        assert!(Members::new(&file).read_to_end(&mut Vec::new()).is_err());
    }
}
