//! How bright each class is in a scan, by which borders are drawn finer than the network's grid.
//!
//! A network on a coarse grid knows what lies where; where its voxels end between two structures, the scan's own voxels say better.
//! From what the network says of a scan and from its brightness, each class's law of brightness is found ([`super::brightness`]), and what a
//! voxel's brightness is worth by these laws is added to its interpolated logits. Nothing of it is learnt before, so a scan may have any contrast.
//!
//! Source: mixtures of Gaussians fitted to a scan itself, as in Van Leemput et al. 1999, "Automated model-based tissue classification
//! of MR images of the brain", with the network's answer in the place of an atlas.

use super::bias_field::{BiasField, Extent, Fit};
use super::brightness::{Brightness, Law};
use crate::model::SettingError;
use crate::model::check::expect;
use dinomed3d_volume::statistics::softmax;
use dinomed3d_volume::{LEVELS, Likelihood, ModelGrid};
use serde::{Deserialize, Serialize};

/// How often laws and classes are found by each other. Of nine drawn heads three rounds have 0.003 more of Dice, of one
/// person's nothing.
const ROUNDS: usize = 2;
/// Background that is surer than this lies far from any label, and says nothing of what lies beside them.
const CERTAIN: f32 = 0.99;

/// How much a scan's brightness counts beside what the network says of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntensityModel {
    /// From 0, not at all, to 1: as much as if each voxel's brightness came about by itself.
    pub weight: f32,
}

/// A scan's normalised values, in steps: of each of its own voxels.
#[derive(Clone, Debug)]
pub struct Levels(Vec<u8>);

impl Levels {
    /// Of finite values; of these the extremes are the first and last step.
    pub fn of(values: &[f32]) -> Self {
        let low = values.iter().copied().fold(f32::INFINITY, f32::min);
        let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let scale = (LEVELS - 1) as f32 / (high - low).max(f32::MIN_POSITIVE);
        let step = |value: &f32| ((value - low) * scale).round() as u8;
        Self(values.iter().map(step).collect())
    }
}

impl IntensityModel {
    /// Whether a model with so many channels can be used with it.
    ///
    /// # Errors
    /// [`SettingError`] for a weight out of range, or more channels than one.
    pub fn check(self, channels: usize) -> Result<(), SettingError> {
        expect(
            (0.0..=1.0).contains(&self.weight),
            "intensity-model.weight",
            self.weight,
            "a number from 0 to 1",
        )?;
        expect(
            channels == 1,
            "intensity-model",
            format!("of {channels} channels"),
            "one channel, whose brightness it is",
        )
    }

    /// What the brightness of a scan is worth, its laws found from a look at it: by the scan's own voxels around the centres of the
    /// model grid's, whose noise is that of all, while what the network was given is smoothed.
    ///
    /// # Shapes
    /// `levels` are of the scan's own voxels in the model's axis order; `portions` are logits `[class, slice, row, column]` of some slices
    /// each, background first
    ///
    /// # Panics
    /// If logits and levels are of another grid.
    pub fn likelihood(
        self,
        levels: Levels,
        grid: &ModelGrid,
        portions: &[Vec<f32>],
        num_classes: usize,
    ) -> Likelihood {
        let around = grid.around_centres(&levels.0);
        let numbers = portions.iter().map(Vec::len).sum::<usize>();
        assert_eq!(
            numbers,
            num_classes * around.len(),
            "logits of {num_classes} classes"
        );
        let look = Look::of(grid, around, portions);
        let Some(extent) = look.labelled else {
            return Likelihood::new(levels.0, vec![[0.0; LEVELS]; num_classes]);
        };
        let weight = f64::from(self.weight);
        let mut field = BiasField::even(extent);
        let mut worth = vec![[0.0; LEVELS]; num_classes];
        for _ in 0..ROUNDS {
            let brightness = look.brightness(&field, &worth);
            worth = brightness.worth(weight);
            field = look.field(&field, &worth, &brightness.laws(), extent);
        }
        worth = look.brightness(&field, &worth).worth(weight);
        let mut levels = levels.0;
        even_out(&mut levels, grid, &field);
        Likelihood::new(levels, worth)
    }
}

/// Makes a scan's own voxels, in the model's axis order, as bright as they were in an even field.
fn even_out(levels: &mut [u8], grid: &ModelGrid, field: &BiasField) {
    let of_scan = grid.oriented();
    let [_, rows, columns] = of_scan;
    // Where the middle of a voxel lies on the model grid.
    let place = |axis: usize, index: usize| {
        (index as f64 + 0.5) * grid.shape()[axis] as f64 / of_scan[axis] as f64 - 0.5
    };
    let of_columns: Vec<f64> = (0..columns).map(|column| place(2, column)).collect();
    let mut factors = Vec::with_capacity(columns);
    for (line, levels) in levels.chunks_exact_mut(columns).enumerate() {
        factors.clear();
        field.along(
            [place(0, line / rows), place(1, line % rows)],
            &of_columns,
            &mut factors,
        );
        for (level, factor) in levels.iter_mut().zip(&factors) {
            *level = evened(*level, *factor);
        }
    }
}

/// Beyond the last step there is none.
fn evened(step: u8, factor: f32) -> u8 {
    (f32::from(step) * factor.recip() + 0.5) as u8
}

/// What the network says of a scan near labels, and the scan's own voxels around each of the model grid's.
struct Look<'a> {
    portions: &'a [Vec<f32>],
    /// Of each portion the places in it that are not surely far from labels.
    near: Vec<Vec<usize>>,
    around: Vec<[u8; 8]>,
    shape: [usize; 3],
    /// Where the network alone sees labels.
    labelled: Option<Extent>,
}

impl<'a> Look<'a> {
    fn of(grid: &ModelGrid, around: Vec<[u8; 8]>, portions: &'a [Vec<f32>]) -> Self {
        let mut look = Self {
            portions,
            near: portions.iter().map(|_| Vec::new()).collect(),
            around,
            shape: grid.shape(),
            labelled: None,
        };
        let num_classes = look.num_classes();
        let mut labelled = Vec::new();
        let (mut logits, mut shares) = (Vec::with_capacity(num_classes), Vec::new());
        let mut first = 0;
        for (portion, near) in portions.iter().zip(&mut look.near) {
            let voxels = portion.len() / num_classes;
            for voxel in 0..voxels {
                logits.clear();
                logits.extend(of_voxel(portion, voxels, voxel));
                softmax(&logits, &mut shares);
                // By the network alone: what brightness makes certain is what its laws are to be found from.
                if shares[0] <= CERTAIN {
                    near.push(voxel);
                }
                if shares[0] < 0.5 {
                    labelled.push(first + voxel);
                }
            }
            first += voxels;
        }
        look.labelled = Extent::of(labelled.into_iter().map(|voxel| look.place(voxel)));
        look
    }

    fn num_classes(&self) -> usize {
        self.portions.iter().map(Vec::len).sum::<usize>() / self.around.len()
    }

    fn place(&self, voxel: usize) -> [usize; 3] {
        let [_, rows, columns] = self.shape;
        [
            voxel / columns / rows,
            voxel / columns % rows,
            voxel % columns,
        ]
    }

    /// Hands out each voxel near labels, with the network's share of each class.
    fn each_near(&self, mut each: impl FnMut(usize, &[f32])) {
        let num_classes = self.num_classes();
        let (mut logits, mut shares) = (Vec::with_capacity(num_classes), Vec::new());
        let mut first = 0;
        for (portion, near) in self.portions.iter().zip(&self.near) {
            let voxels = portion.len() / num_classes;
            for voxel in near {
                logits.clear();
                logits.extend(of_voxel(portion, voxels, *voxel));
                softmax(&logits, &mut shares);
                each(first + voxel, &shares);
            }
            first += voxels;
        }
    }

    /// Hands out each voxel near labels with the scan's steps around it, as they are and evened out, and of each step the share of
    /// each class by the network and by what brightness is worth, `[step][class]`.
    fn each_seen(
        &self,
        field: &BiasField,
        worth: &[[f32; LEVELS]],
        mut each: impl FnMut([f64; 3], [[u8; 2]; 8], &[f32]),
    ) {
        // By what each step multiplies a class's share before shares are made one: `[step][class]`.
        let times = |step: usize| worth.iter().map(|worth| worth[step].exp()).collect();
        let times: Vec<Vec<f32>> = (0..LEVELS).map(times).collect();
        let mut of_steps = Vec::with_capacity(8 * worth.len());
        self.each_near(|voxel, shares| {
            let place = self.place(voxel).map(|index| index as f64);
            let factor = field.at(place) as f32;
            let steps = self.around[voxel].map(|step| [step, evened(step, factor)]);
            of_steps.clear();
            for [_, even] in steps {
                let of_step = || {
                    shares
                        .iter()
                        .zip(&times[usize::from(even)])
                        .map(|(a, b)| a * b)
                };
                let part = of_step().sum::<f32>().recip();
                of_steps.extend(of_step().map(|share| share * part));
            }
            each(place, steps, &of_steps);
        });
    }

    fn brightness(&self, field: &BiasField, worth: &[[f32; LEVELS]]) -> Brightness {
        let num_classes = worth.len();
        let mut counts = vec![vec![0.0; num_classes]; LEVELS];
        self.each_seen(field, worth, |_, steps, shares| {
            for ([_, even], shares) in steps.iter().zip(shares.chunks_exact(num_classes)) {
                for (counts, share) in counts[usize::from(*even)].iter_mut().zip(shares) {
                    *counts += f64::from(share / 8.0);
                }
            }
        });
        let of_class = |class: usize| std::array::from_fn(|step| counts[step][class]);
        Brightness((0..num_classes).map(of_class).collect())
    }

    /// The field by which voxels differ from the laws of their classes.
    fn field(
        &self,
        until_now: &BiasField,
        worth: &[[f32; LEVELS]],
        laws: &[Option<Law>],
        extent: Extent,
    ) -> BiasField {
        let num_classes = worth.len();
        // A class without a law counts nothing.
        let of_law = |law: &Option<Law>| {
            law.map_or([0.0; 2], |law| {
                [law.mean, law.mean / law.variance].map(|number| number as f32)
            })
        };
        let laws: Vec<[f32; 2]> = laws.iter().map(of_law).collect();
        let mut fit = Fit::over(extent);
        self.each_seen(until_now, worth, |place, steps, shares| {
            let [mut expected, mut more] = [0.0; 2];
            for ([step, _], shares) in steps.iter().zip(shares.chunks_exact(num_classes)) {
                for ([mean, counting], share) in laws.iter().zip(shares) {
                    let weight = share * counting;
                    expected += weight * mean;
                    more += weight * (f32::from(*step) - mean);
                }
            }
            fit.add(place, expected.into(), more.into());
        });
        fit.field()
    }
}

/// The logit of each class at a voxel of some slices.
fn of_voxel(portion: &[f32], voxels: usize, voxel: usize) -> impl Iterator<Item = f32> + '_ {
    portion.iter().skip(voxel).step_by(voxels).copied()
}

#[cfg(test)]
mod tests {
    use super::super::brightness::{NARROWEST, OUTLIERS};
    use super::*;
    use dinomed3d_volume::random::SplitMix64;
    use dinomed3d_volume::{Affine, GridLogits, Orientation};

    /// A scan of 64 slices of 8 × 8 voxels, dark background up to slice 16, brighter tissue up to `border`, the brightest
    /// beyond; noise of at most so much of the steps between them.
    fn scan(border: usize, noise: f64) -> Vec<f32> {
        let mut random = SplitMix64::new(3);
        let of_slice = |slice: usize| match slice {
            0..16 => 0.0f32,
            _ if slice < border => 1.0,
            _ => 2.0,
        };
        let mut of_voxel = || (noise * (random.next_f64() + random.next_f64() - 1.0)) as f32;
        (0..64 * 64)
            .map(|i| of_slice(i / 64) + of_voxel())
            .collect()
    }

    /// The scan's grid, and logits on one four times as coarse along slices.
    struct Case {
        grid: ModelGrid,
        portions: Vec<Vec<f32>>,
        levels: Levels,
    }

    /// A network that knows both borders to a voxel of its grid, and is not sure of the one it lies in.
    fn case(scan: Vec<f32>, num_classes: usize) -> Case {
        let shape = [8, 8, 64];
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let target = Some([4.0, 1.0, 1.0]);
        let grid = ModelGrid::new(shape, &affine, Orientation::RAS, target).unwrap();
        assert_eq!(grid.shape(), [16, 8, 8]);
        let logit = |class: usize, slice: usize| {
            let place = slice as f32 + 0.5;
            match class {
                0 => 4.0 * (4.0 - place),
                1 => 0.0,
                2 => 4.0 * (place - 10.0),
                _ => -6.0,
            }
        };
        let logits = (0..num_classes * 1024).map(|i| logit(i / 1024, i % 1024 / 64));
        Case {
            portions: vec![logits.collect()],
            levels: Levels::of(&scan),
            grid,
        }
    }

    fn slices_of(case: &Case, likelihood: Option<&Likelihood>, num_classes: usize) -> Vec<usize> {
        let logits = GridLogits {
            grid: &case.grid,
            portions: &case.portions,
            num_classes,
            likelihood,
        };
        let labels = logits.labels().unwrap();
        let count = |class: u8| labels.iter().filter(|label| **label == class).count();
        (0..num_classes as u8).map(count).collect()
    }

    /// Where the network alone ends a structure between two of its voxels, brightness ends it between two of the scan's.
    #[test]
    fn borders_lie_where_brightness_changes() {
        for border in [38, 40, 42] {
            let case = case(scan(border, 0.1), 3);
            let model = IntensityModel { weight: 0.8 };
            let likelihood = model.likelihood(case.levels.clone(), &case.grid, &case.portions, 3);
            let expected = [16, border - 16, 64 - border].map(|slices| 64 * slices);
            assert_eq!(slices_of(&case, Some(&likelihood), 3), expected);
            let alone = slices_of(&case, None, 3);
            assert_eq!(alone, [16, 24, 24].map(|slices| 64 * slices), "{border}");
        }
    }

    /// What the network was given is smoothed, as a voxel of its grid lies between the scan's: laws are those of the scan's own.
    #[test]
    fn laws_are_as_wide_as_the_noise_of_the_scans_own_voxels() {
        let noise = 0.5;
        let scan = scan(40, noise);
        let ends = scan
            .iter()
            .fold([f32::MAX, f32::MIN], |[low, high], value| {
                [low.min(*value), high.max(*value)]
            });
        let case = case(scan, 3);
        let model = IntensityModel { weight: 1.0 };
        let likelihood = model.likelihood(case.levels.clone(), &case.grid, &case.portions, 3);
        // The sum of two even distributions.
        let of_noise = noise * f64::from((LEVELS - 1) as f32 / (ends[1] - ends[0])) / 6f64.sqrt();
        let expected = of_noise.hypot(NARROWEST);
        for class in [1, 2] {
            let most = likelihood.worth(class).into_iter().fold(0.0, f32::max);
            let density = f64::from(most).exp() / LEVELS as f64;
            let found = (density * std::f64::consts::TAU.sqrt()).recip();
            assert!(
                (found / expected - 1.0).abs() < 0.1,
                "{found} for {expected}"
            );
        }
    }

    /// Where one side is brighter than the other by as much as tissues differ, borders lie where they do in an even scan.
    #[test]
    fn a_field_that_is_not_even_moves_no_border() {
        let even = scan(38, 0.1);
        let field = |i: usize| 1.0 + 0.3 * ((i % 8) as f32 - 3.5) / 3.5;
        let uneven = even
            .iter()
            .enumerate()
            .map(|(i, value)| (value + 1.0) * field(i));
        let case = case(uneven.collect(), 3);
        let model = IntensityModel { weight: 0.8 };
        let likelihood = model.likelihood(case.levels.clone(), &case.grid, &case.portions, 3);
        let expected = [16, 22, 26].map(|slices| 64 * slices);
        assert_eq!(slices_of(&case, Some(&likelihood), 3), expected);
    }

    #[test]
    fn brightness_without_weight_changes_nothing() {
        let case = case(scan(38, 0.1), 3);
        let model = IntensityModel { weight: 0.0 };
        let likelihood = model.likelihood(case.levels.clone(), &case.grid, &case.portions, 3);
        assert_eq!(
            slices_of(&case, Some(&likelihood), 3),
            slices_of(&case, None, 3)
        );
    }

    /// A class that the network saw nowhere has no law, and no brightness, however unusual, makes it more likely than what is there.
    #[test]
    fn a_class_that_is_nowhere_stays_there() {
        let case = case(scan(38, 0.1), 4);
        let model = IntensityModel { weight: 1.0 };
        let likelihood = model.likelihood(case.levels.clone(), &case.grid, &case.portions, 4);
        assert_eq!(slices_of(&case, Some(&likelihood), 4)[3], 0);
        for step in 0..LEVELS {
            let others = (0..3).map(|class| likelihood.worth(class)[step]);
            let most = others.fold(f32::NEG_INFINITY, f32::max);
            assert!(likelihood.worth(3)[step] <= most + 1.0, "{step}");
        }
    }

    /// However far from all laws, a voxel's brightness is worth no more than what its being an outlier is.
    #[test]
    fn an_outlier_is_worth_little() {
        let case = case(scan(38, 0.1), 3);
        let model = IntensityModel { weight: 1.0 };
        let likelihood = model.likelihood(case.levels.clone(), &case.grid, &case.portions, 3);
        let least = OUTLIERS.ln() as f32 - 1e-3;
        for class in 0..3 {
            assert!(likelihood.worth(class).iter().all(|worth| *worth >= least));
        }
    }

    #[test]
    fn the_extremes_are_the_first_and_last_step() {
        let levels = Levels::of(&[-2.0, 3.0, 0.5, 3.0]);
        assert_eq!(levels.0, [0, 255, 128, 255]);
        assert_eq!(Levels::of(&[1.0, 1.0]).0, [0, 0]);
    }
}
