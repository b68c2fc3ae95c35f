//! A model of the visitor's own: a zip of the folder that `dinomed3d export` or `dinomed3d convert` wrote.

use std::io::Read;

use dinomed3d_volume::dicom::{Source, zip_entries};

/// What every model folder has.
const MANIFEST: &str = "manifest.json";
/// What a model folder says of itself.
const CARD: &str = "README.md";
/// A card is some thousand letters; of what is longer than this nobody has made one.
const LONGEST_CARD: u64 = 1 << 18;

/// Weights are given away in pieces of at most this.
const PIECE_BYTES: usize = 1 << 20;

/// The files of a model, in a zip.
pub struct OwnModel {
    files: Vec<Box<dyn Source>>,
    manifest: usize,
}

impl OwnModel {
    /// Finds the model in a zip.
    ///
    /// # Errors
    /// Where it is none or holds none, or several, as a sentence without its full stop.
    pub fn open(zip: Vec<u8>) -> Result<Self, String> {
        let mut files = zip_entries(zip.into()).map_err(|error| error.to_string())?;
        // What some systems put beside files.
        files.retain(|file| !last(file.name()).starts_with('.'));
        let is_manifest = |place: &usize| last(files[*place].name()) == MANIFEST;
        let mut manifests: Vec<usize> = (0..files.len()).filter(is_manifest).collect();
        // What lies in a model's folder may be the same model with its weights in fewer bits.
        let depth = |place: &usize| files[*place].name().matches('/').count();
        let least = manifests.iter().map(depth).min();
        manifests.retain(|place| Some(depth(place)) == least);
        match manifests[..] {
            [manifest] => Ok(Self { files, manifest }),
            [] => Err(format!(
                "{} is found, expected is {MANIFEST} with the weights that it names",
                names(&files)
            )),
            [first, second, ..] => Err(format!(
                "{} models are found ({}, {}, …), expected is one at a time",
                manifests.len(),
                files[first].name(),
                files[second].name()
            )),
        }
    }

    /// The manifest's bytes.
    ///
    /// # Errors
    /// One that can't be unpacked, as a sentence without its full stop.
    pub fn manifest(&self) -> Result<Vec<u8>, String> {
        read(&*self.files[self.manifest])
    }

    /// The card beside the manifest; none where there is none, or none that can be read.
    pub fn card(&self) -> Option<String> {
        let file = self.beside(CARD)?;
        let mut card = Vec::new();
        let content = file.open().ok()?;
        content.take(LONGEST_CARD + 1).read_to_end(&mut card).ok()?;
        let card = String::from_utf8(card).ok()?;
        Some(card).filter(|card| card.len() as u64 <= LONGEST_CARD)
    }

    /// The file of that name in the manifest's folder.
    fn beside(&self, name: &str) -> Option<&dyn Source> {
        let manifest = self.files[self.manifest].name();
        let path = format!("{}{name}", &manifest[..manifest.len() - MANIFEST.len()]);
        let file = self.files.iter().find(|file| file.name() == path);
        file.map(|file| &**file)
    }

    /// Gives the weights file that the manifest names, of the length that it says, to `take`, piece by piece.
    ///
    /// # Errors
    /// One that is not beside the manifest, has another length or can't be unpacked, as a sentence without its full stop; `take` may
    /// have had some of it then.
    pub fn weights(
        &self,
        name: &str,
        length: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), String> {
        let file = self.beside(name).ok_or_else(|| {
            let found = names(&self.files);
            format!(
                "its manifest names the weights {name}, which are not beside it: {found} is found"
            )
        })?;
        let broken = |error| format!("{} can't be unpacked: {error}", file.name());
        let mut content = file.open().map_err(broken)?;
        let mut piece = vec![0; PIECE_BYTES];
        let mut found = 0;
        loop {
            match content.read(&mut piece).map_err(broken)? {
                0 => break,
                count => {
                    take(&piece[..count]);
                    found += count as u64;
                }
            }
        }
        if found != length {
            return Err(format!(
                "its weights {name} have {found} bytes, expected are {length} by its manifest"
            ));
        }
        Ok(())
    }
}

/// A file's name without its folders.
fn last(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The first files by name.
fn names(files: &[Box<dyn Source>]) -> String {
    const MOST: usize = 4;
    let named = files.iter().take(MOST).map(|file| last(file.name()));
    let mut named: Vec<&str> = named.collect();
    match files.len() {
        0 => return "nothing".to_owned(),
        more if more > MOST => named.push("…"),
        _ => {}
    }
    named.join(", ")
}

fn read(file: &dyn Source) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = file
        .open()
        .and_then(|mut file| file.read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => Err(format!("{} can't be unpacked: {error}", file.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::Archive;

    fn zip(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = Archive::new(10).expect("there is memory");
        for (name, bytes) in files {
            archive.add(name, bytes).expect("a new name");
        }
        archive.finish().expect("whole")
    }

    fn refused(files: &[(&str, &[u8])]) -> String {
        OwnModel::open(zip(files)).err().expect("it is no model")
    }

    #[test]
    fn a_folder_holds_a_manifest_and_the_weights_that_it_names() {
        for folder in ["", "mine/", "a/b/"] {
            let path = |name: &str| format!("{folder}{name}");
            let (manifest, weights) = (path(MANIFEST), path("w.safetensors"));
            let model = OwnModel::open(zip(&[
                (&manifest, b"{}"),
                ("__MACOSX/mine/._manifest.json", b"x"),
                (&weights, b"123"),
                (&path(CARD), b"# Mine"),
                ("other/w2.safetensors", b"1"),
                (&path("four-bits/manifest.json"), b"{ }"),
                (&path("four-bits/w.safetensors"), b"12345"),
            ]))
            .expect("a model");
            assert_eq!(model.manifest().unwrap(), b"{}");
            assert_eq!(model.card().as_deref(), Some("# Mine"));
            let weights = |name, length| {
                let mut bytes = Vec::new();
                let taken = model.weights(name, length, |piece| bytes.extend_from_slice(piece));
                taken.map(|()| bytes)
            };
            assert_eq!(weights("w.safetensors", 3).unwrap(), b"123");
            let short = weights("w.safetensors", 4).unwrap_err();
            assert!(short.contains("have 3 bytes, expected are 4"), "{short}");
            let missing = weights("w2.safetensors", 1).unwrap_err();
            assert!(
                missing.contains("names the weights w2.safetensors, which are not beside it: manifest.json, w.safetensors"),
                "{missing}"
            );
        }
    }

    #[test]
    fn what_is_no_model_or_more_than_one_is_refused_with_what_was_found() {
        assert_eq!(
            refused(&[("w.safetensors", b"1")]),
            "w.safetensors is found, expected is manifest.json with the weights that it names"
        );
        let two = refused(&[("a/manifest.json", b"1"), ("b/manifest.json", b"1")]);
        assert!(
            two.starts_with("2 models are found (a/manifest.json, b/manifest.json, …)"),
            "{two}"
        );
        assert!(OwnModel::open(b"PK\x03\x04 and no more".to_vec()).is_err());
    }
}
