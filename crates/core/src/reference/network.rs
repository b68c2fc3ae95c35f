//! The networks of stage 1 and stage 2, LoRA, and inference in windows.

use super::fill::checkpoint;
use super::folder::comparison;
use super::transformer::vit_config;
use super::{Comparison, Reference, ReferenceError};
use crate::infer::computer;
use crate::infer::predict::{predict, read};
use crate::infer::{Beyond, Blending, InferError, Windowing};
use crate::model::adaptation::Adaptation;
use crate::model::decoder::Decoder;
use crate::model::lora::LoraConfig;
use crate::model::{DinoMed3d, DinoMed3dConfig, SliceSegmenter};
use crate::weights::import::{Identity, Scope, import};
use crate::weights::merge::merge_lora;
use crate::weights::{NamedTensors, load_into, parameter_shapes};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::SafeTensors;

/// What the reference asks of a port, for logits.
const TOLERANCE: f32 = 1e-4;

fn config(
    reference: &Reference,
    file: &str,
    adaptation: Adaptation,
) -> Result<DinoMed3dConfig, ReferenceError> {
    let classes = reference.count(file, "num_classes")?;
    let mut config = DinoMed3dConfig::paper(classes, vit_config(reference, file)?);
    config.adaptation = adaptation;
    Ok(config)
}

/// Parameters of a file, through a checkpoint, under our names.
fn tensors<M: Module>(
    reference: &Reference,
    file: &str,
    module: &M,
) -> Result<NamedTensors, ReferenceError> {
    let (checkpoint, _path) = checkpoint(reference, file)?;
    let identity = Identity::of(&checkpoint)?;
    let wanted = parameter_shapes(module);
    Ok(import(&checkpoint, &identity, &wanted, Scope::Whole)?.tensors)
}

fn volume(
    reference: &Reference,
    file: &SafeTensors<'_>,
    device: &Device,
) -> Result<Tensor<5>, ReferenceError> {
    let (values, shape) = reference.input::<5>(file)?;
    Ok(Tensor::from_data(TensorData::new(values, shape), device))
}

async fn values(tensor: Tensor<5>) -> Result<Vec<f32>, InferError> {
    read(tensor.flatten::<1>(0, 4)).await
}

fn logits(
    reference: &Reference,
    network: &str,
    found: &[f32],
    file: &SafeTensors<'_>,
) -> Result<Comparison, ReferenceError> {
    comparison(network, "logits", found, file, TOLERANCE)
        .ok_or_else(|| reference.wrong(format!("{network} without logits")))
}

fn network_of_stage2(reference: &Reference, device: &Device) -> Result<DinoMed3d, ReferenceError> {
    let network = config(reference, "stage2", Adaptation::None)?.init(device);
    let tensors = tensors(reference, "stage2", &network)?;
    Ok(load_into(network, tensors)?)
}

/// The network of stage 1.
///
/// # Errors
/// [`ReferenceError`].
pub async fn stage1(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let bytes = reference.read("stage1")?;
    let file = reference.parse(&bytes)?;
    let config = config(reference, "stage1", Adaptation::None)?;
    let network = SliceSegmenter::init(&config, device);
    let tensors = tensors(reference, "stage1", &network)?;
    let network = load_into(network, tensors)?;
    let (input, shape) = reference.input::<4>(&file)?;
    let images = Tensor::<4>::from_data(TensorData::new(input, shape), device);
    let found = values(network.segment_images(images, shape[0])).await?;
    Ok(vec![logits(reference, "stage1", &found, &file)?])
}

/// The whole network, and its parts: they say where it leaves the reference, if it does.
///
/// # Errors
/// [`ReferenceError`].
pub async fn stage2(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let bytes = reference.read("stage2")?;
    let file = reference.parse(&bytes)?;
    let network = network_of_stage2(reference, device)?;
    let mut pass = network.start(volume(reference, &file, device)?);
    while pass.remaining() > 1 {
        pass.step();
    }
    let mut parts = Vec::new();
    let detail = pass.detail().map(|detail| detail.0.clone());
    let (Some(detail), Decoder::UperNet(decoder)) = (detail, network.decoder()) else {
        return Err(reference.wrong("stage2 is not the paper's network"));
    };
    for (level, map) in detail.iter().enumerate() {
        parts.push((format!("c{}", level + 1), map.clone()));
    }
    let taps = pass.taps().to_vec();
    for (index, tap) in taps.iter().enumerate() {
        let map = tap.clone().permute([0, 4, 1, 2, 3]);
        parts.push((format!("encoder{index}"), map));
    }
    let levels = decoder.fused_levels(taps, detail[2].clone());
    parts.push(("fused0".into(), levels[0].clone()));
    for (index, level) in levels.iter().enumerate().skip(1) {
        parts.push((format!("lifted{index}"), level.clone()));
    }
    parts.push(("deep".into(), decoder.joined(levels)));
    let mut compared = Vec::new();
    for (name, map) in parts {
        let found = values(map).await?;
        compared.extend(comparison("stage2", &name, &found, &file, TOLERANCE));
    }
    pass.step();
    let found = values(pass.logits()).await?;
    compared.push(logits(reference, "stage2", &found, &file)?);
    Ok(compared)
}

/// LoRA beside the weights, and merged into them.
///
/// # Errors
/// [`ReferenceError`].
pub async fn stage2_lora(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let bytes = reference.read("stage2_lora")?;
    let file = reference.parse(&bytes)?;
    let lora = LoraConfig::new()
        .with_rank(reference.count("stage2_lora", "lora_r")?)
        .with_alpha(reference.number("stage2_lora", "lora_alpha")?);
    let mut config = config(reference, "stage2_lora", Adaptation::Lora(lora))?;
    let network = config.init(device);
    let mut tensors = tensors(reference, "stage2_lora", &network)?;
    let network = load_into(network, tensors.clone())?;
    let beside = values(network.forward(volume(reference, &file, device)?)).await?;

    merge_lora(&mut tensors, &mut config)?;
    let network = load_into(config.init(device), tensors)?;
    let merged = values(network.forward(volume(reference, &file, device)?)).await?;
    Ok(vec![
        logits(reference, "stage2_lora beside", &beside, &file)?,
        logits(reference, "stage2_lora merged", &merged, &file)?,
    ])
}

/// A volume in overlapping windows.
///
/// # Errors
/// [`ReferenceError`].
pub async fn sliding_window(
    reference: &Reference,
    device: &Device,
) -> Result<Vec<Comparison>, ReferenceError> {
    let bytes = reference.read("sliding_window")?;
    let file = reference.parse(&bytes)?;
    let network = network_of_stage2(reference, device)?;
    let (input, [_, _, depth, height, width]) = reference.input::<5>(&file)?;
    let windowing = Windowing {
        window: [reference.count("sliding_window", "window")?, height, width],
        overlap: reference.number("sliding_window", "overlap")? as f32,
        blending: Blending::Mean,
        beyond: Beyond::Mean,
    };
    let num_classes = reference.count("stage2", "num_classes")?;
    let plane = height * width;
    let mut found = vec![0.0; num_classes * depth * plane];
    let mut slices = 0;
    predict(
        num_classes,
        &input,
        [depth, height, width],
        windowing,
        1,
        async |values_of_window, _| {
            let window = computer::input(values_of_window, windowing.window, device);
            values(network.forward(window)).await
        },
        |slice| {
            for (class, logits) in slice.chunks_exact(plane).enumerate() {
                found[(class * depth + slices) * plane..][..plane].copy_from_slice(logits);
            }
            slices += 1;
            Ok(())
        },
    )
    .await?;
    Ok(vec![logits(reference, "sliding_window", &found, &file)?])
}
