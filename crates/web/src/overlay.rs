//! What can lie over the scan.

use crate::language::compare;

/// What lies over the scan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Overlay {
    /// What was found.
    #[default]
    Result,
    /// What should have been.
    Reference,
    /// Where they differ.
    Disagreement,
    /// Where the network is less sure; needs no reference.
    Certainty,
}

impl Overlay {
    /// All of them, with their names in the control.
    pub const ALL: [(Self, &str); 4] = [
        (Self::Result, compare::RESULT),
        (Self::Reference, compare::REFERENCE),
        (Self::Disagreement, compare::DISAGREEMENT),
        (Self::Certainty, compare::CERTAINTY),
    ];

    /// The one of that name; an unknown name is [`Overlay::Result`].
    pub fn parse(name: &str) -> Self {
        let known = Self::ALL.into_iter().find(|(_, known)| *known == name);
        known.map_or_else(Self::default, |(overlay, _)| overlay)
    }
}
