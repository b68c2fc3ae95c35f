//! Finding, naming and copying files.

use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// All files at and below a directory, sorted.
///
/// # Errors
/// When it can't be read.
pub fn below(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in
        fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?
    {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(below(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// A path's last part.
pub fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Whether what follows a name's last dot is one of some extensions.
pub fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    path.extension()
        .and_then(OsStr::to_str)
        .is_some_and(|extension| extensions.contains(&extension))
}

/// Whether a file is a compressed copy of one beside it.
pub fn is_compressed_copy(path: &Path) -> bool {
    has_extension(path, &["br", "gz"]) && path.with_extension("").is_file()
}

/// A path with something after its last part.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Copies a file to a place whose folder may have to be made.
///
/// # Errors
/// When it can't be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("a file in a folder")?)?;
    fs::copy(from, to).with_context(|| format!("copying {}", from.display()))?;
    Ok(())
}

/// Copies all files of a folder except hidden ones.
///
/// # Errors
/// When one can't be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for path in below(from)? {
        if !name(&path).starts_with('.') {
            copy(&path, &to.join(path.strip_prefix(from)?))?;
        }
    }
    Ok(())
}

/// Writes a file, unless it is there with just these bytes: its time tells a build what is stale.
///
/// # Errors
/// When it can't be written.
pub fn write_if_new(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("a file in a folder")?)?;
    fs::write(path, bytes).with_context(|| format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_as_it_should_be_stays_untouched() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-files-{}", std::process::id()));
        let path = folder.join("file");
        let time = || fs::metadata(&path).unwrap().modified().unwrap();
        write_if_new(&path, b"one").unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(old)
            .unwrap();
        write_if_new(&path, b"one").unwrap();
        assert_eq!(time(), old);
        write_if_new(&path, b"two").unwrap();
        assert_ne!(time(), old);
        assert_eq!(fs::read(&path).unwrap(), b"two");
        fs::remove_dir_all(folder).unwrap();
    }
}
