//! `cargo bench -p dinomed3d-cli --bench large`: a model of the paper's stage 2 on ViT-B with random weights: its weights file in 32, 8 and 4
//! bits, and what loading it takes, with weights held as they are stored and widened.
//!
//! `-- make DIR BITS` leaves such a model in a folder; `-- load DIR widened|quantized` loads one.

#[path = "shared/memory.rs"]
mod memory;

use burn::tensor::{Device, Distribution, Tensor};
use dinomed3d_core::infer::check::known_answer;
use dinomed3d_core::manifest::WeightsFile;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::presets::Preset;
use dinomed3d_core::model_folder::{ModelFolder, WEIGHTS_FILE};
use dinomed3d_core::results::converted::{Named, manifest};
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{
    Hold, WeightsReader, checksum, encode_to_file, load_from, named_tensors,
};
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["make", folder, bits] => make(Path::new(folder), bits),
        ["load", folder, hold] => load(Path::new(folder), hold),
        _ => all(),
    }
}

/// Each in a process of its own, as what a process once had it keeps.
fn all() {
    let folder = std::env::temp_dir().join(format!("dinomed3d-large-{}", std::process::id()));
    let call = |words: &[&str]| {
        let program = std::env::current_exe().unwrap();
        let status = Command::new(program).args(words).status().unwrap();
        assert!(status.success(), "{words:?}");
    };
    for bits in ["32", "8", "4"] {
        let path = folder.join(bits);
        let path = path.to_str().unwrap();
        call(&["make", path, bits]);
        call(&["load", path, "widened"]);
        if bits != "32" {
            call(&["load", path, "quantized"]);
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

fn make(folder: &Path, bits: &str) {
    let device = Device::flex();
    let mut config = Preset::PaperB.config(3);
    // As `convert` leaves it: LoRA merged.
    config.adaptation = Adaptation::None;
    let made = ModelFolder::create(folder).unwrap();
    let path = made.file(WEIGHTS_FILE);
    let quantization = match bits {
        "8" => Quantization::Q8Block64,
        "4" => Quantization::Q4Block32,
        _ => Quantization::None,
    };
    let begun = Instant::now();
    let tensors = {
        device.seed(1);
        named_tensors(&config.init(&device))
    };
    let values: usize = tensors.values().map(|tensor| tensor.values.len()).sum();
    encode_to_file(&tensors, quantization, &path).unwrap();
    drop(tensors);
    let seconds = begun.elapsed().as_secs_f64();
    let file = File::open(&path).unwrap();
    let reader = WeightsReader::open(&file).unwrap();
    let network = load_from(config.init(&device), &reader, Hold::Widened).unwrap();
    let weights = WeightsFile {
        file: WEIGHTS_FILE.into(),
        bytes: file.metadata().unwrap().len(),
        sha256: checksum(&file).unwrap(),
        quantization,
        chunks: None,
    };
    println!(
        "paper-b, {values} values in {bits} bits: {:.1} MB, made in {seconds:.1} s",
        weights.bytes as f64 / 1e6
    );
    let named = Named {
        from: Path::new("random weights"),
        folder,
        labels: &[],
    };
    let manifest = manifest(named, None, config, weights, |window| {
        pollster::block_on(known_answer(&network, window, &device))
    });
    made.write_manifest(&manifest.unwrap()).unwrap();
}

fn load(folder: &Path, hold: &str) {
    let device = Device::flex();
    let made = ModelFolder::open(folder);
    let manifest = made.manifest().unwrap();
    let file = File::open(made.file(WEIGHTS_FILE)).unwrap();
    let held = match hold {
        "quantized" => Hold::Quantized,
        _ => Hold::Widened,
    };
    let begun = Instant::now();
    let segmenter = Segmenter::load_and_hold(manifest, &file, &device, held).unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    let peak = memory::peak_bytes("self").unwrap_or(0);
    let errors =
        pollster::block_on(segmenter.self_check(dinomed3d_core::infer::check::CheckReach::Parts))
            .unwrap();
    assert!(errors.are_tolerable(), "off by {errors}");
    let (manifest, network) = segmenter.into_parts();
    let input = Tensor::<5>::random([1, 1, 4, 224, 224], Distribution::Normal(0.0, 1.0), &device);
    let blocks = || {
        let mut pass = network.start(input.clone());
        let begun = Instant::now();
        for _ in 0..manifest.architecture.vit.depth {
            pass.step();
        }
        pass.witness().into_data();
        begun.elapsed().as_secs_f64()
    };
    let mut times = [blocks(), blocks(), blocks()];
    times.sort_by(f64::total_cmp);
    println!(
        "  {hold}: loaded in {seconds:.1} s, peak {:.0} MB; known answer off by {errors}; twelve blocks on four slices {:.2} s (median of 3)",
        peak as f64 / 1e6,
        times[1]
    );
}
