//! What a person has changed as a DICOM segmentation, made when it is asked for.

use crate::language::status;
use crate::media_type;
use crate::protocol::{JobId, Maker, ToWorker};
use crate::words;

use super::{Order, Work};

impl<B: Clone> Work<B> {
    /// Asks for the result on screen as a segmentation of the scan's series, to be saved; as soon as there is a worker that holds the scan.
    pub fn ask_segmentation(&mut self) {
        let (Some(outcome), Some(scan)) = (self.shown.outcome.clone(), &self.shown.scan) else {
            return;
        };
        if let Some(end) = self.end.clone() {
            self.shown.failure = Some(end);
            return;
        }
        if !self.jobs.has_scan {
            self.shown.status = status::reading(&scan.name);
            self.jobs.waits_for_scan = true;
            self.go_on();
            return;
        }
        let made_by = outcome.made_by.as_ref();
        let maker = Maker {
            name: outcome.model.clone(),
            version: made_by.map_or_else(String::new, |model| model.version.clone()),
            weights_sha256: made_by.map_or_else(String::new, |model| model.weights_sha256.clone()),
        };
        let job = self.jobs.next();
        self.jobs.segmentation = Some((job, words::seg_name(&outcome.name)));
        self.shown.failure = None;
        self.shown.status = status::WRITING_SEG.to_owned();
        let labels = outcome.labels.clone();
        let message = ToWorker::Segmentation { job, labels, maker };
        self.post(message, Some(outcome.bytes.clone()));
    }

    /// The worker has made it.
    pub(super) fn segmentation_came(&mut self, job: JobId, bytes: Option<B>) {
        let (Some(name), Some(bytes)) = (self.segmentation_ends(job), bytes) else {
            return;
        };
        self.shown.status = status::saved(&name);
        self.orders.push_back(Order::Save {
            name,
            bytes,
            media_type: media_type::DICOM,
        });
    }

    /// It has come to an end, if it was that request; under which name it was to be saved.
    pub(super) fn segmentation_ends(&mut self, job: JobId) -> Option<String> {
        let open = &mut self.jobs.segmentation;
        Some(open.take_if(|(open, _)| *open == job)?.1)
    }
}
