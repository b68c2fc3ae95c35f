//! The whole network: shapes, the step from stage 1 to stage 2, and gradients.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Distribution, Gradients, Tensor, TensorData, Tolerance};
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::adapter::Adapter3dConfig;
use dinomed3d_core::model::decoder::DecoderConfig;
use dinomed3d_core::model::detail::DetailConfig;
use dinomed3d_core::model::feed_forward::FeedForwardKind;
use dinomed3d_core::model::light_decoder::LightDecoderConfig;
use dinomed3d_core::model::lora::LoraConfig;
use dinomed3d_core::model::presets::DinoV3;
use dinomed3d_core::model::vit::VitConfig;
use dinomed3d_core::model::{DinoMed3d, DinoMed3dConfig, SliceSegmenter};
use dinomed3d_core::train::freeze::{freeze, is_backbone};
use dinomed3d_core::weights::merge::merge_lora;
use dinomed3d_core::weights::transfer::with_stage1;
use dinomed3d_core::weights::{NamedTensors, load_into, named_tensors, parameter_shapes};

fn small(adaptation: Adaptation) -> DinoMed3dConfig {
    let vit = VitConfig::new(16, 4, 2, 32)
        .with_patch_size(8)
        .with_layer_scale(0.5);
    let decoder = LightDecoderConfig::new()
        .with_tap_channels(4)
        .with_patch_channels(8)
        .with_quarter_channels(8)
        .with_half_channels(8);
    let detail = DetailConfig::new().with_base_channels(8);
    DinoMed3dConfig::new(3, vit, adaptation, detail, DecoderConfig::Light(decoder))
}

fn volume(shape: [usize; 5], device: &Device) -> Tensor<5> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}

/// The published numbers of parameters, in millions, and where the release taps.
#[test]
fn the_family_has_its_published_sizes() {
    for (preset, millions, taps) in [
        (DinoV3::S, 21.6, [2, 5, 8, 11]),
        (DinoV3::SPlus, 28.7, [2, 5, 8, 11]),
        (DinoV3::B, 85.7, [2, 5, 8, 11]),
        (DinoV3::L, 303.0, [5, 11, 17, 23]),
        (DinoV3::HPlus, 841.0, [7, 15, 23, 31]),
    ] {
        let config = preset.config();
        let vit = config.init(&Adaptation::None, &Device::flex());
        let shapes = parameter_shapes(&vit);
        let count: usize = shapes.values().map(|s| s.iter().product::<usize>()).sum();
        let found = count as f64 / 1e6;
        assert!(
            (found / millions - 1.0).abs() < 3e-3,
            "{preset:?}: {found} million"
        );
        assert_eq!(config.taps(), taps, "{preset:?}");
    }
}

#[test]
fn one_slice_and_odd_sizes_give_one_logit_per_voxel() {
    let device = Device::flex();
    for config in [
        small(Adaptation::InBlock(Adapter3dConfig::new())),
        with_detail(DetailConfig::new().with_blocks([0, 0, 0])),
        with_detail(with_full_size()),
        paper(),
    ] {
        let network = config.init(&device);
        for shape in [[1, 1, 1, 8, 8], [2, 1, 5, 24, 16], [1, 1, 3, 13, 21]] {
            let logits = network.forward(volume(shape, &device));
            let [batch, _, depth, height, width] = shape;
            assert_eq!(logits.dims(), [batch, 3, depth, height, width]);
            assert!(logits.into_data().iter::<f32>().all(f32::is_finite));
        }
    }
}

fn with_detail(detail: DetailConfig) -> DinoMed3dConfig {
    DinoMed3dConfig {
        detail,
        ..small(Adaptation::None)
    }
}

fn with_full_size() -> DetailConfig {
    DetailConfig::new()
        .with_base_channels(8)
        .with_full_channels(Some(8))
}

/// A trained network may be given the refinement at full size: it begins where it was.
#[test]
fn a_fresh_refinement_at_full_size_changes_nothing() {
    let device = Device::flex();
    let config = small(Adaptation::None);
    let without = config.init(&device);
    let with = with_detail(with_full_size()).init(&device);
    let mut tensors = named_tensors(&with);
    tensors.retain(|name, _| name.contains(".full."));
    assert_eq!(tensors.len(), 7, "{:?}", tensors.keys());
    tensors.extend(named_tensors(&without));
    let with = load_into(with, tensors).unwrap();
    let input = volume([1, 1, 3, 16, 24], &device);
    with.forward(input.clone())
        .into_data()
        .assert_eq(&without.forward(input).into_data(), true);
}

/// Every tap of a fresh stage 2 equals the features of the transformer without adapters.
#[test]
fn fresh_adapters_change_nothing() {
    let device = Device::flex();
    let stage1 = SliceSegmenter::init(&small(Adaptation::None), &device);
    let config = small(Adaptation::InBlock(Adapter3dConfig::new()));
    let with = with_stage1(config.init(&device), &stage1.vit).unwrap();
    let without = small(Adaptation::None).init(&device);
    let without = with_stage1(without, &stage1.vit).unwrap();
    let input = volume([1, 1, 4, 16, 24], &device);
    let taps = |network: &DinoMed3d| {
        let mut pass = network.start(input.clone());
        for _ in 0..4 {
            pass.step();
        }
        let taps: Vec<TensorData> = pass
            .taps()
            .iter()
            .map(|tap| tap.clone().into_data())
            .collect();
        taps
    };
    let (with, without) = (taps(&with), taps(&without));
    assert_eq!(with.len(), 4);
    for (a, b) in with.iter().zip(&without) {
        a.assert_eq(b, true);
    }
}

/// Once an adapter has learnt something, a slice hears of slices that are not its neighbours.
#[test]
fn adapters_carry_information_between_slices() {
    let device = Device::flex();
    let far_change = |trained: bool| {
        device.seed(3);
        let network = small(Adaptation::InBlock(Adapter3dConfig::new())).init(&device);
        let mut tensors = named_tensors(&network);
        if trained {
            for (name, tensor) in &mut tensors {
                if name.ends_with("adapter.up.weight") {
                    // Not one value for all channels: the next norm would take it away again.
                    for (i, value) in tensor.values.iter_mut().enumerate() {
                        *value = (i as f32).sin();
                    }
                }
            }
        }
        let network = load_into(network, tensors).unwrap();
        let one = volume([1, 1, 8, 8, 8], &device);
        let other = one.clone().slice_assign(
            [0..1, 0..1, 7..8, 0..8, 0..8],
            Tensor::full([1, 1, 1, 8, 8], 5.0, &device),
        );
        let first_slice = |input| {
            let mut pass = network.start(input);
            for _ in 0..4 {
                pass.step();
            }
            pass.taps()[3].clone().narrow(1, 3, 1)
        };
        let difference: f32 = (first_slice(one) - first_slice(other))
            .abs()
            .max()
            .into_scalar();
        difference
    };
    assert_eq!(far_change(false), 0.0);
    assert!(far_change(true) > 0.0);
}

struct Reached<'a> {
    gradients: &'a Gradients,
    path: Vec<String>,
    reached: Vec<(String, bool)>,
}

impl ModuleVisitor for Reached<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        let reached = gradient.is_some_and(|g| g.abs().max().into_scalar::<f32>() > 0.0);
        self.reached.push((self.path.join("."), reached));
    }
}

/// The paper's network on a small transformer, its LoRA of rank 2.
fn paper() -> DinoMed3dConfig {
    let vit = VitConfig::new(16, 4, 2, 32).with_layer_scale(0.5);
    let mut config = DinoMed3dConfig::paper(3, vit);
    config.adaptation = Adaptation::Lora(LoraConfig::new().with_rank(2).with_dropout(0.0));
    config
}

/// Zeros at the end of an adapter let no gradient through to what comes before; this is a network
/// after its first steps.
fn stirred(network: DinoMed3d) -> DinoMed3d {
    let mut tensors = named_tensors(&network);
    for (name, tensor) in &mut tensors {
        if name.ends_with("adapter.up.weight") || name.ends_with("lora.up") {
            for (i, value) in tensor.values.iter_mut().enumerate() {
                *value = (i as f32).sin() * 0.1;
            }
        }
    }
    load_into(network, tensors).unwrap()
}

fn reached(config: &DinoMed3dConfig, frozen: bool) -> Vec<(String, bool)> {
    let device = Device::flex().autodiff();
    device.seed(5);
    let network = stirred(config.init(&device));
    let network = freeze(network, |name| frozen && is_backbone(name));
    let logits = network.forward(volume([1, 1, 4, 32, 32], &device));
    let target = volume([1, 3, 4, 32, 32], &device);
    let gradients = (logits - target).square().mean().backward();
    let mut visitor = Reached {
        gradients: &gradients,
        path: Vec::new(),
        reached: Vec::new(),
    };
    network.visit(&mut visitor);
    visitor.reached
}

#[test]
fn gradients_reach_every_trainable_parameter() {
    let config = small(Adaptation::InBlock(Adapter3dConfig::new()));
    for (name, reached) in reached(&config, false) {
        assert!(reached, "no gradient for {name}");
    }
}

#[test]
fn gradients_reach_no_frozen_parameter() {
    let lora = LoraConfig::new().with_dropout(0.0);
    for config in [
        small(Adaptation::InBlock(Adapter3dConfig::new())),
        small(Adaptation::Lora(lora)),
        paper(),
    ] {
        let parameters = reached(&config, true);
        assert!(parameters.iter().any(|(name, _)| is_backbone(name)));
        for (name, reached) in parameters {
            assert_eq!(reached, !is_backbone(&name), "{name}");
        }
    }
}

/// Fresh LoRA leaves the transformer of stage 1 as it is, and every answer.
#[test]
fn fresh_lora_changes_nothing() {
    let device = Device::flex();
    let with = paper();
    let mut without = with.clone();
    without.adaptation = Adaptation::None;
    let with = with.init(&device);
    let plain: NamedTensors = named_tensors(&with)
        .into_iter()
        .filter(|(name, _)| !name.contains(".lora."))
        .collect();
    let without = load_into(without.init(&device), plain).unwrap();
    let input = volume([1, 1, 3, 32, 32], &device);
    with.forward(input.clone())
        .into_data()
        .assert_eq(&without.forward(input).into_data(), true);
}

/// LoRA merged into the weights answers as beside them, in both feed-forward networks.
#[test]
fn merged_lora_is_lora() {
    let device = Device::flex();
    for kind in [FeedForwardKind::Mlp, FeedForwardKind::SwiGlu] {
        let mut config = paper();
        config.vit.feed_forward = kind;
        config.adaptation = Adaptation::Lora(LoraConfig::new().with_rank(2).with_alpha(6.0));
        let network = stirred(config.init(&device));
        let mut tensors = named_tensors(&network);
        let updates = tensors.keys().filter(|name| name.ends_with("lora.up"));
        let maps = if kind == FeedForwardKind::Mlp { 4 } else { 5 };
        assert_eq!(updates.count(), 4 * maps + 1, "every linear map is adapted");
        merge_lora(&mut tensors, &mut config).unwrap();
        let merged = load_into(config.init(&device), tensors).unwrap();
        let input = volume([1, 1, 3, 32, 32], &device);
        let (beside, merged) = (network.forward(input.clone()), merged.forward(input));
        let size = beside.clone().abs().max().into_scalar::<f32>();
        let difference = (beside - merged).abs().max().into_scalar::<f32>();
        assert!(difference <= 1e-5 * size, "{difference} of {size}");
    }
}

/// A forward pass in steps is the forward pass.
#[test]
fn steps_add_up_to_the_whole() {
    let device = Device::flex();
    let network = small(Adaptation::InBlock(Adapter3dConfig::new())).init(&device);
    let input = volume([1, 1, 3, 16, 16], &device);
    let whole = network.forward(input.clone());
    let mut pass = network.start(input);
    let steps = pass.num_steps();
    for done in 0..steps {
        assert_eq!(pass.remaining(), steps - done);
        pass.step();
    }
    assert_eq!(pass.remaining(), 0);
    pass.logits()
        .into_data()
        .assert_approx_eq::<f32>(&whole.into_data(), Tolerance::absolute(1e-6));
}
