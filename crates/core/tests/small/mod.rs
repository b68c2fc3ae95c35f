//! A small network of random weights, and a manifest of it.

use burn::tensor::Device;
use dinomed3d_core::infer::check::known_answer;
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::decoder::DecoderConfig;
use dinomed3d_core::model::detail::DetailConfig;
use dinomed3d_core::model::light_decoder::LightDecoderConfig;
use dinomed3d_core::model::vit::VitConfig;
use dinomed3d_core::model::{DinoMed3d, DinoMed3dConfig};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{NamedTensors, encode, hex, named_tensors};
use sha2::{Digest, Sha256};
use std::sync::Mutex;

pub const WINDOW: [usize; 3] = [4, 16, 16];

pub fn architecture() -> DinoMed3dConfig {
    let vit = VitConfig::new(16, 4, 2, 32)
        .with_patch_size(8)
        .with_layer_scale(0.5);
    let decoder = LightDecoderConfig::new()
        .with_tap_channels(8)
        .with_patch_channels(8)
        .with_quarter_channels(8)
        .with_half_channels(8);
    DinoMed3dConfig::new(
        3,
        vit,
        Adaptation::None,
        DetailConfig::new().with_base_channels(8),
        DecoderConfig::Light(decoder),
    )
}

/// The same for the same settings and seed.
pub fn random_network(architecture: &DinoMed3dConfig, seed: u64) -> DinoMed3d {
    // Random numbers are one stream for all threads, and a network that is loaded draws from it too: each is drawn once.
    static DRAWN: Mutex<Vec<(String, DinoMed3d)>> = Mutex::new(Vec::new());
    let asked = format!("{seed} {}", serde_json::to_string(architecture).unwrap());
    let mut drawn = DRAWN.lock().unwrap_or_else(|e| e.into_inner());
    if let Some((_, network)) = drawn.iter().find(|(settings, _)| *settings == asked) {
        return network.clone();
    }
    let device = Device::flex();
    device.seed(seed);
    let network = architecture.init(&device);
    // Weights are drawn when they are first asked for.
    named_tensors(&network);
    drawn.push((asked, network.clone()));
    network
}

/// A model of random weights, changed by `change`.
pub fn model(change: impl Fn(&mut NamedTensors)) -> (ModelManifest, Vec<u8>) {
    let device = Device::flex();
    let network = random_network(&architecture(), 11);
    let check = pollster::block_on(known_answer(&network, WINDOW, &device)).unwrap();
    let mut tensors = named_tensors(&network);
    change(&mut tensors);
    let weights = encode(&tensors, Quantization::None).unwrap();
    let sha256 = hex(&Sha256::digest(&weights));
    let label = |value: u8| serde_json::json!({"value": value, "name": format!("label {value}"), "color": [value, 0, 0]});
    let manifest = serde_json::json!({
        "format": 2, "name": "test", "title": "Test", "description": "", "version": "0", "modality": "made-up MR",
        "labels": [label(0), label(3), label(200)],
        "preprocessing": {
            "orientation": "RAS",
            "intensity": {"kind": "percentile-z-score", "lowPercent": 0.0, "highPercent": 100.0}
        },
        "window": WINDOW, "overlap": 0.5, "extentMm": null,
        "architecture": architecture(),
        "weights": {"file": "w", "bytes": weights.len(), "sha256": sha256, "quantization": "none"},
        "check": check,
        "training": {
            "data": "", "dataLicence": "", "licence": "", "attribution": "", "initialization": "random",
            "numTraining": 0, "numValidation": 0, "steps": [0, 0], "seed": 11
        },
        "scores": null
    });
    let manifest = ModelManifest::from_json(manifest.to_string().as_bytes()).unwrap();
    (manifest, weights)
}
