//! Python programs, each with its packages in an environment of its own.

use super::debian;
use crate::command::{program, run_quietly};
use crate::places::Places;
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the programs of an environment that holds what a file of requirements lists, which is made if it is not there.
///
/// # Errors
/// When there is no Python, or a package can't be fetched.
pub fn environment(places: &Places, name: &str, requirements: &Path) -> Result<PathBuf> {
    let reading = || format!("reading {}", requirements.display());
    let listed = fs::read_to_string(requirements).with_context(reading)?;
    let folder = places.tools.join("python").join(name);
    let bin = folder.join("bin");
    let done = folder.join("requirements.txt");
    if fs::read_to_string(&done).is_ok_and(|of_last_time| of_last_time == listed) {
        return Ok(bin);
    }
    fs::create_dir_all(&places.tools)?;
    let make = || {
        let mut python = program("python3", &places.tools);
        python.args(["-m", "venv", "--clear"]).arg(&folder);
        let what = format!("making Python's environment for {name}");
        run_quietly(&what, &mut python, "it needs Python's venv")
    };
    make().or_else(|_| debian::install(&["python3-venv"]).and_then(|()| make()))?;
    let mut pip = program(bin.join("python"), &places.tools);
    pip.args(["-m", "pip", "--disable-pip-version-check"])
        .args(["install", "--retries=1", "--requirement"])
        .arg(requirements);
    let what = format!("installing {name}");
    run_quietly(
        &what,
        &mut pip,
        "its packages come from Python's index, for Python 3.11 or newer",
    )?;
    fs::write(done, listed)?;
    Ok(bin)
}
