//! The label map as a DICOM segmentation: with each result, and of one that a person has changed when the page asks for it.

use dinomed3d_volume::dicom::segmentation::{self, Origin, Provenance, Segment, SegmentationError};
use dinomed3d_volume::{Label, LabelMap};
use js_sys::Uint8Array;

use super::engine::{Engine, Trouble};
use super::label_map::label_map;
use super::protocol::{FromWorker, JobId, Maker};
use super::scope;

const AGAIN: &str = "Open the series again and segment it.";

impl Engine {
    /// Answers with a segmentation of the scan's series that holds a label map which a person has changed, from its file.
    pub(super) fn segmentation(
        &self,
        job: JobId,
        labels: &[Label],
        maker: Maker,
        file: Option<Uint8Array>,
    ) -> Result<(), Trouble> {
        let gone = |what: &str| Trouble::new(format!("There is no {what} to refer to."), AGAIN);
        let scan = self.scan.borrow();
        let scan = scan.as_ref().ok_or_else(|| gone("scan"))?;
        let origin = self.origin.borrow();
        let origin = origin.as_ref().ok_or_else(|| gone("DICOM series"))?;
        let file = file.ok_or_else(|| gone("label map"))?;
        let (map, _) = label_map(&file.to_vec(), &scan.grid_shape())?;
        let seg = segmentation_of(&map, labels, origin, maker, true).map_err(|error| {
            Trouble::new(
                format!("No DICOM-SEG can be saved: {error}."),
                "Save the labels instead.",
            )
        })?;
        scope::post_with(&FromWorker::Segmentation { job }, &seg);
        Ok(())
    }
}

/// A label map as a segmentation of the series that `origin` is of.
pub(super) fn segmentation_of(
    map: &LabelMap,
    labels: &[Label],
    origin: &Origin,
    maker: Maker,
    is_changed_by_hand: bool,
) -> Result<Vec<u8>, SegmentationError> {
    let segment = |label| Segment::of(label, Some(&maker.name));
    let segments: Vec<_> = labels.iter().map(segment).collect();
    let provenance = Provenance {
        model: maker.name.clone(),
        model_version: maker.version,
        model_hash: maker.weights_sha256,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        is_changed_by_hand,
        unix_seconds: scope::local_seconds(),
    };
    segmentation::write(map, &segments, origin, &provenance)
}
