//! `cargo bench -p dinomed3d-cli --bench convert`: how long `dinomed3d convert` takes for a
//! checkpoint of the authors' stage 2 on ViT-B with LoRA, and how much memory.

#[path = "shared/memory.rs"]
mod memory;

use dinomed3d_core::model::presets::Preset;
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::import::authors;
use dinomed3d_core::weights::import::rules::Theirs;
use dinomed3d_core::weights::{NamedTensor, NamedTensors, encode_to_file, parameter_shapes};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    let folder = std::env::temp_dir().join(format!("dinomed3d-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("stage2.safetensors");
    encode_to_file(&checkpoint(), Quantization::None, &path).unwrap();
    let bytes = std::fs::metadata(&path).unwrap().len();
    let begun = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_dinomed3d"))
        .args(["convert", "--preset", "paper-b", "--from"])
        .arg(&path)
        .arg("-o")
        .arg(folder.join("model"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    let status = loop {
        peak = peak.max(memory::peak_bytes(&child.id().to_string()).unwrap_or(0));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let seconds = begun.elapsed().as_secs_f64();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(status.success(), "convert failed");
    println!(
        "convert paper-b, {:.0} MB: {seconds:.1} s, peak {:.0} MB, {:.2} times the file",
        bytes as f64 / 1e6,
        peak as f64 / 1e6,
        peak as f64 / bytes as f64
    );
}

/// A checkpoint under the authors' names, small values everywhere.
fn checkpoint() -> NamedTensors {
    let network = Preset::PaperB.config(3).init(&burn::tensor::Device::flex());
    let rules = authors::stage2("", true);
    let mut tensors = NamedTensors::new();
    for (ours, shape) in parameter_shapes(&network) {
        let (name, shape) = match rules.theirs(&ours).unwrap() {
            Theirs::Same(name) => (name, shape),
            Theirs::Matrix(name) => (name, vec![shape[1], shape[0]]),
            other => unreachable!("the authors' names are single tensors: {other:?}"),
        };
        let values = (0..shape.iter().product::<usize>())
            .map(|i| (i % 1013) as f32 * 1e-5)
            .collect();
        tensors.insert(name, NamedTensor { shape, values });
    }
    tensors
}
