//! What the site takes from npm as it is: NiiVue, with the licences of all that is bundled in it.

use crate::places::Places;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// NiiVue's npm package states its licence but does not carry its text.
const NIIVUE_LICENCE: &str = include_str!("niivue-licence.txt");

/// Copies NiiVue into public/vendor and writes the licences beside it.
///
/// # Errors
/// When the npm packages are not as expected.
pub fn copy(places: &Places) -> Result<()> {
    let vendor = places.root.join("public/vendor");
    fs::create_dir_all(&vendor)?;
    let source = places
        .root
        .join("node_modules/@niivue/niivue/dist/index.js");
    let script =
        fs::read_to_string(&source).with_context(|| format!("reading {}", source.display()))?;
    // Its source map is larger than the program and is not served.
    let script: String = script
        .lines()
        .filter(|line| !line.starts_with("//# sourceMappingURL="))
        .flat_map(|line| [line, "\n"])
        .collect();
    fs::write(vendor.join("niivue.js"), script)?;
    fs::write(vendor.join("niivue-licences.txt"), licences(&places.root)?)?;
    Ok(())
}

fn licences(root: &Path) -> Result<String> {
    let lock = fs::read_to_string(root.join("package-lock.json"))?;
    let lock: Value = serde_json::from_str(&lock).context("package-lock.json")?;
    let packages = lock["packages"]
        .as_object()
        .context("package-lock.json names no packages")?;
    let mut text =
        format!("niivue.js is NiiVue:\n\n{NIIVUE_LICENCE}\nIt contains the following packages.\n");
    for (path, package) in packages {
        let is_ours = path.is_empty() || path.ends_with("@niivue/niivue");
        if is_ours || package["dev"] == true || package["optional"] == true {
            continue;
        }
        let name = path.trim_start_matches("node_modules/");
        let version = package["version"].as_str().unwrap_or_default();
        let licence = package["license"].as_str().unwrap_or("see the package");
        text.push_str(&format!(
            "\n{}\n{name} {version} ({licence})\n\n",
            "-".repeat(80)
        ));
        if let Some(full) = licence_file(&root.join(path)) {
            text.push_str(&full);
        }
    }
    Ok(text)
}

fn licence_file(package: &Path) -> Option<String> {
    let file = fs::read_dir(package)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            name.starts_with("license") || name.starts_with("licence")
        })?;
    fs::read_to_string(file).ok()
}
