//! The page's side of the work: it starts workers, asks them for jobs and writes what they answer into the
//! [`State`]. A worker is disposable: the page keeps the scan's file, so that a fresh one can go on.

use std::time::Duration;

use js_sys::{ArrayBuffer, Uint8Array};
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::Deserialize;
use web_sys::File;

use crate::browser;
use crate::link::Link;
use crate::protocol::{
    AVOID_PARAMETER, BACKEND_PARAMETER, Backend, BackendChoice, FAULT_PARAMETER, Failure,
    FromWorker, JobId, LabelStatistics, ScanInfo, ToWorker,
};
use crate::state::{
    BackendStatus, LoadedModel, ModelEntry, Outcome, Run, Scan, State, WorkerPhase,
};
use crate::words;

const WORKER: &str = "worker_loader.js";
const SAMPLE: &str = "samples/sample.nii.gz";

/// A worker that hasn't stopped by then is ended.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// Workers that may die one after the other, without a finished job between, before the page asks the visitor.
const MAX_RESTARTS: u32 = 2;

/// The page's handle on the work.
#[derive(Clone, Copy)]
pub struct Session {
    state: State,
    inner: StoredValue<Inner, LocalStorage>,
}

struct Inner {
    link: Option<Link>,
    /// Counts workers, so that a late word of an ended one is not taken for the present one's.
    generation: u32,
    last_job: JobId,
    /// Whether the worker has said that it is ready for jobs.
    is_ready: bool,
    /// Whether the worker has loaded its model.
    was_usable: bool,
    restarts: u32,
    /// A failure that a test asks of the first worker.
    fault: Option<String>,
    /// Why WebGPU is not to be tried again.
    avoid_webgpu: Option<String>,
    model_job: Option<JobId>,
    /// A scan that the worker is reading or will read.
    candidate: Option<Candidate>,
    /// The request that gives the scan on screen to a fresh worker.
    restoring: Option<JobId>,
    sample: Option<Uint8Array>,
}

struct Candidate {
    job: Option<JobId>,
    name: String,
    bytes: Uint8Array,
}

#[derive(Deserialize)]
struct ManifestHead {
    title: String,
}

impl Session {
    /// Starts the first worker and looks for the site's models.
    pub fn start(state: State) -> Self {
        let session = Self {
            state,
            inner: StoredValue::new_local(Inner {
                link: None,
                generation: 0,
                last_job: 0,
                is_ready: false,
                was_usable: false,
                restarts: 0,
                fault: browser::query_parameter(FAULT_PARAMETER),
                avoid_webgpu: None,
                model_job: None,
                candidate: None,
                restoring: None,
                sample: None,
            }),
        };
        let choice = browser::query_parameter(BACKEND_PARAMETER).unwrap_or_default();
        state.choice.set(BackendChoice::parse(&choice));
        session.start_worker();
        spawn_local(async move { session.find_models().await });
        session
    }

    /// Computes on something else from now on.
    pub fn choose_backend(self, choice: BackendChoice) {
        self.state.choice.set(choice);
        self.inner.update_value(|inner| {
            inner.avoid_webgpu = None;
            inner.restarts = 0;
        });
        self.state.failure.set(None);
        self.start_worker();
    }

    /// Uses another model from now on.
    pub fn choose_model(self, name: String) {
        self.state.model_name.set(name);
        self.state.failure.set(None);
        self.load_model();
    }

    /// Starts a fresh worker because the visitor asks for one.
    pub fn restart(self) {
        self.inner.update_value(|inner| inner.restarts = 0);
        self.state.failure.set(None);
        if self.state.models.with_untracked(Vec::is_empty) {
            spawn_local(async move { self.find_models().await });
        }
        self.start_worker();
    }

    /// Puts the message about a failure away.
    pub fn dismiss_failure(self) {
        self.state.failure.set(None);
    }

    /// Takes a file that the visitor chose or dropped.
    pub fn open_file(self, file: File) {
        if self.is_busy() {
            return;
        }
        self.state.is_reading.set(true);
        self.state.status.set(format!("Reading {}…", file.name()));
        spawn_local(async move {
            match browser::read_file(&file).await {
                Ok(bytes) => self.open(file.name(), bytes),
                Err(problem) => self.scan_failed(Failure {
                    what: format!("{} could not be read: {problem}", file.name()),
                    advice: "Check that the file is still there and not too large for this device, then choose it again."
                        .to_owned(),
                    is_fatal: false,
                }),
            }
        });
    }

    /// Takes the site's own sample.
    pub fn open_sample(self) {
        if self.is_busy() {
            return;
        }
        self.state.is_reading.set(true);
        self.state.status.set("Fetching the sample…".to_owned());
        spawn_local(async move {
            match self.fetch_sample().await {
                Ok(bytes) => self.open("sample.nii.gz".to_owned(), bytes),
                Err(problem) => self.scan_failed(Failure {
                    what: problem,
                    advice: "Check the connection to this site, or open a scan of your own."
                        .to_owned(),
                    is_fatal: false,
                }),
            }
        });
    }

    /// Segments the scan on screen.
    pub fn segment(self) {
        if !untrack(|| self.state.can_segment()) {
            return;
        }
        self.state.failure.set(None);
        let Some(job) = self.ask(|job| ToWorker::Segment { job }, None) else {
            return;
        };
        let now = browser::now_ms();
        self.state.run.set(Some(Run {
            job,
            fraction: 0.0,
            window: 0,
            windows: 0,
            started_ms: now,
            heard_ms: now,
            is_cancelled: false,
        }));
        self.state.status.set("Segmenting…".to_owned());
    }

    /// Gives the segmentation up.
    pub fn cancel(self) {
        let Some(run) = self.state.run.get_untracked() else {
            return;
        };
        if run.is_cancelled {
            return;
        }
        self.state.run.set(Some(Run {
            is_cancelled: true,
            ..run
        }));
        self.state.status.set("Stopping…".to_owned());
        self.tell(&ToWorker::Cancel { job: run.job }, None);
        set_timeout(
            move || {
                let is_stuck = self
                    .state
                    .run
                    .with_untracked(|now| now.is_some_and(|now| now.job == run.job));
                if is_stuck {
                    self.start_worker();
                    self.state.status.set(
                        "The worker did not stop in time and was ended; a fresh one is starting."
                            .to_owned(),
                    );
                }
            },
            CANCEL_PATIENCE,
        );
    }

    fn is_busy(self) -> bool {
        let is_running = self.state.run.with_untracked(Option::is_some);
        if is_running {
            self.state
                .status
                .set("A segmentation is running. Cancel it first to open another scan.".to_owned());
        }
        is_running || self.state.is_reading.get_untracked()
    }

    async fn find_models(self) {
        match browser::fetch_json::<Vec<String>>("models/index.json").await {
            Ok(names) => {
                let mut models = Vec::new();
                for name in names {
                    // A model without a readable manifest is offered by its folder's name; loading it says what is wrong.
                    let title = browser::fetch_json::<ManifestHead>(&format!(
                        "models/{name}/manifest.json"
                    ))
                    .await
                    .map_or_else(|_| name.clone(), |head| head.title);
                    models.push(ModelEntry { name, title });
                }
                let first = models
                    .first()
                    .map(|model| model.name.clone())
                    .unwrap_or_default();
                self.state.models.set(models);
                self.state.model_name.set(first);
                self.load_model();
            }
            Err(problem) => {
                self.model_is_missing(Failure {
                    what: problem,
                    advice: "Check the connection to this site, then start again.".to_owned(),
                    is_fatal: true,
                });
            }
        }
    }

    async fn fetch_sample(self) -> Result<Uint8Array, String> {
        if let Some(bytes) = self.inner.with_value(|inner| inner.sample.clone()) {
            return Ok(bytes);
        }
        let bytes = browser::fetch_bytes(SAMPLE).await?;
        self.inner
            .update_value(|inner| inner.sample = Some(bytes.clone()));
        Ok(bytes)
    }

    /// Ends the worker, if there is one, and starts another.
    fn start_worker(self) {
        self.state.run.set(None);
        self.state.model.set(None);
        self.state.backend.set(None);
        self.state.worker.set(WorkerPhase::Starting);
        self.state.status.set("Starting…".to_owned());

        let generation = self.inner.with_value(|inner| inner.generation) + 1;
        let mut address = format!(
            "{WORKER}?{BACKEND_PARAMETER}={}",
            self.state.choice.get_untracked().as_str()
        );
        self.inner.update_value(|inner| {
            inner.link = None;
            inner.generation = generation;
            inner.is_ready = false;
            inner.was_usable = false;
            inner.model_job = None;
            inner.restoring = None;
            if let Some(candidate) = &mut inner.candidate {
                candidate.job = None;
            }
            // Only the first worker fails on purpose: the test is about the second one.
            for (key, value) in [
                (FAULT_PARAMETER, inner.fault.take()),
                (AVOID_PARAMETER, inner.avoid_webgpu.clone()),
            ] {
                if let Some(value) = value {
                    address.push_str(&format!("&{key}={}", js_sys::encode_uri_component(&value)));
                }
            }
        });

        let is_present = move || {
            self.inner
                .with_value(|inner| inner.generation == generation)
        };
        let link = Link::start(
            &browser::address(&address),
            move |message, bytes| {
                if is_present() {
                    self.hear(message, bytes);
                }
            },
            move |problem| {
                if is_present() {
                    self.worker_died(Failure {
                        what: format!("The worker stopped: {problem}"),
                        advice: "If this happens again, choose the CPU under “Compute on” or try a smaller scan.".to_owned(),
                        is_fatal: true,
                    });
                }
            },
        );
        match link {
            Ok(link) => self.inner.update_value(|inner| inner.link = Some(link)),
            Err(problem) => self.worker_died(Failure {
                what: format!("No worker could be started: {problem}"),
                advice: "This page needs a browser with module workers; any current one has them."
                    .to_owned(),
                is_fatal: true,
            }),
        }
    }

    /// Sends a new request and returns its number; a failure to send ends the worker.
    fn ask(
        self,
        request: impl FnOnce(JobId) -> ToWorker,
        bytes: Option<&Uint8Array>,
    ) -> Option<JobId> {
        let job = self.inner.with_value(|inner| inner.last_job) + 1;
        self.inner.update_value(|inner| inner.last_job = job);
        self.tell(&request(job), bytes).then_some(job)
    }

    fn tell(self, message: &ToWorker, bytes: Option<&Uint8Array>) -> bool {
        let sent = self.inner.with_value(|inner| {
            inner.link.as_ref().map_or_else(
                || Err("there is none".to_owned()),
                |link| link.send(message, bytes),
            )
        });
        if let Err(problem) = &sent {
            self.worker_died(Failure {
                what: format!("The worker could not be reached: {problem}"),
                advice: "If the scan is very large, try a smaller one.".to_owned(),
                is_fatal: true,
            });
        }
        sent.is_ok()
    }

    fn load_model(self) {
        let name = self.state.model_name.get_untracked();
        if name.is_empty() || !self.inner.with_value(|inner| inner.is_ready) {
            return;
        }
        self.state.model.set(None);
        self.state.worker.set(WorkerPhase::LoadingModel {
            received: 0,
            total: 0,
        });
        self.state.status.set("Loading the model…".to_owned());
        let base = browser::address(&format!("models/{name}/"));
        let job = self.ask(|job| ToWorker::LoadModel { job, base }, None);
        self.inner.update_value(|inner| inner.model_job = job);
    }

    fn open(self, name: String, bytes: Uint8Array) {
        self.inner.update_value(|inner| {
            inner.candidate = Some(Candidate {
                job: None,
                name,
                bytes,
            });
        });
        self.send_candidate();
    }

    /// Gives the worker the file that waits for it.
    fn send_candidate(self) {
        let waiting = self.inner.with_value(|inner| {
            let candidate = inner
                .candidate
                .as_ref()
                .filter(|candidate| candidate.job.is_none())?;
            inner.is_ready.then(|| candidate.bytes.clone())
        });
        let Some(bytes) = waiting else { return };
        let job = self.ask(|job| ToWorker::LoadScan { job }, Some(&bytes));
        self.inner.update_value(|inner| {
            if let Some(candidate) = &mut inner.candidate {
                candidate.job = job;
            }
        });
    }

    /// Gives a fresh worker the scan on screen.
    fn restore_scan(self) {
        let Some(bytes) = self
            .state
            .scan
            .with_untracked(|scan| scan.as_ref().map(|scan| scan.bytes.clone()))
        else {
            return;
        };
        let job = self.ask(|job| ToWorker::LoadScan { job }, Some(&bytes));
        self.inner.update_value(|inner| inner.restoring = job);
    }

    fn hear(self, message: FromWorker, bytes: Option<ArrayBuffer>) {
        match message {
            FromWorker::Ready {
                backend,
                adapter,
                reason,
            } => self.worker_is_ready(BackendStatus {
                backend,
                adapter,
                reason,
            }),
            FromWorker::Downloading {
                job,
                received,
                total,
            } => {
                if self.inner.with_value(|inner| inner.model_job == Some(job)) {
                    self.state
                        .worker
                        .set(WorkerPhase::LoadingModel { received, total });
                }
            }
            FromWorker::ModelLoaded {
                job,
                model,
                check_errors,
                millis,
            } => {
                if self.inner.with_value(|inner| inner.model_job == Some(job)) {
                    self.model_is_loaded(LoadedModel {
                        info: model,
                        check_errors,
                        millis,
                    });
                }
            }
            FromWorker::ScanLoaded { job, scan } => self.scan_is_loaded(job, scan),
            FromWorker::Progress {
                job,
                fraction,
                window,
                windows,
            } => self.state.run.update(|run| {
                if let Some(run) = run.as_mut().filter(|run| run.job == job) {
                    run.fraction = fraction.clamp(0.0, 1.0);
                    run.window = window;
                    run.windows = windows;
                    run.heard_ms = browser::now_ms();
                }
            }),
            FromWorker::Segmented {
                job,
                millis,
                statistics,
                warnings,
            } => self.segmented(job, millis, statistics, warnings, bytes),
            FromWorker::Cancelled { job } => {
                if self.is_running(job) {
                    self.state.run.set(None);
                    self.state
                        .status
                        .set("Stopped. The scan is still here.".to_owned());
                }
            }
            FromWorker::Failed { job, failure } => self.failed(job, failure),
            // Never asked for by the page.
            FromWorker::Transformed { .. } => {}
        }
    }

    fn is_running(self, job: JobId) -> bool {
        self.state
            .run
            .with_untracked(|run| run.is_some_and(|run| run.job == job))
    }

    fn worker_is_ready(self, status: BackendStatus) {
        self.state.backend.set(Some(status));
        let was_ready = self.inner.with_value(|inner| inner.is_ready);
        if was_ready {
            return;
        }
        self.inner.update_value(|inner| inner.is_ready = true);
        self.restore_scan();
        self.send_candidate();
        self.load_model();
    }

    fn model_is_loaded(self, model: LoadedModel) {
        self.inner.update_value(|inner| {
            inner.was_usable = true;
            inner.model_job = None;
        });
        self.state.model.set(Some(model));
        self.state.worker.set(WorkerPhase::Usable);
        self.announce_readiness();
        // The sample is fetched ahead, so that the page needs nobody from now on.
        spawn_local(async move {
            let _ = self.fetch_sample().await;
            browser::keep_site().await;
        });
    }

    fn announce_readiness(self) {
        if self.state.worker.get_untracked() != WorkerPhase::Usable
            || self.state.is_reading.get_untracked()
        {
            return;
        }
        let was_restarted = self.inner.with_value(|inner| inner.restarts > 0);
        let has_scan = self.state.scan.with_untracked(Option::is_some);
        let status = match (has_scan, was_restarted) {
            (true, true) => "A fresh worker is ready, with your scan. You can try again.",
            (true, false) => "Ready to segment.",
            (false, true) => "A fresh worker is ready. Open a scan or take the sample.",
            (false, false) => "Ready. Open a scan or take the sample.",
        };
        self.state.status.set(status.to_owned());
    }

    fn scan_is_loaded(self, job: JobId, info: ScanInfo) {
        if self.inner.with_value(|inner| inner.restoring == Some(job)) {
            self.inner.update_value(|inner| inner.restoring = None);
            return;
        }
        let Some(candidate) = self.take_candidate(job) else {
            return;
        };
        self.forget_outcome();
        self.state.failure.set(None);
        self.state.is_reading.set(false);
        let name = candidate.name.clone();
        self.state.scan.set(Some(Scan {
            name: candidate.name,
            bytes: candidate.bytes,
            info,
        }));
        self.state.status.set(format!("{name} is open."));
        self.announce_readiness();
    }

    fn take_candidate(self, job: JobId) -> Option<Candidate> {
        let is_it = self.inner.with_value(|inner| {
            inner
                .candidate
                .as_ref()
                .is_some_and(|candidate| candidate.job == Some(job))
        });
        if !is_it {
            return None;
        }
        let mut taken = None;
        self.inner
            .update_value(|inner| taken = inner.candidate.take());
        taken
    }

    fn forget_outcome(self) {
        let url = self
            .state
            .outcome
            .with_untracked(|outcome| outcome.as_ref().and_then(|outcome| outcome.url.clone()));
        if let Some(url) = url {
            browser::revoke_object_url(&url);
        }
        self.state.outcome.set(None);
        self.state.hidden.update(|hidden| hidden.clear());
    }

    fn segmented(
        self,
        job: JobId,
        millis: f64,
        statistics: Vec<LabelStatistics>,
        warnings: Vec<String>,
        bytes: Option<ArrayBuffer>,
    ) {
        if !self.is_running(job) {
            return;
        }
        self.state.run.set(None);
        let Some(bytes) = bytes else {
            self.worker_died(Failure {
                what: "The worker sent a result without its label map.".to_owned(),
                advice: "Try again.".to_owned(),
                is_fatal: true,
            });
            return;
        };
        let bytes = Uint8Array::new(&bytes);
        let name = self.state.scan.with_untracked(|scan| {
            words::label_map_name(scan.as_ref().map_or("scan", |scan| &scan.name))
        });
        let labels = self
            .state
            .model
            .with_untracked(|model| model.as_ref().map(|model| model.info.labels.clone()))
            .unwrap_or_default();
        self.forget_outcome();
        self.inner.update_value(|inner| inner.restarts = 0);
        self.state.outcome.set(Some(Outcome {
            name,
            url: browser::object_url(&bytes),
            bytes,
            labels,
            statistics,
            warnings,
            backend: self
                .state
                .backend
                .with_untracked(|status| status.as_ref().map(|status| status.backend)),
            millis,
        }));
        self.state
            .status
            .set(format!("Segmented in {}.", words::elapsed(millis)));
    }

    fn failed(self, job: Option<JobId>, failure: Failure) {
        if failure.is_fatal {
            self.worker_died(failure);
            return;
        }
        let Some(job) = job else {
            self.state.failure.set(Some(failure));
            return;
        };
        if self.inner.with_value(|inner| inner.restoring == Some(job)) {
            self.inner.update_value(|inner| inner.restoring = None);
        }
        if self.inner.with_value(|inner| inner.model_job == Some(job)) {
            self.inner.update_value(|inner| inner.model_job = None);
            self.model_is_missing(failure);
        } else if self.is_running(job) {
            self.state.run.set(None);
            self.state
                .status
                .set("Segmentation failed. The scan is still here.".to_owned());
            self.state.failure.set(Some(failure));
        } else if self.take_candidate(job).is_some() {
            self.scan_failed(failure);
        }
    }

    /// Without a model the worker is of no use, but it may be the connection: the visitor decides.
    fn model_is_missing(self, failure: Failure) {
        self.state.worker.set(WorkerPhase::Gone);
        self.state.status.set("No model is loaded.".to_owned());
        self.state.failure.set(Some(failure));
    }

    fn scan_failed(self, failure: Failure) {
        self.state.is_reading.set(false);
        let status = if self.state.scan.with_untracked(Option::is_some) {
            "The file was not opened. The scan before it is still here."
        } else {
            "The file was not opened."
        };
        self.state.status.set(status.to_owned());
        self.state.failure.set(Some(failure));
    }

    /// Ends a worker that can't go on; starts another if that makes sense.
    fn worker_died(self, failure: Failure) {
        let choice = self.state.choice.get_untracked();
        let ran_webgpu = self.state.backend.with_untracked(|status| {
            status
                .as_ref()
                .is_some_and(|status| status.backend == Backend::WebGpu)
        });
        let mut goes_on = false;
        let mut lost_candidate = false;
        self.inner.update_value(|inner| {
            inner.link = None;
            // Whatever this worker still sends is not heard.
            inner.generation += 1;
            inner.is_ready = false;
            // A file at which a worker dies would kill the next one too.
            lost_candidate = inner.candidate.take().is_some();
            if ran_webgpu && choice == BackendChoice::Automatic {
                inner.avoid_webgpu = Some("WebGPU failed earlier during this visit".to_owned());
                inner.restarts += 1;
                goes_on = true;
            } else {
                goes_on = inner.was_usable && inner.restarts < MAX_RESTARTS;
                inner.restarts += 1;
            }
        });
        if lost_candidate {
            self.state.is_reading.set(false);
        }
        if goes_on {
            self.start_worker();
            self.state.status.set(
                "The worker was ended and a fresh one is starting; what was open stays open."
                    .to_owned(),
            );
        } else {
            self.state.run.set(None);
            self.state.backend.set(None);
            self.state.model.set(None);
            self.state.worker.set(WorkerPhase::Gone);
            self.state
                .status
                .set("The worker was ended. What was open stays open.".to_owned());
        }
        self.state.failure.set(Some(failure));
    }
}
