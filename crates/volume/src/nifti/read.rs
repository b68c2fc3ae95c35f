//! From a file's bytes to a scan.

use super::datatype::from_code;
use super::header::{ALIGNED, Header, Kind, field};
use crate::{Format, Outline, Scan, ScanError, Source, Voxels};

/// Beyond it a 32-bit float no longer names single bytes anyway.
const LARGEST_OFFSET: f64 = (1u32 << 30) as f64;

/// Reads `file`, which begins with `head`; `companion` is the file of its voxels, if there is one.
///
/// # Errors
/// As [`Scan::open`].
pub(crate) fn read(
    head: &[u8],
    file: Source<'_>,
    companion: Option<Source<'_>>,
) -> Result<Scan, ScanError> {
    let header = Header::parse(head, file)?;
    let source = match (header.kind, companion) {
        (Kind::Single, _) => file,
        (_, Some(companion)) => companion.named("the pair's file of voxels"),
        (_, None) => {
            // What is wrong with the header comes first.
            describe(header.clone())?;
            return Err(ScanError::NeedsVoxels {
                format: header.format(),
                magic: header.magic_text(),
            });
        }
    };
    let (mut scan, offset) = describe(header)?;
    scan.voxels.bytes = source.part(offset, scan.stored_bytes() as usize)?;
    Ok(scan)
}

/// What the header that `file` begins with says, without any voxel.
///
/// # Errors
/// As [`Scan::open`].
pub(crate) fn outline(head: &[u8], file: Source<'_>) -> Result<Outline, ScanError> {
    let (scan, _) = describe(Header::parse(head, file)?)?;
    Ok(scan.outline())
}

/// A scan without its voxels, and the byte where they begin.
fn describe(header: Header) -> Result<(Scan, usize), ScanError> {
    check_is_volume(&header)?;
    let shape = header.shape()?;
    let datatype = from_code(header.whole(field::DATATYPE, 0))?;
    datatype.bytes_of(&shape)?;
    let offset = offset(&header)?;
    let scaling = if datatype.is_colour() {
        None
    } else if header.kind == Kind::Analyze {
        header.analyze_scaling()
    } else {
        scaling(&header)?
    };
    let voxels = Voxels {
        datatype,
        is_big_endian: header.is_big_endian(),
        scaling,
        bytes: Vec::new(),
    };
    let mut warnings = Vec::new();
    if datatype.is_colour() {
        let name = datatype.name();
        warnings.push(format!(
            "This file's voxels are colours ({name}); their luminance is taken."
        ));
    }
    if header.kind == Kind::Analyze {
        warnings.push(header.analyze_warning());
        let affine = header.analyze_affine(&shape);
        let format = Format::Analyze;
        let scan = Scan::placed(format, shape, affine, ALIGNED, voxels, warnings);
        return Ok((scan, offset));
    }
    warnings.extend(header.place_warnings(&shape));
    let (affine, affine_source) = header.affine_and_source();
    let stated_spacing_mm = if header.sform_code() > 0 {
        affine.spacing_mm()
    } else {
        header.pixdim_mm()
    };
    let scan = Scan {
        format: header.format(),
        shape,
        affine,
        affine_source,
        stated_spacing_mm,
        voxels,
        header,
        warnings,
    };
    Ok((scan, offset))
}

/// Refuses what only wears NIfTI's header.
fn check_is_volume(header: &Header) -> Result<(), ScanError> {
    if header.kind == Kind::Analyze {
        return Ok(());
    }
    let what = match header.whole(field::INTENT_CODE, 0) {
        3000..=3099 => "CIFTI data, values of surfaces and structures",
        1008 => "a list of points",
        1009 => "a list of triangles, part of a surface",
        2002 => "a list of a surface's nodes",
        // FreeSurfer's way around 16 bits, where a surface has more nodes.
        _ if !header.is_nifti_2() && header.whole(field::DIM, 1) == -1 => {
            "FreeSurfer's values of a surface"
        }
        _ => return Ok(()),
    };
    Err(ScanError::NoVolume { what })
}

fn offset(header: &Header) -> Result<usize, ScanError> {
    let least = match header.kind {
        Kind::Single => header.first_voxel(),
        _ => 0,
    };
    match header.real(field::VOX_OFFSET, 0) {
        0.0 => Ok(least),
        found if found >= least as f64 && found <= LARGEST_OFFSET => Ok(found as usize),
        found => Err(ScanError::VoxelOffset { found, least }),
    }
}

fn scaling(header: &Header) -> Result<Option<(f64, f64)>, ScanError> {
    let slope = header.real(field::SCL_SLOPE, 0);
    let inter = header.real(field::SCL_INTER, 0);
    if slope == 0.0 || !slope.is_finite() || (slope == 1.0 && inter == 0.0) {
        Ok(None)
    } else if inter.is_finite() {
        Ok(Some((slope, inter)))
    } else {
        Err(ScanError::Scaling { slope, inter })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Made;
    use super::*;
    use crate::gzip;

    fn open(bytes: &[u8]) -> Result<Scan, ScanError> {
        Scan::open(bytes, None)
    }

    #[test]
    fn both_versions_and_byte_orders_and_gzip_give_the_same_volume() {
        let volume = open(&Made::new(1, false).single())
            .unwrap()
            .volume()
            .unwrap();
        assert_eq!(volume.shape, [2, 2, 3]);
        assert_eq!(volume.voxels[5], 5.0);
        // qfac -1 turns the third axis.
        assert_eq!(volume.affine.orientation().to_string(), "RAI");
        assert_eq!(volume.affine.apply([0.0; 3]), [-7.0, 0.0, 0.0]);
        for (version, format) in [(1, Format::Nifti1), (2, Format::Nifti2)] {
            for big_endian in [false, true] {
                let bytes = Made::new(version, big_endian).single();
                for bytes in [gzip(&bytes), bytes] {
                    let scan = open(&bytes).unwrap();
                    assert_eq!(scan.volume().unwrap(), volume);
                    assert_eq!((scan.form_codes(), scan.format()), ((1, 0), format));
                    assert_eq!(scan.warnings(), [""; 0]);
                }
            }
        }
    }

    #[test]
    fn two_gzip_members_and_a_gap_before_the_voxels_are_read() {
        for version in [1, 2] {
            let mut made = Made::new(version, false);
            let first = made.head.len();
            made.set("vox_offset", &[first as f64 + 48.0]);
            let mut plain = made.single();
            plain.splice(first..first, [9; 48]);
            let mut packed = gzip(&plain[..first + 38]);
            packed.extend(gzip(&plain[first + 38..]));
            let scan = open(&packed).unwrap();
            assert!(scan.values().eq((0..12).map(f64::from)));
        }
    }

    #[test]
    fn a_pair_s_voxels_begin_where_its_header_says() {
        let mut made = Made::new(1, false);
        made.set("vox_offset", &[5.0]);
        let (header, voxels) = made.pair();
        let voxels = [&[9; 5], &voxels[..]].concat();
        let scan = Scan::open(&header, Some(&voxels)).unwrap();
        assert!(scan.values().eq((0..12).map(f64::from)));
    }

    #[test]
    fn what_can_not_be_is_named() {
        for version in [1, 2] {
            let changed = |name: &str, at: usize, value: f64| {
                let mut made = Made::new(version, false);
                made.set_at(name, at, value);
                open(&made.single()).map(drop)
            };
            for (at, value) in [(0, 0.0), (0, 8.0), (0, -1.0), (1, 0.0), (2, -3.0)] {
                let result = changed("dim", at, value);
                assert!(
                    matches!(result, Err(ScanError::Dimensions { .. })),
                    "{result:?}"
                );
            }
            for (code, name) in [(1.0, "bits"), (1536.0, "float128"), (-3.0, "unknown")] {
                match changed("datatype", 0, code) {
                    Err(ScanError::Datatype { name: found, .. }) => assert_eq!(found, name),
                    other => panic!("{other:?}"),
                }
            }
            for (code, name) in [
                (32.0, "complex64"),
                (1792.0, "complex128"),
                (2048.0, "complex256"),
            ] {
                let said = changed("datatype", 0, code).unwrap_err().to_string();
                assert!(
                    said.contains("complex numbers") && said.contains(name),
                    "{said}"
                );
            }
            let result = changed("dim", 1, 30000.0);
            let first = [352, 544][version - 1];
            assert!(
                matches!(result, Err(ScanError::Truncated { expected, got, .. })
                    if expected == first + 30000 * 4 * 2 && got == first + 24),
                "{result:?}"
            );
            let mut overflow = Made::new(version, false);
            let longest = [32767.0, 1e18][version - 1];
            overflow.set("dim", &[7.0, longest, longest, longest, longest, longest]);
            let result = open(&overflow.single());
            assert!(
                matches!(result, Err(ScanError::TooLarge { .. })),
                "{result:?}"
            );
            for found in [-1.0, 348.0, 1e18] {
                let result = changed("vox_offset", 0, found);
                assert!(
                    matches!(result, Err(ScanError::VoxelOffset { .. })),
                    "{result:?}"
                );
            }
        }
        let mut made = Made::new(1, false);
        for found in [f64::NAN, f64::INFINITY] {
            made.set("vox_offset", &[found]);
            assert!(matches!(
                open(&made.single()),
                Err(ScanError::VoxelOffset { .. })
            ));
        }
    }

    #[test]
    fn what_only_wears_the_header_is_no_volume() {
        for (version, intent, words) in [
            (1, 1008.0, "points"),
            (1, 1009.0, "triangles"),
            (2, 3002.0, "CIFTI"),
            (2, 3006.0, "CIFTI"),
        ] {
            let mut made = Made::new(version, false);
            made.set("intent_code", &[intent]);
            let said = open(&made.single()).unwrap_err().to_string();
            assert!(said.contains(words) && said.contains("no volume"), "{said}");
        }
        let mut made = Made::new(1, false);
        made.set_at("dim", 1, -1.0);
        let said = open(&made.single()).unwrap_err().to_string();
        assert!(
            said.contains("FreeSurfer") && said.contains("no volume"),
            "{said}"
        );
    }

    #[test]
    fn a_transfer_as_text_is_said() {
        let mut file = Made::new(2, false).single();
        file[8..12].copy_from_slice(b"\n\x1a\n\n");
        let said = open(&file).unwrap_err().to_string();
        assert!(said.contains("transfer as text"), "{said}");
        file[8..12].fill(0);
        assert!(open(&file).is_ok());
        file[4] = b'x';
        assert!(matches!(open(&file), Err(ScanError::Unknown { .. })));
    }

    #[test]
    fn a_gzip_file_is_unpacked_no_further_than_its_header_claims() {
        let mut claims = Made::new(1, false);
        claims.set("dim", &[3.0, 500.0, 500.0, 500.0]);
        let result = open(&gzip(&claims.single()));
        assert!(
            matches!(result, Err(ScanError::ImpossibleClaim { claimed, .. }) if claimed == 352 + 250_000_000),
            "{result:?}"
        );
    }

    /// A series whose header says three dimensions, or one volume of the fourth, is its first volume, plain or compressed.
    #[test]
    fn what_follows_the_voxels_is_passed_over() {
        let mut made = Made::new(1, false);
        let expected = open(&made.single()).unwrap().volume().unwrap();
        made.set_at("dim", 4, 7.0);
        for length in [1, 24, 2 << 20] {
            let mut longer = made.single();
            // Not all alike, so that little of it goes into a byte.
            longer.extend((0..length).map(|i: u32| (i.wrapping_mul(i) >> 7) as u8));
            for bytes in [gzip(&longer), longer] {
                let scan = open(&bytes).unwrap();
                assert_eq!(scan.shape(), [3, 2, 2]);
                assert_eq!(scan.volume().unwrap(), expected);
            }
        }
        // Damage is found all the same.
        let mut longer = made.single();
        longer.resize(1 << 20, 3);
        let mut packed = gzip(&longer);
        let checksum = packed.len() - 8;
        packed[checksum] ^= 1;
        assert!(matches!(open(&packed), Err(ScanError::Gzip { .. })));
    }

    /// Sixteen gigabytes of zeros in as many megabytes: only the beginning is unpacked.
    #[test]
    fn a_bomb_behind_the_voxels_goes_off_nowhere() {
        let member = gzip(&vec![0; 4 << 20]);
        let mut bomb = gzip(&Made::new(1, false).single());
        for _ in 0..4096 {
            bomb.extend_from_slice(&member);
        }
        let begun = std::time::Instant::now();
        open(&bomb).unwrap();
        assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
    }

    #[test]
    fn a_cut_or_damaged_gzip_file_is_an_error() {
        let packed = gzip(&Made::new(1, false).single());
        for end in 2..packed.len() {
            assert!(open(&packed[..end]).is_err(), "{end}");
        }
        let mut damaged = packed.clone();
        let checksum = damaged.len() - 8;
        damaged[checksum] ^= 1;
        assert!(matches!(open(&damaged), Err(ScanError::Gzip { .. })));
    }
}
