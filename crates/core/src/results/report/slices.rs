//! Slices of a case with the outlines of reference and prediction.

use crate::infer::InferError;
use crate::preprocess::{Intensity, Preprocessing};
use crate::results::{During, ResultsError};
use dinomed3d_volume::ModelGrid;
use dinomed3d_volume::Volume;

/// Longest edge of a picture, px.
const LONGEST_EDGE: f64 = 320.0;
/// Room around both masks, as a part of their extent.
const MARGIN: f64 = 0.3;
/// Outline of the reference; green and magenta are told apart by nearly everybody.
pub const REFERENCE: [u8; 3] = [0, 220, 110];
/// Outline of the prediction.
pub const PREDICTION: [u8; 3] = [255, 60, 220];
/// Where both outlines lie on each other.
pub const BOTH: [u8; 3] = [255, 255, 255];

/// A plane of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Seen from below: the patient's right on the left.
    Axial,
    /// Seen from the front: the patient's right on the left.
    Coronal,
    /// Seen from the patient's left: anterior on the left.
    Sagittal,
}

/// All of them, by the axis of the array that they cut.
const PLANES: [Plane; 3] = [Plane::Axial, Plane::Coronal, Plane::Sagittal];

impl Plane {
    /// For people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Axial => "axial",
            Self::Coronal => "coronal",
            Self::Sagittal => "sagittal",
        }
    }
}

/// A slice as a picture.
#[derive(Debug)]
pub struct Slice {
    /// Which way it cuts.
    pub plane: Plane,
    /// Number of the slice, from 1, of how many.
    pub number: [usize; 2],
    /// Voxels of the slice whose label is wrong.
    pub wrong: usize,
    /// Width and height, px.
    pub size: [usize; 2],
    /// The picture as a PNG file.
    pub png: Vec<u8>,
}

/// A case turned so that its axes run to superior, posterior and left.
struct Turned {
    voxels: Vec<f32>,
    prediction: Vec<u8>,
    reference: Vec<u8>,
    shape: [usize; 3],
    spacing_mm: [f64; 3],
}

/// Draws of each plane the slice with the most wrong voxels; without any, that with the most of the reference.
///
/// # Shapes
/// `prediction` and `reference` are `[z, y, x]` as the scan.
///
/// # Errors
/// A scan that cannot be turned, or a PNG that cannot be written.
pub fn worst_slices(
    volume: &Volume,
    prediction: &[u8],
    reference: &[u8],
    intensity: &Intensity,
) -> Result<Vec<Slice>, ResultsError> {
    let preprocessing = Preprocessing {
        orientation: "SPL".parse().expect("three letters"),
        spacing_mm: None,
        intensity: intensity.clone(),
    };
    let prepared = preprocessing
        .apply(std::slice::from_ref(volume))
        .map_err(InferError::from)?;
    let grid: &ModelGrid = &prepared.grid;
    let turned = Turned {
        voxels: prepared.voxels,
        prediction: grid.labels_to_model(prediction),
        reference: grid.labels_to_model(reference),
        shape: prepared.shape,
        spacing_mm: grid.spacing_mm(),
    };
    (0..3).map(|axis| turned.draw(axis)).collect()
}

impl Turned {
    /// Wrong and reference's voxels of each slice along `axis`.
    fn counts(&self, axis: usize) -> Vec<(usize, usize)> {
        let mut counts = vec![(0, 0); self.shape[axis]];
        let mut index = 0;
        for s in 0..self.shape[0] {
            for p in 0..self.shape[1] {
                for l in 0..self.shape[2] {
                    let (wrong, there) = &mut counts[[s, p, l][axis]];
                    *wrong += usize::from(self.prediction[index] != self.reference[index]);
                    *there += usize::from(self.reference[index] != 0);
                    index += 1;
                }
            }
        }
        counts
    }

    /// First voxel and the one after the last along `axis` that are worth showing.
    fn extent(&self, axis: usize) -> [usize; 2] {
        let edge = self.shape[axis];
        let counts = self.counts(axis);
        let is_used = |i: &usize| counts[*i] != (0, 0);
        let (first, last) = ((0..edge).find(is_used), (0..edge).rev().find(is_used));
        let (Some(first), Some(last)) = (first, last) else {
            return [0, edge];
        };
        let room = ((last + 1 - first) as f64 * MARGIN).ceil() as usize + 4;
        [first.saturating_sub(room), (last + 1 + room).min(edge)]
    }

    fn draw(&self, axis: usize) -> Result<Slice, ResultsError> {
        let counts = self.counts(axis);
        // The first of the highest.
        let at = (0..counts.len())
            .rev()
            .max_by_key(|i| counts[*i])
            .unwrap_or(0);
        let [rows, columns] = match PLANES[axis] {
            Plane::Axial => [1, 2],
            Plane::Coronal => [0, 2],
            Plane::Sagittal => [0, 1],
        };
        let [top, bottom] = self.extent(rows);
        let [left, right] = self.extent(columns);
        let edges = [(bottom - top, rows), (right - left, columns)];
        let mm = edges.map(|(voxels, axis)| voxels as f64 * self.spacing_mm[axis]);
        let scale = LONGEST_EDGE / mm[0].max(mm[1]);
        let [height, width] = mm.map(|mm| ((mm * scale).round() as usize).max(1));
        let steps = [1, self.shape[2], self.shape[1] * self.shape[2]];
        let step = |axis: usize| steps[2 - axis];
        let voxel = |y: usize, x: usize| {
            let row = top + y * (bottom - top) / height;
            let column = left + x * (right - left) / width;
            // Superior is up; posterior is down already.
            let row = if rows == 0 {
                bottom - 1 - (row - top)
            } else {
                row
            };
            at * step(axis) + row * step(rows) + column * step(columns)
        };
        let voxels: Vec<usize> = (0..height * width)
            .map(|pixel| voxel(pixel / width, pixel % width))
            .collect();
        let thickness = if height >= 3 * (bottom - top) { 2 } else { 1 };
        let outlined = |labels: &[u8]| {
            let labels: Vec<u8> = voxels.iter().map(|v| labels[*v]).collect();
            outline(&labels, [height, width], thickness)
        };
        let (reference, prediction) = (outlined(&self.reference), outlined(&self.prediction));
        let low = self.voxels.iter().copied().fold(f32::INFINITY, f32::min);
        let high = self
            .voxels
            .iter()
            .copied()
            .fold(f32::NEG_INFINITY, f32::max);
        let mut pixels = Vec::with_capacity(3 * voxels.len());
        for (pixel, voxel) in voxels.iter().enumerate() {
            pixels.extend(match (reference[pixel], prediction[pixel]) {
                (true, true) => BOTH,
                (true, false) => REFERENCE,
                (false, true) => PREDICTION,
                (false, false) => {
                    let share = (self.voxels[*voxel] - low) / (high - low).max(f32::MIN_POSITIVE);
                    // Pure white stays the outlines' own.
                    [(share * 225.0) as u8; 3]
                }
            });
        }
        Ok(Slice {
            plane: PLANES[axis],
            number: [at + 1, self.shape[axis]],
            wrong: counts[at].0,
            size: [width, height],
            png: png_of(&pixels, [width, height]).during(|| "writing a picture".to_owned())?,
        })
    }
}

/// Pixels of a label that lie within `thickness` of a lower one: so a border between two labels is drawn once.
fn outline(labels: &[u8], [height, width]: [usize; 2], thickness: usize) -> Vec<bool> {
    let is_border = |y: usize, x: usize| {
        let own = labels[y * width + x];
        let lower = |y: usize, x: usize| labels[y * width + x] < own;
        own > 0
            && (1..=thickness).any(|d| {
                (y >= d && lower(y - d, x))
                    || (y + d < height && lower(y + d, x))
                    || (x >= d && lower(y, x - d))
                    || (x + d < width && lower(y, x + d))
            })
    };
    (0..height * width)
        .map(|pixel| is_border(pixel / width, pixel % width))
        .collect()
}

/// A PNG file of red, green and blue.
pub fn png_of(pixels: &[u8], [width, height]: [usize; 2]) -> Result<Vec<u8>, png::EncodingError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::Affine;

    /// By hand: a square of 4 in a field of 6; its border has 12 pixels, and 16 when two thick.
    #[test]
    fn an_outline_is_the_inner_border() {
        let inside = |i: usize| (1..5).contains(&(i / 6)) && (1..5).contains(&(i % 6));
        let labels: Vec<u8> = (0..36).map(|i| u8::from(inside(i))).collect();
        let count = |thickness| {
            let outline = outline(&labels, [6, 6], thickness);
            outline.iter().filter(|is| **is).count()
        };
        assert_eq!((count(1), count(2)), (12, 16));
        assert_eq!(
            outline(&[1, 1, 2, 2], [1, 4], 1),
            [false, false, true, false],
            "two labels side by side have one line between them"
        );
    }

    /// By hand: in RAS x runs to the right, y to anterior, z to superior, so on turned axes S 2 of 4, P 7 - 1 and
    /// L 9 - 8 are the wrong voxel's; numbers from 1.
    #[test]
    fn the_slice_with_the_wrong_voxel_is_drawn_upright() {
        let shape = [4, 8, 10];
        let index = |[z, y, x]: [usize; 3]| (z * shape[1] + y) * shape[2] + x;
        let mut reference = vec![0; 4 * 8 * 10];
        reference[index([2, 1, 8])] = 1;
        let mut voxels = vec![0.0; reference.len()];
        voxels[index([2, 1, 8])] = 1.0;
        let volume = Volume {
            voxels,
            shape,
            affine: Affine::from_spacing_mm([1.0, 1.0, 3.0]),
        };
        let prediction = vec![0; reference.len()];
        let intensity = Intensity::Window {
            center: 0.5,
            width: 1.0,
            mean: 0.0,
            std: 1.0,
        };
        let slices = worst_slices(&volume, &prediction, &reference, &intensity).unwrap();
        let found: Vec<_> = slices
            .iter()
            .map(|s| (s.plane, s.number, s.wrong))
            .collect();
        assert_eq!(
            found,
            [
                (Plane::Axial, [3, 4], 1),
                (Plane::Coronal, [7, 8], 1),
                (Plane::Sagittal, [2, 10], 1)
            ]
        );
        for slice in &slices {
            let decoder = png::Decoder::new(std::io::Cursor::new(&slice.png));
            let mut reader = decoder.read_info().unwrap();
            let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
            reader.next_frame(&mut pixels).unwrap();
            let [width, height] = slice.size;
            assert_eq!(pixels.len(), 3 * width * height);
            let green: Vec<usize> = (0..width * height)
                .filter(|p| pixels[3 * p..3 * p + 3] == REFERENCE)
                .collect();
            let middle = green.iter().map(|p| p / width).sum::<usize>() / green.len();
            // Posterior is below in an axial slice; superior is above in the others.
            assert_eq!(
                middle > height / 2,
                slice.plane == Plane::Axial,
                "{slice:?}"
            );
        }
    }
}
