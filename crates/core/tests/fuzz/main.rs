//! Manifests and weights that are damaged in every way, as `crates/volume/tests/fuzz` damages scans: what is taken can be used.

#[path = "../../../volume/tests/fuzz/memory.rs"]
mod memory;
#[path = "../../../volume/tests/fuzz/mutation.rs"]
mod mutation;
#[path = "../../../volume/tests/fuzz/rounds.rs"]
mod rounds;
#[path = "../small/mod.rs"]
mod small;

use burn::tensor::Device;
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{NamedTensor, NamedTensors, decode, encode};
use dinomed3d_volume::{Affine, Outline};
use mutation::Mutation;
use rounds::{assert_one_line, fuzz};
use serde_json::{Value, json};

/// Of a small network, as exported and with all that a manifest may say beside.
fn manifests() -> [Value; 2] {
    let (plain, _) = small::model(|_| ());
    let plain = serde_json::to_value(plain).unwrap();
    let label = |value: u8| json!({"value": value, "name": format!("{value}"), "color": [1, 2, 3]});
    let mut full = plain.clone();
    let more = json!({
        "locate": "head", "mirrored": true, "channels": ["T1"],
        "extentMm": {"min": [3.0, 4.0, 5.0], "max": [30.0, 40.0, 50.0]},
        "postprocessing": ["largest-component", {"plane-cut": {"labels": [3, 200], "towards": "A"}}],
        "preprocessing": {
            "orientation": "LPS", "spacingMm": [2.0, 1.0, 1.5],
            "intensity": {"kind": "window", "center": 40.0, "width": 400.0, "mean": 1.0, "std": 200.0}
        },
        "partOf": {"model": "head", "name": "parts", "marginMm": 3.0, "places": [
            {"around": 17, "labels": [label(1), label(2)]},
            {"around": 53, "mirrored": true, "labels": [label(4), label(5)]}
        ]}
    });
    for (key, value) in more.as_object().unwrap() {
        full[key] = value.clone();
    }
    [plain, full]
}

/// Some value somewhere in it becomes another, of this kind or another, or is gone, or is there twice.
fn change(value: &mut Value, mutation: &mut Mutation) {
    match value {
        Value::Object(entries) if !entries.is_empty() && mutation.below(20) > 0 => {
            let keys: Vec<String> = entries.keys().cloned().collect();
            let key = mutation.choose(&keys);
            if mutation.below(30) == 0 {
                entries.remove(key);
            } else {
                change(&mut entries[key], mutation);
            }
        }
        Value::Array(items) if !items.is_empty() && mutation.below(10) > 0 => {
            let at = mutation.below(items.len());
            match mutation.below(12) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[at].clone()),
                _ => change(&mut items[at], mutation),
            }
        }
        _ => {
            let wholes = [0, 1, 2, 3, 7, 255, 256, 65_536, 1 << 31, 1 << 62, u64::MAX];
            let reals = [-1.0, -0.0, 0.5, 1e-300, 1e300, 3.5e38, 0.1];
            *value = match mutation.below(8) {
                0 => Value::Null,
                1 => json!(mutation.below(2) == 0),
                2 => json!(
                    mutation.choose(&["", "..", "a/b", "none", "head", "\u{0}", "LPS", "x\ny"])
                ),
                3 => json!([]),
                4 => json!(mutation.choose(&reals)),
                5 => json!(-(mutation.below(1 << 20) as i64)),
                _ => json!(mutation.choose(&wholes)),
            };
        }
    }
}

#[test]
fn manifest() {
    let seeds = manifests();
    let (_, weights) = small::model(|_| ());
    let device = Device::flex();
    for seed in &seeds {
        ModelManifest::from_json(seed.to_string().as_bytes()).unwrap();
    }
    fuzz("manifest", move |mutation| {
        let mut seed = mutation.choose(&seeds).clone();
        let json = if mutation.below(4) == 0 {
            let mut bytes = seed.to_string().into_bytes();
            mutation.change(&mut bytes);
            bytes
        } else {
            for _ in 0..=mutation.below(3) {
                change(&mut seed, mutation);
            }
            seed.to_string().into_bytes()
        };
        let manifest = match ModelManifest::from_json(&json) {
            Ok(manifest) => manifest,
            Err(error) => {
                assert_one_line(&error.to_string());
                return false;
            }
        };
        // What a program asks before it segments.
        let pipeline = manifest.pipeline();
        let scan = Outline {
            shape: [30, 200, 170],
            affine: Affine::from_spacing_mm([0.5, 0.75, 4.0]),
            num_volumes: 1,
            stored_bytes: 1000,
        };
        if let Ok(grid) = manifest.preprocessing.grid(scan.shape, &scan.affine) {
            let _ = pipeline.windowing.starts(grid.shape());
        }
        match Segmenter::load(manifest, &weights, &device) {
            Ok(model) => {
                let (cost, manifest) = (model.cost(), model.manifest());
                let _ = cost.preflight(manifest, &scan, 1);
                let _ = cost.closer_preflight(manifest, &scan, 1);
                let _ = model.is_too_large(scan.shape, &scan.affine);
            }
            Err(error) => assert_one_line(&error.to_string()),
        }
        true
    });
}

/// Files of all kinds of numbers, damaged in their header, their numbers, or both.
#[test]
fn weights() {
    let tensor = |shape: &[usize]| NamedTensor {
        shape: shape.to_vec(),
        values: (0..shape.iter().product::<usize>())
            .map(|i| (i as f32 * 0.7).sin())
            .collect(),
    };
    let tensors = NamedTensors::from([
        ("a.weight".to_owned(), tensor(&[40, 33])),
        ("a.bias".to_owned(), tensor(&[40])),
        ("b.weight".to_owned(), tensor(&[2, 3, 4, 64])),
        ("scale".to_owned(), tensor(&[])),
    ]);
    let seeds = [
        Quantization::None,
        Quantization::Q8Block64,
        Quantization::Q4Block32,
    ]
    .map(|quantization| encode(&tensors, quantization).unwrap());
    fuzz("weights", move |mutation| {
        let mut bytes = mutation.choose(&seeds).clone();
        mutation.change(&mut bytes);
        if mutation.below(2) == 0 {
            // So that damage is not found at once: the length of what stands before the numbers as it is.
            let end = bytes.iter().position(|byte| *byte == b'}').unwrap_or(0);
            let rest = bytes.get(end..).unwrap_or_default();
            let length = rest.windows(2).position(|two| two == b"}}");
            if let (Some(length), Some(head)) = (length, bytes.first_chunk_mut::<8>()) {
                *head = ((end + length + 2 - 8) as u64).to_le_bytes();
            }
        }
        match decode(&bytes) {
            Ok(tensors) => {
                let is_whole = |tensor: &NamedTensor| {
                    tensor.shape.iter().product::<usize>() == tensor.values.len()
                };
                assert!(tensors.values().all(is_whole));
                assert_eq!(
                    decode(&encode(&tensors, Quantization::None).unwrap()).unwrap(),
                    tensors
                );
                true
            }
            Err(error) => {
                assert_one_line(&error.to_string());
                false
            }
        }
    });
}
