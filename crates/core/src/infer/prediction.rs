//! What a network says of a scan, and the label map that becomes of it.

use super::postprocess::{Changes, Postprocessing};
use super::seen::Seen;
use dinomed3d_volume::{LabelMap, MidPlane, ModelGrid, Orientation};

/// What a network says of a scan: the class of each voxel, on either grid; logits too, if they are asked for.
#[derive(Clone, Debug)]
pub struct Prediction {
    /// On the scan's own grid.
    pub(super) file_classes: LabelMap,
    /// `[slice, row, column]` of the model grid.
    pub(super) model_classes: Vec<u8>,
    /// The way from one grid to the other.
    pub grid: ModelGrid,
    /// Number of windows computed.
    pub windows: usize,
    /// Of the last look, where logits are kept.
    pub seen: Option<Seen>,
    /// Of the model grid, `[slice, row, column]`.
    pub(super) orientation: Orientation,
    pub(super) values: Vec<u8>,
    pub(super) postprocessing: Postprocessing,
    pub(super) sides: Vec<[u8; 2]>,
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
pub(super) fn labelled_on_file_grid(
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
    use crate::preprocess::Preprocessing;
    use dinomed3d_volume::{Affine, Labelling};

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
                labels: Labelling::whole(&grid, logits.as_flattened(), 3).unwrap(),
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
