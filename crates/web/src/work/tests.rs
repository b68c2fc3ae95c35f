//! The page's side of the work, told what a browser would tell it.

use dinomed3d_volume::Label;

use super::*;
use crate::protocol::{
    Backend, CheckErrors, InsideView, MapKind, ModelInfo, NetworkSize, Probabilities, Question,
    ScanChoice, ScanInfo, ScanOffer,
};

type Page = Work<&'static str>;

/// A page and the present worker's number.
struct Desk {
    page: Page,
    worker: Generation,
}

impl Desk {
    /// A page on which a worker is starting and two models were found.
    fn new(choice: BackendChoice) -> Self {
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
    fn with_scan() -> Self {
        let mut desk = Self::new(BackendChoice::Cpu);
        desk.ready(Backend::Cpu);
        desk.load();
        desk.open("scan");
        desk.read();
        desk
    }

    /// What was ordered since; notices a new worker.
    fn orders(&mut self) -> Vec<Order<&'static str>> {
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
    fn posts(&mut self) -> Vec<ToWorker> {
        let orders = self.orders().into_iter();
        orders
            .filter_map(|order| match order {
                Order::Post(message, _) => Some(message),
                _ => None,
            })
            .collect()
    }

    fn hear(&mut self, message: FromWorker) {
        self.page.hear(self.worker, message, Some("labels"), 0.0);
    }

    fn ready(&mut self, backend: Backend) {
        self.hear(FromWorker::Ready {
            backend,
            adapter: None,
            reason: String::new(),
        });
    }

    /// The requests for a model, in order.
    fn asked_models(&mut self) -> Vec<(JobId, String)> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::LoadModel { job, base } => Some((job, base)),
                _ => None,
            })
            .collect()
    }

    fn loaded(&mut self, job: JobId, name: &str) {
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
    fn load(&mut self) {
        let (job, _) = self.asked_models().pop().expect("a model is asked for");
        self.loaded(job, "a");
    }

    /// The visitor opens a file, and the browser brings it.
    fn open(&mut self, name: &'static str) {
        self.open_all(&[name]);
    }

    /// The visitor opens several files at once.
    fn open_all(&mut self, names: &[&'static str]) {
        let job = self.page.open(String::new()).expect("nothing else is read");
        let scans = names.iter().map(|name| brought(name)).collect();
        self.page.brought(job, scans);
    }

    /// How the list stands: of each scan a letter, `!` before it if it is on screen, and what is said of it behind it.
    fn list(&self) -> String {
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
    fn turn(&mut self) -> Option<(&'static str, JobId)> {
        self.posts().into_iter().find_map(|post| match post {
            ToWorker::LoadScan { job, .. } => Some(("read", job)),
            ToWorker::Segment { job, .. } => Some(("segment", job)),
            _ => None,
        })
    }

    /// The worker reads what has its turn; returns the segmentation that it is asked for then.
    fn read_in_turn(&mut self) -> JobId {
        let Some(("read", job)) = self.turn() else {
            panic!("a scan is to be read: {}", self.list());
        };
        self.scan_loaded(job);
        self.segment_in_turn()
    }

    fn segment_in_turn(&mut self) -> JobId {
        match self.turn() {
            Some(("segment", job)) => job,
            other => panic!("a segmentation is asked for, found {other:?}"),
        }
    }

    /// A fresh worker has come and has loaded its model.
    fn fresh_worker(&mut self) {
        self.orders();
        self.ready(Backend::Cpu);
        self.load();
    }

    /// A page with three scans in the list, the first of them on screen.
    fn with_list() -> Self {
        let mut desk = Self::new(BackendChoice::Cpu);
        desk.ready(Backend::Cpu);
        desk.load();
        desk.open_all(&["a", "b", "c"]);
        desk.read();
        assert_eq!(desk.list(), "!a b c");
        desk
    }

    /// The number of a scan of the list.
    fn listed(&self, name: &str) -> ListId {
        let scans = self.page.shown().scans;
        let found = scans.iter().find(|scan| scan.name == name);
        found.expect("it is in the list").id
    }

    fn asked_scans(&mut self) -> Vec<JobId> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::LoadScan { job, .. } => Some(job),
                _ => None,
            })
            .collect()
    }

    /// The worker reads the file that it is given.
    fn read(&mut self) {
        let job = self
            .asked_scans()
            .pop()
            .expect("the worker is given a file");
        self.scan_loaded(job);
    }

    fn scan_loaded(&mut self, job: JobId) {
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
    fn asked_choices(&mut self) -> Vec<(JobId, Option<ScanChoice>)> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::LoadScan { job, choice } => Some((job, choice)),
                _ => None,
            })
            .collect()
    }

    /// The worker finds two scans in the file that it is given.
    fn offer_two(&mut self) {
        self.offer(vec![offer(0, 1), offer(1, 1)]);
    }

    /// The worker finds three volumes in the file that it is given.
    fn read_as_volumes(&mut self) {
        self.offer(vec![offer(0, 3)]);
    }

    fn offer(&mut self, offers: Vec<ScanOffer>) {
        let job = self.asked_scans().pop().expect("it is given a file");
        let reason = None;
        self.hear(FromWorker::Choices {
            job,
            offers,
            reason,
        });
    }

    /// Of what file the page offers scans.
    fn offered(&self) -> Option<String> {
        let offers = self.page.shown().offers;
        offers.map(|offers| offers.name.clone())
    }

    /// Asks for a segmentation; returns its number and that of the model it is to use.
    fn segment(&mut self) -> Option<(JobId, JobId)> {
        self.page.segment(0.0);
        self.posts().into_iter().find_map(|post| match post {
            ToWorker::Segment { job, model } => Some((job, model)),
            _ => None,
        })
    }

    /// The questions what segmenting will take, and of which model.
    fn asked_preflights(&mut self) -> Vec<(JobId, JobId)> {
        let posts = self.posts().into_iter();
        posts
            .filter_map(|post| match post {
                ToWorker::Preflight { job, model } => Some((job, model)),
                _ => None,
            })
            .collect()
    }

    fn takes(&mut self, job: JobId, windows: usize) {
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
    fn windows(&self) -> Option<usize> {
        let preflight = self.page.shown().preflight;
        preflight.map(|preflight| preflight.windows)
    }

    /// A piece of a label map comes.
    fn partial(&mut self, job: JobId, bytes: &'static str) {
        let message = FromWorker::Partial { job };
        self.page.hear(self.worker, message, Some(bytes), 0.0);
    }

    /// What is on screen of a label map: what a run has so far, and the last result.
    fn on_screen(&self) -> (Option<&'static str>, Option<&'static str>) {
        let shown = self.page.shown();
        (
            shown.partial.map(|partial| partial.bytes),
            shown.outcome.map(|outcome| outcome.bytes),
        )
    }

    fn segmented(&mut self, job: JobId) {
        self.segmented_into(job, vec![Label::unnamed(1)]);
    }

    fn segmented_into(&mut self, job: JobId, labels: Vec<Label>) {
        self.hear(FromWorker::Segmented {
            job,
            millis: 1.0,
            labels,
            statistics: Vec::new(),
            warnings: vec!["It is large.".to_owned()],
        });
    }

    fn fail(&mut self, job: Option<JobId>, what: &str) {
        self.hear(FromWorker::Failed {
            job,
            failure: failure(what, job.is_none()),
        });
    }

    fn failure(&self) -> Option<String> {
        self.page.shown().failure.map(|failure| failure.what)
    }

    fn scan(&self) -> Option<&'static str> {
        self.page.shown().scan.map(|scan| scan.bytes)
    }
}

fn offer(index: usize, num_volumes: usize) -> ScanOffer {
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

fn brought(name: &'static str) -> Brought<&'static str> {
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

fn failure(what: &str, is_fatal: bool) -> Failure {
    Failure {
        what: what.to_owned(),
        advice: String::new(),
        is_fatal,
    }
}

#[test]
fn of_two_models_chosen_quickly_the_second_is_named_and_used_whichever_comes_first() {
    for is_first_late in [true, false] {
        let mut desk = Desk::with_scan();
        desk.page.choose_model("b".to_owned());
        desk.page.choose_model("a".to_owned());
        let asked = desk.asked_models();
        let [(first, _), (second, base)] = &asked[..] else {
            panic!("two models were asked for, found {asked:?}");
        };
        assert_eq!(base, "models/a/");
        assert_eq!(desk.segment(), None, "neither is there yet");
        let answers = if is_first_late {
            [(*second, "a"), (*first, "b")]
        } else {
            [(*first, "b"), (*second, "a")]
        };
        for (job, name) in answers {
            desk.loaded(job, name);
        }
        let named = desk.page.shown().model.expect("one is loaded").info.name;
        assert_eq!(named, "a");
        let (_, used) = desk.segment().expect("it can be segmented with");
        assert_eq!(used, *second);
    }
}

#[test]
fn the_failure_of_a_model_that_is_not_wanted_any_more_is_not_shown() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    desk.page.choose_model("a".to_owned());
    let asked = desk.asked_models();
    desk.fail(Some(asked[0].0), "no such model");
    assert_eq!(desk.failure(), None);
    desk.loaded(asked[1].0, "a");
    assert_eq!(desk.page.shown().worker, WorkerPhase::Usable);
}

#[test]
fn a_file_for_a_worker_that_ended_is_answered_with_the_reason_and_the_next_one_is_read() {
    let mut desk = Desk::new(BackendChoice::WebGpu);
    desk.fail(None, "WebGPU can't be used here.");
    assert_eq!(desk.page.shown().worker, WorkerPhase::Gone);
    desk.page.dismiss_failure();
    desk.open("scan");
    assert!(!desk.page.shown().is_reading, "nobody reads it");
    assert_eq!(
        desk.failure().as_deref(),
        Some("WebGPU can't be used here.")
    );

    desk.page.choose_backend(BackendChoice::Cpu);
    assert_eq!(desk.failure(), None);
    desk.open("scan");
    assert!(desk.page.shown().is_reading, "it waits for the worker");
    desk.orders();
    desk.ready(Backend::Cpu);
    desk.read();
    assert_eq!(desk.scan(), Some("scan"));
    assert!(!desk.page.shown().is_reading);
}

#[test]
fn a_worker_that_ends_while_the_browser_brings_a_file_leaves_nothing_reading() {
    let mut desk = Desk::new(BackendChoice::WebGpu);
    let job = desk.page.open(String::new()).expect("nothing else is read");
    desk.fail(None, "no adapter");
    assert!(desk.page.shown().is_reading);
    desk.page.brought(job, vec![brought("scan")]);
    assert!(!desk.page.shown().is_reading);
    assert_eq!(desk.failure().as_deref(), Some("no adapter"));
}

#[test]
fn a_file_that_waits_when_the_last_worker_ends_is_given_up() {
    let mut desk = Desk::new(BackendChoice::WebGpu);
    desk.open("scan");
    desk.fail(None, "no adapter");
    assert!(!desk.page.shown().is_reading);
}

#[test]
fn a_file_that_can_not_be_brought_leaves_the_scan_before_it() {
    let mut desk = Desk::with_scan();
    desk.open("gone");
    assert_eq!(desk.scan(), Some("scan"));
    assert_eq!(desk.failure().as_deref(), Some("gone"));
    assert!(!desk.page.shown().is_reading);
}

#[test]
fn one_file_is_opened_at_a_time_and_none_while_a_segmentation_runs() {
    let mut desk = Desk::with_scan();
    desk.open("next");
    assert_eq!(desk.page.open(String::new()), None);
    assert_eq!(desk.segment(), None, "the scan is about to change");
    let job = desk.page.open(String::new());
    assert_eq!(job, None);

    let mut desk = Desk::with_scan();
    desk.segment().expect("it starts");
    assert_eq!(desk.page.open(String::new()), None);
    assert!(desk.page.shown().status.contains("Cancel it first"));
}

#[test]
fn a_file_that_is_refused_leaves_the_scan_and_its_label_map() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("notes");
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no scan");
    assert_eq!(desk.scan(), Some("scan"));
    assert!(desk.page.shown().outcome.is_some());
    assert_eq!(desk.failure().as_deref(), Some("no scan"));
    desk.open("next");
    desk.read();
    assert_eq!(desk.failure(), None, "a success takes the message away");
    assert!(desk.page.shown().outcome.is_none(), "it is of another scan");
}

#[test]
fn a_fresh_worker_gets_the_scan_on_screen_but_not_the_file_at_which_the_last_one_died() {
    let mut desk = Desk::with_scan();
    desk.open("deadly");
    desk.orders();
    desk.fail(None, "memory");
    assert_eq!(desk.failure().as_deref(), Some("memory"));
    assert!(!desk.page.shown().is_reading);
    assert!(
        matches!(desk.orders()[..], [Order::StartWorker { .. }]),
        "another follows"
    );
    desk.ready(Backend::Cpu);
    let orders = desk.orders();
    let files: Vec<_> = orders
        .iter()
        .filter_map(|order| match order {
            Order::Post(ToWorker::LoadScan { job, .. }, Some(bytes)) => Some((*job, *bytes)),
            _ => None,
        })
        .collect();
    assert!(matches!(files[..], [(_, "scan")]), "{files:?}");
    desk.scan_loaded(files[0].0);
    let model = orders.iter().find_map(|order| match order {
        Order::Post(ToWorker::LoadModel { job, .. }, _) => Some(*job),
        _ => None,
    });
    desk.loaded(model.expect("it loads the model"), "a");
    assert!(desk.page.shown().status.contains("A fresh worker is ready"));
    assert!(desk.segment().is_some());
}

#[test]
fn nothing_that_an_ended_worker_still_says_is_heard() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    let ended = desk.worker;
    desk.fail(None, "lost");
    desk.orders();
    assert_ne!(desk.worker, ended);
    let late = FromWorker::Segmented {
        job,
        millis: 1.0,
        labels: Vec::new(),
        statistics: Vec::new(),
        warnings: Vec::new(),
    };
    desk.page.hear(ended, late, Some("labels"), 0.0);
    assert!(desk.page.shown().outcome.is_none());
    desk.page.broke(ended, failure("late", true));
    assert_eq!(desk.failure().as_deref(), Some("lost"));
}

#[test]
fn the_late_result_of_a_run_that_was_given_up_is_dropped() {
    let mut desk = Desk::with_scan();
    let (first, _) = desk.segment().expect("it starts");
    assert_eq!(desk.page.cancel(), Some(first));
    assert_eq!(desk.page.cancel(), None, "once is enough");
    desk.hear(FromWorker::Cancelled { job: first });
    desk.orders();
    let (second, _) = desk.segment().expect("another one starts");
    desk.segmented(first);
    assert!(desk.page.shown().outcome.is_none());
    desk.segmented(second);
    assert!(desk.page.shown().outcome.is_some());
}

#[test]
fn a_worker_that_does_not_stop_is_ended_and_one_that_has_stopped_is_not() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.page.cancel();
    desk.orders();
    desk.hear(FromWorker::Cancelled { job });
    desk.page.out_of_patience(job);
    assert_eq!(desk.orders(), []);

    let (job, _) = desk.segment().expect("it starts");
    desk.page.cancel();
    desk.page.out_of_patience(job);
    assert!(matches!(desk.orders()[..], [Order::StartWorker { .. }]));
    assert!(desk.page.shown().status.contains("did not stop in time"));
}

#[test]
fn webgpu_that_fails_by_itself_gives_way_to_the_cpu_without_asking() {
    let mut desk = Desk::new(BackendChoice::Automatic);
    desk.ready(Backend::WebGpu);
    desk.load();
    desk.fail(None, "device lost");
    let orders = desk.orders();
    assert!(
        matches!(&orders[..], [.., Order::StartWorker { query, .. }] if query.contains("avoid-webgpu")),
        "{orders:?}"
    );
}

#[test]
fn the_answer_to_an_earlier_search_for_models_is_dropped() {
    let mut page = Page::start(BackendChoice::Cpu);
    page.restart();
    let lookups: Vec<JobId> = std::iter::from_fn(|| page.next_order())
        .filter_map(|order| match order {
            Order::FindModels(job) => Some(job),
            _ => None,
        })
        .collect();
    let [first, second] = lookups[..] else {
        panic!("asked twice, found {lookups:?}");
    };
    let entry = |name: &str| ModelEntry {
        name: name.to_owned(),
        title: name.to_owned(),
        part_of: None,
        has_document: false,
        offer: None,
    };
    page.models_found(second, Ok(vec![entry("new")]));
    page.models_found(first, Ok(vec![entry("old")]));
    assert_eq!(page.shown().model_name, "new");
    page.models_found(first, Err("late".to_owned()));
    assert!(page.shown().failure.is_none());
}

#[test]
fn without_a_model_a_scan_can_still_be_looked_at() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    let (job, _) = desk.asked_models()[0];
    desk.fail(Some(job), "takes two scans at once");
    assert_eq!(desk.page.shown().worker, WorkerPhase::Gone);
    desk.open("scan");
    desk.read();
    assert_eq!(desk.scan(), Some("scan"));
    assert_eq!(desk.segment(), None);
}

#[test]
fn what_was_meant_for_an_ended_worker_is_not_sent_to_the_next() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    desk.page
        .broke(desk.worker, failure("could not be reached", true));
    assert!(matches!(desk.orders()[..], [Order::StartWorker { .. }]));
}

#[test]
fn what_a_run_has_labelled_so_far_gives_way_to_its_result() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.partial(job + 1, "of another run");
    assert_eq!(desk.on_screen(), (None, None));
    desk.partial(job, "half");
    assert_eq!(desk.on_screen(), (Some("half"), None));
    let partial = desk.page.shown().partial.expect("it is there");
    assert_eq!(partial.labels, [Label::unnamed(1)], "those of the model");
    desk.partial(job, "most");
    assert_eq!(desk.on_screen(), (Some("most"), None));
    desk.segmented(job);
    assert_eq!(desk.on_screen(), (None, Some("labels")));
    desk.partial(job, "late");
    assert_eq!(desk.on_screen(), (None, Some("labels")));
}

#[test]
fn after_a_run_that_came_to_nothing_the_result_before_it_is_there_again() {
    type End = fn(&mut Desk, JobId);
    let cancelled: End = |desk, job| desk.hear(FromWorker::Cancelled { job });
    let failed: End = |desk, job| desk.fail(Some(job), "no contrast");
    let died: End = |desk, _| desk.fail(None, "memory");
    for end in [cancelled, failed, died] {
        let mut desk = Desk::with_scan();
        let (first, _) = desk.segment().expect("it starts");
        desk.segmented(first);
        let (second, _) = desk.segment().expect("another one starts");
        desk.partial(second, "half");
        assert_eq!(desk.on_screen(), (Some("half"), Some("labels")));
        desk.page.cancel();
        desk.partial(second, "more, though it is to stop");
        assert_eq!(desk.on_screen(), (Some("half"), Some("labels")));
        end(&mut desk, second);
        assert_eq!(desk.on_screen(), (None, Some("labels")));
    }
}

#[test]
fn what_a_scan_will_take_is_asked_once_there_are_scan_and_model_and_of_each_anew() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    let (model, _) = desk.asked_models()[0];
    desk.open("scan");
    desk.read();
    assert_eq!(desk.asked_preflights(), [], "there is no model yet");
    desk.loaded(model, "a");
    let asked = desk.asked_preflights();
    assert!(matches!(asked[..], [(_, of)] if of == model), "{asked:?}");
    desk.takes(asked[0].0, 2);
    assert_eq!(desk.windows(), Some(2));

    desk.open("next");
    desk.read();
    let (of_scan, _) = desk.asked_preflights()[0];
    assert_eq!(desk.windows(), None, "it is another scan");
    desk.page.choose_model("b".to_owned());
    desk.takes(of_scan, 3);
    assert_eq!(desk.windows(), None, "it is another model");
    let (model, _) = desk.asked_models()[0];
    desk.loaded(model, "b");
    let (job, _) = desk.asked_preflights()[0];
    desk.fail(Some(job), "can't be told");
    assert_eq!(desk.failure(), None, "segmenting will say it");
    assert_eq!(desk.windows(), None);
}

#[test]
fn a_fresh_worker_is_asked_what_the_scan_will_take_when_it_has_it() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.asked_preflights()[0];
    desk.takes(job, 2);
    desk.fail(None, "memory");
    assert_eq!(desk.windows(), None, "the next one may take more");
    desk.orders();
    desk.ready(Backend::Cpu);
    let posts = desk.posts();
    let [
        ToWorker::LoadScan { job: scan, .. },
        ToWorker::LoadModel { job: model, .. },
    ] = posts[..]
    else {
        panic!("scan and model are asked for, found {posts:?}");
    };
    desk.loaded(model, "a");
    assert_eq!(desk.asked_preflights(), []);
    desk.scan_loaded(scan);
    assert_eq!(desk.asked_preflights().len(), 1);
}

#[test]
fn a_closer_look_takes_the_result_with_it_and_brings_more_labels() {
    let part = |model: &str| Closer {
        model: model.to_owned(),
        name: format!("parts of {model}"),
    };
    let mut desk = Desk::with_scan();
    for entry in &mut desk.page.shown.models {
        entry.part_of = (entry.name != "a").then(|| PartOf {
            model: "a".to_owned(),
            name: part(&entry.name).name,
        });
    }
    // What is sent: the request, the part's folder, the labels, and the map beside them.
    let look = |desk: &mut Desk, closer: Closer| {
        desk.page.look_closer(closer, 0.0);
        desk.orders().into_iter().find_map(|order| match order {
            Order::Post(ToWorker::Closer { job, model, labels }, Some(bytes)) => {
                Some((job, model, labels, bytes))
            }
            _ => None,
        })
    };
    assert_eq!(look(&mut desk, part("b")), None, "nothing is found yet");
    let (job, _) = desk.segment().expect("it starts");
    assert_eq!(look(&mut desk, part("b")), None, "a run is under way");
    desk.segmented(job);
    assert_eq!(look(&mut desk, part("x")), None, "nobody offers it");

    let (job, base, labels, bytes) = look(&mut desk, part("b")).expect("it starts");
    assert_eq!((base.as_str(), bytes), ("models/b/", "labels"));
    assert!(desk.page.shown().status.contains("the parts of b"));
    assert_eq!(labels, [Label::unnamed(1)]);
    desk.fail(Some(job), "not found");
    let outcome = desk.page.shown().outcome.expect("the result stays");
    assert_eq!(outcome.closer, [part("b"), part("c")]);
    assert!(
        desk.page.shown().has_logits,
        "the worker still knows the result"
    );
    let mut again = desk.page.shown.models[1].clone();
    again.name = "b/four-bits".to_owned();
    desk.page.shown.models.push(again);
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(
        outcome.closer,
        [part("b"), part("c")],
        "a part is offered once"
    );

    let (job, ..) = look(&mut desk, part("b")).expect("it starts");
    let more = vec![Label::unnamed(1), Label::unnamed(2)];
    desk.segmented_into(job, more.clone());
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.labels, more);
    assert_eq!(outcome.closer, [part("c")], "b has been looked at");
    assert_eq!(
        outcome.warnings.len(),
        2,
        "what was said of the whole is still true"
    );
    assert_eq!(outcome.millis, 2.0, "both looks have taken their time");
    assert!(!desk.page.shown().has_logits, "two networks have made it");
    desk.page.look_back();
    let shown = desk.page.shown();
    let outcome = shown.outcome.expect("there is a result");
    assert_eq!(outcome.labels, [Label::unnamed(1)], "as it was before");
    assert!(shown.has_logits && outcome.looked_from.is_none());
    let (job, ..) = look(&mut desk, part("b")).expect("it starts again");
    desk.segmented_into(job, more.clone());
    let (job, ..) = look(&mut desk, part("c")).expect("it starts");
    desk.partial(job, "half");
    let partial = desk.page.shown().partial.expect("it is there");
    assert_eq!(partial.labels, more, "the result's, of which it grows");
    desk.hear(FromWorker::Cancelled { job });

    let (job, _) = desk.segment().expect("the whole scan again");
    desk.segmented(job);
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.closer, [part("b"), part("c")]);
}

#[test]
fn a_sample_comes_with_its_model_where_the_site_has_it() {
    let sample = |model| Sample {
        model,
        file: "b.nii.gz",
        title: "Sample b",
    };
    let mut desk = Desk::with_scan();
    desk.orders();
    let job = desk.page.open_sample(sample("b")).expect("it is fetched");
    assert_eq!(desk.page.shown().model_name, "b");
    assert_eq!(desk.asked_models().len(), 1);
    desk.page.brought(job, vec![brought("b")]);
    desk.read();
    assert_eq!(desk.scan(), Some("b"));

    desk.page
        .open_sample(sample("none"))
        .expect("it is fetched");
    assert_eq!(desk.page.shown().model_name, "b");
    assert_eq!(desk.page.open_sample(sample("a")), None, "one at a time");
    assert_eq!(desk.page.shown().model_name, "b");
}

const SECOND: ScanChoice = ScanChoice {
    index: 1,
    volume: 0,
};

#[test]
fn of_several_scans_the_visitor_chooses_one_and_a_fresh_worker_loads_the_same() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    assert_eq!(desk.offered().as_deref(), Some("study"));
    assert_eq!(desk.scan(), Some("scan"), "nothing is chosen yet");
    let shown = desk.page.shown();
    assert!(!shown.is_reading && shown.can_segment());
    assert_eq!(shown.status, "study holds 2 scans. Choose one.");

    desk.page.choose_scan(SECOND);
    assert_eq!(desk.offered(), None);
    assert!(desk.page.shown().is_reading);
    let asked = desk.asked_choices();
    let [(job, Some(SECOND))] = asked[..] else {
        panic!("the second is asked for, found {asked:?}");
    };
    desk.scan_loaded(job);
    assert_eq!(desk.scan(), Some("study"));

    desk.fail(None, "memory");
    desk.orders();
    desk.ready(Backend::Cpu);
    let asked = desk.asked_choices();
    assert!(matches!(asked[..], [(_, Some(SECOND))]), "{asked:?}");
}

#[test]
fn a_choice_that_fails_leaves_the_scan_and_the_others_to_choose() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.page.choose_scan(SECOND);
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no decoder");
    assert_eq!(desk.failure().as_deref(), Some("no decoder"));
    assert_eq!(desk.scan(), Some("scan"));
    assert_eq!(desk.offered().as_deref(), Some("study"));
    desk.page.choose_no_scan();
    assert_eq!(desk.offered(), None);
    assert_eq!(desk.scan(), Some("scan"));
    desk.page.choose_scan(SECOND);
    assert!(desk.asked_scans().is_empty(), "nothing is offered");
}

#[test]
fn another_file_takes_the_place_of_a_choice() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.open("next");
    assert_eq!(desk.offered(), None);
    desk.page.choose_scan(SECOND);
    let asked = desk.asked_choices();
    assert!(matches!(asked[..], [(_, None)]), "{asked:?}");
    desk.scan_loaded(asked[0].0);
    assert_eq!(desk.scan(), Some("next"));
}

#[test]
fn a_choice_outlives_every_worker_and_waits_for_a_run() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.segment().expect("the scan on screen is still there");
    desk.page.choose_scan(SECOND);
    assert!(desk.page.shown().status.contains("Cancel it first"));
    assert_eq!(desk.offered().as_deref(), Some("study"));
    desk.fail(None, "memory");
    desk.page.choose_scan(SECOND);
    assert!(
        desk.page.shown().is_reading,
        "it waits for the fresh worker"
    );
    desk.orders();
    desk.ready(Backend::Cpu);
    let asked = desk.asked_choices();
    assert!(
        matches!(asked[..], [(_, None), (_, Some(SECOND))]),
        "{asked:?}"
    );

    let mut desk = Desk::new(BackendChoice::WebGpu);
    desk.ready(Backend::WebGpu);
    desk.open("study");
    desk.offer_two();
    desk.fail(None, "no adapter");
    desk.page.dismiss_failure();
    desk.page.choose_scan(SECOND);
    assert_eq!(desk.failure().as_deref(), Some("no adapter"));
    assert_eq!(desk.offered().as_deref(), Some("study"), "for another");

    desk.page.choose_backend(BackendChoice::Cpu);
    desk.orders();
    desk.ready(Backend::Cpu);
    desk.load();
    assert!(desk.page.shown().status.contains("2 scans"));
    desk.page.choose_scan(SECOND);
    assert_eq!(desk.asked_choices().len(), 1);
}

#[test]
fn a_dicom_segmentation_is_of_the_result_that_follows_it_and_of_no_other() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.hear(FromWorker::DicomSeg { job: job + 1 });
    desk.segmented(job);
    let seg = |desk: &Desk| desk.page.shown().outcome.expect("there is a result").seg;
    assert_eq!(seg(&desk), None, "it is of another run");
    let (job, _) = desk.segment().expect("another one starts");
    desk.page
        .hear(desk.worker, FromWorker::DicomSeg { job }, Some("seg"), 0.0);
    desk.segmented(job);
    assert_eq!(seg(&desk), Some("seg"));

    let (job, _) = desk.segment().expect("another one starts");
    desk.hear(FromWorker::DicomSeg { job });
    desk.fail(Some(job), "can't be written");
    let (job, _) = desk.segment().expect("another one starts");
    desk.segmented(job);
    assert_eq!(seg(&desk), None, "that run came to nothing");
}

#[test]
fn how_sure_the_network_was_is_asked_of_the_result_on_screen() {
    let mut desk = Desk::with_scan();
    let ask = |desk: &mut Desk, what| {
        desk.orders();
        desk.page.ask_probabilities(what);
        desk.orders().into_iter().find_map(|order| match order {
            Order::Post(ToWorker::Probabilities { job, of, .. }, _) => Some((job, of)),
            _ => None,
        })
    };
    let answer = |desk: &mut Desk, job, what| {
        let message = FromWorker::Probabilities { job, what };
        desk.page
            .hear(desk.worker, message, Some("probabilities"), 0.0);
    };
    assert_eq!(
        ask(&mut desk, Probabilities::Certainty),
        None,
        "there is no result"
    );
    let (run, _) = desk.segment().expect("it starts");
    assert_eq!(ask(&mut desk, Probabilities::Certainty), None, "nor yet");
    desk.segmented(run);
    let (late, of) = ask(&mut desk, Probabilities::Certainty).expect("it is asked");
    assert_eq!(of, run);
    let (job, _) = ask(&mut desk, Probabilities::OfLabels).expect("it is asked");
    answer(&mut desk, late, Probabilities::Certainty);
    assert!(
        desk.page.shown().certainty.is_none(),
        "nobody asks that any more"
    );
    answer(&mut desk, job, Probabilities::OfLabels);
    let saved = desk.orders().into_iter().find_map(|order| match order {
        Order::Save { name, bytes, .. } => Some((name, bytes)),
        _ => None,
    });
    let (name, bytes) = saved.expect("it is saved");
    assert!(name.ends_with("_probseg.nii.gz"), "{name}");
    assert_eq!(bytes, "probabilities");

    let (job, _) = ask(&mut desk, Probabilities::Certainty).expect("it is asked");
    answer(&mut desk, job, Probabilities::Certainty);
    assert_eq!(
        desk.page.shown().certainty.as_deref(),
        Some(&"probabilities")
    );
    let (job, _) = ask(&mut desk, Probabilities::CertaintyFile).expect("it is asked");
    desk.fail(Some(job), "no room");
    assert!(desk.page.shown().failure.is_some());
    assert!(desk.page.shown().outcome.is_some(), "the result stays");

    // A new result is another one's.
    let (run, _) = desk.segment().expect("it starts");
    assert!(!desk.page.shown().has_logits);
    desk.segmented(run);
    assert!(desk.page.shown().certainty.is_none());
    let (_, of) = ask(&mut desk, Probabilities::Certainty).expect("it is asked");
    assert_eq!(of, run);
    // A fresh worker knows nothing of it.
    desk.page.restart();
    assert!(!desk.page.shown().has_logits);
}

#[test]
fn several_files_are_a_list_that_is_segmented_one_after_the_other() {
    let mut desk = Desk::with_list();
    assert!(desk.page.shown().can_segment_all());
    desk.orders();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    assert_eq!(desk.list(), "!a… b c");
    assert_eq!(desk.page.shown().queue, Some((1, 3)));
    assert!(desk.page.shown().status.contains("a, 1 of 3"));
    assert!(!desk.page.shown().can_segment_all(), "it is under way");
    assert_eq!(desk.page.open(String::new()), None, "it is under way");
    desk.segmented(job);
    assert_eq!(desk.list(), "!a= b… c", "a is on screen until b is read");
    assert_eq!(desk.page.shown().queue, Some((2, 3)));
    for list in ["a= !b… c", "a= b= !c…"] {
        let job = desk.read_in_turn();
        assert_eq!(desk.list(), list);
        desk.segmented(job);
    }
    assert_eq!(desk.list(), "a= b= !c=");
    let shown = desk.page.shown();
    assert_eq!((shown.queue, shown.run), (None, None));
    assert_eq!(shown.status, "Done: 3 scans segmented.");
    assert!(!shown.can_segment_all(), "there is nothing left");
    let results = desk.page.results();
    let names: Vec<&str> = results.iter().map(|outcome| &*outcome.name).collect();
    assert_eq!(names, ["a_dseg.nii.gz", "b_dseg.nii.gz", "c_dseg.nii.gz"]);
}

#[test]
fn one_that_is_no_scan_or_fails_says_so_in_the_list_and_the_rest_goes_on() {
    let mut desk = Desk::with_list();
    desk.open_all(&["gone", "d"]);
    desk.read();
    assert_eq!(desk.list(), "a b c gone(gone) !d");
    desk.page.segment_all(0.0);
    let job = desk.read_in_turn();
    desk.fail(Some(job), "no contrast");
    assert_eq!(desk.list(), "!a(no contrast) b… c gone(gone) d");
    let Some(("read", job)) = desk.turn() else {
        panic!("b has its turn");
    };
    desk.fail(Some(job), "no scan");
    for _ in ["c", "d"] {
        let job = desk.read_in_turn();
        desk.segmented(job);
    }
    assert_eq!(desk.list(), "a(no contrast) b(no scan) c= gone(gone) !d=");
    assert!(desk.page.shown().status.starts_with("Done: 2 of 4 scans"));
    assert_eq!(desk.failure(), None, "the list says it");
    assert!(desk.page.shown().can_segment_all(), "to try them again");
    desk.page.segment_all(0.0);
    assert_eq!(desk.page.shown().queue, Some((1, 2)));
    assert_eq!(desk.list(), "a… b c= gone(gone) !d=");
}

#[test]
fn scans_that_kill_their_workers_leave_the_others_theirs() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    desk.load();
    desk.open_all(&["a", "b", "c", "d", "e"]);
    desk.read();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    // One while it is read and three while they are segmented, more than a worker by itself may.
    assert!(matches!(desk.turn(), Some(("read", _))));
    desk.fail(None, "memory");
    assert_eq!(desk.list(), "!a= b(memory) c… d e");
    assert_eq!(desk.failure(), None, "the list says it");
    for (problem, list) in [
        ("lost", "a= b(memory) !c(lost) d… e"),
        ("gone", "a= b(memory) c(lost) !d(gone) e…"),
        ("late", "a= b(memory) c(lost) d(gone) !e(late)"),
    ] {
        desk.orders();
        desk.ready(Backend::Cpu);
        let asked = desk.posts();
        let [ToWorker::LoadModel { job, .. }] = asked[..] else {
            panic!("the model comes before the scan, found {asked:?}");
        };
        desk.loaded(job, "a");
        desk.read_in_turn();
        desk.fail(None, problem);
        assert_eq!(desk.list(), list);
    }
    assert_eq!(desk.page.shown().queue, None);
    assert_eq!(desk.page.results().len(), 1);
    desk.fresh_worker();
    let shown = desk.page.shown();
    assert!(shown.can_segment_all(), "all can be tried again");
    assert!(shown.status.contains("The list says"), "{}", shown.status);
}

#[test]
fn after_a_list_the_worker_holds_what_is_on_screen_even_if_the_last_were_no_scans() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    desk.segment_in_turn();
    desk.fail(None, "memory");
    desk.fresh_worker();
    for _ in ["b", "c"] {
        let Some(("read", job)) = desk.turn() else {
            panic!("a scan is to be read: {}", desk.list());
        };
        desk.fail(Some(job), "no scan");
    }
    assert_eq!(desk.list(), "!a(memory) b(no scan) c(no scan)");
    let again = desk.orders().into_iter().find_map(|order| match order {
        Order::Post(ToWorker::LoadScan { .. }, bytes) => bytes,
        _ => None,
    });
    assert_eq!(again, Some("a"));
}

#[test]
fn without_another_worker_or_a_model_the_list_stops_and_keeps_what_it_has() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    desk.read_in_turn();
    desk.fail(None, "memory");
    desk.orders();
    desk.fail(None, "no memory for a worker");
    let shown = desk.page.shown();
    assert_eq!((shown.worker, shown.queue), (WorkerPhase::Gone, None));
    assert_eq!(desk.failure().as_deref(), Some("no memory for a worker"));
    assert_eq!(desk.list(), "a= !b(memory) c");
    assert!(!shown.is_reading);

    desk.page.restart();
    desk.fresh_worker();
    let Some(("read", _)) = desk.turn() else {
        desk.page.segment_all(0.0);
        desk.orders();
        desk.fail(None, "again");
        desk.orders();
        desk.ready(Backend::Cpu);
        let (job, _) = desk.asked_models()[0];
        desk.fail(Some(job), "no connection");
        assert_eq!(desk.page.shown().queue, None);
        desk.read();
        assert_eq!(desk.list(), "a= b(again) !c", "it can still be seen");
        return;
    };
    panic!("nothing is read before it is asked for");
}

#[test]
fn cancelling_stops_the_run_and_all_behind_it() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    assert_eq!(desk.page.cancel(), Some(job));
    desk.orders();
    desk.hear(FromWorker::Cancelled { job });
    assert_eq!(desk.turn(), None);
    assert_eq!(desk.list(), "!a b c");
    assert_eq!(desk.page.shown().queue, None);

    // While a scan is read there is no run yet: it is shown and no more.
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    let Some(("read", job)) = desk.turn() else {
        panic!("b has its turn");
    };
    assert_eq!(desk.page.cancel(), None);
    assert_eq!(desk.page.shown().queue, None);
    desk.scan_loaded(job);
    assert_eq!(desk.turn(), None);
    assert_eq!(desk.list(), "a= !b c");

    // Nor while a fresh worker starts.
    desk.page.segment_all(0.0);
    desk.segment_in_turn();
    desk.fail(None, "memory");
    desk.page.cancel();
    desk.fresh_worker();
    assert_eq!(desk.list(), "a= !b(memory) c…");
    assert!(desk.page.shown().run.is_none());
}

#[test]
fn a_chosen_scan_is_shown_with_its_result_and_keeps_what_comes_of_it() {
    let mut desk = Desk::with_list();
    let (job, _) = desk.segment().expect("the one on screen");
    desk.segmented(job);
    assert_eq!(desk.list(), "!a= b c");
    desk.page.choose_listed(desk.listed("b"));
    desk.read();
    assert_eq!(desk.list(), "a= !b c");
    assert_eq!(desk.on_screen(), (None, None), "it has no result yet");
    desk.page.choose_listed(desk.listed("a"));
    desk.read();
    assert_eq!(desk.on_screen(), (None, Some("labels")));
    desk.page.choose_listed(desk.listed("a"));
    assert!(desk.asked_scans().is_empty(), "it is on screen");

    desk.page.choose_listed(desk.listed("c"));
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no scan");
    assert_eq!(desk.list(), "!a= b c(no scan)");
    assert!(desk.page.shown().status.starts_with("c was not opened"));
    desk.segment().expect("a is still there");
    desk.page.choose_listed(desk.listed("b"));
    assert!(desk.asked_scans().is_empty(), "a run is under way");
}

#[test]
fn the_first_that_can_be_shown_is() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.ready(Backend::Cpu);
    desk.load();
    desk.open_all(&["gone", "notes", "b"]);
    let job = desk.asked_scans()[0];
    desk.fail(Some(job), "no scan");
    desk.read();
    assert_eq!(desk.list(), "gone(gone) notes(no scan) !b");
}

#[test]
fn a_scan_can_be_removed_unless_it_is_at_work() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.page.remove_listed(desk.listed("a"));
    desk.page.remove_listed(desk.listed("b"));
    assert_eq!(desk.list(), "!a… c");
    assert_eq!(desk.page.shown().queue, Some((1, 2)));
    desk.segmented(job);
    desk.page.remove_listed(desk.listed("a"));
    assert_eq!(desk.list(), "c…");
    assert!(desk.page.shown().status.starts_with("Reading c"));
    let job = desk.read_in_turn();
    desk.segmented(job);
    assert_eq!(desk.list(), "!c=");
    desk.open("a");
    desk.read();
    desk.page.choose_listed(desk.listed("c"));
    desk.read();
    assert_eq!(desk.list(), "!c= a");
    desk.page.remove_listed(desk.listed("c"));
    desk.read();
    assert_eq!(desk.list(), "!a", "the other one takes its place");
    desk.page.remove_listed(desk.listed("a"));
    assert_eq!(desk.list(), "");
    assert_eq!(desk.scan(), Some("a"), "a scan by itself from now on");
    desk.open("d");
    desk.read();
    assert_eq!((desk.list(), desk.scan()), (String::new(), Some("d")));
}

#[test]
fn a_list_grows_and_another_model_has_all_of_it_to_do() {
    let mut desk = Desk::with_list();
    for name in ["a", "b", "c"] {
        desk.page.choose_listed(desk.listed(name));
        if desk
            .asked_scans()
            .last()
            .copied()
            .map(|job| desk.scan_loaded(job))
            .is_none()
        {
            assert_eq!(name, "a");
        }
        let (job, _) = desk.segment().expect("it starts");
        desk.segmented(job);
    }
    assert!(!desk.page.shown().can_segment_all());
    desk.open("d");
    desk.read();
    assert_eq!(desk.list(), "a= b= c= !d");
    desk.page.segment_all(0.0);
    assert_eq!(desk.page.shown().queue, Some((1, 1)));
    let job = desk.segment_in_turn();
    desk.segmented(job);
    desk.page.choose_model("b".to_owned());
    desk.load();
    desk.page.segment_all(0.0);
    assert_eq!(desk.page.shown().queue, Some((1, 4)));
    let job = desk.read_in_turn();
    desk.fail(Some(job), "no contrast");
    assert_eq!(desk.page.results().len(), 4, "the one before is kept");
}

#[test]
fn all_scans_of_a_file_become_a_list() {
    let mut desk = Desk::with_scan();
    desk.open("study");
    desk.offer_two();
    desk.page.choose_all_scans();
    assert_eq!(desk.offered(), None);
    let asked = desk.asked_choices();
    let [(job, Some(choice))] = asked[..] else {
        panic!("the first is read, found {asked:?}");
    };
    assert_eq!(choice.index, 0);
    desk.scan_loaded(job);
    assert_eq!(desk.list(), "!study/scan 0 study/scan 1");
    desk.page.choose_listed(desk.listed("study/scan 1"));
    assert!(matches!(desk.asked_choices()[..], [(_, Some(SECOND))]));
}

#[test]
fn a_file_of_several_scans_in_a_list_has_them_all_in_its_place() {
    let mut desk = Desk::with_list();
    desk.page.choose_listed(desk.listed("b"));
    desk.offer_two();
    assert_eq!(desk.offered().as_deref(), Some("b"));
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    desk.offer_two();
    assert_eq!(desk.list(), "!a= b/scan 0… b/scan 1 c");
    assert_eq!(desk.page.shown().queue, Some((2, 4)));
    for _ in 0..3 {
        let job = desk.read_in_turn();
        desk.segmented(job);
    }
    assert_eq!(desk.list(), "a= b/scan 0= b/scan 1= !c=");

    // Of several volumes one has to be chosen, and then it can be segmented.
    desk.open("time");
    desk.read_as_volumes();
    desk.page.choose_no_scan();
    desk.page.segment_all(0.0);
    desk.read_as_volumes();
    assert!(desk.list().contains("time(It holds 3 volumes"));
    desk.page.choose_listed(desk.listed("time"));
    desk.read_as_volumes();
    let (index, volume) = (0, 2);
    desk.page.choose_scan(ScanChoice { index, volume });
    desk.read();
    desk.page.segment_all(0.0);
    let job = desk.segment_in_turn();
    desk.segmented(job);
    assert!(
        desk.list().ends_with("!time_vol-2="),
        "no two have one name"
    );
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.name, "time_vol-2_dseg.nii.gz");
    let warned = |scan: &Listed| scan.has_warnings;
    assert!(desk.page.shown().scans.iter().all(warned));
}

/// A page with a result whose inside can be looked at, and the number of its request.
fn with_result() -> (Desk, JobId) {
    let mut desk = Desk::with_scan();
    desk.page.segment(0.0);
    let posts = desk.posts();
    let job = posts
        .iter()
        .find_map(|post| match post {
            ToWorker::Segment { job, .. } => Some(*job),
            _ => None,
        })
        .expect("a segmentation was asked for");
    desk.hear(FromWorker::Segmented {
        job,
        millis: 1.0,
        labels: vec![Label::unnamed(1)],
        statistics: Vec::new(),
        warnings: Vec::new(),
    });
    desk.posts();
    (desk, job)
}

fn asked(desk: &mut Desk) -> Vec<(JobId, JobId, [f64; 3])> {
    let posts = desk.posts().into_iter();
    posts
        .filter_map(|post| match post {
            ToWorker::Inside { job, of, at_mm, .. } => Some((job, of, at_mm)),
            _ => None,
        })
        .collect()
}

fn at(x: f64) -> Ask {
    Ask {
        at_mm: [x, 0.0, 0.0],
        question: Question::Reach,
        without: None,
    }
}

fn answer() -> InsideView {
    InsideView {
        map: Some(MapKind::Colours),
        pictures: Vec::new(),
        curves: Vec::new(),
        dice: Vec::new(),
        proxy: None,
        network: NetworkSize::default(),
        token: None,
    }
}

#[test]
fn of_questions_that_come_meanwhile_the_newest_is_asked() {
    let (mut desk, result) = with_result();
    for x in [1.0, 2.0, 3.0] {
        desk.page.look_inside(at(x));
    }
    let first = asked(&mut desk);
    assert_eq!(first.len(), 1, "one at a time");
    let (job, of, place) = first[0];
    assert_eq!((of, place), (result, [1.0, 0.0, 0.0]));
    desk.hear(FromWorker::Progress {
        job,
        fraction: 0.5,
        window: 1,
        windows: 1,
    });
    assert_eq!(desk.page.shown().looking, Some(0.5));
    desk.hear(FromWorker::Inside {
        job,
        view: answer(),
    });
    let shown = desk.page.shown().inside.expect("the answer is shown");
    assert_eq!((shown.ask, shown.map), (at(1.0), Some("labels")));
    let next = asked(&mut desk);
    assert_eq!(next.len(), 1);
    assert_eq!(
        next[0].2,
        [3.0, 0.0, 0.0],
        "the one between is not asked any more"
    );

    desk.page.leave_inside();
    assert_eq!(desk.posts(), [ToWorker::Cancel { job: next[0].0 }]);
    desk.hear(FromWorker::Inside {
        job: next[0].0,
        view: answer(),
    });
    assert!(desk.page.shown().inside.is_none(), "nobody looks any more");
}

#[test]
fn a_question_that_fails_is_said_and_does_not_stop_the_next() {
    let (mut desk, _) = with_result();
    desk.page.look_inside(at(1.0));
    desk.page.look_inside(at(2.0));
    let (job, ..) = asked(&mut desk)[0];
    desk.hear(FromWorker::Failed {
        job: Some(job),
        failure: failure("it broke", false),
    });
    assert_eq!(
        desk.page.shown().failure.map(|it| it.what).as_deref(),
        Some("it broke")
    );
    assert!(
        desk.page.shown().outcome.is_some(),
        "the result is still there"
    );
    assert_eq!(asked(&mut desk).len(), 1);
    // A new run makes what was asked about the old one void.
    desk.page.segment(0.0);
    assert!(desk.page.shown().inside.is_none() && desk.page.shown().looking.is_none());
    desk.page.look_inside(at(3.0));
    assert!(
        asked(&mut desk).is_empty(),
        "there is no result to ask about"
    );
}

/// The result on screen is changed by hand, to these bytes.
fn mend(desk: &mut Desk, bytes: &'static str) -> Rc<Outcome<&'static str>> {
    let outcome = desk.page.shown().outcome.expect("there is a result");
    let mended = Rc::new(outcome.mended(bytes, Vec::new()));
    desk.page.replace_result(Rc::clone(&mended));
    mended
}

#[test]
fn a_mended_result_takes_the_results_place_and_gives_it_back() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    let found = desk.page.shown().outcome.expect("there is a result");
    let once = mend(&mut desk, "once");
    assert_eq!(desk.on_screen(), (None, Some("once")));
    assert_eq!(once.name, "scan_desc-mended_dseg.nii.gz");
    let twice = mend(&mut desk, "twice");
    assert_eq!(twice.name, once.name, "it is said once");
    let kept = twice.mended_from.as_ref().expect("the network's is kept");
    assert!(Rc::ptr_eq(kept, &found));
    desk.page.replace_result(Rc::clone(kept));
    let shown = desk.page.shown().outcome.expect("there is a result");
    assert!(Rc::ptr_eq(&shown, &found) && shown.mended_from.is_none());

    mend(&mut desk, "again");
    desk.segment().expect("the visitor was asked");
    desk.page.replace_result(found);
    assert_eq!(desk.on_screen(), (None, Some("again")), "a run looks at it");
}

#[test]
fn a_mended_map_has_a_dicom_segmentation_of_its_own_and_certainty_is_that_of_the_network() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    let seg = FromWorker::DicomSeg { job };
    desk.page.hear(desk.worker, seg, Some("seg"), 0.0);
    desk.segmented(job);
    let mended = mend(&mut desk, "mended");
    assert_eq!(mended.seg, None);
    assert_eq!(mended.mended_from.as_ref().unwrap().seg, Some("seg"));
    assert!(
        desk.page.shown().has_logits,
        "they are still those of the scan"
    );
    desk.page.ask_segmentation();
    let asked = desk.orders().into_iter().find_map(|order| match order {
        Order::Post(ToWorker::Segmentation { job, maker, .. }, bytes) => {
            Some((job, maker.name, bytes))
        }
        _ => None,
    });
    let (job, maker, bytes) = asked.expect("it is asked");
    assert_eq!((&*maker, bytes), (&*mended.model, Some("mended")));
    let late = FromWorker::Segmentation { job: job + 1 };
    desk.page.hear(desk.worker, late, Some("late"), 0.0);
    let message = FromWorker::Segmentation { job };
    desk.page.hear(desk.worker, message, Some("of hand"), 0.0);
    let saved = desk.orders().into_iter().find_map(|order| match order {
        Order::Save { name, bytes, .. } => Some((name, bytes)),
        _ => None,
    });
    let name = "scan_desc-mended_seg.dcm".to_owned();
    assert_eq!(saved, Some((name, "of hand")));
    desk.page.ask_probabilities(Probabilities::CertaintyFile);
    let job = desk.posts().into_iter().find_map(|post| match post {
        ToWorker::Probabilities { job, .. } => Some(job),
        _ => None,
    });
    let message = FromWorker::Probabilities {
        job: job.expect("it is asked"),
        what: Probabilities::CertaintyFile,
    };
    desk.page.hear(desk.worker, message, Some("file"), 0.0);
    let saved = desk.orders().into_iter().find_map(|order| match order {
        Order::Save { name, .. } => Some(name),
        _ => None,
    });
    assert_eq!(saved.as_deref(), Some("scan_certainty.nii.gz"));
}

#[test]
fn a_dicom_segmentation_waits_for_a_fresh_worker_to_have_the_scan() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    mend(&mut desk, "mended");
    desk.page.restart();
    desk.orders();
    desk.page.ask_segmentation();
    assert!(desk.page.shown().status.contains("scan"));
    let is_asked = |post: &ToWorker| matches!(post, ToWorker::Segmentation { .. });
    assert!(!desk.posts().iter().any(is_asked), "there is no worker yet");
    desk.ready(Backend::Cpu);
    desk.read();
    assert!(desk.posts().iter().any(is_asked));

    desk.page.restart();
    desk.orders();
    desk.page.ask_segmentation();
    desk.ready(Backend::Cpu);
    let restored = desk.asked_scans().pop();
    desk.fail(restored, "it can't be read any more");
    let failure = desk.page.shown().failure.expect("it is said");
    assert_eq!(failure.what, "it can't be read any more");
}

#[test]
fn a_scan_whose_result_was_mended_is_kept_in_a_list_when_another_one_is_opened() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("lost");
    desk.read();
    assert_eq!(desk.list(), "", "what nobody has changed can be made again");
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    mend(&mut desk, "mended");
    desk.open("next");
    assert_eq!(desk.list(), "", "it is not read yet");
    desk.read();
    assert_eq!(desk.list(), "lost= !next");
    assert_eq!(desk.on_screen(), (None, None));
    let kept = desk.listed("lost");
    assert!(desk.page.is_mended(kept) && !desk.page.is_mended(desk.listed("next")));
    desk.page.choose_listed(kept);
    desk.read();
    assert_eq!(desk.on_screen(), (None, Some("mended")));
    assert_eq!(desk.list(), "!lost= next");

    // Several at once are a list of their own; it is in it, too.
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    mend(&mut desk, "mended");
    desk.open_all(&["a", "b"]);
    desk.read();
    assert_eq!(desk.list(), "scan= !a b");
}

#[test]
fn a_list_keeps_what_was_mended_and_does_not_segment_it_again() {
    let mut desk = Desk::with_list();
    desk.page.segment_all(0.0);
    let first = desk.segment_in_turn();
    desk.segmented(first);
    let second = desk.read_in_turn();
    desk.segmented(second);
    let third = desk.read_in_turn();
    desk.segmented(third);
    let mended = mend(&mut desk, "mended");
    let shown = desk.page.shown();
    let said: Vec<&ListedState> = shown.scans.iter().map(|scan| &scan.state).collect();
    let is_said = |state: &ListedState| matches!(state, ListedState::Done(said) if said.ends_with("changed by hand"));
    assert_eq!(
        said.into_iter().map(is_said).collect::<Vec<_>>(),
        [false, false, true]
    );
    let results = desk.page.results();
    assert!(Rc::ptr_eq(&results[2], &mended));

    desk.page.choose_model("b".to_owned());
    let (job, name) = desk.asked_models().pop().expect("it is asked for");
    assert_eq!(name, "models/b/");
    desk.loaded(job, "b");
    let wanted: Vec<bool> = desk
        .page
        .shown()
        .scans
        .iter()
        .map(|scan| scan.is_wanted)
        .collect();
    assert_eq!(wanted, [true, true, false]);
}

#[test]
fn a_closer_look_at_a_mended_map_says_that_a_person_changed_it() {
    let mut desk = Desk::with_scan();
    for entry in &mut desk.page.shown.models {
        entry.part_of = (entry.name == "b").then(|| PartOf {
            model: "a".to_owned(),
            name: "part".to_owned(),
        });
    }
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    let found = desk.page.shown().outcome.expect("there is a result");
    mend(&mut desk, "mended");
    desk.page.look_closer(found.closer[0].clone(), 0.0);
    let sent = desk.orders().into_iter().find_map(|order| match order {
        Order::Post(ToWorker::Closer { job, .. }, Some(bytes)) => Some((job, bytes)),
        _ => None,
    });
    let (job, bytes) = sent.expect("it starts");
    assert_eq!(bytes, "mended", "what a person changed is kept");
    let seg = FromWorker::DicomSeg { job };
    desk.page.hear(desk.worker, seg, Some("seg"), 0.0);
    desk.segmented(job);
    let closer = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(closer.name, "scan_desc-mended_dseg.nii.gz");
    assert_eq!(closer.seg, None);
    assert!(Rc::ptr_eq(closer.mended_from.as_ref().unwrap(), &found));
    assert!(desk.orders().contains(&Order::MarkMended));
}

/// The requests for a model with its bytes, in order.
fn given_models(desk: &mut Desk) -> Vec<(JobId, String, Option<&'static str>)> {
    let orders = desk.orders().into_iter();
    orders
        .filter_map(|order| match order {
            Order::Post(ToWorker::LoadModel { job, base }, bytes) => Some((job, base, bytes)),
            _ => None,
        })
        .collect()
}

fn model_names(desk: &Desk) -> Vec<String> {
    let models = desk.page.shown().models.into_iter();
    models.map(|model| model.name).collect()
}

#[test]
fn a_model_of_the_visitors_is_chosen_once_it_has_passed_and_a_fresh_worker_gets_it_too() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("model of mine");
    let given = given_models(&mut desk);
    let [(job, base, Some("model of mine"))] = &given[..] else {
        panic!("the worker is given it: {given:?}");
    };
    assert_eq!(base, "model of mine");
    assert_eq!(
        desk.page.shown().model_name,
        "a",
        "until then the one before it stays"
    );
    assert!(!desk.page.shown().can_segment());
    desk.loaded(*job, "mine");
    let shown = desk.page.shown();
    assert_eq!(model_names(&desk), ["a", "b", "c", "mine (yours) sum of m"]);
    assert_eq!(shown.model_name, "mine (yours) sum of m");
    assert_eq!(shown.models[3].title, "MINE (yours)");
    assert!(shown.can_segment() && shown.outcome.is_some() && shown.scan.is_some());
    let (_, model) = desk.segment().expect("it starts");
    assert_eq!(model, *job);
    desk.page.restart();
    desk.orders();
    desk.ready(Backend::Cpu);
    let given = given_models(&mut desk);
    assert_eq!(given[0].2, Some("model of mine"));
    desk.loaded(given[0].0, "mine");
    // Of the site's models none has bytes, and one's own can be chosen again.
    desk.page.choose_model("b".to_owned());
    desk.page.choose_model("mine (yours) sum of m".to_owned());
    let bytes: Vec<_> = given_models(&mut desk)
        .iter()
        .map(|given| given.2)
        .collect();
    assert_eq!(bytes, [None, Some("model of mine")]);
}

#[test]
fn a_model_that_does_not_pass_leaves_all_as_it_was() {
    let mut desk = Desk::with_scan();
    let (job, _) = desk.segment().expect("it starts");
    desk.segmented(job);
    desk.open("model of mine");
    let given = given_models(&mut desk);
    desk.fail(Some(given[0].0), "its weights are others");
    let shown = desk.page.shown();
    assert_eq!(desk.failure().as_deref(), Some("its weights are others"));
    assert_eq!(model_names(&desk), ["a", "b", "c"]);
    assert!(shown.can_segment() && shown.outcome.is_some());
    // What kills a worker is not given to the next one.
    desk.open("model of mine");
    assert_eq!(given_models(&mut desk).len(), 1);
    desk.fail(None, "it crashed");
    desk.orders();
    desk.ready(Backend::Cpu);
    let given = given_models(&mut desk);
    assert_eq!((&*given[0].1, given[0].2), ("models/a/", None));
}

#[test]
fn a_newer_model_of_the_same_name_takes_the_place_of_the_older_one() {
    let mut desk = Desk::with_scan();
    for expected in ["mine (yours) sum of m", "mine (yours) sum of m 6"] {
        desk.open("model of mine");
        let given = given_models(&mut desk);
        desk.loaded(given[0].0, "mine");
        let names = model_names(&desk);
        assert_eq!(names.len(), 4);
        assert!(
            names[3].starts_with(expected.trim_end_matches(" 6")),
            "{names:?}"
        );
    }
    assert_ne!(
        model_names(&desk)[3],
        "mine (yours) sum of m",
        "results of both are told apart"
    );
}

#[test]
fn a_model_that_comes_before_the_worker_waits_for_it_and_of_two_none_is_taken() {
    let mut desk = Desk::new(BackendChoice::Cpu);
    desk.open("model of mine");
    assert!(given_models(&mut desk).is_empty());
    desk.ready(Backend::Cpu);
    let given = given_models(&mut desk);
    assert_eq!((given.len(), given[0].2), (1, Some("model of mine")));
    desk.fail(Some(given[0].0), "it is none");
    let given = given_models(&mut desk);
    assert_eq!(&*given[0].1, "models/a/", "there was none before it");
    assert_eq!(desk.failure().as_deref(), Some("it is none"));
    desk.loaded(given[0].0, "a");
    desk.open_all(&["model", "model too"]);
    assert!(given_models(&mut desk).is_empty());
    assert!(
        desk.failure()
            .unwrap()
            .contains("2 models, expected is one")
    );
}

#[test]
fn scans_are_channels_of_a_model_that_takes_several() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    let (job, _) = desk.asked_models().pop().expect("a model is asked for");
    desk.loaded(job, "two");
    let scans = |desk: &Desk| -> Vec<Option<ListId>> {
        let channels = desk.page.shown().channels;
        channels.iter().map(|channel| channel.scan).collect()
    };
    assert_eq!(scans(&desk), [None, None]);
    assert!(!desk.page.shown().can_segment(), "one scan is not enough");
    desk.open("other");
    desk.read();
    assert_eq!(desk.list(), "scan !other", "the first stays beside it");
    let (first, second) = (desk.listed("scan"), desk.listed("other"));
    assert_eq!(scans(&desk), [Some(first), Some(second)]);
    desk.page.assign_channel(0, second);
    assert_eq!(scans(&desk), [Some(second), Some(first)]);
    let shown = desk.page.shown();
    assert!(shown.can_segment() && !shown.can_segment_all());
    desk.orders();
    desk.page.segment(0.0);
    let sent: Vec<_> = desk
        .orders()
        .into_iter()
        .filter_map(|order| match order {
            Order::Post(ToWorker::Channel { place, .. }, bytes) => Some((Some(place), bytes)),
            Order::Post(ToWorker::Segment { .. }, _) => Some((None, None)),
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(Some(1), Some("scan")), (None, None)]);
    let job = desk.page.shown().run.expect("it runs").job;
    desk.segmented(job);
    let outcome = desk.page.shown().outcome.expect("there is a result");
    assert_eq!(outcome.given, ["T1: other", "T2: scan"]);
}

#[test]
fn as_many_volumes_as_channels_are_these_in_their_order() {
    let mut desk = Desk::with_scan();
    desk.page.choose_model("b".to_owned());
    let (job, _) = desk.asked_models().pop().expect("a model is asked for");
    desk.loaded(job, "two");
    desk.open("three");
    desk.read_as_volumes();
    assert_eq!(desk.offered().as_deref(), Some("three"), "one is chosen");
    desk.open("both");
    desk.offer(vec![offer(0, 2)]);
    assert_eq!(desk.offered(), None);
    let (_, choice) = desk.asked_choices().pop().expect("the first is read");
    assert_eq!(
        choice,
        Some(ScanChoice {
            index: 0,
            volume: 0
        })
    );
    let named = |desk: &Desk| -> Vec<String> {
        let shown = desk.page.shown();
        let name = |id| shown.scans.iter().find(|scan| Some(scan.id) == id);
        let channels = shown.channels.iter().map(|channel| name(channel.scan));
        channels
            .map(|scan| scan.map_or_else(String::new, |scan| scan.name.clone()))
            .collect()
    };
    let [first, second] = &named(&desk)[..] else {
        panic!("two channels");
    };
    assert!(first.ends_with("_vol-0") && second.ends_with("_vol-1"));
    let (first, second) = (desk.listed(first), desk.listed(second));
    desk.page.assign_channel(0, second);
    let channels = desk.page.shown().channels.into_iter();
    let channels: Vec<_> = channels.map(|channel| channel.scan).collect();
    assert_eq!(channels, [Some(second), Some(first)]);
}

/// A file that was opened before the model was there.
#[test]
fn volumes_that_wait_to_be_chosen_become_channels_when_the_model_comes() {
    let mut desk = Desk::with_scan();
    desk.open("both");
    desk.offer(vec![offer(0, 2)]);
    assert!(desk.offered().is_some());
    desk.page.choose_model("b".to_owned());
    let (job, _) = desk.asked_models().pop().expect("a model is asked for");
    desk.loaded(job, "two");
    assert_eq!(desk.offered(), None);
    assert_eq!(desk.page.shown().channels.len(), 2);
}
