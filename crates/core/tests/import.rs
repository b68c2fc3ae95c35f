//! Checkpoints of made-up weights in every form that is taken over.

#[path = "import/torch_file.rs"]
mod torch_file;

use burn::tensor::{Device, Distribution, Tensor};
use dinomed3d_core::model::DinoMed3dConfig;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::decoder::DecoderConfig;
use dinomed3d_core::model::detail::DetailConfig;
use dinomed3d_core::model::feed_forward::FeedForwardKind;
use dinomed3d_core::model::lora::LoraConfig;
use dinomed3d_core::model::slices::{EndSlices, stack_neighbours};
use dinomed3d_core::model::upernet::UperNetConfig;
use dinomed3d_core::model::vit::{VisionTransformer, VitConfig};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::fold::Folding;
use dinomed3d_core::weights::import::authors;
use dinomed3d_core::weights::import::initialize::{transformer, transformer_shapes};
use dinomed3d_core::weights::import::rules::Theirs;
use dinomed3d_core::weights::import::{
    Checkpoint, Identity, ImportError, Mismatch, Scope, Source, import,
};
use dinomed3d_core::weights::{NamedTensor, NamedTensors, encode, load_into, parameter_shapes};
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::collections::BTreeMap;
use std::io::Write;
use tempfile::{NamedTempFile, TempPath};
use torch_file::{Entry, Precision, torch_file};

fn config() -> VitConfig {
    VitConfig::new(16, 2, 2, 32).with_layer_scale(0.5)
}

/// A vector that depends on its name, so that two tensors are never mistaken for each other.
fn filled(name: &str, shape: &[usize]) -> NamedTensor {
    let seed: u32 = name
        .bytes()
        .fold(7, |hash, b| hash.wrapping_mul(31).wrapping_add(b.into()));
    NamedTensor {
        shape: shape.to_vec(),
        values: (0..shape.iter().product::<usize>())
            .map(|i| (f64::from(seed % 1000) + 0.37 * i as f64).sin() as f32 * 0.5)
            .collect(),
    }
}

/// The weights of [`config`] under the official names.
fn official() -> NamedTensors {
    let mut shapes: Vec<(String, Vec<usize>)> = vec![
        ("cls_token".into(), vec![1, 1, 16]),
        ("storage_tokens".into(), vec![1, 4, 16]),
        ("mask_token".into(), vec![1, 16]),
        ("patch_embed.proj.weight".into(), vec![16, 3, 16, 16]),
        ("patch_embed.proj.bias".into(), vec![16]),
        ("rope_embed.periods".into(), vec![2]),
        ("norm.weight".into(), vec![16]),
        ("norm.bias".into(), vec![16]),
    ];
    for block in 0..2 {
        for (name, shape) in [
            ("norm1.weight", vec![16]),
            ("norm1.bias", vec![16]),
            ("attn.qkv.weight", vec![48, 16]),
            ("attn.qkv.bias", vec![48]),
            ("attn.qkv.bias_mask", vec![48]),
            ("attn.proj.weight", vec![16, 16]),
            ("attn.proj.bias", vec![16]),
            ("ls1.gamma", vec![16]),
            ("norm2.weight", vec![16]),
            ("norm2.bias", vec![16]),
            ("mlp.fc1.weight", vec![32, 16]),
            ("mlp.fc1.bias", vec![32]),
            ("mlp.fc2.weight", vec![16, 32]),
            ("mlp.fc2.bias", vec![16]),
            ("ls2.gamma", vec![16]),
        ] {
            shapes.push((format!("blocks.{block}.{name}"), shape));
        }
    }
    shapes
        .into_iter()
        .map(|(name, shape)| (name.clone(), filled(&name, &shape)))
        .collect()
}

fn prefixed(tensors: &NamedTensors, prefix: &str) -> NamedTensors {
    tensors
        .iter()
        .map(|(name, tensor)| (format!("{prefix}{name}"), tensor.clone()))
        .collect()
}

/// A file that is there till it is let go.
fn scratch(bytes: &[u8]) -> TempPath {
    let mut file = NamedTempFile::with_prefix("dinomed3d-import-").unwrap();
    file.write_all(bytes).unwrap();
    file.into_temp_path()
}

fn checkpoint(tensors: &NamedTensors) -> Checkpoint {
    Checkpoint::open(&scratch(&encode(tensors, Quantization::None).unwrap())).unwrap()
}

fn whole(checkpoint: &Checkpoint) -> Result<(Source, NamedTensors), ImportError> {
    let identity = Identity::of(checkpoint)?;
    let shapes = transformer_shapes(&config());
    let imported = import(checkpoint, &identity, &shapes, Scope::Whole)?;
    Ok((identity.source, imported.tensors))
}

fn mismatch(tensors: &NamedTensors) -> Mismatch {
    match whole(&checkpoint(tensors)) {
        Err(ImportError::Mismatch(mismatch)) => *mismatch,
        other => panic!("expected a mismatch, found {other:?}"),
    }
}

/// By hand: a linear map is transposed, everything else lies as it lay.
#[test]
fn official_names_are_mapped() {
    let theirs = official();
    let (source, ours) = whole(&checkpoint(&theirs)).unwrap();
    assert_eq!(source, Source::Official);
    assert_eq!(ours["vit.cls_token"], theirs["cls_token"]);
    assert_eq!(ours["vit.norm.gamma"], theirs["norm.weight"]);
    let (fc1, theirs) = (
        &ours["vit.blocks.1.mlp.fc1.weight"],
        &theirs["blocks.1.mlp.fc1.weight"],
    );
    assert_eq!(fc1.shape, [16, 32]);
    assert_eq!(fc1.values[3 * 32 + 5], theirs.values[5 * 16 + 3]);
}

#[test]
fn weights_may_be_nested() {
    let theirs = official();
    let (_, expected) = whole(&checkpoint(&theirs)).unwrap();
    for prefix in [
        "model.",
        "teacher.backbone.",
        "module.",
        "model_state_dict.module.",
    ] {
        let mut nested = prefixed(&theirs, prefix);
        if !prefix.starts_with("module") {
            nested.insert("optimizer.exp_avg".into(), filled("other", &[3]));
        }
        let (source, ours) = whole(&checkpoint(&nested)).unwrap();
        assert_eq!(source, Source::Official, "{prefix}");
        assert_eq!(ours, expected, "{prefix}");
    }
}

#[test]
fn two_sets_of_weights_are_refused() {
    let mut both = prefixed(&official(), "model.");
    both.extend(prefixed(&official(), "teacher."));
    let error = whole(&checkpoint(&both)).unwrap_err().to_string();
    assert!(
        error.contains("model.") && error.contains("teacher."),
        "{error}"
    );
}

#[test]
fn what_is_no_checkpoint_is_said() {
    let other = NamedTensors::from([("conv1.weight".into(), filled("a", &[2]))]);
    let error = whole(&checkpoint(&other)).unwrap_err().to_string();
    assert!(
        error.contains("conv1.weight") && error.contains("DINOv3"),
        "{error}"
    );
    for junk in [
        &b""[..],
        b"PK\x03\x04 not a zip",
        b"\x08\0\0\0\0\0\0\0{broken}",
    ] {
        assert!(Checkpoint::open(&scratch(junk)).is_err());
    }
}

#[test]
fn everything_that_does_not_fit_is_named() {
    let mut theirs = official();
    theirs.remove("blocks.1.ls2.gamma");
    theirs.insert("blocks.2.ls2.gamma".into(), filled("x", &[16]));
    theirs.insert("stray".into(), filled("x", &[16]));
    theirs.insert("norm.weight".into(), filled("x", &[12]));
    theirs.insert("blocks.0.mlp.fc1.weight".into(), filled("x", &[16, 32]));
    let found = mismatch(&theirs);
    assert_eq!(found.missing, ["blocks.1.ls2.gamma"]);
    assert_eq!(found.left_over, ["blocks.2.ls2.gamma", "stray"]);
    assert_eq!(
        found.shapes,
        [
            (
                "blocks.0.mlp.fc1.weight".to_owned(),
                vec![16, 32],
                vec![32, 16]
            ),
            ("norm.weight".to_owned(), vec![12], vec![16]),
        ]
    );
    let text = found.to_string();
    for name in [
        "blocks.1.ls2.gamma",
        "stray",
        "norm.weight: found [12], expected [16]",
    ] {
        assert!(text.contains(name), "{text}");
    }
}

/// The gated feed-forward network has other names; one does not pass for the other.
#[test]
fn another_feed_forward_network_is_a_mismatch() {
    let checkpoint = checkpoint(&official());
    let identity = Identity::of(&checkpoint).unwrap();
    let gated = config().with_feed_forward(FeedForwardKind::SwiGlu);
    let shapes = transformer_shapes(&gated);
    let error = import(&checkpoint, &identity, &shapes, Scope::Whole).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("blocks.0.mlp.w1.weight") && text.contains("blocks.0.mlp.fc1.weight"),
        "{text}"
    );
}

/// Queries, keys and values apart, no bias on keys, and the blocks perhaps in a module.
#[test]
fn hugging_face_names_are_mapped() {
    let mut theirs = official();
    for block in 0..2 {
        let bias = theirs
            .get_mut(&format!("blocks.{block}.attn.qkv.bias"))
            .unwrap();
        bias.values[16..32].fill(0.0);
    }
    let (_, expected) = whole(&checkpoint(&theirs)).unwrap();
    for blocks in ["layer", "model.layer"] {
        let mut renamed = NamedTensors::new();
        for (name, tensor) in &theirs {
            let name = name
                .replace("blocks.", &format!("{blocks}."))
                .replace("attn.proj", "attention.o_proj")
                .replace("mlp.fc1", "mlp.up_proj")
                .replace("mlp.fc2", "mlp.down_proj")
                .replace("ls1.gamma", "layer_scale1.lambda1")
                .replace("ls2.gamma", "layer_scale2.lambda1")
                .replace("patch_embed.proj", "embeddings.patch_embeddings")
                .replace("storage_tokens", "embeddings.register_tokens")
                .replace("cls_token", "embeddings.cls_token")
                .replace("mask_token", "embeddings.mask_token");
            if name.ends_with("bias_mask") || name.starts_with("rope") {
                continue;
            }
            if !name.contains("attn.qkv") {
                renamed.insert(name, tensor.clone());
                continue;
            }
            let rows = tensor.values.len() / 3;
            for (part, values) in ["q", "k", "v"].iter().zip(tensor.values.chunks(rows)) {
                let mut shape = tensor.shape.clone();
                shape[0] /= 3;
                if *part == "k" && name.ends_with("bias") {
                    continue;
                }
                renamed.insert(
                    name.replace("attn.qkv", &format!("attention.{part}_proj")),
                    NamedTensor {
                        shape,
                        values: values.to_vec(),
                    },
                );
            }
        }
        let (source, ours) = whole(&checkpoint(&renamed)).unwrap();
        assert_eq!(source, Source::HuggingFace);
        assert_eq!(ours, expected, "{blocks}");
    }
}

/// timm leaves the biases of queries and values out.
#[test]
fn timm_names_are_mapped() {
    let mut theirs = official();
    let mut renamed = NamedTensors::new();
    for (name, tensor) in &mut theirs {
        if name.ends_with("qkv.bias") {
            tensor.values.fill(0.0);
        }
        let dropped = ["qkv.bias", "bias_mask", "mask_token", "rope_embed.periods"];
        if dropped.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let name = name
            .replace("ls1.gamma", "gamma_1")
            .replace("ls2.gamma", "gamma_2")
            .replace("storage_tokens", "reg_token");
        renamed.insert(name, tensor.clone());
    }
    let (_, expected) = whole(&checkpoint(&theirs)).unwrap();
    let (source, ours) = whole(&checkpoint(&renamed)).unwrap();
    assert_eq!(source, Source::Timm);
    assert_eq!(ours, expected);
}

/// A file of `torch.save`, nested, with an optimiser beside it, in every precision.
#[test]
fn torch_files_of_every_precision_are_read() {
    let theirs = official();
    let (_, expected) = whole(&checkpoint(&theirs)).unwrap();
    for (precision, tolerance) in [
        (Precision::Float, 0.0),
        (Precision::Half, 1e-3),
        (Precision::Bfloat16, 1e-2),
    ] {
        let weights = theirs
            .iter()
            .map(|(name, tensor)| (format!("module.{name}"), Entry::Tensor(tensor.clone())));
        let optimizer = Entry::Dict(vec![(
            "exp_avg".into(),
            Entry::Tensor(filled("other", &[3])),
        )]);
        let bytes = torch_file(
            &[
                ("epoch".into(), Entry::Integer(7)),
                ("model_state_dict".into(), Entry::Dict(weights.collect())),
                ("optimizer_state_dict".into(), optimizer),
            ],
            precision,
        );
        let checkpoint = Checkpoint::open(&scratch(&bytes)).unwrap();
        let (source, ours) = whole(&checkpoint).unwrap();
        assert_eq!(source, Source::Official);
        alike(&ours, &expected, tolerance);
    }
}

/// Half and bfloat16 in a safetensors file as well, and our own eight and four bits.
#[test]
fn safetensors_of_every_precision_are_read() {
    let theirs = official();
    let (_, expected) = whole(&checkpoint(&theirs)).unwrap();
    for (precision, dtype, tolerance) in [
        (Precision::Half, Dtype::F16, 1e-3),
        (Precision::Bfloat16, Dtype::BF16, 1e-2),
    ] {
        let stored: Vec<(&String, Vec<u8>)> = theirs
            .iter()
            .map(|(name, tensor)| {
                let bytes = tensor.values.iter().flat_map(|v| precision.bytes(*v));
                (name, bytes.collect())
            })
            .collect();
        let views = stored.iter().map(|(name, bytes)| {
            let shape = theirs[*name].shape.clone();
            (name, TensorView::new(dtype, shape, bytes).unwrap())
        });
        let path = scratch(&serialize(views, None).unwrap());
        let (_, ours) = whole(&Checkpoint::open(&path).unwrap()).unwrap();
        alike(&ours, &expected, tolerance);
    }
    for (quantization, tolerance) in [
        (Quantization::Q8Block64, 0.5 / 254.0 + 1e-6),
        (Quantization::Q4Block32, 0.3),
    ] {
        let fewer = encode(&expected, quantization).unwrap();
        let fewer = Checkpoint::open(&scratch(&fewer)).unwrap();
        let (source, ours) = whole(&fewer).unwrap();
        assert_eq!(source, Source::DinoMed3d);
        assert_ne!(ours, expected, "something was quantised");
        alike(&ours, &expected, tolerance);
    }
}

fn alike(found: &NamedTensors, expected: &NamedTensors, tolerance: f32) {
    assert!(found.keys().eq(expected.keys()));
    for (name, tensor) in found {
        for (a, b) in tensor.values.iter().zip(&expected[name].values) {
            assert!((a - b).abs() <= tolerance, "{name}: {a} is not {b}");
        }
    }
}

/// Layers without parameters leave gaps in the numbers of a sequence; they are part of the names.
#[test]
fn torch_files_keep_their_names() {
    let names = [
        "adapter_3d.up4.0.weight",
        "adapter_3d.up4.3.weight",
        "blocks.2.x",
        "blocks.5.x",
    ];
    let entries: Vec<(String, Entry)> = names
        .iter()
        .map(|name| ((*name).to_owned(), Entry::Tensor(filled(name, &[2]))))
        .collect();
    let checkpoint = Checkpoint::open(&scratch(&torch_file(&entries, Precision::Float))).unwrap();
    assert_eq!(checkpoint.names().collect::<Vec<_>>(), names);
}

/// A stage 2 of the authors' code with LoRA, as a torch file, back to the weights it was made of.
#[test]
fn a_stage_2_torch_file_is_read() {
    let mut network = DinoMed3dConfig::paper(3, config());
    network.adaptation = Adaptation::Lora(LoraConfig::new().with_rank(2));
    network.detail = DetailConfig::paper().with_out_channels(Some(128));
    network.decoder = DecoderConfig::UperNet(UperNetConfig::new().with_channels(128));
    let shapes = parameter_shapes(&network.init(&Device::flex()));
    let rules = authors::stage2("", true);
    let mut entries = Vec::new();
    let mut expected = NamedTensors::new();
    for (ours, shape) in &shapes {
        let theirs = rules
            .theirs(ours)
            .unwrap_or_else(|| panic!("the table lacks {ours}"));
        let tensor = filled(ours, shape);
        let (name, tensor_of_theirs) = match theirs {
            Theirs::Same(name) => (name, tensor.clone()),
            Theirs::Matrix(name) => {
                let (rows, columns) = (shape[1], shape[0]);
                let values = (0..rows * columns)
                    .map(|i| tensor.values[i % columns * rows + i / columns])
                    .collect();
                let shape = vec![rows, columns];
                (name, NamedTensor { shape, values })
            }
            other => panic!("{ours} is made of {other:?}"),
        };
        entries.push((name, Entry::Tensor(tensor_of_theirs)));
        expected.insert(ours.clone(), tensor);
    }
    let file = [("model_state_dict".to_owned(), Entry::Dict(entries))];
    let bytes = torch_file(&file, Precision::Float);
    let checkpoint = Checkpoint::open(&scratch(&bytes)).unwrap();
    let identity = Identity::of(&checkpoint).unwrap();
    assert_eq!(identity.source, Source::AuthorsStage2);
    assert_eq!(identity.num_classes, Some(3));
    assert_eq!(identity.lora_rank, Some(2));
    let imported = import(&checkpoint, &identity, &shapes, Scope::Whole).unwrap();
    assert_eq!(imported.tensors, expected);
}

/// Our own stage 1 gives its transformer and keeps its head; slices are not colours, and nothing
/// is folded.
#[test]
fn our_own_transformer_is_taken_from_stage_1() {
    let (_, ours) = whole(&checkpoint(&official())).unwrap();
    let mut stage1 = ours.clone();
    stage1.insert("head.classifier.weight".into(), filled("w", &[16, 3]));
    stage1.insert("head.classifier.bias".into(), filled("b", &[3]));
    let stage1 = checkpoint(&stage1);
    let (identity, tensors) = transformer(&stage1, &config(), 1, Folding::Mean).unwrap();
    assert_eq!(identity.source, Source::DinoMed3d);
    assert_eq!(tensors, ours);
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let weights: Vec<(String, Entry)> = official()
        .into_iter()
        .map(|(name, mut tensor)| {
            if name == "norm.bias" {
                tensor.values[3] = f32::NAN;
            }
            (name, Entry::Tensor(tensor))
        })
        .collect();
    let bytes = torch_file(&weights, Precision::Float);
    let checkpoint = Checkpoint::open(&scratch(&bytes)).unwrap();
    assert!(matches!(
        whole(&checkpoint),
        Err(ImportError::NotFinite(name)) if name == "norm.bias"
    ));
}

fn vit(config: &VitConfig, tensors: NamedTensors) -> VisionTransformer {
    let tensors: BTreeMap<_, _> = tensors
        .into_iter()
        .map(|(name, tensor)| (name.strip_prefix("vit.").unwrap().to_owned(), tensor))
        .collect();
    load_into(config.init(&Adaptation::None, &Device::flex()), tensors).unwrap()
}

fn features(vit: &VisionTransformer, images: Tensor<4>) -> Tensor<3> {
    let batch = images.dims()[0];
    let mut tokens = vit.embed(images, batch);
    for index in 0..2 {
        tokens = vit.block(index, tokens);
    }
    tokens.values
}

/// What each folding promises, for three slices and, where it can, for five.
#[test]
fn folded_weights_see_what_they_should() {
    let device = Device::flex();
    let checkpoint = checkpoint(&official());
    let colour = vit(&config(), whole(&checkpoint).unwrap().1);
    let folded = |folding, channels| {
        let config = config().with_in_channels(channels);
        let (_, tensors) = transformer(&checkpoint, &config, 1, folding).unwrap();
        vit(&config, tensors)
    };
    let volume = Tensor::<5>::random([1, 1, 4, 32, 16], Distribution::Normal(0.0, 1.0), &device);
    let grey = volume.clone().reshape([4, 1, 32, 16]).repeat_dim(1, 3);
    let alike = |a: Tensor<3>, b: Tensor<3>| {
        let size = b.clone().abs().max().into_scalar::<f32>();
        let difference = (a - b).abs().max().into_scalar::<f32>();
        assert!(difference <= 1e-4 * size, "{difference} of {size}");
    };
    // rgb: a slice and its neighbours are a colour image.
    let images = stack_neighbours(volume.clone(), 1, EndSlices::Repeat);
    alike(
        features(&folded(Folding::Rgb, 3), images.clone()),
        features(&colour, images),
    );
    for neighbours in [1, 2] {
        let channels = 2 * neighbours + 1;
        // centre: the neighbours don't matter.
        let images = stack_neighbours(volume.clone(), neighbours, EndSlices::Zero);
        alike(
            features(&folded(Folding::Centre, channels), images),
            features(&colour, grey.clone()),
        );
        // mean: a volume of equal slices is a grey image.
        let slice = volume.clone().narrow(2, 0, 1);
        let equal = stack_neighbours(slice.repeat_dim(2, 4), neighbours, EndSlices::Repeat);
        alike(
            features(&folded(Folding::Mean, channels), equal),
            features(&colour, grey.clone().narrow(0, 0, 1).repeat_dim(0, 4)),
        );
    }
    // Of two channels that are the same scan, the sum is as large as that of one.
    let two = config().with_in_channels(6);
    let (_, tensors) = transformer(&checkpoint, &two, 2, Folding::Rgb).unwrap();
    let images = stack_neighbours(volume.clone().repeat_dim(1, 2), 1, EndSlices::Repeat);
    alike(
        features(&vit(&two, tensors), images),
        features(&colour, stack_neighbours(volume, 1, EndSlices::Repeat)),
    );
    let five = config().with_in_channels(5);
    let error = transformer(&checkpoint, &five, 1, Folding::Rgb)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("5 channels") && error.contains("and 3 channels"),
        "{error}"
    );
}
