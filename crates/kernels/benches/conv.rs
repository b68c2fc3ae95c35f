//! How fast convolutions of the network's shapes are: `cargo bench -p dinomed3d-kernels`.

use dinomed3d_kernels::{Activation, Conv3, Norm, conv3, group_norm, pointwise};
use std::time::Instant;

fn main() {
    for (what, inputs, outputs, shape, stride) in [
        ("full size, joined", 16, 8, [80, 96, 80], 1),
        ("full size", 8, 8, [80, 96, 80], 1),
        ("full size of the scan", 1, 8, [80, 96, 80], 1),
        ("half size, joined", 40, 24, [80, 48, 40], 1),
        ("half size", 16, 16, [80, 48, 40], 1),
        ("half to quarter", 16, 32, [80, 48, 40], 2),
        ("quarter size", 48, 48, [80, 24, 20], 1),
        ("patches", 128, 64, [80, 6, 5], 1),
        ("hippocampus, half size", 24, 24, [40, 32, 32], 1),
    ] {
        let conv = Conv3 {
            inputs,
            outputs,
            shape,
            stride,
        };
        let input = vec![0.5; inputs * shape.iter().product::<usize>()];
        let weight = vec![0.1; outputs * inputs * 27];
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let begun = Instant::now();
            std::hint::black_box(conv3(conv, &input, &weight, None));
            best = best.min(begun.elapsed().as_secs_f64());
        }
        println!(
            "{what:24} {:7.2} GFLOP {:8.1} ms {:7.1} GFLOP/s",
            conv.flop() / 1e9,
            best * 1e3,
            conv.flop() / 1e9 / best
        );
    }
    for (what, inputs, outputs, voxels) in [
        ("1×1×1, half to full size", 24, 32, 80 * 48 * 40),
        ("1×1×1, half to scores", 24, 76, 80 * 48 * 40),
        ("1×1×1, patch to quarter size", 64, 768, 80 * 6 * 5),
        ("1×1×1, scores", 8, 19, 80 * 96 * 80),
    ] {
        let input = vec![0.5; inputs * voxels];
        let weight = vec![0.1; outputs * inputs];
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let begun = Instant::now();
            std::hint::black_box(pointwise([inputs, outputs], &input, &weight, None));
            best = best.min(begun.elapsed().as_secs_f64());
        }
        let gflop = 2e-9 * (inputs * outputs * voxels) as f64;
        println!(
            "{what:28} {gflop:5.2} GFLOP {:8.1} ms {:7.1} GFLOP/s",
            best * 1e3,
            gflop / best
        );
    }
    let voxels = 80 * 96 * 80;
    let mut values: Vec<f32> = (0..16 * voxels)
        .map(|i| (i % 1000) as f32 / 500.0 - 1.0)
        .collect();
    for activation in [Activation::Relu, Activation::Gelu] {
        let norm = Norm {
            groups: 16,
            epsilon: 1e-5,
            affine: None,
            activation,
        };
        let begun = Instant::now();
        group_norm(norm, 16, &mut values);
        let of_norm = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        activation.apply(&mut values);
        let alone = begun.elapsed().as_secs_f64();
        println!(
            "16 channels at full size: norm and {activation:?} {:.1} ms, {activation:?} alone {:.1} ms",
            of_norm * 1e3,
            alone * 1e3
        );
    }
}
