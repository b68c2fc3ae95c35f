//! Several files as one: the page keeps one file for each scan, so that a fresh worker can be given it again.

use std::io::{Cursor, Write};

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// A zip in memory whose files are stored as they are.
pub struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    /// An empty one with room for files of so many bytes.
    ///
    /// # Errors
    /// Where there is no memory for them.
    pub fn new(bytes: usize) -> Result<Self, String> {
        let mut room = Vec::new();
        room.try_reserve_exact(bytes)
            .map_err(|_| format!("there is no memory for their {bytes} bytes"))?;
        Ok(Self(ZipWriter::new(Cursor::new(room))))
    }

    /// Adds a file.
    ///
    /// # Errors
    /// A path that is there already.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), String> {
        // Without a time: wasm32 has no clock of its own, and nobody asks.
        let stored = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default());
        self.0
            .start_file(path, stored)
            .map_err(|error| error.to_string())?;
        self.0.write_all(bytes).map_err(|error| error.to_string())
    }

    /// The zip's bytes.
    ///
    /// # Errors
    /// As [`Archive::add`].
    pub fn finish(self) -> Result<Vec<u8>, String> {
        let zip = self.0.finish().map_err(|error| error.to_string())?;
        Ok(zip.into_inner())
    }
}
