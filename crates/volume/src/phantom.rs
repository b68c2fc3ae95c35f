//! A made-up T1-weighted crop around one left hippocampus, drawn by formulas.
//!
//! No voxel of anybody's scan is in here: the shapes are ellipsoids, tubes and bands. Their sizes,
//! places and intensities were set by hand after averages over many people's crops, and adjusted
//! until a trained network found both labels, so its score on this crop says nothing about scans.
//!
//! Coordinates are voxel indices of a 1 mm grid, x towards the midline, y to the front, z upwards.
//! Intensities are drawn in standard deviations around the mean of the crop and become file values
//! at the very end.

use crate::nifti::{Values, encode};
use crate::random::SplitMix64;
use crate::{Affine, Scan};

/// The seed of the sample that the page offers.
pub const SAMPLE_SEED: u64 = 11;

/// Voxels along x, y and z.
pub const SHAPE_XYZ: [usize; 3] = [36, 50, 36];

/// World millimetres of the first voxel's centre: about where a left hippocampus lies in a head
/// whose origin is the anterior commissure.
const ORIGIN_MM: [f64; 3] = [-43.0, -47.0, -32.0];

/// The plane between head and body, in voxels along y.
const HEAD_STARTS_AT_Y: f64 = 29.0;

/// Points per voxel and axis at which the tissue is looked up: voxels at a border are mixtures.
const SUBSAMPLES: usize = 3;

/// The scanner's own blur in voxels, on top of the mixing within a voxel.
const BLUR: f64 = 0.5;

/// File values: `OFFSET + GAIN × intensity`.
const OFFSET: f64 = 420.0;
const GAIN: f64 = 110.0;

/// Tissue intensities.
const WHITE: f64 = 1.35;
const DEEP: f64 = 0.9;
const GRAY: f64 = -0.55;
const CORTEX: f64 = -0.75;
const FLUID: f64 = -2.1;

/// The crop and its reference, both x fastest.
#[derive(Debug)]
pub struct Phantom {
    /// File values.
    pub voxels: Vec<i16>,
    /// 0 background, 1 anterior, 2 posterior.
    pub labels: Vec<u8>,
}

/// Both as uncompressed NIfTI files.
#[derive(Debug, PartialEq, Eq)]
pub struct Files {
    /// The crop.
    pub scan: Vec<u8>,
    /// Its label map.
    pub reference: Vec<u8>,
}

impl Phantom {
    /// As files, voxels of 1 mm whose axes run to the right, front and top.
    pub fn files(&self) -> Files {
        let mut affine = Affine::from_spacing_mm([1.0; 3]);
        for (row, origin) in affine.0.iter_mut().zip(ORIGIN_MM) {
            row[3] = origin;
        }
        let scan = encode(
            &SHAPE_XYZ,
            &affine,
            Values::Int16(&self.voxels),
            "DINO-Med3D phantom, not a person",
        );
        let reference = Scan::open(&scan, None)
            .and_then(|image| image.encode_label_map(&self.labels, "DINO-Med3D phantom reference"))
            .expect("a file of our own, and a label for each voxel");
        Files { scan, reference }
    }
}

/// Draws the crop; the same seed gives the same bytes.
pub fn draw(seed: u64) -> Phantom {
    let clean = blur(&rasterize(), BLUR);
    let mut random = SplitMix64::new(seed);
    let mut white_noise = || -> Vec<f64> { clean.iter().map(|_| normal(&mut random)).collect() };
    // Tissue is uneven over a few millimetres; the coils' noise is not correlated.
    let texture = unit_variance(blur(&white_noise(), 1.2));
    let noise = white_noise();
    let mut phantom = Phantom {
        voxels: Vec::with_capacity(clean.len()),
        labels: Vec::with_capacity(clean.len()),
    };
    for (index, [x, y, z]) in positions().enumerate() {
        let value = clean[index] + 0.16 * texture[index] + 0.11 * noise[index];
        let bias =
            1.0 + 0.05 * (x / 36.0 - 0.5) - 0.06 * (z / 36.0 - 0.5) + 0.03 * (y / 25.0).sin();
        // A magnitude image has no values below zero.
        let stored = ((OFFSET + GAIN * value) * bias).round().clamp(0.0, 4095.0);
        phantom.voxels.push(stored as i16);
        phantom.labels.push(match hippocampus(x, y, z) {
            level if level >= 1.0 => 0,
            _ if y >= HEAD_STARTS_AT_Y => 1,
            _ => 2,
        });
    }
    phantom
}

/// Voxel centres in the order of the file.
fn positions() -> impl Iterator<Item = [f64; 3]> {
    let [nx, ny, nz] = SHAPE_XYZ;
    (0..nz * ny * nx).map(move |i| [(i % nx) as f64, (i / nx % ny) as f64, (i / nx / ny) as f64])
}

/// Mean tissue intensity of every voxel.
fn rasterize() -> Vec<f64> {
    let offset = |k: usize| (k as f64 + 0.5) / SUBSAMPLES as f64 - 0.5;
    let cube = SUBSAMPLES.pow(3);
    positions()
        .map(|[x, y, z]| {
            let sum: f64 = (0..cube)
                .map(|k| {
                    let (i, j, l) = (
                        k % SUBSAMPLES,
                        k / SUBSAMPLES % SUBSAMPLES,
                        k / SUBSAMPLES / SUBSAMPLES,
                    );
                    tissue(x + offset(i), y + offset(j), z + offset(l))
                })
                .sum();
            sum / cube as f64
        })
        .collect()
}

/// Centre of the hippocampus' cross-section at `y`, as `(x, z)`: the tail curls up and inwards,
/// the head bends inwards.
fn axis(y: f64) -> (f64, f64) {
    let tail = (20.0 - y).max(0.0).powi(2);
    let head = y - 26.0;
    // A soft ramp: the bend has no corner.
    let bend = 0.22 * (head + (head * head + 8.0).sqrt());
    (
        15.0 + 0.03 * tail + bend,
        18.1 - 0.36 * (y - 27.0) + 0.022 * tail,
    )
}

/// Half axes of the cross-section across and along z; `None` beyond the two ends.
fn half_axes(y: f64) -> Option<(f64, f64)> {
    let head = smooth_step(25.0, 32.0, y);
    let cap = if y > 33.0 {
        1.0 - ((y - 33.0) / 10.3).powi(2)
    } else if y < 15.0 {
        1.0 - ((15.0 - y) / 9.5).powi(2)
    } else {
        1.0
    };
    (cap > 0.0).then(|| {
        let cap = cap.sqrt();
        ((5.9 + 3.2 * head) * cap, (3.6 + 1.4 * head) * cap)
    })
}

/// Below 1 inside the hippocampus, growing outwards (squared distance in half axes).
fn hippocampus(x: f64, y: f64, z: f64) -> f64 {
    let Some((across, along)) = half_axes(y) else {
        return f64::INFINITY;
    };
    let (cx, cz) = axis(y);
    let tilt = 0.12 * smooth_step(32.0, 40.0, y) - 0.08 * smooth_step(16.0, 22.0, y)
        + 0.18 * smooth_step(16.0, 10.0, y);
    let dx = x - cx;
    // The head's upper face carries digitations.
    let folds = 0.35 * smooth_step(28.0, 32.0, y) * (1.3 * dx).sin();
    let dz = z - cz - tilt * dx - folds;
    // The upper face is the flatter one.
    let along = if dz > 0.0 { 0.85 * along } else { 1.1 * along };
    (dx / across).powi(2) + (dz / along).powi(2)
}

/// Intensity of the tissue at a point.
fn tissue(x: f64, y: f64, z: f64) -> f64 {
    let (cx, cz) = axis(y);
    let (across, along) = half_axes(y).unwrap_or((1.0, 1.0));
    // The neighbourhood moves with the hippocampus.
    let (dx, dz) = (x - cx, z - cz);
    let level = hippocampus(x, y, z);
    if level < 1.0 {
        // The layers of the hippocampus: a paler core line and darker dentate gyrus.
        let layer = (2.2 * dz + 0.5 * dx).sin();
        return GRAY + 0.16 * layer;
    }
    // Temporal horn: a cleft above the head and along the outer side of the body.
    let shell = level.sqrt() - 1.0;
    if y > 14.0 && y < 39.0 {
        let above = dz > 0.35 * along && dx > -0.75 * across && y > 24.0 && dx < 0.75 * across;
        let outside = dx < -0.75 * across && dz > -0.2 * along && dz < along;
        let thickness = if above {
            1.3 * smooth_step(24.0, 29.0, y)
        } else {
            1.1
        };
        if (above || outside) && shell * along < thickness {
            return FLUID + 0.4;
        }
    }
    // The choroid fissure, inwards of the body's upper edge.
    if y > 12.0 && y < 30.0 && level < 2.2 && dx > 0.5 * across && dz > 0.0 {
        return FLUID + 0.5;
    }
    // The fimbria and alveus: a thin white coat.
    if shell * along < 0.9 && dz > 0.0 && y < 28.0 {
        return WHITE - 0.2;
    }
    // The same coat parts the head from the amygdala.
    if shell * along < 0.8 && dz > -0.3 * along && y >= 28.0 {
        return WHITE - 0.7;
    }
    // Amygdala, in front of and above the head.
    if ellipsoid([x, y, z], [19.5, 44.0, 19.5], [10.5, 8.0, 8.0]) < 1.0 && dz > -along - 0.5 {
        return GRAY - 0.2 + 0.1 * (0.8 * x + 0.5 * z).sin();
    }
    // Putamen and its neighbours, high and outside.
    if ellipsoid([x, y, z], [3.5, 41.0, 33.0], [8.0, 15.0, 9.0]) < 1.0 {
        return CORTEX - 0.25;
    }
    if ellipsoid([x, y, z], [9.5, 21.0, 36.0], [2.5, 9.0, 3.5]) < 1.0 {
        return CORTEX;
    }
    // Parahippocampal gyrus: white core under and inwards of the hippocampus, cortex around it.
    let wide = smooth_step(22.0, 32.0, y);
    let core = [cx + 6.0 - 4.5 * wide, y, cz - 5.6 - 1.5 * wide];
    let gyrus = ((x - core[0]).powi(2) + (1.15 * (z - core[2])).powi(2)).sqrt();
    let inner = 3.0 + 0.4 * (0.6 * y).sin();
    if y < 45.0 {
        if gyrus < inner {
            return WHITE - 0.15;
        }
        // The core hangs together with the outer white matter below the hippocampus.
        let stalk = dz + 0.12 * dx + 1.1 * along + 1.5;
        if x < core[0] && stalk.abs() < 1.5 {
            return WHITE - 0.1;
        }
        if gyrus < inner + 3.4 {
            return CORTEX + 0.1 * (1.1 * x).sin();
        }
    }
    // The cistern behind the brain stem, slanted upwards and outwards.
    let slant = 24.0 + 0.5 * (z - 18.0).max(-3.0) + 12.0 * smooth_step(13.0, 20.0, y);
    if x > slant + 0.6 * (0.5 * z + 0.4 * y).sin() && z > 13.0 && y < 20.0 {
        return FLUID + 0.5;
    }
    // The cistern beside the brain stem, and the brain stem.
    let rim =
        30.5 - 0.1 * (y - 24.0).max(0.0) + 0.05 * (z - 16.0) + 0.7 * (0.4 * z + 0.3 * y).sin();
    if y >= 15.0 && x > core[0] && z < cz + 5.0 + 1.5 * (0.4 * x).sin() {
        if y > 40.0 + 0.15 * (z - 15.0) {
            return CORTEX - 0.3 * smooth_step(39.0, 46.0, y);
        }
        if x < rim + 1.5 {
            return if gyrus < inner + 5.8 {
                FLUID + 0.3
            } else if z > core[2] {
                DEEP
            } else {
                CORTEX
            };
        }
        return DEEP;
    }
    // Underside: fusiform gyrus outside, tentorium and folded cerebellum behind.
    let underside = cz - along - 4.2 + 0.9 * (0.45 * x).sin() - 0.16 * (7.0 - x).max(0.0);
    if z < underside {
        let depth = underside - z;
        if depth > 7.5 && y < 34.0 {
            return FLUID + 0.7;
        }
        let fold = (0.62 * x + 0.35 * z + 0.15 * y).sin() * (0.25 * y + 0.3 * z).cos();
        return if fold > 0.62 {
            0.6
        } else {
            CORTEX + 0.25 * fold
        };
    }
    // Thalamus and the neighbouring deep structures are a little darker than white matter.
    let thalamus = ellipsoid([x, y, z], [34.0, 18.0, 34.0], [13.0, 16.0, 10.0]);
    if thalamus < 1.0 {
        return 0.25;
    }
    if x > 16.0 && z > cz { DEEP } else { WHITE }
}

/// Below 1 inside.
fn ellipsoid(point: [f64; 3], center: [f64; 3], half_axes: [f64; 3]) -> f64 {
    (0..3)
        .map(|k| ((point[k] - center[k]) / half_axes[k]).powi(2))
        .sum()
}

/// 0 at `from`, 1 at `to`, smooth between them; `from` may lie above `to`.
fn smooth_step(from: f64, to: f64, value: f64) -> f64 {
    let t = ((value - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// A Gaussian along each axis in turn; the border voxels repeat outwards.
fn blur(values: &[f64], sigma: f64) -> Vec<f64> {
    let reach = (3.0 * sigma).ceil() as isize;
    let weight = |offset: isize| (-0.5 * (offset as f64 / sigma).powi(2)).exp();
    let total: f64 = (-reach..=reach).map(weight).sum();
    let mut current = values.to_vec();
    let mut stride = 1;
    for extent in SHAPE_XYZ {
        let source = current.clone();
        for (index, value) in current.iter_mut().enumerate() {
            let place = (index / stride % extent) as isize;
            let start = index - place as usize * stride;
            *value = (-reach..=reach)
                .map(|offset| {
                    let at = (place + offset).clamp(0, extent as isize - 1) as usize;
                    weight(offset) * source[start + at * stride]
                })
                .sum::<f64>()
                / total;
        }
        stride *= extent;
    }
    current
}

/// Scales zero-mean noise to a standard deviation of one.
fn unit_variance(mut values: Vec<f64>) -> Vec<f64> {
    let power = values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64;
    values.iter_mut().for_each(|value| *value /= power.sqrt());
    values
}

/// Close to normal, mean 0, variance 1: twelve uniform values need no logarithm.
fn normal(random: &mut SplitMix64) -> f64 {
    (0..12).map(|_| random.next_f64()).sum::<f64>() - 6.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_files() {
        assert_eq!(draw(11).files(), draw(11).files());
        assert_ne!(draw(1).voxels, draw(2).voxels, "the seed counts");
    }

    #[test]
    fn both_labels_have_plausible_volumes() {
        let Files { reference, .. } = draw(11).files();
        let map = Scan::open(&reference, None).unwrap().label_map().unwrap();
        assert_eq!(map.present(), [1, 2]);
        for label in [1, 2] {
            let voxels = map.labels.iter().filter(|&&found| found == label).count();
            let ml = voxels as f64 * map.affine.voxel_volume_ml();
            assert!((0.5..=3.0).contains(&ml), "label {label}: {ml} mL");
        }
    }

    #[test]
    fn the_reference_lies_on_the_grid_of_the_scan() {
        let Files { scan, reference } = draw(11).files();
        let scan = Scan::open(&scan, None).unwrap();
        let reference = Scan::open(&reference, None).unwrap();
        assert_eq!(scan.shape(), SHAPE_XYZ);
        assert_eq!(reference.shape(), scan.shape());
        assert_eq!(reference.affine(), scan.affine());
        assert_eq!(scan.form_codes(), (1, 1));
        assert_eq!(reference.form_codes(), (1, 1));
        assert_eq!(scan.affine().orientation().to_string(), "RAS");
        let origin = scan.affine().apply([0.0; 3]);
        assert_eq!(origin, ORIGIN_MM);
        assert_eq!(scan.datatype_name(), "int16");
    }
}
