//! Gradients of the network's parts and of the loss against finite differences, in 64 bits.
//!
//! What is looked at is the sum of a part's outputs, each times a number drawn once. All parameters and inputs move at once
//! along a line drawn at random, each tensor so far that it counts as much as the others.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, FloatDType, Gradients, Tensor, TensorData};
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::adapter::Adapter3dConfig;
use dinomed3d_core::model::block::BlockConfig;
use dinomed3d_core::model::detail::{DetailConfig, DetailFeatures};
use dinomed3d_core::model::feed_forward::FeedForwardKind;
use dinomed3d_core::model::fusion::GatedFusion;
use dinomed3d_core::model::light_decoder::LightDecoderConfig;
use dinomed3d_core::model::lora::{AdaptedLinear, LoraConfig};
use dinomed3d_core::model::rope::RotaryEmbedding;
use dinomed3d_core::model::slices::{EndSlices, stack_neighbours};
use dinomed3d_core::model::upernet::UperNetConfig;
use dinomed3d_core::model::{DinoMed3dConfig, SliceSegmenter};
use dinomed3d_core::train::freeze::freeze;
use dinomed3d_core::train::loss::{IGNORED, one_hot, segmentation_loss};
use dinomed3d_core::weights::{load_into, named_tensors};
use dinomed3d_volume::random::SplitMix64;
use std::sync::{Mutex, Once, PoisonError};

/// So short that hardly any ReLU turns on the way.
const STEP: f64 = 1e-7;
/// Largest difference of both derivatives, relative to the sum of the tensors' shares.
const TOLERANCE: f64 = 1e-6;

/// The CPU in 64 bits.
fn device() -> Device {
    static CONFIGURED: Once = Once::new();
    let mut device = Device::flex();
    CONFIGURED.call_once(|| device.configure(FloatDType::F64).expect("nobody was first"));
    device
}

/// From -1 to 1.
fn draw(count: usize, seed: u64) -> Vec<f64> {
    let mut random = SplitMix64::new(seed);
    (0..count).map(|_| 2.0 * random.next_f64() - 1.0).collect()
}

fn tensor(values: Vec<f64>, device: &Device) -> Tensor<1> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// A part with the same parameters each time: drawn by chance they would now and then have a kink between the two points. The
/// generator is that of all tests together, so one draws after the other.
fn begun<M: Module>(init: impl Fn(&Device) -> M, device: &Device) -> M {
    static DRAWING: Mutex<()> = Mutex::new(());
    let _alone = DRAWING.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(3);
    let module = init(device);
    // A parameter is drawn when it is first asked for.
    named_tensors(&module);
    module
}

/// A part's inputs, taken from one list.
struct Inputs(Tensor<1>, usize);

impl Inputs {
    fn take<const D: usize>(&mut self, shape: [usize; D]) -> Tensor<D> {
        let (first, count) = (self.1, shape.iter().product());
        self.1 += count;
        self.0.clone().narrow(0, first, count).reshape(shape)
    }
}

/// All values of a part's outputs.
fn flat<const D: usize>(outputs: Vec<Tensor<D>>) -> Tensor<1> {
    let outputs = outputs.into_iter().map(|output| {
        let count = output.shape().num_elements();
        output.reshape([count])
    });
    Tensor::cat(outputs.collect(), 0)
}

struct Collector<'a> {
    gradients: &'a Gradients,
    found: Vec<Vec<f64>>,
}

impl ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let value = param.val();
        let gradient = value.grad(self.gradients);
        // What takes no part has none.
        let gradient = gradient.map_or_else(
            || vec![0.0; value.shape().num_elements()],
            |gradient| gradient.into_data().iter::<f64>().collect(),
        );
        self.found.push(gradient);
    }
}

struct Move<'a> {
    by: f64,
    directions: std::slice::Iter<'a, Vec<f64>>,
}

impl ModuleMapper for Move<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let direction = self.directions.next().expect("one for each parameter");
        param.map(|value| {
            let device = value.device();
            value.clone()
                + tensor(direction.clone(), &device)
                    .reshape(value.dims())
                    .mul_scalar(self.by)
        })
    }
}

/// How far the derivative along a line that backpropagation gives is from that of central differences.
fn difference<M: Module>(
    init: impl Fn(&Device) -> M,
    num_inputs: usize,
    forward: impl Fn(&M, &mut Inputs) -> Tensor<1>,
) -> f64 {
    let device = device();
    let objective = |module: &M, inputs: Tensor<1>| {
        let mut inputs = Inputs(inputs, 0);
        let outputs = forward(module, &mut inputs);
        assert_eq!(inputs.1, num_inputs, "inputs of the part");
        let weights = tensor(draw(outputs.dims()[0], 1), &outputs.device());
        (outputs * weights).sum()
    };
    // What begins as zero would hide what lies before it.
    let mut tensors = named_tensors(&begun(&init, &device));
    for (seed, tensor) in tensors.values_mut().enumerate() {
        let drawn = draw(tensor.values.len(), 100 + seed as u64);
        for (value, drawn) in tensor.values.iter_mut().zip(drawn) {
            *value += 0.2 * drawn as f32;
        }
    }
    let inputs = draw(num_inputs, 2);

    let learning = device.clone().autodiff();
    let module = load_into(begun(&init, &learning), tensors.clone()).expect("its own parameters");
    let module = freeze(module, |_| false);
    let traced = tensor(inputs.clone(), &learning).require_grad();
    let gradients = objective(&module, traced.clone()).backward();
    let mut collector = Collector {
        gradients: &gradients,
        found: Vec::new(),
    };
    module.visit(&mut collector);
    let mut found = collector.found;
    let of_inputs = traced.grad(&gradients).expect("of the inputs");
    found.push(of_inputs.into_data().iter::<f64>().collect());

    let directions = found.iter().enumerate().map(|(seed, gradient)| {
        let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
        let drawn = draw(gradient.len(), 1000 + seed as u64);
        drawn.into_iter().map(|d| d / norm.max(1.0)).collect()
    });
    let directions: Vec<Vec<f64>> = directions.collect();
    let along = |(gradient, direction): (&Vec<f64>, &Vec<f64>)| -> f64 {
        gradient.iter().zip(direction).map(|(g, d)| g * d).sum()
    };
    let shares: Vec<f64> = found.iter().zip(&directions).map(along).collect();

    let plain = load_into(begun(&init, &device), tensors).expect("its own parameters");
    let (of_inputs, of_module) = directions.split_last().expect("that of the inputs");
    let at = |by: f64| -> f64 {
        let directions = of_module.iter();
        let module = plain.clone().map(&mut Move { by, directions });
        let moved = inputs.iter().zip(of_inputs).map(|(x, d)| x + by * d);
        objective(&module, tensor(moved.collect(), &device)).into_scalar()
    };
    let numeric = (at(STEP) - at(-STEP)) / (2.0 * STEP);
    let scale: f64 = shares.iter().map(|share| share.abs()).sum();
    (shares.iter().sum::<f64>() - numeric).abs() / scale
}

fn check<M: Module>(
    part: &str,
    init: impl Fn(&Device) -> M,
    num_inputs: usize,
    forward: impl Fn(&M, &mut Inputs) -> Tensor<1>,
) {
    let difference = difference(init, num_inputs, forward);
    println!("{part}: {difference:.1e}");
    assert!(difference < TOLERANCE, "{part}: {difference:e}");
}

/// For what has no parameters.
fn nothing(_: &Device) -> Vec<Param<Tensor<1>>> {
    Vec::new()
}

fn lora() -> LoraConfig {
    LoraConfig::new().with_rank(3).with_dropout(0.0)
}

/// Two slices of 2 × 3 patches and two more tokens each.
const GRID: [usize; 4] = [1, 2, 2, 3];
const TOKENS: [usize; 3] = [2, 8, 16];

#[test]
fn transformer_blocks() {
    let in_block = Adaptation::InBlock(Adapter3dConfig::new());
    for (part, feed_forward, adaptation) in [
        ("block", FeedForwardKind::Mlp, Adaptation::None),
        ("block with adapter", FeedForwardKind::Mlp, in_block),
        (
            "block with LoRA",
            FeedForwardKind::SwiGlu,
            Adaptation::Lora(lora()),
        ),
    ] {
        let config = BlockConfig::new(16, 2, 24, feed_forward, 0.5);
        let count = TOKENS.iter().product();
        check(
            part,
            |device| config.init(&adaptation, device),
            count,
            |block, inputs| {
                let tokens = inputs.take(TOKENS);
                let rope = RotaryEmbedding::new(2, 2, 3, 8, &tokens.device());
                flat(vec![block.forward(tokens, &rope, 2, GRID)])
            },
        );
    }
}

#[test]
fn what_adapts_a_transformer() {
    let count = TOKENS.iter().product();
    let adapter = |device: &Device| Adapter3dConfig::new().init(16, device);
    check("adapter", adapter, count, |adapter, inputs| {
        flat(vec![adapter.forward(inputs.take(TOKENS), 2, GRID)])
    });
    let linear = |device: &Device| AdaptedLinear::init(6, 5, Some(&lora()), device);
    check("LoRA", linear, 4 * 6, |linear, inputs| {
        flat(vec![linear.forward(inputs.take([2, 2, 6]))])
    });
}

#[test]
fn neighbouring_slices() {
    for ends in [EndSlices::Repeat, EndSlices::Zero] {
        check("neighbouring slices", nothing, 48, |_, inputs| {
            flat(vec![stack_neighbours(
                inputs.take([1, 2, 3, 4, 2]),
                1,
                ends,
            )])
        });
    }
}

/// At half size with a look at full size, as ours, and at full size, as the paper's.
fn details() -> [DetailConfig; 2] {
    let ours = DetailConfig::new().with_base_channels(4);
    let papers = DetailConfig::paper().with_base_channels(2);
    [
        ours.with_full_channels(Some(3)),
        papers.with_out_channels(Some(128)),
    ]
}

#[test]
fn the_detail_stream_and_its_fusion() {
    for detail in details() {
        let init = |device: &Device| detail.init(1, device).expect("a stream");
        check("detail stream", init, 2 * 8 * 8, |stream, inputs| {
            flat(stream.forward(inputs.take([1, 1, 2, 8, 8])).0)
        });
    }
    let init = |device: &Device| GatedFusion::init(3, device);
    check("gated fusion", init, 2 * 36, |fusion, inputs| {
        let [vit, detail] = [(); 2].map(|()| inputs.take([1, 3, 2, 3, 2]));
        flat(vec![fusion.forward(vit, detail)])
    });
}

#[test]
fn both_decoders() {
    let [ours, papers] = details();
    let light = LightDecoderConfig::new()
        .with_tap_channels(8)
        .with_patch_channels(8)
        .with_quarter_channels(8)
        .with_half_channels(8);
    let taps = |inputs: &mut Inputs, columns| {
        let tap = |()| inputs.take([1, 2, 2, columns, 8]);
        [(); 4].map(tap).to_vec()
    };
    // Patches of eight pixels.
    let count = 4 * 64 + 3 * 512 + 4 * 128 + 8 * 32;
    let init = |device: &Device| light.init(8, 8, 3, &ours, device);
    check("light decoder", init, count, |decoder, inputs| {
        let taps = taps(inputs, 2);
        let maps = [(3, 16), (4, 8), (8, 4)];
        let maps = maps.map(|(channels, edge)| inputs.take([1, channels, 2, edge, edge]));
        flat(vec![decoder.forward(taps, DetailFeatures(maps.to_vec()))])
    });
    // Patches of sixteen.
    let upernet = UperNetConfig::new()
        .with_channels(128)
        .with_refined_channels([4, 4])
        .with_dropout(0.0);
    let count = 4 * 32 + 2 * 1024 + 4 * 256 + 128 * 64;
    let init = |device: &Device| upernet.init(8, 2, &papers, device);
    check("UPerNet", init, count, |decoder, inputs| {
        let taps = taps(inputs, 1);
        let maps = [(2, 32), (4, 16), (128, 8)];
        let maps = maps.map(|(channels, edge)| inputs.take([1, channels, 2, edge, edge / 2]));
        flat(vec![decoder.forward(
            taps,
            DetailFeatures(maps.to_vec()),
            [2, 32, 16],
        )])
    });
}

#[test]
fn whole_networks() {
    let json = serde_json::json!({
        "num_classes": 2, "num_neighbours": 1, "end_slices": "repeat", "normed_taps": true,
        "vit": {
            "in_channels": 3, "patch_size": 8, "embed_dim": 16, "depth": 4, "num_heads": 2, "mlp_dim": 32,
            "num_registers": 1, "layer_scale": 0.1, "feed_forward": "mlp"
        },
        "adaptation": {"in-block": {"reduction": 4, "kernel": [3, 3, 3]}},
        "detail": {"base_channels": 8, "blocks": [0, 1, 1], "full_channels": 4},
        "decoder": {"light": {"tap_channels": 8, "patch_channels": 8, "quarter_channels": 8, "half_channels": 8}}
    });
    let config: DinoMed3dConfig = serde_json::from_value(json).unwrap();
    let shape = [1, 1, 2, 16, 8];
    let init = |device: &Device| config.init(device);
    check("network of stage 2", init, 256, |network, inputs| {
        flat(vec![network.forward(inputs.take(shape))])
    });
    let init = |device: &Device| SliceSegmenter::init(&config, device);
    check("network of stage 1", init, 256, |network, inputs| {
        flat(vec![network.forward(inputs.take(shape))])
    });
}

#[test]
fn the_loss() {
    let labels = [0, 1, 2, 1, 0, IGNORED, 2, 2, 0, 0, 1, 1];
    check("loss", nothing, 36, |_, inputs| {
        let logits = inputs.take([2, 3, 1, 2, 3]);
        let target = one_hot(
            labels.map(f32::from).to_vec(),
            [2, 1, 2, 3],
            3,
            &logits.device(),
        );
        let loss = segmentation_loss(logits, target, 0.2);
        flat(vec![loss.total, loss.cross_entropy, loss.dice])
    });
}

/// Of parameters and of inputs: one branch of several is left out on the way back.
#[test]
fn a_wrong_gradient_is_found() {
    let init = |device: &Device| GatedFusion::init(3, device);
    let wrong = difference(init, 2 * 36, |fusion, inputs| {
        let [vit, detail] = [(); 2].map(|()| inputs.take([1, 3, 2, 3, 2]));
        flat(vec![fusion.forward(vit, detail.detach())])
    });
    assert!(wrong > 1000.0 * TOLERANCE, "{wrong:e}");
    let linear = |device: &Device| AdaptedLinear::init(6, 5, None, device);
    let wrong = difference(linear, 4 * 6, |linear, inputs| {
        let x = inputs.take([4, 6]);
        flat(vec![
            linear.forward(x.clone()) + linear.forward(x.clone() * x).detach(),
        ])
    });
    assert!(wrong > 1000.0 * TOLERANCE, "{wrong:e}");
}
