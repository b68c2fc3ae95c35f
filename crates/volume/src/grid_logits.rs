//! Logits on the model grid, and what they are at the scan's own voxels.

use crate::{GridError, Labelling, Likelihood, ModelGrid};
use std::ops::Range;

/// Logits of all classes on a model grid, which are interpolated to the scan's own voxels.
#[derive(Clone, Copy, Debug)]
pub struct GridLogits<'a> {
    /// The model grid, and the way back.
    pub grid: &'a ModelGrid,
    /// `[class, slice, row, column]` of some slices each, which fill the model grid.
    pub portions: &'a [Vec<f32>],
    /// How many.
    pub num_classes: usize,
    /// What the scan's brightness says beside them.
    pub likelihood: Option<&'a Likelihood>,
}

impl<'a> GridLogits<'a> {
    /// The class with the highest logit at each voxel of the scan, the lower one of equals.
    ///
    /// # Shapes
    /// `[z, y, x]` on the file grid
    ///
    /// # Errors
    /// Those of [`Labelling::new`], [`Labelling::add`] and [`Labelling::finish`].
    pub fn labels(self) -> Result<Vec<u8>, GridError> {
        let mut labelling = self.labelling(0..self.num_classes)?;
        for portion in self.portions {
            labelling.add(portion)?;
        }
        labelling.finish()
    }

    /// Hands out the logits of all classes at each voxel of the scan that the grid covers.
    ///
    /// # Shapes
    /// `each` takes the voxel's index in the scan's memory and `[class]`.
    ///
    /// # Errors
    /// Those of [`GridLogits::labels`].
    pub fn each_voxel(self, mut each: impl FnMut(usize, &[f32])) -> Result<(), GridError> {
        let (plane, columns) = (self.grid.plane(), self.grid.oriented[2]);
        let mut of_voxel = vec![0.0; self.num_classes];
        self.each_slice(|slice, logits| {
            for place in 0..plane {
                for (class, logit) in of_voxel.iter_mut().enumerate() {
                    *logit = logits[class * plane + place];
                }
                let at = [slice, place / columns, place % columns];
                each(self.grid.memory_index(at) as usize, &of_voxel);
            }
        })
    }

    /// Hands out the logits of all classes at the scan's own voxels, a slice of the model's axis order at a time.
    ///
    /// # Shapes
    /// `each` takes the slice and `[class, row, column]`.
    ///
    /// # Errors
    /// Those of [`GridLogits::labels`].
    pub(crate) fn each_slice(self, mut each: impl FnMut(usize, &[f32])) -> Result<(), GridError> {
        let plane = self.grid.plane();
        let mut of_slice = vec![0.0; self.num_classes * plane];
        let mut labelling = self.labelling(0..self.num_classes)?;
        for portion in self.portions {
            labelling.add_with(portion, |slice, class, logits| {
                of_slice[class * plane..][..plane].copy_from_slice(logits);
                if class + 1 == self.num_classes {
                    each(slice, &of_slice);
                }
                Ok::<_, GridError>(())
            })?;
        }
        labelling.finish().map(|_| ())
    }

    /// Hands out the logits of one class at the scan's own voxels.
    ///
    /// # Shapes
    /// `each` takes the slice in the model's axis order and `[row, column]`.
    ///
    /// # Errors
    /// Those of [`GridLogits::labels`].
    pub(crate) fn each_slice_of(
        self,
        class: usize,
        mut each: impl FnMut(usize, &[f32]),
    ) -> Result<(), GridError> {
        let mut labelling = self.labelling(class..class + 1)?;
        for portion in self.portions {
            let of_class = portion.len() / self.num_classes;
            let logits = &portion[class * of_class..][..of_class];
            labelling.add_with(logits, |slice, _, logits| {
                each(slice, logits);
                Ok::<_, GridError>(())
            })?;
        }
        labelling.finish().map(|_| ())
    }

    fn labelling(self, classes: Range<usize>) -> Result<Labelling<'a>, GridError> {
        let labelling = Labelling::new(self.grid, classes.len())?;
        match self.likelihood {
            Some(likelihood) => labelling.with(likelihood, classes.start),
            None => Ok(labelling),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Affine, LEVELS, Orientation};

    const SHAPE: [usize; 3] = [3, 4, 5];

    /// On coarser grids in all orders of axes, each with numbers of its own and brightness that is the voxel's index in memory.
    fn each_grid(check: impl Fn(GridLogits, Orientation)) {
        let affine = Affine::from_spacing_mm([1.0, 2.0, 3.0]);
        for orientation in Orientation::all() {
            let grid = ModelGrid::new(SHAPE, &affine, orientation, Some([1.7; 3])).unwrap();
            let count = grid.shape().iter().product::<usize>();
            let portions = [(0..3 * count).map(|i| (i * 7919 % 1009) as f32).collect()];
            let brightness: Vec<f32> = (0..60).map(|i| i as f32).collect();
            let levels = grid.orient(&brightness).into_iter().map(|l| l as u8);
            let mut of_class = vec![[0.0; LEVELS]; 3];
            for (class, numbers) in of_class.iter_mut().enumerate() {
                for (level, number) in numbers.iter_mut().enumerate() {
                    *number = ((level * 31 + class * 17) % 1009) as f32;
                }
            }
            let likelihood = Likelihood::new(levels.collect(), of_class);
            for likelihood in [None, Some(&likelihood)] {
                let logits = GridLogits {
                    grid: &grid,
                    portions: &portions,
                    num_classes: 3,
                    likelihood,
                };
                check(logits, orientation);
            }
        }
    }

    #[test]
    fn the_class_that_wins_at_each_voxel_is_its_label() {
        each_grid(|logits, orientation| {
            let labels = logits.labels().unwrap();
            let mut found = vec![9u8; labels.len()];
            let each = logits.each_voxel(|voxel, logits| {
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                found[voxel] = logits.iter().position(|logit| *logit == most).unwrap() as u8;
            });
            each.unwrap();
            assert!(found == labels, "{orientation}");
        });
    }

    /// Each class by itself as all together, and brightness adds what its own voxel's step says.
    #[test]
    fn a_voxels_own_brightness_counts() {
        each_grid(|logits, orientation| {
            let all = |logits: GridLogits| {
                let mut found = vec![[0.0; 3]; 60];
                let each = logits.each_voxel(|voxel, of| found[voxel].copy_from_slice(of));
                each.unwrap();
                found
            };
            let plain = all(GridLogits {
                likelihood: None,
                ..logits
            });
            for (voxel, (found, plain)) in all(logits).iter().zip(&plain).enumerate() {
                for class in 0..3 {
                    let more = ((voxel * 31 + class * 17) % 1009) as f32;
                    let more = logits.likelihood.map_or(0.0, |_| more);
                    assert_eq!(found[class], plain[class] + more, "{orientation}");
                }
            }
            for class in 0..3 {
                let mut alone = Vec::new();
                let each = logits.each_slice_of(class, |_, of| alone.extend_from_slice(of));
                each.unwrap();
                let mut together = Vec::new();
                let each = logits.each_slice(|_, of| {
                    together.extend_from_slice(&of[class * of.len() / 3..][..of.len() / 3]);
                });
                each.unwrap();
                assert_eq!(alone, together, "{orientation}");
            }
        });
    }

    #[test]
    fn brightness_of_another_scan_is_refused() {
        each_grid(|logits, _| {
            let likelihood = Likelihood::new(vec![0; 59], vec![[0.0; LEVELS]; 3]);
            let other = GridLogits {
                likelihood: Some(&likelihood),
                ..logits
            };
            assert!(matches!(other.labels(), Err(GridError::Count { .. })));
        });
    }
}
