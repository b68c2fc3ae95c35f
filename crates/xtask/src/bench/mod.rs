//! Measuring: one case through the native program's code and through the browser; a window beside other programs.

mod against;
mod kernels;
mod profile;
mod side;

pub use against::{How, export_models};

use crate::browser;
use crate::command::run;
use crate::large_head;
use crate::native;
use crate::places::Places;
use crate::site;
use anyhow::Result;

/// Builds what is measured, then measures it as was asked for.
///
/// # Errors
/// When something does not build, or a measurement fails.
pub fn measure(places: &Places, how: &How) -> Result<()> {
    if how.is_against() {
        against::measure(places, how)
    } else {
        run_all(places)
    }
}

/// Natively and in Chromium.
fn run_all(places: &Places) -> Result<()> {
    site::build(places)?;
    println!("machine: {}", machine());
    let head = large_head::make(places)?;
    let models = places.root.join("public/models");
    for (model, scan) in [("hippocampus", None), ("head", Some(&head))] {
        let mut native = native::cargo(places);
        native
            .arg("bench")
            .args(native::PACKAGES)
            .args(["--bench", "segment", "--", "--model"])
            .arg(models.join(model))
            .args(scan);
        run("native", &mut native, "the messages are above")?;
    }
    browser::run(places, "tests/browser/start.mjs")?;
    browser::run(places, "tests/browser/bench.mjs")
}

/// Processor and number of cores, as far as the system tells.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let model = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    format!(
        "{}, {cores} cores",
        model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
    )
}
