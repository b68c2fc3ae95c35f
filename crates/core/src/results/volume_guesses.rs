//! How far a model's volumes are from the true ones, as often as its own doubt says: by which its intervals are made true.
//!
//! Source: split conformal prediction with a normalised score, Lei et al. 2018, "Distribution-free predictive inference for
//! regression", section 5.2; it holds for any distribution, where cases are drawn alike.

use super::predictor::Predictor;
use crate::infer::{InferError, Prediction, Seen};
use crate::manifest::{LabelTimes, VolumeCalibration};
use crate::train::dataset::RawCase;
use dinomed3d_volume::Affine;

/// In which share of cases intervals are to hold the true volume.
const COVERAGE: f64 = 0.9;

/// What a model says of a case's volumes, and what they are.
#[derive(Debug)]
pub struct CaseGuess {
    /// Of each class: its value, and the difference from the true volume in voxels.
    apart: Vec<(u8, f64)>,
    seen: Seen,
    affine: Affine,
    shape: [usize; 3],
}

impl CaseGuess {
    /// Of a case, of which there is a prediction that keeps logits.
    ///
    /// # Panics
    /// If none were kept.
    pub fn of(predictor: &Predictor, prediction: &Prediction, case: &RawCase) -> Self {
        // Halves that the network does not tell apart are one, as the reference may have them.
        let count = |labels: &[u8]| {
            let mut counts = vec![0.0f64; predictor.num_classes()];
            for label in labels {
                counts[usize::from(predictor.class_of(*label))] += 1.0;
            }
            counts
        };
        let found = count(&prediction.on_file_grid().labels);
        let truth = count(&case.reference.labels);
        let classes = predictor.values().iter().zip(found).zip(truth).skip(1);
        Self {
            apart: classes
                .filter(|((_, found), truth)| found + truth > 0.0)
                .map(|((value, found), truth)| (*value, (found - truth).abs()))
                .collect(),
            seen: prediction.seen.clone().expect("logits were to be kept"),
            affine: case.reference.affine,
            shape: case.reference.shape,
        }
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.seen.bytes()
    }

    /// Of each label, how many times its doubt its volume is wrong by, at a temperature.
    fn times(self, temperature: f64) -> Result<Vec<(u8, f64)>, InferError> {
        let seen = self.seen.at_temperature(temperature as f32);
        let doubt = seen.doubt(&self.affine, self.shape)?;
        let times = |(value, apart): &(u8, f64)| {
            // A label without a doubt that is wrong has no interval that is right.
            let times = apart / doubt[usize::from(*value)].max(f64::MIN_POSITIVE);
            (*value, times)
        };
        Ok(self.apart.iter().map(times).collect())
    }
}

/// The intervals that held the true volume in as many cases as they should; none where there are too few cases.
///
/// # Errors
/// Logits that do not fill a case's grid.
pub fn calibrated(
    guesses: Vec<CaseGuess>,
    temperature: f64,
) -> Result<Option<VolumeCalibration>, InferError> {
    let mut of_label: Vec<Vec<f64>> = vec![Vec::new(); 256];
    for guess in guesses {
        for (value, times) in guess.times(temperature)? {
            of_label[usize::from(value)].push(times);
        }
    }
    let labels: Vec<LabelTimes> = of_label
        .into_iter()
        .enumerate()
        .filter_map(|(value, times)| {
            let cases = times.len();
            let times = bound(times, COVERAGE).filter(|times| times.is_finite())?;
            Some(LabelTimes {
                value: value as u8,
                times,
                cases,
            })
        })
        .collect();
    Ok((!labels.is_empty()).then_some(VolumeCalibration {
        coverage: COVERAGE,
        labels,
    }))
}

/// What the score of one more case is at most, in so many of all; none where there are too few.
fn bound(mut scores: Vec<f64>, coverage: f64) -> Option<f64> {
    scores.sort_by(f64::total_cmp);
    let place = ((scores.len() + 1) as f64 * coverage - 1e-9).ceil() as usize;
    scores.get(place.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::random::SplitMix64;

    /// By hand: of nine cases the largest score is at most exceeded by one in ten.
    #[test]
    fn as_many_cases_as_the_coverage_needs() {
        let scores = |count: usize| (1..=count).map(|i| i as f64).collect::<Vec<_>>();
        assert_eq!(bound(scores(8), 0.9), None);
        assert_eq!(bound(scores(9), 0.9), Some(9.0));
        assert_eq!(bound(scores(19), 0.9), Some(18.0));
        assert_eq!(bound(Vec::new(), 0.9), None);
    }

    /// Whatever the scores' distribution, the next one is below the bound as often as was asked for.
    #[test]
    fn the_next_case_is_within_as_often_as_was_asked_for() {
        let mut random = SplitMix64::new(11);
        let mut draw = || random.next_f64().powi(5);
        let trials = 4000;
        let within = (0..trials)
            .filter(|_| {
                let bound = bound((0..29).map(|_| draw()).collect(), 0.9).expect("29 are enough");
                draw() <= bound
            })
            .count();
        let share = within as f64 / f64::from(trials);
        assert!((0.88..0.92).contains(&share), "{share}");
    }
}
