//! `cargo bench -p dinomed3d-cli --bench train_step`: one training step of the compact preset on
//! two windows of the hippocampus recipe, on the CPU; with `--features libtorch` on PyTorch's library.
//! `pytorch_step.py` beside it takes the same step in PyTorch itself, and clips and averages besides.

#[path = "shared/memory.rs"]
mod memory;

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Distribution, Tensor};
use dinomed3d_core::model::presets::Preset;
use dinomed3d_core::train::loss::{CROSS_ENTROPY_WEIGHT, one_hot, segmentation_loss};
use dinomed3d_core::weights::named_tensors;
use std::time::Instant;

const BATCH: usize = 2;
const WINDOW: [usize; 3] = [40, 64, 48];
const STEPS: usize = 8;

#[cfg(not(feature = "libtorch"))]
fn processor() -> Device {
    Device::flex()
}

#[cfg(feature = "libtorch")]
#[allow(deprecated, reason = "as in the program's list of devices")]
fn processor() -> Device {
    Device::libtorch()
}

fn main() {
    let device = processor().autodiff();
    let mut network = Preset::Compact.config(3).init(&device);
    let mut optimizer: ModuleOptimizer = AdamWConfig::new().init();
    let [depth, height, width] = WINDOW;
    let voxels = BATCH * WINDOW.iter().product::<usize>();
    let labels: Vec<f32> = (0..voxels).map(|i| (i / 977 % 3) as f32).collect();
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..STEPS {
        let input = Tensor::<5>::random(
            [BATCH, 1, depth, height, width],
            Distribution::Normal(0.0, 1.0),
            &device,
        );
        let target = one_hot(labels.clone(), [BATCH, depth, height, width], 3, &device);
        let mut at = Instant::now();
        let mut lap = |part: usize| {
            times[part].push(at.elapsed().as_secs_f64());
            at = Instant::now();
        };
        let loss = segmentation_loss(network.forward(input), target, CROSS_ENTROPY_WEIGHT).total;
        let value: f32 = loss.clone().into_scalar();
        assert!(value.is_finite());
        lap(0);
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        lap(1);
        network = optimizer.step(1e-3, network, gradients);
        lap(2);
        assert!(!named_tensors(&network).is_empty());
        lap(3);
    }
    let median = |times: &mut Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    let [forward, backward, step, read] = times.each_mut().map(median);
    println!(
        "compact, {} parameters, {BATCH} windows of {depth}×{height}×{width}: {:.3} s a step (forward {forward:.3}, backward {backward:.3}, optimiser {step:.3}, reading all weights {read:.3}), peak {:.2} GB",
        network.num_params(),
        forward + backward + step,
        memory::peak_bytes("self").unwrap_or(0) as f64 / 1e9
    );
}
