//! The page's state as signals. All that concerns the work is written by [`crate::session::Session`] alone, through
//! [`State::show`].

use std::collections::BTreeSet;
use std::rc::Rc;

use dinomed3d_volume::Label;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};
use js_sys::Uint8Array;
use leptos::prelude::*;

use crate::certainty;
use crate::comparison::{Comparison, Maps};
use crate::mending::{Patch, Pen};
use crate::overlay::Overlay;
use crate::protocol::{BackendChoice, Failure, MapKind};
use crate::station::Visit;
use crate::work::{
    self, BackendStatus, Channel, Listed, LoadedModel, ModelEntry, Offers, Preflight, Run,
    WorkerPhase,
};

/// The scan on screen, with its file.
pub type Scan = work::Scan<Uint8Array>;
/// What a run has labelled so far, with its file.
pub type Partial = work::Partial<Uint8Array>;
/// The last result, with its file.
pub type Outcome = work::Outcome<Uint8Array>;

/// What goes on inside the network, with the file of its map.
pub type Looked = work::Looked<Uint8Array>;

/// The page's state: handles, so that it can be copied into every component. The first fields are those of
/// [`work::Shown`].
#[derive(Clone, Copy)]
pub struct State {
    /// What the visitor asked to compute on.
    pub choice: RwSignal<BackendChoice>,
    /// What the worker computes on, once it has said so.
    pub backend: RwSignal<Option<BackendStatus>>,
    /// Where the worker stands.
    pub worker: RwSignal<WorkerPhase>,
    /// The models of this site.
    pub models: RwSignal<Vec<ModelEntry>>,
    /// Folder name of the chosen model.
    pub model_name: RwSignal<String>,
    /// The loaded model.
    pub model: RwSignal<Option<LoadedModel>>,
    /// Whether a scan is being read.
    pub is_reading: RwSignal<bool>,
    /// Scans of which the visitor is to choose one.
    pub offers: RwSignal<Option<Rc<Offers>>, LocalStorage>,
    /// The list of scans; a scan by itself is in none.
    pub scans: RwSignal<Vec<Listed>>,
    /// The channels of the loaded model; none of a model that takes one scan.
    pub channels: RwSignal<Vec<Channel>>,
    /// Which of how many scans has its turn, from 1, while the list is segmented.
    pub queue: RwSignal<Option<(usize, usize)>>,
    /// The scan on screen.
    pub scan: RwSignal<Option<Rc<Scan>>, LocalStorage>,
    /// What segmenting it will take.
    pub preflight: RwSignal<Option<Preflight>>,
    /// The segmentation under way.
    pub run: RwSignal<Option<Run>>,
    /// What it has labelled so far; on screen in place of the outcome.
    pub partial: RwSignal<Option<Rc<Partial>>, LocalStorage>,
    /// The last result.
    pub outcome: RwSignal<Option<Rc<Outcome>>, LocalStorage>,
    /// Whether the worker can tell how sure the network was of it.
    pub has_logits: RwSignal<bool>,
    /// How probable its class is at each voxel, in 255 steps.
    pub certainty: RwSignal<Option<Rc<Uint8Array>>, LocalStorage>,
    /// Between which volumes the true ones of the result lie, if that is known.
    pub ranges: RwSignal<Option<Rc<Vec<VolumeRange>>>, LocalStorage>,
    /// What was asked last about the inside of the network.
    pub inside: RwSignal<Option<Rc<Looked>>, LocalStorage>,
    /// How far a question about it is, 0 to 1.
    pub looking: RwSignal<Option<f32>>,
    /// Where a visitor of the inside is; none outside.
    pub visit: RwSignal<Option<Visit>>,
    /// Where the crosshair is to go.
    pub go_to: RwSignal<Option<[f64; 3]>>,
    /// The last event, as a sentence.
    pub status: RwSignal<String>,
    /// What went wrong last, until something goes right.
    pub failure: RwSignal<Option<Failure>>,
    /// Whether a segmentation can be asked for.
    pub can_segment: RwSignal<bool>,
    /// Whether the list can be segmented, and there is something left to do.
    pub can_segment_all: RwSignal<bool>,
    /// Labels that the visitor has hidden.
    pub hidden: RwSignal<BTreeSet<u8>>,
    /// Where the crosshair is.
    pub location: RwSignal<Option<Location>>,
    /// What the result is compared with.
    pub reference: RwSignal<Option<Rc<Maps>>, LocalStorage>,
    /// What came of it; on screen while its labels are mapped anew.
    pub comparison: RwSignal<Option<Rc<Comparison>>, LocalStorage>,
    /// How far the comparison under way is, as a sentence.
    pub comparing: RwSignal<Option<String>>,
    /// Why the last reference was not compared with, as a sentence.
    pub refusal: RwSignal<Option<String>>,
    /// What lies over the scan, where there is a comparison.
    pub overlay: RwSignal<Overlay>,
    /// How the visitor mends.
    pub pen: RwSignal<Pen>,
    /// How far learning from the strokes is, 0 to 1.
    pub learning: RwSignal<Option<f32>>,
    /// Whether the network can learn from strokes.
    pub can_learn: RwSignal<bool>,
    /// What has changed in the labels without the pen, to be drawn.
    pub redrawn: RwSignal<Option<Rc<Patch>>, LocalStorage>,
    /// What mending has come to, while the visitor is at it.
    pub mending: RwSignal<Option<Mended>>,
    /// Why the pen did nothing, as a sentence.
    pub pen_note: RwSignal<Option<String>>,
}

/// What mending has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// Size of every label, after the last stroke.
    pub sizes: Vec<LabelSize>,
    /// Whether a stroke can be undone.
    pub can_undo: bool,
    /// Whether an undone stroke can be made again.
    pub can_redo: bool,
    /// Whether this is not what the network found.
    pub is_changed: bool,
    /// Strokes that are not undone.
    pub strokes: usize,
    /// Of how many of them the network has learnt, if it has.
    pub learnt_from: Option<usize>,
    /// Whether that can be taken back.
    pub can_unlearn: bool,
}

/// Where the crosshair is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Location {
    /// World position, RAS+.
    pub mm: [f64; 3],
    /// Index of the voxel along x, y and z of the file, from 0.
    pub voxel: [u32; 3],
    /// The scan's value there.
    pub value: f64,
    /// The label there, if a label map is shown.
    pub label: Option<u8>,
}

impl State {
    /// A page that has just been opened.
    pub fn new() -> Self {
        Self {
            choice: RwSignal::new(BackendChoice::default()),
            backend: RwSignal::new(None),
            worker: RwSignal::new(WorkerPhase::Starting),
            models: RwSignal::new(Vec::new()),
            model_name: RwSignal::new(String::new()),
            model: RwSignal::new(None),
            is_reading: RwSignal::new(false),
            offers: RwSignal::new_local(None),
            scans: RwSignal::new(Vec::new()),
            channels: RwSignal::new(Vec::new()),
            queue: RwSignal::new(None),
            scan: RwSignal::new_local(None),
            preflight: RwSignal::new(None),
            run: RwSignal::new(None),
            partial: RwSignal::new_local(None),
            outcome: RwSignal::new_local(None),
            has_logits: RwSignal::new(false),
            certainty: RwSignal::new_local(None),
            ranges: RwSignal::new_local(None),
            inside: RwSignal::new_local(None),
            looking: RwSignal::new(None),
            visit: RwSignal::new(None),
            go_to: RwSignal::new(None),
            status: RwSignal::new(String::new()),
            failure: RwSignal::new(None),
            can_segment: RwSignal::new(false),
            can_segment_all: RwSignal::new(false),
            hidden: RwSignal::new(BTreeSet::new()),
            location: RwSignal::new(None),
            reference: RwSignal::new_local(None),
            comparison: RwSignal::new_local(None),
            comparing: RwSignal::new(None),
            refusal: RwSignal::new(None),
            overlay: RwSignal::new(Overlay::default()),
            pen: RwSignal::new(Pen::default()),
            learning: RwSignal::new(None),
            can_learn: RwSignal::new(false),
            redrawn: RwSignal::new_local(None),
            mending: RwSignal::new(None),
            pen_note: RwSignal::new(None),
        }
    }

    /// Shows what the work has come to; what has not changed is not drawn again.
    pub fn show(self, shown: work::Shown<Uint8Array>) {
        let labels_before = untrack(|| self.labels());
        put(self.can_segment, shown.can_segment());
        put(self.can_segment_all, shown.can_segment_all());
        put(self.can_learn, shown.can_learn());
        put(self.learning, shown.learning);
        put(self.scans, shown.scans);
        put(self.channels, shown.channels);
        put(self.queue, shown.queue);
        put(self.choice, shown.choice);
        put(self.backend, shown.backend);
        put(self.worker, shown.worker);
        put(self.models, shown.models);
        put(self.model_name, shown.model_name);
        put(self.model, shown.model);
        put(self.is_reading, shown.is_reading);
        put(self.preflight, shown.preflight);
        put(self.run, shown.run);
        put(self.status, shown.status);
        put(self.failure, shown.failure);
        put(self.has_logits, shown.has_logits);
        put(self.looking, shown.looking);
        put_rc(self.ranges, shown.ranges);
        put_rc(self.inside, shown.inside);
        put_rc(self.certainty, shown.certainty);
        put_rc(self.partial, shown.partial);
        if put_rc(self.outcome, shown.outcome) {
            self.forget_comparison();
        }
        put_rc(self.offers, shown.offers);
        put_rc(self.scan, shown.scan);
        self.show_changed(&labels_before);
    }

    /// What the visitor has hidden stays hidden from one label map to the next of the same labels.
    fn show_changed(self, before: &[Label]) {
        if untrack(|| self.labels()) != before {
            self.hidden.update(BTreeSet::clear);
        }
    }

    /// Whether the visitor is mending.
    pub fn is_mending(self) -> bool {
        self.mending.with(Option::is_some)
    }

    /// Shows what mending has come to; `None` if the visitor is not at it any more.
    pub fn show_mending(self, mended: Option<Mended>) {
        put(self.mending, mended);
    }

    /// Whether it is known, or can be asked for, where the network is less sure.
    pub fn has_certainty(self) -> bool {
        self.has_logits.get() || self.certainty.with(Option::is_some)
    }

    /// Lays something else over the scan.
    pub fn lay_over(self, overlay: Overlay) {
        let before = untrack(|| self.labels());
        put(self.overlay, overlay);
        self.show_changed(&before);
    }

    /// The result is compared with this.
    pub fn show_comparison(self, comparison: Comparison) {
        let before = untrack(|| self.labels());
        put_rc(self.reference, Some(Rc::clone(&comparison.maps)));
        put_rc(self.comparison, Some(Rc::new(comparison)));
        put(self.comparing, None);
        self.show_changed(&before);
    }

    /// The result is compared with nothing.
    pub fn forget_comparison(self) {
        put_rc(self.reference, None);
        put_rc(self.comparison, None);
        put(self.comparing, None);
        put(self.refusal, None);
        put(self.overlay, Overlay::default());
    }

    /// What lies over the scan in place of the result's labels, and the labels that come up in it.
    pub fn laid_over(self) -> Option<(Vec<u8>, Vec<Label>)> {
        let overlay = self.overlay.get();
        if overlay == Overlay::Result {
            return None;
        }
        if overlay == Overlay::Certainty {
            let certainty = self.certainty.get()?;
            let classes = certainty.to_vec().into_iter().map(certainty::class);
            return Some((classes.collect(), certainty::classes()));
        }
        let comparison = self.comparison.get()?;
        comparison.over(overlay)
    }

    /// The map of the inside of the network that lies over the scan in place of labels.
    pub fn inside_map(self) -> Option<(Rc<Looked>, MapKind)> {
        let looked = self.inside.get()?;
        let kind = looked.view.map?;
        looked.map.is_some().then_some((looked, kind))
    }

    /// Takes labels out of sight, or back.
    pub fn show_labels(self, values: &[u8], is_shown: bool) {
        self.hidden.update(|hidden| {
            for value in values {
                if is_shown {
                    hidden.remove(value);
                } else {
                    hidden.insert(*value);
                }
            }
        });
    }

    /// Labels of the label map on screen if there is one, else of the model, so that the legend says beforehand what will be
    /// found.
    pub fn labels(self) -> Vec<Label> {
        let of_partial = self
            .partial
            .with(|partial| partial.as_ref().map(|partial| partial.labels.clone()));
        let of_outcome = || {
            self.outcome
                .with(|outcome| outcome.as_ref().map(|outcome| outcome.labels.clone()))
        };
        let of_model = || {
            self.model
                .with(|model| model.as_ref().map(|model| model.info.labels.clone()))
        };
        let of_overlay = || {
            let overlay = self.overlay.get();
            if overlay == Overlay::Certainty {
                return self
                    .certainty
                    .with(Option::is_some)
                    .then(certainty::classes);
            }
            self.comparison
                .with(|comparison| comparison.as_ref()?.labels_over(overlay))
        };
        of_partial
            .or_else(of_overlay)
            .or_else(of_outcome)
            .or_else(of_model)
            .unwrap_or_default()
    }

    /// Labels of the result, whatever model is chosen by now.
    pub fn outcome_labels(self) -> Vec<Label> {
        let outcome = self.outcome.get_untracked();
        outcome.map_or_else(Vec::new, |outcome| outcome.labels.clone())
    }

    /// Whether scan, model and backend can be changed.
    pub fn can_change(self) -> bool {
        self.run.with(Option::is_none) && self.queue.with(Option::is_none)
    }

    /// The state that a parent component put in context.
    pub fn expect() -> Self {
        expect_context()
    }
}

fn put<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|now| *now != value) {
        signal.set(value);
    }
}

/// Whether it was another one.
fn put_rc<T: 'static>(signal: RwSignal<Option<Rc<T>>, LocalStorage>, value: Option<Rc<T>>) -> bool {
    let pointer = |value: &Option<Rc<T>>| value.as_ref().map(Rc::as_ptr);
    let is_other = signal.with_untracked(pointer) != pointer(&value);
    if is_other {
        signal.set(value);
    }
    is_other
}
