//! Node.js with the packages that package-lock.json names.

use super::debian;
use crate::command::{on_path, output_of, program, run_quietly};
use crate::content;
use crate::places::Places;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

/// Installs the packages of package-lock.json into node_modules, if they are not those that lie there.
///
/// # Errors
/// When Node.js or a package can't be installed.
pub fn install_packages(places: &Places) -> Result<()> {
    let node = output_of(program("node", &places.root).arg("--version"));
    if node.is_none() || on_path(&["npm"]).is_none() {
        debian::install(&["nodejs", "npm"]).context("Node.js 20 or newer with npm is missing")?;
    }
    let wanted = content::of_file(&places.root.join("package-lock.json"))?;
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
///
/// # Errors
/// When it can't be installed.
pub fn wasm_opt(places: &Places) -> Result<PathBuf> {
    install_packages(places)?;
    let path = places.root.join("node_modules/.bin/wasm-opt");
    if path.is_file() {
        Ok(path)
    } else {
        bail!("{} is missing; by hand: npm ci", path.display())
    }
}
