//! Models of the visitor's own: what was dropped is tried, and one that passes can be chosen for as long as the page is open. Until then
//! the model before it stays.

use super::shown::{ModelEntry, WorkerPhase};
use super::{JobId, Work};
use crate::language::status;
use crate::protocol::{Failure, ModelInfo, ToWorker};
use crate::words;

/// The visitor's models; `B` is a file's bytes.
#[derive(Debug)]
pub struct OwnModels<B> {
    passed: Vec<Passed<B>>,
    trying: Option<Trying<B>>,
}

/// A model that a worker has loaded, and the next one can be given again.
#[derive(Debug)]
struct Passed<B> {
    entry: ModelEntry,
    /// What it calls itself.
    own_name: String,
    bytes: B,
}

#[derive(Debug)]
struct Trying<B> {
    /// What the visitor calls it.
    name: String,
    bytes: B,
    /// The request to a worker; none while there is no worker for it.
    job: Option<JobId>,
}

impl<B: Clone> OwnModels<B> {
    /// None.
    pub fn new() -> Self {
        Self {
            passed: Vec::new(),
            trying: None,
        }
    }

    /// As they can be chosen.
    pub fn entries(&self) -> impl Iterator<Item = ModelEntry> {
        self.passed.iter().map(|passed| passed.entry.clone())
    }

    /// The zip of a chosen one; none of a model of the site's.
    pub fn bytes(&self, name: &str) -> Option<B> {
        let mut passed = self.passed.iter();
        let passed = passed.find(|passed| passed.entry.name == name);
        passed.map(|passed| passed.bytes.clone())
    }

    /// Whether one is tried, or to be.
    pub fn is_trying(&self) -> bool {
        self.trying.is_some()
    }

    /// Tries none any more.
    pub fn give_up(&mut self) {
        self.trying = None;
    }

    /// What a worker was given of which it may have died: the next one would too.
    pub fn drop_sent(&mut self) {
        self.trying.take_if(|trying| trying.job.is_some());
    }

    /// The next worker may be given what this one has not answered.
    pub fn leave_worker(&mut self) {
        if let Some(trying) = &mut self.trying {
            trying.job = None;
        }
    }

    fn answered(&mut self, job: JobId) -> Option<Trying<B>> {
        self.trying.take_if(|trying| trying.job == Some(job))
    }

    /// Takes the place of an older one that calls itself the same.
    fn keep(&mut self, model: Passed<B>) {
        self.passed
            .retain(|passed| passed.own_name != model.own_name);
        self.passed.push(model);
    }
}

impl<B: Clone> Work<B> {
    /// The visitor has brought a model.
    pub(super) fn try_model(&mut self, name: String, bytes: B) {
        if let Some(end) = self.end.clone() {
            self.shown.status = status::MODEL_NOT_OPENED.to_owned();
            self.shown.failure = Some(end);
            return;
        }
        let job = None;
        self.own.trying = Some(Trying { name, bytes, job });
        self.send_tried();
    }

    /// Gives the worker the model that is to be tried.
    pub(super) fn send_tried(&mut self) {
        let Some(trying) = self.own.trying.as_mut().filter(|_| self.life.is_ready()) else {
            return;
        };
        let job = self.jobs.next();
        trying.job = Some(job);
        let (base, bytes) = (trying.name.clone(), trying.bytes.clone());
        // The worker gives up what it was loading.
        self.jobs.model = None;
        self.shown.failure = None;
        self.shown.status = status::checking_model(&base);
        self.shown.worker = WorkerPhase::LoadingModel {
            received: 0,
            total: 0,
        };
        self.post(ToWorker::LoadModel { job, base }, Some(bytes));
    }

    /// Whether a model has come that was tried; it then is the chosen one.
    pub(super) fn own_came(&mut self, job: JobId, info: &ModelInfo) -> bool {
        let Some(Trying { bytes, .. }) = self.own.answered(job) else {
            return false;
        };
        let models = &mut self.shown.models;
        let name = words::own_model(info);
        // Of the same weights under another manifest results are others.
        let is_taken = models.iter().any(|model| model.name == name);
        let name = if is_taken {
            format!("{name} {job}")
        } else {
            name
        };
        models.retain(|model| self.own.bytes(&model.name).is_none());
        self.own.keep(Passed {
            entry: ModelEntry {
                name: name.clone(),
                title: words::own_title(&info.title),
                part_of: None,
                has_document: false,
                offer: None,
            },
            own_name: info.name.clone(),
            bytes,
        });
        models.extend(self.own.entries());
        self.shown.model_name = name;
        true
    }

    /// Whether a model has failed that was tried; the one before it is used further.
    pub(super) fn own_failed(&mut self, job: JobId, failure: &Failure) -> bool {
        if self.own.answered(job).is_none() {
            return false;
        }
        if self.jobs.loaded.is_some() {
            self.shown.worker = WorkerPhase::Usable;
        } else {
            self.shown.worker = WorkerPhase::Starting;
            self.load_model();
        }
        self.shown.status = status::MODEL_NOT_OPENED_ALL_STAYS.to_owned();
        self.shown.failure = Some(failure.clone());
        true
    }
}
