//! Where the bytes of a file come from.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::PathBuf;

/// Bytes that can be read from any place.
pub trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// A file that may be DICOM: opened once for its header, and once more for its pixels if they are wanted.
pub trait Source {
    /// What messages call it.
    fn name(&self) -> &str;

    /// Its bytes from the start.
    ///
    /// # Errors
    /// When it can't be opened.
    fn open(&self) -> io::Result<Box<dyn ReadSeek + '_>>;
}

/// A file in memory.
pub struct InMemory {
    /// What messages call it.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Source for InMemory {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(Cursor::new(&self.bytes[..])))
    }
}

/// A file on disk.
pub struct OnDisk {
    name: String,
    path: PathBuf,
}

impl OnDisk {
    /// Of this path, which is also what messages call it.
    pub fn new(path: PathBuf) -> Self {
        Self {
            name: path.display().to_string(),
            path,
        }
    }
}

impl Source for OnDisk {
    fn name(&self) -> &str {
        &self.name
    }

    fn open(&self) -> io::Result<Box<dyn ReadSeek + '_>> {
        Ok(Box::new(BufReader::new(File::open(&self.path)?)))
    }
}
