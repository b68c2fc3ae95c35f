//! How a run is ended early.

use super::TrainError;
use burn::train::Interrupter;
use std::sync::{Arc, Mutex};

/// Stops a run, keeping the reason.
#[derive(Clone, Default)]
pub struct Stop {
    interrupter: Interrupter,
    reason: Arc<Mutex<Option<TrainError>>>,
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").finish_non_exhaustive()
    }
}

impl Stop {
    /// Ends the run before its next step; the first reason is kept.
    pub fn because(&self, error: TrainError) {
        let mut reason = self.reason.lock().unwrap_or_else(|e| e.into_inner());
        reason.get_or_insert(error);
        self.interrupter.stop(None);
    }

    /// What the learner asks whether to go on.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// Why the run was ended, if it was and nobody has asked yet.
    pub fn take_reason(&self) -> Option<TrainError> {
        self.reason.lock().unwrap_or_else(|e| e.into_inner()).take()
    }
}
