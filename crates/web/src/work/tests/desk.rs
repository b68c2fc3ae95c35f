//! A page at which all tests sit: what a browser, a visitor and a worker would tell it, and what it asks for.

use std::rc::Rc;

use dinomed3d_volume::Label;

use crate::protocol::{
    Backend, BackendChoice, CheckErrors, Failure, FromWorker, JobId, ModelInfo, ScanChoice,
    ScanInfo, ScanOffer, ToWorker,
};
use crate::work::*;

pub(super) type Page = Work<&'static str>;

/// A page and the present worker's number.
pub(super) struct Desk {
    pub(super) page: Page,
    pub(super) worker: Generation,
}

impl Desk {
    /// A page on which a worker is starting and two models were found.
    pub(super) fn new(choice: BackendChoice) -> Self {
        let page = Page::start(choice);
        let mut desk = Self { page, worker: 0 };
        let lookup = desk
            .orders()
            .into_iter()
            .find_map(|order| match order {
                Order::FindModels(job) => Some(job),
                _ => None,
            })
            .expect("the site is asked for its models");
        let models = ["a", "b", "c"].map(|name| ModelEntry {
            name: name.to_owned(),
            title: name.to_uppercase(),
            part_of: None,
            has_document: false,
            offer: None,
        });
        desk.page.models_found(lookup, Ok(models.to_vec()));
        desk
    }

    /// A page whose worker has its first model, with a scan on screen.
    pub(super) fn with_scan() -> Self {
        let mut desk = Self::new(BackendChoice::Cpu);
        desk.ready(Backend::Cpu);
        desk.load();
        desk.open("scan");
        desk.read();
        desk
    }

    /// What was ordered since; notices a new worker.
    pub(super) fn orders(&mut self) -> Vec<Order<&'static str>> {
        let mut orders = Vec::new();
        while let Some(order) = self.page.next_order() {
            if let Order::StartWorker { generation, .. } = &order {
                self.worker = *generation;
            }
            orders.push(order);
        }
        orders
    }

    /// What was sent to the worker since.
    pub(super) fn posts(&mut self) -> Vec<ToWorker> {
        let orders = self.orders().into_iter();
        orders
            .filter_map(|order| match order {
                Order::Post(message, _) => Some(message),
                _ => None,
            })
            .collect()
    }

    pub(super) fn hear(&mut self, message: FromWorker) {
        self.page.hear(self.worker, message, Some("labels"), 0.0);
    }

    pub(super) fn ready(&mut self, backend: Backend) {
        self.hear(FromWorker::Ready {
            backend,
            adapter: None,
            reason: String::new(),
        });
    }

    /// The requests for a model, in order.
    pub(super) fn asked_models(&mut self) -> Vec<(JobId, String)> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::LoadModel { job, base } => Some((job, base)),
                _ => None,
            })
            .collect()
    }

    pub(super) fn loaded(&mut self, job: JobId, name: &str) {
        self.hear(FromWorker::ModelLoaded {
            job,
            model: ModelInfo {
                name: name.to_owned(),
                title: name.to_uppercase(),
                version: "1".to_owned(),
                weights_sha256: format!("sum of {name}"),
                channels: match name {
                    "two" => vec!["T1".to_owned(), "T2".to_owned()],
                    _ => Vec::new(),
                },
                modality: "MR".to_owned(),
                labels: vec![Label::unnamed(1)],
                calibration_error: None,
                card: None,
            },
            check_errors: CheckErrors {
                first_block: 0.0,
                logits: 0.0,
                is_half: false,
            },
            millis: 1.0,
        });
    }

    /// The worker loads the model that it is asked for.
    pub(super) fn load(&mut self) {
        let (job, _) = self.asked_models().pop().expect("a model is asked for");
        self.loaded(job, "a");
    }

    /// The visitor opens a file, and the browser brings it.
    pub(super) fn open(&mut self, name: &'static str) {
        self.open_all(&[name]);
    }

    /// The visitor opens several files at once.
    pub(super) fn open_all(&mut self, names: &[&'static str]) {
        let job = self.page.open(String::new()).expect("nothing else is read");
        let scans = names.iter().map(|name| brought(name)).collect();
        self.page.brought(job, scans);
    }

    /// How the list stands: of each scan a letter, `!` before it if it is on screen, and what is said of it behind it.
    pub(super) fn list(&self) -> String {
        let said = |scan: &Listed| {
            let on_screen = if scan.is_on_screen { "!" } else { "" };
            let state = match &scan.state {
                ListedState::Waiting => String::new(),
                ListedState::Working => "…".to_owned(),
                ListedState::Done(_) => "=".to_owned(),
                ListedState::Failed(problem) => format!("({problem})"),
            };
            format!("{on_screen}{}{state}", scan.name)
        };
        let scans = self.page.shown().scans;
        scans.iter().map(said).collect::<Vec<_>>().join(" ")
    }

    /// What the list's turn has come to: what is asked to be read, or segmented.
    pub(super) fn turn(&mut self) -> Option<(&'static str, JobId)> {
        self.posts().into_iter().find_map(|post| match post {
            ToWorker::LoadScan { job, .. } => Some(("read", job)),
            ToWorker::Segment { job, .. } => Some(("segment", job)),
            _ => None,
        })
    }

    /// The worker reads what has its turn; returns the segmentation that it is asked for then.
    pub(super) fn read_in_turn(&mut self) -> JobId {
        let Some(("read", job)) = self.turn() else {
            panic!("a scan is to be read: {}", self.list());
        };
        self.scan_loaded(job);
        self.segment_in_turn()
    }

    pub(super) fn segment_in_turn(&mut self) -> JobId {
        match self.turn() {
            Some(("segment", job)) => job,
            other => panic!("a segmentation is asked for, found {other:?}"),
        }
    }

    /// A fresh worker has come and has loaded its model.
    pub(super) fn fresh_worker(&mut self) {
        self.orders();
        self.ready(Backend::Cpu);
        self.load();
    }

    /// A page with three scans in the list, the first of them on screen.
    pub(super) fn with_list() -> Self {
        let mut desk = Self::new(BackendChoice::Cpu);
        desk.ready(Backend::Cpu);
        desk.load();
        desk.open_all(&["a", "b", "c"]);
        desk.read();
        assert_eq!(desk.list(), "!a b c");
        desk
    }

    /// The number of a scan of the list.
    pub(super) fn listed(&self, name: &str) -> ListId {
        let scans = self.page.shown().scans;
        let found = scans.iter().find(|scan| scan.name == name);
        found.expect("it is in the list").id
    }

    pub(super) fn asked_scans(&mut self) -> Vec<JobId> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::LoadScan { job, .. } => Some(job),
                _ => None,
            })
            .collect()
    }

    /// The worker reads the file that it is given.
    pub(super) fn read(&mut self) {
        let job = self
            .asked_scans()
            .pop()
            .expect("the worker is given a file");
        self.scan_loaded(job);
    }

    pub(super) fn scan_loaded(&mut self, job: JobId) {
        self.hear(FromWorker::ScanLoaded {
            job,
            scan: ScanInfo {
                shape: [1; 3],
                spacing_mm: [1.0; 3],
                orientation: "RAS".to_owned(),
                affine: None,
                datatype: "uint8".to_owned(),
                warnings: Vec::new(),
                description: None,
            },
        });
    }

    /// The requests to read a scan, and which of several.
    pub(super) fn asked_choices(&mut self) -> Vec<(JobId, Option<ScanChoice>)> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::LoadScan { job, choice } => Some((job, choice)),
                _ => None,
            })
            .collect()
    }

    /// The worker finds two scans in the file that it is given.
    pub(super) fn offer_two(&mut self) {
        self.offer(vec![offer(0, 1), offer(1, 1)]);
    }

    /// The worker finds three volumes in the file that it is given.
    pub(super) fn read_as_volumes(&mut self) {
        self.offer(vec![offer(0, 3)]);
    }

    pub(super) fn offer(&mut self, offers: Vec<ScanOffer>) {
        let job = self.asked_scans().pop().expect("it is given a file");
        let reason = None;
        self.hear(FromWorker::Choices {
            job,
            offers,
            reason,
        });
    }

    /// Of what file the page offers scans.
    pub(super) fn offered(&self) -> Option<String> {
        let offers = self.page.shown().offers;
        offers.map(|offers| offers.name.clone())
    }

    /// Asks for a segmentation; returns its number and that of the model it is to use.
    pub(super) fn segment(&mut self) -> Option<(JobId, JobId)> {
        self.page.segment(0.0);
        self.posts().into_iter().find_map(|post| match post {
            ToWorker::Segment { job, model } => Some((job, model)),
            _ => None,
        })
    }

    /// The questions what segmenting will take, and of which model.
    pub(super) fn asked_preflights(&mut self) -> Vec<(JobId, JobId)> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::Preflight { job, model } => Some((job, model)),
                _ => None,
            })
            .collect()
    }

    pub(super) fn takes(&mut self, job: JobId, windows: usize) {
        self.hear(FromWorker::Preflight {
            job,
            windows,
            workers: 1,
            seconds: Some(40.0),
            memory_bytes: 9,
            advice: None,
        });
    }

    /// How many windows the page says that it will take.
    pub(super) fn windows(&self) -> Option<usize> {
        let preflight = self.page.shown().preflight;
        preflight.map(|preflight| preflight.windows)
    }

    /// A piece of a label map comes.
    pub(super) fn partial(&mut self, job: JobId, bytes: &'static str) {
        let message = FromWorker::Partial { job };
        self.page.hear(self.worker, message, Some(bytes), 0.0);
    }

    /// What is on screen of a label map: what a run has so far, and the last result.
    pub(super) fn on_screen(&self) -> (Option<&'static str>, Option<&'static str>) {
        let shown = self.page.shown();
        (
            shown.partial.map(|partial| partial.bytes),
            shown.outcome.map(|outcome| outcome.bytes),
        )
    }

    pub(super) fn segmented(&mut self, job: JobId) {
        self.segmented_into(job, vec![Label::unnamed(1)]);
    }

    pub(super) fn segmented_into(&mut self, job: JobId, labels: Vec<Label>) {
        self.hear(FromWorker::Segmented {
            job,
            millis: 1.0,
            labels,
            statistics: Vec::new(),
            warnings: vec!["It is large.".to_owned()],
        });
    }

    /// The result on screen is changed by hand, to these bytes.
    pub(super) fn mend(&mut self, bytes: &'static str) -> Rc<Outcome<&'static str>> {
        let outcome = self.page.shown().outcome.expect("there is a result");
        let mended = Rc::new(outcome.mended(bytes, Vec::new()));
        self.page.replace_result(Rc::clone(&mended));
        mended
    }

    pub(super) fn fail(&mut self, job: Option<JobId>, what: &str) {
        self.hear(FromWorker::Failed {
            job,
            failure: failure(what, job.is_none()),
        });
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.page.shown().failure.map(|failure| failure.what)
    }

    pub(super) fn scan(&self) -> Option<&'static str> {
        self.page.shown().scan.map(|scan| scan.bytes)
    }
}

/// The later one of two that [`Desk::offer_two`] offers.
pub(super) const SECOND: ScanChoice = ScanChoice {
    index: 1,
    volume: 0,
};

pub(super) fn offer(index: usize, num_volumes: usize) -> ScanOffer {
    ScanOffer {
        index,
        description: String::new(),
        modality: "MR".to_owned(),
        shape: [1; 3],
        spacing_mm: None,
        num_volumes,
        thumbnail: None,
        problem: None,
    }
}

pub(super) fn brought(name: &'static str) -> Brought<&'static str> {
    let bytes = match name {
        "gone" => Err(failure("gone", false)),
        _ => Ok(name),
    };
    Brought {
        name: name.to_owned(),
        bytes,
        is_model: name.starts_with("model"),
    }
}

pub(super) fn failure(what: &str, is_fatal: bool) -> Failure {
    Failure {
        what: what.to_owned(),
        advice: String::new(),
        is_fatal,
    }
}
