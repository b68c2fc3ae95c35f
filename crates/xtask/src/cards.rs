//! The native program for graphics cards: what its libraries need to build.

use crate::card_libraries;
use crate::command::run;
use crate::native;
use crate::places::Places;
use anyhow::Result;
use std::env;
use std::path::PathBuf;

/// Builds the native program with more devices than the processor and returns its path. It has a
/// target directory of its own, or Burn would be compiled again for every other command; with
/// LibTorch another, because hardly anything is the same and the long build for CUDA would hold it up.
///
/// # Errors
/// When a library can't be fetched or the program does not compile.
pub fn build(places: &Places, features: &[&str]) -> Result<PathBuf> {
    let has_libtorch = features.contains(&"libtorch");
    let target = places.target.join(if has_libtorch {
        "bundle-libtorch"
    } else {
        "bundle"
    });
    let mut command = native::cargo(places);
    if features.contains(&"cuda") {
        command
            .env("XDG_DATA_HOME", card_libraries::llvm_data_home(places)?)
            // There is no toolkit to ask, and the driver is only loaded when the program runs.
            .env("CUDARC_CUDA_VERSION", "13000");
    }
    let names_its_own = ["LIBTORCH", "LIBTORCH_USE_PYTORCH"]
        .iter()
        .any(|name| env::var_os(name).is_some());
    if has_libtorch && !names_its_own {
        command
            .env("LIBTORCH", card_libraries::libtorch(places)?)
            .env("LIBTORCH_BYPASS_VERSION_CHECK", "1")
            .env("LIBTORCH_CXX11_ABI", "1");
    }
    command
        .env("CARGO_TARGET_DIR", &target)
        .args(["build", "--release", "--package", "dinomed3d-cli"])
        .arg("--features")
        .arg(features.join(","));
    run(
        &format!(
            "building the native program with {} (the first time half an hour and more)",
            features.join(" and ")
        ),
        &mut command,
        "the compiler's messages are above",
    )?;
    Ok(target.join("release").join("dinomed3d"))
}

/// Type-checks the program with CUDA, Vulkan and WebGPU, without what only its making needs.
///
/// # Errors
/// When it does not compile.
pub fn check(places: &Places) -> Result<()> {
    // Operations that are fused, as for CUDA, are none that our kernels for WebGPU can be put among.
    for features in ["cuda,vulkan", "webgpu"] {
        let mut command = native::cargo(places);
        command
            // Skips LLVM: kernels are compiled where there is a card.
            .env("DOCS_RS", "1")
            .env("CARGO_TARGET_DIR", places.target.join("cards"))
            .args([
                "check",
                "--release",
                "--package",
                "dinomed3d-cli",
                "--features",
                features,
            ]);
        run(
            "checking the types of the program for graphics cards",
            &mut command,
            "the compiler's messages are above",
        )?;
    }
    Ok(())
}
