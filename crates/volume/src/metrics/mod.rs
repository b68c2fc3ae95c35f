//! How well a label map agrees with its reference: overlap, surface distances in mm, volumes in mL.

mod dice;
mod reliability;
mod surface;

pub use dice::{dice, dice_where};
pub use reliability::{Reliability, ReliabilityBin};
pub use surface::SurfaceDistances;

use serde::Serialize;

use crate::{Affine, LabelMap};

/// Which of two label maps holds a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// Prediction and reference.
    Both,
    /// The reference alone: it was missed.
    Reference,
    /// The prediction alone: it was invented.
    Prediction,
    /// It is absent from both.
    Neither,
}

impl Presence {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Reference => "reference",
            Self::Prediction => "prediction",
            Self::Neither => "neither",
        }
    }
}

/// Agreement of one label in one case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelScore {
    /// The label.
    pub label: u8,
    /// Where the label is; but for both there is no distance, as there is none to nothing.
    pub present_in: Presence,
    /// Dice coefficient; none if the label is absent from both maps while they hold others, as nothing is said of it
    /// then. Where neither map holds any label there was nothing to find and nothing was found: 1.
    pub dice: Option<f64>,
    /// 95th percentile of the surface distances in mm; none if the label is absent from either.
    pub hd95_mm: Option<f64>,
    /// Largest surface distance in mm; none if the label is absent from either.
    pub hd_mm: Option<f64>,
    /// Average symmetric surface distance in mm; none if the label is absent from either.
    pub assd_mm: Option<f64>,
    /// Volume in the prediction, mL.
    pub prediction_ml: f64,
    /// Volume in the reference, mL.
    pub reference_ml: f64,
}

/// Why two label maps can't be compared.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// Voxel counts differ.
    #[error("the prediction's shape (z, y, x) is {prediction:?}, the reference's {reference:?}")]
    Shape {
        /// `[z, y, x]` of the prediction.
        prediction: [usize; 3],
        /// `[z, y, x]` of the reference.
        reference: [usize; 3],
    },
    /// The same voxels lie elsewhere in the world.
    #[error(
        "the grids lie up to {apart_mm} mm apart (expected: at most {allowed_mm} mm): the prediction's affine is {prediction:?}, the reference's {reference:?}"
    )]
    Affine {
        /// Largest distance between the same corner of both grids.
        apart_mm: f64,
        /// Largest that passes.
        allowed_mm: f64,
        /// First three rows of the prediction's affine.
        prediction: Box<[[f64; 4]; 3]>,
        /// First three rows of the reference's affine.
        reference: Box<[[f64; 4]; 3]>,
    },
}

/// Scores every label of `labels` in one case, on the file grid.
///
/// The spacing along each axis is the length of the affine's column; in a sheared grid distances are those of the
/// grid with right angles, as medpy's.
///
/// # Errors
/// [`MetricsError`] if the two grids differ: in shape, or by more than a hundredth of a voxel in the world.
pub fn evaluate_case(
    prediction: &LabelMap,
    reference: &LabelMap,
    labels: &[u8],
) -> Result<Vec<LabelScore>, MetricsError> {
    check_grids(prediction, reference)?;
    let [x, y, z] = reference.affine.spacing_mm();
    let voxel_ml = reference.affine.voxel_volume_ml();
    let (predicted, wanted) = (&prediction.labels, &reference.labels);
    let is_empty = predicted.iter().chain(wanted).all(|&label| label == 0);
    let score = |&label: &u8| {
        let overlap = dice::Overlap::of(predicted, wanted, label);
        let surface = SurfaceDistances::measure(
            |i| predicted[i] == label,
            |i| wanted[i] == label,
            reference.shape,
            [z, y, x],
        );
        LabelScore {
            label,
            present_in: overlap.presence(),
            dice: (is_empty || overlap.presence() != Presence::Neither).then(|| overlap.dice()),
            hd95_mm: surface.as_ref().map(SurfaceDistances::hd95),
            hd_mm: surface.as_ref().map(SurfaceDistances::hd),
            assd_mm: surface.as_ref().map(SurfaceDistances::assd),
            prediction_ml: overlap.prediction as f64 * voxel_ml,
            reference_ml: overlap.reference as f64 * voxel_ml,
        }
    };
    Ok(labels.iter().map(score).collect())
}

fn check_grids(prediction: &LabelMap, reference: &LabelMap) -> Result<(), MetricsError> {
    if prediction.shape != reference.shape {
        return Err(MetricsError::Shape {
            prediction: prediction.shape,
            reference: reference.shape,
        });
    }
    let apart_mm = prediction
        .affine
        .corners_apart_mm(&reference.affine, reference.shape);
    let allowed_mm = reference.affine.tolerance_mm();
    // Not a number is not near.
    if apart_mm.is_nan() || apart_mm > allowed_mm {
        let rows = |Affine([x, y, z, _]): Affine| Box::new([x, y, z]);
        return Err(MetricsError::Affine {
            apart_mm,
            allowed_mm,
            prediction: rows(prediction.affine),
            reference: rows(reference.affine),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(labels: &[u8]) -> LabelMap {
        LabelMap {
            labels: labels.to_vec(),
            shape: [1, 2, 4],
            affine: Affine::from_spacing_mm([2.0, 5.0, 10.0]),
        }
    }

    /// By hand: 100 mm³ per voxel, so 0.1 mL.
    #[test]
    fn a_case_is_scored_per_label_in_mm_and_ml() {
        let prediction = map(&[1, 1, 0, 0, 0, 0, 0, 2]);
        let reference = map(&[1, 0, 0, 0, 0, 0, 0, 0]);
        let scores = evaluate_case(&prediction, &reference, &[1, 2, 3]).unwrap();
        assert!((scores[0].dice.unwrap() - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(scores[0].hd_mm, Some(2.0));
        // Distances 0 and 2 one way, 0 the other.
        assert_eq!(scores[0].assd_mm, Some(2.0 / 3.0));
        assert!((scores[0].prediction_ml - 0.2).abs() < 1e-12);
        assert!((scores[0].reference_ml - 0.1).abs() < 1e-12);
        assert_eq!((scores[1].dice, scores[1].hd95_mm), (Some(0.0), None));
        assert_eq!((scores[2].dice, scores[2].hd95_mm), (None, None));
        let present_in: Vec<Presence> = scores.iter().map(|score| score.present_in).collect();
        let expected = [Presence::Both, Presence::Prediction, Presence::Neither];
        assert_eq!(present_in, expected);
        let missed = &evaluate_case(&map(&[0; 8]), &reference, &[1]).unwrap()[0];
        assert_eq!(
            (missed.present_in, missed.dice),
            (Presence::Reference, Some(0.0))
        );
    }

    #[test]
    fn nothing_found_where_nothing_is_is_right() {
        let scores = evaluate_case(&map(&[0; 8]), &map(&[0; 8]), &[1]).unwrap();
        assert_eq!((scores[0].dice, scores[0].hd95_mm), (Some(1.0), None));
        assert_eq!(scores[0].present_in, Presence::Neither);
    }

    #[test]
    fn grids_must_agree_but_not_to_the_last_digit() {
        let reference = map(&[0; 8]);
        let mut near = reference.clone();
        near.affine.0[0][3] += 0.01;
        assert!(evaluate_case(&near, &reference, &[1]).is_ok());
        let mut far = reference.clone();
        far.affine.0[0][3] += 0.1;
        let error = evaluate_case(&far, &reference, &[1]).unwrap_err();
        assert!(matches!(error, MetricsError::Affine { .. }), "{error}");
        far.affine.0[0][3] = f64::NAN;
        assert!(evaluate_case(&far, &reference, &[1]).is_err());
        let mut other = reference.clone();
        other.shape = [2, 2, 2];
        let error = evaluate_case(&other, &reference, &[1]).unwrap_err();
        assert!(matches!(error, MetricsError::Shape { .. }), "{error}");
    }
}
