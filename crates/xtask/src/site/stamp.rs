//! What the site in dist was built of.

use crate::content;
use crate::places::Places;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// Everything the built site depends on, beside the compiler.
const SOURCES: [&str; 13] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/core",
    "crates/kernels",
    "crates/volume",
    "crates/web",
    "crates/xtask",
    "docs",
    "index.html",
    "package-lock.json",
    "public",
];

/// What the build itself puts below those.
const MADE_BY_THE_BUILD: [&str; 3] = [
    "public/samples/sample.nii.gz",
    "public/samples/sample_dseg.nii.gz",
    "public/vendor",
];

/// Says of what the site in dist was built.
pub struct Stamp {
    file: PathBuf,
    page: PathBuf,
    content: String,
}

impl Stamp {
    /// The one that the sources as they are and a compiler give.
    ///
    /// # Errors
    /// When a source can't be read.
    pub fn new(places: &Places, compiler: &str) -> Result<Self> {
        Ok(Self {
            // Not in dist, which is what the public sees.
            file: places.root.join("target/site.stamp"),
            page: places.dist().join("index.html"),
            content: content::of_files(&places.root, &SOURCES, &MADE_BY_THE_BUILD, &[compiler])?,
        })
    }

    /// Whether the site is built and has it.
    pub fn is_there(&self) -> bool {
        self.page.is_file()
            && fs::read_to_string(&self.file).is_ok_and(|found| found == self.content)
    }

    /// Takes it away: what is in dist from now on is unfinished.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn remove(&self) -> Result<()> {
        if self.file.exists() {
            fs::remove_file(&self.file)?;
        }
        Ok(())
    }

    /// Puts it on the finished site.
    ///
    /// # Errors
    /// Whatever the file system says.
    pub fn write(&self) -> Result<()> {
        fs::create_dir_all(self.file.parent().context("a file in a folder")?)?;
        fs::write(&self.file, &self.content)
            .with_context(|| format!("writing {}", self.file.display()))
    }
}
