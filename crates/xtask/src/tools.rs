//! Finding and installing the programs that building and testing need.

use crate::command::{on_path, output_of, program, run, run_quietly};
use crate::debian;
use crate::places::Places;
use crate::toolchain::WasmToolchain;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The bundler. Newer ones want a newer compiler than rustup's stable of this project.
const TRUNK_VERSION: &str = "0.21.14";

/// Installs everything that any command uses.
///
/// # Errors
/// At the first tool that is missing and can't be installed, with what to do by hand.
pub fn set_up_everything(places: &Places) -> Result<()> {
    let toolchain = WasmToolchain::prepare(places)?;
    println!("  compiler for the browser: {}", toolchain.version);
    println!("  wasm-bindgen: {}", wasm_bindgen(places)?.display());
    println!("  trunk: {}", trunk(places)?.display());
    npm_packages(places)?;
    println!("  wasm-opt: {}", wasm_opt(places)?.display());
    println!("  Chromium: {}", chromium()?.display());
    Ok(())
}

/// wasm-bindgen's program of exactly the version that Cargo.lock names for its library.
pub fn wasm_bindgen(places: &Places) -> Result<PathBuf> {
    let version = locked_version(&places.root, "wasm-bindgen")?;
    // Not `--locked`: its own lock file names a version that not every mirror has.
    cargo_program(places, "wasm-bindgen", "wasm-bindgen-cli", &version, &[])
}

/// The bundler.
pub fn trunk(places: &Places) -> Result<PathBuf> {
    // `--locked`: with newer dependencies this version does not compile.
    cargo_program(places, "trunk", "trunk", TRUNK_VERSION, &["--locked"])
}

/// Finds a program of one exact version on PATH or among xtask's tools, or installs it there from crates.io.
fn cargo_program(
    places: &Places,
    name: &str,
    package: &str,
    version: &str,
    flags: &[&str],
) -> Result<PathBuf> {
    let own = places
        .tools
        .join("bin")
        .join(format!("{name}{}", env::consts::EXE_SUFFIX));
    let has_version = |path: &Path| {
        let wanted = format!("{name} {version}");
        output_of(program(path, &places.root).arg("--version"))
            .is_some_and(|said| said == wanted || said.starts_with(&format!("{wanted} ")))
    };
    if let Some(path) = [Some(own.clone()), on_path(&[name])]
        .into_iter()
        .flatten()
        .find(|path| has_version(path))
    {
        return Ok(path);
    }
    fs::create_dir_all(&places.tools)?;
    let mut install = program("cargo", &places.tools);
    install
        .args(["install", package, "--version", version, "--force"])
        .args(flags)
        .arg("--root")
        .arg(&places.tools);
    install
        .env("CARGO_TARGET_DIR", places.tools.join("target"))
        .env_remove("RUSTFLAGS");
    run(
        &format!("installing {package} {version} (some minutes, once)"),
        &mut install,
        &format!(
            "by hand: cargo install {package} --version {version} {}",
            flags.join(" ")
        ),
    )?;
    // Nothing else will be built from these.
    let _ = fs::remove_dir_all(places.tools.join("target"));
    if !has_version(&own) {
        bail!(
            "{} was installed but does not call itself {name} {version}",
            own.display()
        );
    }
    Ok(own)
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

/// Installs the packages of package-lock.json into node_modules, if they are not those that lie there.
pub fn npm_packages(places: &Places) -> Result<()> {
    let node = output_of(program("node", &places.root).arg("--version"));
    if node.is_none() || on_path(&["npm"]).is_none() {
        debian::install(&["nodejs", "npm"]).context("Node.js 20 or newer with npm is missing")?;
    }
    let lock =
        fs::read(places.root.join("package-lock.json")).context("reading package-lock.json")?;
    let wanted = format!("{:x}", Sha256::digest(&lock));
    let stamp = places.root.join("node_modules/.dinomed3d-lock");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    let npm = |arguments: &[&str]| {
        let mut command = program("npm", &places.root);
        command
            .args(arguments)
            .args(["--no-audit", "--no-fund", "--loglevel=error"]);
        command
    };
    let by_hand = "by hand: npm ci";
    if let Err(error) = run_quietly("npm packages of the lock file", &mut npm(&["ci"]), by_hand) {
        println!("  {error:#}");
        println!(
            "  the registry may lack a version that the lock file names: taking what package.json allows"
        );
        let install = ["install", "--no-package-lock", "--no-save"];
        run_quietly("npm packages of package.json", &mut npm(&install), by_hand)?;
    }
    fs::write(stamp, wanted)?;
    Ok(())
}

/// Binaryen's optimiser, from npm: distributions' own are too old for today's Rust.
pub fn wasm_opt(places: &Places) -> Result<PathBuf> {
    npm_packages(places)?;
    let path = places.root.join("node_modules/.bin/wasm-opt");
    if path.is_file() {
        Ok(path)
    } else {
        bail!("{} is missing; by hand: npm ci", path.display())
    }
}

/// A Chromium for the browser tests; the variable `CHROMIUM` names another one.
pub fn chromium() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
    {
        if !path.is_file() {
            bail!("CHROMIUM names {}, which is not a file", path.display());
        }
        return Ok(path);
    }
    let find = || {
        on_path(&[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ])
    };
    if let Some(path) = find() {
        return Ok(path);
    }
    debian::install(&["chromium"])
        .context("no Chromium; install one or name it in the variable CHROMIUM")?;
    find().context("the package chromium brought no program of that name")
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
