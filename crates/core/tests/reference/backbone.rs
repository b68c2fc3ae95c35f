//! The transformer by itself.

use super::fill::parameters;
use super::folder::{Reference, error, reference_file, tensor};
use super::import::{imported, written};
use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_core::infer::features::features;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::feed_forward::FeedForwardKind;
use dinomed3d_core::model::vit::{VisionTransformer, VitConfig};
use dinomed3d_core::weights::import::Scope;
use dinomed3d_core::weights::{NamedTensors, load_into};
use safetensors::SafeTensors;

/// Settings of a transformer of the reference, from the shapes of its parameters.
pub fn vit_config(reference: &Reference, file: &str) -> VitConfig {
    let keys = reference.index[file]["keys"].as_array().unwrap();
    // peft puts `base_layer` into names.
    let name = |key: &serde_json::Value| key[0].as_str().unwrap().replace(".base_layer.", ".");
    let edge = |end: &str, axis: usize| {
        let key = keys.iter().find(|key| name(key).ends_with(end));
        usize::try_from(
            key.unwrap_or_else(|| panic!("no {end}"))[1][axis]
                .as_u64()
                .unwrap(),
        )
        .unwrap()
    };
    let has = |end: &str| keys.iter().any(|key| name(key).ends_with(end));
    let depth = (0..)
        .take_while(|i| has(&format!("blocks.{i}.norm1.weight")))
        .count();
    let gated = has("mlp.w1.weight");
    let mlp_dim = if gated {
        edge("blocks.0.mlp.w1.weight", 0)
    } else {
        edge("blocks.0.mlp.fc1.bias", 0)
    };
    // All networks of the reference have the heads of its transformers by themselves.
    let heads = reference.number("dinov3_mlp", "heads");
    VitConfig::new(edge("cls_token", 2), depth, heads, mlp_dim)
        .with_num_registers(edge("storage_tokens", 1))
        .with_feed_forward(if gated {
            FeedForwardKind::SwiGlu
        } else {
            FeedForwardKind::Mlp
        })
}

/// Largest errors of CLS, storage and patch tokens and of all taps, raw and normed.
fn worst_error(vit: &VisionTransformer, file: &SafeTensors<'_>) -> f32 {
    let device = Device::flex();
    let input = tensor(file, "input");
    let shape: [usize; 4] = input.shape.try_into().unwrap();
    let images = Tensor::<4>::from_data(TensorData::new(input.values, shape), &device);
    let found = pollster::block_on(features(vit, images)).unwrap();
    // Everything that the file holds beside the input.
    assert_eq!(found.len(), file.len() - 1);
    let errors = found.iter().map(|(name, found)| {
        let expected = tensor(file, name).values;
        assert_eq!(found.values.len(), expected.len(), "{name}");
        error(&found.values, &expected)
    });
    errors.fold(0.0, f32::max)
}

fn transformer(config: &VitConfig, tensors: NamedTensors) -> VisionTransformer {
    let tensors = tensors
        .into_iter()
        .map(|(name, tensor)| (name.strip_prefix("vit.").unwrap().to_owned(), tensor))
        .collect();
    let vit = config.init(&Adaptation::None, &Device::flex());
    load_into(vit, tensors).unwrap()
}

fn check(name: &str) {
    let Some((reference, bytes)) = reference_file(name) else {
        return;
    };
    let config = vit_config(&reference, name);
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let path = written(&parameters(&reference, name), name);
    let vit = transformer(&config, imported(&path, &config, Scope::Whole));
    let worst = worst_error(&vit, &file);
    println!("{name}: largest error {worst:.1e} of the largest value");
    assert!(worst <= 1e-5, "{name}: {worst:e}");
}

#[test]
fn reference_dinov3_mlp() {
    check("dinov3_mlp");
}

#[test]
fn reference_dinov3_swiglu() {
    check("dinov3_swiglu");
}

/// The same weights under the names of the official and of the Hugging Face release.
#[test]
fn reference_dinov3_files() {
    let Some((reference, bytes)) = reference_file("dinov3_mlp") else {
        return;
    };
    let config = vit_config(&reference, "dinov3_mlp");
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for name in [
        "dinov3_mlp_official_weights.pth",
        "dinov3_mlp_hf_weights.safetensors",
    ] {
        let path = reference.path.join(name);
        if !path.is_file() {
            println!("skipped: no {name} in {}", reference.path.display());
            continue;
        }
        let vit = transformer(&config, imported(&path, &config, Scope::Whole));
        let worst = worst_error(&vit, &file);
        println!("{name}: largest error {worst:.1e} of the largest value");
        assert!(worst <= 1e-5, "{name}: {worst:e}");
    }
}
