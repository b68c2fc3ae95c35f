//! The site's models, and the one that the worker has.

use super::jobs::Jobs;
use super::{LoadedModel, ModelEntry, Order, Work, WorkerPhase};
use crate::language::{failure, status};
use crate::protocol::{Failure, JobId, ToWorker};

impl<B: Clone> Work<B> {
    /// Uses another model from now on.
    pub fn choose_model(&mut self, name: String) {
        self.own.give_up();
        self.shown.model_name = name;
        self.shown.failure = None;
        self.load_model();
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

    /// Orders the site's models.
    pub(super) fn find_models(&mut self) {
        let job = self.jobs.next();
        self.jobs.lookup = Some(job);
        self.orders.push_back(Order::FindModels(job));
    }

    /// Has the worker load the model that the page names.
    pub(super) fn load_model(&mut self) {
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

    /// The worker has a model, which computes what it should.
    pub(super) fn model_is_loaded(&mut self, job: JobId, model: LoadedModel) {
        if self.own_came(job, &model.info) || Jobs::<B>::answers(&mut self.jobs.model, job) {
            self.said_channels.clear();
            self.jobs.loaded = Some(job);
            self.life.proves_itself();
            self.shown.model = Some(model);
            self.shown.worker = WorkerPhase::Usable;
            self.take_as_channels();
            self.announce_readiness();
            self.ask_preflight();
            self.orders.push_back(Order::KeepSite);
            self.send_waiting();
            self.go_on();
        }
    }

    /// Without a model the worker is of no use, but it may be the connection: the visitor decides.
    pub(super) fn model_is_missing(&mut self, failure: Failure) {
        self.shown.worker = WorkerPhase::Gone;
        self.shown.status = status::NO_MODEL.to_owned();
        self.shown.failure = Some(failure);
        // The scan of the list that waited for it can still be shown.
        if self.list.stop() {
            self.send_waiting();
        }
    }
}

/// The folder of a model, as the worker is told.
pub(super) fn model_base(name: &str) -> String {
    format!("models/{name}/")
}
