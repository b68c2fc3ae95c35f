//! From a file's bytes to what it holds.

use std::io::Read;

use super::datatype::Datatype;
use super::header::{FIRST_VOXEL, HEADER_BYTES, Header, field};
use super::{NiftiError, NiftiImage};
use crate::gzip::{MAX_RATIO, Members};

/// How far a compressed file is unpacked behind its last voxel, to the checksum at its end. Beyond, as in a plain file,
/// what follows the voxels (more volumes than the header says, some tool's own block) is not looked at.
const MAX_TRAILING_BYTES: u64 = 1 << 26;

impl NiftiImage {
    /// Reads a `.nii` or `.nii.gz` file of either byte order; which one it is, its first bytes say.
    ///
    /// Nothing is allocated before the header's claims are checked against the file, and a compressed file is
    /// unpacked little further than its header claims. What follows the voxels is passed over.
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
        while trailing < MAX_TRAILING_BYTES {
            match stream.read(&mut scratch) {
                Ok(0) => break,
                Ok(count) => trailing += count as u64,
                Err(cause) => return Err(gzip_error(&cause, claimed, claimed + trailing)),
            }
        }
        Ok(layout.into_image(data))
    }
}

/// A header whose claims make sense by themselves.
struct Layout {
    header: Header,
    datatype: Datatype,
    shape: Vec<usize>,
    scaling: Option<(f64, f64)>,
    offset: usize,
    data_bytes: usize,
}

impl Layout {
    fn read(bytes: &[u8]) -> Result<Self, NiftiError> {
        let header = Header::parse(bytes)?;
        let shape = header.shape()?;
        let datatype = Datatype::from_code(header.short(field::DATATYPE))?;
        let data_bytes = shape
            .iter()
            .try_fold(datatype.bytes(), |bytes, &n| bytes.checked_mul(n))
            .filter(|&bytes| bytes <= isize::MAX as usize / 2)
            .ok_or_else(|| NiftiError::TooLarge {
                shape: shape.clone(),
                bytes_per_voxel: datatype.bytes(),
            })?;
        let offset = match header.float(field::VOX_OFFSET) {
            0.0 => FIRST_VOXEL,
            // Beyond 2^30 an f32 no longer names single bytes anyway.
            found if found >= FIRST_VOXEL as f32 && found <= (1u32 << 30) as f32 => found as usize,
            found => return Err(NiftiError::VoxelOffset { found }),
        };
        let [slope, inter] = header.floats(field::SCL_SLOPE);
        let scaling = if slope == 0.0 || !slope.is_finite() || (slope == 1.0 && inter == 0.0) {
            None
        } else if inter.is_finite() {
            Some((f64::from(slope), f64::from(inter)))
        } else {
            return Err(NiftiError::Scaling { slope, inter });
        };
        Ok(Self {
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
            header: self.header,
            datatype: self.datatype,
            shape: self.shape,
            scaling: self.scaling,
            data,
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
    use super::super::fixture::{file, set_dim};
    use super::*;
    use crate::gzip;
    use crate::random::SplitMix64;

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
    fn what_can_not_be_is_named() {
        let changed = |at: usize, value: i16| {
            let mut bytes = file(false);
            bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
            NiftiImage::parse(&bytes).map(drop)
        };
        for (at, value) in [(0, 0), (0, 8), (0, -1), (1, 0), (2, -3)] {
            let result = changed(field::DIM + 2 * at, value);
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
        let result = changed(field::DIM + 2, 30000);
        assert!(
            matches!(result, Err(NiftiError::Truncated { expected, got: 376 }) if expected == 352 + 30000 * 4 * 2),
            "{result:?}"
        );
        let mut overflow = file(false);
        for i in 0..8 {
            set_dim(&mut overflow, i, i16::MAX);
        }
        set_dim(&mut overflow, 0, 7);
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
            set_dim(&mut claims, i, 500);
        }
        let result = NiftiImage::parse(&gzip(&claims));
        assert!(
            matches!(result, Err(NiftiError::ImpossibleClaim { claimed, .. }) if claimed == 352 + 250_000_000),
            "{result:?}"
        );
    }

    /// A series whose header says three dimensions, or one volume of the fourth, is its first volume, plain or compressed.
    #[test]
    fn what_follows_the_voxels_is_passed_over() {
        let expected = NiftiImage::parse(&file(false)).unwrap().volume().unwrap();
        for length in [1, 24, 2 << 20] {
            let mut longer = file(false);
            // Not all alike, so that little of it goes into a byte.
            longer.extend((0..length).map(|i: u32| (i.wrapping_mul(i) >> 7) as u8));
            set_dim(&mut longer, 4, 7);
            for bytes in [gzip(&longer), longer] {
                let image = NiftiImage::parse(&bytes).unwrap();
                assert_eq!(image.shape(), [3, 2, 2]);
                assert_eq!(image.volume().unwrap(), expected);
            }
        }
        // Damage is found all the same.
        let mut longer = file(false);
        longer.resize(1 << 20, 3);
        let mut packed = gzip(&longer);
        let checksum = packed.len() - 8;
        packed[checksum] ^= 1;
        assert!(matches!(
            NiftiImage::parse(&packed),
            Err(NiftiError::Gzip { .. })
        ));
    }

    /// Sixteen gigabytes of zeros in as many megabytes: only the beginning is unpacked.
    #[test]
    fn a_bomb_behind_the_voxels_goes_off_nowhere() {
        let member = gzip(&vec![0; 4 << 20]);
        let mut bomb = gzip(&file(false));
        for _ in 0..4096 {
            bomb.extend_from_slice(&member);
        }
        let begun = std::time::Instant::now();
        NiftiImage::parse(&bomb).unwrap();
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
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

    /// Seeded: flips, cuts and doubles bytes of a valid file, plain and compressed.
    #[test]
    fn no_damage_makes_the_reader_panic() {
        let mut random = SplitMix64::new(1);
        let mut random = |below: usize| (random.next_u64() >> 33) as usize % below;
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
                        let at = match random(14) {
                            place @ 0..5 => field::DIM + 2 * place,
                            place @ 5..7 => field::PIXDIM + 4 * (place - 5),
                            place => [
                                field::SIZEOF_HDR,
                                field::DATATYPE,
                                field::VOX_OFFSET,
                                field::SCL_SLOPE,
                                field::SCL_INTER,
                                field::QFORM_CODE,
                                field::SFORM_CODE,
                            ][place - 7],
                        }
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
