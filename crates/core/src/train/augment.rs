//! Random windows of training volumes.

use super::dataset::TrainingCase;
use super::elastic::Deformation;
use super::intensity;
use super::recipe::Augmentation;
use super::seed::rng_of;
use rand::Rng;
use rand::rngs::StdRng;

/// A window and its labels, `[slice, row, column]`, flattened.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Normalised intensities, `[channel, slice, row, column]`.
    pub voxels: Vec<f32>,
    /// Class of each voxel.
    pub labels: Vec<u8>,
    /// Which voxels lie in the scan, not beyond its border.
    pub inside: Vec<bool>,
}

/// Draws random windows. Each is a function of seed, stage, epoch and the place in it alone, so that a resumed run goes on as if it had never stopped.
#[derive(Clone, Debug)]
pub struct Sampler {
    augmentation: Augmentation,
    window: [usize; 3],
    num_classes: usize,
    seed: [u64; 2],
}

impl Sampler {
    /// A sampler of windows of edge `window`, for a run of a seed and a stage of it.
    pub fn new(
        augmentation: Augmentation,
        window: [usize; 3],
        num_classes: usize,
        seed: [u64; 2],
    ) -> Self {
        Self {
            augmentation,
            window,
            num_classes,
            seed,
        }
    }

    fn rng(&self, epoch: usize, index: usize) -> StdRng {
        let [seed, stage] = self.seed;
        rng_of(&[seed, stage, epoch as u64, index as u64])
    }

    /// Window `index` of `epoch`, from `case`.
    pub fn draw(&self, case: &TrainingCase, epoch: usize, index: usize) -> Sample {
        let settings = &self.augmentation;
        let mut rng = self.rng(epoch, index);
        let symmetric = |rng: &mut StdRng, limit: f32| rng.random_range(-1.0..=1.0f32) * limit;

        let mut matrix = diagonal([1.0; 3]);
        if rng.random_bool(f64::from(settings.affine)) {
            let mut angles: [f32; 3] =
                std::array::from_fn(|_| symmetric(&mut rng, settings.rotation_deg).to_radians());
            let scale = rng.random_range(settings.scale[0]..=settings.scale[1]);
            let mut scales = [1.0 / scale; 3];
            if settings.in_plane {
                (angles[1], angles[2], scales[0]) = (0.0, 0.0, 1.0);
            }
            matrix = multiply(rotation(angles), diagonal(scales));
        }
        if rng.random_bool(f64::from(settings.flip_slices)) {
            for row in &mut matrix {
                row[0] = -row[0];
            }
        }
        // Where it never happens nothing is drawn, so that earlier runs can be repeated.
        if settings.flip_columns > 0.0 && rng.random_bool(f64::from(settings.flip_columns)) {
            for row in &mut matrix {
                row[2] = -row[2];
            }
        }
        // Rotations are in millimetres, indices in voxels.
        let spacing = case.spacing_mm.map(|mm| mm as f32);
        for (row, line) in matrix.iter_mut().enumerate() {
            for (column, value) in line.iter_mut().enumerate() {
                *value *= spacing[column] / spacing[row];
            }
        }
        // A volume longer than the window is cut at random, or around a labelled voxel; a shorter
        // one lies in the middle.
        let target = rng
            .random_bool(f64::from(settings.balanced))
            .then(|| labelled_voxel(case, self.num_classes, &mut rng))
            .flatten();
        let shift: [f32; 3] = std::array::from_fn(|axis| {
            // Whole voxels, as in inference: half of one would blur every image.
            let room = case.shape[axis].saturating_sub(self.window[axis]);
            let start = match target {
                Some(voxel) => voxel[axis].saturating_sub(self.window[axis] / 2).min(room),
                None => rng.random_range(0..=room),
            };
            let mut shift = symmetric(&mut rng, settings.shift_voxels).round();
            if settings.in_plane && axis == 0 {
                shift = 0.0;
            }
            start as f32 - (room / 2) as f32 + shift
        });
        let elastic = settings.elastic;
        let deformation = (elastic.chance > 0.0 && rng.random_bool(f64::from(elastic.chance)))
            .then(|| {
                let mut limit = spacing.map(|mm| elastic.limit / mm);
                if settings.in_plane {
                    limit[0] = 0.0;
                }
                Deformation::draw(self.window, limit, &mut rng).displacements()
            });
        let mut sample = self.resample(case, matrix, shift, deformation.as_deref());
        // Each channel is another measurement, so its intensities vary by themselves.
        for channel in sample.voxels.chunks_exact_mut(sample.labels.len()) {
            intensity::change(settings, channel, &sample.inside, self.window, &mut rng);
        }
        sample
    }

    /// The window as it stands, without any change.
    pub fn centred(&self, case: &TrainingCase) -> Sample {
        self.resample(case, diagonal([1.0; 3]), [0.0; 3], None)
    }

    /// Trilinear resampling around the middle of the volume; labels by the largest share of
    /// the eight neighbours. Zero and background beyond the border. `displacements`, in voxels of
    /// the window, come before the matrix.
    fn resample(
        &self,
        case: &TrainingCase,
        matrix: [[f32; 3]; 3],
        shift: [f32; 3],
        displacements: Option<&[[f32; 3]]>,
    ) -> Sample {
        let num_voxels = self.window.iter().product();
        let num_channels = case.num_channels();
        let case_voxels = case.labels.len();
        let mut sample = Sample {
            voxels: vec![0.0; num_channels * num_voxels],
            labels: Vec::with_capacity(num_voxels),
            inside: Vec::with_capacity(num_voxels),
        };
        let [depth, height, width] = case.shape;
        // An odd difference of edges leaves half a voxel; inference rounds it down, and so
        // must this, or every image would be blurred.
        let centre: [f32; 3] = std::array::from_fn(|axis| {
            let margin = self.window[axis].saturating_sub(case.shape[axis]) / 2;
            let middle = (self.window[axis] as f32 - 1.0) / 2.0;
            if case.shape[axis] > self.window[axis] {
                let cut = (case.shape[axis] - self.window[axis]) / 2;
                middle + cut as f32
            } else {
                middle - margin as f32
            }
        });
        let mut shares = vec![0.0f32; self.num_classes];
        for z in 0..self.window[0] {
            for y in 0..self.window[1] {
                for x in 0..self.window[2] {
                    let here = sample.labels.len();
                    let voxel = [z, y, x];
                    let offset: [f32; 3] = std::array::from_fn(|axis| {
                        let moved = displacements.map_or(0.0, |all| all[here][axis]);
                        voxel[axis] as f32 - (self.window[axis] as f32 - 1.0) / 2.0 + moved
                    });
                    let place: [f32; 3] = std::array::from_fn(|axis| {
                        let row = matrix[axis];
                        centre[axis]
                            + shift[axis]
                            + row[0] * offset[0]
                            + row[1] * offset[1]
                            + row[2] * offset[2]
                    });
                    let base = place.map(f32::floor);
                    let mut share_inside = 0.0;
                    shares.fill(0.0);
                    for corner in 0..8 {
                        let step = [corner >> 2 & 1, corner >> 1 & 1, corner & 1];
                        let weight: f32 = (0..3)
                            .map(|axis| {
                                let fraction = place[axis] - base[axis];
                                if step[axis] == 1 {
                                    fraction
                                } else {
                                    1.0 - fraction
                                }
                            })
                            .product();
                        if weight == 0.0 {
                            continue;
                        }
                        let at: [i64; 3] =
                            std::array::from_fn(|axis| base[axis] as i64 + step[axis] as i64);
                        let inside = at[0] >= 0
                            && at[1] >= 0
                            && at[2] >= 0
                            && at[0] < depth as i64
                            && at[1] < height as i64
                            && at[2] < width as i64;
                        if inside {
                            let index =
                                (at[0] as usize * height + at[1] as usize) * width + at[2] as usize;
                            for channel in 0..num_channels {
                                sample.voxels[channel * num_voxels + here] +=
                                    weight * case.voxels[channel * case_voxels + index];
                            }
                            share_inside += weight;
                            shares[usize::from(case.labels[index])] += weight;
                        } else {
                            shares[0] += weight;
                        }
                    }
                    let mut label = 0;
                    for class in 1..shares.len() {
                        if shares[class] > shares[label] {
                            label = class;
                        }
                    }
                    sample.labels.push(label as u8);
                    sample.inside.push(share_inside >= 0.5);
                }
            }
        }
        sample
    }
}

/// A voxel of a foreground class, the class drawn first; none if there is no foreground.
fn labelled_voxel(case: &TrainingCase, num_classes: usize, rng: &mut StdRng) -> Option<[usize; 3]> {
    let mut counts = vec![0usize; num_classes];
    for label in &case.labels {
        counts[usize::from(*label)] += 1;
    }
    let present: Vec<usize> = (1..num_classes)
        .filter(|class| counts[*class] > 0)
        .collect();
    if present.is_empty() {
        return None;
    }
    let class = present[rng.random_range(0..present.len())];
    let number = rng.random_range(0..counts[class]);
    let index = (0..case.labels.len())
        .filter(|&i| usize::from(case.labels[i]) == class)
        .nth(number)?;
    let [_, height, width] = case.shape;
    Some([
        index / (height * width),
        index / width % height,
        index % width,
    ])
}

pub(super) fn diagonal(values: [f32; 3]) -> [[f32; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| if i == j { values[i] } else { 0.0 }))
}

pub(super) fn multiply(a: [[f32; 3]; 3], b: [[f32; 3]; 3]) -> [[f32; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// Rotation about the three axes, one after the other.
pub(super) fn rotation(angles: [f32; 3]) -> [[f32; 3]; 3] {
    let mut matrix = diagonal([1.0; 3]);
    for (axis, angle) in angles.into_iter().enumerate() {
        let (i, j) = ((axis + 1) % 3, (axis + 2) % 3);
        let mut turn = diagonal([1.0; 3]);
        turn[i][i] = angle.cos();
        turn[j][j] = angle.cos();
        turn[i][j] = -angle.sin();
        turn[j][i] = angle.sin();
        matrix = multiply(turn, matrix);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::super::setting::RandomChange;
    use super::*;

    /// Intensity tells the label, so that any misalignment shows.
    fn case(shape: [usize; 3]) -> TrainingCase {
        let [depth, height, width] = shape;
        let labels: Vec<u8> = (0..depth * height * width)
            .map(|i| {
                let (z, y, x) = (i / (height * width), i / width % height, i % width);
                let inside = (3..depth - 4).contains(&z)
                    && (4..height - 3).contains(&y)
                    && (3..width - 3).contains(&x);
                u8::from(inside) * if y < height / 2 { 1 } else { 2 }
            })
            .collect();
        TrainingCase {
            name: "made".into(),
            voxels: labels.iter().map(|label| f32::from(*label)).collect(),
            labels,
            shape,
            spacing_mm: [1.0, 1.5, 0.8],
        }
    }

    fn sampler(intensity: f32) -> Sampler {
        Sampler::new(
            Augmentation {
                flip_slices: 0.5,
                flip_columns: 0.0,
                affine: 0.5,
                in_plane: false,
                rotation_deg: 15.0,
                scale: [0.85, 1.18],
                shift_voxels: 2.0,
                elastic: RandomChange::default(),
                intensity,
                contrast: 0.2,
                brightness: 0.2,
                noise: 0.1,
                gamma: RandomChange::default(),
                bias_field: RandomChange::default(),
                low_resolution: RandomChange::default(),
                balanced: 0.0,
            },
            [16, 24, 20],
            3,
            [7, 2],
        )
    }

    #[test]
    fn labels_stay_where_the_image_is() {
        let case = case([14, 26, 19]);
        let mut sampler = sampler(0.0);
        sampler.augmentation.elastic = RandomChange {
            chance: 0.5,
            limit: 2.0,
        };
        for index in 0..40 {
            let sample = sampler.draw(&case, 0, index);
            let mut wrong = 0;
            for (value, label) in sample.voxels.iter().zip(&sample.labels) {
                // Between two labels the image passes through the third; half a label is the
                // most that a voxel of a right place can be off there.
                if (value - f32::from(*label)).abs() > 1.01 {
                    wrong += 1;
                }
            }
            assert_eq!(wrong, 0, "window {index}");
            assert!(sample.labels.contains(&1) && sample.labels.contains(&2));
        }
    }

    /// What lies beyond the scan is background, and no change of intensities touches it.
    #[test]
    fn beyond_the_scan_there_is_nothing() {
        let case = case([10, 15, 12]);
        let sampler = sampler(1.0);
        let mut seen = 0;
        for index in 0..20 {
            let sample = sampler.draw(&case, 0, index);
            for ((value, label), inside) in
                sample.voxels.iter().zip(&sample.labels).zip(&sample.inside)
            {
                if !inside {
                    seen += 1;
                    assert_eq!((*value, *label), (0.0, 0));
                }
            }
        }
        assert!(seen > 20 * 1000);
    }

    /// A window of a larger scan holds its voxels, not means of neighbours.
    #[test]
    fn windows_of_a_large_scan_are_sharp() {
        for shape in [[31, 40, 33], [30, 41, 36]] {
            let count = shape.iter().product::<usize>();
            let case = TrainingCase {
                name: "large".into(),
                voxels: (0..count).map(|i| 1.0 + i as f32).collect(),
                labels: (0..count).map(|i| (i % 3) as u8).collect(),
                shape,
                spacing_mm: [1.0; 3],
            };
            for balanced in [0.0, 1.0] {
                let mut sampler = sampler(0.0);
                sampler.augmentation.balanced = balanced;
                sampler.augmentation.affine = 0.0;
                sampler.augmentation.flip_slices = 0.0;
                sampler.augmentation.shift_voxels = 0.0;
                for index in 0..10 {
                    let sample = sampler.draw(&case, 0, index);
                    assert!(sample.inside.iter().all(|inside| *inside));
                    for (value, label) in sample.voxels.iter().zip(&sample.labels) {
                        let i = *value as usize - 1;
                        assert_eq!((*value, *label), (case.voxels[i], case.labels[i]));
                    }
                }
            }
        }
    }

    /// A speck of one label in a large volume is rarely met by chance and always when balanced.
    #[test]
    fn balanced_windows_hold_rare_labels() {
        let shape = [60, 60, 60];
        let mut labels = vec![0; 60 * 60 * 60];
        labels[..40 * 60 * 60].fill(1);
        labels[(55 * 60 + 50) * 60 + 5] = 2;
        let case = TrainingCase {
            name: "speck".into(),
            voxels: vec![0.0; labels.len()],
            labels,
            shape,
            spacing_mm: [1.0; 3],
        };
        let share = |balanced: f32| {
            let mut sampler = sampler(0.0);
            sampler.augmentation.balanced = balanced;
            sampler.augmentation.affine = 0.0;
            sampler.augmentation.flip_slices = 0.0;
            sampler.augmentation.shift_voxels = 0.0;
            (0..40)
                .filter(|&index| sampler.draw(&case, 0, index).labels.contains(&2))
                .count()
        };
        assert!(share(0.0) < 10);
        assert!(
            (12..=30).contains(&share(1.0)),
            "about half are drawn for the rare label"
        );
    }

    /// Of two channels that are the same, geometry keeps the voxels together and intensities part.
    #[test]
    fn channels_share_geometry_and_not_intensities() {
        let one = case([14, 26, 19]);
        let mut two = one.clone();
        two.voxels
            .extend(one.voxels.iter().map(|value| 2.0 * value));
        assert_eq!(two.num_channels(), 2);
        for index in 0..10 {
            let still = sampler(0.0).draw(&two, 0, index);
            let (first, second) = still.voxels.split_at(still.labels.len());
            assert!(first.iter().zip(second).all(|(a, b)| 2.0 * a == *b));
            let single = sampler(0.0).draw(&one, 0, index);
            assert_eq!(first, single.voxels);
            assert_eq!(still.labels, single.labels);

            let changed = sampler(1.0).draw(&two, 0, index);
            let (first, second) = changed.voxels.split_at(changed.labels.len());
            assert_eq!(first, sampler(1.0).draw(&one, 0, index).voxels);
            assert!(
                first
                    .iter()
                    .zip(second)
                    .any(|(a, b)| (2.0 * a - b).abs() > 0.3)
            );
        }
    }

    /// Values say the slice: a voxel of a later one would show; at the border, zeros from beyond take away.
    #[test]
    fn changes_in_plane_leave_voxels_in_their_slice() {
        let mut case = case([14, 40, 30]);
        for (index, value) in case.voxels.iter_mut().enumerate() {
            *value = (index / (40 * 30)) as f32;
        }
        let mut sampler = sampler(0.0);
        sampler.augmentation.flip_slices = 0.0;
        sampler.augmentation.affine = 1.0;
        sampler.augmentation.elastic = RandomChange {
            chance: 1.0,
            limit: 3.0,
        };
        sampler.augmentation.in_plane = true;
        sampler.window = [14, 16, 16];
        for index in 0..20 {
            let sample = sampler.draw(&case, 0, index);
            for (place, value) in sample.voxels.iter().enumerate() {
                let slice = (place / (16 * 16)) as f32;
                let least = if sample.inside[place] {
                    slice / 2.0
                } else {
                    0.0
                };
                assert!(
                    (least - 1e-3..=slice + 1e-3).contains(value),
                    "{value} in {slice}"
                );
            }
        }
    }

    #[test]
    fn a_flip_of_columns_mirrors_each_row() {
        let case = case([8, 16, 16]);
        let mut sampler = sampler(0.0);
        sampler.window = [8, 16, 16];
        sampler.augmentation.flip_slices = 0.0;
        sampler.augmentation.affine = 0.0;
        sampler.augmentation.shift_voxels = 0.0;
        sampler.augmentation.flip_columns = 1.0;
        let sample = sampler.draw(&case, 0, 0);
        for (found, row) in sample.labels.chunks(16).zip(case.labels.chunks(16)) {
            assert!(found.iter().eq(row.iter().rev()), "{found:?} of {row:?}");
        }
    }

    #[test]
    fn the_centred_window_is_the_volume_itself() {
        let case = case([13, 21, 20]);
        let sample = sampler(0.0).centred(&case);
        let margin = [1, 1, 0];
        for z in 0..13 {
            for y in 0..21 {
                for x in 0..20 {
                    let here = ((z + margin[0]) * 24 + y + margin[1]) * 20 + x + margin[2];
                    let there = (z * 21 + y) * 20 + x;
                    assert_eq!(sample.voxels[here], case.voxels[there]);
                    assert_eq!(sample.labels[here], case.labels[there]);
                }
            }
        }
    }

    #[test]
    fn the_same_place_gives_the_same_window() {
        let case = case([14, 26, 19]);
        let sampler = sampler(1.0);
        let (a, b) = (sampler.draw(&case, 3, 5), sampler.draw(&case, 3, 5));
        assert_eq!(a.voxels, b.voxels);
        assert_ne!(a.voxels, sampler.draw(&case, 3, 6).voxels);
        assert_ne!(a.voxels, sampler.draw(&case, 4, 5).voxels);
    }
}
