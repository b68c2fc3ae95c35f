//! The result on screen under the visitor's hands: painted, learnt from, taken back, saved.

use std::rc::Rc;

use js_sys::Uint8Array;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Session;
use crate::browser;
use crate::language::{compare, mend};
use crate::media_type;
use crate::mending::{self, Bounds, Mending, Patch, Pen, Tool};
use crate::overlay::Overlay;
use crate::protocol::Failure;
use crate::state::{Mended, Outcome};
use crate::words;
use crate::work::Work;

/// A result under the visitor's hands.
pub(super) struct Hands {
    mending: Mending,
    /// As it was at first.
    first: Rc<Outcome>,
    /// As the work has it: a file takes time, so none is made after each stroke.
    pub(super) known: Rc<Outcome>,
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

impl Session {
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

    /// Takes the last stroke back, and gives up what is being learnt from it; returns the labels that have changed.
    pub fn undo(self) -> Option<Patch> {
        self.stop_learning();
        let patch = self.change(|hands| hands.mending.undo());
        self.show_hands();
        patch
    }

    /// Makes the last undone stroke again, and gives up what is being learnt without it; returns the labels that have changed.
    pub fn redo(self) -> Option<Patch> {
        self.stop_learning();
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
    pub(super) fn take_learnt(self, file: &Uint8Array, strokes: usize) {
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
                browser::save_file(&outcome.name, &outcome.bytes, media_type::NIFTI_GZIP);
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

    /// Whether the result on screen may be replaced: one that a person has changed only if the visitor says so.
    pub(super) fn may_replace(self, question: &str) -> bool {
        self.tell(|_| {});
        let is_mended = |outcome: &Option<Rc<Outcome>>| {
            outcome
                .as_ref()
                .is_some_and(|outcome| outcome.mended_from.is_some())
        };
        !self.state.outcome.with_untracked(is_mended) || browser::confirm(question)
    }

    /// Hands the work the result as the visitor has made it; whatever it is compared with it is compared with anew.
    pub(super) fn settle(self) {
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

    /// A closer look makes the file of a result anew, and does not know that a person has changed it before.
    pub(super) fn mark_mended(self) {
        let outcome = self.inner.with_value(|inner| inner.work.shown().outcome);
        let Some(outcome) = outcome else { return };
        // Unmarked it is still the right one, and its name says what it is.
        if let Ok(file) = mending::marked(&outcome.bytes.to_vec()) {
            let marked = outcome.mended(Uint8Array::from(&file[..]), outcome.statistics.clone());
            self.inner
                .update_value(|inner| inner.work.replace_result(Rc::new(marked)));
        }
    }

    pub(super) fn with_hands<R>(self, act: impl FnOnce(&mut Hands) -> R) -> Option<R> {
        let mut answer = None;
        self.inner
            .update_value(|inner| answer = inner.hands.as_mut().map(act));
        answer
    }

    /// Has labels change; what was changed is cut out of the map.
    pub(super) fn change(self, act: impl FnOnce(&mut Hands) -> Option<Bounds>) -> Option<Patch> {
        let patch = self.with_hands(|hands| {
            let bounds = act(hands)?;
            hands.is_stale = true;
            Some(hands.mending.cut(bounds))
        });
        let patch = patch.flatten()?;
        self.inner.update_value(|inner| inner.is_unsaved = true);
        Some(patch)
    }

    pub(super) fn show_hands(self) {
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

    pub(super) fn not_mended(self, problem: &str) {
        let failure = Failure {
            what: mend::cant_be_mended(problem),
            advice: mend::SAVE_UNMENDED.to_owned(),
            is_fatal: false,
        };
        self.tell_now(|work| work.say_failure(failure));
    }
}
