//! Progress of several parts that go on at once, told as that of one whole.

use super::Progress;
use futures_util::lock::Mutex;
use std::cell::RefCell;
use std::ops::ControlFlow;

/// Parts of equal size and whoever hears of them.
pub(crate) struct Together<P> {
    /// One part speaks at a time.
    progress: Mutex<P>,
    fractions: RefCell<Vec<f32>>,
}

impl<P: AsyncFnMut(Progress) -> ControlFlow<()>> Together<P> {
    pub(crate) fn new(progress: P, parts: usize) -> Self {
        Self {
            progress: Mutex::new(progress),
            fractions: RefCell::new(vec![0.0; parts]),
        }
    }

    /// How much of `part` is done; all parts together are `windows`.
    pub(crate) async fn tell(&self, part: usize, fraction: f32, windows: usize) -> ControlFlow<()> {
        let (sum, parts) = {
            let mut fractions = self.fractions.borrow_mut();
            fractions[part] = fraction;
            (fractions.iter().sum::<f32>(), fractions.len() as f32)
        };
        let done = (sum * windows as f32 / parts) as usize;
        let progress = Progress {
            fraction: sum / parts,
            window: (done + 1).min(windows),
            windows,
            found: None,
        };
        (self.progress.lock().await)(progress).await
    }
}
