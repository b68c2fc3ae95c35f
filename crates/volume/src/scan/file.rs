//! Scans of a file system.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Outline, Scan, ScanError};

/// Why a path gives no scan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// A file that can't be read.
    #[error("reading {}: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A file that is no scan.
    #[error("in {}: {cause}", path.display())]
    Scan {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: Box<ScanError>,
    },
}

/// Opens a scan; of a pair by either of its files, the other of which lies beside it.
///
/// # Errors
/// [`FileError`].
pub fn open_file(path: &Path) -> Result<Scan, FileError> {
    let bytes = read(path)?;
    let names = companions(path);
    let scan = match Scan::open(&bytes, None) {
        Ok(scan) => Ok(scan),
        Err(error) => match names.iter().find(|name| name.is_file()) {
            Some(companion) => Scan::open(&bytes, Some(&read(companion)?)),
            None if has_ending(path, "img") => Err(match error {
                ScanError::Unknown { .. } => ScanError::NeedsHeader,
                other => other,
            }),
            None => Err(error),
        },
    };
    scan.map_err(|cause| FileError::Scan {
        path: path.to_owned(),
        cause: Box::new(cause),
    })
}

/// What a scan's header says; no more of the file is read. Of a pair, either file gives it.
///
/// # Errors
/// As [`open_file`], but for what is wrong with voxels.
pub fn outline_file(path: &Path) -> Result<Outline, FileError> {
    let outline = match Outline::of(&beginning(path)?) {
        Ok(outline) => Ok(outline),
        Err(error) => match companions(path).iter().find(|name| name.is_file()) {
            Some(companion) => Outline::of(&beginning(companion)?),
            None => Err(error),
        },
    };
    outline.map_err(|cause| FileError::Scan {
        path: path.to_owned(),
        cause: Box::new(cause),
    })
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    std::fs::read(path).map_err(|cause| FileError::Read {
        path: path.to_owned(),
        cause,
    })
}

/// As much as holds a header, packed or not.
fn beginning(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(1 << 17).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(cause) => Err(FileError::Read {
            path: path.to_owned(),
            cause,
        }),
    }
}

/// Names that the other file of a pair may have, by the name of one; none where it is no name of a pair.
pub fn companions(path: &Path) -> Vec<PathBuf> {
    let endings = if has_ending(path, "hdr") {
        ["img", "img.gz", "IMG", "IMG.GZ"]
    } else if has_ending(path, "img") {
        ["hdr", "hdr.gz", "HDR", "HDR.GZ"]
    } else {
        return Vec::new();
    };
    endings
        .map(|ending| plain(path).with_extension(ending))
        .to_vec()
}

/// Without `.gz`.
fn plain(path: &Path) -> PathBuf {
    match path.extension() {
        Some(ending) if ending.eq_ignore_ascii_case("gz") => path.with_extension(""),
        _ => path.to_owned(),
    }
}

/// Whether a name has this ending, with or without `.gz` after it.
fn has_ending(path: &Path, ending: &str) -> bool {
    plain(path)
        .extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip;
    use crate::nifti::fixture::Made;

    #[test]
    fn the_other_name_of_a_pair_is_known() {
        for (name, other) in [
            ("a/b.1.hdr", "a/b.1.img"),
            ("b.hdr.gz", "b.img.gz"),
            ("b.HDR", "b.IMG"),
            ("b.img", "b.hdr.gz"),
            ("b.IMG.GZ", "b.hdr"),
        ] {
            let names = companions(Path::new(name));
            assert!(names.contains(&PathBuf::from(other)), "{name}: {names:?}");
        }
        for name in ["b.nii", "b.nii.gz", "hdr", "b", "b.gz", ""] {
            assert!(companions(Path::new(name)).is_empty(), "{name}");
        }
    }

    #[test]
    fn either_file_of_a_pair_opens_it_and_a_single_one_says_what_is_missing() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-pair-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (header, voxels) = Made::new(1, false).pair();
        let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
        put("a.hdr", &header);
        put("a.img", &voxels);
        put("b.HDR.gz", &gzip(&header));
        put("b.img.gz", &gzip(&voxels));
        put("header.hdr", &header);
        put("voxels.img", &voxels);
        let open = |name: &str| open_file(&folder.join(name));
        let expected = open("a.hdr").unwrap().volume().unwrap();
        for name in ["a.img", "b.HDR.gz"] {
            assert_eq!(open(name).unwrap().volume().unwrap(), expected, "{name}");
        }
        for name in ["a.hdr", "a.img", "b.HDR.gz"] {
            let outline = outline_file(&folder.join(name)).unwrap();
            assert_eq!(outline, open(name).unwrap().outline(), "{name}");
        }
        for (name, words) in [
            ("header.hdr", "header.hdr: this is the header of a pair"),
            ("voxels.img", "voxels.img: these are a pair's voxels"),
            ("none.nii", "reading "),
        ] {
            let said = open(name).unwrap_err().to_string();
            assert!(said.contains(words), "{said}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
