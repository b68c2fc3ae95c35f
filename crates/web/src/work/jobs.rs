//! What was asked for and is not answered yet. An answer counts only if it carries the number of an open request: a late
//! one, to a request that a newer one has taken the place of, finds none.

use std::rc::Rc;

use super::shown::{ListId, Offers};
use crate::protocol::{JobId, ScanChoice};

/// A request to learn.
#[derive(Debug, Clone, Copy)]
pub struct Learning {
    pub job: JobId,
    /// From so many of them.
    pub strokes: usize,
    /// Whether nobody has given it up; what comes all the same is not taken.
    pub is_wanted: bool,
}

/// The open requests; `B` is a file's bytes.
#[derive(Debug)]
pub struct Jobs<B> {
    last: JobId,
    /// The site was asked for its models.
    pub lookup: Option<JobId>,
    /// The worker was asked for a model.
    pub model: Option<JobId>,
    /// The request that brought the model that the page names.
    pub loaded: Option<JobId>,
    /// The worker was asked what segmenting the scan on screen will take.
    pub preflight: Option<JobId>,
    /// The worker was given the scan on screen once more.
    pub restoring: Option<JobId>,
    /// The worker was asked how sure the network was.
    pub probabilities: Option<JobId>,
    /// The worker was asked for a DICOM segmentation, to be saved under this name.
    pub segmentation: Option<(JobId, String)>,
    /// A DICOM segmentation is wanted once a worker holds the scan on screen.
    pub waits_for_scan: bool,
    /// The worker was asked to learn.
    pub learning: Option<Learning>,
    /// Whether the worker holds the scan on screen.
    pub has_scan: bool,
    /// A scan on its way to the screen.
    pub reading: Option<Reading<B>>,
}

/// A scan on its way to the screen.
#[derive(Debug)]
pub enum Reading<B> {
    /// The browser brings its bytes.
    Fetching(JobId),
    /// There is no worker yet that takes it.
    Waiting(File<B>),
    /// A worker reads it.
    Sent(JobId, File<B>),
    /// The visitor is to choose one of the scans that it holds.
    Choosing(File<B>, Rc<Offers>),
}

/// A file that the visitor chose.
#[derive(Debug, Clone)]
pub struct File<B> {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub bytes: B,
    /// Which of its scans is meant.
    pub choice: Option<ScanChoice>,
    /// Those of which the visitor has chosen it.
    pub offers: Option<Rc<Offers>>,
    /// Which scan of the list it is.
    pub entry: Option<ListId>,
}

impl<B> File<B> {
    /// One of which nothing is known, and that is in no list.
    pub fn new(name: String, bytes: B) -> Self {
        Self {
            name,
            bytes,
            choice: None,
            offers: None,
            entry: None,
        }
    }
}

impl<B> Jobs<B> {
    /// None.
    pub fn new() -> Self {
        Self {
            last: 0,
            lookup: None,
            model: None,
            loaded: None,
            preflight: None,
            restoring: None,
            probabilities: None,
            segmentation: None,
            waits_for_scan: false,
            learning: None,
            has_scan: false,
            reading: None,
        }
    }

    /// The next request's number.
    pub fn next(&mut self) -> JobId {
        self.last += 1;
        self.last
    }

    /// Whether this is the answer that `request` waits for; it then waits no longer.
    pub fn answers(request: &mut Option<JobId>, job: JobId) -> bool {
        request.take_if(|open| *open == job).is_some()
    }

    /// Whether the browser still was to bring those bytes; it then isn't any more.
    pub fn is_fetched(&mut self, job: JobId) -> bool {
        self.reading
            .take_if(|reading| matches!(reading, Reading::Fetching(open) if *open == job))
            .is_some()
    }

    /// The file that the worker has read, or not, under that number.
    pub fn is_read(&mut self, job: JobId) -> Option<File<B>> {
        match self.reading.take() {
            Some(Reading::Sent(open, file)) if open == job => Some(file),
            other => {
                self.reading = other;
                None
            }
        }
    }

    /// The worker is no more: nothing that it was asked is answered. A file that it had waits for the next one.
    pub fn leave_worker(&mut self) {
        self.model = None;
        self.loaded = None;
        self.preflight = None;
        self.restoring = None;
        self.probabilities = None;
        self.segmentation = None;
        self.learning = None;
        self.has_scan = false;
        self.reading = match self.reading.take() {
            Some(Reading::Sent(_, file)) => Some(Reading::Waiting(file)),
            other => other,
        };
    }

    /// Gives up the file that a worker has: if it died of it, the next one would too. Returns which of the list it was.
    pub fn drop_sent(&mut self) -> Option<ListId> {
        let sent = self
            .reading
            .take_if(|reading| matches!(reading, Reading::Sent(..)));
        match sent {
            Some(Reading::Sent(_, file)) => file.entry,
            _ => None,
        }
    }

    /// Whether a file is on its way, and none to be chosen from.
    pub fn is_reading(&self) -> bool {
        !matches!(self.reading, None | Some(Reading::Choosing(..)))
    }

    /// Which scan of the list is on its way.
    pub fn reading_entry(&self) -> Option<ListId> {
        match &self.reading {
            Some(Reading::Waiting(file) | Reading::Sent(_, file)) => file.entry,
            _ => None,
        }
    }

    /// Gives up a file that no worker will take.
    pub fn drop_waiting(&mut self) {
        self.reading
            .take_if(|reading| matches!(reading, Reading::Waiting(_)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_of_two_requests_is_answered_and_only_once() {
        let mut jobs = Jobs::<()>::new();
        let first = jobs.next();
        let second = jobs.next();
        jobs.model = Some(first);
        jobs.model = Some(second);
        assert!(!Jobs::<()>::answers(&mut jobs.model, first));
        assert!(Jobs::<()>::answers(&mut jobs.model, second));
        assert!(!Jobs::<()>::answers(&mut jobs.model, second));
    }

    #[test]
    fn a_file_is_followed_by_its_number_through_all_stages() {
        let mut jobs = Jobs::new();
        let file = File::new("a".to_owned(), ());
        jobs.reading = Some(Reading::Fetching(1));
        assert!(!jobs.is_fetched(2) && jobs.is_fetched(1) && !jobs.is_fetched(1));
        jobs.reading = Some(Reading::Sent(3, file));
        assert!(jobs.is_read(1).is_none());
        jobs.leave_worker();
        assert!(matches!(jobs.reading, Some(Reading::Waiting(_))));
        assert!(
            jobs.is_read(3).is_none(),
            "the next worker has not got it yet"
        );
    }
}
