//! `cargo bench -p dinomed3d-cli --bench segment`: how long a model takes for a scan.

#[path = "../src/device.rs"]
#[allow(unused_imports, reason = "its tests run with the program's")]
mod device;

use clap::Parser;
use dinomed3d_core::infer::check::CheckReach;
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_volume::Scan;
use dinomed3d_volume::phantom::{SAMPLE_SEED, SHAPE_XYZ, draw};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Parser)]
struct Args {
    /// The scan, of several channels in one file [default: the made-up sample].
    scan: Option<PathBuf>,
    /// Folder of the model.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "../../public/models/hippocampus"
    )]
    model: PathBuf,
    /// cpu, or what else it was built with.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Timed runs, after one that is not timed.
    #[arg(long, default_value_t = 7)]
    runs: usize,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let [x, y, z] = SHAPE_XYZ;
    let (name, bytes) = match &args.scan {
        Some(path) => (path.display().to_string(), std::fs::read(path).unwrap()),
        None => (
            format!("sample, {x} × {y} × {z} voxels"),
            draw(SAMPLE_SEED).files().scan,
        ),
    };
    let channels = Scan::open(&bytes, None)
        .and_then(|image| image.volumes())
        .unwrap();
    let begun = Instant::now();
    let device = device::device(&args.device).unwrap();
    let segmenter = ModelFolder::open(&args.model).load(&device).unwrap();
    let errors = pollster::block_on(segmenter.self_check(CheckReach::Parts)).unwrap();
    assert!(
        errors.are_tolerable(),
        "not the model's known answer: {errors}"
    );
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    let once = || {
        let begun = Instant::now();
        let going_on = async |_| ControlFlow::Continue(());
        pollster::block_on(segmenter.segment(&channels, going_on)).unwrap();
        begun.elapsed().as_secs_f64() * 1e3
    };
    once();
    let mut times: Vec<f64> = (0..args.runs.max(1)).map(|_| once()).collect();
    times.sort_by(f64::total_cmp);
    println!(
        "native {}: {name}: median {:.0} ms, {:.0} to {:.0} over {} runs; model loaded and checked in {load_ms:.0} ms; {}",
        args.device,
        times[times.len() / 2],
        times[0],
        times[times.len() - 1],
        times.len(),
        peak_memory()
    );
}

/// What the process needed at most, as far as the system tells.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or_else(String::new, |peak| {
        format!("at most {} of memory", peak.trim())
    })
}
