//! What learning from strokes is worth: a person who knows the reference is imitated, and Dice is taken after every stroke.

mod person;

use super::predictor::Predictor;
use super::validation::read_case;
use super::{During, ResultsError};
use crate::infer::{InferError, Keep};
use crate::strokes::{Stroke, learn};
use crate::train::dataset::{HeldOut, RawCase};
use dinomed3d_volume::LabelMap;
use dinomed3d_volume::metrics::dice;
use dinomed3d_volume::statistics::mean;
use person::next_stroke;

/// Mean Dice of a case after each number of strokes, none first.
#[derive(Clone, Debug, PartialEq)]
pub struct StrokedCase {
    /// Its name.
    pub name: String,
    /// With nothing but the strokes painted.
    pub painted: Vec<f64>,
    /// With the network's last layers learning from all strokes so far after each.
    pub learnt: Vec<f64>,
    /// Voxels that all strokes of the latter hold.
    pub voxels: usize,
}

/// What is done with cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// They are segmented, to find the worst.
    Scoring,
    /// They get their strokes.
    Mending,
}

/// Makes so many strokes in each of the `worst` cases with the lowest mean Dice, worst first, one after the other in the largest wrong
/// part that is left; `progress` is told what it does, its number from 1 and of how many.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn stroke_worst(
    predictor: &Predictor,
    cases: &HeldOut,
    worst: usize,
    strokes: usize,
    mut progress: impl FnMut(Step, usize, usize),
) -> Result<Vec<StrokedCase>, ResultsError> {
    let names = cases.names();
    let mut places = Vec::new();
    for (place, name) in names.iter().enumerate() {
        progress(Step::Scoring, place + 1, names.len());
        let case = read_case(cases, place)?;
        let prediction = predictor.predict(&case.channels, Keep::Nothing);
        let prediction = prediction.during(|| format!("segmenting {name}"))?;
        let labels = prediction.on_file_grid().labels;
        places.push((mean_dice(predictor, &labels, &case.reference), place));
    }
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    places.truncate(worst);
    let mut stroked = Vec::new();
    for (number, (_, place)) in places.iter().enumerate() {
        progress(Step::Mending, number + 1, places.len());
        let case = read_case(cases, *place)?;
        let name = names[*place].clone();
        let of_case = stroke_case(predictor, &case, strokes);
        let (painted, learnt, voxels) = of_case.during(|| format!("mending {name}"))?;
        stroked.push(StrokedCase {
            name,
            painted,
            learnt,
            voxels,
        });
    }
    Ok(stroked)
}

fn stroke_case(
    predictor: &Predictor,
    case: &RawCase,
    strokes: usize,
) -> Result<(Vec<f64>, Vec<f64>, usize), InferError> {
    let scan = &case.channels[0];
    let prediction = predictor.predict(&case.channels, Keep::Logits)?;
    let seen = prediction.seen.as_ref().expect("logits were to be kept");
    let found = prediction.on_file_grid().labels;
    let features = predictor.features(seen)?;
    let (painted, _) = stroke_map(predictor, case, &found, strokes, |labels, strokes| {
        strokes.last().expect("a stroke was made").paint(labels);
        Ok(())
    })?;
    let (learnt, made) = stroke_map(predictor, case, &found, strokes, |labels, strokes| {
        let pipeline = predictor.pipeline();
        *labels = learn(&features, pipeline, seen, strokes, scan.shape, &scan.affine)?;
        Ok(())
    })?;
    Ok((painted, learnt, made.iter().map(|s| s.voxels.len()).sum()))
}

/// Mean Dice after each number of strokes, each followed by `mend`, and the strokes.
fn stroke_map(
    predictor: &Predictor,
    case: &RawCase,
    found: &[u8],
    strokes: usize,
    mut mend: impl FnMut(&mut Vec<u8>, &[Stroke]) -> Result<(), InferError>,
) -> Result<(Vec<f64>, Vec<Stroke>), InferError> {
    let mut labels = found.to_vec();
    let mut scores = vec![mean_dice(predictor, &labels, &case.reference)];
    let mut made = Vec::new();
    for _ in 0..strokes {
        if let Some(stroke) = next_stroke(&labels, &case.reference) {
            made.push(stroke);
            mend(&mut labels, &made)?;
        }
        scores.push(mean_dice(predictor, &labels, &case.reference));
    }
    Ok((scores, made))
}

/// Over the labels that either map holds, as [`CaseScores::mean_dice`](dinomed3d_volume::evaluation::CaseScores::mean_dice).
fn mean_dice(predictor: &Predictor, labels: &[u8], reference: &LabelMap) -> f64 {
    let held = |value: &u8| labels.contains(value) || reference.labels.contains(value);
    let values = predictor.labels().iter().map(|label| label.value);
    let scores = values
        .filter(held)
        .map(|value| dice(labels, &reference.labels, value));
    mean(scores).unwrap_or(0.0)
}
