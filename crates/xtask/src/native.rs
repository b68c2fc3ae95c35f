//! Cargo for this computer: one set of packages, features and profile in all commands, so that Burn is compiled once.

use crate::command::{program, run};
use crate::places::Places;
use anyhow::Result;
use std::path::PathBuf;
use std::process::Command;

/// The product's native packages. Always all of them: another selection would unify features in another way and compile every
/// dependency again.
pub const PACKAGES: [&str; 6] = [
    "--package",
    "dinomed3d-volume",
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

/// Builds the native program with more devices than the processor and returns its path. It has a
/// target directory of its own, or Burn would be compiled again for every other command.
///
/// # Errors
/// When it does not compile; Burn's build script for CUDA fetches a compiler from the network, that
/// of LibTorch the library.
pub fn build_for_devices(places: &Places, features: &[&str]) -> Result<PathBuf> {
    let target = places.target.join("cards");
    let mut command = cargo(places);
    command
        .env("CARGO_TARGET_DIR", &target)
        .args([
            "build",
            "--release",
            "--package",
            "dinomed3d-cli",
            "--features",
        ])
        .arg(features.join(","));
    run(
        "building the native program for more devices (ten minutes and more, the first time)",
        &mut command,
        "if tracel-llvm-bundler failed: it downloads LLVM, Burn's compiler of CUDA kernels, from its project's releases on GitHub, \
         which this computer did not reach; build where it can, or use `cargo xtask build --vulkan`, which needs no download. \
         If torch-sys failed: it downloads LibTorch 2.9 from PyTorch's site; LIBTORCH_USE_PYTORCH=1 takes that of an installed PyTorch 2.9",
    )?;
    Ok(target.join("release").join("dinomed3d"))
}

/// Type-checks the program with CUDA and Vulkan, without what only its making needs.
///
/// # Errors
/// When it does not compile.
pub fn check_for_cards(places: &Places) -> Result<()> {
    let mut command = cargo(places);
    command
        // Skips the download of LLVM: kernels are compiled where there is a card.
        .env("DOCS_RS", "1")
        .env("CARGO_TARGET_DIR", places.target.join("cards"))
        .args([
            "check",
            "--release",
            "--package",
            "dinomed3d-cli",
            "--features",
            "cuda,vulkan",
        ]);
    run(
        "checking the types of the program for graphics cards",
        &mut command,
        "the compiler's messages are above",
    )
}
