//! Several files as one: the page keeps one file for each scan, so that a fresh worker can be given it again.

use std::collections::HashSet;
use std::io::Write;

use rawzip::{CompressionMethod, ZipArchiveWriter};

use crate::language::failure;

/// A zip in memory whose files are stored as they are.
pub struct Archive {
    zip: ZipArchiveWriter<Vec<u8>>,
    paths: HashSet<String>,
}

impl Archive {
    /// An empty one with room for files of so many bytes.
    ///
    /// # Errors
    /// Where there is no memory for them.
    pub fn new(bytes: usize) -> Result<Self, String> {
        let mut room = Vec::new();
        room.try_reserve_exact(bytes)
            .map_err(|_| failure::no_memory(bytes))?;
        Ok(Self {
            zip: ZipArchiveWriter::new(room),
            paths: HashSet::new(),
        })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// A path that is there already.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        if !self.paths.insert(path.to_owned()) {
            return Err(failure::same_name(path));
        }
        self.store(path, bytes).map_err(|error| error.to_string())
    }

    fn store(&mut self, path: &str, bytes: &[u8]) -> Result<(), rawzip::Error> {
        let file = self.zip.new_file(path);
        let (mut entry, config) = file.compression_method(CompressionMethod::Store).start()?;
        let mut writer = config.wrap(&mut entry);
        writer.write_all(bytes)?;
        let (_, descriptor) = writer.finish()?;
        entry.finish(descriptor)?;
        Ok(())
    }

    /// The zip's bytes.
    ///
    /// # Errors
    /// As [`Archive::add`].
    pub fn finish(self) -> Result<Vec<u8>, String> {
        self.zip.finish().map_err(|error| error.to_string())
    }
}
