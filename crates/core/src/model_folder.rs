//! The folder of a model: manifest, weights, card; and the list of models beside it.

use crate::manifest::{ModelManifest, WeightChunks};
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

    /// All files that it consists of, for no result to replace one. Of a folder whose manifest can't be used those that most have.
    pub fn files(&self) -> Vec<PathBuf> {
        let weights = self.manifest().ok().map(|manifest| manifest.weights.file);
        let weights = weights.unwrap_or_else(|| WEIGHTS_FILE.to_owned());
        [MANIFEST_FILE, CARD_FILE, &weights]
            .map(|name| self.file(name))
            .to_vec()
    }

    /// Writes a file, whole or not at all.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        let path = self.file(name);
        write_whole(&path, bytes).map_err(failed("writing", &path))
    }

    /// Writes the manifest, with checksums of the parts of the weights file that lies there.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write_manifest(&self, manifest: &ModelManifest) -> Result<(), ModelError> {
        let path = self.file(&manifest.weights.file);
        let weights = File::open(&path).map_err(failed("reading", &path))?;
        let chunks = WeightChunks::of(&weights).map_err(failed("reading", &path))?;
        let mut manifest = manifest.clone();
        manifest.weights.chunks = Some(chunks);
        self.write(MANIFEST_FILE, &readable_json(&manifest))
    }

    /// Replaces the manifest, and the card, if there is one, by what `change` makes of it.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn rewrite(
        &self,
        manifest: &ModelManifest,
        change: impl FnOnce(&str) -> String,
    ) -> Result<(), ModelError> {
        let path = self.file(CARD_FILE);
        let card = match std::fs::read_to_string(&path) {
            Ok(card) => Some(change(&card)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("reading", &path)(error)),
        };
        self.write_manifest(manifest)?;
        card.map_or(Ok(()), |card| self.write(CARD_FILE, card.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What the page compares with while weights come.
    #[test]
    fn the_shipped_manifests_have_the_checksums_of_their_weights() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../public/models");
        for name in [
            "hippocampus",
            "hippocampus/four-bits",
            "head",
            "head/four-bits",
        ] {
            let folder = ModelFolder::open(&models.join(name));
            let weights = folder.manifest().unwrap().weights;
            let file = File::open(folder.file(&weights.file)).unwrap();
            let chunks = WeightChunks::of(&file).unwrap();
            assert!(chunks.sha256.len() > 1, "{name}");
            assert_eq!(weights.chunks, Some(chunks), "{name}");
        }
    }

    #[test]
    fn a_manifest_that_is_written_has_checksums_of_what_lies_beside_it() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../public/models");
        let mut manifest = ModelFolder::open(&models.join("hippocampus"))
            .manifest()
            .unwrap();
        let path = std::env::temp_dir().join(format!("dinomed3d-folder-{}", std::process::id()));
        let folder = ModelFolder::create(&path).unwrap();
        let weights = vec![7; (1 << 20) + 1];
        manifest.weights.bytes = weights.len() as u64;
        manifest.weights.chunks = None;
        folder.write(&manifest.weights.file, &weights).unwrap();
        folder.write_manifest(&manifest).unwrap();
        let chunks = folder.manifest().unwrap().weights.chunks.unwrap();
        assert_eq!(
            chunks.range(1, manifest.weights.bytes),
            1 << 20..(1 << 20) + 1
        );
        assert_eq!(chunks.verify(1, &[7]), Ok(()));
        let wrong = chunks.verify(1, &[6]).unwrap_err();
        assert!(
            wrong.starts_with("part 2 of 2 of the weights has SHA-256"),
            "{wrong}"
        );
        assert!(wrong.ends_with(&chunks.sha256[1]), "{wrong}");
        // Of another length they would not be all.
        manifest.weights.bytes = 1 << 20;
        manifest.weights.chunks = Some(chunks);
        let error = manifest.check().unwrap_err().to_string();
        assert!(error.contains("weights.chunks"), "{error}");
        std::fs::remove_dir_all(&path).unwrap();
    }
}
