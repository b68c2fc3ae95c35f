//! A file that names scans, one a line.

use anyhow::Context;
use std::path::{Path, PathBuf};

/// What some editors on Windows put before a text of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a list; empty lines and those that begin with `#` are passed over. A line that is no text is an error of its own, with
/// what of its name can be shown.
///
/// # Errors
/// A file that can't be read, that is no UTF-8 from its beginning on, or that names no scan.
pub fn read(list: &Path) -> anyhow::Result<Vec<Result<PathBuf, (PathBuf, anyhow::Error)>>> {
    let bytes = std::fs::read(list).with_context(|| format!("reading {}", list.display()))?;
    anyhow::ensure!(
        !bytes.starts_with(b"\xff\xfe") && !bytes.starts_with(b"\xfe\xff"),
        "{} is UTF-16: expected is a text of UTF-8",
        list.display()
    );
    let bytes = bytes.strip_prefix(MARK).unwrap_or(&bytes);
    let is_name = |line: &&[u8]| !line.is_empty() && !line.starts_with(b"#");
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let names: Vec<_> = lines.filter(is_name).map(name).collect();
    anyhow::ensure!(
        !names.is_empty(),
        "{} names no scan: expected is one a line",
        list.display()
    );
    Ok(names)
}

fn name(line: &[u8]) -> Result<PathBuf, (PathBuf, anyhow::Error)> {
    match str::from_utf8(line) {
        Ok(line) => Ok(PathBuf::from(line)),
        Err(_) => {
            let shown = String::from_utf8_lossy(line).into_owned();
            let error = anyhow::anyhow!("a line of the list is no UTF-8: {shown}");
            Err((PathBuf::from(shown), error))
        }
    }
}
