//! Files made from others, kept under the hash of what they were made from.

use crate::content;
use crate::places::Places;
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};

/// A file made from inputs that `key` names in full: made once, then found again.
///
/// # Errors
/// When it can't be made.
pub fn file(
    places: &Places,
    key: &str,
    extension: &str,
    make: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    fs::create_dir_all(&places.derived)?;
    let file = places
        .derived
        .join(content::of_bytes(key.as_bytes()))
        .with_extension(extension);
    if !file.is_file() {
        let unfinished = file.with_extension(format!("{}.unfinished", std::process::id()));
        make(&unfinished)?;
        fs::rename(&unfinished, &file)?;
    }
    Ok(file)
}
