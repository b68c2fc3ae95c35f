//! All of a model but its network: from a scan to windows, and from their logits to a label map.

use super::InferError;
use super::postprocess::{Changes, Postprocessing};
use super::predict::{Windowing, predict};
use crate::preprocess::Preprocessing;
use burn::tensor::{Device, Tensor};
use dinomed3d_volume::{Affine, LabelMap, MidPlane, ModelGrid};
use dinomed3d_volume::{Orientation, Volume};

/// How a scan comes to a network and its answer back.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Names of the scan's channels, in order.
    pub channels: Vec<String>,
    /// How a scan becomes the network's input.
    pub preprocessing: Preprocessing,
    /// How that is cut into windows.
    pub windowing: Windowing,
    /// Value of each class in a label map, background first.
    pub values: Vec<u8>,
    /// What is done to a label map of classes.
    pub postprocessing: Postprocessing,
    /// Values that stand for both sides of the body, and what they become on the right.
    pub sides: Vec<[u8; 2]>,
}

/// What a network says of a scan.
#[derive(Clone, Debug)]
pub struct Scored {
    /// Logits `[class, slice, row, column]` on the model grid, flattened.
    scores: Vec<f32>,
    /// The way back to the scan's grid.
    pub grid: ModelGrid,
    /// Of the model grid, `[slice, row, column]`.
    orientation: Orientation,
    file: FileGrid,
    values: Vec<u8>,
    postprocessing: Postprocessing,
    sides: Vec<[u8; 2]>,
}

/// Of the scan, `[z, y, x]`.
#[derive(Clone, Copy, Debug)]
struct FileGrid {
    shape: [usize; 3],
    affine: Affine,
}

/// A label map and what was done to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// One label per voxel.
    pub labels: Vec<u8>,
    /// By the postprocessing.
    pub changes: Changes,
}

impl Pipeline {
    /// Scores every voxel of a scan, given its channels in order and on one grid; `score` is that of
    /// [`predict`].
    ///
    /// # Errors
    /// [`InferError::Channels`] for another number of channels, [`InferError::Preprocess`] for a scan that cannot be
    /// prepared (empty, constant), and those of [`predict`].
    pub async fn score(
        &self,
        channels: &[Volume],
        device: &Device,
        score: impl AsyncFnMut(Tensor<5>, usize, usize) -> Result<Vec<f32>, InferError>,
    ) -> Result<Scored, InferError> {
        if channels.len() != self.channels.len() {
            return Err(InferError::Channels {
                found: channels.len(),
                expected: self.channels.clone(),
            });
        }
        let prepared = self.preprocessing.apply(channels)?;
        let scores = predict(
            self.values.len(),
            &prepared.voxels,
            prepared.shape,
            self.windowing,
            device,
            score,
        )
        .await?;
        Ok(Scored {
            scores,
            grid: prepared.grid,
            orientation: self.preprocessing.orientation,
            file: FileGrid {
                shape: channels[0].shape,
                affine: channels[0].affine,
            },
            values: self.values.clone(),
            postprocessing: self.postprocessing.clone(),
            sides: self.sides.clone(),
        })
    }
}

impl Scored {
    /// On the scan's own grid, `[z, y, x]`.
    ///
    /// # Errors
    /// [`InferError::Preprocess`] for a score that is not finite.
    pub fn on_file_grid(&self) -> Result<Labelled, InferError> {
        let classes = self
            .grid
            .scores_to_labels(&self.scores, self.values.len())?;
        let FileGrid { shape, affine } = self.file;
        let Labelled { labels, changes } =
            self.labelled(classes, shape, affine.orientation().reversed());
        let mut map = LabelMap {
            labels,
            shape,
            affine,
        };
        part_sides(&mut map, &self.sides);
        Ok(Labelled {
            labels: map.labels,
            changes,
        })
    }

    /// On the model grid, `[slice, row, column]`: the class with the highest score, the lower one of equals.
    pub fn on_model_grid(&self) -> Labelled {
        let voxels = self.scores.len() / self.values.len();
        let best_class = |voxel: usize| {
            let score = |class: usize| self.scores[class * voxels + voxel];
            let best = (1..self.values.len()).fold(0, |best, class| {
                if score(class) > score(best) {
                    class
                } else {
                    best
                }
            });
            best as u8
        };
        let classes = (0..voxels).map(best_class).collect();
        self.labelled(classes, self.grid.shape(), self.orientation)
    }

    fn labelled(&self, classes: Vec<u8>, shape: [usize; 3], orientation: Orientation) -> Labelled {
        let mut labels = classes;
        for class in &mut labels {
            *class = self.values[usize::from(*class)];
        }
        let changes = self.postprocessing.apply(&mut labels, shape, orientation);
        Labelled { labels, changes }
    }
}

/// Parts left from right where a model answers without a side; a map without a structure of two sides stays as it is.
fn part_sides(map: &mut LabelMap, sides: &[[u8; 2]]) {
    let both: Vec<u8> = sides.iter().map(|[left, _]| *left).collect();
    if let Some(plane) = MidPlane::fit(map, &both) {
        plane.part(map, sides);
    }
}

#[cfg(test)]
mod tests {
    use super::super::postprocess::{Correction, PlaneCut};
    use super::*;
    use dinomed3d_volume::Affine;

    /// Scores of three voxels along x, of classes of values 0, 4 and 7.
    fn scored(orientation: &str, scores: [[f32; 3]; 3], postprocessing: Vec<Correction>) -> Scored {
        let preprocessing: Preprocessing = serde_json::from_value(serde_json::json!({
            "orientation": orientation,
            "intensity": {"kind": "percentile-z-score", "lowPercent": 0, "highPercent": 100}
        }))
        .unwrap();
        let affine = Affine::from_spacing_mm([1.0; 3]);
        Scored {
            scores: scores.concat(),
            grid: preprocessing.grid([1, 1, 3], &affine).unwrap(),
            orientation: preprocessing.orientation,
            file: FileGrid {
                shape: [1, 1, 3],
                affine,
            },
            values: vec![0, 4, 7],
            postprocessing: Postprocessing(postprocessing),
            sides: Vec::new(),
        }
    }

    /// By hand; the first voxel's highest score is shared.
    #[test]
    fn the_highest_score_wins_and_the_lower_class_of_equals() {
        let scores = [[0.0, 0.1, 0.5], [2.0, 0.2, 0.1], [2.0, 0.3, 0.1]];
        let scored = scored("SAR", scores, vec![]);
        assert_eq!(scored.on_model_grid().labels, [4, 7, 0]);
        assert_eq!(scored.on_file_grid().unwrap().labels, [4, 7, 0]);
    }

    #[test]
    fn both_grids_are_postprocessed() {
        let scores = [[0.0, 1.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 2.0]];
        let scored = scored("SAR", scores, vec![Correction::LargestComponent]);
        let expected = Labelled {
            labels: vec![4, 0, 0],
            changes: Changes {
                removed: 1,
                relabelled: 0,
            },
        };
        assert_eq!(scored.on_model_grid(), expected);
        assert_eq!(scored.on_file_grid().unwrap(), expected);
    }

    /// By hand: 7, 4 and 7 on the way to the right, where the scan runs; the model grid runs to the left. One of the two planes
    /// that are equally good comes first from either end.
    #[test]
    fn a_plane_lies_where_the_body_says() {
        let scores = [[0.0, 0.0, 0.0], [0.0, 2.0, 0.0], [2.0, 0.0, 2.0]];
        for (towards, of_scan) in [("R", [7, 4, 4]), ("L", [4, 4, 7])] {
            let cut = PlaneCut {
                labels: [7, 4],
                towards: towards.parse().unwrap(),
            };
            let scored = scored("SAL", scores, vec![Correction::PlaneCut(cut)]);
            assert_eq!(scored.on_file_grid().unwrap().labels, of_scan, "{towards}");
            let mut of_model = of_scan;
            of_model.reverse();
            assert_eq!(scored.on_model_grid().labels, of_model, "{towards}");
        }
    }
}
