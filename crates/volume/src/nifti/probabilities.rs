//! Probabilities of labels at a scan's voxels, from logits on the model grid; a file of four dimensions, a volume at a time.

use std::io::{self, Write};

use super::header::field;
use crate::statistics::most_and_sum_of_each;
use crate::{Datatype, GridError, GridLogits, MidPlane, Scan, ScanError};

/// How fine probabilities are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 255 steps.
    Bits8,
    /// 65535 steps.
    Bits16,
}

impl Depth {
    fn datatype(self) -> Datatype {
        match self {
            Self::Bits8 => Datatype::Uint8,
            Self::Bits16 => Datatype::Uint16,
        }
    }

    fn steps(self) -> f32 {
        match self {
            Self::Bits8 => 255.0,
            Self::Bits16 => 65535.0,
        }
    }
}

/// Why probabilities can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProbabilityError {
    /// The place they are written to failed.
    #[error("writing probabilities: {0}")]
    Write(io::Error),
    /// Of the grid that they come on.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Of the file's header.
    #[error(transparent)]
    Scan(#[from] ScanError),
}

// No `#[from]`: the error would be its source too, and be said twice.
impl From<io::Error> for ProbabilityError {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

/// What a network's logits say of each voxel of a scan.
///
/// They are interpolated as for labels, and of the sum over all classes its logarithm is kept: five bytes a voxel, whatever the
/// number of classes. No postprocessing changes them.
#[derive(Debug)]
pub struct Probabilities<'a> {
    logits: GridLogits<'a>,
    /// Value of each class, 0 for background.
    classes: &'a [u8],
    /// Logarithm of the sum of all classes' exponentials, in the model's axis order at the scan's voxels.
    log_sums: Vec<f32>,
    /// Probability of the class that wins, in 255 steps, in the same order.
    certainty: Vec<u8>,
}

impl<'a> Probabilities<'a> {
    /// Of the logits of all classes; `classes` is the value of each.
    ///
    /// # Errors
    /// Those of [`GridLogits::labels`].
    pub fn new(logits: GridLogits<'a>, classes: &'a [u8]) -> Result<Self, GridError> {
        let grid = logits.grid;
        let plane = grid.plane();
        let voxels = grid.oriented[0] * plane;
        let (mut log_sums, mut certainty) =
            (Vec::with_capacity(voxels), Vec::with_capacity(voxels));
        logits.each_slice(|_, slice| {
            for (most, sum) in most_and_sum_of_each(slice, plane) {
                log_sums.push(most + sum.ln());
                certainty.push((255.0 / sum).round() as u8);
            }
        })?;
        Ok(Self {
            logits,
            classes,
            log_sums,
            certainty,
        })
    }

    /// Probability of the class that wins at each voxel, in 255 steps; 255, background for certain, where the grid does not
    /// reach.
    ///
    /// # Shapes
    /// `[z, y, x]` of the scan
    pub fn certainty(&self) -> Vec<u8> {
        let mut map = vec![255; self.logits.grid.file_voxels()];
        for (i, steps) in self.certainty.iter().enumerate() {
            map[self.memory_index(i)] = *steps;
        }
        map
    }

    /// Writes the probability of each of `labels`, a volume each in this order: an uncompressed `.nii` file with the scan's own
    /// header and geometry, unsigned whole numbers scaled by 1/255 or 1/65535. What is missing to 1 is background.
    ///
    /// A structure of which the network does not say the side is parted by `sides`, a plane and pairs of left and right values as
    /// for [`MidPlane::part`]: of its probability the right value has what lies on the right, and the left value what does not.
    ///
    /// # Errors
    /// [`ProbabilityError`].
    ///
    /// # Panics
    /// For a grid of another scan, or no label.
    pub fn write(
        &self,
        scan: &Scan,
        labels: &[u8],
        sides: Option<(&MidPlane, &[[u8; 2]])>,
        depth: Depth,
        description: &str,
        mut file: impl Write,
    ) -> Result<(), ProbabilityError> {
        let shape = scan.grid_shape();
        assert_eq!(
            shape.iter().product::<usize>(),
            self.logits.grid.file_voxels(),
            "voxels of grid and scan"
        );
        assert!(!labels.is_empty(), "no label");
        let mut header = scan.header.clone();
        header.put_volumes(shape, labels.len());
        let step = 1.0 / f64::from(depth.steps());
        header.put_storage(depth.datatype(), Some((step, 0.0)));
        header.put_real(field::CAL_MAX, 0, 1.0);
        header.put_real(field::CAL_MIN, 0, 0.0);
        header.put_description(description);
        file.write_all(&header.begin_file(0)?)?;
        let affine = scan.affine();
        let is_right = |plane: &MidPlane, voxel| plane.is_right(&affine, voxel, shape);
        let class_of = |value: u8| self.classes.iter().position(|class| *class == value);
        for &label in labels {
            let pairs = sides.into_iter().flat_map(|(plane, pairs)| {
                let mut pairs = pairs.iter();
                pairs
                    .find(|pair| pair.contains(&label))
                    .map(|pair| (plane, pair))
            });
            let volume = match pairs.last() {
                Some((plane, &[left, right])) if class_of(right).is_none() => {
                    let mut volume = self.volume(class_of(left), depth)?;
                    for (voxel, steps) in volume.iter_mut().enumerate() {
                        if *steps > 0 && is_right(plane, voxel) != (label == right) {
                            *steps = 0;
                        }
                    }
                    volume
                }
                _ => self.volume(class_of(label), depth)?,
            };
            let bytes: Vec<u8> = match depth {
                Depth::Bits8 => volume.iter().map(|steps| *steps as u8).collect(),
                Depth::Bits16 if header.is_big_endian() => volume
                    .iter()
                    .flat_map(|steps| steps.to_be_bytes())
                    .collect(),
                Depth::Bits16 => volume
                    .iter()
                    .flat_map(|steps| steps.to_le_bytes())
                    .collect(),
            };
            file.write_all(&bytes)?;
        }
        Ok(file.flush()?)
    }

    /// Probability of a class, `[z, y, x]` of the scan; nothing of no class.
    fn volume(&self, class: Option<usize>, depth: Depth) -> Result<Vec<u16>, GridError> {
        let mut volume = vec![0; self.logits.grid.file_voxels()];
        let Some(class) = class else {
            return Ok(volume);
        };
        let plane = self.logits.grid.plane();
        self.logits.each_slice_of(class, |slice, logits| {
            let sums = &self.log_sums[slice * plane..][..plane];
            for (i, (logit, log_sum)) in logits.iter().zip(sums).enumerate() {
                let steps = ((logit - log_sum).exp() * depth.steps()).round() as u16;
                volume[self.memory_index(slice * plane + i)] = steps;
            }
        })?;
        Ok(volume)
    }

    /// In the scan's memory, of a voxel in the model's axis order.
    fn memory_index(&self, voxel: usize) -> usize {
        let [_, rows, columns] = self.logits.grid.oriented;
        let place = [
            voxel / (rows * columns),
            voxel / columns % rows,
            voxel % columns,
        ];
        self.logits.grid.memory_index(place) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nifti::fixture::Made;
    use crate::random::SplitMix64;
    use crate::{Affine, Format, Labelling, ModelGrid, Orientation, Region, Volume};

    const SHAPE: [usize; 3] = [4, 3, 5];

    fn scan(affine: Affine) -> Scan {
        let volume = Volume {
            voxels: vec![0.0; SHAPE.iter().product()],
            shape: SHAPE,
            affine,
        };
        Scan::of_volume(Format::Dicom, &volume, Vec::new())
    }

    fn on<'a>(grid: &'a ModelGrid, portions: &'a [Vec<f32>], num_classes: usize) -> GridLogits<'a> {
        GridLogits {
            grid,
            portions,
            num_classes,
            likelihood: None,
        }
    }

    fn logits(count: usize) -> Vec<f32> {
        let mut random = SplitMix64::new(9);
        (0..count)
            .map(|_| 12.0 * random.next_f64() as f32 - 6.0)
            .collect()
    }

    /// Labels, and the file of two of them; logits come in portions of so many slices.
    fn write(
        scan: &Scan,
        grid: &ModelGrid,
        logits: &[f32],
        depth: Depth,
        at_once: usize,
    ) -> (Vec<u8>, Vec<u8>) {
        let [slices, rows, columns] = grid.shape();
        let plane = rows * columns;
        let firsts: Vec<usize> = (0..slices).step_by(at_once).collect();
        let portion = |first: usize| {
            let count = at_once.min(slices - first);
            let of_class =
                |class: usize| &logits[(class * slices + first) * plane..][..count * plane];
            [0, 1, 2].map(of_class).concat()
        };
        let portions: Vec<Vec<f32>> = firsts.into_iter().map(portion).collect();
        let mut labelling = Labelling::new(grid, 3).unwrap();
        portions
            .iter()
            .for_each(|portion| labelling.add(portion).unwrap());
        // Classes in another order than their labels.
        let found = Probabilities::new(on(grid, &portions, 3), &[0, 7, 5]).unwrap();
        let mut file = Vec::new();
        found
            .write(scan, &[5, 7], None, depth, "test", &mut file)
            .unwrap();
        (labelling.finish().unwrap(), file)
    }

    #[test]
    fn every_voxel_has_its_probability_in_all_orders_of_axes_and_any_portions() {
        let affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        let scan = scan(affine);
        let logits = logits(3 * 60);
        for (round, orientation) in Orientation::all().enumerate() {
            let grid = ModelGrid::new(SHAPE, &affine, orientation, None).unwrap();
            let [slices, rows, columns] = grid.shape();
            for (depth, within) in [(Depth::Bits8, 0.5 / 255.0), (Depth::Bits16, 0.5 / 65535.0)] {
                let (_, file) = write(&scan, &grid, &logits, depth, 1 + round % 5);
                let found = Scan::open(&file, None).unwrap();
                assert_eq!((found.shape(), found.affine()), (&[5, 3, 4, 2][..], affine));
                let volumes = found.volumes().unwrap();
                for i in 0..60 {
                    let place = [i / (rows * columns), i / columns % rows, i % columns];
                    assert!(place[0] < slices);
                    let at = |class: usize| f64::from(logits[class * 60 + i]).exp();
                    let sum: f64 = (0..3).map(at).sum();
                    let voxel = grid.memory_index(place) as usize;
                    // Label 5 is the third class, 7 the second.
                    for (volume, class) in volumes.iter().zip([2, 1]) {
                        let off = f64::from(volume.voxels[voxel]) - at(class) / sum;
                        assert!(off.abs() < within + 1e-6, "{orientation} {off}");
                    }
                }
            }
        }
    }

    /// A region's probabilities lie in the whole scan's places, and there are none beside it.
    #[test]
    fn a_regions_probabilities_lie_in_the_whole() {
        let affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        let whole = Scan::of_volume(
            Format::Dicom,
            &Volume {
                voxels: vec![0.0; 6 * 7 * 8],
                shape: [6, 7, 8],
                affine,
            },
            Vec::new(),
        );
        let region = Region {
            ranges: [1..5, 2..5, 3..8],
        };
        assert_eq!(region.shape(), SHAPE);
        let logits = logits(3 * 60);
        for (round, orientation) in Orientation::all().enumerate() {
            let grid = ModelGrid::new(SHAPE, &affine, orientation, None).unwrap();
            let (part, file) = write(&scan(affine), &grid, &logits, Depth::Bits8, 2);
            let of_part = Scan::open(&file, None).unwrap().volumes().unwrap();
            let within = grid.within(&region, [6, 7, 8]);
            let (labels, file) = write(&whole, &within, &logits, Depth::Bits8, 1 + round % 4);
            let of_whole = Scan::open(&file, None).unwrap().volumes().unwrap();
            let mut expected = vec![0; 6 * 7 * 8];
            for (row, labels) in region.rows([6, 7, 8]).zip(part.chunks(5)) {
                expected[row].copy_from_slice(labels);
            }
            assert_eq!(labels, expected, "{orientation}");
            for (found, part) in of_whole.iter().zip(&of_part) {
                let mut expected = vec![0.0; 6 * 7 * 8];
                for (row, values) in region.rows([6, 7, 8]).zip(part.voxels.chunks(5)) {
                    expected[row].copy_from_slice(values);
                }
                assert_eq!(found.voxels, expected, "{orientation}");
            }
            let all = [logits.clone()];
            let certainty = |grid: &ModelGrid| {
                Probabilities::new(on(grid, &all, 3), &[0, 7, 5])
                    .unwrap()
                    .certainty()
            };
            let mut expected = vec![255; 6 * 7 * 8];
            for (row, values) in region.rows([6, 7, 8]).zip(certainty(&grid).chunks(5)) {
                expected[row].copy_from_slice(values);
            }
            assert_eq!(certainty(&within), expected, "{orientation}");
        }
    }

    /// On a coarser and a finer grid too.
    #[test]
    fn the_most_probable_is_the_label() {
        let affine = Affine::from_spacing_mm([-1.0, 2.0, 3.0]);
        let scan = scan(affine);
        for target in [[2.0, 2.0, 2.0], [1.0, 1.5, 0.7]] {
            let grid = ModelGrid::new(SHAPE, &affine, Orientation::RAS, Some(target)).unwrap();
            let logits = logits(3 * grid.shape().iter().product::<usize>());
            let (labels, file) = write(&scan, &grid, &logits, Depth::Bits16, 2);
            let volumes = Scan::open(&file, None).unwrap().volumes().unwrap();
            for (i, label) in labels.into_iter().enumerate() {
                let [third, second] = [0, 1].map(|volume: usize| volumes[volume].voxels[i]);
                let all = [1.0 - second - third, second, third];
                let most = all.into_iter().fold(0.0, f32::max);
                assert!(all[usize::from(label)] > most - 1e-4, "{all:?} {label}");
            }
        }
    }

    #[test]
    fn the_file_keeps_its_scans_header_and_byte_order() {
        for version in [1, 2] {
            for big_endian in [false, true] {
                let mut made = Made::new(version, big_endian);
                made.set("dim", &[5.0, 3.0, 2.0, 1.0, 1.0, 2.0]);
                let scan = Scan::open(&made.single(), None).unwrap();
                let grid =
                    ModelGrid::new([1, 2, 3], &scan.affine(), Orientation::RAS, None).unwrap();
                let logits: Vec<f32> = [0.0f32, 1.0, 2.0].repeat(6);
                let (_, file) = write(&scan, &grid, &logits, Depth::Bits16, 1);
                let found = Scan::open(&file, None).unwrap();
                assert_eq!(found.format(), scan.format());
                assert_eq!(
                    (found.affine(), found.form_codes()),
                    (scan.affine(), scan.form_codes())
                );
                assert_eq!(
                    (found.shape(), found.datatype_name()),
                    (&[3, 2, 1, 2][..], "uint16")
                );
                assert!(found.values().all(|value| (0.0..1.0).contains(&value)));
                assert!((found.values().sum::<f64>() - 4.0).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_structure_without_a_side_is_parted_by_the_plane() {
        let mut affine = Affine::from_spacing_mm([-1.0, 2.0, 3.0]);
        affine.0[0][3] = 2.0;
        let scan = scan(affine);
        let grid = ModelGrid::new(SHAPE, &affine, Orientation::RAS, None).unwrap();
        let logits = [[0.0; 60], [40.0; 60], [0.0; 60]].concat();
        let portions = [logits];
        let found = Probabilities::new(on(&grid, &portions, 3), &[0, 2, 9]).unwrap();
        let plane = MidPlane {
            normal: [1.0, 0.0, 0.0],
            offset_mm: 0.5,
        };
        let mut file = Vec::new();
        let sides = Some((&plane, &[[2, 41], [3, 42]][..]));
        found
            .write(&scan, &[2, 9, 41], sides, Depth::Bits8, "", &mut file)
            .unwrap();
        let volumes = Scan::open(&file, None).unwrap().volumes().unwrap();
        for i in 0..60 {
            // x from 2 to -2 mm.
            let is_right = i % 5 < 2;
            assert_eq!(volumes[0].voxels[i], f32::from(!is_right));
            assert_eq!(volumes[1].voxels[i], 0.0);
            assert_eq!(volumes[2].voxels[i], f32::from(is_right));
        }
    }

    /// By hand: of two classes one apart, and of two equal ones.
    #[test]
    fn certainty_is_the_winners_probability() {
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let grid = ModelGrid::new([1, 1, 2], &affine, "SAR".parse().unwrap(), None).unwrap();
        let portions = [vec![0.0, 3.0, 1.0, 3.0]];
        let found = Probabilities::new(on(&grid, &portions, 2), &[0, 1]).unwrap();
        let share = 1.0 / (1.0 + (-1.0f32).exp());
        assert_eq!(found.certainty(), [(255.0 * share).round() as u8, 128]);
    }

    #[test]
    fn all_slices_are_needed() {
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let grid = ModelGrid::new(SHAPE, &affine, Orientation::RAS, None).unwrap();
        let portions = [vec![0.0; 2 * 12]];
        let error = Probabilities::new(on(&grid, &portions, 2), &[0, 1]).unwrap_err();
        assert!(matches!(error, GridError::Count { .. }), "{error}");
    }
}
