//! Mesa's Vulkan driver in software, which has numbers of 16 bits, as Chromium's has not.

use super::debian;
use crate::command::{output_of, program, run_quietly};
use crate::files;
use crate::places::Places;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where packages describe Vulkan's drivers.
const INSTALLED: &str = "/usr/share/vulkan/icd.d";
const PACKAGE: &str = "mesa-vulkan-drivers";

/// What the first Mesa that WebGPU takes says of itself. Debian 12's says 1.3, and lacks what WebGPU wants of a device.
const OF_WEBGPU: [u32; 2] = [1, 4];

/// The installed driver's description, for `VK_ICD_FILENAMES`; where there is none it is installed, or that is said to fail.
pub fn installed() -> Option<PathBuf> {
    let find = || described_below(Path::new(INSTALLED), &[]);
    or_say(find().map_or_else(
        || {
            debian::install(&[PACKAGE])?;
            find().context("the package describes no driver in software")
        },
        Ok,
    ))
}

/// The description of a driver that WebGPU takes: the one installed, or a newer one that is fetched and installed nowhere; none,
/// saying why, where there is neither.
pub fn for_webgpu(places: &Places) -> Option<PathBuf> {
    let folder = places.tools.join("mesa");
    let there = [Path::new(INSTALLED), &folder]
        .into_iter()
        .find_map(|folder| described_below(folder, &OF_WEBGPU));
    or_say(there.map_or_else(|| fetch(&folder), Ok))
}

fn or_say(driver: Result<PathBuf>) -> Option<PathBuf> {
    driver
        .inspect_err(|error| {
            println!("numbers of 16 bits are not tested: no Mesa to be had here: {error:#}");
        })
        .ok()
}

/// The library that a driver's description names.
///
/// # Errors
/// When it can't be read or names none.
pub fn library(description: &Path) -> Result<PathBuf> {
    let name = described(description)
        .and_then(|said| Some(PathBuf::from(said["ICD"]["library_path"].as_str()?)))
        .with_context(|| format!("{} names no library", description.display()))?;
    // A bare name is one that the linker knows.
    Ok(match name.components().count() {
        1 => name,
        _ => description
            .parent()
            .context("a file in a folder")?
            .join(name),
    })
}

fn described(path: &Path) -> Option<Value> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The description of Mesa's driver in a folder, of such a version at least.
fn described_below(folder: &Path, needed: &[u32]) -> Option<PathBuf> {
    let is_meant = |path: &PathBuf| {
        files::name(path).starts_with("lvp_icd.")
            && described(path).is_some_and(|said| {
                let version = said["ICD"]["api_version"].as_str().unwrap_or_default();
                let parts: Vec<u32> = version.split('.').flat_map(str::parse).collect();
                parts.as_slice() >= needed
            })
    };
    let entries = fs::read_dir(folder).ok()?;
    entries.flatten().map(|entry| entry.path()).find(is_meant)
}

/// Debian's newer packages for this release, of which one is unpacked below `folder`.
fn fetch(folder: &Path) -> Result<PathBuf> {
    ensure!(debian::can_install(), "it is fetched by root with apt-get");
    // Brings the libraries that the newer one needs.
    debian::install(&[PACKAGE])?;
    let _ = fs::remove_dir_all(folder);
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part))?;
    }
    fs::write(folder.join("sources.list"), newer_packages()?)?;
    let apt_get = |words: &[&str]| {
        let mut apt_get = program("apt-get", folder);
        for (setting, part) in [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::State::lists", "lists"),
            ("Dir::Cache", "cache"),
        ] {
            apt_get
                .arg("-o")
                .arg(format!("{setting}={}", folder.join(part).display()));
        }
        apt_get.args(["-o", "Dir::Etc::sourceparts=-"]);
        apt_get.args(["-o", "APT::Sandbox::User=root"]).args(words);
        apt_get
    };
    let hint = "without it numbers of 16 bits are not tested";
    let what = "reading the list of Debian's newer packages";
    run_quietly(what, &mut apt_get(&["update"]), hint)?;
    let what = "fetching Mesa's driver in software";
    run_quietly(what, &mut apt_get(&["download", PACKAGE]), hint)?;
    let is_package = |path: &PathBuf| files::has_extension(path, &["deb"]);
    let package = files::below(folder)?.into_iter().find(is_package);
    let package = package.context("apt-get has fetched no package")?;
    let mut unpack = program("dpkg-deb", folder);
    unpack
        .arg("--extract")
        .arg(&package)
        .arg(folder.join("root"));
    run_quietly("unpacking it", &mut unpack, hint)?;

    let unpacked = files::below(&folder.join("root"))?;
    let named = |start: &str| {
        unpacked
            .iter()
            .find(|path| files::name(path).starts_with(start))
    };
    let description = named("lvp_icd.").context("the package describes no driver in software")?;
    let library = named("libvulkan_lvp.so").context("the package holds no driver in software")?;
    let mut said = described(description).context("the driver's description is no JSON")?;
    said["ICD"]["library_path"] = library.display().to_string().into();
    fs::write(folder.join("lvp_icd.json"), said.to_string())?;
    described_below(folder, &OF_WEBGPU).context("the newer package is no newer than needed")
}

/// The line of a sources.list for what this release of Debian has been given since, from where its other packages come.
fn newer_packages() -> Result<String> {
    let mut targets = Command::new("apt-get");
    targets.args(["indextargets", "--format", "$(REPO_URI) $(CODENAME)"]);
    let targets = output_of(&mut targets).context("apt-get names no sources")?;
    let release = fs::read_to_string("/etc/os-release")?;
    let release = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .context("/etc/os-release names no release")?;
    let from = targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find_map(|(from, codename)| (codename == release).then_some(from))
        .with_context(|| format!("apt-get has no source of {release}"))?;
    Ok(format!("deb {from} {release}-backports main\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_driver_that_is_new_enough_is_taken_and_its_library_found() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-mesa-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let describe = |name: &str, version: &str| {
            let said = format!(
                r#"{{"ICD":{{"api_version":"{version}","library_path":"../lib/libvulkan_lvp.so"}}}}"#
            );
            fs::write(folder.join(name), said).unwrap();
        };
        describe("lvp_icd.x86_64.json", "1.3.224");
        describe("radeon_icd.json", "1.4.305");
        assert_eq!(described_below(&folder, &OF_WEBGPU), None);
        let older = folder.join("lvp_icd.x86_64.json");
        assert_eq!(described_below(&folder, &[]), Some(older));
        describe("lvp_icd.json", "1.4.305");
        let description = described_below(&folder, &OF_WEBGPU).unwrap();
        assert_eq!(description, folder.join("lvp_icd.json"));
        let expected = folder.join("../lib/libvulkan_lvp.so");
        assert_eq!(library(&description).unwrap(), expected);
        assert!(library(&folder.join("none.json")).is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
