//! Which kernels a graphics processor takes, Burn's or ours: it is measured on that one, as none is the fastest everywhere.

use crate::model::step::race::least_ms;
use burn::tensor::{DType, Tensor};
use futures_util::FutureExt;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which of both is taken for a kind of step; Burn's until ours was measured.
pub struct Choice {
    in_single: AtomicBool,
    in_half: AtomicBool,
}

/// For linear maps and products.
pub static PRODUCTS: Choice = Choice::new();
/// For attention.
pub static ATTENTION: Choice = Choice::new();
/// For norms of groups of channels.
pub static GROUP_NORMS: Choice = Choice::new();
/// For norms of rows.
pub static ROW_NORMS: Choice = Choice::new();
/// For convolutions of 3×3×3.
pub static CONVOLUTIONS: Choice = Choice::new();

/// Largest difference between both, relative to the largest value.
fn tolerance(dtype: DType) -> f32 {
    if dtype == DType::F16 { 4e-3 } else { 1e-4 }
}

impl Choice {
    const fn new() -> Self {
        Self {
            in_single: AtomicBool::new(false),
            in_half: AtomicBool::new(false),
        }
    }

    fn of(&self, dtype: DType) -> &AtomicBool {
        if dtype == DType::F16 {
            &self.in_half
        } else {
            &self.in_single
        }
    }

    /// Whether ours is taken for such numbers.
    pub fn is_ours(&self, dtype: DType) -> bool {
        self.of(dtype).load(Ordering::Relaxed)
    }

    /// Measures both, and returns the milliseconds that the faster one takes; none where Burn's gives nothing. `now_ms` is a clock.
    pub async fn make<const A: usize, const B: usize>(
        &self,
        dtype: DType,
        now_ms: impl Fn() -> f64,
        ours: impl Fn() -> Tensor<A>,
        burns: impl Fn() -> Tensor<B>,
    ) -> Option<f64> {
        // The first time is that of compiling.
        let found = read(ours()).await;
        let expected = read(burns()).await?;
        let is_right = found.is_some_and(|found| are_near(&found, &expected, tolerance(dtype)));
        let [of_ours, of_burns] = least_ms(
            &now_ms,
            is_right.then_some(&|runs| repeat(runs, &ours).boxed_local()),
            &|runs| repeat(runs, &burns).boxed_local(),
        )
        .await;
        self.of(dtype).store(of_ours < of_burns, Ordering::Relaxed);
        Some(of_ours.min(of_burns))
    }
}

fn are_near(found: &[f32], expected: &[f32], tolerance: f32) -> bool {
    let most = expected.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= tolerance * most;
    found.len() == expected.len() && found.iter().zip(expected).all(is_near)
}

async fn repeat<const D: usize>(runs: usize, step: impl Fn() -> Tensor<D>) {
    for _ in 1..runs {
        drop(step());
    }
    // The device is done with all of them when it has the last one's values.
    read(step().flatten::<1>(0, D - 1).narrow(0, 0, 1)).await;
}

async fn read<const D: usize>(tensor: Tensor<D>) -> Option<Vec<f32>> {
    let data = tensor.into_data_async().await.ok()?;
    Some(data.iter::<f32>().collect())
}
