//! The files in a zip.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use zip::ZipArchive;

use super::error::DicomError;
use super::source::{ReadSeek, Source};
use crate::gzip::MAX_RATIO;

type Archive = ZipArchive<Cursor<Arc<[u8]>>>;

struct Entry {
    archive: Archive,
    index: usize,
    name: String,
}

/// The files of a zip, each unpacked when it is opened, and then no further than the zip's index says.
///
/// # Errors
/// [`DicomError::Zip`] where the index is damaged.
pub fn zip_entries(bytes: Arc<[u8]>) -> Result<Vec<Box<dyn Source>>, DicomError> {
    let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| DicomError::Zip {
        reason: e.to_string(),
    })?;
    let mut entries: Vec<Box<dyn Source>> = Vec::new();
    for index in 0..archive.len() {
        // An entry without a readable name is none of a scan's.
        let Some(Ok(name)) = archive.name_for_index(index) else {
            continue;
        };
        if !name.ends_with('/') {
            entries.push(Box::new(Entry {
                name: name.into_owned(),
                archive: archive.clone(),
                index,
            }));
        }
    }
    Ok(entries)
}

impl Source for Entry {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        let mut archive = self.archive.clone();
        let entry = archive.by_index(self.index).map_err(io::Error::other)?;
        let claimed = entry.size();
        if claimed > entry.compressed_size().saturating_mul(MAX_RATIO) + 64 {
            return Err(io::Error::other(format!(
                "the zip claims {claimed} bytes, more than its {} can hold",
                entry.compressed_size()
            )));
        }
        let mut bytes = Vec::new();
        entry.take(claimed).read_to_end(&mut bytes)?;
        Ok(Box::new(Cursor::new(bytes)))
    }
}
