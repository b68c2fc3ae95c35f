//! What the page knows. [`crate::session::Session`] is the only writer of all that concerns jobs.

use std::collections::BTreeSet;

use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::protocol::{
    Backend, BackendChoice, CheckErrors, Failure, JobId, LabelInfo, LabelStatistics, ModelInfo,
    ScanInfo,
};

/// The page's state: handles, so that it can be copied into every component.
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
    pub scan: RwSignal<Option<Scan>, LocalStorage>,
    /// The segmentation under way.
    pub run: RwSignal<Option<Run>>,
    /// The label map on screen.
    pub outcome: RwSignal<Option<Outcome>, LocalStorage>,
    /// The last event, as a sentence.
    pub status: RwSignal<String>,
    /// What went wrong last, until something goes right.
    pub failure: RwSignal<Option<Failure>>,
    /// Labels that the visitor has hidden.
    pub hidden: RwSignal<BTreeSet<u8>>,
    /// Where the crosshair is.
    pub location: RwSignal<Option<Location>>,
}

/// Where the worker stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WorkerPhase {
    /// No word from it yet.
    Starting,
    /// The model is on its way, in bytes.
    LoadingModel {
        /// Bytes so far.
        received: u64,
        /// Bytes in all; 0 if unknown.
        total: u64,
    },
    /// The model is loaded and checked.
    Usable,
    /// It is gone, and only the visitor can start another.
    Gone,
}

/// What the worker computes on.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendStatus {
    /// The backend that runs.
    pub backend: Backend,
    /// The graphics adapter, if there is one.
    pub adapter: Option<String>,
    /// Why this backend.
    pub reason: String,
}

/// A model that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Folder name.
    pub name: String,
    /// Name for people.
    pub title: String,
}

/// A model that the worker holds.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModel {
    /// What it is.
    pub info: ModelInfo,
    /// Differences from its known output.
    pub check_errors: CheckErrors,
    /// Time it took to load.
    pub millis: f64,
}

/// The scan on screen.
#[derive(Debug, Clone)]
pub struct Scan {
    /// File name.
    pub name: String,
    /// The file, kept for a fresh worker.
    pub bytes: Uint8Array,
    /// What the worker read.
    pub info: ScanInfo,
}

/// A segmentation under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Its request.
    pub job: JobId,
    /// Share of the work that is done, 0 to 1.
    pub fraction: f32,
    /// Window under way, from 1; 0 until known.
    pub window: usize,
    /// Windows in all; 0 until known.
    pub windows: usize,
    /// When it was asked for, on the page's clock.
    pub started_ms: f64,
    /// When its progress was last heard of.
    pub heard_ms: f64,
    /// Whether the visitor has asked to stop.
    pub is_cancelled: bool,
}

impl Run {
    /// Seconds left at the pace so far; `None` while too little is known.
    pub fn seconds_left(&self) -> Option<f64> {
        let elapsed_ms = self.heard_ms - self.started_ms;
        let fraction = f64::from(self.fraction);
        (fraction > 0.02 && elapsed_ms > 300.0)
            .then(|| elapsed_ms / 1_000.0 * (1.0 - fraction) / fraction)
    }
}

/// The label map on screen.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// File name to save it under.
    pub name: String,
    /// The gzipped NIfTI file.
    pub bytes: Uint8Array,
    /// Address to save it from.
    pub url: Option<String>,
    /// Labels of the model that made it.
    pub labels: Vec<LabelInfo>,
    /// Size of every label.
    pub statistics: Vec<LabelStatistics>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// What it was computed on.
    pub backend: Option<Backend>,
    /// How long it took.
    pub millis: f64,
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
            hidden: RwSignal::new(BTreeSet::new()),
            location: RwSignal::new(None),
        }
    }

    /// Whether a segmentation can be asked for.
    pub fn can_segment(self) -> bool {
        self.worker.get() == WorkerPhase::Usable
            && !self.is_reading.get()
            && self.run.with(Option::is_none)
            && self.scan.with(Option::is_some)
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
