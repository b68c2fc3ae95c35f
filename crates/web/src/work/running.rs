//! Segmentation under way: of the scan on screen, of all of a list, or of a part of what was found.

use std::rc::Rc;

use super::jobs::{File, Jobs};
use super::models::model_base;
use super::{Closer, Order, Outcome, Partial, Preflight, Run, Work};
use crate::language::{failure, status};
use crate::protocol::{Failure, JobId, ToWorker};
use crate::words;
use dinomed3d_volume::Label;
use dinomed3d_volume::volumetry::LabelSize;

/// What the worker says of a result.
pub(super) struct Found {
    /// Time from the request to here.
    pub millis: f64,
    /// Labels of the map without the background.
    pub labels: Vec<Label>,
    /// Size of every label.
    pub statistics: Vec<LabelSize>,
    /// What a reader of the result should know.
    pub warnings: Vec<String>,
}

impl<B: Clone> Work<B> {
    /// Asks what segmenting the scan on screen will take, if the worker has scan and model.
    pub(super) fn ask_preflight(&mut self) {
        self.shown.preflight = None;
        let has_scan = self.shown.scan.is_some() && self.jobs.restoring.is_none();
        let (Some(model), true) = (self.jobs.loaded, has_scan) else {
            return;
        };
        let job = self.jobs.next();
        self.jobs.preflight = Some(job);
        self.post(ToWorker::Preflight { job, model }, None);
    }

    /// What segmenting the scan on screen will take.
    pub(super) fn preflight_came(&mut self, job: JobId, preflight: Preflight) {
        if Jobs::<B>::answers(&mut self.jobs.preflight, job) {
            self.shown.preflight = Some(preflight);
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

    /// Looks closer at a part of what was found.
    pub fn look_closer(&mut self, closer: Closer, now_ms: f64) {
        let Some(outcome) = self.shown.outcome.clone() else {
            return;
        };
        if !self.shown().can_segment() || !outcome.closer.contains(&closer) {
            return;
        }
        self.now_ms = now_ms;
        let kept = self.kept.map(|job| (job, self.shown.ranges.clone()));
        let kept_before = kept.or(self.kept_before.take());
        let job = self.begin_run(status::looking_closer(&closer.name));
        self.kept_before = kept_before;
        let model = model_base(&closer.model);
        let labels = outcome.labels.clone();
        self.post(
            ToWorker::Closer { job, model, labels },
            Some(outcome.bytes.clone()),
        );
        self.looking = Some(closer);
    }

    /// Shows the result as it was before the last closer look.
    pub fn look_back(&mut self) {
        let outcome = self.shown.outcome.as_ref();
        let before = outcome.and_then(|outcome| outcome.looked_from.clone());
        if let Some(before) = before.filter(|_| self.shown.run.is_none()) {
            self.replace_result(before);
            self.know_again();
            self.shown.status = status::LOOKED_BACK.to_owned();
        }
    }

    /// The result on screen is the one from before a closer look: if one network has made it, the worker still knows of it what it kept.
    fn know_again(&mut self) {
        let is_of_one = |outcome: &Rc<Outcome<B>>| outcome.looked_closer.is_empty();
        if self.shown.outcome.as_ref().is_some_and(is_of_one)
            && let Some((job, ranges)) = self.kept_before.take()
        {
            self.kept = Some(job);
            self.shown.ranges = ranges;
        }
    }

    /// A run begins, and what was known of the one before is known no more.
    pub(super) fn begin_run(&mut self, status: String) -> JobId {
        let job = self.jobs.next();
        // The worker keeps the logits of one result, the newest.
        self.kept = None;
        self.kept_before = None;
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

    /// So much of a request is done.
    pub(super) fn progressed(&mut self, job: JobId, fraction: f32, window: usize, windows: usize) {
        self.inside_goes_on(job, fraction);
        if self.is_learning(job) {
            self.shown.learning = Some(fraction.clamp(0.0, 1.0));
        }
        if let Some(run) = self.shown.run.as_mut().filter(|run| run.job == job) {
            run.fraction = fraction.clamp(0.0, 1.0);
            run.window = window;
            run.windows = windows;
            run.heard_ms = self.now_ms;
        }
    }

    /// A run has labelled some more.
    pub(super) fn goes_on(&mut self, job: JobId, bytes: Option<B>) {
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

    /// The worker has a result.
    pub(super) fn segmented(&mut self, job: JobId, found: Found, bytes: Option<B>) {
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
        let kept_before = self.kept_before.take();
        let looked_at = self.end_run();
        self.forget_probabilities();
        self.kept_before = kept_before;
        // A closer look is of another network.
        self.kept = looked_at.is_none().then_some(job);
        self.life.forgive();
        self.shown.status = status::segmented(&words::elapsed(found.millis));
        let outcome = Rc::new(self.outcome(looked_at, found, bytes, seg));
        self.list.keep(&outcome);
        if outcome.mended_from.is_some() {
            self.orders.push_back(Order::MarkMended);
        }
        self.shown.outcome = Some(outcome);
        self.next_in_list();
    }

    /// The result as it is shown; after a closer look with what is known of the one before, whose other labels it keeps, also those that
    /// a person has changed.
    fn outcome(
        &self,
        looked_at: Option<Closer>,
        found: Found,
        bytes: B,
        seg: Option<B>,
    ) -> Outcome<B> {
        let closer = self.closer_after(looked_at.as_ref());
        let before = self.shown.outcome.as_ref().filter(|_| looked_at.is_some());
        let mended_from = before.and_then(|before| before.mended_from.clone());
        let is_mended = mended_from.is_some();
        let scan = self.shown.scan.as_ref();
        let name = words::label_map_name(scan.map_or("scan", |scan| &scan.name));
        let name = if is_mended {
            words::mended_name(&name)
        } else {
            name
        };
        let (model, made_by, given, mut looked_closer) = match before {
            Some(before) => (
                before.model.clone(),
                before.made_by.clone(),
                before.given.clone(),
                before.looked_closer.clone(),
            ),
            None => {
                let model = self.shown.model.as_ref();
                let made_by = model.map(|model| Rc::new(model.info.clone()));
                (
                    self.shown.model_name.clone(),
                    made_by,
                    self.given(),
                    Vec::new(),
                )
            }
        };
        looked_closer.extend(looked_at);
        let Found {
            millis,
            labels,
            statistics,
            warnings: of_run,
        } = found;
        let mut warnings = before.map_or_else(Vec::new, |before| before.warnings.clone());
        warnings.extend(of_run);
        Outcome {
            name,
            bytes,
            seg: seg.filter(|_| !is_mended),
            mended_from,
            learnt_from: before.and_then(|before| before.learnt_from),
            labels,
            statistics,
            warnings,
            model,
            given,
            made_by,
            looked_closer,
            looked_from: before.cloned(),
            closer,
            backend: self.shown.backend.as_ref().map(|status| status.backend),
            // Of all that has made it.
            millis: millis + before.map_or(0.0, |before| before.millis),
        }
    }

    /// What can be looked at closer in a result that has just come: what the site's models know a part of, or, after a closer
    /// look, what is left.
    pub(super) fn closer_after(&self, looked_at: Option<&Closer>) -> Vec<Closer> {
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

    /// Does what is next, once nothing is under way: the next step of the list, or what keeps worker and screen the same.
    pub(super) fn go_on(&mut self) {
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
    pub(super) fn next_in_list(&mut self) {
        if let Some((done, failed)) = self.list.advance() {
            self.shown.status = words::list_is_done(done, failed);
        }
        self.go_on();
    }

    /// The run is over, whatever came of it, and with it what it had labelled so far; returns what it looked closer at.
    pub(super) fn end_run(&mut self) -> Option<Closer> {
        self.shown.run = None;
        self.shown.partial = None;
        self.seg = None;
        let looking = self.looking.take();
        if looking.is_some() {
            self.know_again();
        }
        looking
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

    /// The worker has given a request up.
    pub(super) fn cancelled(&mut self, job: JobId) {
        self.inside_failed(job);
        if self.learning_ends(job).is_some() {
            self.shown.status = status::NOTHING_LEARNT.to_owned();
        }
        if self.shown.is_running(job) {
            self.end_run();
            self.shown.status = status::STOPPED_SCAN_STAYS.to_owned();
        }
    }

    /// Ends a worker that has not stopped a cancelled segmentation in time.
    pub fn out_of_patience(&mut self, job: JobId) {
        if self.shown.is_running(job) {
            self.start_worker();
            self.shown.status = status::ENDED_LATE.to_owned();
        }
    }
}
