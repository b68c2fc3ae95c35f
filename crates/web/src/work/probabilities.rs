//! How sure the network was: asked for, shown or saved, and forgotten.

use std::rc::Rc;

use super::jobs::Jobs;
use super::{Order, Work};
use crate::language::status;
use crate::media_type;
use crate::protocol::{JobId, Probabilities, ToWorker};
use crate::words;

impl<B: Clone> Work<B> {
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
    pub(super) fn probabilities_came(&mut self, job: JobId, what: Probabilities, bytes: Option<B>) {
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
        self.orders.push_back(Order::Save {
            name,
            bytes,
            media_type: media_type::NIFTI_GZIP,
        });
    }

    /// Nothing is known any more of how sure the network was.
    pub(super) fn forget_probabilities(&mut self) {
        self.jobs.probabilities = None;
        self.forget_learning();
        self.kept = None;
        self.kept_before = None;
        self.shown.certainty = None;
        self.shown.ranges = None;
        self.forget_inside();
    }
}
