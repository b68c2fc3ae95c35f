//! Files and scans on their way to the screen: what the visitor, the browser and the worker say of them.

use std::rc::Rc;

use super::jobs::{File, Jobs, Reading};
use super::{Brought, ListId, Offers, Outcome, Sample, Scan, Work};
use crate::language::{self, failure, status};
use crate::protocol::{Failure, JobId, ScanChoice, ScanInfo, ScanOffer, ToWorker};
use crate::words;

impl<B: Clone> Work<B> {
    /// Whether a segmentation is under way; says that no scan can be opened then.
    pub(super) fn is_running(&mut self) -> bool {
        let is_running = self.shown.run.is_some() || self.list.under_way().is_some();
        if is_running {
            self.shown.status = status::RUNNING.to_owned();
        }
        is_running
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

    /// Of files that the browser is about to bring; to be said beside what comes of the others.
    pub fn leave_out(&mut self, said: String) {
        self.left_out = said;
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
        let is_it = |offer: &&ScanOffer| offer.index == choice.index;
        if let Some(offer) = offers.scans.iter().find(is_it) {
            let is_only = offers.scans.len() == 1;
            file.name = words::offered(&offers.name, offer, choice.volume, is_only);
        }
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

    /// The visitor wants none of the scans that are offered.
    pub fn choose_no_scan(&mut self) {
        if matches!(self.jobs.reading, Some(Reading::Choosing(..))) {
            self.jobs.reading = None;
            self.shown.status = status::NONE_OPENED.to_owned();
            self.announce_readiness();
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
            self.announce_readiness();
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

    /// Of scans that have just come into the list the first is shown.
    pub(super) fn open_first(&mut self, first: Option<ListId>) {
        match first.and_then(|first| self.list.file(first)) {
            Some(file) => self.read(file),
            None => self.shown.status = status::NONE_COULD_BE_OPENED.to_owned(),
        }
    }

    /// Has a file read as soon as there is a worker for it.
    pub(super) fn read(&mut self, file: File<B>) {
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

    /// Gives the worker the file that waits for it.
    pub(super) fn send_waiting(&mut self) {
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
    pub(super) fn restore_scan(&mut self) {
        if let Some(scan) = self.shown.scan.clone() {
            let job = self.jobs.next();
            self.jobs.restoring = Some(job);
            let choice = scan.choice;
            self.post(ToWorker::LoadScan { job, choice }, Some(scan.bytes.clone()));
        }
    }

    /// The worker has read a scan: the one that is to be on screen, or for a fresh worker the one that is.
    pub(super) fn scan_is_loaded(&mut self, job: JobId, info: ScanInfo, view: Option<B>) {
        if Jobs::<B>::answers(&mut self.jobs.restoring, job) {
            self.jobs.has_scan = true;
            self.ask_preflight();
            if std::mem::take(&mut self.jobs.waits_for_scan) {
                self.ask_segmentation();
            }
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
        self.jobs.waits_for_scan = false;
        self.forget_probabilities();
        let entry = self.keep_mended(entry, &name, &bytes, choice);
        self.shown.outcome = self.list.opened(entry, choice, &name);
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

    /// A file holds several scans.
    pub(super) fn choices_came(
        &mut self,
        job: JobId,
        offers: Vec<ScanOffer>,
        reason: Option<String>,
    ) {
        if let Some(file) = self.jobs.is_read(job) {
            if self.list.under_way().is_some() {
                self.several_in_list(&file, &offers);
                return;
            }
            self.shown.failure = None;
            self.say(words::several_scans(&file.name, &offers));
            let offers = Rc::new(Offers {
                name: file.name.clone(),
                scans: offers,
                reason,
            });
            self.jobs.reading = Some(Reading::Choosing(file, offers));
            self.take_as_channels();
        }
    }

    /// A scan by itself whose result a person has changed, or that is a channel of the model, is kept in a list when another one takes its
    /// place, which is in that list too; returns the new one's place.
    pub(super) fn keep_mended(
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
    pub(super) fn several_in_list(&mut self, file: &File<B>, offers: &[ScanOffer]) {
        if let [only] = offers {
            let problem = language::list::choose_volume(only.num_volumes);
            self.list.fail(file.entry, &problem);
            self.next_in_list();
            return;
        }
        self.list.add_all_of(file, offers);
        self.go_on();
    }

    /// A file was not opened, and says why.
    pub(super) fn not_opened(&mut self, failure: Failure) {
        self.shown.status = if self.shown.scan.is_some() {
            status::NOT_OPENED_SCAN_STAYS
        } else {
            status::NOT_OPENED
        }
        .to_owned();
        self.shown.failure = Some(failure);
    }
}
