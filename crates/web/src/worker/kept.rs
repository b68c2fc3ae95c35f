//! What the worker keeps of its last result, for whoever asks how sure the network was.

use dinomed3d_core::infer::{Keep, Seen};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_core::strokes::Features;
use dinomed3d_volume::nifti::{Depth, MadeBy};
use dinomed3d_volume::{Scan, gzip, gzip_by};
use std::cell::OnceCell;
use std::io;
use std::rc::Rc;

use super::protocol::{JobId, Probabilities};

/// Results that would need more than this are not kept.
const MOST_BYTES: u64 = 700_000_000;

/// What is kept of a result.
pub(super) struct KeptLogits {
    /// The request that it answered.
    pub(super) job: JobId,
    pub(super) scan: Rc<Scan>,
    /// What found it; not who else computes with it, who ends with the model.
    pub(super) segmenter: Rc<Segmenter>,
    pub(super) seen: Seen,
    /// What the last layers saw, once somebody wanted to learn from strokes.
    pub(super) features: OnceCell<Rc<Features>>,
}

/// Whether logits of a scan are kept, and how much memory that takes.
pub(super) fn keep(segmenter: &Segmenter, scan: &Scan) -> (Keep, u64) {
    let cost = segmenter.cost();
    match cost.kept_bytes(segmenter.manifest(), &scan.outline()) {
        Ok(bytes) if bytes <= MOST_BYTES => (Keep::Logits, bytes),
        _ => (Keep::Nothing, 0),
    }
}

/// What files say that a model's network makes.
pub(super) fn made_by(manifest: &ModelManifest) -> MadeBy {
    MadeBy::default().and(&manifest.name, &manifest.version)
}

impl KeptLogits {
    /// As it is asked for.
    pub(super) fn file(&self, what: Probabilities) -> io::Result<Vec<u8>> {
        let description = made_by(self.segmenter.manifest()).to_string();
        match what {
            Probabilities::Certainty => self.seen.certainty().map_err(io::Error::other),
            Probabilities::CertaintyFile => {
                let certainty = self.seen.certainty().map_err(io::Error::other)?;
                let file = self.scan.encode_shares(&certainty, &description);
                Ok(gzip(&file.map_err(io::Error::other)?))
            }
            Probabilities::OfLabels => {
                let mut file = Vec::new();
                gzip_by(&mut file, |packed| {
                    let (seen, depth) = (&self.seen, Depth::Bits8);
                    let written = seen.write_probabilities(&self.scan, depth, &description, packed);
                    written.map_err(io::Error::other)
                })?;
                Ok(file)
            }
        }
    }
}
