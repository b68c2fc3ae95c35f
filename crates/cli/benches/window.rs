//! `cargo bench -p dinomed3d-cli --bench window`: our side of `cargo xtask bench --against`, as tests/onnx/side.py says: one
//! window, or one product of matrices, for each line that comes.

#[path = "../src/allocator.rs"]
mod allocator;
#[path = "../src/device.rs"]
#[allow(unused_imports, reason = "its tests run with the program's")]
mod device;
#[path = "shared/profile.rs"]
mod profile;

use burn::tensor::{Distribution, Tensor};
use clap::Parser;
use dinomed3d_core::infer::Computer;
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_core::segmenter::Segmenter;
use std::io::BufRead;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// Of a matrix whose product shows what a processor can do at best.
const EDGE: usize = 1024;

#[derive(Parser)]
struct Args {
    /// Folder of the model.
    #[arg(long, value_name = "DIR")]
    model: PathBuf,
    /// A window's values, `[channel, slice, row, column]`.
    #[arg(long, value_name = "FILE")]
    window: PathBuf,
    /// Where its logits are written.
    #[arg(long, value_name = "FILE")]
    logits: PathBuf,
    /// Where the time of each part is written; how many threads compute says RAYON_NUM_THREADS.
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
    /// cpu, or what else it was built with.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    allocator::keep_memory();
    let args = Args::parse();
    let device = device::device(&args.device).unwrap();
    let segmenter = ModelFolder::open(&args.model).load(&device).unwrap();
    let values = floats(&std::fs::read(&args.window).unwrap());
    let logits = window(&segmenter, &values);
    let bytes: Vec<u8> = logits.iter().flat_map(|x| x.to_le_bytes()).collect();
    std::fs::write(&args.logits, bytes).unwrap();
    let square = || Tensor::<2>::random([EDGE, EDGE], Distribution::Default, &device);
    let factors = [square(), square()];
    product(&factors);
    if let Some(path) = &args.profile {
        let parts = profile::of(5, || drop(window(&segmenter, &values)));
        std::fs::write(path, serde_json::to_vec(&parts).unwrap()).unwrap();
    }
    println!("{}", serde_json::json!({ "about": "ours" }));
    for line in std::io::stdin().lock().lines() {
        let begun = Instant::now();
        let value = match line.unwrap().trim() {
            "window" => {
                window(&segmenter, &values);
                begun.elapsed().as_secs_f64() * 1e3
            }
            "product" => {
                product(&factors);
                2e-9 * (EDGE as f64).powi(3) / begun.elapsed().as_secs_f64()
            }
            other => panic!("found {other:?}, expected window or product"),
        };
        println!("{}", serde_json::json!({ "value": value }));
    }
}

fn window(segmenter: &Segmenter, values: &[f32]) -> Vec<f32> {
    let going_on = async |_| ControlFlow::Continue(());
    pollster::block_on(segmenter.computer().logits(values.to_vec(), going_on)).unwrap()
}

fn product([a, b]: &[Tensor<2>; 2]) {
    a.clone().matmul(b.clone()).into_data();
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (values, rest) = bytes.as_chunks::<4>();
    assert!(
        rest.is_empty(),
        "found {} bytes, expected floats",
        bytes.len()
    );
    values.iter().map(|x| f32::from_le_bytes(*x)).collect()
}
