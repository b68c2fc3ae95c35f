//! What the worker keeps of its last result, for whoever asks how sure the network was.

use dinomed3d_core::infer::{Keep, Seen};
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::nifti::Depth;
use dinomed3d_volume::{MidPlane, Scan, gzip, gzip_by};
use std::io;
use std::rc::Rc;

use super::protocol::{JobId, Scores};

/// In every file that the worker makes.
pub(super) const DESCRIPTION: &str = "DINO-Med3D; not a medical device";

/// Results that would need more than this are not kept.
const MOST_BYTES: u64 = 700_000_000;

/// What is kept of a result.
pub(super) struct KeptScores {
    /// The request that it answered.
    pub(super) job: JobId,
    pub(super) scan: Rc<Scan>,
    pub(super) seen: Seen,
    /// Between the sides, where the network does not tell them apart.
    pub(super) plane: Option<MidPlane>,
    /// Values of the model's labels.
    pub(super) labels: Vec<u8>,
}

/// Whether logits of a scan are kept, and how much memory that takes.
pub(super) fn keep(segmenter: &Segmenter, scan: &Scan) -> (Keep, u64) {
    let cost = segmenter.cost();
    match cost.kept_bytes(segmenter.manifest(), &scan.outline()) {
        Ok(bytes) if bytes <= MOST_BYTES => (Keep::Logits, bytes),
        _ => (Keep::Nothing, 0),
    }
}

impl KeptScores {
    /// As it is asked for.
    pub(super) fn file(&self, what: Scores) -> io::Result<Vec<u8>> {
        match what {
            Scores::Certainty => self.seen.certainty().map_err(io::Error::other),
            Scores::CertaintyFile => {
                let certainty = self.seen.certainty().map_err(io::Error::other)?;
                let file = self.scan.encode_shares(&certainty, DESCRIPTION);
                Ok(gzip(&file.map_err(io::Error::other)?))
            }
            Scores::Probabilities => {
                let mut file = Vec::new();
                let plane = self.plane.as_ref();
                gzip_by(&mut file, |packed| {
                    self.seen
                        .write_probabilities(
                            &self.scan,
                            &self.labels,
                            plane,
                            Depth::Bits8,
                            DESCRIPTION,
                            packed,
                        )
                        .map_err(io::Error::other)
                })?;
                Ok(file)
            }
        }
    }
}
