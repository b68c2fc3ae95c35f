//! What a data set is like: spacings, intensities, sizes of labels. It decides what a recipe leaves open.

use super::TrainError;
use super::dataset::{DatasetIndex, RawCase};
use dinomed3d_volume::statistics::{mean_and_std, quantile};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Most voxels of a case and channel that statistics look at, of all and of the labelled ones each: enough for
/// percentiles, little enough for thousands of cases.
const SAMPLE: usize = 4096;

/// Facts about all cases of a data set.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fingerprint {
    /// Number of cases.
    pub num_cases: usize,
    /// Voxels along right–left, posterior–anterior, inferior–superior.
    pub shape: Spread3,
    /// Edges of a voxel in mm, likewise.
    pub spacing_mm: Spread3,
    /// How many cases have each axis order.
    pub orientations: BTreeMap<String, usize>,
    /// Of each channel.
    pub channels: Vec<ChannelFacts>,
    /// Of each label, background first.
    pub labels: Vec<LabelFacts>,
    /// Grid of each case.
    #[serde(skip)]
    pub grids: Vec<CaseGrid>,
}

/// Smallest, middle and largest along three axes, each axis for itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread3 {
    /// Smallest.
    pub min: [f64; 3],
    /// Median.
    pub median: [f64; 3],
    /// Largest.
    pub max: [f64; 3],
}

/// Grid of a case along right–left, posterior–anterior, inferior–superior, whatever its file's order.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CaseGrid {
    /// Voxels.
    pub shape: [usize; 3],
    /// Edges of a voxel.
    pub spacing_mm: [f64; 3],
}

/// Intensities of a channel.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChannelFacts {
    /// Its name.
    pub name: String,
    /// Of all voxels.
    pub overall: Intensities,
    /// Of the voxels of any label after background; none if there are no such voxels.
    pub labelled: Option<Intensities>,
}

/// Statistics of intensities, from a sample in which every case counts alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Intensities {
    /// Mean.
    pub mean: f64,
    /// Standard deviation of the population.
    pub std: f64,
    /// Half per cent lie below.
    pub low: f64,
    /// Median.
    pub median: f64,
    /// Half per cent lie above.
    pub high: f64,
    /// The sample, ascending.
    #[serde(skip)]
    pub values: Vec<f64>,
}

/// How large and how frequent a label is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelFacts {
    /// Value in label maps.
    pub value: u8,
    /// Its name.
    pub name: String,
    /// Cases in which it occurs.
    pub num_cases: usize,
    /// Median number of voxels where it occurs.
    pub median_voxels: f64,
    /// Median volume in mL where it occurs.
    pub median_ml: f64,
    /// Of all voxels of all cases, 0 … 1.
    pub share: f64,
}

impl Fingerprint {
    /// Reads every case of the data set in `folder`, one at a time.
    ///
    /// # Errors
    /// [`TrainError::Data`] with every problem of the data set.
    pub fn read(folder: &Path) -> Result<Self, TrainError> {
        let (index, mut problems) = DatasetIndex::survey(folder)?;
        let mut survey = Survey::new(&index.channels, &index.labels);
        for files in &index.cases {
            match RawCase::load(files, &index) {
                Ok(case) => survey.add(&case),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(survey.finish())
        } else {
            Err(TrainError::Data(problems))
        }
    }
}

impl Intensities {
    /// Of these values; none without any.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        values.sort_unstable_by(f64::total_cmp);
        let (mean, std) = mean_and_std(values.iter().copied());
        Some(Self {
            mean,
            std,
            low: quantile(&values, 0.005),
            median: quantile(&values, 0.5),
            high: quantile(&values, 0.995),
            values,
        })
    }

    /// Mean and standard deviation of the values clipped to a range.
    pub fn clipped(&self, low: f64, high: f64) -> (f64, f64) {
        mean_and_std(self.values.iter().map(|value| value.clamp(low, high)))
    }
}

impl Spread3 {
    fn of(values: &[[f64; 3]]) -> Self {
        let along = |axis: usize| {
            let mut values: Vec<f64> = values.iter().map(|value| value[axis]).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let axes = [along(0), along(1), along(2)];
        let at = |fraction: f64| -> [f64; 3] {
            std::array::from_fn(|axis| quantile(&axes[axis], fraction))
        };
        Self {
            min: at(0.0),
            median: at(0.5),
            max: at(1.0),
        }
    }
}

/// A fingerprint in the making: cases come one after the other, none stays in memory.
#[derive(Debug)]
pub struct Survey {
    channels: Vec<(String, [Vec<f64>; 2])>,
    labels: Vec<(u8, String)>,
    grids: Vec<CaseGrid>,
    orientations: BTreeMap<String, usize>,
    /// For each label, voxels and mL of each case.
    sizes: Vec<Vec<(usize, f64)>>,
}

impl Survey {
    /// Of a data set of these channels and labels.
    pub fn new(channels: &[String], labels: &[(u8, String)]) -> Self {
        Self {
            channels: channels
                .iter()
                .map(|name| (name.clone(), Default::default()))
                .collect(),
            labels: labels.to_vec(),
            grids: Vec::new(),
            orientations: BTreeMap::new(),
            sizes: vec![Vec::new(); labels.len()],
        }
    }

    /// Takes in a case.
    pub fn add(&mut self, case: &RawCase) {
        let first = &case.channels[0];
        let orientation = first.affine.orientation();
        let (spacing, [z, y, x]) = (first.affine.spacing_mm(), first.shape);
        let mut grid = CaseGrid {
            shape: [0; 3],
            spacing_mm: [0.0; 3],
        };
        for axis in 0..3 {
            let world = orientation.world_axis(axis);
            grid.shape[world] = [x, y, z][axis];
            grid.spacing_mm[world] = spacing[axis];
        }
        *self
            .orientations
            .entry(orientation.to_string())
            .or_default() += 1;

        let mut counts = [0usize; 256];
        for value in &case.reference.labels {
            counts[usize::from(*value)] += 1;
        }
        let voxel_ml = first.affine.voxel_volume_ml();
        for (sizes, (value, _)) in self.sizes.iter_mut().zip(&self.labels) {
            let voxels = counts[usize::from(*value)];
            sizes.push((voxels, voxels as f64 * voxel_ml));
        }

        let labels = &case.reference.labels;
        let labelled: Vec<usize> = (0..labels.len()).filter(|&at| labels[at] != 0).collect();
        // The same case draws the same voxels, whoever asks.
        let mut rng = StdRng::seed_from_u64(self.grids.len() as u64);
        let of_all = sample(labels.len(), &mut rng);
        let of_labelled = sample(labelled.len(), &mut rng);
        for ((_, [all, inside]), volume) in self.channels.iter_mut().zip(&case.channels) {
            all.extend(of_all.iter().map(|&at| f64::from(volume.voxels[at])));
            inside.extend(
                of_labelled
                    .iter()
                    .map(|&at| f64::from(volume.voxels[labelled[at]])),
            );
        }
        self.grids.push(grid);
    }

    /// What the cases are like together.
    ///
    /// # Panics
    /// Without a case.
    pub fn finish(self) -> Fingerprint {
        assert!(!self.grids.is_empty(), "a fingerprint of no case");
        let shapes: Vec<[f64; 3]> = self
            .grids
            .iter()
            .map(|grid| grid.shape.map(|edge| edge as f64))
            .collect();
        let spacings: Vec<[f64; 3]> = self.grids.iter().map(|grid| grid.spacing_mm).collect();
        let num_voxels: f64 = shapes
            .iter()
            .map(|shape| shape.iter().product::<f64>())
            .sum();
        let label_facts = |((value, name), sizes): ((u8, String), Vec<(usize, f64)>)| {
            let present: Vec<(usize, f64)> = sizes
                .into_iter()
                .filter(|(voxels, _)| *voxels > 0)
                .collect();
            let median = |size: fn(&(usize, f64)) -> f64| {
                let mut sizes: Vec<f64> = present.iter().map(size).collect();
                sizes.sort_unstable_by(f64::total_cmp);
                if sizes.is_empty() {
                    0.0
                } else {
                    quantile(&sizes, 0.5)
                }
            };
            LabelFacts {
                value,
                name,
                num_cases: present.len(),
                median_voxels: median(|size| size.0 as f64),
                median_ml: median(|size| size.1),
                share: present.iter().map(|size| size.0 as f64).sum::<f64>() / num_voxels,
            }
        };
        Fingerprint {
            num_cases: self.grids.len(),
            shape: Spread3::of(&shapes),
            spacing_mm: Spread3::of(&spacings),
            orientations: self.orientations,
            channels: self
                .channels
                .into_iter()
                .map(|(name, [all, inside])| ChannelFacts {
                    name,
                    overall: Intensities::of(all).expect("a case has voxels"),
                    labelled: Intensities::of(inside),
                })
                .collect(),
            labels: self
                .labels
                .into_iter()
                .zip(self.sizes)
                .map(label_facts)
                .collect(),
            grids: self.grids,
        }
    }
}

/// Indices below `count`: all, or [`SAMPLE`] drawn at random where there are more.
fn sample(count: usize, rng: &mut StdRng) -> Vec<usize> {
    if count <= SAMPLE {
        return (0..count).collect();
    }
    (0..SAMPLE).map(|_| rng.random_range(0..count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::{Affine, LabelMap, Volume};

    fn case(shape_xyz: [usize; 3], spacing_xyz_mm: [f64; 3], labelled: usize) -> RawCase {
        let [x, y, z] = shape_xyz;
        let count = x * y * z;
        let affine = Affine::from_spacing_mm(spacing_xyz_mm);
        let shape = [z, y, x];
        RawCase {
            channels: vec![Volume {
                voxels: (0..count).map(|i| i as f32).collect(),
                shape,
                affine,
            }],
            reference: LabelMap {
                labels: (0..count).map(|i| 2 * u8::from(i < labelled)).collect(),
                shape,
                affine,
            },
        }
    }

    fn labels() -> Vec<(u8, String)> {
        [(0, "background"), (1, "never"), (2, "box")]
            .map(|(value, name)| (value, name.to_owned()))
            .to_vec()
    }

    /// By hand: three cases of 1000, 1000 and 2000 voxels, of which 10, 0 and 30 are labelled.
    #[test]
    fn sizes_of_labels_are_those_where_they_occur() {
        let mut survey = Survey::new(&["CT".into()], &labels());
        survey.add(&case([10, 10, 10], [1.0, 1.0, 1.0], 10));
        survey.add(&case([10, 10, 10], [1.0, 1.0, 1.0], 0));
        survey.add(&case([10, 10, 20], [1.0, 2.0, 5.0], 30));
        let fingerprint = survey.finish();
        assert_eq!(fingerprint.num_cases, 3);
        assert_eq!(fingerprint.labels[1].num_cases, 0);
        let found = &fingerprint.labels[2];
        assert_eq!((found.value, found.num_cases), (2, 2));
        assert_eq!(found.median_voxels, 20.0);
        // 10 mm³ and 300 mm³.
        assert!((found.median_ml - 0.155).abs() < 1e-12);
        assert!((found.share - 0.01).abs() < 1e-12);
        assert_eq!(fingerprint.spacing_mm.median, [1.0, 1.0, 1.0]);
        assert_eq!(fingerprint.spacing_mm.max, [1.0, 2.0, 5.0]);
        assert_eq!(fingerprint.shape.max, [10.0, 10.0, 20.0]);
        assert_eq!(fingerprint.orientations["RAS"], 3);
    }

    #[test]
    fn axes_are_those_of_the_body_not_of_the_file() {
        let mut turned = case([4, 6, 8], [1.0, 2.0, 3.0], 1);
        // The file's x runs to anterior, y to left, z to superior.
        let affine = Affine([
            [0.0, -2.0, 0.0, 0.0],
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 0.0, 3.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        turned.channels[0].affine = affine;
        let mut survey = Survey::new(&["MR".into()], &labels());
        survey.add(&turned);
        let fingerprint = survey.finish();
        assert_eq!(fingerprint.orientations["ALS"], 1);
        assert_eq!(fingerprint.grids[0].shape, [6, 4, 8]);
        assert_eq!(fingerprint.grids[0].spacing_mm, [2.0, 1.0, 3.0]);
    }

    /// By hand: of 0 … 999 the labelled are 0 … 99.
    #[test]
    fn intensities_are_of_all_voxels_and_of_the_labelled() {
        let mut survey = Survey::new(&["CT".into()], &labels());
        survey.add(&case([10, 10, 10], [1.0; 3], 100));
        let channel = &survey.finish().channels[0];
        assert_eq!(channel.overall.mean, 499.5);
        assert_eq!(channel.overall.median, 499.5);
        let labelled = channel.labelled.as_ref().unwrap();
        assert_eq!(labelled.mean, 49.5);
        assert!((labelled.low - 0.495).abs() < 1e-9 && (labelled.high - 98.505).abs() < 1e-9);
        // Clipped to 40 … 60: 41 times 40, 19 values between, 40 times 60, mean 50 less a half of a hundredth.
        let (mean, _) = labelled.clipped(40.0, 60.0);
        assert!(
            (mean - (41.0 * 40.0 + (41..60).sum::<i32>() as f64 + 40.0 * 60.0) / 100.0).abs()
                < 1e-9
        );
    }

    #[test]
    fn a_large_case_is_sampled_the_same_again() {
        let facts = || {
            let mut survey = Survey::new(&["CT".into()], &labels());
            survey.add(&case([40, 40, 40], [1.0; 3], 100));
            survey.finish().channels.remove(0)
        };
        let facts = [facts(), facts()];
        assert_eq!(facts[0].overall, facts[1].overall);
        assert_eq!(facts[0].overall.values.len(), SAMPLE);
        assert_eq!(facts[0].labelled.as_ref().unwrap().values.len(), 100);
        // The middle of 0 … 63999, within what a sample of 4096 can say (4 standard errors).
        let error = facts[0].overall.mean - 31999.5;
        assert!(error.abs() < 4.0 * 18475.0 / 64.0, "{error}");
    }
}
