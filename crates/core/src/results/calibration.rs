//! How sure a model's answers are, made true on cases that it did not learn from.
//!
//! One number, the temperature, divides all logits: it changes no label, only how probable each calls itself.
//! Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2.

use super::ResultsError;
use super::answers::Answers;
use super::predictor::Predictor;
use super::validation::predict_each;
use super::volume_guesses::{CaseGuess, calibrated};
use crate::infer::Keep;
use crate::manifest::Calibration;
use crate::train::dataset::HeldOut;

/// Of logits that are held for the intervals of volumes.
const MOST_HELD_BYTES: usize = 2 << 30;

/// The temperature at which the reference of `cases` is most probable to a model, and how often its answers are right by how
/// sure they are then; none of a model that labels nothing in any. Counted are voxels that the model labels and their
/// neighbours: of background there is any amount, and a choice by the reference would flatter or slander. `progress` is told
/// before each case its number, from 1, and of how many.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn calibrate(
    predictor: &Predictor,
    cases: &HeldOut,
    progress: impl FnMut(usize, usize),
) -> Result<Option<Calibration>, ResultsError> {
    let names = cases.names();
    let mut answers = Answers::of(predictor, names.len());
    let mut guesses = Vec::new();
    let mut held_bytes = 0;
    predict_each(
        predictor,
        cases,
        Keep::Logits,
        progress,
        |_, case, prediction| {
            // Until the temperature is known all of a case's logits are held: of cases that are too many, the first.
            if held_bytes < MOST_HELD_BYTES {
                let guess = CaseGuess::of(predictor, prediction, case);
                held_bytes += guess.bytes();
                guesses.push(guess);
            }
            Ok(answers.add(predictor, prediction, case)?)
        },
    )?;
    let Some(uncalibrated) = answers.reliability(1.0) else {
        return Ok(None);
    };
    let temperature = answers.best_temperature();
    let volumes = calibrated(guesses, temperature)?;
    Ok(answers
        .reliability(temperature)
        .map(|reliability| Calibration {
            temperature,
            cases: names.len(),
            uncalibrated_error: uncalibrated.expected_error(),
            reliability,
            volumes,
        }))
}
