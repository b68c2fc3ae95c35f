//! Learning from what the visitor has painted: once at a time.

use crate::language::status;
use crate::protocol::{JobId, ToWorker};

use super::jobs::Learning;
use super::{Order, Work};

impl<B: Clone> Work<B> {
    /// Has the network of the result on screen learn from so many strokes, which `packed` holds.
    pub fn learn(&mut self, packed: B, strokes: usize) {
        let Some(of) = self.kept.filter(|_| self.shown().can_learn()) else {
            return;
        };
        let job = self.jobs.next();
        self.jobs.learning = Some(Learning {
            job,
            strokes,
            is_wanted: true,
        });
        self.shown.learning = Some(0.0);
        self.shown.failure = None;
        self.shown.status = status::LEARNING.to_owned();
        self.post(ToWorker::Learn { job, of }, Some(packed));
    }

    /// The visitor does not want it any more, or has changed what it learns from.
    pub fn stop_learning(&mut self) {
        if let Some(learning) = &mut self.jobs.learning {
            learning.is_wanted = false;
            let job = learning.job;
            self.post(ToWorker::Cancel { job }, None);
        }
    }

    /// Whether that request is the one under way.
    pub(super) fn is_learning(&self, job: JobId) -> bool {
        self.jobs.learning.is_some_and(|open| open.job == job)
    }

    /// It has come to an end, if it was that request; which one it was.
    pub(super) fn learning_ends(&mut self, job: JobId) -> Option<Learning> {
        let learning = self.jobs.learning.take_if(|open| open.job == job)?;
        self.shown.learning = None;
        Some(learning)
    }

    /// Nobody waits for it any more.
    pub(super) fn forget_learning(&mut self) {
        self.jobs.learning = None;
        self.shown.learning = None;
    }

    /// The network has learnt.
    pub(super) fn has_learnt(&mut self, job: JobId, bytes: Option<B>) {
        let Some(Learning {
            strokes, is_wanted, ..
        }) = self.learning_ends(job)
        else {
            return;
        };
        if !is_wanted {
            self.shown.status = status::NOTHING_LEARNT.to_owned();
        } else if let Some(bytes) = bytes {
            self.shown.status = status::LEARNT.to_owned();
            self.orders.push_back(Order::TakeLearnt { bytes, strokes });
        }
    }
}
