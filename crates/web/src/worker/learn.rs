//! The last result after learning from what a visitor has painted into it, on request.

use std::rc::Rc;

use dinomed3d_core::strokes::{Features, Stroke};
use js_sys::Uint8Array;

use super::engine::{Engine, Trouble};
use super::kept::{KeptLogits, made_by};
use super::protocol::{FromWorker, JobId};
use super::scope;
use super::segment::{file_of, infer_trouble};

/// What may be held of a scan to learn from it again at once.
const MOST_BYTES: usize = 1_000_000_000;

const AGAIN: &str = "Segment the scan again.";

impl Engine {
    /// Answers with the label map of the result of the request `of` after learning from strokes; no trouble if it was cancelled.
    pub(super) async fn learn(
        &self,
        job: JobId,
        of: JobId,
        strokes: Option<Uint8Array>,
    ) -> Result<(), Option<Trouble>> {
        let kept = self.kept.borrow().clone().filter(|kept| kept.job == of);
        let kept = kept.ok_or_else(|| {
            Trouble::new(
                "What the network said of this scan is not kept any more.",
                AGAIN,
            )
        })?;
        let shape = kept.scan.grid_shape();
        let strokes = strokes.and_then(|bytes| unpack(&bytes.to_vec(), shape));
        let strokes = strokes
            .ok_or_else(|| Trouble::new("The strokes that came are not of this scan.", AGAIN))?;
        let features = self.features(job, &kept).await?;
        if self.goes_on(job).is_break() {
            return Err(None);
        }
        let affine = kept.scan.affine();
        let learnt = kept
            .segmenter
            .learn(&features, &kept.seen, &strokes, shape, &affine);
        let labels = learnt.map_err(infer_trouble)?;
        let by = made_by(kept.segmenter.manifest());
        let file = file_of(&kept.scan, &labels, &by).map_err(|error| {
            Trouble::new(format!("The label map can't be written: {error}."), AGAIN)
        })?;
        scope::post_with(&FromWorker::Learnt { job }, &file);
        Ok(())
    }

    /// What the last layers see of a result's scan, computed when it is first asked for.
    async fn features(
        &self,
        job: JobId,
        kept: &KeptLogits,
    ) -> Result<Rc<Features>, Option<Trouble>> {
        if let Some(features) = kept.features.get() {
            return Ok(Rc::clone(features));
        }
        let mut news = self.news(job);
        let features = kept
            .segmenter
            .features(&kept.seen, MOST_BYTES, async |progress| {
                news.tell(progress).await
            })
            .await
            .map_err(infer_trouble)?;
        let features = features.ok_or_else(|| {
            Trouble::new(
                "This scan is too large to learn on in a page.",
                "Mend it by hand.",
            )
        })?;
        Ok(Rc::clone(kept.features.get_or_init(|| Rc::new(features))))
    }
}

/// Strokes as the page packs them, see [`ToWorker::Learn`](super::protocol::ToWorker::Learn); none if they are damaged or of another scan.
fn unpack(bytes: &[u8], shape: [usize; 3]) -> Option<Vec<Stroke>> {
    let voxels = shape.iter().product::<usize>();
    let (words, []) = bytes.as_chunks::<4>() else {
        return None;
    };
    let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
    let mut strokes = Vec::new();
    while let Some(value) = words.next() {
        let count = words.next()? as usize;
        let stroke = Stroke {
            value: u8::try_from(value).ok()?,
            voxels: words.by_ref().take(count).collect(),
        };
        let is_whole = stroke.voxels.len() == count;
        if !is_whole || stroke.voxels.iter().any(|voxel| *voxel as usize >= voxels) {
            return None;
        }
        strokes.push(stroke);
    }
    Some(strokes)
}
