//! The wasm32 standard library that Debian's compiler comes without.

use crate::command::{output_of, path_starting_with, program, run_quietly};
use crate::places::Places;
use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The browser's target.
pub const WASM_TARGET: &str = "wasm32-unknown-unknown";

/// Variables that would bring other compiler flags or another compiler than the checkout's settings say; each would have every
/// dependency compiled once more.
pub const OVERRIDES: [&str; 6] = [
    "RUSTFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS",
    "RUSTC",
    "RUSTDOC",
];

/// Builds the standard library with the compiler's own sources and returns the directory that holds it.
///
/// The result is kept in the cache: a machine that has the cache but lost the compiler's copy gets the very same files
/// again, so that everything compiled against them stays valid.
///
/// # Errors
/// When it does not build.
pub fn build(rustc: &Path, places: &Places) -> Result<PathBuf> {
    let version = output_of(program(rustc, &places.root).arg("--version"))
        .context("Debian's rustc does not run")?;
    let name: String = version
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect();
    let library = places.tools.join("wasm32-library").join(name);
    if library.is_dir() {
        return Ok(library);
    }

    let workshop = places.tools.join("wasm32-library/workshop");
    fs::create_dir_all(workshop.join("src"))?;
    fs::write(
        workshop.join("Cargo.toml"),
        "[package]\nname = \"only_dependencies\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    fs::write(workshop.join("src/lib.rs"), "")?;
    let bin = rustc.parent().context("a file in a folder")?;
    let mut cargo = program(bin.join("cargo"), &workshop);
    cargo.args([
        "build",
        "--release",
        "-Zbuild-std=std,panic_abort",
        "--target",
        WASM_TARGET,
    ]);
    for name in OVERRIDES {
        cargo.env_remove(name);
    }
    cargo
        .env("PATH", path_starting_with(&[bin.to_owned()])?)
        .env("CARGO_TARGET_DIR", workshop.join("target"))
        .env("RUSTC_BOOTSTRAP", "1")
        // Without bitcode in it, a later build with link-time optimisation fails.
        .env("RUSTFLAGS", "-Cembed-bitcode=yes")
        .env_remove("LD_LIBRARY_PATH")
        .env_remove("RUSTUP_TOOLCHAIN");
    run_quietly(
        "building the wasm32 standard library",
        &mut cargo,
        "its sources come from Debian's rust-web-src, their dependencies from crates.io",
    )?;

    let built = workshop
        .join("target")
        .join(WASM_TARGET)
        .join("release/deps");
    let unfinished = library.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished)?;
    for entry in fs::read_dir(&built).with_context(|| format!("reading {}", built.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(OsStr::to_str) else {
            continue;
        };
        if name.ends_with(".rlib") && !name.starts_with("libonly_dependencies") {
            fs::copy(&path, unfinished.join(name))?;
        }
    }
    fs::rename(&unfinished, &library)?;
    let _ = fs::remove_dir_all(&workshop);
    Ok(library)
}

/// Copies it to where the compiler looks for it.
///
/// # Errors
/// When that directory can't be written.
pub fn place(from: &Path, to: &Path) -> Result<()> {
    let place = || -> std::io::Result<()> {
        fs::create_dir_all(to)?;
        // The one by which its presence is told goes last.
        let mut files: Vec<PathBuf> = fs::read_dir(from)?
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<_>>()?;
        files.sort_by_key(|path| path.to_string_lossy().contains("libstd-"));
        for path in files {
            fs::copy(&path, to.join(path.file_name().unwrap_or_default()))?;
        }
        Ok(())
    };
    place().with_context(|| {
        format!(
            "copying the standard library; by hand, as root: cp {}/*.rlib {}/",
            from.display(),
            to.display()
        )
    })
}
