//! How sure the network was of its last result, on request.

use dinomed3d_core::infer::{Keep, Seen};
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::nifti::Depth;
use dinomed3d_volume::{MidPlane, Scan, gzip, gzip_by};
use std::io;
use std::rc::Rc;

use super::engine::{Engine, Trouble};
use super::protocol::{FromWorker, JobId, Scores};
use super::scope;
use super::segment::DESCRIPTION;

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

impl Engine {
    /// Answers with a file of the result of the request `of`.
    pub(super) fn scores(&self, job: JobId, of: JobId, what: Scores) -> Result<(), Trouble> {
        const AGAIN: &str = "Segment the scan again.";
        let kept = self.kept.borrow();
        let kept = kept.as_ref().filter(|kept| kept.job == of);
        let kept = kept.ok_or_else(|| {
            let gone = "How sure the network was of this result is not kept any more.";
            Trouble::new(gone, AGAIN)
        })?;
        let file = kept.file(what);
        let file =
            file.map_err(|error| Trouble::new(format!("It can't be written: {error}."), AGAIN))?;
        scope::post_with(&FromWorker::Scores { job, what }, &file);
        Ok(())
    }
}

impl KeptScores {
    /// As it is asked for.
    fn file(&self, what: Scores) -> io::Result<Vec<u8>> {
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
