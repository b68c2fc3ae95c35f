//! The page's handle on the work: tells it what happens, does what it orders and shows what it comes to.

mod bringing;
mod comparing;
mod hands;
mod models;
mod worker;

pub use hands::PenMove;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::browser;
use crate::language::{failure, mend};
use crate::link::Link;
use crate::media_type;
use crate::overlay::Overlay;
use crate::protocol::{BACKEND_PARAMETER, BackendChoice, Failure, Probabilities, ScanChoice};
use crate::results_archive;
use crate::state::State;
use crate::station::Visit;
use crate::words;
use crate::work::{Ask, Closer, Generation, ListId, Listed, Order, Sample, Work};
use hands::Hands;
use models::find_models;

/// A worker that hasn't stopped by then is ended.
const CANCEL_PATIENCE: Duration = Duration::from_secs(10);

/// Where a result begins: what is new of it is read from there.
const RESULT: &str = "results-heading";

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
    /// Whether there is a result that came, or was changed by hand, after the last one was saved.
    is_unsaved: bool,
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
        let has_result = move || {
            let of_list = |scans: &Vec<Listed>| scans.iter().any(|scan| scan.has_result);
            state.outcome.with_untracked(Option::is_some) || state.scans.with_untracked(of_list)
        };
        browser::ask_before_leaving(move || is_unsaved().unwrap_or(false) && has_result());
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
                    media_type::ZIP,
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

    /// Saves the volumes of the result on screen as its row in the table of all.
    pub fn save_volumes(self) {
        if let Some(outcome) = self.settled_outcome() {
            let stem = words::result_stem(&outcome.name);
            browser::save_text(
                &format!("volumes_{stem}.csv"),
                &results_archive::row(&outcome),
            );
        }
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
        browser::show(RESULT);
        self.tell(|work| work.look_closer(closer, browser::now_ms()));
    }

    /// Shows the result as it was before the last closer look.
    pub fn look_back(self) {
        if self.may_replace(mend::LOOKING_BACK_LOSES) {
            browser::show(RESULT);
            self.tell(Work::look_back);
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
        self.were_saved();
        self.tell(Work::ask_segmentation);
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
            Order::Save {
                name,
                bytes,
                media_type,
            } => browser::save_file(&name, &bytes, media_type),
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
}
