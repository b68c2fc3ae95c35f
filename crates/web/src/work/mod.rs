//! The page's side of the work, without a browser: what visitor, site and worker say goes in, what the page shows and what
//! is to be done comes out. A worker is disposable: the page keeps the scan's file, so that a fresh one can go on.

mod channels;
mod inside;
mod jobs;
mod learning;
mod life;
mod list;
mod own;
mod sample;
mod segmentation;
mod shown;
#[cfg(test)]
mod tests;

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

use crate::language::{self, failure, status};
use crate::protocol::{
    Backend, BackendChoice, Failure, FromWorker, JobId, Probabilities, ScanChoice, ScanInfo,
    ScanOffer, ToWorker,
};
use crate::words;
use inside::Asking;
use jobs::{File, Jobs, Reading};
use life::Life;
use list::List;
use own::OwnModels;

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
    /// About the inside of the network.
    asking: Asking,
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
            asking: Asking::default(),
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

    /// Computes on something else from now on.
    pub fn choose_backend(&mut self, choice: BackendChoice) {
        self.shown.choice = choice;
        self.life.trust_webgpu();
        self.restart();
    }

    /// Uses another model from now on.
    pub fn choose_model(&mut self, name: String) {
        self.own.give_up();
        self.shown.model_name = name;
        self.shown.failure = None;
        self.load_model();
    }

    /// Starts a fresh worker because the visitor asks for one.
    pub fn restart(&mut self) {
        self.list.stop();
        self.life.forgive();
        self.shown.failure = None;
        if self.shown.models.is_empty() {
            self.find_models();
        }
        self.start_worker();
    }

    /// Puts the message about a failure away.
    pub fn dismiss_failure(&mut self) {
        self.shown.failure = None;
    }

    /// Something went wrong that concerns no worker.
    pub fn say_failure(&mut self, failure: Failure) {
        self.shown.failure = Some(failure);
    }

    /// The visitor wants to open a file; returns the number under which the browser is to bring it.
    pub fn open(&mut self, status: String) -> Option<JobId> {
        if self.is_running() || self.jobs.is_reading() {
            return None;
        }
        let job = self.jobs.next();
        self.jobs.reading = Some(Reading::Fetching(job));
        self.shown.status = status;
        Some(job)
    }

    /// The result on screen as a person has changed it, or as it was before; while a run goes on it stays.
    pub fn replace_result(&mut self, outcome: Rc<Outcome<B>>) {
        if self.shown.run.is_some() || self.shown.outcome.is_none() {
            return;
        }
        self.list.keep(&outcome);
        self.shown.outcome = Some(outcome);
    }

    /// Whether a person has changed the result of a scan of the list.
    pub fn is_mended(&self, id: ListId) -> bool {
        self.list.is_mended(id)
    }

    /// Whether a segmentation is under way; says that no scan can be opened then.
    fn is_running(&mut self) -> bool {
        let is_running = self.shown.run.is_some() || self.list.under_way().is_some();
        if is_running {
            self.shown.status = status::RUNNING.to_owned();
        }
        is_running
    }

    /// The visitor has chosen one of the scans that are offered.
    pub fn choose_scan(&mut self, choice: ScanChoice) {
        if self.is_running() {
            return;
        }
        let is_choosing = |reading: &mut Reading<B>| matches!(reading, Reading::Choosing(..));
        let Some(Reading::Choosing(mut file, offers)) = self.jobs.reading.take_if(is_choosing)
        else {
            return;
        };
        file.choice = Some(choice);
        file.offers = Some(offers);
        self.read(file);
    }

    /// The visitor wants all of the scans that are offered, as a list.
    pub fn choose_all_scans(&mut self) {
        if self.is_running() {
            return;
        }
        if let Some(Reading::Choosing(file, offers)) = &self.jobs.reading {
            let first = self.list.add_all_of(file, &offers.scans);
            self.jobs.reading = None;
            self.open_first(first);
        }
    }

    /// The visitor wants to see a scan of the list, with its result.
    pub fn choose_listed(&mut self, id: ListId) {
        if self.is_running() || self.jobs.is_reading() {
            return;
        }
        // A choice that was open is not what the visitor wants to see.
        self.jobs.reading = None;
        if self.list.current() == Some(id) && self.jobs.has_scan {
            return;
        }
        if let Some(file) = self.list.file(id) {
            self.read(file);
        }
    }

    /// The visitor does not want a scan in the list any more; one that is at work stays.
    pub fn remove_listed(&mut self, id: ListId) {
        let is_at_work = self.shown.run.is_some() && self.list.current() == Some(id);
        let is_read = self.jobs.reading_entry() == Some(id);
        if is_at_work || is_read || self.list.under_way() == Some(id) {
            return;
        }
        let is_offered = |reading: &mut Reading<B>| matches!(reading, Reading::Choosing(file, _) if file.entry == Some(id));
        self.jobs.reading.take_if(is_offered);
        let next = self.list.remove(id);
        // While others are at work the screen will change anyway.
        if let Some(next) = next.filter(|_| self.list.under_way().is_none()) {
            self.choose_listed(next);
        }
    }

    /// All results of the list.
    pub fn results(&self) -> Vec<Rc<Outcome<B>>> {
        self.list.results()
    }

    /// Of scans that have just come into the list the first is shown.
    fn open_first(&mut self, first: Option<ListId>) {
        match first.and_then(|first| self.list.file(first)) {
            Some(file) => self.read(file),
            None => self.shown.status = status::NONE_COULD_BE_OPENED.to_owned(),
        }
    }

    /// Has a file read as soon as there is a worker for it.
    fn read(&mut self, file: File<B>) {
        if let Some(end) = self.end.clone() {
            // What is offered is still there for a worker to come.
            self.jobs.reading = file.offers.clone().map(|offers| {
                let file = File {
                    choice: None,
                    offers: None,
                    ..file
                };
                Reading::Choosing(file, offers)
            });
            self.not_opened(end);
            return;
        }
        self.shown.status = status::reading(&file.name);
        self.jobs.reading = Some(Reading::Waiting(file));
        self.send_waiting();
    }

    /// The visitor wants none of the scans that are offered.
    pub fn choose_no_scan(&mut self) {
        if matches!(self.jobs.reading, Some(Reading::Choosing(..))) {
            self.jobs.reading = None;
            self.shown.status = status::NONE_OPENED.to_owned();
            self.announce_readiness();
        }
    }

    /// The visitor wants to see a sample, and so the model that it is for; else as [`Work::open`].
    pub fn open_sample(&mut self, sample: Sample) -> Option<JobId> {
        let job = self.open(status::FETCHING_SAMPLE.to_owned())?;
        let is_there = self
            .shown
            .models
            .iter()
            .any(|model| model.name == sample.model);
        if is_there && self.shown.model_name != sample.model {
            self.choose_model(sample.model.to_owned());
        }
        Some(job)
    }

    /// The browser has brought files, or says why not. Several become a list, and where there is one, each is added to it. A model is
    /// tried.
    pub fn brought(&mut self, job: JobId, scans: Vec<Brought<B>>) {
        if !self.jobs.is_fetched(job) {
            return;
        }
        let (mut models, mut scans): (Vec<_>, Vec<_>) =
            scans.into_iter().partition(|brought| brought.is_model);
        let num_models = models.len();
        match models.pop() {
            Some(Brought { name, bytes, .. }) if num_models == 1 => match bytes {
                Ok(bytes) => self.try_model(name, bytes),
                Err(failure) => self.not_opened(failure),
            },
            Some(_) => self.not_opened(Failure {
                what: failure::several_models(num_models),
                advice: failure::ONE_MODEL_FIRST.to_owned(),
                is_fatal: false,
            }),
            None => {}
        }
        if scans.is_empty() {
            self.go_on();
            return;
        }
        if scans.len() > 1 || !self.list.is_empty() {
            let first = self.list.add(scans);
            self.open_first(first);
            return;
        }
        match scans.pop().map(|brought| (brought.name, brought.bytes)) {
            Some((name, Ok(bytes))) => self.read(File::new(name, bytes)),
            Some((_, Err(failure))) => self.not_opened(failure),
            None => {}
        }
    }

    /// Segments the scan on screen.
    pub fn segment(&mut self, now_ms: f64) {
        let Some(model) = self.jobs.loaded else {
            return;
        };
        if !self.shown().can_segment() {
            return;
        }
        self.now_ms = now_ms;
        let channels = self.channels();
        let job = self.begin_run(status::SEGMENTING.to_owned());
        for (place, channel) in channels.iter().enumerate() {
            let others = channel
                .scan
                .filter(|scan| self.list.current() != Some(*scan));
            if let Some(file) = others.and_then(|scan| self.list.file(scan)) {
                let File {
                    name,
                    bytes,
                    choice,
                    ..
                } = file;
                let message = ToWorker::Channel {
                    job,
                    place,
                    name,
                    choice,
                };
                self.post(message, Some(bytes));
            }
        }
        self.post(ToWorker::Segment { job, model }, None);
    }

    /// The visitor says which scan of the list is a channel of the model.
    pub fn assign_channel(&mut self, place: usize, scan: ListId) {
        let channels = self.channels();
        if place < channels.len() {
            self.said_channels = channels::changed(&channels, place, scan);
        }
    }

    /// A scan of as many volumes as the model takes at once, and that was to be chosen from, is its channels in that order, as the command
    /// line has it; the visitor may say otherwise.
    fn take_as_channels(&mut self) {
        let count = self.channels().len();
        let is_meant = |reading: &mut Reading<B>| match reading {
            Reading::Choosing(_, offers) => match &offers.scans[..] {
                [only] => only.num_volumes == count && only.problem.is_none(),
                _ => false,
            },
            _ => false,
        };
        if count < 2 {
            return;
        }
        if let Some(Reading::Choosing(file, offers)) = self.jobs.reading.take_if(is_meant) {
            let volumes = self.list.add_volumes_of(&file, &offers.scans[0]);
            self.said_channels = volumes.iter().copied().map(Some).collect();
            self.open_first(volumes.first().copied());
        }
    }

    /// Which files are the channels of the model, in words.
    fn given(&self) -> Vec<String> {
        let channels = self.channels().into_iter();
        let words = |Channel { name, scan }| {
            let file = scan.and_then(|scan| self.list.file(scan));
            format!(
                "{name}: {}",
                file.map_or_else(String::new, |file| file.name)
            )
        };
        channels.map(words).collect()
    }

    /// The channels of the loaded model, if it takes several scans at once.
    fn channels(&self) -> Vec<Channel> {
        let Some(LoadedModel { info, .. }) = &self.shown.model else {
            return Vec::new();
        };
        channels::assigned(&info.channels, &self.said_channels, &self.list.names())
    }

    /// Asks how sure the network was of the result on screen.
    pub fn ask_probabilities(&mut self, what: Probabilities) {
        let Some(of) = self.kept.filter(|_| self.shown().has_logits) else {
            return;
        };
        let job = self.jobs.next();
        self.jobs.probabilities = Some(job);
        self.shown.status = status::COMPUTING_CERTAINTY.to_owned();
        self.post(ToWorker::Probabilities { job, of, what }, None);
    }

    /// The worker has told how sure the network was.
    fn probabilities_came(&mut self, job: JobId, what: Probabilities, bytes: Option<B>) {
        let (true, Some(bytes)) = (Jobs::<B>::answers(&mut self.jobs.probabilities, job), bytes)
        else {
            return;
        };
        let outcome = self.shown.outcome.as_ref();
        // What the network was sure of is its own result.
        let found = outcome.map(|outcome| outcome.mended_from.as_ref().unwrap_or(outcome));
        let stem = found.map_or("scan", |outcome| words::result_stem(&outcome.name));
        let end = match what {
            Probabilities::Certainty => {
                self.shown.certainty = Some(Rc::new(bytes));
                self.shown.status = status::CERTAINTY_SHOWN.to_owned();
                return;
            }
            Probabilities::CertaintyFile => "certainty",
            Probabilities::OfLabels => "probseg",
        };
        let name = format!("{stem}_{end}.nii.gz");
        self.shown.status = status::saved(&name);
        self.orders.push_back(Order::Save { name, bytes });
    }

    /// Nothing is known any more of how sure the network was.
    fn forget_probabilities(&mut self) {
        self.jobs.probabilities = None;
        self.forget_learning();
        self.kept = None;
        self.shown.certainty = None;
        self.shown.ranges = None;
        self.forget_inside();
    }

    /// Segments all scans of the list that the model has not segmented yet, one after the other.
    pub fn segment_all(&mut self, now_ms: f64) {
        if !self.shown().can_segment_all() {
            return;
        }
        self.now_ms = now_ms;
        self.shown.failure = None;
        self.jobs.reading = None;
        self.list.line_up(&self.shown.model_name);
        self.go_on();
    }

    /// Does what is next, once nothing is under way: the next step of the list, or what keeps worker and screen the same.
    fn go_on(&mut self) {
        if self.shown.run.is_some() || self.jobs.is_reading() {
            return;
        }
        let (Some(id), Some((place, of))) = (self.list.under_way(), self.list.place()) else {
            let is_idle = self.life.is_ready() && self.jobs.restoring.is_none();
            if is_idle && !self.jobs.has_scan {
                self.restore_scan();
            }
            return;
        };
        if self.list.current() != Some(id) || !self.jobs.has_scan {
            match self.list.file(id) {
                Some(file) => {
                    let status = status::reading_place(&file.name, place, of);
                    self.read(file);
                    self.shown.status = status;
                }
                None => self.next_in_list(),
            }
        } else if let Some(model) = self.jobs.loaded {
            let name = self.shown.scan.as_ref().map_or("", |scan| &*scan.name);
            let job = self.begin_run(status::segmenting(name, place, of));
            self.post(ToWorker::Segment { job, model }, None);
        }
    }

    /// The turn of a scan of the list is over; the next one has its.
    fn next_in_list(&mut self) {
        if let Some((done, failed)) = self.list.advance() {
            self.shown.status = words::list_is_done(done, failed);
        }
        self.go_on();
    }

    /// Looks closer at a part of what was found.
    pub fn look_closer(&mut self, closer: Closer, now_ms: f64) {
        let Some(outcome) = self.shown.outcome.clone() else {
            return;
        };
        if !self.shown().can_segment() || !outcome.closer.contains(&closer) {
            return;
        }
        self.now_ms = now_ms;
        let job = self.begin_run(status::looking_closer(&closer.name));
        let model = model_base(&closer.model);
        let labels = outcome.labels.clone();
        self.post(
            ToWorker::Closer { job, model, labels },
            Some(outcome.bytes.clone()),
        );
        self.looking = Some(closer);
    }

    fn begin_run(&mut self, status: String) -> JobId {
        let job = self.jobs.next();
        // The worker keeps the logits of one result, the newest.
        self.kept = None;
        self.forget_inside();
        self.shown.failure = None;
        self.shown.status = status;
        self.shown.run = Some(Run {
            job,
            fraction: 0.0,
            window: 0,
            windows: 0,
            started_ms: self.now_ms,
            heard_ms: self.now_ms,
            is_cancelled: false,
        });
        job
    }

    /// The run is over, whatever came of it, and with it what it had labelled so far; returns what it looked closer at.
    fn end_run(&mut self) -> Option<Closer> {
        self.shown.run = None;
        self.shown.partial = None;
        self.seg = None;
        self.looking.take()
    }

    /// Gives the segmentation up, and with it what is left of the list; returns it, for [`Work::out_of_patience`].
    pub fn cancel(&mut self) -> Option<JobId> {
        if self.list.stop() && self.shown.run.is_none() {
            // The scan on its way is still shown.
            self.shown.status = status::STOPPED.to_owned();
            self.send_waiting();
        }
        let run = self.shown.run.as_mut().filter(|run| !run.is_cancelled)?;
        run.is_cancelled = true;
        let job = run.job;
        self.shown.status = status::STOPPING.to_owned();
        self.post(ToWorker::Cancel { job }, None);
        Some(job)
    }

    /// Ends a worker that has not stopped a cancelled segmentation in time.
    pub fn out_of_patience(&mut self, job: JobId) {
        if self.shown.is_running(job) {
            self.start_worker();
            self.shown.status = status::ENDED_LATE.to_owned();
        }
    }

    /// The site's models, or why there are none.
    pub fn models_found(&mut self, job: JobId, models: Result<Vec<ModelEntry>, String>) {
        if !Jobs::<B>::answers(&mut self.jobs.lookup, job) {
            return;
        }
        match models {
            Ok(models) => {
                let first = models.first().map(|model| model.name.clone());
                // A model of the visitor's may have come first.
                if self.own.bytes(&self.shown.model_name).is_none() {
                    self.shown.model_name = first.unwrap_or_default();
                }
                self.shown.models = models;
                self.shown.models.extend(self.own.entries());
                if self.jobs.loaded.is_none() {
                    self.load_model();
                }
            }
            Err(problem) => self.model_is_missing(Failure {
                what: problem,
                advice: failure::CHECK_CONNECTION.to_owned(),
                is_fatal: true,
            }),
        }
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
            } => {
                self.shown.backend = Some(BackendStatus {
                    backend,
                    adapter,
                    reason,
                });
                if self.life.greets() {
                    // The next of a list takes its place.
                    if self.list.under_way().is_none() {
                        self.restore_scan();
                    }
                    self.send_waiting();
                    self.load_model();
                }
            }
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
                if self.own_came(job, &model) || Jobs::<B>::answers(&mut self.jobs.model, job) {
                    self.said_channels.clear();
                    self.jobs.loaded = Some(job);
                    self.life.proves_itself();
                    self.shown.model = Some(LoadedModel {
                        info: model,
                        check_errors,
                        millis,
                    });
                    self.shown.worker = WorkerPhase::Usable;
                    self.take_as_channels();
                    self.announce_readiness();
                    self.ask_preflight();
                    self.orders.push_back(Order::KeepSite);
                    self.send_waiting();
                    self.go_on();
                }
            }
            FromWorker::ScanLoaded { job, scan } => self.scan_is_loaded(job, scan, bytes),
            FromWorker::Choices {
                job,
                offers,
                reason,
            } => {
                if let Some(file) = self.jobs.is_read(job) {
                    if self.list.under_way().is_some() {
                        self.several_in_list(&file, &offers);
                        return;
                    }
                    self.shown.failure = None;
                    self.shown.status = words::several_scans(&file.name, &offers);
                    let offers = Rc::new(Offers {
                        name: file.name.clone(),
                        scans: offers,
                        reason,
                    });
                    self.jobs.reading = Some(Reading::Choosing(file, offers));
                    self.take_as_channels();
                }
            }
            FromWorker::Progress {
                job,
                fraction,
                window,
                windows,
            } => {
                self.inside_goes_on(job, fraction);
                if self.is_learning(job) {
                    self.shown.learning = Some(fraction.clamp(0.0, 1.0));
                }
                if let Some(run) = self.shown.run.as_mut().filter(|run| run.job == job) {
                    run.fraction = fraction.clamp(0.0, 1.0);
                    run.window = window;
                    run.windows = windows;
                    run.heard_ms = now_ms;
                }
            }
            FromWorker::Preflight {
                job,
                windows,
                workers,
                seconds,
                memory_bytes,
                advice,
            } => {
                if Jobs::<B>::answers(&mut self.jobs.preflight, job) {
                    self.shown.preflight = Some(Preflight {
                        windows,
                        workers,
                        seconds,
                        memory_bytes,
                        advice,
                    });
                }
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
                if !self.shown.is_running(job) {
                    return;
                }
                let Some(bytes) = bytes else {
                    self.died(Failure {
                        what: failure::NO_LABEL_MAP.to_owned(),
                        advice: failure::TRY_AGAIN.to_owned(),
                        is_fatal: true,
                    });
                    return;
                };
                let seg = self.seg.take();
                let looked_at = self.end_run();
                self.forget_probabilities();
                // A closer look is of another network.
                self.kept = looked_at.is_none().then_some(job);
                self.life.forgive();
                let closer = self.closer_after(looked_at.as_ref());
                let scan = self.shown.scan.as_ref();
                // A closer look keeps what a person has changed elsewhere.
                let before = self.shown.outcome.as_ref().filter(|_| looked_at.is_some());
                let mended_from = before.and_then(|before| before.mended_from.clone());
                let is_mended = mended_from.is_some();
                let name = words::label_map_name(scan.map_or("scan", |scan| &scan.name));
                let made_by = match before {
                    Some(before) => before.made_by.clone(),
                    None => {
                        let model = self.shown.model.as_ref();
                        model.map(|model| Rc::new(model.info.clone()))
                    }
                };
                let mut looked_closer =
                    before.map_or_else(Vec::new, |before| before.looked_closer.clone());
                looked_closer.extend(looked_at.clone());
                let given = match before {
                    Some(before) => before.given.clone(),
                    None => self.given(),
                };
                let outcome = Rc::new(Outcome {
                    name: if is_mended {
                        words::mended_name(&name)
                    } else {
                        name
                    },
                    bytes,
                    seg: seg.filter(|_| !is_mended),
                    mended_from,
                    learnt_from: before.and_then(|before| before.learnt_from),
                    labels,
                    statistics,
                    warnings,
                    model: match (looked_at, &self.shown.outcome) {
                        (Some(_), Some(before)) => before.model.clone(),
                        _ => self.shown.model_name.clone(),
                    },
                    given,
                    made_by,
                    looked_closer,
                    closer,
                    backend: self.shown.backend.as_ref().map(|status| status.backend),
                    millis,
                });
                self.list.keep(&outcome);
                self.shown.outcome = Some(outcome);
                if is_mended {
                    self.orders.push_back(Order::MarkMended);
                }
                self.shown.status = status::segmented(&words::elapsed(millis));
                self.next_in_list();
            }
            FromWorker::Inside { job, view } => self.inside_came(job, view, bytes),
            FromWorker::VolumeRanges { job, ranges } => {
                if self.kept == Some(job) {
                    self.shown.ranges = Some(Rc::new(ranges));
                }
            }
            FromWorker::Cancelled { job } => {
                self.inside_failed(job);
                if self.learning_ends(job).is_some() {
                    self.shown.status = status::NOTHING_LEARNT.to_owned();
                }
                if self.shown.is_running(job) {
                    self.end_run();
                    self.shown.status = status::STOPPED_SCAN_STAYS.to_owned();
                }
            }
            FromWorker::Failed { job, failure } => self.failed(job, failure),
            FromWorker::Segmentation { job } => self.segmentation_came(job, bytes),
            FromWorker::Learnt { job } => self.has_learnt(job, bytes),
            FromWorker::Probabilities { job, what } => self.probabilities_came(job, what, bytes),
            // What no page asks for.
            FromWorker::Transformed { .. } | FromWorker::Window { .. } => {}
        }
    }

    /// A worker can't be heard, reached or started.
    pub fn broke(&mut self, generation: Generation, failure: Failure) {
        if self.life.is_present(generation) {
            self.died(failure);
        }
    }

    fn start_worker(&mut self) {
        self.leave_worker();
        self.end = None;
        self.shown.worker = WorkerPhase::Starting;
        self.shown.status = status::STARTING.to_owned();
        let generation = self.life.begin();
        let query = self.life.query(self.shown.choice);
        self.orders
            .push_back(Order::StartWorker { generation, query });
    }

    /// Forgets the worker, its model and what it was asked.
    fn leave_worker(&mut self) {
        self.orders
            .retain(|order| !matches!(order, Order::Post(..)));
        self.jobs.leave_worker();
        self.own.leave_worker();
        self.end_run();
        self.forget_learning();
        self.kept = None;
        self.forget_inside();
        self.shown.preflight = None;
        self.shown.model = None;
        self.shown.backend = None;
    }

    fn post(&mut self, message: ToWorker, bytes: Option<B>) {
        self.orders.push_back(Order::Post(message, bytes));
    }

    fn find_models(&mut self) {
        let job = self.jobs.next();
        self.jobs.lookup = Some(job);
        self.orders.push_back(Order::FindModels(job));
    }

    fn load_model(&mut self) {
        if self.own.is_trying() {
            self.send_tried();
            return;
        }
        if self.shown.model_name.is_empty() || !self.life.is_ready() {
            return;
        }
        self.jobs.loaded = None;
        self.jobs.preflight = None;
        self.shown.preflight = None;
        self.shown.model = None;
        self.shown.worker = WorkerPhase::LoadingModel {
            received: 0,
            total: 0,
        };
        self.shown.status = status::LOADING_MODEL.to_owned();
        let job = self.jobs.next();
        self.jobs.model = Some(job);
        let own = self.own.bytes(&self.shown.model_name);
        let base = match own {
            Some(_) => self.shown.model_name.clone(),
            None => model_base(&self.shown.model_name),
        };
        self.post(ToWorker::LoadModel { job, base }, own);
    }

    /// Gives the worker the file that waits for it.
    fn send_waiting(&mut self) {
        if !self.life.is_ready() {
            return;
        }
        // A worker that has not proven itself when a scan of a list kills it would be the last.
        if self.list.under_way().is_some() && self.jobs.loaded.is_none() {
            return;
        }
        match self.jobs.reading.take() {
            Some(Reading::Waiting(file)) => {
                let job = self.jobs.next();
                let choice = file.choice;
                self.post(ToWorker::LoadScan { job, choice }, Some(file.bytes.clone()));
                self.jobs.reading = Some(Reading::Sent(job, file));
            }
            other => self.jobs.reading = other,
        }
    }

    /// Gives a fresh worker the scan on screen.
    fn restore_scan(&mut self) {
        if let Some(scan) = self.shown.scan.clone() {
            let job = self.jobs.next();
            self.jobs.restoring = Some(job);
            let choice = scan.choice;
            self.post(ToWorker::LoadScan { job, choice }, Some(scan.bytes.clone()));
        }
    }

    /// Asks what segmenting the scan on screen will take, if the worker has scan and model.
    fn ask_preflight(&mut self) {
        self.shown.preflight = None;
        let has_scan = self.shown.scan.is_some() && self.jobs.restoring.is_none();
        let (Some(model), true) = (self.jobs.loaded, has_scan) else {
            return;
        };
        let job = self.jobs.next();
        self.jobs.preflight = Some(job);
        self.post(ToWorker::Preflight { job, model }, None);
    }

    /// A run has labelled some more.
    fn goes_on(&mut self, job: JobId, bytes: Option<B>) {
        let is_wanted = |run: &Run| run.job == job && !run.is_cancelled;
        let (true, Some(bytes)) = (self.shown.run.as_ref().is_some_and(is_wanted), bytes) else {
            return;
        };
        // A closer look begins with the labels of the result, whose model need not be the chosen one any more.
        let of_outcome = self
            .shown
            .outcome
            .as_ref()
            .filter(|_| self.looking.is_some());
        let of_model = self.shown.model.as_ref().map(|model| &model.info.labels);
        let labels = of_outcome.map(|outcome| &outcome.labels).or(of_model);
        self.shown.partial = Some(Rc::new(Partial {
            bytes,
            labels: labels.cloned().unwrap_or_default(),
        }));
    }

    /// What can be looked at closer in a result that has just come: what the site's models know a part of, or, after a closer
    /// look, what is left.
    fn closer_after(&self, looked_at: Option<&Closer>) -> Vec<Closer> {
        if let Some(looked_at) = looked_at {
            let before = self
                .shown
                .outcome
                .iter()
                .flat_map(|outcome| &outcome.closer);
            return before
                .filter(|closer| *closer != looked_at)
                .cloned()
                .collect();
        }
        let Some(model) = &self.shown.model else {
            return Vec::new();
        };
        let mut closer: Vec<Closer> = Vec::new();
        for entry in &self.shown.models {
            let part = entry.part_of.as_ref();
            let Some(part) = part.filter(|part| part.model == model.info.name) else {
                continue;
            };
            // The same model may be there once more, with its weights in fewer bits.
            if closer.iter().all(|closer| closer.name != part.name) {
                closer.push(Closer {
                    model: entry.name.clone(),
                    name: part.name.clone(),
                });
            }
        }
        closer
    }

    fn announce_readiness(&mut self) {
        if self.shown.worker != WorkerPhase::Usable {
            return;
        }
        match &self.jobs.reading {
            Some(Reading::Choosing(_, offers)) => {
                self.shown.status = words::several_scans(&offers.name, &offers.scans);
                return;
            }
            Some(_) => return,
            None => {}
        }
        let status = match (self.shown.scan.is_some(), self.life.is_restarted()) {
            (_, true) if !self.list.is_empty() => status::FRESH_WITH_LIST,
            (true, true) => status::FRESH_WITH_SCAN,
            (true, false) => status::READY_TO_SEGMENT,
            (false, true) => status::FRESH,
            (false, false) => status::READY,
        };
        self.shown.status = status.to_owned();
    }

    fn scan_is_loaded(&mut self, job: JobId, info: ScanInfo, view: Option<B>) {
        if Jobs::<B>::answers(&mut self.jobs.restoring, job) {
            self.jobs.has_scan = true;
            self.ask_preflight();
            return;
        }
        let Some(file) = self.jobs.is_read(job) else {
            return;
        };
        let File {
            name,
            bytes,
            choice,
            entry,
            ..
        } = file;
        self.jobs.has_scan = true;
        self.forget_probabilities();
        let entry = self.keep_mended(entry, &name, &bytes, choice);
        self.shown.outcome = self.list.opened(entry, choice);
        self.shown.failure = None;
        self.shown.status = status::is_open(&name);
        self.shown.scan = Some(Rc::new(Scan {
            name,
            bytes,
            choice,
            view,
            info,
        }));
        self.announce_readiness();
        self.ask_preflight();
        self.go_on();
    }

    /// A scan by itself whose result a person has changed, or that is a channel of the model, is kept in a list when another one takes its
    /// place, which is in that list too; returns the new one's place.
    fn keep_mended(
        &mut self,
        entry: Option<ListId>,
        name: &str,
        bytes: &B,
        choice: Option<ScanChoice>,
    ) -> Option<ListId> {
        let is_mended = |outcome: &&Rc<Outcome<B>>| outcome.mended_from.is_some();
        let is_alone = self.list.current().is_none();
        let is_kept = self
            .shown
            .outcome
            .as_ref()
            .is_some_and(|outcome| is_mended(&outcome))
            || !self.channels().is_empty();
        let (true, true, Some(scan)) = (is_alone, is_kept, &self.shown.scan) else {
            return entry;
        };
        self.list.take_in(scan, self.shown.outcome.clone());
        entry.or_else(|| {
            let id = self
                .list
                .take_in_read(name.to_owned(), bytes.clone(), choice);
            Some(id)
        })
    }

    /// What has its turn in the list holds several scans: all have their turn, but of volumes of one scan one must be chosen.
    fn several_in_list(&mut self, file: &File<B>, offers: &[ScanOffer]) {
        if let [only] = offers {
            let problem = language::list::choose_volume(only.num_volumes);
            self.list.fail(file.entry, &problem);
            self.next_in_list();
            return;
        }
        self.list.add_all_of(file, offers);
        self.go_on();
    }

    fn failed(&mut self, job: Option<JobId>, failure: Failure) {
        if failure.is_fatal {
            self.died(failure);
            return;
        }
        let Some(job) = job else {
            self.shown.failure = Some(failure);
            return;
        };
        if self.own_failed(job, &failure) {
            return;
        }
        if Jobs::<B>::answers(&mut self.jobs.model, job) {
            self.model_is_missing(failure);
        } else if Jobs::<B>::answers(&mut self.jobs.probabilities, job)
            || self.inside_failed(job)
            || self.segmentation_ends(job).is_some()
            || self.learning_ends(job).is_some()
        {
            self.shown.failure = Some(failure);
        } else if self.shown.is_running(job) {
            self.end_run();
            self.list.fail(self.list.current(), &failure.what);
            if self.list.under_way().is_some() {
                self.next_in_list();
                return;
            }
            self.shown.status = status::FAILED.to_owned();
            self.shown.failure = Some(failure);
        } else if let Some(mut file) = self.jobs.is_read(job) {
            self.list.fail(file.entry, &failure.what);
            if self.list.under_way().is_some() {
                self.next_in_list();
                return;
            }
            let (entry, name) = (file.entry, file.name.clone());
            // Another one of those that were offered may do.
            if let Some(offers) = file.offers.take() {
                file.choice = None;
                self.jobs.reading = Some(Reading::Choosing(file, offers));
            } else if entry.is_some() && self.list.current().is_none() {
                // The first of a list that can be shown is.
                if let Some(next) = self.list.first_unopened().and_then(|id| self.list.file(id)) {
                    self.read(next);
                    return;
                }
            }
            match entry {
                Some(_) => self.shown.status = status::not_opened_list_says(&name),
                None => self.not_opened(failure),
            }
            self.go_on();
        } else if !Jobs::<B>::answers(&mut self.jobs.preflight, job) {
            Jobs::<B>::answers(&mut self.jobs.restoring, job);
        }
    }

    /// Without a model the worker is of no use, but it may be the connection: the visitor decides.
    fn model_is_missing(&mut self, failure: Failure) {
        self.shown.worker = WorkerPhase::Gone;
        self.shown.status = status::NO_MODEL.to_owned();
        self.shown.failure = Some(failure);
        // The scan of the list that waited for it can still be shown.
        if self.list.stop() {
            self.send_waiting();
        }
    }

    fn not_opened(&mut self, failure: Failure) {
        self.shown.status = if self.shown.scan.is_some() {
            status::NOT_OPENED_SCAN_STAYS
        } else {
            status::NOT_OPENED
        }
        .to_owned();
        self.shown.failure = Some(failure);
    }

    /// Ends a worker that can't go on; starts another if that makes sense.
    fn died(&mut self, failure: Failure) {
        let ran_webgpu = self
            .shown
            .backend
            .as_ref()
            .is_some_and(|status| status.backend == Backend::WebGpu);
        // A file at which a worker dies would kill the next one too.
        let of_run = self.list.current().filter(|_| self.shown.run.is_some());
        self.own.drop_sent();
        let entry = self.jobs.drop_sent().or(of_run);
        self.list.fail(entry, &failure.what);
        let is_of_list = entry.is_some() && self.list.under_way() == entry;
        if is_of_list {
            // It is the scan's fault until another one dies too.
            self.life.forgive();
        }
        if self.life.end(self.shown.choice, ran_webgpu) {
            self.start_worker();
            self.shown.status = status::ENDED_RESTARTING.to_owned();
            if is_of_list {
                self.next_in_list();
                return;
            }
        } else {
            self.list.stop();
            self.leave_worker();
            self.jobs.drop_waiting();
            self.end = Some(failure.clone());
            self.orders.push_back(Order::EndWorker);
            self.shown.worker = WorkerPhase::Gone;
            self.shown.status = status::ENDED.to_owned();
        }
        self.shown.failure = Some(failure);
    }
}

/// The folder of a model, as the worker is told.
fn model_base(name: &str) -> String {
    format!("models/{name}/")
}
