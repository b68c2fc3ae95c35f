//! The page's handle on the work: tells it what happens, does what it orders and shows what it comes to.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::archive::Archive;
use crate::browser::{self, VisitorFile};
use crate::comparison::{Mapping, Maps, Scoring};
use crate::language::{compare, failure, mend, status};
use crate::link::Link;
use crate::mending::{self, Bounds, Mending, Patch, Pen, Tool};
use crate::model_files;
use crate::overlay::Overlay;
use crate::protocol::{
    BACKEND_PARAMETER, BackendChoice, Failure, FromWorker, Probabilities, ScanChoice,
};
use crate::results_archive;
use crate::scan_files::{self, ScanFiles};
use crate::state::{Mended, Outcome, State};
use crate::station::Visit;
use crate::words;
use crate::work::{
    Ask, Brought, Closer, Generation, ListId, ModelEntry, ModelOffer, OfferedScores,
    OfferedTraining, OfferedWeights, Order, PartOf, Sample, Work,
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
    /// The result that was mended last, while it is on screen: who comes back to it can still undo.
    hands: Option<Hands>,
    /// Whether something was changed by hand and not saved since.
    is_unsaved: bool,
}

/// A result under the visitor's hands.
struct Hands {
    mending: Mending,
    /// As it was at first.
    first: Rc<Outcome>,
    /// As the work has it: a file takes time, so none is made after each stroke.
    known: Rc<Outcome>,
    /// Whether the work has it as it was before the last stroke.
    is_stale: bool,
    /// Where the pen is down.
    place: Option<[f64; 3]>,
}

impl Hands {
    /// The result as it is now.
    fn outcome(&self) -> Result<Rc<Outcome>, String> {
        if !self.is_stale {
            return Ok(Rc::clone(&self.known));
        }
        if !self.mending.is_changed() {
            return Ok(Rc::clone(&self.first));
        }
        let file = self.mending.encode(&self.first.bytes.to_vec())?;
        let sizes = self.mending.sizes(&self.first.labels);
        let mut mended = self.first.mended(Uint8Array::from(&file[..]), sizes);
        mended.learnt_from = self.mending.learnt_from().or(mended.learnt_from);
        Ok(Rc::new(mended))
    }
}

/// What a pen does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PenMove {
    /// It comes down.
    Begins,
    /// It goes on.
    Moves,
    /// It goes up.
    Ends,
    /// It asks which label is there.
    Picks,
}

/// What the page reads of a manifest; the worker, which loads the model, reads and checks all of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestHead {
    title: String,
    part_of: Option<PartOf>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    modality: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    labels: Vec<IgnoredAny>,
    weights: Option<OfferedWeights>,
    training: Option<OfferedTraining>,
    scores: Option<OfferedScores>,
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
                hands: None,
                is_unsaved: false,
            }),
        };
        session.tell(|_| {});
        let is_unsaved = move || session.inner.try_with_value(|inner| inner.is_unsaved);
        browser::ask_before_leaving(move || is_unsaved().unwrap_or(false));
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
        let Some(job) = self.tell(|work| work.open(status::reading(name))) else {
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
        if self.tell(|work| work.is_mended(id)) && !browser::confirm(mend::REMOVING_LOSES) {
            return;
        }
        self.tell(|work| work.remove_listed(id));
    }

    /// Segments all of the list.
    pub fn segment_all(self) {
        self.tell(|work| work.segment_all(browser::now_ms()));
    }

    /// Saves all results of the list as one file.
    pub fn save_all(self) {
        let results = self.tell(|work| work.results());
        let packed = results_archive::pack(&results, Uint8Array::to_vec);
        match packed {
            Ok(zip) => {
                self.inner.update_value(|inner| inner.is_unsaved = false);
                browser::save_file(
                    results_archive::NAME,
                    &Uint8Array::from(&zip[..]),
                    "application/zip",
                );
            }
            Err(problem) => self.tell(|work| {
                work.say_failure(Failure {
                    what: failure::not_packed(&problem),
                    advice: failure::SAVE_EACH.to_owned(),
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
                advice: failure::CHECK_CONNECTION_OR_OPEN.to_owned(),
                is_fatal: false,
            });
            let name = sample.file.to_owned();
            let scan = Brought {
                name,
                bytes,
                is_model: false,
            };
            self.tell(|work| work.brought(job, vec![scan]));
        });
    }

    /// Takes a scan of the list for a channel of the model.
    pub fn assign_channel(self, place: usize, scan: ListId) {
        self.tell(|work| work.assign_channel(place, scan));
    }

    /// Segments the scan on screen.
    pub fn segment(self) {
        if self.may_replace(mend::SEGMENTING_REPLACES) {
            self.tell(|work| work.segment(browser::now_ms()));
        }
    }

    /// Looks closer at a part of what was found.
    pub fn look_closer(self, closer: Closer) {
        if !self.may_replace(&mend::looking_replaces(&closer.name)) {
            return;
        }
        self.tell(|work| work.look_closer(closer, browser::now_ms()));
    }

    /// Whether the result on screen may be replaced: one that a person has changed only if the visitor says so.
    fn may_replace(self, question: &str) -> bool {
        self.tell(|_| {});
        let is_mended = |outcome: &Option<Rc<Outcome>>| {
            outcome
                .as_ref()
                .is_some_and(|outcome| outcome.mended_from.is_some())
        };
        !self.state.outcome.with_untracked(is_mended) || browser::confirm(question)
    }

    /// Begins to mend the result on screen.
    pub fn mend(self) {
        let can_mend = untrack(|| self.state.can_change());
        let Some(outcome) = self.state.outcome.get_untracked().filter(|_| can_mend) else {
            return;
        };
        self.lay_over(Overlay::Result);
        if self.state.visit.with_untracked(Option::is_some) {
            self.visit(None);
        }
        let is_known = self.inner.with_value(|inner| {
            let hands = inner.hands.as_ref();
            hands.is_some_and(|hands| Rc::ptr_eq(&hands.known, &outcome))
        });
        if !is_known {
            let mending = match Mending::open(&outcome.bytes.to_vec()) {
                Ok(mending) => mending,
                Err(problem) => return self.not_mended(&problem),
            };
            self.inner.update_value(|inner| {
                inner.hands = Some(Hands {
                    mending,
                    first: Rc::clone(&outcome),
                    known: Rc::clone(&outcome),
                    is_stale: false,
                    place: None,
                });
            });
        }
        let pen = self.state.pen.get_untracked();
        let is_known = |value: u8| outcome.labels.iter().any(|label| label.value == value);
        let here = self.state.location.get_untracked();
        let here = here.and_then(|location| location.label);
        let first = outcome.labels.first().map(|label| label.value);
        let label = here.filter(|label| is_known(*label)).or(first);
        if let Some(label) = label.filter(|_| !is_known(pen.label)) {
            self.state.pen.set(Pen { label, ..pen });
        }
        self.state.pen_note.set(None);
        self.show_hands();
    }

    /// Mends no more; what was changed stays.
    pub fn leave_mending(self) {
        self.state.show_mending(None);
        self.tell(|_| {});
    }

    /// All labels of the result that is mended.
    pub fn mended_labels(self) -> Option<Vec<u8>> {
        self.with_hands(|hands| hands.mending.map().labels.clone())
    }

    /// The pen does something at a place in voxels x, y, z of the file, in a plane across that axis; returns the labels that have
    /// changed.
    pub fn pen(self, does: PenMove, place: [f64; 3], across: usize) -> Option<Patch> {
        if !untrack(|| self.state.is_mending()) {
            return None;
        }
        let pen = self.state.pen.get_untracked();
        let voxel = place.map(|at| at.round().max(0.0) as usize);
        let mut note = None;
        let patch = match (does, pen.tool) {
            (PenMove::Picks, _) => {
                self.pick(voxel);
                return None;
            }
            (PenMove::Begins, Tool::Fill) => self.change(|hands| {
                let filled = hands.mending.fill(&pen, voxel, across);
                filled.unwrap_or_else(|reason| {
                    note = Some(words::no_fill(reason, &hands.first.labels));
                    None
                })
            }),
            (PenMove::Begins | PenMove::Moves, Tool::Brush | Tool::Erase) => self.change(|hands| {
                let from = match does {
                    PenMove::Begins => place,
                    _ => hands.place?,
                };
                hands.place = Some(place);
                hands.mending.paint(&pen, from, place, across)
            }),
            _ => None,
        };
        if does == PenMove::Begins {
            self.state.pen_note.set(note);
        }
        if does == PenMove::Ends {
            self.with_hands(|hands| {
                hands.place = None;
                hands.mending.end_stroke();
            });
        }
        if does == PenMove::Ends || pen.tool == Tool::Fill {
            self.show_hands();
        }
        patch
    }

    /// Chooses the label of a voxel x, y, z, if it has one.
    pub fn pick(self, voxel: [usize; 3]) {
        let label = self.with_hands(|hands| {
            let label = hands.mending.label_at(voxel)?;
            let mut labels = hands.first.labels.iter();
            labels.any(|known| known.value == label).then_some(label)
        });
        match label.flatten() {
            Some(label) => self.state.pen.update(|pen| pen.label = label),
            None => self.state.pen_note.set(Some(mend::NO_LABEL.to_owned())),
        }
    }

    /// Takes the last stroke back; returns the labels that have changed.
    pub fn undo(self) -> Option<Patch> {
        let patch = self.change(|hands| hands.mending.undo());
        self.show_hands();
        patch
    }

    /// Makes the last undone stroke again; returns the labels that have changed.
    pub fn redo(self) -> Option<Patch> {
        let patch = self.change(|hands| hands.mending.redo());
        self.show_hands();
        patch
    }

    /// Has the network learn from all strokes.
    pub fn learn(self) {
        let strokes =
            self.with_hands(|hands| (hands.mending.pack_strokes(), hands.mending.num_strokes()));
        if let Some((packed, strokes)) = strokes.filter(|(_, strokes)| *strokes > 0) {
            self.tell_now(|work| work.learn(Uint8Array::from(&packed[..]), strokes));
        }
    }

    /// Gives learning up.
    pub fn stop_learning(self) {
        self.tell_now(Work::stop_learning);
    }

    /// Takes back what the network has learnt last; returns the labels that have changed.
    pub fn undo_learning(self) -> Option<Patch> {
        let patch = self.change(|hands| hands.mending.undo_learning());
        self.show_hands();
        patch
    }

    /// The network has learnt from so many strokes: `file` is the label map that comes of it.
    fn take_learnt(self, file: &Uint8Array, strokes: usize) {
        let taken = self.with_hands(|hands| -> Result<_, String> {
            let learnt = Mending::open(&file.to_vec())?;
            let bounds = hands.mending.take_learnt(&learnt.map().labels, strokes)?;
            hands.is_stale = true;
            Ok(bounds.map(|bounds| hands.mending.cut(bounds)))
        });
        match taken {
            Some(Ok(patch)) => {
                self.inner.update_value(|inner| inner.is_unsaved = true);
                if untrack(|| self.state.is_mending()) {
                    self.show_hands();
                    self.state.redrawn.set(patch.map(Rc::new));
                } else {
                    self.settle();
                }
            }
            Some(Err(problem)) => self.not_mended(&problem),
            None => {}
        }
    }

    /// Puts what the network found in place of what a person made of it.
    pub fn restore(self) {
        self.tell(|_| {});
        let outcome = self.state.outcome.get_untracked();
        let found = outcome.and_then(|outcome| outcome.mended_from.clone());
        if let Some(found) = found.filter(|_| browser::confirm(mend::RESTORING_LOSES)) {
            self.tell(|work| work.replace_result(found));
            self.were_saved();
        }
    }

    /// The result on screen, with all that was mended.
    pub fn settled_outcome(self) -> Option<Rc<Outcome>> {
        self.tell(|_| {});
        self.state.outcome.get_untracked()
    }

    /// Saves the label map while it is mended.
    pub fn save_labels(self) {
        match self.with_hands(|hands| hands.outcome()) {
            Some(Ok(outcome)) => {
                browser::save_file(&outcome.name, &outcome.bytes, "application/gzip");
                self.were_saved();
            }
            Some(Err(problem)) => self.not_mended(&problem),
            None => {}
        }
    }

    /// The visitor has the label map on screen as a file. That says nothing of others in a list.
    pub fn were_saved(self) {
        if self.state.scans.with_untracked(Vec::is_empty) {
            self.inner.update_value(|inner| inner.is_unsaved = false);
        }
    }

    fn with_hands<R>(self, act: impl FnOnce(&mut Hands) -> R) -> Option<R> {
        let mut answer = None;
        self.inner
            .update_value(|inner| answer = inner.hands.as_mut().map(act));
        answer
    }

    /// Has labels change; what was changed is cut out of the map.
    fn change(self, act: impl FnOnce(&mut Hands) -> Option<Bounds>) -> Option<Patch> {
        let patch = self.with_hands(|hands| {
            let bounds = act(hands)?;
            hands.is_stale = true;
            Some(hands.mending.cut(bounds))
        });
        let patch = patch.flatten()?;
        self.inner.update_value(|inner| inner.is_unsaved = true);
        Some(patch)
    }

    fn show_hands(self) {
        let mended = self.with_hands(|hands| Mended {
            sizes: hands.mending.sizes(&hands.first.labels),
            can_undo: hands.mending.can_undo(),
            can_redo: hands.mending.can_redo(),
            is_changed: hands.mending.is_changed() || hands.first.mended_from.is_some(),
            // What was painted before this visit to the result is not known stroke by stroke.
            strokes: match hands.first.mended_from {
                Some(_) => 0,
                None => hands.mending.num_strokes(),
            },
            learnt_from: hands.mending.learnt_from().or(hands.first.learnt_from),
            can_unlearn: hands.mending.learnt_from().is_some(),
        });
        self.state.show_mending(mended);
    }

    fn not_mended(self, problem: &str) {
        let failure = Failure {
            what: mend::cant_be_mended(problem),
            advice: mend::SAVE_UNMENDED.to_owned(),
            is_fatal: false,
        };
        self.tell_now(|work| work.say_failure(failure));
    }

    /// Hands the work the result as the visitor has made it; whatever it is compared with it is compared with anew.
    fn settle(self) {
        let outcome = self.with_hands(|hands| hands.is_stale.then(|| hands.outcome()));
        let outcome = match outcome.flatten() {
            None => return,
            Some(Ok(outcome)) => outcome,
            Some(Err(problem)) => {
                self.with_hands(|hands| hands.is_stale = false);
                return self.not_mended(&problem);
            }
        };
        let compared = self.state.comparison.get_untracked();
        self.with_hands(|hands| {
            hands.known = Rc::clone(&outcome);
            hands.is_stale = false;
        });
        self.tell_now(|work| work.replace_result(Rc::clone(&outcome)));
        let map = self.with_hands(|hands| hands.mending.map().clone());
        if let (Some(compared), Some(map)) = (compared, map) {
            let maps = Rc::new(compared.maps.with_result(map));
            let number = self.begin_comparison(compare::COMPARING);
            self.state.reference.set(Some(Rc::clone(&maps)));
            let mapping = compared.mapping.clone();
            spawn_local(self.score(number, outcome, maps, mapping));
        }
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
        self.tell(|_| {});
        let Some(outcome) = self.state.outcome.get_untracked() else {
            return;
        };
        let number = self.begin_comparison(compare::READING);
        spawn_local(async move {
            let maps = read_reference(files, &outcome).await;
            if !self.is_comparing(number, &outcome) {
                return;
            }
            match maps {
                Ok(maps) => {
                    let mapping = maps.mapping();
                    self.score(number, outcome, Rc::new(maps), mapping).await
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
        let number = self.begin_comparison(compare::COMPARING);
        spawn_local(self.score(number, outcome, Rc::clone(&comparison.maps), mapping));
    }

    /// Lays something else over the scan, which is not mended then; where the network is less sure, the worker may have to be asked first.
    pub fn lay_over(self, overlay: Overlay) {
        if overlay != Overlay::Result && untrack(|| self.state.is_mending()) {
            self.leave_mending();
        }
        if overlay == Overlay::Certainty && self.state.certainty.with_untracked(Option::is_none) {
            self.tell(|work| work.ask_probabilities(Probabilities::Certainty));
        }
        self.state.lay_over(overlay);
    }

    /// Goes to a station inside the network, where nothing is mended, or leaves.
    pub fn visit(self, visit: Option<Visit>) {
        if visit.is_none() {
            self.tell(Work::leave_inside);
        } else if untrack(|| self.state.is_mending()) {
            self.leave_mending();
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

    /// Saves what the visitor has changed as a DICOM segmentation.
    pub fn save_segmentation(self) {
        self.tell(Work::ask_segmentation);
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
            self.state.comparing.set(Some(compare::progress(done, of)));
            browser::next_task().await;
            if !self.is_comparing(number, &outcome) {
                return;
            }
        }
        self.state.show_comparison(scoring.finish());
    }

    /// As [`Session::tell_now`], once the work has what the visitor has mended.
    fn tell<R>(self, event: impl FnOnce(&mut Work<Uint8Array>) -> R) -> R {
        self.settle();
        self.tell_now(event)
    }

    /// Tells the work what happened, does what it orders, and shows what it has come to.
    fn tell_now<R>(self, event: impl FnOnce(&mut Work<Uint8Array>) -> R) -> R {
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
        let shown = self.inner.with_value(|inner| inner.work.shown());
        let is_mended_on = self.with_hands(|hands| {
            let outcome = shown.outcome.as_ref();
            outcome.is_some_and(|outcome| Rc::ptr_eq(outcome, &hands.known))
        });
        if is_mended_on == Some(false) {
            self.inner.update_value(|inner| inner.hands = None);
        }
        if is_mended_on != Some(true) || shown.run.is_some() {
            self.state.show_mending(None);
        }
        self.state.show(shown);
        answer.expect("the page lives as long as its session")
    }

    /// A closer look makes the file of a result anew, and does not know that a person has changed it before.
    fn mark_mended(self) {
        let outcome = self.inner.with_value(|inner| inner.work.shown().outcome);
        let Some(outcome) = outcome else { return };
        // Unmarked it is still the right one, and its name says what it is.
        if let Ok(file) = mending::marked(&outcome.bytes.to_vec()) {
            let marked = outcome.mended(Uint8Array::from(&file[..]), outcome.statistics.clone());
            self.inner
                .update_value(|inner| inner.work.replace_result(Rc::new(marked)));
        }
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
                        what: failure::worker_unreachable(&problem),
                        advice: failure::TRY_SMALLER.to_owned(),
                        is_fatal: true,
                    };
                    inner.work.broke(*generation, failure);
                }
            }),
            Order::Save { name, bytes } => {
                let is_dicom = name.ends_with(".dcm");
                let kind = if is_dicom {
                    "application/dicom"
                } else {
                    "application/gzip"
                };
                browser::save_file(&name, &bytes, kind);
            }
            Order::TakeLearnt { bytes, strokes } => self.take_learnt(&bytes, strokes),
            Order::MarkMended => self.mark_mended(),
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
                // All else can wait for what is mended, as that takes time.
                let brings_another = matches!(
                    message,
                    FromWorker::ScanLoaded { .. } | FromWorker::Segmented { .. }
                );
                let hear = |work: &mut Work<_>| {
                    work.hear(generation, message, bytes, browser::now_ms());
                };
                if brings_another {
                    self.tell(hear);
                } else {
                    self.tell_now(hear);
                }
            },
            move |problem| {
                let failure = Failure {
                    what: failure::worker_stopped(&problem),
                    advice: failure::CHOOSE_CPU.to_owned(),
                    is_fatal: true,
                };
                self.tell(|work| work.broke(generation, failure));
            },
        );
        self.inner.update_value(|inner| match link {
            Ok(link) => inner.worker = Some((generation, link)),
            Err(problem) => {
                let failure = Failure {
                    what: failure::no_worker(&problem),
                    advice: failure::NEEDS_WORKERS.to_owned(),
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
    let failure = |what| Failure {
        what,
        advice: failure::CHECK_FILE.to_owned(),
        is_fatal: false,
    };
    let files = match files {
        Ok(files) if files.is_empty() => Err(failure::no_files(&name)),
        Ok(files) => Ok(files),
        Err(problem) => Err(failure::not_read(&name, &problem)),
    };
    let files = match files {
        Ok(files) => files,
        Err(what) => {
            return vec![Brought {
                name,
                bytes: Err(failure(what)),
                is_model: false,
            }];
        }
    };
    let paths: Vec<_> = files.iter().map(|file| &*file.path).collect();
    let mut scans = Vec::new();
    for scan in scan_files::sorted(&paths) {
        let of_scan: Vec<&VisitorFile> = scan.files.iter().map(|&file| &files[file]).collect();
        let ScanFiles { name, is_model, .. } = scan;
        let bytes = bring(&name, &of_scan, is_model).await.map_err(failure);
        let is_model = is_model || bytes.as_ref().is_ok_and(is_zip_of_model);
        scans.push(Brought {
            name,
            bytes,
            is_model,
        });
    }
    scans
}

fn is_zip_of_model(bytes: &Uint8Array) -> bool {
    let length = bytes.length();
    let end = model_files::index_start(length as usize) as u32;
    let part = |from, to| bytes.subarray(from, to).to_vec();
    model_files::is_zip_of_model(&part(0, 4), &part(end, length))
}

/// The bytes of a file, or of a zip of several; of a model always of a zip.
async fn bring(name: &str, files: &[&VisitorFile], is_model: bool) -> Result<Uint8Array, String> {
    let unread = |path: &str, problem: String| failure::not_read(path, &problem);
    match files {
        [only] if !is_model => {
            let bytes = browser::read_file(&only.file).await;
            bytes.map_err(|problem| unread(name, problem))
        }
        _ => {
            let count = files.len();
            let unpacked = |problem: String| failure::not_taken(name, count, &problem);
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
    let (tables, maps): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_table(&file.path));
    let ([VisitorFile { path, file }], [] | [_]) = (&maps[..], &tables[..]) else {
        let (maps, tables) = (maps.len(), tables.len());
        return Err(compare::several_files(maps, tables));
    };
    let unread = |path: &str, problem: String| failure::reference_not_read(path, &problem);
    let bytes = browser::read_file(file).await;
    let bytes = bytes.map_err(|problem| unread(path, problem))?;
    let mut table = None;
    if let [VisitorFile { path, file }] = &tables[..] {
        let bytes = browser::read_file(file).await;
        let bytes = bytes.map_err(|problem| unread(path, problem))?.to_vec();
        table = Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    // What is under way is on screen before what takes long.
    browser::next_task().await;
    let (reference, result) = (bytes.to_vec(), outcome.bytes.to_vec());
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let labels = outcome.labels.clone();
    Maps::read(name, &reference, table.as_deref(), &result, labels)
}

/// Whether a file is by its name a table of labels.
fn is_table(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    ["tsv", "txt", "label", "ctbl", "lut", "ctab"].contains(&ending.to_ascii_lowercase().as_str())
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
        let (title, part_of, offer) = match head {
            Ok(head) => {
                let offer = ModelOffer {
                    description: head.description,
                    modality: head.modality,
                    version: head.version,
                    labels: head.labels.len().saturating_sub(1),
                    weights: head.weights,
                    training: head.training,
                    scores: head.scores,
                };
                let storage = offer.weights.as_ref().map(|weights| &*weights.quantization);
                let title = words::title_of(head.title, storage.unwrap_or_default());
                (title, head.part_of, Some(offer))
            }
            Err(_) => (name.clone(), None, None),
        };
        models.push(ModelEntry {
            has_document: documented.contains(&name),
            name,
            title,
            part_of,
            offer,
        });
    }
    Ok(models)
}
