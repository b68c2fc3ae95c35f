//! Where things lie: the checkout, and a cache that outlives it.

use anyhow::{Context, Result};
use std::env;
use std::path::PathBuf;

/// Directories the commands read and write.
pub struct Places {
    /// The checkout.
    pub root: PathBuf,
    /// Cargo's target directory, shared by all checkouts.
    pub target: PathBuf,
    /// Tools that xtask installed; programs in its `bin`.
    pub tools: PathBuf,
    /// Results kept under the hash of what they were made from.
    pub derived: PathBuf,
}

impl Places {
    /// Finds the checkout and the cache: `CARGO_TARGET_DIR` if set, else a directory of the user's cache.
    pub fn find() -> Result<Self> {
        // Asked when run, not when compiled: checkouts share one target directory, and cargo takes the program that
        // another one built.
        let manifest = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .context("run this as `cargo xtask`: cargo says where the checkout is")?;
        let root = manifest
            .ancestors()
            .nth(2)
            .context("xtask is not in crates/xtask of a checkout")?
            .to_path_buf();
        let cache = env::var_os("XDG_CACHE_HOME")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
            .or_else(|| env::home_dir().map(|home| home.join(".cache")))
            .context("no place for a cache: set HOME or XDG_CACHE_HOME")?
            .join("dinomed3d");
        let target = match env::var_os("CARGO_TARGET_DIR").filter(|path| !path.is_empty()) {
            Some(path) => root.join(path),
            None => cache.join("target"),
        };
        Ok(Self {
            root,
            target,
            tools: cache.join("tools"),
            derived: cache.join("derived"),
        })
    }

    /// The built site.
    pub fn dist(&self) -> PathBuf {
        self.root.join("dist")
    }

    /// The sample, where the site's build and the tests look for it.
    pub fn samples(&self) -> PathBuf {
        self.root.join("public/samples")
    }

    /// The native program.
    pub fn native_program(&self) -> PathBuf {
        self.target
            .join("release")
            .join(format!("dinomed3d{}", env::consts::EXE_SUFFIX))
    }
}
