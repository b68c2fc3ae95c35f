//! The compiler for the browser: rustup's, or, where rustup's servers can't be reached, Debian's with a wasm32 standard library
//! built from its sources. Everybody else asks [`WasmToolchain::prepare`] and [`WasmToolchain::cargo`] and knows nothing of it.

use super::debian;
use super::wasm_library::{self, OVERRIDES, WASM_TARGET};
use crate::command::{on_path, output_of, path_starting_with, program, succeeds_within};
use crate::places::Places;
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Rustup's servers answer within seconds or not at all; the download itself is 20 MB.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// Where Debian's packages put cargo and rustc.
const DEBIAN_BIN: &str = "/usr/bin";

/// Debian's current Rust: compiler, cargo, clippy and the standard library's sources.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-clippy", "rust-web-src"];

/// A compiler that can build for the browser.
pub struct WasmToolchain {
    /// What `rustc --version` says.
    pub version: String,
    debian: Option<Debian>,
}

/// What makes cargo use Debian's compiler.
struct Debian {
    linker: PathBuf,
}

impl WasmToolchain {
    /// Finds a compiler with a wasm32 standard library, or installs one.
    ///
    /// # Errors
    /// When neither way is open, with what to do by hand.
    pub fn prepare(places: &Places) -> Result<Self> {
        if let Some(version) = has_wasm_library("rustc", &places.root) {
            return Ok(Self {
                version,
                debian: None,
            });
        }
        let debian_rustc = Path::new(DEBIAN_BIN).join("rustc");
        if let Some(version) = has_wasm_library(&debian_rustc, &places.root) {
            return Ok(Self {
                version,
                debian: Some(Debian {
                    linker: linker(&places.root)?,
                }),
            });
        }

        println!(
            "· wasm32 standard library: asking rustup for it (at most {} s)",
            RUSTUP_LIMIT.as_secs()
        );
        if succeeds_within(
            program("rustup", &places.root).args(["target", "add", WASM_TARGET]),
            RUSTUP_LIMIT,
        ) && let Some(version) = has_wasm_library("rustc", &places.root)
        {
            return Ok(Self {
                version,
                debian: None,
            });
        }

        println!(
            "· wasm32 standard library: not from rustup; taking Debian's compiler and building it from its sources"
        );
        install_debian_compiler().with_context(|| {
            format!("no {WASM_TARGET} standard library; by hand: `rustup target add {WASM_TARGET}` where its servers can be reached")
        })?;
        let library = wasm_library::build(&debian_rustc, places)?;
        let directory = library_directory(&sysroot(&debian_rustc, &places.root)?);
        wasm_library::place(&library, &directory)?;
        let version = has_wasm_library(&debian_rustc, &places.root)
            .context("the standard library was built and copied, but the compiler's directory does not hold it")?;
        Ok(Self {
            version,
            debian: Some(Debian {
                linker: linker(&places.root)?,
            }),
        })
    }

    /// A cargo that builds for the browser, in the checkout, into the shared target directory.
    pub fn cargo(&self, places: &Places) -> Result<Command> {
        self.command("cargo", places)
    }

    /// A program that calls cargo by itself, such as Trunk; it finds xtask's tools first.
    pub fn command(&self, name: impl AsRef<OsStr>, places: &Places) -> Result<Command> {
        let mut path = vec![places.tools.join("bin")];
        if self.debian.is_some() {
            path.push(DEBIAN_BIN.into());
        }
        // `Command` looks for a bare name on the caller's PATH, not on the one it hands over.
        let name = name.as_ref();
        let name = match &self.debian {
            Some(_) if name == "cargo" => Path::new(DEBIAN_BIN).join("cargo").into_os_string(),
            _ => name.to_owned(),
        };
        let mut command = program(name, &places.root);
        command
            .env("PATH", path_starting_with(&path)?)
            .env("CARGO_TARGET_DIR", &places.target);
        for name in OVERRIDES {
            command.env_remove(name);
        }
        if let Some(debian) = &self.debian {
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", &debian.linker);
            // `cargo run` of a rustup toolchain points these at that toolchain.
            command
                .env_remove("LD_LIBRARY_PATH")
                .env_remove("RUSTUP_TOOLCHAIN");
        }
        Ok(command)
    }
}

/// A compiler's version if its wasm32 standard library lies where it looks for it.
fn has_wasm_library(rustc: impl AsRef<OsStr>, root: &Path) -> Option<String> {
    let rustc = rustc.as_ref();
    let library = library_directory(&sysroot(rustc, root).ok()?);
    let is_there = fs::read_dir(library)
        .ok()?
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"));
    if is_there {
        output_of(program(rustc, root).arg("--version"))
    } else {
        None
    }
}

fn sysroot(rustc: impl AsRef<OsStr>, root: &Path) -> Result<PathBuf> {
    let rustc = rustc.as_ref();
    output_of(program(rustc, root).args(["--print", "sysroot"]))
        .map(PathBuf::from)
        .with_context(|| format!("{} --print sysroot fails", rustc.display()))
}

fn library_directory(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(WASM_TARGET).join("lib")
}

fn install_debian_compiler() -> Result<()> {
    let bin = Path::new(DEBIAN_BIN);
    let is_there = ["rustc", "cargo", "cargo-clippy"]
        .iter()
        .all(|name| bin.join(name).is_file());
    if is_there && debian_sources().is_some() {
        return Ok(());
    }
    debian::install(&DEBIAN_PACKAGES)
}

/// The standard library's sources, where cargo's `build-std` looks for them.
fn debian_sources() -> Option<PathBuf> {
    let sources = PathBuf::from("/usr/lib/rustlib/src/rust/library/std/Cargo.toml");
    sources.is_file().then_some(sources)
}

/// Debian's compiler comes without a linker for wasm32: rustup's toolchain has one, and so has Debian's lld.
fn linker(root: &Path) -> Result<PathBuf> {
    let of_rustup = || {
        let version = output_of(program("rustc", root).arg("-vV"))?;
        let host = version
            .lines()
            .find_map(|line| line.strip_prefix("host: "))?
            .to_owned();
        let linker = sysroot("rustc", root)
            .ok()?
            .join("lib/rustlib")
            .join(host)
            .join("bin/rust-lld");
        linker.is_file().then_some(linker)
    };
    let of_debian = || on_path(&["wasm-ld-19", "wasm-ld"]);
    if let Some(linker) = of_rustup().or_else(of_debian) {
        return Ok(linker);
    }
    debian::install(&["lld-19"])?;
    match of_debian() {
        Some(linker) => Ok(linker),
        None => bail!("no linker for {WASM_TARGET}; install LLVM's wasm-ld"),
    }
}
