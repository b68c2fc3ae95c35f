//! The life of the worker as the page sees it: begun, heard to fail, and replaced.

use super::jobs::{Jobs, Reading};
use super::{BackendStatus, Generation, Order, Work, WorkerPhase};
use crate::language::status;
use crate::protocol::{Backend, BackendChoice, Failure, JobId};
use crate::words;

impl<B: Clone> Work<B> {
    /// Computes on something else from now on.
    pub fn choose_backend(&mut self, choice: BackendChoice) {
        self.shown.choice = choice;
        self.life.trust_webgpu();
        self.restart();
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

    /// A worker can't be heard, reached or started.
    pub fn broke(&mut self, generation: Generation, failure: Failure) {
        if self.life.is_present(generation) {
            self.died(failure);
        }
    }

    /// Orders a worker in place of whatever there is.
    pub(super) fn start_worker(&mut self) {
        self.leave_worker();
        self.end = None;
        self.shown.worker = WorkerPhase::Starting;
        self.shown.status = status::STARTING.to_owned();
        let generation = self.life.begin();
        let query = self.life.query(self.shown.choice);
        self.orders
            .push_back(Order::StartWorker { generation, query });
    }

    /// A worker can be asked now.
    pub(super) fn greeted(&mut self, status: BackendStatus) {
        self.shown.backend = Some(status);
        if self.life.greets() {
            // The next of a list takes its place.
            if self.list.under_way().is_none() {
                self.restore_scan();
            }
            self.send_waiting();
            self.load_model();
        }
    }

    /// Forgets the worker, its model and what it was asked.
    pub(super) fn leave_worker(&mut self) {
        self.orders
            .retain(|order| !matches!(order, Order::Post(..)));
        self.jobs.leave_worker();
        self.own.leave_worker();
        self.end_run();
        self.forget_learning();
        self.kept = None;
        self.kept_before = None;
        self.forget_inside();
        self.shown.preflight = None;
        self.shown.model = None;
        self.shown.backend = None;
    }

    /// Says what can be done now, unless something is on its way.
    pub(super) fn announce_readiness(&mut self) {
        if self.shown.worker != WorkerPhase::Usable {
            return;
        }
        match &self.jobs.reading {
            Some(Reading::Choosing(_, offers)) => {
                self.say(words::several_scans(&offers.name, &offers.scans));
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
        self.say(status.to_owned());
    }

    /// Says what the page can do now, and what has become of files that are not on the way any more.
    pub(super) fn say(&mut self, status: String) {
        let left_out = std::mem::take(&mut self.left_out);
        self.shown.status = status + &left_out;
    }

    /// A request has failed; which one decides what is lost with it.
    pub(super) fn failed(&mut self, job: Option<JobId>, failure: Failure) {
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
            let was_wanted = std::mem::take(&mut self.jobs.waits_for_scan);
            if Jobs::<B>::answers(&mut self.jobs.restoring, job) && was_wanted {
                self.shown.failure = Some(failure);
            }
        }
    }

    /// Ends a worker that can't go on; starts another if that makes sense.
    pub(super) fn died(&mut self, failure: Failure) {
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
