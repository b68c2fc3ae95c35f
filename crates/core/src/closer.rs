//! A closer look: a model of one part of the body on crops of a scan, cut where another model found that part.

use crate::infer::together::Together;
use crate::infer::{Computer, InferError, Keep, Place, Progress};
use crate::segmenter::{Segmentation, Segmenter};
use dinomed3d_volume::{Image, Label, LabelMap};
use futures_util::stream::{StreamExt, TryStreamExt, iter};
use std::ops::ControlFlow;

/// What came of a closer look.
#[derive(Clone, Debug, Default)]
pub struct Closer {
    /// What a person should know about it.
    pub warnings: Vec<String>,
    /// Number of windows computed.
    pub windows: usize,
}

/// Where less of a closer look's answer lies in what was looked at, it is of something else. Of right ones 0.7 does.
const LEAST_OVERLAP: f64 = 0.1;

impl Segmenter {
    /// Segments the crops of a scan in which a label map of the whole shows this model's part, and lays the answers into
    /// the map: voxels that this model labels take its labels, all others stay. Windows are computed by `computer`, which
    /// has this model's network; crops as many at a time as it says.
    ///
    /// # Errors
    /// Those of [`Segmenter::segment`]; the map is then as it was.
    pub async fn look_closer(
        &self,
        computer: &impl Computer,
        scan: &impl Image,
        map: &mut LabelMap,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Closer, InferError> {
        let manifest = self.manifest();
        let mut closer = Closer::default();
        let Some(part_of) = &manifest.part_of else {
            return Ok(closer);
        };
        let values: Vec<u8> = manifest.labels[1..].iter().map(|l| l.value).collect();
        let crops = part_of.crops(map);
        let together = &Together::new(progress, crops.len());
        let segmented = iter(crops.iter().enumerate()).map(async |(place, crop)| {
            let told = async |step: Progress| {
                let windows = step.windows * crops.len();
                together.tell(place, step.fraction, windows).await
            };
            self.segment_by(computer, &[crop.of(scan)], Keep::default(), told)
                .await
        });
        let segmented = segmented.buffered(computer.at_a_time());
        let segmentations: Vec<Segmentation> = segmented.try_collect().await?;
        for (crop, segmentation) in crops.iter().zip(segmentations) {
            closer.windows += segmentation.windows;
            let name = &crop.place().labels[0].name;
            let mut warnings = segmentation.warnings;
            if crop.overlap(&segmentation.labels, &values, map) < LEAST_OVERLAP {
                // What is said of an answer that is not taken says nothing of the result.
                warnings = vec![format!(
                    "what the model {} labels lies elsewhere than what it was to look at, and is not taken.",
                    manifest.name
                )];
            } else {
                crop.lay(segmentation.labels, &values, map);
            }
            let warnings = warnings.into_iter();
            closer
                .warnings
                .extend(warnings.map(|warning| format!("Around {name}: {warning}")));
        }
        if crops.len() < part_of.places.len() {
            closer.warnings.push(format!(
                "Of {} {} that are looked for, {} were found.",
                part_of.places.len(),
                part_of.name,
                crops.len()
            ));
        }
        Ok(closer)
    }

    /// The labels of a map after a closer look: those of the map before, then this model's at each place of which it holds something.
    /// What was looked at closer keeps its label where this model has none, and its name says so.
    pub fn labels_after(&self, before: &[Label], map: &LabelMap) -> Vec<Label> {
        let part_of = self.manifest().part_of.as_ref();
        let places = part_of.map_or(&[][..], |part_of| &part_of.places);
        let present = map.present();
        let is_taken = |place: &&Place| {
            place
                .labels
                .iter()
                .any(|label| present.contains(&label.value))
        };
        let taken: Vec<&Place> = places.iter().filter(is_taken).collect();
        let mut labels = before.to_vec();
        for label in &mut labels {
            if taken.iter().any(|place| place.around == label.value) {
                label.name.push_str(", the rest");
            }
        }
        labels.extend(taken.iter().flat_map(|place| &place.labels).cloned());
        labels
    }
}
