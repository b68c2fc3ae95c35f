//! Forward passes of which everything is kept, so that questions about them are answered at once.

use std::cell::RefCell;
use std::rc::Rc;

use dinomed3d_core::inside::Inside;

use super::protocol::{JobId, Part};

/// The whole network's, and one without a part.
const MOST: usize = 2;

/// What a pass is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Of {
    /// The result's request.
    pub(super) result: JobId,
    /// Where its window begins.
    pub(super) origin_mm: [f64; 3],
    /// The part that the network lacks.
    pub(super) without: Option<Part>,
}

/// The passes of a window of the last result.
#[derive(Default)]
pub(super) struct Passes(RefCell<Vec<(Of, Rc<Inside>)>>);

impl Passes {
    /// Keeps none any more.
    pub(super) fn forget(&self) {
        self.0.borrow_mut().clear();
    }

    /// The one of that, if it is kept.
    pub(super) fn find(&self, of: &Of) -> Option<Rc<Inside>> {
        let passes = self.0.borrow();
        let found = passes.iter().find(|(known, _)| known == of);
        found.map(|(_, inside)| Rc::clone(inside))
    }

    /// Keeps one; those of other windows go, and of too many one that lacks a part, as that of the whole network is wanted again.
    pub(super) fn keep(&self, of: Of, inside: Rc<Inside>) {
        let mut passes = self.0.borrow_mut();
        passes.retain(|(known, _)| known.result == of.result && known.origin_mm == of.origin_mm);
        if passes.len() >= MOST {
            let lacking = passes.iter().position(|(known, _)| known.without.is_some());
            passes.remove(lacking.unwrap_or(0));
        }
        passes.push((of, inside));
    }
}
