//! The folder of a model: manifest, weights, card; and the list of models beside it.

use crate::manifest::ModelManifest;
use crate::segmenter::{ModelError, Segmenter};
use burn::tensor::Device;
use dinomed3d_volume::atomic_file::write_whole;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the weights file.
pub const WEIGHTS_FILE: &str = "weights.safetensors";
/// Name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// File name of the model card.
pub const CARD_FILE: &str = "README.md";

/// The folder of a model.
#[derive(Debug)]
pub struct ModelFolder(PathBuf);

fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    doing: &'static str,
    path: &Path,
) -> impl FnOnce(E) -> ModelError {
    move |source| ModelError::File {
        doing,
        path: path.to_owned(),
        source: source.into(),
    }
}

impl ModelFolder {
    /// One that is there already.
    pub fn open(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Reads the manifest.
    ///
    /// # Errors
    /// One that cannot be read or used.
    pub fn manifest(&self) -> Result<ModelManifest, ModelError> {
        let path = self.file(MANIFEST_FILE);
        let json = std::fs::read(&path).map_err(failed("reading", &path))?;
        ModelManifest::from_json(&json).map_err(failed("in", &path))
    }

    /// Loads the model onto a device, whose known answer is still to be checked.
    ///
    /// # Errors
    /// A manifest or weights that cannot be read or used.
    pub fn load(&self, device: &Device) -> Result<Segmenter, ModelError> {
        let manifest = self.manifest()?;
        let path = self.file(&manifest.weights.file);
        let weights = File::open(&path).map_err(failed("reading", &path))?;
        Segmenter::load(manifest, &weights, device).map_err(failed("in", &self.0))
    }

    /// Makes the folder if it is not there.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn create(path: &Path) -> Result<Self, ModelError> {
        std::fs::create_dir_all(path).map_err(failed("making", path))?;
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
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        let path = self.file(name);
        write_whole(&path, bytes).map_err(failed("writing", &path))
    }

    /// Adds the folder to the list beside it, from which the page learns what there is.
    ///
    /// # Errors
    /// A list that can't be read or written.
    pub fn list(&self) -> Result<(), ModelError> {
        let name = self
            .0
            .file_name()
            .and_then(|name| name.to_str())
            .ok_or("it has no name")
            .map_err(failed("listing", &self.0))?;
        let path = self.0.with_file_name("index.json");
        let mut names: BTreeSet<String> = match std::fs::read(&path) {
            Ok(json) => serde_json::from_slice(&json).map_err(failed("in", &path))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
            Err(error) => return Err(failed("reading", &path)(error)),
        };
        names.insert(name.to_owned());
        let json = serde_json::to_vec(&names).map_err(failed("writing", &path))?;
        write_whole(&path, &json).map_err(failed("writing", &path))
    }
}

/// JSON with a line for each key, and each list of numbers on one line: the known answer has thousands.
pub fn readable_json(manifest: &ModelManifest) -> Vec<u8> {
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, LinePerKey::default());
    manifest
        .serialize(&mut serializer)
        .expect("a manifest is plain data");
    json.push(b'\n');
    json
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
