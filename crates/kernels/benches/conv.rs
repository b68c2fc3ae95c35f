//! How fast operations of the network's shapes are: `cargo bench -p dinomed3d-kernels`.

use dinomed3d_kernels::{
    Activation, Attention, Conv3, Norm, attention, conv3, group_norm, linear, pointwise,
};
use std::hint::black_box;
use std::time::Instant;

/// Seconds of the fastest of several runs.
fn fastest<T>(mut run: impl FnMut() -> T) -> f64 {
    let once = |_| {
        let begun = Instant::now();
        black_box(run());
        begun.elapsed().as_secs_f64()
    };
    (0..7).map(once).fold(f64::INFINITY, f64::min)
}

fn say(what: &str, flop: f64, seconds: f64) {
    println!(
        "{what:30} {:7.3} GFLOP {:8.2} ms {:7.1} GFLOP/s",
        flop / 1e9,
        seconds * 1e3,
        flop / 1e9 / seconds
    );
}

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
        ("hippocampus, full size", 32, 16, [40, 56, 40], 1),
        ("hippocampus, half size", 40, 24, [40, 28, 20], 1),
        ("hippocampus, half to quarter", 16, 32, [40, 28, 20], 2),
        ("hippocampus, quarter size", 48, 48, [40, 14, 10], 1),
        ("hippocampus, patches", 128, 64, [40, 7, 5], 1),
    ] {
        let conv = Conv3 {
            inputs,
            outputs,
            shape,
            stride,
        };
        let input = vec![0.5; inputs * shape.iter().product::<usize>()];
        let weight = vec![0.1; outputs * inputs * 27];
        let seconds = fastest(|| conv3(conv, &input, &weight, None));
        say(what, conv.flop(), seconds);
    }
    for (what, inputs, outputs, voxels) in [
        ("1×1×1, half to full size", 24, 32, 80 * 48 * 40),
        ("1×1×1, half to scores", 24, 76, 80 * 48 * 40),
        ("1×1×1, patch to quarter size", 64, 768, 80 * 6 * 5),
        ("1×1×1, scores", 8, 19, 80 * 96 * 80),
    ] {
        let input = vec![0.5; inputs * voxels];
        let weight = vec![0.1; outputs * inputs];
        let seconds = fastest(|| pointwise([inputs, outputs], &input, &weight, None));
        say(what, 2.0 * (inputs * outputs * voxels) as f64, seconds);
    }
    for (rows, inputs, outputs) in [
        (1600, 128, 384),
        (1600, 128, 128),
        (1600, 128, 512),
        (1600, 512, 128),
        (1400, 128, 32),
        (1400, 32, 128),
        (2800, 192, 576),
        (2800, 768, 192),
        (3216, 384, 1536),
        (3216, 1536, 384),
    ] {
        let input = vec![0.5; rows * inputs];
        let weight = vec![0.1; inputs * outputs];
        let bias = vec![0.1; outputs];
        let as_is = Activation::Identity;
        let seconds = fastest(|| linear([inputs, outputs], &input, &weight, Some(&bias), as_is));
        let what = format!("linear, {rows} of {inputs} to {outputs}");
        say(&what, 2.0 * (rows * inputs * outputs) as f64, seconds);
    }
    for (images, tokens, heads, dim) in [(40, 40, 4, 32), (80, 35, 6, 32), (16, 201, 6, 64)] {
        let joined = vec![0.5; images * tokens * 3 * heads * dim];
        let table = vec![0.5; tokens * dim];
        let given = Attention {
            tokens,
            heads,
            turn: [&table, &table],
        };
        let seconds = fastest(|| attention(given, &joined));
        let what = format!("attention, {images} of {tokens} tokens");
        let flop = 4.0 * (images * heads * tokens * tokens * dim) as f64;
        say(&what, flop, seconds);
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
