//! What a file's name says; the letters of an ending may be small or capital, and a name need not be UTF-8.

use std::ffi::OsStr;
use std::path::Path;

/// Whether the name asks for a compressed file.
pub fn is_gzip_name(path: &Path) -> bool {
    has_ending(path, "gz")
}

/// The name without `.nii` or `.nii.gz`; none of another ending, or of a hidden file.
pub fn stem(path: &Path) -> Option<&OsStr> {
    let is_hidden = path.file_name()?.as_encoded_bytes().starts_with(b".");
    let plain = if is_gzip_name(path) {
        Path::new(path.file_stem()?)
    } else {
        path
    };
    (!is_hidden && has_ending(plain, "nii"))
        .then(|| plain.file_stem())
        .flatten()
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_known_in_small_letters_and_capitals() {
        let stem = |name: &'static str| stem(Path::new(name)).and_then(OsStr::to_str);
        for name in ["a/B.nii", "B.nii.gz", "B.NII.GZ", "B.Nii", "B.NII.gz"] {
            assert_eq!(stem(name), Some("B"), "{name}");
        }
        assert_eq!(stem("sub.1.nii"), Some("sub.1"));
        for name in [
            "B.gz",
            "B.nii.zip",
            "Bnii",
            "._B.nii.gz",
            ".nii",
            ".nii.gz",
            "..",
            "",
        ] {
            assert_eq!(stem(name), None, "{name}");
        }
        assert!(is_gzip_name(Path::new("OUT.NII.GZ")) && !is_gzip_name(Path::new("gz")));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_utf_8_are_names() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(OsStr::from_bytes(b"f\xfcnf.NII.gz"));
        assert_eq!(stem(path).unwrap().as_bytes(), b"f\xfcnf");
        assert!(is_gzip_name(path));
    }
}
