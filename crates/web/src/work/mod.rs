//! The page's side of the work, without a browser: what visitor, site and worker say goes in, what the page shows and what
//! is to be done comes out. A worker is disposable: the page keeps the scan's file, so that a fresh one can go on.

mod channels;
mod inside;
mod jobs;
mod learning;
mod life;
mod list;
mod models;
mod opening;
mod own;
mod probabilities;
mod running;
mod sample;
mod segmentation;
mod shown;
#[cfg(test)]
mod tests;
mod worker;

pub use inside::{Ask, Looked};
pub use life::Generation;
pub use list::Brought;
pub use sample::Sample;
pub use shown::{
    BackendStatus, Channel, Closer, ListId, Listed, ListedState, LoadedModel, ModelEntry,
    ModelOffer, OfferedScores, OfferedTraining, OfferedWeights, Offers, Outcome, PartOf, Partial,
    Preflight, Run, Scan, Shown, WorkerPhase,
};

use std::collections::VecDeque;
use std::rc::Rc;

use dinomed3d_volume::volumetry::VolumeRange;

use crate::protocol::{BackendChoice, Failure, FromWorker, JobId, ToWorker};
use inside::Asking;
use jobs::{Jobs, Reading};
use life::Life;
use list::List;
use own::OwnModels;
use running::Found;

/// What is to be done in the world; `B` is a file's bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Order<B> {
    /// Start a worker in place of whatever there is.
    StartWorker {
        /// Its number, to be said of all that comes from it.
        generation: Generation,
        /// Query of its address.
        query: String,
    },
    /// End the worker.
    EndWorker,
    /// Send it this, with a copy of the bytes beside it.
    Post(ToWorker, Option<B>),
    /// Save a file.
    Save {
        /// Its name.
        name: String,
        /// What is in it.
        bytes: B,
        /// Its media type.
        media_type: &'static str,
    },
    /// Mark the result on screen as one that a person has changed, as a closer look has made its file anew; the answer is
    /// [`Work::replace_result`].
    MarkMended,
    /// Take over what the network has learnt from so many strokes: the file of a label map.
    TakeLearnt {
        /// The file.
        bytes: B,
        /// How many.
        strokes: usize,
    },
    /// Ask the site for its models; the answer is [`Work::models_found`].
    FindModels(JobId),
    /// Get what the page will want when there is no network.
    KeepSite,
}

/// The work; `B` is a file's bytes, cheap to clone.
#[derive(Debug)]
pub struct Work<B> {
    shown: Shown<B>,
    life: Life,
    jobs: Jobs<B>,
    list: List<B>,
    /// The visitor's models.
    own: OwnModels<B>,
    /// Which scans of the list the visitor has said are which channels of the model, by place.
    said_channels: Vec<Option<ListId>>,
    /// The time when something was last heard, on the page's clock.
    now_ms: f64,
    /// What the run under way looks closer at, if it does not segment the whole scan.
    looking: Option<Closer>,
    /// The DICOM segmentation of the run under way, whose result comes next.
    seg: Option<B>,
    /// The request whose result is on screen and whose logits the worker has kept.
    kept: Option<JobId>,
    /// What [`Work::kept`] and the ranges of volumes were before a closer look.
    kept_before: Option<(JobId, Option<Rc<Vec<VolumeRange>>>)>,
    /// About the inside of the network.
    asking: Asking,
    /// What is still to be said of files that were no scans.
    left_out: String,
    /// Why there is no worker.
    end: Option<Failure>,
    orders: VecDeque<Order<B>>,
}

impl<B: Clone> Work<B> {
    /// A page that has just been opened: orders the first worker and the site's models.
    pub fn start(choice: BackendChoice) -> Self {
        let mut work = Self {
            shown: Shown::new(choice),
            life: Life::default(),
            jobs: Jobs::new(),
            list: List::new(),
            own: OwnModels::new(),
            said_channels: Vec::new(),
            now_ms: 0.0,
            looking: None,
            seg: None,
            kept: None,
            kept_before: None,
            asking: Asking::default(),
            left_out: String::new(),
            end: None,
            orders: VecDeque::new(),
        };
        work.start_worker();
        work.find_models();
        work
    }

    /// What the page shows.
    pub fn shown(&self) -> Shown<B> {
        let offers = match &self.jobs.reading {
            Some(Reading::Choosing(_, offers)) => Some(Rc::clone(offers)),
            _ => None,
        };
        let of_run = self.list.current().filter(|_| self.shown.run.is_some());
        let working = of_run.or(self.jobs.reading_entry());
        let mut scans = self.list.shown(working, &self.shown.model_name);
        let channels = self.channels();
        // One after the other they are no scans of a model that takes several at once.
        let is_one = channels.is_empty();
        scans.iter_mut().for_each(|scan| scan.is_wanted &= is_one);
        Shown {
            is_reading: self.jobs.is_reading(),
            offers,
            scans,
            channels,
            queue: self.list.place(),
            has_logits: self.kept.is_some() && self.shown.run.is_none(),
            ..self.shown.clone()
        }
    }

    /// What is to be done next.
    pub fn next_order(&mut self) -> Option<Order<B>> {
        self.orders.pop_front()
    }

    /// Puts the message about a failure away.
    pub fn dismiss_failure(&mut self) {
        self.shown.failure = None;
    }

    /// Something went wrong that concerns no worker.
    pub fn say_failure(&mut self, failure: Failure) {
        self.shown.failure = Some(failure);
    }

    /// A worker has said something.
    pub fn hear(
        &mut self,
        generation: Generation,
        message: FromWorker,
        bytes: Option<B>,
        now_ms: f64,
    ) {
        if !self.life.is_present(generation) {
            return;
        }
        self.now_ms = now_ms;
        match message {
            FromWorker::Ready {
                backend,
                adapter,
                reason,
            } => self.greeted(BackendStatus {
                backend,
                adapter,
                reason,
            }),
            FromWorker::Downloading {
                job,
                received,
                total,
            } => {
                if self.jobs.model == Some(job) {
                    self.shown.worker = WorkerPhase::LoadingModel { received, total };
                }
            }
            FromWorker::ModelLoaded {
                job,
                model,
                check_errors,
                millis,
            } => {
                let model = LoadedModel {
                    info: model,
                    check_errors,
                    millis,
                };
                self.model_is_loaded(job, model);
            }
            FromWorker::ScanLoaded { job, scan } => self.scan_is_loaded(job, scan, bytes),
            FromWorker::Choices {
                job,
                offers,
                reason,
            } => self.choices_came(job, offers, reason),
            FromWorker::Progress {
                job,
                fraction,
                window,
                windows,
            } => self.progressed(job, fraction, window, windows),
            FromWorker::Preflight {
                job,
                windows,
                workers,
                seconds,
                memory_bytes,
                advice,
            } => {
                let preflight = Preflight {
                    windows,
                    workers,
                    seconds,
                    memory_bytes,
                    advice,
                };
                self.preflight_came(job, preflight);
            }
            FromWorker::Partial { job } => self.goes_on(job, bytes),
            FromWorker::DicomSeg { job } => {
                if self.shown.is_running(job) {
                    self.seg = bytes;
                }
            }
            FromWorker::Segmented {
                job,
                millis,
                labels,
                statistics,
                warnings,
            } => {
                let found = Found {
                    millis,
                    labels,
                    statistics,
                    warnings,
                };
                self.segmented(job, found, bytes);
            }
            FromWorker::Inside { job, view } => self.inside_came(job, view, bytes),
            FromWorker::VolumeRanges { job, ranges } => {
                if self.kept == Some(job) {
                    self.shown.ranges = Some(Rc::new(ranges));
                }
            }
            FromWorker::Cancelled { job } => self.cancelled(job),
            FromWorker::Failed { job, failure } => self.failed(job, failure),
            FromWorker::Segmentation { job } => self.segmentation_came(job, bytes),
            FromWorker::Learnt { job } => self.has_learnt(job, bytes),
            FromWorker::Probabilities { job, what } => self.probabilities_came(job, what, bytes),
            // What no page asks for.
            FromWorker::Transformed { .. } | FromWorker::Window { .. } => {}
        }
    }

    fn post(&mut self, message: ToWorker, bytes: Option<B>) {
        self.orders.push_back(Order::Post(message, bytes));
    }
}
