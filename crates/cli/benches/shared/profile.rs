//! How long each part of the network takes, by the spans that `core::model` opens.
//!
//! Only on a device that computes at once, as the processor does; another has computed nothing when a span ends.

use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A span at its place among others.
#[derive(Debug, Serialize)]
pub struct Part {
    /// Names from the outermost span on.
    path: Vec<&'static str>,
    /// Of one run, without what lies in spans within.
    ms: f64,
}

/// Times of the parts of `work`, the mean of some runs.
pub fn of(runs: usize, work: impl Fn()) -> Vec<Part> {
    let clock = Clock::default();
    tracing::subscriber::with_default(clock.clone(), || (0..runs).for_each(|_| work()));
    let state = clock.lock();
    let parts = state.seconds.iter();
    parts
        .map(|(path, seconds)| Part {
            path: path.clone(),
            ms: 1e3 * seconds / runs as f64,
        })
        .collect()
}

/// Of one thread: the network is gone through by one, whoever computes beside it.
#[derive(Clone, Default)]
struct Clock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    names: Vec<&'static str>,
    /// Spans under way, and when the innermost was last at work itself.
    open: Vec<&'static str>,
    since: Option<Instant>,
    seconds: BTreeMap<Vec<&'static str>, f64>,
}

impl State {
    /// What has passed is the innermost span's.
    fn turn(&mut self) {
        let now = Instant::now();
        if let (Some(since), false) = (self.since, self.open.is_empty()) {
            *self.seconds.entry(self.open.clone()).or_default() += (now - since).as_secs_f64();
        }
        self.since = Some(now);
    }
}

impl Clock {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Subscriber for Clock {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target().starts_with("dinomed3d_core::model")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let names = &mut self.lock().names;
        names.push(span.metadata().name());
        Id::from_u64(names.len() as u64)
    }

    fn enter(&self, span: &Id) {
        let mut state = self.lock();
        state.turn();
        let name = state.names[span.into_u64() as usize - 1];
        state.open.push(name);
    }

    fn exit(&self, _: &Id) {
        let mut state = self.lock();
        state.turn();
        state.open.pop();
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
}
