//! The browser of the tests.

use super::debian;
use crate::command::on_path;
use anyhow::{Context, Result, bail};
use std::env;
use std::path::{Path, PathBuf};

/// Its Vulkan driver in software, as Dawn opens it (WebGPU), and how Vulkan's loader is told of it (ANGLE, WebGL).
pub(super) const DRIVER: &str = "libvk_swiftshader.so";
pub(super) const DESCRIPTION: &str = "vk_swiftshader_icd.json";

/// A Chromium, which is installed if there is none; the variable `CHROMIUM` names another one.
///
/// # Errors
/// When there is none and none can be installed.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
    {
        if !path.is_file() {
            bail!("CHROMIUM names {}, which is not a file", path.display());
        }
        return Ok(path);
    }
    let installed = || {
        on_path(&[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ])
    };
    if let Some(path) = installed() {
        return Ok(path);
    }
    debian::install(&["chromium"])
        .context("no Chromium; install one or name it in the variable CHROMIUM")?;
    installed().context("the package chromium brought no program of that name")
}

/// Where a Chromium has its Vulkan driver in software and the loader for it, if it has them: what `VK_ICD_FILENAMES` and
/// `LD_LIBRARY_PATH` are to name.
///
/// # Errors
/// Those of [`find`].
pub fn software_driver() -> Result<Option<[PathBuf; 2]>> {
    Ok(folder()?.map(|folder| [folder.join(DESCRIPTION), folder]))
}

/// Where a Chromium lies with its libraries.
///
/// # Errors
/// Those of [`find`].
pub(super) fn folder() -> Result<Option<PathBuf>> {
    let program = find()?.canonicalize()?;
    // Packages put a script on the path, and the program elsewhere.
    let packaged = [
        "/usr/lib/chromium",
        "/usr/lib/chromium-browser",
        "/opt/google/chrome",
    ];
    let mut folders = program.parent().into_iter().chain(packaged.map(Path::new));
    let is_whole = |folder: &&Path| {
        let mut names = [DRIVER, DESCRIPTION, "libvulkan.so.1"].iter();
        names.all(|name| folder.join(name).is_file())
    };
    Ok(folders.find(is_whole).map(Path::to_path_buf))
}
