//! Cargo for this computer: one set of packages, features and profile in all commands, so that Burn is compiled once.

use crate::command::{program, run};
use crate::places::Places;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The product's native packages. Always all of them: another selection would unify features in another way and compile every
/// dependency again.
pub const PACKAGES: [&str; 8] = [
    "--package",
    "dinomed3d-volume",
    "--package",
    "dinomed3d-kernels",
    "--package",
    "dinomed3d-core",
    "--package",
    "dinomed3d-cli",
];

/// Cargo in the checkout, into the shared target directory.
pub fn cargo(places: &Places) -> Command {
    let mut command = program("cargo", &places.root);
    command.env("CARGO_TARGET_DIR", &places.target);
    command
}

/// Builds the native program and returns its path.
///
/// # Errors
/// When it does not compile.
pub fn build(places: &Places) -> Result<PathBuf> {
    let mut command = cargo(places);
    command.args(["build", "--release"]).args(PACKAGES);
    run(
        "building the native program",
        &mut command,
        "the compiler's messages are above",
    )?;
    Ok(places.native_program())
}
