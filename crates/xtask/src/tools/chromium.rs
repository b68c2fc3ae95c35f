//! The browser of the tests.

use super::{debian, mesa};
use crate::command::{on_path, run_quietly};
use crate::files;
use crate::places::Places;
use anyhow::{Context, Result, bail};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Its Vulkan driver in software, as Dawn opens it (WebGPU), and how Vulkan's loader is told of it (ANGLE, WebGL).
const DRIVER: &str = "libvk_swiftshader.so";
const DESCRIPTION: &str = "vk_swiftshader_icd.json";

/// A Chromium, which is installed if there is none; the variable `CHROMIUM` names another one.
///
/// # Errors
/// When there is none and none can be installed.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = env::var_os("CHROMIUM")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
    {
        if !path.is_file() {
            bail!("CHROMIUM names {}, which is not a file", path.display());
        }
        return Ok(path);
    }
    let installed = || {
        on_path(&[
            "chromium",
            "chromium-browser",
            "google-chrome",
            "google-chrome-stable",
        ])
    };
    if let Some(path) = installed() {
        return Ok(path);
    }
    debian::install(&["chromium"])
        .context("no Chromium; install one or name it in the variable CHROMIUM")?;
    installed().context("the package chromium brought no program of that name")
}

/// Where a Chromium has its Vulkan driver in software and the loader for it, if it has them: what `VK_ICD_FILENAMES` and
/// `LD_LIBRARY_PATH` are to name.
///
/// # Errors
/// Those of [`find`].
pub fn software_driver() -> Result<Option<[PathBuf; 2]>> {
    Ok(folder()?.map(|folder| [folder.join(DESCRIPTION), folder]))
}

/// Where a Chromium lies with its libraries.
fn folder() -> Result<Option<PathBuf>> {
    let program = find()?.canonicalize()?;
    // Packages put a script on the path, and the program elsewhere.
    let packaged = [
        "/usr/lib/chromium",
        "/usr/lib/chromium-browser",
        "/opt/google/chrome",
    ];
    let mut folders = program.parent().into_iter().chain(packaged.map(Path::new));
    let is_whole = |folder: &&Path| {
        let mut names = [DRIVER, DESCRIPTION, "libvulkan.so.1"].iter();
        names.all(|name| folder.join(name).is_file())
    };
    Ok(folders.find(is_whole).map(Path::to_path_buf))
}

/// The same Chromium, whose WebGPU computes with Mesa's driver in software and so has numbers of 16 bits; none, saying why, where
/// that can't be had.
///
/// # Errors
/// Those of [`find`], and when it can't be laid out.
pub fn with_half_precision(places: &Places) -> Result<Option<PathBuf>> {
    let Some(from) = folder()? else {
        println!("half precision is not tested: Chromium's libraries were not found");
        return Ok(None);
    };
    let program = ["chromium", "chromium-browser", "chrome"]
        .into_iter()
        .find(|name| from.join(name).is_file());
    let (Some(name), Some(driver)) = (program, mesa::for_webgpu(places)) else {
        return Ok(None);
    };
    let to = places.tools.join("chromium-with-mesa");
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to)?;
    for entry in fs::read_dir(&from)? {
        let path = entry?.path();
        let here = to.join(path.file_name().context("an entry has a name")?);
        // It looks for its libraries where it lies itself, wherever a link to it is.
        if files::name(&path) != name {
            std::os::unix::fs::symlink(&path, here)?;
        } else if fs::hard_link(&path, &here).is_err() {
            fs::copy(&path, &here)?;
        }
    }
    // WebGL keeps the driver it had, under another name.
    fs::rename(to.join(DRIVER), to.join("libvk_of_webgl.so"))?;
    let description = fs::read_to_string(from.join(DESCRIPTION))?;
    fs::remove_file(to.join(DESCRIPTION))?;
    fs::write(
        to.join(DESCRIPTION),
        description.replace(DRIVER, "libvk_of_webgl.so"),
    )?;
    let source = to.join("named_swiftshader.c");
    fs::write(&source, include_str!("named_swiftshader.c"))?;
    let mut compiler = crate::command::program("cc", &to);
    compiler
        .args(["-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC"])
        .arg(format!(
            "-DDRIVER=\"{}\"",
            mesa::library(&driver)?.display()
        ))
        .args(["-o", DRIVER])
        .arg(&source)
        .arg("-ldl");
    run_quietly(
        "compiling what gives Chromium another driver",
        &mut compiler,
        "a C compiler is needed, as for Rust",
    )?;
    Ok(Some(to.join(name)))
}
