//! On which grid, and with which spacing, label maps are compared.

use crate::metrics::{LabelScore, MetricsError, evaluate_case};
use crate::{Affine, LabelMap, ModelGrid};
use serde::Serialize;

/// How a case is compared with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// On the file's own grid, in the world's millimetres.
    Native,
    /// As the paper's authors do: on the model's resized grid, each of its voxels counted as 1 mm × 1 mm × 1 mm.
    Paper,
}

impl Convention {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Paper => "paper",
        }
    }

    /// One sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Native => {
                "Compared on each file's own grid; distances in mm and volumes in mL of the world."
            }
            Self::Paper => {
                "Compared as the paper does: on the model's resized grid, each voxel counted as a cube of 1 mm, so not in the world's mm and mL."
            }
        }
    }
}

/// Scores two label maps on the model grid with unit spacing.
///
/// # Shapes
/// Both are `[slice, row, column]` of `grid`.
///
/// # Errors
/// None that a grid of its own could cause.
///
/// Source: the release of the paper, whose scores are computed on the resized grid with 1 mm spacing.
pub fn score_as_paper(
    prediction: Vec<u8>,
    reference: Vec<u8>,
    grid: &ModelGrid,
    labels: &[u8],
) -> Result<Vec<LabelScore>, MetricsError> {
    let map = |labels| LabelMap {
        labels,
        shape: grid.shape(),
        affine: Affine::from_spacing_mm([1.0; 3]),
    };
    evaluate_case(&map(prediction), &map(reference), labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand. Voxels of x 1, y 1, z 3 mm: the prediction is the reference and one voxel more along z, so the surface
    /// distances are 0, 0 and one of 3 mm; HD95 of 0, 0, 3 lies at 1.9 of 2, at 2.7 mm. On a grid of 1 mm each voxel
    /// becomes three along z: reference 3, prediction 6, Dice 2·3/9 as on the file's grid, distances six zeros and
    /// 1, 2, 3; HD95 at 7.6 of 8, at 2.6 mm. Without resampling, unit spacing makes 3 mm to 1: HD95 0.9.
    #[test]
    fn the_conventions_differ_on_long_voxels() {
        let affine = Affine::from_spacing_mm([1.0, 1.0, 3.0]);
        let map = |labels: [u8; 4]| LabelMap {
            labels: labels.to_vec(),
            shape: [4, 1, 1],
            affine,
        };
        let (prediction, reference) = (map([0, 1, 1, 0]), map([0, 1, 0, 0]));
        let native = evaluate_case(&prediction, &reference, &[1]).unwrap();
        let paper = |spacing: Option<[f64; 3]>| {
            let orientation = "SPL".parse().unwrap();
            let grid = ModelGrid::new([4, 1, 1], &affine, orientation, spacing).unwrap();
            let on_grid = |map: &LabelMap| grid.labels_to_model(&map.labels);
            let scores =
                score_as_paper(on_grid(&prediction), on_grid(&reference), &grid, &[1]).unwrap();
            scores[0].clone()
        };
        let near = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs() < 1e-12;
        assert!(near(native[0].hd95_mm, 2.7));
        assert!(near(native[0].assd_mm, 1.0));
        assert!((native[0].reference_ml - 0.003).abs() < 1e-12);

        let resized = paper(Some([1.0; 3]));
        assert_eq!(resized.dice, native[0].dice);
        assert!(near(resized.hd95_mm, 2.6), "{resized:?}");
        assert!(near(resized.assd_mm, 6.0 / 9.0));

        let unit = paper(None);
        assert!(near(unit.hd95_mm, 0.9));
        assert!(near(unit.assd_mm, 1.0 / 3.0));
        assert!((unit.reference_ml - 0.001).abs() < 1e-12);
    }
}
