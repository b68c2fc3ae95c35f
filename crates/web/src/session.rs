//! The page's handle on the work: tells it what happens, does what it orders and shows what it comes to.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::Deserialize;

use crate::archive::Archive;
use crate::browser::{self, VisitorFile};
use crate::comparison::{Mapping, Maps, Scoring};
use crate::link::Link;
use crate::overlay::Overlay;
use crate::protocol::{BACKEND_PARAMETER, BackendChoice, Failure, Probabilities, ScanChoice};
use crate::results_archive;
use crate::scan_files;
use crate::state::{Outcome, State};
use crate::station::Visit;
use crate::words;
use crate::work::{
    Ask, Brought, Closer, Generation, ListId, ModelEntry, Order, PartOf, Sample, Work,
};

const WORKER: &str = "worker_loader.js";

/// A worker that hasn't stopped by then is ended.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// The page's handle on the work.
#[derive(Clone, Copy)]
pub struct Session {
    state: State,
    inner: StoredValue<Inner, LocalStorage>,
}

struct Inner {
    work: Work<Uint8Array>,
    worker: Option<(Generation, Link)>,
    /// The samples fetched so far, by file name.
    samples: BTreeMap<&'static str, Uint8Array>,
    /// Number of the last comparison; an earlier one that is under way is given up.
    comparison: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestHead {
    title: String,
    part_of: Option<PartOf>,
}

impl Session {
    /// Starts the first worker and looks for the site's models.
    pub fn start(state: State) -> Self {
        let choice = browser::query_parameter(BACKEND_PARAMETER).unwrap_or_default();
        let session = Self {
            state,
            inner: StoredValue::new_local(Inner {
                work: Work::start(BackendChoice::parse(&choice)),
                worker: None,
                samples: BTreeMap::new(),
                comparison: 0,
            }),
        };
        session.tell(|_| {});
        session
    }

    /// Computes on something else from now on.
    pub fn choose_backend(self, choice: BackendChoice) {
        self.tell(|work| work.choose_backend(choice));
    }

    /// Uses another model from now on.
    pub fn choose_model(self, name: String) {
        self.tell(|work| work.choose_model(name));
    }

    /// Starts a fresh worker because the visitor asks for one.
    pub fn restart(self) {
        self.tell(Work::restart);
    }

    /// Puts the message about a failure away.
    pub fn dismiss_failure(self) {
        self.tell(Work::dismiss_failure);
    }

    /// Takes what the visitor chose or dropped, which was called `name` there: the file of a scan as it is, several of one as a zip.
    pub fn open_files(
        self,
        name: &str,
        files: impl Future<Output = Result<Vec<VisitorFile>, String>> + 'static,
    ) {
        let Some(job) = self.tell(|work| work.open(format!("Reading {name}…"))) else {
            return;
        };
        let name = name.to_owned();
        spawn_local(async move {
            let scans = bring_all(name, files.await).await;
            self.tell(|work| work.brought(job, scans));
        });
    }

    /// Opens one of the scans that are offered.
    pub fn choose_scan(self, choice: ScanChoice) {
        self.tell(|work| work.choose_scan(choice));
    }

    /// Makes all scans that are offered a list.
    pub fn choose_all_scans(self) {
        self.tell(Work::choose_all_scans);
    }

    /// Shows a scan of the list.
    pub fn choose_listed(self, id: ListId) {
        self.tell(|work| work.choose_listed(id));
    }

    /// Takes a scan out of the list.
    pub fn remove_listed(self, id: ListId) {
        self.tell(|work| work.remove_listed(id));
    }

    /// Segments all of the list.
    pub fn segment_all(self) {
        self.tell(|work| work.segment_all(browser::now_ms()));
    }

    /// Saves all results of the list as one file.
    pub fn save_all(self) {
        let results = self.inner.with_value(|inner| inner.work.results());
        let packed = results_archive::pack(&results, Uint8Array::to_vec);
        match packed {
            Ok(zip) => browser::save_file(
                results_archive::NAME,
                &Uint8Array::from(&zip[..]),
                "application/zip",
            ),
            Err(problem) => self.tell(|work| {
                work.say_failure(Failure {
                    what: format!("The results could not be packed: {problem}."),
                    advice: "Choose one scan after the other and save its result.".to_owned(),
                    is_fatal: false,
                });
            }),
        }
    }

    /// Opens none of the scans that are offered.
    pub fn choose_no_scan(self) {
        self.tell(Work::choose_no_scan);
    }

    /// Takes one of the site's own samples.
    pub fn open_sample(self, sample: Sample) {
        let Some(job) = self.tell(|work| work.open_sample(sample)) else {
            return;
        };
        spawn_local(async move {
            let bytes = self.fetch_sample(sample).await.map_err(|problem| Failure {
                what: problem,
                advice: "Check the connection to this site, or open a scan of your own.".to_owned(),
                is_fatal: false,
            });
            let name = sample.file.to_owned();
            self.tell(|work| work.brought(job, vec![Brought { name, bytes }]));
        });
    }

    /// Segments the scan on screen.
    pub fn segment(self) {
        self.tell(|work| work.segment(browser::now_ms()));
    }

    /// Looks closer at a part of what was found.
    pub fn look_closer(self, closer: Closer) {
        self.tell(|work| work.look_closer(closer, browser::now_ms()));
    }

    /// Gives the segmentation up.
    pub fn cancel(self) {
        if let Some(job) = self.tell(Work::cancel) {
            set_timeout(
                move || self.tell(|work| work.out_of_patience(job)),
                CANCEL_PATIENCE,
            );
        }
    }

    /// Compares the result on screen with a reference; the one before stays if this one can't be.
    pub fn compare(self, files: impl Future<Output = Result<Vec<VisitorFile>, String>> + 'static) {
        let Some(outcome) = self.state.outcome.get_untracked() else {
            return;
        };
        let number = self.begin_comparison("Reading the reference…");
        spawn_local(async move {
            let maps = read_reference(files, &outcome).await;
            if !self.is_comparing(number, &outcome) {
                return;
            }
            match maps {
                Ok(maps) => {
                    self.score(number, outcome, Rc::new(maps), Mapping::new())
                        .await
                }
                Err(problem) => {
                    self.state.comparing.set(None);
                    self.state.refusal.set(Some(problem));
                }
            }
        });
    }

    /// Takes a number of the reference for that label of the result, or for background if it is 0.
    pub fn map_reference(self, value: u8, label: u8) {
        let outcome = self.state.outcome.get_untracked();
        let comparison = self.state.comparison.get_untracked();
        let (Some(outcome), Some(comparison)) = (outcome, comparison) else {
            return;
        };
        let mut mapping = comparison.mapping.clone();
        mapping.insert(value, label);
        let number = self.begin_comparison("Comparing…");
        spawn_local(self.score(number, outcome, Rc::clone(&comparison.maps), mapping));
    }

    /// Lays something else over the scan; where the network is less sure, the worker may have to be asked first.
    pub fn lay_over(self, overlay: Overlay) {
        if overlay == Overlay::Certainty && self.state.certainty.with_untracked(Option::is_none) {
            self.tell(|work| work.ask_probabilities(Probabilities::Certainty));
        }
        self.state.lay_over(overlay);
    }

    /// Goes to a station inside the network, or leaves.
    pub fn visit(self, visit: Option<Visit>) {
        if visit.is_none() {
            self.tell(Work::leave_inside);
        }
        self.state.visit.set(visit);
    }

    /// Asks about the inside of the network.
    pub fn look_inside(self, ask: Ask) {
        self.tell(|work| work.look_inside(ask));
    }

    /// Saves how sure the network was of the result.
    pub fn save_probabilities(self, what: Probabilities) {
        self.tell(|work| work.ask_probabilities(what));
    }

    /// Compares with nothing any more.
    pub fn forget_comparison(self) {
        self.inner.update_value(|inner| inner.comparison += 1);
        self.state.lay_over(Overlay::default());
        self.state.forget_comparison();
    }

    /// Saves the comparison as the table that the command line writes.
    pub fn save_comparison(self) {
        let comparison = self.state.comparison.get_untracked();
        let Some(csv) = comparison.as_ref().and_then(|comparison| comparison.csv()) else {
            return;
        };
        let outcome = self.state.outcome.get_untracked();
        let stem = outcome.map_or_else(String::new, |outcome| {
            words::result_stem(&outcome.name).to_owned()
        });
        let bytes = Uint8Array::from(csv.as_bytes());
        browser::save_file(&format!("{stem}_comparison.csv"), &bytes, "text/csv");
    }

    fn begin_comparison(self, said: &str) -> u32 {
        self.state.refusal.set(None);
        self.state.comparing.set(Some(said.to_owned()));
        self.inner.update_value(|inner| inner.comparison += 1);
        self.inner.with_value(|inner| inner.comparison)
    }

    fn is_comparing(self, number: u32, outcome: &Rc<Outcome>) -> bool {
        let shown = self.state.outcome.get_untracked();
        shown.is_some_and(|shown| Rc::ptr_eq(&shown, outcome))
            && self.inner.with_value(|inner| inner.comparison) == number
    }

    async fn score(self, number: u32, outcome: Rc<Outcome>, maps: Rc<Maps>, mapping: Mapping) {
        let mut scoring = Scoring::new(Rc::clone(&maps), mapping);
        while scoring.step() {
            let (done, of) = scoring.progress();
            let said = format!("Comparing: {done} of {of} labels.");
            self.state.comparing.set(Some(said));
            browser::next_task().await;
            if !self.is_comparing(number, &outcome) {
                return;
            }
        }
        self.state.show_comparison(scoring.finish());
    }

    /// Tells the work what happened, does what it orders, and shows what it has come to.
    fn tell<R>(self, event: impl FnOnce(&mut Work<Uint8Array>) -> R) -> R {
        let mut answer = None;
        self.inner
            .update_value(|inner| answer = Some(event(&mut inner.work)));
        let next_order = || {
            self.inner
                .try_update_value(|inner| inner.work.next_order())
                .flatten()
        };
        while let Some(order) = next_order() {
            self.carry_out(order);
        }
        self.state
            .show(self.inner.with_value(|inner| inner.work.shown()));
        answer.expect("the page lives as long as its session")
    }

    fn carry_out(self, order: Order<Uint8Array>) {
        match order {
            Order::StartWorker { generation, query } => self.start_worker(generation, &query),
            Order::EndWorker => self.inner.update_value(|inner| inner.worker = None),
            Order::Post(message, bytes) => self.inner.update_value(|inner| {
                let Some((generation, link)) = &inner.worker else {
                    return;
                };
                if let Err(problem) = link.send(&message, bytes.as_ref()) {
                    let failure = Failure {
                        what: format!("The worker could not be reached: {problem}"),
                        advice: "If the scan is very large, try a smaller one.".to_owned(),
                        is_fatal: true,
                    };
                    inner.work.broke(*generation, failure);
                }
            }),
            Order::Save { name, bytes } => browser::save_file(&name, &bytes, "application/gzip"),
            Order::FindModels(job) => spawn_local(async move {
                let models = find_models().await;
                self.tell(|work| work.models_found(job, models));
            }),
            // The samples are fetched ahead, so that the page needs nobody from now on.
            Order::KeepSite => spawn_local(async move {
                for sample in self
                    .state
                    .models
                    .with_untracked(|models| Sample::offered(models))
                {
                    let _ = self.fetch_sample(sample).await;
                }
                browser::keep_site().await;
            }),
        }
    }

    fn start_worker(self, generation: Generation, query: &str) {
        // Ended first: two would need the memory of both.
        self.inner.update_value(|inner| inner.worker = None);
        let link = Link::start(
            &browser::address(&format!("{WORKER}{query}")),
            move |message, bytes| {
                let bytes = bytes.map(|bytes| Uint8Array::new(&bytes));
                self.tell(|work| work.hear(generation, message, bytes, browser::now_ms()));
            },
            move |problem| {
                let failure = Failure {
                    what: format!("The worker stopped: {problem}"),
                    advice: "If this happens again, choose the CPU under “Compute on” or try a smaller scan.".to_owned(),
                    is_fatal: true,
                };
                self.tell(|work| work.broke(generation, failure));
            },
        );
        self.inner.update_value(|inner| match link {
            Ok(link) => inner.worker = Some((generation, link)),
            Err(problem) => {
                let failure = Failure {
                    what: format!("No worker could be started: {problem}"),
                    advice:
                        "This page needs a browser with module workers; any current one has them."
                            .to_owned(),
                    is_fatal: true,
                };
                inner.work.broke(generation, failure);
            }
        });
    }

    async fn fetch_sample(self, Sample { file, .. }: Sample) -> Result<Uint8Array, String> {
        let fetched = self
            .inner
            .with_value(|inner| inner.samples.get(file).cloned());
        if let Some(bytes) = fetched {
            return Ok(bytes);
        }
        let bytes = browser::fetch_bytes(&format!("samples/{file}")).await?;
        self.inner.update_value(|inner| {
            inner.samples.insert(file, bytes.clone());
        });
        Ok(bytes)
    }
}

/// The scans among files that were called `name`, or why there are none.
async fn bring_all(
    name: String,
    files: Result<Vec<VisitorFile>, String>,
) -> Vec<Brought<Uint8Array>> {
    let failure = |what| {
        Failure {
        what,
        advice: "Check that the file is still there and not too large for this device, then choose it again."
            .to_owned(),
        is_fatal: false,
    }
    };
    let files = match files {
        Ok(files) if files.is_empty() => Err(format!("There are no files in {name}.")),
        Ok(files) => Ok(files),
        Err(problem) => Err(format!("{name} could not be read: {problem}")),
    };
    let files = match files {
        Ok(files) => files,
        Err(what) => {
            let bytes = Err(failure(what));
            return vec![Brought { name, bytes }];
        }
    };
    let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
    let mut scans = Vec::new();
    for scan in scan_files::sorted(&paths) {
        let of_scan: Vec<&VisitorFile> = scan.files.iter().map(|&file| &files[file]).collect();
        let bytes = bring(&scan.name, &of_scan).await.map_err(failure);
        let name = scan.name;
        scans.push(Brought { name, bytes });
    }
    scans
}

/// The bytes of a file, or of a zip of several.
async fn bring(name: &str, files: &[&VisitorFile]) -> Result<Uint8Array, String> {
    let unread = |path: &str, problem| format!("{path} could not be read: {problem}");
    match files {
        [only] => {
            let bytes = browser::read_file(&only.file).await;
            bytes.map_err(|problem| unread(name, problem))
        }
        _ => {
            let count = files.len();
            let unpacked =
                |problem| format!("The {count} files of {name} could not be taken: {problem}");
            let sizes = files.iter().map(|file| file.file.size() as usize);
            let mut archive = Archive::new(sizes.sum()).map_err(unpacked)?;
            for VisitorFile { path, file } in files.iter().copied() {
                let bytes = browser::read_file(file).await;
                let bytes = bytes.map_err(|problem| unread(path, problem))?.to_vec();
                archive.add(path, &bytes).map_err(unpacked)?;
            }
            let zip = archive.finish().map_err(unpacked)?;
            Ok(Uint8Array::from(&zip[..]))
        }
    }
}

/// The reference among files, and the result on whose grid it is.
async fn read_reference(
    files: impl Future<Output = Result<Vec<VisitorFile>, String>>,
    outcome: &Outcome,
) -> Result<Maps, String> {
    let files = files.await?;
    let [VisitorFile { path, file }] = &files[..] else {
        let count = files.len();
        return Err(format!("A reference is one file, and these are {count}."));
    };
    let bytes = browser::read_file(file).await;
    let bytes = bytes.map_err(|problem| format!("{path} could not be read: {problem}."))?;
    // What is under way is on screen before what takes long.
    browser::next_task().await;
    let (reference, result) = (bytes.to_vec(), outcome.bytes.to_vec());
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Maps::read(name, &reference, &result, outcome.labels.clone())
}

/// The models that the site lists.
async fn find_models() -> Result<Vec<ModelEntry>, String> {
    let mut models = Vec::new();
    // A site without documents has no list of them.
    let documented = browser::fetch_json::<Vec<String>>("docs/models.json").await;
    let documented = documented.unwrap_or_default();
    for name in browser::fetch_json::<Vec<String>>("models/index.json").await? {
        // A model without a readable manifest is offered by its folder's name; loading it says what is wrong.
        let manifest = format!("models/{name}/manifest.json");
        let head = browser::fetch_json::<ManifestHead>(&manifest).await;
        let (title, part_of) =
            head.map_or_else(|_| (name.clone(), None), |head| (head.title, head.part_of));
        models.push(ModelEntry {
            has_document: documented.contains(&name),
            name,
            title,
            part_of,
        });
    }
    Ok(models)
}
