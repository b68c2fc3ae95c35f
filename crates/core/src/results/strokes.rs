//! What learning from strokes is worth: a person who knows the reference is imitated, and Dice is taken after every stroke.

use super::predictor::Predictor;
use super::validation::read_case;
use super::{During, ResultsError};
use crate::infer::{InferError, Keep};
use crate::strokes::{Stroke, learn};
use crate::train::dataset::{HeldOut, RawCase};
use dinomed3d_volume::metrics::dice;
use dinomed3d_volume::{Affine, LabelMap};

/// Longest stroke.
const LENGTH_MM: f64 = 10.0;

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
        paint(labels, strokes.last().expect("a stroke was made"));
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

fn paint(labels: &mut [u8], stroke: &Stroke) {
    for voxel in &stroke.voxels {
        labels[*voxel as usize] = stroke.value;
    }
}

/// Over the labels that either map holds, as [`CaseScores::mean_dice`](dinomed3d_volume::evaluation::CaseScores::mean_dice).
fn mean_dice(predictor: &Predictor, labels: &[u8], reference: &LabelMap) -> f64 {
    let held = |value: &u8| labels.contains(value) || reference.labels.contains(value);
    let values = predictor.labels().iter().map(|label| label.value);
    let scores: Vec<f64> = values
        .filter(held)
        .map(|value| dice(labels, &reference.labels, value))
        .collect();
    scores.iter().sum::<f64>() / scores.len().max(1) as f64
}

/// A stroke a voxel wide in the largest part that has one label in the reference and others here, parts being connected by faces:
/// from the voxel deepest inside of it as far as it goes straight on within its slice, up to [`LENGTH_MM`]. None where nothing is
/// wrong.
fn next_stroke(labels: &[u8], reference: &LabelMap) -> Option<Stroke> {
    let shape = reference.shape;
    let is_wrong = |voxel: usize| labels[voxel] != reference.labels[voxel];
    let mut part_of = vec![0u32; labels.len()];
    let mut largest: Vec<usize> = Vec::new();
    let mut parts = 0;
    for start in 0..labels.len() {
        if !is_wrong(start) || part_of[start] != 0 {
            continue;
        }
        parts += 1;
        let value = reference.labels[start];
        let mut part = vec![start];
        part_of[start] = parts;
        let mut passed = 0;
        while passed < part.len() {
            for next in beside(part[passed], shape).into_iter().flatten() {
                if part_of[next] == 0 && is_wrong(next) && reference.labels[next] == value {
                    part_of[next] = parts;
                    part.push(next);
                }
            }
            passed += 1;
        }
        if part.len() > largest.len() {
            largest = part;
        }
    }
    let start = *largest.first()?;
    let number = part_of[start];
    let is_part = |voxel: usize| part_of[voxel] == number;
    let middle = deepest(&largest, shape, is_part);
    Some(Stroke {
        value: reference.labels[start],
        voxels: line(middle, shape, &reference.affine, is_part),
    })
}

/// Neighbours by faces; none beyond the edge.
fn beside(voxel: usize, [slices, rows, columns]: [usize; 3]) -> [Option<usize>; 6] {
    let [z, y, x] = place(voxel, [slices, rows, columns]);
    let plane = rows * columns;
    [
        (z > 0).then(|| voxel - plane),
        (z + 1 < slices).then(|| voxel + plane),
        (y > 0).then(|| voxel - columns),
        (y + 1 < rows).then(|| voxel + columns),
        (x > 0).then(|| voxel - 1),
        (x + 1 < columns).then(|| voxel + 1),
    ]
}

fn place(voxel: usize, [_, rows, columns]: [usize; 3]) -> [usize; 3] {
    [
        voxel / (rows * columns),
        voxel / columns % rows,
        voxel % columns,
    ]
}

/// The voxel of a part that is most steps away from what is not of it; of equals the one nearest to the part's middle.
fn deepest(part: &[usize], shape: [usize; 3], is_part: impl Fn(usize) -> bool) -> usize {
    let mut layer: Vec<usize> = part.to_vec();
    let mut inside: std::collections::HashSet<usize> = part.iter().copied().collect();
    debug_assert!(part.iter().all(|voxel| is_part(*voxel)));
    loop {
        let inner: Vec<usize> = layer
            .iter()
            .copied()
            .filter(|voxel| {
                let mut around = beside(*voxel, shape).into_iter();
                around.all(|next| next.is_none_or(|next| inside.contains(&next)))
            })
            .collect();
        if inner.is_empty() || inner.len() == layer.len() {
            break;
        }
        inside = inner.iter().copied().collect();
        layer = inner;
    }
    let places = part.iter().map(|voxel| place(*voxel, shape));
    let sum = places.fold([0usize; 3], |sum, at| {
        [0, 1, 2].map(|axis| sum[axis] + at[axis])
    });
    let middle = sum.map(|sum| sum as f64 / part.len() as f64);
    let apart = |voxel: &usize| {
        let at = place(*voxel, shape);
        (0..3)
            .map(|axis| (at[axis] as f64 - middle[axis]).powi(2))
            .sum::<f64>()
    };
    let nearest = layer
        .into_iter()
        .min_by(|a, b| apart(a).total_cmp(&apart(b)));
    nearest.expect("a part has a voxel")
}

/// The longest straight way through a voxel within its slice and what `is_part`, in one of eight directions.
fn line(
    middle: usize,
    shape: [usize; 3],
    affine: &Affine,
    is_part: impl Fn(usize) -> bool,
) -> Vec<u32> {
    let [_, rows, columns] = shape;
    let [z, y, x] = place(middle, shape);
    let [x_mm, y_mm, _] = affine.spacing_mm();
    let way = |[dy, dx]: [f64; 2]| {
        let mut voxels = vec![middle as u32];
        let step_mm = (dy * y_mm).hypot(dx * x_mm);
        let steps = (LENGTH_MM / 2.0 / step_mm) as i32;
        for towards in [-1.0, 1.0] {
            for step in 1..=steps {
                let along = towards * f64::from(step);
                let (row, column) = (y as f64 + along * dy, x as f64 + along * dx);
                let (row, column) = (row.round(), column.round());
                let is_inside =
                    (0.0..rows as f64).contains(&row) && (0.0..columns as f64).contains(&column);
                if !is_inside {
                    break;
                }
                let voxel = (z * rows + row as usize) * columns + column as usize;
                if !is_part(voxel) {
                    break;
                }
                voxels.push(voxel as u32);
            }
        }
        voxels.sort_unstable();
        voxels.dedup();
        voxels
    };
    let ways = [
        [0.0, 1.0],
        [1.0, 0.0],
        [1.0, 1.0],
        [1.0, -1.0],
        [0.5, 1.0],
        [1.0, 0.5],
        [0.5, -1.0],
        [1.0, -0.5],
    ];
    // The first of equals.
    let longer = |best: Vec<u32>, next: Vec<u32>| if next.len() > best.len() { next } else { best };
    ways.map(way).into_iter().fold(Vec::new(), longer)
}
