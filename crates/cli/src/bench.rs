//! `dinomed3d bench`: how long a model takes for a scan.

use crate::places::default_model;
use crate::{sample, segment};
use anyhow::Context;
use dinomed3d_volume::NiftiImage;
use dinomed3d_volume::phantom::{SHAPE_XYZ, draw};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan, of several channels in one file [default: the made-up sample].
    scan: Option<PathBuf>,
    /// Folder of the model [default: as for segment].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
    /// cpu, or vulkan or cuda where the program was built with them.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Timed runs, after one that is not timed.
    #[arg(long, default_value_t = 7)]
    runs: usize,
}

/// Measures and prints.
///
/// # Errors
/// A scan or model that cannot be read or used.
pub fn run(args: Args) -> anyhow::Result<()> {
    let (name, bytes) = match &args.scan {
        Some(path) => (
            path.display().to_string(),
            std::fs::read(path).with_context(|| format!("reading {}", path.display()))?,
        ),
        None => {
            let [x, y, z] = SHAPE_XYZ;
            (
                format!("sample, {x} × {y} × {z} voxels"),
                draw(sample::SEED).files().scan,
            )
        }
    };
    let channels = NiftiImage::parse(&bytes)
        .and_then(|image| image.volumes())
        .with_context(|| format!("in {name}"))?;
    let begun = Instant::now();
    let model = args.model.map_or_else(default_model, Ok)?;
    let segmenter = segment::load_model(&model, &args.device)?;
    let load_ms = begun.elapsed().as_secs_f64() * 1e3;
    let once = || -> anyhow::Result<f64> {
        let begun = Instant::now();
        pollster::block_on(segmenter.segment(&channels, async |_| ControlFlow::Continue(())))?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    };
    once()?;
    let mut times = (0..args.runs.max(1))
        .map(|_| once())
        .collect::<anyhow::Result<Vec<f64>>>()?;
    times.sort_by(f64::total_cmp);
    println!(
        "native {}: {name}: median {:.0} ms, {:.0} to {:.0} over {} runs; model loaded and checked in {load_ms:.0} ms",
        args.device,
        times[times.len() / 2],
        times[0],
        times[times.len() - 1],
        times.len()
    );
    Ok(())
}
