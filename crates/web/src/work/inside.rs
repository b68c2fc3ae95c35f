//! Questions about the inside of the network: one at a time, and of those that come meanwhile the newest.

use std::rc::Rc;

use crate::protocol::{InsideView, JobId, Part, Question, ToWorker};

use super::Work;

/// A question at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ask {
    /// The place in the world.
    pub at_mm: [f64; 3],
    /// What is asked.
    pub question: Question,
    /// Of the network without this part.
    pub without: Option<Part>,
}

/// What came of it.
#[derive(Debug)]
pub struct Looked<B> {
    /// The question.
    pub ask: Ask,
    /// What is said.
    pub view: InsideView,
    /// The map as a gzipped NIfTI file, if there is one.
    pub map: Option<B>,
}

/// The question under way and the one after it.
#[derive(Debug, Default)]
pub(super) struct Asking {
    sent: Option<(JobId, Ask)>,
    next: Option<Ask>,
}

impl<B: Clone> Work<B> {
    /// Asks about the inside of the network for the result on screen.
    pub fn look_inside(&mut self, ask: Ask) {
        if self.asking.sent.is_some() {
            self.asking.next = Some(ask);
            return;
        }
        let Some(of) = self.kept.filter(|_| self.shown().has_logits) else {
            return;
        };
        let job = self.jobs.next();
        self.asking.sent = Some((job, ask));
        self.shown.looking = Some(0.0);
        let Ask {
            at_mm,
            question,
            without,
        } = ask;
        let message = ToWorker::Inside {
            job,
            of,
            at_mm,
            question,
            without,
        };
        self.post(message, None);
    }

    /// Nobody looks inside any more.
    pub fn leave_inside(&mut self) {
        if let Some((job, _)) = self.asking.sent {
            self.post(ToWorker::Cancel { job }, None);
        }
        self.forget_inside();
    }

    /// Nothing is known any more of the inside.
    pub(super) fn forget_inside(&mut self) {
        self.asking = Asking::default();
        self.shown.looking = None;
        self.shown.inside = None;
    }

    /// How far a question is.
    pub(super) fn inside_goes_on(&mut self, job: JobId, fraction: f32) {
        if self.is_asked(job) {
            self.shown.looking = Some(fraction.clamp(0.0, 1.0));
        }
    }

    /// The worker has answered a question.
    pub(super) fn inside_came(&mut self, job: JobId, view: InsideView, map: Option<B>) {
        let Some((_, ask)) = self.asking.sent.take_if(|(sent, _)| *sent == job) else {
            return;
        };
        self.shown.inside = Some(Rc::new(Looked { ask, view, map }));
        self.ask_next();
    }

    /// The worker could not answer, or was told not to; whether it was a question.
    pub(super) fn inside_failed(&mut self, job: JobId) -> bool {
        let was_asked = self.is_asked(job);
        if was_asked {
            self.asking.sent = None;
            self.ask_next();
        }
        was_asked
    }

    fn is_asked(&self, job: JobId) -> bool {
        self.asking.sent.is_some_and(|(sent, _)| sent == job)
    }

    fn ask_next(&mut self) {
        self.shown.looking = None;
        if let Some(next) = self.asking.next.take() {
            self.look_inside(next);
        }
    }
}
