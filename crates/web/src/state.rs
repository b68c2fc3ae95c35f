//! The page's state as signals. All that concerns the work is written by [`crate::session::Session`] alone, through
//! [`State::show`].

use std::collections::BTreeSet;
use std::rc::Rc;

use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::protocol::{BackendChoice, Failure};
use crate::work::{self, BackendStatus, LoadedModel, ModelEntry, Run, WorkerPhase};

/// The scan on screen, with its file.
pub type Scan = work::Scan<Uint8Array>;
/// The label map on screen, with its file.
pub type Outcome = work::Outcome<Uint8Array>;

/// The page's state: handles, so that it can be copied into every component. The first fields are those of
/// [`work::Shown`].
#[derive(Clone, Copy)]
pub struct State {
    /// What the visitor asked to compute on.
    pub choice: RwSignal<BackendChoice>,
    /// What the worker computes on, once it has said so.
    pub backend: RwSignal<Option<BackendStatus>>,
    /// Where the worker stands.
    pub worker: RwSignal<WorkerPhase>,
    /// The models of this site.
    pub models: RwSignal<Vec<ModelEntry>>,
    /// Folder name of the chosen model.
    pub model_name: RwSignal<String>,
    /// The loaded model.
    pub model: RwSignal<Option<LoadedModel>>,
    /// Whether a scan is being read.
    pub is_reading: RwSignal<bool>,
    /// The scan on screen.
    pub scan: RwSignal<Option<Rc<Scan>>, LocalStorage>,
    /// The segmentation under way.
    pub run: RwSignal<Option<Run>>,
    /// The label map on screen.
    pub outcome: RwSignal<Option<Rc<Outcome>>, LocalStorage>,
    /// The last event, as a sentence.
    pub status: RwSignal<String>,
    /// What went wrong last, until something goes right.
    pub failure: RwSignal<Option<Failure>>,
    /// Whether a segmentation can be asked for.
    pub can_segment: RwSignal<bool>,
    /// Labels that the visitor has hidden.
    pub hidden: RwSignal<BTreeSet<u8>>,
    /// Where the crosshair is.
    pub location: RwSignal<Option<Location>>,
}

/// Where the crosshair is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location {
    /// World position, RAS+.
    pub mm: [f64; 3],
    /// The scan's value there.
    pub value: f64,
    /// The label there, if a label map is shown.
    pub label: Option<u8>,
}

impl State {
    /// A page that has just been opened.
    pub fn new() -> Self {
        Self {
            choice: RwSignal::new(BackendChoice::default()),
            backend: RwSignal::new(None),
            worker: RwSignal::new(WorkerPhase::Starting),
            models: RwSignal::new(Vec::new()),
            model_name: RwSignal::new(String::new()),
            model: RwSignal::new(None),
            is_reading: RwSignal::new(false),
            scan: RwSignal::new_local(None),
            run: RwSignal::new(None),
            outcome: RwSignal::new_local(None),
            status: RwSignal::new(String::new()),
            failure: RwSignal::new(None),
            can_segment: RwSignal::new(false),
            hidden: RwSignal::new(BTreeSet::new()),
            location: RwSignal::new(None),
        }
    }

    /// Shows what the work has come to; what has not changed is not drawn again.
    pub fn show(self, shown: work::Shown<Uint8Array>) {
        put(self.can_segment, shown.can_segment());
        put(self.choice, shown.choice);
        put(self.backend, shown.backend);
        put(self.worker, shown.worker);
        put(self.models, shown.models);
        put(self.model_name, shown.model_name);
        put(self.model, shown.model);
        put(self.is_reading, shown.is_reading);
        put(self.run, shown.run);
        put(self.status, shown.status);
        put(self.failure, shown.failure);
        if !is_same(&self.outcome.get_untracked(), &shown.outcome) {
            self.hidden.update(BTreeSet::clear);
            self.outcome.set(shown.outcome);
        }
        if !is_same(&self.scan.get_untracked(), &shown.scan) {
            self.scan.set(shown.scan);
        }
    }

    /// Whether scan, model and backend can be changed.
    pub fn can_change(self) -> bool {
        self.run.with(Option::is_none)
    }

    /// The state that a parent component put in context.
    pub fn expect() -> Self {
        expect_context()
    }
}

fn put<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|now| *now != value) {
        signal.set(value);
    }
}

fn is_same<T>(a: &Option<Rc<T>>, b: &Option<Rc<T>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Rc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}
