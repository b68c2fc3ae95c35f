//! How large the site's programs may be.

use crate::files;
use crate::places::Places;
use anyhow::{Result, bail};
use std::fs;

/// Gzipped bytes of the page's script and program, without NiiVue.
const PAGE_CEILING: u64 = 680_000;
/// Gzipped bytes of the worker's program.
const WORKER_CEILING: u64 = 4_450_000;

/// Compares with the sizes of the gzipped copies that the build laid beside the files.
///
/// # Errors
/// When there is no site, or a program is too large.
pub fn check(places: &Places) -> Result<()> {
    let paths = files::below(&places.dist())?;
    let gzipped = |belongs: &dyn Fn(&str) -> bool| -> Result<u64> {
        let mut bytes = 0;
        for path in paths.iter().filter(|path| belongs(&files::name(path))) {
            let copy = files::with_suffix(path, ".gz");
            let copy = if copy.is_file() { copy } else { path.clone() };
            bytes += fs::metadata(copy)?.len();
        }
        Ok(bytes)
    };
    let is_of_page = |name: &str| {
        let is_program = name.ends_with(".js") || name.ends_with(".wasm");
        is_program && !name.starts_with("worker") && name != "niivue.js"
    };
    let is_of_worker = |name: &str| name.starts_with("worker") && name.ends_with(".wasm");
    let mut is_too_large = false;
    for (what, bytes, ceiling) in [
        ("page", gzipped(&is_of_page)?, PAGE_CEILING),
        ("worker", gzipped(&is_of_worker)?, WORKER_CEILING),
    ] {
        println!("{what}: {bytes} bytes gzipped, {ceiling} allowed");
        if bytes == 0 {
            bail!("dist holds no program of the {what}; build the site first: cargo xtask build");
        }
        is_too_large |= bytes > ceiling;
    }
    if is_too_large {
        bail!("a program is larger than its ceiling");
    }
    Ok(())
}
