//! All of a model but its network: from a scan to windows, and from their logits to a label map.

use super::InferError;
use super::computer::Computer;
use super::locate::Locate;
use super::postprocess::{Changes, Postprocessing};
use super::predict::predict;
use super::seen::{Keep, Seen};
use super::together::Together;
use super::windows::Windowing;
use crate::preprocess::Preprocessing;
use dinomed3d_volume::region::mirror;
use dinomed3d_volume::{Affine, LabelMap, Labelling, MidPlane, ModelGrid};
use dinomed3d_volume::{Orientation, Region, Volume};
use futures_util::try_join;
use std::ops::ControlFlow;
use std::rc::Rc;

/// How a scan comes to a network and its answer back.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Names of the scan's channels, in order.
    pub channels: Vec<String>,
    /// How a scan becomes the network's input.
    pub preprocessing: Preprocessing,
    /// How that is cut into windows.
    pub windowing: Windowing,
    /// Whether a window's mirror image, left for right, is shown to the network too and both answers are averaged; for a network
    /// that does not tell sides apart.
    pub mirrored: bool,
    /// What to look for where one window holds all that is labelled; windows over the whole scan where this is not said.
    pub locate: Option<Locate>,
    /// What logits that are kept are divided by, so that probabilities are true; 1 where that is not known.
    pub temperature: f32,
    /// Value of each class in a label map, background first.
    pub values: Vec<u8>,
    /// What is done to a label map of classes.
    pub postprocessing: Postprocessing,
    /// Values that stand for both sides of the body, and what they become on the right.
    pub sides: Vec<[u8; 2]>,
}

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

/// What a network says of a scan: the class of each voxel, on either grid; logits too, if they are asked for.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// On the scan's own grid.
    file_classes: LabelMap,
    /// `[slice, row, column]` of the model grid.
    model_classes: Vec<u8>,
    /// The way from one grid to the other.
    pub grid: ModelGrid,
    /// Number of windows computed.
    pub windows: usize,
    /// Of the last look, where logits are kept.
    pub seen: Option<Seen>,
    /// Of the model grid, `[slice, row, column]`.
    orientation: Orientation,
    values: Vec<u8>,
    postprocessing: Postprocessing,
    sides: Vec<[u8; 2]>,
}

/// A label map and what was done to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// One label per voxel.
    pub labels: Vec<u8>,
    /// By the postprocessing.
    pub changes: Changes,
    /// Between the sides, where they were parted.
    pub plane: Option<MidPlane>,
}

impl Pipeline {
    /// What `computer`'s network says of a scan, given its channels in order and on one grid; of its logits `keep` stays.
    /// `progress` is awaited after every step of the network; [`ControlFlow::Break`] cancels.
    ///
    /// # Errors
    /// [`InferError::Channels`] for another number of channels, [`InferError::Preprocess`] for a scan that cannot be
    /// prepared (empty, constant), [`InferError::Cancelled`], [`InferError::NotFinite`], [`InferError::Device`].
    pub async fn predict(
        &self,
        computer: &impl Computer,
        channels: &[Volume],
        keep: Keep,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Prediction, InferError> {
        if channels.len() != self.channels.len() {
            return Err(InferError::Channels {
                found: channels.len(),
                expected: self.channels.clone(),
            });
        }
        match self.locate {
            None => {
                let preprocessing = &self.preprocessing;
                self.predict_everywhere(
                    preprocessing,
                    computer,
                    channels,
                    self.mirrored,
                    keep,
                    progress,
                )
                .await
            }
            Some(locate) => {
                self.predict_located(locate, computer, channels, keep, progress)
                    .await
            }
        }
    }

    /// By windows over the whole of what is given, prepared so; of their mirror images, see [`Pipeline::mirrored`].
    pub(super) async fn predict_everywhere(
        &self,
        preprocessing: &Preprocessing,
        computer: &impl Computer,
        channels: &[Volume],
        mirrored: bool,
        keep: Keep,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Prediction, InferError> {
        let left_right = mirrored.then(|| preprocessing.orientation.to(Orientation::RAS)[0].0);
        let prepared = preprocessing.apply(channels)?;
        let num_classes = self.values.len();
        let mut labelling = Labelling::new(&prepared.grid, num_classes)?;
        let mut model_classes = Vec::with_capacity(prepared.shape.iter().product());
        let seen = || Seen::new(prepared.grid.clone(), &self.values, self.temperature);
        let mut seen = (keep == Keep::Logits).then(seen);
        let starts = self.windowing.starts(prepared.shape);
        let windows = starts.iter().map(Vec::len).product();
        let passes = 1 + usize::from(mirrored);
        let together = Together::new(progress, windows * passes);
        let of_pass = async |pass, input, window: usize| {
            let part = passes * (window - 1) + pass;
            let told = async |done| together.tell(part, done, windows).await;
            computer.logits(input, told).await
        };
        predict(
            num_classes,
            &prepared.voxels,
            prepared.shape,
            self.windowing,
            computer.at_a_time().div_ceil(passes),
            async |input, window| {
                let Some(axis) = left_right else {
                    return of_pass(0, input, window).await;
                };
                let mut image = input.clone();
                mirror(&mut image, self.windowing.window, axis);
                let (mut logits, mut of_image) = if computer.at_a_time() > 1 {
                    try_join!(of_pass(0, input, window), of_pass(1, image, window))?
                } else {
                    let logits = of_pass(0, input, window).await?;
                    (logits, of_pass(1, image, window).await?)
                };
                mirror(&mut of_image, self.windowing.window, axis);
                for (logit, other) in logits.iter_mut().zip(of_image) {
                    *logit = 0.5 * (*logit + other);
                }
                Ok(logits)
            },
            |slice| {
                model_classes.extend(classes(slice, num_classes));
                seen.iter_mut().for_each(|seen| seen.add(slice));
                Ok(labelling.add(slice)?)
            },
        )
        .await?;
        let file_classes = labelling.finish()?;
        let seen = seen.map(|seen| seen.given(prepared.voxels, mirrored));
        Ok(self.prediction(
            file_classes,
            model_classes,
            prepared.grid,
            windows,
            seen,
            &channels[0],
        ))
    }

    /// The label map of a scan from the logits of a look at it: `[z, y, x]` of the scan's own grid, background where nobody looked.
    ///
    /// # Shapes
    /// `logits` are `[class, slice, row, column]` of some slices each, and fill `grid`; `shape` is `[z, y, x]` of the scan.
    ///
    /// # Errors
    /// Logits that are no numbers or do not fill the grid.
    pub(crate) fn labels_of(
        &self,
        grid: &ModelGrid,
        logits: &[Vec<f32>],
        shape: [usize; 3],
        affine: &Affine,
        plane: Option<&MidPlane>,
    ) -> Result<Labelled, InferError> {
        let mut labelling = Labelling::new(grid, self.values.len())?;
        for portion in logits {
            labelling.add(portion)?;
        }
        let classes = LabelMap {
            labels: labelling.finish()?,
            shape,
            affine: *affine,
        };
        Ok(labelled_on_file_grid(
            &classes,
            &self.values,
            &self.postprocessing,
            &self.sides,
            plane,
        ))
    }

    /// The class of a label's value, either side's; none of a value that the network does not know.
    pub fn class_of(&self, value: u8) -> Option<u8> {
        let pair = self.sides.iter().find(|[_, right]| *right == value);
        let value = pair.map_or(value, |[left, _]| *left);
        let class = self.values.iter().position(|known| *known == value);
        class.map(|class| class as u8)
    }

    fn prediction(
        &self,
        file_classes: Vec<u8>,
        model_classes: Vec<u8>,
        grid: ModelGrid,
        windows: usize,
        seen: Option<Seen>,
        scan: &Volume,
    ) -> Prediction {
        Prediction {
            file_classes: LabelMap {
                labels: file_classes,
                shape: scan.shape,
                affine: scan.affine,
            },
            model_classes,
            grid,
            windows,
            seen,
            orientation: self.preprocessing.orientation,
            values: self.values.clone(),
            postprocessing: self.postprocessing.clone(),
            sides: self.sides.clone(),
        }
    }

    /// What was predicted of a region, as a prediction of the whole scan: background where nobody looked.
    ///
    /// # Errors
    /// A scan without a model grid.
    pub(super) fn of_whole(
        &self,
        of_region: Prediction,
        region: &Region,
        scan: &Volume,
        windows: usize,
    ) -> Result<Prediction, InferError> {
        let mut classes = vec![0; scan.shape.iter().product()];
        let rows = of_region
            .file_classes
            .labels
            .chunks_exact(region.shape()[2]);
        for (place, row) in region.rows(scan.shape).zip(rows) {
            classes[place].copy_from_slice(row);
        }
        let grid = self.preprocessing.grid(scan.shape, &scan.affine)?;
        let on_model_grid = grid.labels_to_model(&classes);
        let seen = of_region.seen;
        let seen = seen.map(|seen| seen.within(region, scan.shape));
        Ok(self.prediction(classes, on_model_grid, grid, windows, seen, scan))
    }
}

/// The class of each voxel: the one with the highest logit, the lower one of equals.
///
/// # Shapes
/// `logits` is `[class, ..]`
pub(crate) fn classes(logits: &[f32], num_classes: usize) -> impl Iterator<Item = u8> {
    let voxels = logits.len() / num_classes;
    (0..voxels).map(move |voxel| {
        let logit = |class: usize| logits[class * voxels + voxel];
        let higher = |best, class| {
            if logit(class) > logit(best) {
                class
            } else {
                best
            }
        };
        (1..num_classes).fold(0, higher) as u8
    })
}

impl Prediction {
    /// The label map on the scan's own grid, `[z, y, x]`.
    pub fn on_file_grid(&self) -> Labelled {
        labelled_on_file_grid(
            &self.file_classes,
            &self.values,
            &self.postprocessing,
            &self.sides,
            None,
        )
    }

    /// What has a class, on the scan's own grid, before any postprocessing: classes, not values.
    pub(super) fn class_map(&self) -> &LabelMap {
        &self.file_classes
    }

    /// The label map on the model grid, `[slice, row, column]`.
    pub fn on_model_grid(&self) -> Labelled {
        labelled(
            &self.model_classes,
            &self.values,
            &self.postprocessing,
            self.grid.shape(),
            self.orientation,
        )
    }
}

/// Classes with their values, postprocessed; the axes run as `orientation` says.
fn labelled(
    classes: &[u8],
    values: &[u8],
    postprocessing: &Postprocessing,
    shape: [usize; 3],
    orientation: Orientation,
) -> Labelled {
    let value = |class: &u8| values[usize::from(*class)];
    let mut labels = classes.iter().map(value).collect::<Vec<u8>>();
    let changes = postprocessing.apply(&mut labels, shape, orientation);
    Labelled {
        labels,
        changes,
        plane: None,
    }
}

/// The same of a scan's own grid, with the sides parted by a plane, or by the one that fits the map where none is known.
fn labelled_on_file_grid(
    classes: &LabelMap,
    values: &[u8],
    postprocessing: &Postprocessing,
    sides: &[[u8; 2]],
    plane: Option<&MidPlane>,
) -> Labelled {
    let LabelMap { shape, affine, .. } = *classes;
    let orientation = affine.orientation().reversed();
    let found = labelled(&classes.labels, values, postprocessing, shape, orientation);
    let mut map = LabelMap {
        labels: found.labels,
        shape,
        affine,
    };
    let plane = plane.copied().or_else(|| mid_plane(&map, sides));
    if let Some(plane) = &plane {
        plane.part(&mut map, sides);
    }
    Labelled {
        labels: map.labels,
        changes: found.changes,
        plane,
    }
}

/// Between left and right where a model answers without a side; none in a map without a structure of two sides.
fn mid_plane(map: &LabelMap, sides: &[[u8; 2]]) -> Option<MidPlane> {
    let both: Vec<u8> = sides.iter().map(|[left, _]| *left).collect();
    MidPlane::fit(map, &both)
}

#[cfg(test)]
mod tests {
    use super::super::postprocess::{Correction, PlaneCut};
    use super::*;

    /// Logits of three voxels along x, of classes of values 0, 4 and 7.
    fn predicted(
        orientation: &str,
        logits: [[f32; 3]; 3],
        postprocessing: Vec<Correction>,
    ) -> Prediction {
        let preprocessing: Preprocessing = serde_json::from_value(serde_json::json!({
            "orientation": orientation,
            "intensity": {"kind": "percentile-z-score", "lowPercent": 0, "highPercent": 100}
        }))
        .unwrap();
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let grid = preprocessing.grid([1, 1, 3], &affine).unwrap();
        Prediction {
            file_classes: LabelMap {
                labels: grid.logits_to_labels(logits.as_flattened(), 3).unwrap(),
                shape: [1, 1, 3],
                affine,
            },
            model_classes: classes(logits.as_flattened(), 3).collect(),
            seen: None,
            grid,
            windows: 1,
            orientation: preprocessing.orientation,
            values: vec![0, 4, 7],
            postprocessing: Postprocessing(postprocessing),
            sides: Vec::new(),
        }
    }

    /// By hand; the first voxel's highest logit is shared.
    #[test]
    fn the_highest_logit_wins_and_the_lower_class_of_equals() {
        let logits = [[0.0, 0.1, 0.5], [2.0, 0.2, 0.1], [2.0, 0.3, 0.1]];
        let predicted = predicted("SAR", logits, vec![]);
        assert_eq!(predicted.on_model_grid().labels, [4, 7, 0]);
        assert_eq!(predicted.on_file_grid().labels, [4, 7, 0]);
    }

    #[test]
    fn both_grids_are_postprocessed() {
        let logits = [[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0]];
        let predicted = predicted("SAR", logits, vec![Correction::LargestComponent]);
        let expected = Labelled {
            labels: vec![4, 0, 0],
            changes: Changes {
                removed: 1,
                relabelled: 0,
            },
            plane: None,
        };
        assert_eq!(predicted.on_model_grid(), expected);
        assert_eq!(predicted.on_file_grid(), expected);
    }

    /// By hand: 7, 4 and 7 on the way to the right, where the scan runs; the model grid runs to the left. One of the two planes
    /// that are equally good comes first from either end.
    #[test]
    fn a_plane_lies_where_the_body_says() {
        let logits = [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 0.0, 2.0]];
        for (towards, of_scan) in [("R", [7, 4, 4]), ("L", [4, 4, 7])] {
            let cut = PlaneCut {
                labels: [7, 4],
                towards: towards.parse().unwrap(),
            };
            let predicted = predicted("SAL", logits, vec![Correction::PlaneCut(cut)]);
            assert_eq!(predicted.on_file_grid().labels, of_scan, "{towards}");
            let mut of_model = of_scan;
            of_model.reverse();
            assert_eq!(predicted.on_model_grid().labels, of_model, "{towards}");
        }
    }
}
