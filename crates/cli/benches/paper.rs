//! `cargo bench -p dinomed3d-cli --bench paper`: one window of sixteen slices of 224×224 through
//! the paper's network on ViT-S, on the CPU.

#[path = "shared/memory.rs"]
mod memory;

use burn::tensor::{Device, Distribution, Tensor};
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::presets::Preset;
use std::time::Instant;

const WINDOW: [usize; 3] = [16, 224, 224];

fn main() {
    let device = Device::flex();
    let mut config = Preset::PaperS.config(3);
    // As `convert` leaves it: LoRA merged.
    config.adaptation = Adaptation::None;
    let network = config.init(&device);
    let [depth, height, width] = WINDOW;
    let input = Tensor::<5>::random(
        [1, 1, depth, height, width],
        Distribution::Normal(0.0, 1.0),
        &device,
    );
    let begun = Instant::now();
    let mut pass = network.start(input);
    let mut since = Instant::now();
    let mut lap = |pass: &mut dinomed3d_core::model::ForwardPass<'_>, steps: usize| {
        for _ in 0..steps {
            pass.step();
        }
        pass.witness().into_data();
        let seconds = since.elapsed().as_secs_f64();
        since = Instant::now();
        seconds
    };
    let transformer = lap(&mut pass, config.vit.depth);
    let detail = lap(&mut pass, 1);
    let decoder = lap(&mut pass, 1);
    let seconds = begun.elapsed().as_secs_f64();
    let sum: f32 = pass.logits().sum().into_scalar();
    assert!(sum.is_finite());
    let [vit_work, detail_work, decoder_work] = multiplications();
    let total = vit_work + detail_work + decoder_work;
    println!(
        "paper-s, {depth}×{height}×{width}: {seconds:.1} s, peak {:.2} GB, {:.0} GMAC ({:.0} GMAC/s)",
        memory::peak_bytes("self").unwrap_or(0) as f64 / 1e9,
        total / 1e9,
        total / 1e9 / seconds
    );
    for (part, seconds, work) in [
        ("transformer", transformer, vit_work),
        ("detail stream", detail, detail_work),
        ("decoder", decoder, decoder_work),
    ] {
        println!("  {part}: {seconds:.1} s, {:.0} GMAC", work / 1e9);
    }
}

/// Multiply-accumulates of transformer, detail stream and decoder, by their matrix products and
/// convolutions.
fn multiplications() -> [f64; 3] {
    let [depth, height, width] = WINDOW.map(|edge| edge as f64);
    let plane = |factor: f64| height * width / (factor * factor);
    // ViT-S: 12 blocks of width 384, feed-forward 1536, five prefix tokens.
    let (blocks, c, hidden) = (12.0, 384.0, 1536.0);
    let tokens = plane(16.0) + 5.0;
    let block = tokens * (4.0 * c * c + 2.0 * c * hidden) + 2.0 * tokens * tokens * c;
    let transformer = depth * (blocks * block + plane(16.0) * 768.0 * c);

    let conv = |voxels: f64, from: f64, to: f64, kernel: f64| voxels * from * to * kernel;
    let (full, half, quarter) = (depth * plane(1.0), depth * plane(2.0), depth * plane(4.0));
    let detail = conv(full, 1.0, 16.0, 27.0)
        + 2.0 * conv(full, 16.0, 16.0, 27.0)
        + conv(half, 16.0, 32.0, 28.0)
        + 3.0 * conv(half, 32.0, 32.0, 27.0)
        + conv(quarter, 32.0, 64.0, 28.0)
        + 3.0 * conv(quarter, 64.0, 64.0, 27.0)
        + conv(quarter, 64.0, 256.0, 1.0);

    let n = 256.0;
    // Levels of the pyramid; depth grows by the cubic kernels.
    let patches = depth * plane(16.0);
    let levels = [
        (depth + 3.0) * plane(4.0),
        (depth + 1.0) * plane(8.0),
        patches,
        depth * plane(32.0),
    ];
    let lifting = 4.0 * conv(patches, c, n, 1.0)
        + conv(patches, n, n, 64.0)
        + conv(patches, n, n, 8.0)
        + conv(levels[3], n, n, 27.0);
    let gate = conv(levels[0], 2.0 * n, n, 1.0);
    let pyramid = conv(levels[3], 2.0 * n, n, 27.0);
    let down: f64 = levels[..3].iter().map(|&v| conv(v, n, n, 28.0)).sum();
    let join = conv(levels[0], 4.0 * n, n, 27.0);
    let refine = conv(half, 288.0, 64.0, 27.0)
        + conv(half, 64.0, 64.0, 27.0)
        + conv(full, 80.0, 32.0, 27.0)
        + conv(full, 32.0, 32.0, 27.0)
        + conv(full, 32.0, 3.0, 1.0);
    [
        transformer,
        detail,
        lifting + gate + pyramid + down + join + refine,
    ]
}
