//! How far a segmentation is, as whoever waits for it is told.

use super::prediction::Prediction;
use std::rc::Rc;

/// How far a segmentation is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// Of the whole, 0 … 1.
    pub fraction: f32,
    /// Window under way, from 1.
    pub window: usize,
    /// Number of windows.
    pub windows: usize,
    /// What has been found so far; said once, when there is more to say than before.
    pub found: Option<Rc<Prediction>>,
}
