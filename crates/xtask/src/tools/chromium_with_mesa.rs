//! A browser of the tests that has numbers of 16 bits, made of links to the one that is there: its WebGPU computes with Mesa's
//! driver, for Chromium takes none in software but its own, which has not.

use super::chromium::{DESCRIPTION, DRIVER, folder};
use super::mesa;
use crate::command::{program, run_quietly};
use crate::files;
use crate::places::Places;
use anyhow::{Context, Result};
use std::fs;
use std::path::PathBuf;

/// Lays it out among the tools; none, saying why, where that can't be had.
///
/// # Errors
/// When there is no Chromium, or its folder can't be laid out.
pub fn lay_out(places: &Places) -> Result<Option<PathBuf>> {
    let Some(from) = folder()? else {
        println!("half precision is not tested: Chromium's libraries were not found");
        return Ok(None);
    };
    let program_name = ["chromium", "chromium-browser", "chrome"]
        .into_iter()
        .find(|name| from.join(name).is_file());
    let (Some(name), Some(driver)) = (program_name, mesa::for_webgpu(places)) else {
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
    let mut compiler = program("cc", &to);
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
