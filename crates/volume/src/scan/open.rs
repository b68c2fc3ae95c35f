//! From bytes to a scan: what they are, their beginning says, never a name.

use super::{Outline, Scan, ScanError, Source};
use crate::{mgh, nifti};

/// As much of a file's beginning as says what it is.
const HEAD_BYTES: usize = 1024;

impl Scan {
    /// Reads a file of any format that is known here: NIfTI-1 and NIfTI-2, single or of a pair, ANALYZE 7.5, MGH; gzipped or
    /// not. `companion` is the other file of a pair, in whichever order they come.
    ///
    /// Nothing is allocated before the header's claims are checked against the file, and a compressed file is unpacked
    /// little further than its header claims. What follows the voxels is passed over.
    ///
    /// # Errors
    /// A [`ScanError`] that says what was found and what is expected; never a panic.
    pub fn open(bytes: &[u8], companion: Option<&[u8]>) -> Result<Self, ScanError> {
        let file = Source::new(bytes);
        let companion = companion.map(Source::new);
        let head = file.head(HEAD_BYTES)?;
        if nifti::is_header(&head) {
            return nifti::read(&head, file, companion);
        }
        if let Some(companion) = companion {
            let head = companion.head(HEAD_BYTES)?;
            if nifti::is_header(&head) {
                return nifti::read(&head, companion, Some(file));
            }
        }
        if mgh::is_header(&head) {
            return mgh::read(&head, file);
        }
        Err(not_known(&head))
    }
}

impl Outline {
    /// What the beginning of a file says, which may be all that there is of it; of a pair that of its header.
    ///
    /// # Errors
    /// As [`Scan::open`](super::Scan::open), but for what is wrong with voxels.
    pub fn of(beginning: &[u8]) -> Result<Self, ScanError> {
        let file = Source::new(beginning);
        let head = file.head(HEAD_BYTES)?;
        if nifti::is_header(&head) {
            nifti::outline(&head, file)
        } else if mgh::is_header(&head) {
            mgh::outline(&head, file)
        } else {
            Err(not_known(&head))
        }
    }
}

/// Of a file that begins so.
fn not_known(head: &[u8]) -> ScanError {
    other(head).unwrap_or_else(|| ScanError::Unknown { start: start(head) })
}

/// What a file is that is no scan of a format that is read here.
fn other(head: &[u8]) -> Option<ScanError> {
    const CONVERT: &str = "convert it to NIfTI first";
    const PICTURE: &str = "a scan with its place in space is expected, such as the NIfTI file or DICOM series it was made of";
    const UNPACK: &str = "unpack it first; only gzip is unpacked here";
    const FETCH: &str = "fetch the file itself first";
    const SURFACE: &str = "FreeSurfer's surface or values on one";
    const CONTENTS: [(usize, &[u8], &str, &str); 24] = [
        (128, b"DICM", "a DICOM file", "open all files of its series"),
        (0, b"NRRD000", "an NRRD file", CONVERT),
        (0, b"ObjectType", "a MetaImage header", CONVERT),
        (0, b"NDims", "a MetaImage header", CONVERT),
        (0, b"# vtk DataFile", "a VTK file", CONVERT),
        (0, b"\x89HDF", "an HDF5 or MINC-2 file", CONVERT),
        (0, b"CDF\x01", "a NetCDF or MINC-1 file", CONVERT),
        (0, b"\xff\xff\xfe", SURFACE, ""),
        (0, b"\xff\xff\xff", SURFACE, ""),
        (0, b"\x89PNG", "a PNG picture", PICTURE),
        (0, b"\xff\xd8\xff", "a JPEG picture", PICTURE),
        (0, b"II*\0", "a TIFF picture", PICTURE),
        (0, b"MM\0*", "a TIFF picture", PICTURE),
        (0, b"%PDF", "a PDF document", PICTURE),
        (0, b"PK\x03\x04", "a zip archive", UNPACK),
        (257, b"ustar", "a tar archive", UNPACK),
        (0, b"BZh", "a bzip2 file", UNPACK),
        (0, b"\xfd7zXZ", "an xz file", UNPACK),
        (0, b"\x28\xb5\x2f\xfd", "a zstd file", UNPACK),
        (0, b"7z\xbc\xaf", "a 7z archive", UNPACK),
        (0, b"version https://git-lfs", "a pointer of Git LFS", FETCH),
        (0, b"/annex/objects/", "a pointer of git-annex", FETCH),
        (0, b"\x1f\x9d", "a file of compress", UNPACK),
        (0, b"\x04\x22\x4d\x18", "an lz4 file", UNPACK),
    ];
    let is_there =
        |at: usize, wanted: &[u8]| head.get(at..).is_some_and(|rest| rest.starts_with(wanted));
    let found = CONTENTS
        .iter()
        .find(|(at, wanted, ..)| is_there(*at, wanted));
    if let Some((_, _, what, advice)) = found {
        return Some(if *what == SURFACE {
            ScanError::NoVolume { what }
        } else {
            ScanError::Other { what, advice }
        });
    }
    let text = String::from_utf8_lossy(head).to_lowercase();
    if text.contains("<gifti") {
        return Some(ScanError::NoVolume {
            what: "a GIFTI file, a surface or values on one",
        });
    }
    let is_page = text.contains("<!doctype html") || text.contains("<html");
    is_page.then_some(ScanError::Other {
        what: "a web page",
        advice: FETCH,
    })
}

/// The beginning of a file for people: as text where it is, otherwise as numbers.
fn start(head: &[u8]) -> String {
    let first = &head[..head.len().min(16)];
    match str::from_utf8(first) {
        Ok("") => "nothing: it is empty".to_owned(),
        Ok(text) if !text.contains(|letter: char| letter.is_control() && letter != '\n') => {
            format!("the text {text:?}")
        }
        _ => format!("the bytes {:02x?}", &first[..first.len().min(8)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip;
    use crate::nifti::fixture::Made;
    use crate::random::SplitMix64;

    #[test]
    fn what_is_no_scan_is_named() {
        let said = |bytes: &[u8]| Scan::open(bytes, None).unwrap_err().to_string();
        let dicom = [&[0; 128][..], b"DICM\x02\0"].concat();
        let page = b"\n\n<!DOCTYPE html>\n<html lang=\"en\">".to_vec();
        let gifti = b"<?xml version=\"1.0\"?>\n<GIFTI Version=\"1.0\">".to_vec();
        for (bytes, words) in [
            (dicom, "a DICOM file"),
            (page, "a web page"),
            (gzip(&gifti), "a GIFTI file"),
            (gifti, "a GIFTI file"),
            (b"NRRD0005\n".to_vec(), "an NRRD file"),
            (b"\x89PNG\r\n\x1a\n".to_vec(), "a PNG picture"),
            (b"PK\x03\x04....".to_vec(), "a zip archive"),
            (
                b"version https://git-lfs.github.com/spec/v1".to_vec(),
                "Git LFS",
            ),
            (b"\xff\xff\xfecreated by".to_vec(), "no volume"),
            (
                b"some notes".to_vec(),
                "begins with the text \"some notes\"",
            ),
            (
                vec![1, 2, 3, 4, 5],
                "begins with the bytes [01, 02, 03, 04, 05]",
            ),
            (vec![], "it is empty"),
            (gzip(b""), "it is empty"),
        ] {
            let said = said(&bytes);
            assert!(said.contains(words), "{said} ({words})");
            assert!(!said.contains('\n'), "{said}");
        }
    }

    /// The two files of a pair in either order, each compressed or not.
    #[test]
    fn a_pair_is_one_scan_in_whichever_order_it_comes() {
        for version in [1, 2] {
            for big_endian in [false, true] {
                let made = Made::new(version, big_endian);
                let expected = Scan::open(&made.single(), None).unwrap().volume().unwrap();
                let (header, voxels) = made.pair();
                for header in [gzip(&header), header] {
                    for voxels in [gzip(&voxels), voxels.clone()] {
                        for (a, b) in [(&header, &voxels), (&voxels, &header)] {
                            let scan = Scan::open(a, Some(b)).unwrap();
                            assert_eq!(scan.volume().unwrap(), expected);
                        }
                        let cut = Scan::open(&header, Some(&voxels[..20]));
                        let said = cut.unwrap_err().to_string();
                        assert!(said.starts_with("the pair's file of voxels ends"), "{said}");
                    }
                    let alone = Scan::open(&header, None).unwrap_err().to_string();
                    assert!(
                        alone.contains("a file of the same name that ends in .img"),
                        "{alone}"
                    );
                }
                assert!(Scan::open(&voxels, None).is_err());
                assert!(Scan::open(&voxels, Some(&voxels)).is_err());
            }
        }
    }

    /// Seeded: flips, cuts and doubles bytes of valid files, plain and compressed.
    #[test]
    fn no_damage_makes_a_reader_panic() {
        let mut random = SplitMix64::new(1);
        let mut random = |below: usize| (random.next_u64() >> 33) as usize % below;
        let mut analyze = Made::new(1, false).pair();
        analyze.0[344..348].fill(0);
        let mgh = mgh::fixture(4, &[3, 2, 2, 1], &[1; 24]);
        let mut sources: Vec<(Vec<u8>, Option<Vec<u8>>)> = vec![(mgh, None)];
        sources.push((analyze.0, Some(analyze.1)));
        for version in [1, 2] {
            for big_endian in [false, true] {
                let made = Made::new(version, big_endian);
                let (header, voxels) = made.pair();
                sources.push((made.single(), None));
                sources.push((header, Some(voxels)));
            }
        }
        let mut opened = 0;
        for round in 0..20_000 {
            let (bytes, companion) = &sources[round % sources.len()];
            let mut bytes = bytes.clone();
            for _ in 0..=random(6) {
                if bytes.is_empty() {
                    break;
                }
                let at = random(bytes.len());
                match random(16) {
                    0 => bytes.truncate(at),
                    1 => {
                        bytes.remove(at);
                    }
                    2 => bytes.insert(at, random(256) as u8),
                    3 => bytes[at] ^= 1 << random(8),
                    // Where dimensions, datatype and offsets lie in one format or the other.
                    4..10 => {
                        let at = random(90).min(bytes.len() - 1);
                        bytes[at] = random(256) as u8;
                    }
                    _ => {
                        let at = random(bytes.len().min(360));
                        bytes[at] = random(256) as u8;
                    }
                }
            }
            // Packed again, damage reaches the header behind the checksum too.
            for bytes in [gzip(&bytes), bytes] {
                let Ok(scan) = Scan::open(&bytes, companion.as_deref()) else {
                    continue;
                };
                opened += 1;
                scan.values().for_each(drop);
                let _ = scan.affine().orientation();
                let _ = scan.volume();
                scan.encode().unwrap();
                if let Ok(map) = scan.label_map() {
                    scan.encode_label_map(&map.labels, "").unwrap();
                }
                scan.select(0).unwrap();
            }
        }
        assert!(opened > 2_000, "{opened}");
    }

    /// Of every format, packed and not, and cut off behind its header.
    #[test]
    fn a_header_says_what_the_scan_says() {
        let mut analyze = Made::new(1, false).pair();
        analyze.0[344..348].fill(0);
        let mgh = mgh::fixture(4, &[3, 2, 2, 2], &[1; 48]);
        let mut files = vec![(mgh.clone(), Scan::open(&mgh, None)), {
            let scan = Scan::open(&analyze.0, Some(&analyze.1));
            (analyze.0, scan)
        }];
        for (version, is_big) in [(1, false), (1, true), (2, false), (2, true)] {
            let made = Made::new(version, is_big);
            let (single, (header, voxels)) = (made.single(), made.pair());
            files.push((single.clone(), Scan::open(&single, None)));
            files.push((header.clone(), Scan::open(&header, Some(&voxels))));
        }
        for (file, scan) in files {
            let scan = scan.unwrap();
            let expected = scan.outline();
            assert_eq!(expected.shape, scan.grid_shape());
            assert_eq!(expected.stored_bytes, scan.voxels.bytes.len() as u64);
            let packed = gzip(&file);
            let cut = &packed[..packed.len() - 8];
            for beginning in [&file[..], &file[..540.min(file.len())], &packed, cut] {
                assert_eq!(Outline::of(beginning).unwrap(), expected);
            }
        }
        for nothing in [&b"PK\x03\x04...."[..], b"notes", b""] {
            let expected = Scan::open(nothing, None).unwrap_err().to_string();
            assert_eq!(Outline::of(nothing).unwrap_err().to_string(), expected);
        }
    }
}
