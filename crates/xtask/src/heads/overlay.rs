//! A scan in three planes, and beside each the same with its labels in colour.

use super::Labels;
use anyhow::Result;
use dinomed3d_volume::{Orientation, Volume, palette};

/// Height of a picture, px.
const HEIGHT: usize = 256;
/// Share of a label's colour in what is seen.
const OPACITY: f32 = 0.55;

/// As a PNG file: sagittal, coronal and axial through the middle of what is labelled, seen as radiologists do (the right side on
/// the left).
pub fn png(scan: &Volume, labels: &Labels) -> Result<Vec<u8>> {
    let middle = middle(labels);
    let [low, high] = range(scan);
    let colors = palette(256);
    let mut panels = Vec::new();
    for plane in 0..3 {
        for is_labelled in [false, true] {
            panels.push(panel(scan, labels, plane, middle, &|grey, label| {
                let grey = ((grey - low) / (high - low)).clamp(0.0, 1.0) * 255.0;
                if !is_labelled || label == 0 {
                    return [grey as u8; 3];
                }
                let color = colors[usize::from(label) * 5 % 28];
                color.map(|part| (grey * (1.0 - OPACITY) + f32::from(part) * OPACITY) as u8)
            }));
        }
    }
    let width: usize = panels.iter().map(|(width, _)| width).sum();
    let mut pixels = Vec::with_capacity(3 * width * HEIGHT);
    for row in 0..HEIGHT {
        for (width, panel) in &panels {
            pixels.extend(panel[row * width..][..*width].as_flattened());
        }
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, HEIGHT as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&pixels)?;
    Ok(file)
}

/// Of the labelled voxels, or of the scan, `[z, y, x]`.
fn middle(labels: &Labels) -> [usize; 3] {
    let [_, rows, columns] = labels.shape;
    let mut sum = [0usize; 3];
    let mut count = 0;
    for (index, _) in labels.voxels.iter().enumerate().filter(|(_, v)| **v != 0) {
        let at = [
            index / (rows * columns),
            index / columns % rows,
            index % columns,
        ];
        for (sum, at) in sum.iter_mut().zip(at) {
            *sum += at;
        }
        count += 1;
    }
    std::array::from_fn(|axis| {
        sum[axis]
            .checked_div(count)
            .unwrap_or(labels.shape[axis] / 2)
    })
}

/// From black to white: all but the darkest and brightest hundredth.
fn range(scan: &Volume) -> [f32; 2] {
    let mut values: Vec<f32> = scan.voxels.iter().copied().step_by(7).collect();
    values.sort_by(f32::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    [at(0.01), at(0.99).max(at(0.01) + f32::MIN_POSITIVE)]
}

/// A plane across a world axis as its width and pixels, nearest neighbours in square pixels.
fn panel(
    scan: &Volume,
    labels: &Labels,
    plane: usize,
    middle: [usize; 3],
    color: &dyn Fn(f32, u16) -> [u8; 3],
) -> (usize, Vec<[u8; 3]>) {
    let axes = scan.affine.orientation().reversed().to(Orientation::RAS);
    let [x, y, z] = scan.affine.spacing_mm();
    let spacing_mm = [z, y, x];
    let (across, down) = [(1, 2), (0, 2), (0, 1)][plane];
    let ((across, across_back), (down, down_back)) = (axes[across], axes[down]);
    let extent = |axis: usize| scan.shape[axis] as f64 * spacing_mm[axis];
    let width = (HEIGHT as f64 * extent(across) / extent(down)).round() as usize;
    let place = |axis: usize, pixel: usize, pixels: usize| pixel * scan.shape[axis] / pixels;
    let mut pixels = Vec::with_capacity(width * HEIGHT);
    for row in 0..HEIGHT {
        for column in 0..width {
            let mut at = middle;
            // Pictures run down and, seen from the front or below, towards the left side; sagittal ones to the back.
            let from_end = |place: usize, axis: usize, is_back: bool| {
                if is_back {
                    place
                } else {
                    scan.shape[axis] - 1 - place
                }
            };
            at[down] = from_end(place(down, row, HEIGHT), down, down_back);
            at[across] = from_end(place(across, column, width), across, across_back);
            let voxel = (at[0] * scan.shape[1] + at[1]) * scan.shape[2] + at[2];
            pixels.push(color(scan.voxels[voxel], labels.voxels[voxel]));
        }
    }
    (width, pixels)
}
