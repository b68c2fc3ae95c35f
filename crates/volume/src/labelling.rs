//! From logits on the model grid to the labels of a scan's voxels, a few slices at a time.

use crate::{AxisWeights, GridError, Likelihood, ModelGrid};

/// Labels of a scan's voxels, made while the logits of the model grid come in: they are interpolated to the file grid, and
/// the class with the highest wins, the lower one of equals.
///
/// Of the logits one slice is kept, so that a scan needs no more memory than its labels and what comes in at once.
#[derive(Debug)]
pub struct Labelling<'a> {
    grid: &'a ModelGrid,
    num_classes: usize,
    /// What is added to interpolated logits, and which of its classes the first of them is.
    likelihood: Option<(&'a Likelihood, usize)>,
    back: [AxisWeights; 3],
    /// Logits of the slice that came last, `[class, row, column]`.
    last: Vec<f32>,
    /// Slices of the model grid that have come.
    received: usize,
    /// Slices of the scan, in the model's axis order, that have labels.
    labelled: usize,
    labels: Vec<u8>,
}

impl<'a> Labelling<'a> {
    /// Of a scan whose grid this is, before any logit.
    ///
    /// # Errors
    /// [`GridError::Classes`] for no class or more than 256.
    pub fn new(grid: &'a ModelGrid, num_classes: usize) -> Result<Self, GridError> {
        if !(1..=256).contains(&num_classes) {
            return Err(GridError::Classes { found: num_classes });
        }
        let back = [0, 1, 2].map(|axis| AxisWeights::new(grid.shape()[axis], grid.oriented[axis]));
        Ok(Self {
            grid,
            num_classes,
            likelihood: None,
            back,
            last: Vec::new(),
            received: 0,
            labelled: 0,
            labels: vec![0; grid.file_voxels()],
        })
    }

    /// The same with what the scan's brightness says, of which the first class that comes is number `first`.
    ///
    /// # Errors
    /// [`GridError::Count`] for another number of voxels or too few classes.
    pub fn with(self, likelihood: &'a Likelihood, first: usize) -> Result<Self, GridError> {
        let [voxels, classes] = likelihood.size();
        let expected = self.grid.oriented.iter().product();
        if voxels != expected || classes < first + self.num_classes {
            return Err(GridError::Count {
                expected,
                got: voxels,
            });
        }
        Ok(Self {
            likelihood: Some((likelihood, first)),
            ..self
        })
    }

    /// Takes the logits of the next slices and labels what lies between them.
    ///
    /// # Shapes
    /// `logits` is `[class, slice, row, column]` on the model grid, of as many slices as there are.
    ///
    /// # Errors
    /// [`GridError::Logit`] if one is NaN or infinite, [`GridError::Count`] if they are no whole slices, or more than the
    /// grid has.
    pub fn add(&mut self, logits: &[f32]) -> Result<(), GridError> {
        self.add_with(logits, |_, _, _| Ok(()))
    }

    /// As [`Labelling::add`]; `each` is told the logits at the scan's own voxels, class after class of each slice that is
    /// labelled.
    ///
    /// # Shapes
    /// `each` takes the slice in the model's axis order, the class, and `[row, column]`.
    ///
    /// # Errors
    /// Those of [`Labelling::add`] and of `each`; after either no more can be added.
    pub fn add_with<E: From<GridError>>(
        &mut self,
        logits: &[f32],
        mut each: impl FnMut(usize, usize, &[f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let [slices, rows, columns] = self.grid.shape();
        let plane = rows * columns;
        let count = logits.len() / (self.num_classes * plane);
        if logits.len() != count * self.num_classes * plane || self.received + count > slices {
            return Err(self.wrong_count(logits.len()).into());
        }
        if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
            let (class, index) = (at / (count * plane), at % (count * plane));
            return Err(GridError::Logit {
                class,
                voxel: [
                    self.received + index / plane,
                    index / columns % rows,
                    index % columns,
                ],
                value: logits[at],
            }
            .into());
        }
        let slice = |class: usize, index: usize| match index.checked_sub(self.received) {
            Some(index) => &logits[(class * count + index) * plane..][..plane],
            // The upper neighbour had not come yet: this is the last slice of the time before.
            None => &self.last[class * plane..][..plane],
        };
        let [_, oriented_rows, oriented_columns] = self.grid.oriented;
        let mut best = vec![0.0f32; oriented_rows * oriented_columns];
        let mut winner = vec![0u8; best.len()];
        let (mut mixed, mut tall, mut wide) = (Vec::new(), Vec::new(), Vec::new());
        let mut leaning = Vec::new();
        while self.labelled < self.grid.oriented[0] {
            let [(a, share_a), (b, share_b)] = self.back[0].neighbours(self.labelled);
            if b >= self.received + count {
                break;
            }
            for class in 0..self.num_classes {
                let mut current = slice(class, a);
                if share_b > 0.0 {
                    let pairs = current.iter().zip(slice(class, b));
                    mixed.clear();
                    mixed.extend(pairs.map(|(a, b)| share_a * a + share_b * b));
                    current = &mixed;
                }
                if !self.back[1].is_identity() {
                    self.back[1].apply(current, columns, &mut tall);
                    current = &tall;
                }
                if !self.back[2].is_identity() {
                    self.back[2].apply(current, 1, &mut wide);
                    current = &wide;
                }
                if let Some((likelihood, first)) = self.likelihood {
                    let more = likelihood.of(first + class, self.labelled * best.len());
                    leaning.clear();
                    leaning.extend(current.iter().zip(more).map(|(logit, more)| logit + more));
                    current = &leaning;
                }
                each(self.labelled, class, current)?;
                if class == 0 {
                    best.copy_from_slice(current);
                    winner.fill(0);
                    continue;
                }
                for ((best, winner), &logit) in best.iter_mut().zip(&mut winner).zip(current) {
                    if logit > *best {
                        *best = logit;
                        *winner = class as u8;
                    }
                }
            }
            for (row, winners) in winner.chunks_exact(oriented_columns).enumerate() {
                let mut at = self.grid.memory_index([self.labelled, row, 0]);
                for &label in winners {
                    self.labels[at as usize] = label;
                    at += self.grid.steps[2];
                }
            }
            self.labelled += 1;
        }
        if count > 0 {
            let newest = |class: usize| slice(class, self.received + count - 1);
            self.last = (0..self.num_classes).flat_map(newest).copied().collect();
            self.received += count;
        }
        Ok(())
    }

    /// The label of each voxel from the logits of all classes and slices at once, `[class, slice, row, column]` on the model grid.
    ///
    /// # Errors
    /// Those of [`Labelling::new`], [`Labelling::add`] and [`Labelling::finish`].
    pub fn whole(
        grid: &'a ModelGrid,
        logits: &[f32],
        num_classes: usize,
    ) -> Result<Vec<u8>, GridError> {
        let mut labelling = Self::new(grid, num_classes)?;
        labelling.add(logits)?;
        labelling.finish()
    }

    /// The label of each voxel, `[z, y, x]` on the file grid.
    ///
    /// # Errors
    /// [`GridError::Count`] if slices are still to come.
    pub fn finish(self) -> Result<Vec<u8>, GridError> {
        if self.received < self.grid.shape()[0] {
            return Err(self.wrong_count(0));
        }
        Ok(self.labels)
    }

    fn wrong_count(&self, got: usize) -> GridError {
        let [slices, rows, columns] = self.grid.shape();
        GridError::Count {
            expected: self.num_classes * (slices - self.received) * rows * columns,
            got,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::tests::grid;

    #[test]
    fn equal_logits_go_to_the_lower_class() {
        let model = grid([1, 1, 2], [1.0; 3], None);
        let labels = Labelling::whole(&model, &[1.0, 0.0, 1.0, 2.0, 0.5, 2.0], 3).unwrap();
        assert_eq!(labels, [0, 1]);
    }

    #[test]
    fn a_logit_that_is_not_finite_is_named() {
        let model = grid([2, 3, 4], [1.0; 3], None);
        let mut logits = vec![0.0; 2 * 24];
        logits[24 + 6 + 2 + 1] = f32::NAN;
        let error = Labelling::whole(&model, &logits, 2).unwrap_err();
        assert!(
            matches!(error, GridError::Logit { class: 1, voxel: [1, 1, 1], value } if value.is_nan()),
            "{error}"
        );
        assert!(matches!(
            Labelling::whole(&model, &logits[1..], 2),
            Err(GridError::Count {
                expected: 48,
                got: 47
            })
        ));
        assert!(Labelling::whole(&model, &[], 0).is_err());
    }

    /// The way back slice by slice equals trilinear interpolation of each class as a whole.
    #[test]
    fn logits_are_interpolated_not_labels() {
        let model = grid([9, 7, 5], [1.2, 0.9, 2.0], Some([2.0, 1.0, 1.0]));
        assert_eq!(model.shape(), [3, 6, 18]);
        let voxels: usize = model.shape().iter().product();
        let logits: Vec<f32> = (0..3 * voxels)
            .map(|i| ((i * 7919) % 1013) as f32 / 1013.0)
            .collect();
        let labels = Labelling::whole(&model, &logits, 3).unwrap();
        let at = |class: usize, file: [usize; 3]| {
            // file is x, y, z = model's axis order here.
            let mut sum = 0.0f64;
            let axes: Vec<[(usize, f32); 2]> = (0..3)
                .map(|a| AxisWeights::new(model.shape()[a], model.oriented[a]).neighbours(file[a]))
                .collect();
            for (d, wd) in axes[0] {
                for (h, wh) in axes[1] {
                    for (w, ww) in axes[2] {
                        let index = ((class * 3 + d) * 6 + h) * 18 + w;
                        sum += f64::from(wd * wh * ww) * f64::from(logits[index]);
                    }
                }
            }
            sum
        };
        for z in 0..9 {
            for y in 0..7 {
                for x in 0..5 {
                    let found = [0, 1, 2].map(|class| at(class, [x, y, z]));
                    let label = usize::from(labels[(z * 7 + y) * 5 + x]);
                    let most = found.iter().copied().fold(f64::MIN, f64::max);
                    assert!(found[label] > most - 1e-6, "{found:?} {label}");
                }
            }
        }
    }

    /// Finer and coarser grids, and slices that come one by one, by threes, and all at once.
    #[test]
    fn slices_may_come_in_any_portions() {
        for target in [[0.7, 1.0, 1.0], [2.0, 1.0, 1.5], [1.2, 0.9, 2.0]] {
            let model = grid([9, 7, 11], [1.2, 0.9, 2.0], Some(target));
            let plane: usize = model.shape()[1..].iter().product();
            let slices = model.shape()[0];
            let logits: Vec<f32> = (0..3 * slices * plane)
                .map(|i| ((i * 7919) % 1013) as f32 / 1013.0)
                .collect();
            let whole = Labelling::whole(&model, &logits, 3).unwrap();
            for portion in [1, 3] {
                let mut labelling = Labelling::new(&model, 3).unwrap();
                for first in (0..slices).step_by(portion) {
                    let end = (first + portion).min(slices);
                    let of_class = |class: usize| {
                        &logits[(class * slices + first) * plane..(class * slices + end) * plane]
                    };
                    labelling
                        .add(&(0..3).flat_map(of_class).copied().collect::<Vec<_>>())
                        .unwrap();
                }
                assert_eq!(
                    labelling.finish().unwrap(),
                    whole,
                    "{target:?} by {portion}"
                );
            }
            let mut short = Labelling::new(&model, 3).unwrap();
            short.add(&vec![0.0; 3 * plane]).unwrap();
            assert!(short.finish().is_err());
        }
    }
}
