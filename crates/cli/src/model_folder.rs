//! The folder of a model: manifest, weights, card; and the list of models beside it.

use anyhow::Context;
use dinomed3d_volume::atomic_file::write_whole;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the weights file.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// Name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";

/// A folder that a model is written into.
#[derive(Debug)]
pub struct ModelFolder(PathBuf);

impl ModelFolder {
    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        Ok(Self(path.to_owned()))
    }

    /// Path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.file(name);
        write_whole(&path, bytes).with_context(|| format!("writing {}", path.display()))
    }

    /// Adds the folder to the list beside it, from which the page learns what there is.
    ///
    /// # Errors
    /// A list that can't be read or written.
    pub fn list(&self) -> anyhow::Result<()> {
        let name = self
            .0
            .file_name()
            .and_then(|name| name.to_str())
            .with_context(|| format!("{} has no name", self.0.display()))?;
        let path = self.0.with_file_name("index.json");
        let mut names: BTreeSet<String> = match std::fs::read(&path) {
            Ok(json) => {
                serde_json::from_slice(&json).with_context(|| format!("in {}", path.display()))?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
        };
        names.insert(name.to_owned());
        write_whole(&path, &serde_json::to_vec(&names)?)
            .with_context(|| format!("writing {}", path.display()))
    }
}

/// JSON with a line for each key, and each list of numbers on one line: the known answer has thousands.
///
/// # Errors
/// A value that is not JSON.
pub fn readable_json(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, LinePerKey::default());
    value.serialize(&mut serializer)?;
    json.push(b'\n');
    Ok(json)
}

/// Objects as [`PrettyFormatter`] writes them; lists, by default, compactly.
#[derive(Default)]
struct LinePerKey(PrettyFormatter<'static>);

impl Formatter for LinePerKey {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}
