//! The browser of the tests.

use super::debian;
use crate::command::on_path;
use anyhow::{Context, Result, bail};
use std::env;
use std::path::PathBuf;

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
