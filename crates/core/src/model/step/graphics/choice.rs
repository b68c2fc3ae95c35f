//! Which kernels a graphics processor takes, Burn's or ours: it is measured on that one, as none is the fastest everywhere.

use burn::tensor::Tensor;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which of both is taken for a kind of step; Burn's until ours was measured.
pub struct Choice(AtomicBool);

/// For linear maps and products.
pub static PRODUCTS: Choice = Choice(AtomicBool::new(false));
/// For attention.
pub static ATTENTION: Choice = Choice(AtomicBool::new(false));
/// For convolutions of 3×3×3.
pub static CONVOLUTIONS: Choice = Choice(AtomicBool::new(false));

/// A measurement is long enough to tell two kernels apart when it takes so many milliseconds, or so many runs.
const LONG_ENOUGH_MS: f64 = 8.0;
const MOST_RUNS: usize = 64;
/// Largest difference between both, relative to the largest value.
const TOLERANCE: f32 = 1e-4;

impl Choice {
    /// Whether ours is taken.
    pub fn is_ours(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Measures both; `now_ms` is a clock.
    pub async fn make(
        &self,
        now_ms: impl Fn() -> f64,
        ours: impl Fn() -> Tensor<1>,
        burns: impl Fn() -> Tensor<1>,
    ) {
        let is_ours = is_faster(now_ms, ours, burns).await;
        self.0.store(is_ours, Ordering::Relaxed);
    }
}

/// Whether the first of two ways to the same values is the faster one; not if it gives others, or nothing.
async fn is_faster(
    now_ms: impl Fn() -> f64,
    first: impl Fn() -> Tensor<1>,
    second: impl Fn() -> Tensor<1>,
) -> bool {
    // The first time is that of compiling.
    let (Some(found), Some(expected)) = (read(first()).await, read(second()).await) else {
        return false;
    };
    let most = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= TOLERANCE * most;
    if found.len() != expected.len() || !found.iter().zip(&expected).all(is_near) {
        return false;
    }
    let mut runs = 1;
    loop {
        let begun_ms = now_ms();
        repeat(runs, &first).await;
        let between_ms = now_ms();
        repeat(runs, &second).await;
        let times = [between_ms - begun_ms, now_ms() - between_ms];
        if runs >= MOST_RUNS || times[0].max(times[1]) >= LONG_ENOUGH_MS {
            return times[0] < times[1];
        }
        runs *= 4;
    }
}

async fn repeat(runs: usize, step: impl Fn() -> Tensor<1>) {
    for _ in 1..runs {
        drop(step());
    }
    // The device is done with all of them when it has the last one's values.
    read(step().narrow(0, 0, 1)).await;
}

async fn read(tensor: Tensor<1>) -> Option<Vec<f32>> {
    let data = tensor.into_data_async().await.ok()?;
    data.try_into_vec().ok()
}
