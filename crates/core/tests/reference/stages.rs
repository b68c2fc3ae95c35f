//! The networks of stage 1 and stage 2, LoRA, and inference in windows.

use super::backbone::vit_config;
use super::fill::parameters;
use super::folder::{Reference, error, reference_file, tensor};
use super::import::written;
use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_core::infer::predict::predict;
use dinomed3d_core::infer::{Blending, Windowing};
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::lora::LoraConfig;
use dinomed3d_core::model::{DinoMed3d, DinoMed3dConfig, SliceSegmenter};
use dinomed3d_core::weights::import::{Checkpoint, Identity, Scope, import};
use dinomed3d_core::weights::merge::merge_lora;
use dinomed3d_core::weights::{NamedTensors, load_into, parameter_shapes};
use safetensors::SafeTensors;

/// The tolerance of the reference for logits.
const TOLERANCE: f32 = 1e-4;

fn config(reference: &Reference, file: &str, adaptation: Adaptation) -> DinoMed3dConfig {
    let classes = reference.number(file, "num_classes");
    let mut config = DinoMed3dConfig::paper(classes, vit_config(reference, file));
    config.adaptation = adaptation;
    config
}

/// Parameters of a file, through a checkpoint, under our names.
fn tensors<M: burn::module::Module>(reference: &Reference, file: &str, module: &M) -> NamedTensors {
    let path = written(&parameters(reference, file), file);
    let checkpoint = Checkpoint::open(&path).unwrap();
    let identity = Identity::of(&checkpoint).unwrap();
    let wanted = parameter_shapes(module);
    import(&checkpoint, &identity, &wanted, Scope::Whole)
        .unwrap_or_else(|error| panic!("{file}: {error}"))
        .tensors
}

fn volume(file: &SafeTensors<'_>) -> Tensor<5> {
    let input = tensor(file, "input");
    let shape: [usize; 5] = input.shape.try_into().unwrap();
    Tensor::from_data(TensorData::new(input.values, shape), &Device::flex())
}

fn report(name: &str, found: &[f32], file: &SafeTensors<'_>) {
    let expected = tensor(file, "logits").values;
    assert_eq!(found.len(), expected.len());
    let worst = error(found, &expected);
    println!("{name}: largest error {worst:.1e} of the largest value");
    assert!(worst <= TOLERANCE, "{name}: {worst:e}");
}

fn stage2(reference: &Reference) -> DinoMed3d {
    let network = config(reference, "stage2", Adaptation::None).init(&Device::flex());
    let tensors = tensors(reference, "stage2", &network);
    load_into(network, tensors).unwrap()
}

#[test]
fn reference_stage1() {
    let Some((reference, bytes)) = reference_file("stage1") else {
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let config = config(&reference, "stage1", Adaptation::None);
    let network = SliceSegmenter::init(&config, &Device::flex());
    let tensors = tensors(&reference, "stage1", &network);
    let network = load_into(network, tensors).unwrap();
    let input = tensor(&file, "input");
    let shape: [usize; 4] = input.shape.try_into().unwrap();
    let images = Tensor::<4>::from_data(TensorData::new(input.values, shape), &Device::flex());
    let logits = network.segment_images(images, shape[0]);
    let found: Vec<f32> = logits.into_data().iter().collect();
    report("stage1", &found, &file);
}

/// The whole network, and where it parts from the reference if it does.
#[test]
fn reference_stage2() {
    let Some((reference, bytes)) = reference_file("stage2") else {
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let network = stage2(&reference);
    let mut pass = network.start(volume(&file));
    let mut parts = Vec::new();
    while pass.remaining() > 1 {
        pass.step();
    }
    let detail = pass.detail().unwrap().clone();
    for (level, map) in detail.0.iter().enumerate() {
        parts.push((format!("c{}", level + 1), map.clone()));
    }
    let taps = pass.taps().to_vec();
    for (index, tap) in taps.iter().enumerate() {
        parts.push((
            format!("encoder{index}"),
            tap.clone().permute([0, 4, 1, 2, 3]),
        ));
    }
    let dinomed3d_core::model::decoder::Decoder::UperNet(decoder) = network.decoder() else {
        panic!("the paper's decoder is UPerNet");
    };
    let levels = decoder.fused_levels(taps, detail.0[2].clone());
    parts.push(("fused0".into(), levels[0].clone()));
    for (index, level) in levels.iter().enumerate().skip(1) {
        parts.push((format!("lifted{index}"), level.clone()));
    }
    parts.push(("deep".into(), decoder.joined(levels)));
    for (name, map) in parts {
        if file.tensor(&name).is_err() {
            continue;
        }
        let found: Vec<f32> = map.into_data().iter().collect();
        let worst = error(&found, &tensor(&file, &name).values);
        println!("stage2 {name}: {worst:.1e}");
        assert!(worst <= TOLERANCE, "stage2 {name}: {worst:e}");
    }
    pass.step();
    let found: Vec<f32> = pass.logits().into_data().iter().collect();
    report("stage2", &found, &file);
}

/// LoRA beside the weights, and merged into them.
#[test]
fn reference_stage2_lora() {
    let Some((reference, bytes)) = reference_file("stage2_lora") else {
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let lora = LoraConfig::new()
        .with_rank(reference.number("stage2_lora", "lora_r"))
        .with_alpha(
            reference.index["stage2_lora"]["lora_alpha"]
                .as_f64()
                .unwrap(),
        );
    let mut config = config(&reference, "stage2_lora", Adaptation::Lora(lora));
    let network = config.init(&Device::flex());
    let mut tensors = tensors(&reference, "stage2_lora", &network);
    let network = load_into(network, tensors.clone()).unwrap();
    let found: Vec<f32> = network.forward(volume(&file)).into_data().iter().collect();
    report("stage2_lora, beside", &found, &file);

    merge_lora(&mut tensors, &mut config).unwrap();
    let network = load_into(config.init(&Device::flex()), tensors).unwrap();
    let found: Vec<f32> = network.forward(volume(&file)).into_data().iter().collect();
    report("stage2_lora, merged", &found, &file);
}

#[test]
fn reference_sliding_window() {
    let Some((reference, bytes)) = reference_file("sliding_window") else {
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let network = stage2(&reference);
    let input = tensor(&file, "input");
    let [_, _, depth, height, width] = input.shape[..] else {
        panic!("a volume has five dimensions");
    };
    let windowing = Windowing {
        window: [reference.number("sliding_window", "window"), height, width],
        overlap: reference.index["sliding_window"]["overlap"]
            .as_f64()
            .unwrap() as f32,
        blending: Blending::Mean,
    };
    let found = pollster::block_on(predict(
        reference.number("stage2", "num_classes"),
        &input.values,
        [depth, height, width],
        windowing,
        &Device::flex(),
        async |window, _, _| Ok(network.forward(window).into_data().iter::<f32>().collect()),
    ))
    .unwrap();
    report("sliding_window", &found, &file);
}
