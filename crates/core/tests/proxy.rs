//! The proxy task on a finished network is stage 1's network with the same weights.

#[expect(dead_code, reason = "only its network is needed")]
mod small;

use std::ops::ControlFlow;

use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_core::infer::{Computer, ProxyTask, SeenWindow};
use dinomed3d_core::inside::{Inside, Values};
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::adapter::Adapter3dConfig;
use dinomed3d_core::model::{Part, ProxyHead, ProxyWeights, SliceSegmenter};
use dinomed3d_core::weights::{load_into, named_tensors};
use dinomed3d_volume::Affine;
use small::{architecture, random_network};

/// Not whole patches, so that some is cut off again.
const WINDOW: [usize; 3] = [4, 13, 16];
const VALUES: [u8; 3] = [0, 3, 200];

#[test]
fn what_is_looked_at_and_what_is_scored_is_what_stage_1_computes() {
    let device = Device::flex();
    let mut settings = architecture();
    settings.adaptation = Adaptation::InBlock(Adapter3dConfig::new());
    // Adapters begin silent: these speak.
    let network = random_network(&settings, 12);
    let mut tensors = named_tensors(&network);
    for (name, tensor) in &mut tensors {
        if name.contains(".adapter.up.") {
            let wave = |at: usize| 0.3 * (at as f32 * 0.7).sin();
            tensor.values = (0..tensor.values.len()).map(wave).collect();
        }
    }
    let network = load_into(network, tensors.clone()).unwrap();
    let bare = network.without(Part::Adapters);

    let stage1 = SliceSegmenter::init(&settings, &device);
    let mut of_stage1 = named_tensors(&stage1);
    let of_transformer = tensors.into_iter();
    of_stage1.extend(
        of_transformer.filter(|(name, _)| name.starts_with("vit.") && !name.contains(".adapter.")),
    );
    let stage1 = load_into(stage1, of_stage1.clone()).unwrap();
    let weights = ProxyWeights {
        weight: of_stage1["head.classifier.weight"].values.clone(),
        bias: of_stage1["head.classifier.bias"].values.clone(),
    };
    let head = ProxyHead::of(&weights, 8, &device);

    let count = WINDOW.iter().product::<usize>();
    let values: Vec<f32> = (0..count).map(|at| (at as f32 * 0.37).sin()).collect();
    let [slices, rows, columns] = WINDOW;
    let input = TensorData::new(values.clone(), [1, 1, slices, rows, columns]);
    let expected = stage1.forward(Tensor::from_data(input, &device));
    let expected: Vec<f32> = expected.into_data().iter::<f32>().collect();

    let task = |network| {
        let computer = ProxyTask {
            network,
            head: &head,
            window: WINDOW,
            device: &device,
        };
        let go_on = async |_| ControlFlow::Continue(());
        pollster::block_on(computer.logits(values.clone(), go_on)).unwrap()
    };
    let apart = |found: &[f32]| {
        let pairs = found.iter().zip(&expected);
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max)
    };
    let found = task(&bare);
    assert_eq!(found.len(), 3 * count);
    assert!(apart(&found) < 1e-5, "{}", apart(&found));
    assert!(
        apart(&task(&network)) > 1e-3,
        "adapters say nothing: this tests nothing"
    );

    let window = SeenWindow {
        values,
        shape: WINDOW,
        affine: Affine::from_spacing_mm([1.0; 3]),
    };
    let pass = Inside::of(bare, window, &VALUES, &device, async |_| {
        ControlFlow::Continue(())
    });
    let pass = pollster::block_on(pass).unwrap();
    let map = pollster::block_on(pass.proxy(&head, &VALUES)).unwrap();
    let Values::Labels(labels) = &map.values else {
        panic!("a map of labels");
    };
    for (voxel, label) in labels.iter().enumerate() {
        let logits = [0, 1, 2].map(|class| expected[class * count + voxel]);
        let best = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let class = VALUES.iter().position(|value| value == label).unwrap();
        assert!(best - logits[class] < 1e-5, "{voxel}");
    }
    let dice = pass.agreement(&map);
    assert!(!dice.is_empty() && dice.iter().all(|it| (0.0..=1.0).contains(&it.dice)));
}
