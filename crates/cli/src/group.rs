//! One table of all volumes in a folder of results.

use anyhow::Context;
use dinomed3d_volume::atomic_file::write_whole;
use dinomed3d_volume::derivative::{DerivativeNames, ScanTable, group_tsv};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// The table's name.
pub const TABLE: &str = "volumes.tsv";

/// Writes `volumes.tsv` in a folder: a row for each table of volumes below it.
///
/// # Errors
/// A folder without such a table, one that can't be read, or is none.
pub fn write(folder: &Path) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(
        folder.is_dir(),
        "{} is no folder that is there: expected is one of results",
        folder.display()
    );
    let end = DerivativeNames::whole("").volumes_tsv();
    let mut tables = Vec::new();
    for entry in WalkDir::new(folder).sort_by_file_name() {
        let entry = entry?;
        let path = entry.path().strip_prefix(folder)?.to_string_lossy();
        let Some(scan) = path.strip_suffix(&end) else {
            continue;
        };
        let text = std::fs::read_to_string(entry.path());
        tables.push(ScanTable {
            scan: scan.replace('\\', "/"),
            text: text.with_context(|| format!("reading {}", entry.path().display()))?,
        });
    }
    anyhow::ensure!(
        !tables.is_empty(),
        "{} holds no results: expected are files NAME{end}",
        folder.display()
    );
    let path = folder.join(TABLE);
    let text = group_tsv(&tables)?;
    write_whole(&path, text.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    Ok(path)
}
