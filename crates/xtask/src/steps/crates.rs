//! What cargo checks: lints, tests, documentation.

use crate::command::run;
use crate::native;
use crate::places::Places;
use crate::tools::toolchain::WasmToolchain;
use crate::tools::wasm_library::WASM_TARGET;
use crate::tools::{chromium, mesa};
use anyhow::Result;
use std::ffi::OsStr;

const LINTS: &str = "the lints are above";
const FAILURES: &str = "the failures are above";

/// Lints of all that runs on this computer.
///
/// # Errors
/// When there is one.
pub fn lint(places: &Places) -> Result<()> {
    let targets = ["--all-targets", "--", "-D", "warnings"];
    let product = [&["clippy", "--release"][..], &native::PACKAGES, &targets].concat();
    cargo(places, "clippy of the product", &product, LINTS)?;
    let others = ["clippy", "--release", "-p", "xtask", "-p", "dinomed3d-web"];
    let others = [&others[..], &targets].concat();
    cargo(places, "clippy of xtask", &others, LINTS)
}

/// Lints of the browser's programs.
///
/// # Errors
/// When there is one, or no compiler for them.
pub fn lint_wasm(places: &Places) -> Result<()> {
    let mut cargo = WasmToolchain::prepare(places)?.cargo(places)?;
    cargo.args(["clippy", "--profile", "wasm", "--target", WASM_TARGET]);
    cargo.args(["-p", "dinomed3d-web", "--features", "worker"]);
    cargo.args(["--", "-D", "warnings"]);
    run("clippy for wasm32", &mut cargo, LINTS)
}

/// The crates' own tests.
///
/// # Errors
/// When one fails.
pub fn test(places: &Places) -> Result<()> {
    let product = [&["test", "--release"][..], &native::PACKAGES].concat();
    cargo(places, "tests of the product", &product, FAILURES)?;
    let others = ["test", "--release", "-p", "xtask", "-p", "dinomed3d-web"];
    cargo(places, "tests of xtask and the page", &others, FAILURES)
}

/// The kernels for graphics processors, on the driver in software that Chromium brings, and on Mesa's, which has numbers of
/// 16 bits, where it can be had.
///
/// # Errors
/// When one computes something else than it should.
pub fn test_graphics(places: &Places) -> Result<()> {
    let Some([driver, loader]) = chromium::software_driver()? else {
        println!("skipped: Chromium has no Vulkan driver here");
        return Ok(());
    };
    let kernels = [
        "--release",
        "-p",
        "dinomed3d-kernels",
        "--features",
        "adapter",
    ];
    let kernels = [&kernels[..], &["--test", "graphics"]].concat();
    let lint = [&["clippy"], &kernels[..], &["--", "-D", "warnings"]].concat();
    cargo(places, "clippy of their tests", &lint, LINTS)?;
    for driver in [Some(driver), mesa::installed()].into_iter().flatten() {
        let mut cargo = native::cargo(places);
        cargo
            .arg("test")
            .args(&kernels)
            .env("VK_ICD_FILENAMES", &driver)
            .env("LD_LIBRARY_PATH", &loader);
        let what = format!("the same kernels by {}", driver.display());
        run(&what, &mut cargo, FAILURES)?;
    }
    Ok(())
}

/// Warnings of the documentation.
///
/// # Errors
/// When there is one.
pub fn document(places: &Places) -> Result<()> {
    let mut cargo = native::cargo(places);
    cargo
        .args(["doc", "--release", "--no-deps"])
        .args(native::PACKAGES)
        .env("RUSTDOCFLAGS", "-D warnings");
    run("cargo doc", &mut cargo, "the warnings are above")
}

fn cargo(places: &Places, what: &str, arguments: &[impl AsRef<OsStr>], hint: &str) -> Result<()> {
    run(what, native::cargo(places).args(arguments), hint)
}
