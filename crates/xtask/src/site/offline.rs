//! What the service worker keeps for use without a network.

use crate::content;
use crate::files;
use crate::places::Places;
use anyhow::{Context, Result};
use std::fs;

/// Writes offline.json: every file that a browser asks for by its own name, and a version for all of them.
///
/// # Errors
/// Whatever the file system says.
pub fn list(places: &Places) -> Result<()> {
    let dist = places.dist();
    let version = content::of_files(&dist, &[""], &[], &[])?;
    let mut names = Vec::new();
    for path in files::below(&dist)? {
        if !files::is_compressed_copy(&path) {
            let name = path
                .strip_prefix(&dist)?
                .to_string_lossy()
                .replace('\\', "/");
            // The page is asked for by its folder's address.
            names.push(if name == "index.html" {
                "./".to_owned()
            } else {
                name
            });
        }
    }
    let list = serde_json::json!({ "version": &version[..16], "files": names });
    let path = dist.join("offline.json");
    fs::write(&path, serde_json::to_vec_pretty(&list)?)
        .with_context(|| format!("writing {}", path.display()))
}
