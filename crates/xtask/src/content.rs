//! One hash for everything a result depends on.

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// The SHA-256 of a file's or a string's bytes, in hexadecimal.
pub fn of_bytes(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// The SHA-256 of a file's content, in hexadecimal.
///
/// # Errors
/// When it can't be read.
pub fn of_file(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    fs::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hash))
        .with_context(|| format!("reading {}", path.display()))?;
    Ok(format!("{:x}", hash.finalize()))
}

/// The SHA-256 over names and contents of all files at and below some paths of `root`, except below `left_out`, and over some
/// words beside them. A path that does not exist counts as such.
///
/// # Errors
/// When a file can't be read.
pub fn of_files(root: &Path, paths: &[&str], left_out: &[&str], words: &[&str]) -> Result<String> {
    let left_out: Vec<PathBuf> = left_out.iter().map(|path| root.join(path)).collect();
    let mut files = Vec::new();
    for path in paths {
        collect(&root.join(path), &left_out, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for path in &files {
        let content = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy();
        hash.update(format!("{name}\0{}\0", content.len()));
        hash.update(&content);
    }
    for word in words {
        hash.update(format!("{word}\0"));
    }
    Ok(format!("{:x}", hash.finalize()))
}

fn collect(path: &Path, left_out: &[PathBuf], files: &mut Vec<PathBuf>) -> Result<()> {
    if left_out.iter().any(|out| out == path) {
        return Ok(());
    }
    if path.is_file() {
        files.push(path.to_path_buf());
    } else if path.is_dir() {
        for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
            collect(&entry?.path(), left_out, files)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_follows_contents_names_and_words_and_ignores_what_is_left_out() {
        let root = std::env::temp_dir().join(format!("dinomed3d-content-{}", std::process::id()));
        fs::create_dir_all(root.join("a/out")).unwrap();
        let hash = |words: &[&str]| of_files(&root, &["a"], &["a/out"], words).unwrap();
        fs::write(root.join("a/x"), "1").unwrap();
        let first = hash(&["w"]);
        fs::write(root.join("a/out/y"), "1").unwrap();
        assert_eq!(hash(&["w"]), first);
        assert_ne!(hash(&["v"]), first);
        fs::write(root.join("a/x"), "2").unwrap();
        let second = hash(&["w"]);
        assert_ne!(second, first);
        fs::rename(root.join("a/x"), root.join("a/z")).unwrap();
        assert_ne!(hash(&["w"]), second);
        fs::remove_dir_all(root).unwrap();
    }
}
