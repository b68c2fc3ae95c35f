//! Learning from strokes: of what a person has painted into a label map the decoder's last layers learn, on this scan, so that the
//! rest of the map follows.
//!
//! The last layers are linear in the features that they see ([`Features`]), which need one forward pass. What they learn is added to
//! their weights, and by then to the logits, after a fit of parts of a second without gradients through the network. Painted voxels
//! pull to their label, others to what the network said.

mod features;
mod fit;
mod samples;

pub use features::Features;

use crate::infer::{InferError, Pipeline, Seen};
use dinomed3d_volume::{Affine, GridLogits};
use fit::Samples;

/// What a person painted with one movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stroke {
    /// The value that it gives, 0 for background.
    pub value: u8,
    /// Indices of voxels in the scan's memory.
    pub voxels: Vec<u32>,
}

impl Stroke {
    /// Gives its voxels its value.
    pub(crate) fn paint(&self, labels: &mut [u8]) {
        for voxel in &self.voxels {
            labels[*voxel as usize] = self.value;
        }
    }
}

/// The label map of a scan after learning from strokes, which it holds as they were painted; that of the network alone where there
/// are none. Left and right stay parted where they were: strokes move no plane. Nothing else is drawn by chance than by a fixed seed: the same strokes give the same map.
///
/// # Shapes
/// `shape` is `[z, y, x]` of the scan, as is the result
///
/// # Errors
/// Logits or features that do not fill the grid of what was seen, or are no numbers.
///
/// # Panics
/// If a stroke has a voxel that the scan has not.
pub fn learn(
    features: &Features,
    pipeline: &Pipeline,
    seen: &Seen,
    strokes: &[Stroke],
    shape: [usize; 3],
    affine: &Affine,
) -> Result<Vec<u8>, InferError> {
    let network = seen.logits();
    let mut portions = network.portions.to_vec();
    if let Some(samples) = Samples::of(features, pipeline, seen, strokes, shape, affine)? {
        let correction = samples.fit();
        for (features, logits) in features.portions().iter().zip(&mut portions) {
            correction.add(features, logits);
        }
    }
    let logits = GridLogits {
        portions: &portions,
        ..network
    };
    let labelled = pipeline.labels_of(logits, shape, affine, seen.plane())?;
    let mut labels = labelled.labels;
    strokes.iter().for_each(|stroke| stroke.paint(&mut labels));
    Ok(labels)
}
