//! Slices in order: where they lie along their normal, how many volumes they make, and the grid they are on.

use super::error::DicomError;
use super::header::{Place, Slice, dot};
use crate::Affine;

/// Slices nearer than this along their normal lie at one place.
pub(super) const SAME_PLACE_MM: f64 = 1e-3;

/// Distances that differ by less than this share of them are equal.
const SAME_GAP: f64 = 0.01;

/// Files round positions to so much, which is more than that share of thin slices.
const ROUNDED_MM: f64 = 0.01;

/// Directions and distances that differ by less are those of one series.
const SAME_DIRECTION: f64 = 1e-4;
const SAME_SPACING_MM: f64 = 1e-4;
const SAME_THICKNESS_MM: f64 = 1e-2;

/// Slices of one orientation and spacing as a grid.
#[derive(Debug, Clone)]
pub(super) struct Stack {
    /// Of each volume the indices of its slices, along the normal.
    pub volumes: Vec<Vec<usize>>,
    /// Of slices straight behind each other: where the stack leans, of the first one only.
    pub affine: Affine,
    /// Where the stack leans.
    pub tilt: Option<Tilt>,
}

/// A stack that leans.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tilt {
    /// From slice to slice, in columns and in rows.
    pub pixels: [f64; 2],
    pub degrees: f64,
}

impl Stack {
    /// Of at least one slice, all of one orientation, size and spacing.
    pub(super) fn new(slices: &[Slice], modality: &str) -> Result<Self, DicomError> {
        let (places, [between_rows, between_columns]) = located(slices, modality)?;
        let normal = places[0].normal();
        let along = |i: usize| dot(places[i].position, normal);
        let mut order: Vec<usize> = (0..slices.len()).collect();
        order.sort_by(|&a, &b| along(a).total_cmp(&along(b)));
        let mut at_places: Vec<Vec<usize>> = Vec::new();
        for i in order {
            match at_places.last_mut() {
                Some(here) if along(i) - along(here[0]) < SAME_PLACE_MM => here.push(i),
                _ => at_places.push(vec![i]),
            }
        }
        for here in &mut at_places {
            here.sort_by(|&a, &b| {
                let key = |i: usize| (slices[i].temporal, slices[i].instance, slices[i].frame);
                let echoes = slices[a].echo_ms.total_cmp(&slices[b].echo_ms);
                echoes.then(key(a).cmp(&key(b)))
            });
        }
        if at_places.len() == 1 && slices.len() > 1 {
            return Err(DicomError::OnePlace {
                slices: slices.len(),
                position_mm: places[0].position,
            });
        }
        let counts = at_places.iter().map(Vec::len);
        let (least, most) = (counts.clone().min().unwrap_or(0), counts.max().unwrap_or(0));
        let positions: Vec<f64> = at_places.iter().map(|here| along(here[0])).collect();
        check_gaps(&positions)?;
        if least != most {
            return Err(DicomError::UnequalPlaces { least, most });
        }

        let first = places[at_places[0][0]].position;
        let last = places[at_places[at_places.len() - 1][0]].position;
        let num_steps = at_places.len() - 1;
        let step = if num_steps == 0 {
            let slice = &slices[0];
            let mm = slice.gap_mm.or(slice.thickness_mm);
            let mm = mm.ok_or_else(|| no_spacing(1, modality))?;
            normal.map(|n| n * mm)
        } else {
            [0, 1, 2].map(|i| (last[i] - first[i]) / num_steps as f64)
        };
        let pixel = between_rows.min(between_columns);
        let off_mm = off_line(&at_places, &places, first, step, normal);
        if off_mm > 0.1 * pixel {
            return Err(DicomError::Shifted { off_mm });
        }
        let Place {
            along_row,
            down_column,
            ..
        } = places[0];
        let first = Place {
            position: first,
            ..places[0]
        };
        let straight = dot(step, normal);
        let leaning = [0, 1, 2].map(|i| step[i] - straight * normal[i]);
        let sideways = dot(leaning, leaning).sqrt();
        // Less than half a pixel over the whole stack is how positions are rounded; the affine takes it as it is.
        let tilt = (sideways * num_steps as f64 > 0.5 * pixel).then(|| Tilt {
            pixels: [
                dot(leaning, along_row) / between_columns,
                dot(leaning, down_column) / between_rows,
            ],
            degrees: sideways.atan2(straight).to_degrees(),
        });
        let step = if tilt.is_some() {
            normal.map(|n| n * straight)
        } else {
            step
        };
        Ok(Self {
            volumes: (0..most)
                .map(|v| at_places.iter().map(|here| here[v]).collect())
                .collect(),
            affine: affine(first, [between_rows, between_columns], step),
            tilt,
        })
    }
}

/// Of slices that follow each other by `step` mm from the first one on, x along its rows and y down its columns; from left,
/// posterior and superior to right, anterior and superior.
pub(super) fn affine(
    first: Place,
    [between_rows, between_columns]: [f64; 2],
    step: [f64; 3],
) -> Affine {
    let row = |r: usize, sign: f64| {
        [
            sign * first.along_row[r] * between_columns,
            sign * first.down_column[r] * between_rows,
            sign * step[r],
            sign * first.position[r],
        ]
    };
    Affine([
        row(0, -1.0),
        row(1, -1.0),
        row(2, 1.0),
        [0.0, 0.0, 0.0, 1.0],
    ])
}

fn no_spacing(slices: usize, modality: &str) -> DicomError {
    DicomError::NoSpacing {
        slices,
        modality: modality.to_owned(),
    }
}

/// Where each slice lies, and the distances between rows and columns.
fn located(slices: &[Slice], modality: &str) -> Result<(Vec<Place>, [f64; 2]), DicomError> {
    let without = |is_there: fn(&Slice) -> bool| slices.iter().filter(|s| !is_there(s)).count();
    let unspaced = without(|slice| slice.pixel_spacing_mm.is_some());
    let Some(spacing) = slices[0].pixel_spacing_mm.filter(|_| unspaced == 0) else {
        return Err(no_spacing(unspaced, modality));
    };
    let places: Vec<Place> = slices.iter().filter_map(|slice| slice.place).collect();
    if places.len() < slices.len() {
        return Err(DicomError::NoPlace {
            slices: slices.len() - places.len(),
            modality: modality.to_owned(),
        });
    }
    let Place {
        along_row: a,
        down_column: b,
        ..
    } = places[0];
    let is_unit = |v: [f64; 3]| (dot(v, v) - 1.0).abs() < 1e-3;
    if !is_unit(a) || !is_unit(b) || dot(a, b).abs() > 1e-3 {
        return Err(DicomError::Orientation {
            found: [a[0], a[1], a[2], b[0], b[1], b[2]],
        });
    }
    Ok((places, spacing))
}

fn check_gaps(positions: &[f64]) -> Result<(), DicomError> {
    let gaps: Vec<f64> = positions.windows(2).map(|two| two[1] - two[0]).collect();
    let smallest = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let largest = gaps.iter().copied().fold(0.0, f64::max);
    let tolerance = (SAME_GAP * smallest).max(ROUNDED_MM.min(0.1 * smallest));
    if gaps.is_empty() || largest - smallest <= tolerance {
        return Ok(());
    }
    let steps = |gap: &f64| (gap / smallest).round();
    let are_multiples = gaps
        .iter()
        .all(|gap| (gap - steps(gap) * smallest).abs() <= tolerance * steps(gap));
    // Few holes are slices that were lost; more of them than slices is another distance.
    let expected = gaps.iter().map(steps).sum::<f64>() as usize + 1;
    if are_multiples && expected <= 2 * positions.len() {
        let hole = gaps.iter().position(|gap| steps(gap) > 1.0);
        return Err(DicomError::MissingSlices {
            found: positions.len(),
            expected,
            gap_mm: rounded(smallest),
            after: hole.unwrap_or(0) + 1,
        });
    }
    Err(DicomError::UnevenSlices {
        slices: positions.len(),
        gaps_mm: [rounded(smallest), rounded(largest)],
    })
}

/// The largest distance of a slice from the line that goes on by `step`, across the normal.
fn off_line(
    at_places: &[Vec<usize>],
    places: &[Place],
    first: [f64; 3],
    step: [f64; 3],
    normal: [f64; 3],
) -> f64 {
    let mut most = 0.0f64;
    for (number, here) in at_places.iter().enumerate() {
        for &i in here {
            let position = places[i].position;
            let off = [0, 1, 2].map(|a| position[a] - first[a] - step[a] * number as f64);
            let straight = dot(off, normal);
            let across = [0, 1, 2].map(|a| off[a] - straight * normal[a]);
            most = most.max(dot(across, across).sqrt());
        }
    }
    rounded(most)
}

/// To a micrometre, as messages say it.
fn rounded(mm: f64) -> f64 {
    (mm * 1e3).round() / 1e3
}

/// Whether two slices can be of one stack.
pub(super) fn is_alike(a: &Slice, b: &Slice) -> bool {
    let near = |a: Option<f64>, b: Option<f64>, tolerance: f64| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < tolerance,
        (a, b) => a.is_none() && b.is_none(),
    };
    let edge = |slice: &Slice, i: usize| slice.pixel_spacing_mm.map(|edges| edges[i]);
    a.shape == b.shape
        && a.samples == b.samples
        && (0..2).all(|i| near(edge(a, i), edge(b, i), SAME_SPACING_MM))
        && near(a.thickness_mm, b.thickness_mm, SAME_THICKNESS_MM)
        && same_directions(a.place, b.place)
}

/// Whether both lie along the same rows and columns.
pub(super) fn same_directions(a: Option<Place>, b: Option<Place>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a.is_none() && b.is_none();
    };
    let apart = |a: [f64; 3], b: [f64; 3]| {
        let difference = [0, 1, 2].map(|i| a[i] - b[i]);
        dot(difference, difference).sqrt()
    };
    apart(a.along_row, b.along_row) < SAME_DIRECTION
        && apart(a.down_column, b.down_column) < SAME_DIRECTION
}
