//! The model grid of one scan: permuted, turned, resampled, and the way back.

use crate::{Affine, AxisWeights, Orientation, Region};

/// Most voxels of a model grid (1 GiB of f32).
const MAX_VOXELS: usize = 1 << 28;

/// Why a scan has no model grid, or logits can't be brought back from it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GridError {
    /// An edge of the volume is 0.
    #[error("the volume is empty: its shape (z, y, x) is {shape:?}")]
    Empty {
        /// `[z, y, x]`.
        shape: [usize; 3],
    },
    /// Shape and number of values disagree.
    #[error("{got} values for a grid of {expected}")]
    Count {
        /// Values that the shape asks for.
        expected: usize,
        /// Values given.
        got: usize,
    },
    /// The affine does not say where voxels are.
    #[error(
        "the scan's affine is flat or not finite, so its voxels have no place in space: {rows:?}"
    )]
    Affine {
        /// First three rows.
        rows: [[f64; 4]; 3],
    },
    /// The model's spacing can't be.
    #[error(
        "the model's preprocessing is wrong: spacingMm is {found:?}, expected is three finite numbers above 0"
    )]
    Spacing {
        /// What was found.
        found: [f64; 3],
    },
    /// The model grid would be enormous.
    #[error(
        "a scan of {shape:?} voxels of {from_mm:?} mm would become {resampled:?} voxels of {to_mm:?} mm; at most {limit} voxels are expected: is the spacing in its header right?"
    )]
    TooLarge {
        /// Voxels of the scan in the model's orientation.
        shape: [usize; 3],
        /// Their edges.
        from_mm: [f64; 3],
        /// Voxels of the model grid.
        resampled: [f64; 3],
        /// Their edges.
        to_mm: [f64; 3],
        /// Most voxels of a model grid.
        limit: usize,
    },
    /// No class, or more than a label map can hold.
    #[error("logits of {found} classes, expected are 1 to 256")]
    Classes {
        /// Classes given.
        found: usize,
    },
    /// The network gave a number that is no number.
    #[error(
        "the network's logit of class {class} at {voxel:?} (slice, row, column) is {value}, not a finite number"
    )]
    Logit {
        /// The class.
        class: usize,
        /// Index on the model grid.
        voxel: [usize; 3],
        /// The logit.
        value: f32,
    },
}

/// Where the voxels of the network's input lie in a scan, and the way back.
///
/// The model grid covers the same box as the scan: along each axis the outer edges coincide and there are
/// `round(n * spacing / target)` voxels, at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelGrid {
    /// Voxels of the scan in the model's axis order.
    pub(crate) oriented: [usize; 3],
    /// Index in the file's memory of the first voxel in the model's axis order.
    start: usize,
    /// Step in the file's memory along each model axis.
    pub(crate) steps: [isize; 3],
    /// Axis of the file along each model axis, 0 for z.
    axes: [usize; 3],
    /// Voxels of the file along `[z, y, x]`; more than the grid's where it is [`within`](Self::within) a larger scan.
    file_shape: [usize; 3],
    shape: [usize; 3],
    spacing_mm: [f64; 3],
}

impl ModelGrid {
    /// The grid of a scan of this shape and affine, its axes running as `orientation` says, its voxels of about
    /// `target_mm`; none keeps the scan's own.
    ///
    /// # Errors
    /// An empty shape, an unusable affine or spacing, a grid of too many voxels.
    pub fn new(
        shape_zyx: [usize; 3],
        affine: &Affine,
        orientation: Orientation,
        target_mm: Option<[f64; 3]>,
    ) -> Result<Self, GridError> {
        if shape_zyx.contains(&0) {
            return Err(GridError::Empty { shape: shape_zyx });
        }
        if !affine.is_invertible() {
            let [x, y, z, _] = affine.0;
            return Err(GridError::Affine { rows: [x, y, z] });
        }
        let [z, y, x] = shape_zyx;
        let (edges, memory_steps) = ([x, y, z], [1, x, x * y]);
        let file_spacing_mm = affine.spacing_mm();
        let axes = affine.orientation().to(orientation);

        let mut start = 0;
        let mut steps = [0; 3];
        for (model_axis, (file_axis, is_turned)) in axes.into_iter().enumerate() {
            let step = memory_steps[file_axis] as isize;
            if is_turned {
                start += (edges[file_axis] - 1) * memory_steps[file_axis];
            }
            steps[model_axis] = if is_turned { -step } else { step };
        }
        let oriented = axes.map(|(file_axis, _)| edges[file_axis]);
        let from_mm = axes.map(|(file_axis, _)| file_spacing_mm[file_axis]);
        let (shape, spacing_mm) = match target_mm {
            None => (oriented, from_mm),
            Some(to_mm) => resampled(oriented, from_mm, to_mm)?,
        };
        Ok(Self {
            oriented,
            start,
            steps,
            axes: axes.map(|(file_axis, _)| 2 - file_axis),
            file_shape: shape_zyx,
            shape,
            spacing_mm,
        })
    }

    /// The grid of a region of a larger scan, this one being that of what was cut out: what is laid into the file's memory
    /// lies in the whole scan's then.
    ///
    /// # Shapes
    /// `whole` is `[z, y, x]`.
    ///
    /// # Panics
    /// If the region is not what was cut out.
    #[must_use]
    pub fn within(&self, region: &Region, whole: [usize; 3]) -> Self {
        assert_eq!(region.shape(), self.file_shape, "the region of a grid");
        let [_, rows, columns] = whole;
        let memory_steps = [rows * columns, columns, 1];
        let mut start = 0;
        let mut steps = [0; 3];
        for (model_axis, &file_axis) in self.axes.iter().enumerate() {
            let step = memory_steps[file_axis] as isize;
            let range = &region.ranges[file_axis];
            let is_turned = self.steps[model_axis] < 0;
            let first = if is_turned {
                range.end - 1
            } else {
                range.start
            };
            start += first * memory_steps[file_axis];
            steps[model_axis] = if is_turned { -step } else { step };
        }
        Self {
            start,
            steps,
            file_shape: whole,
            ..self.clone()
        }
    }

    /// Voxels along `[slice, row, column]`.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The scan's own slices, rows and columns in the model's axis order.
    pub fn oriented(&self) -> [usize; 3] {
        self.oriented
    }

    /// Edges of a voxel in mm, `[slice, row, column]`; near the target, as a whole number of voxels fills the scan.
    pub fn spacing_mm(&self) -> [f64; 3] {
        self.spacing_mm
    }

    /// Whether the scan's own voxels are smaller along some axis, and larger along none.
    pub fn is_coarser(&self) -> bool {
        let mut axes = self.shape.iter().zip(&self.oriented);
        self.shape != self.oriented && axes.all(|(model, own)| model <= own)
    }

    /// From the model grid's voxels, counted as `(column, row, slice)`, to the world; `scan` is the affine of the scan in which it
    /// lies, the whole one where it is [`within`](Self::within) a larger one.
    pub fn affine(&self, scan: &Affine) -> Affine {
        let [_, rows, columns] = self.file_shape;
        let first_voxel = [
            self.start / (rows * columns),
            self.start / columns % rows,
            self.start % columns,
        ];
        let mut linear = [[0.0; 3]; 3];
        let mut first = [0.0; 3];
        for axis in 0..3 {
            let ratio = self.oriented[axis] as f64 / self.shape[axis] as f64;
            let towards = self.steps[axis].signum() as f64;
            let file_axis = self.axes[axis];
            // The outer edges coincide, not the centres of the first voxels.
            first[2 - file_axis] = first_voxel[file_axis] as f64 + towards * (ratio - 1.0) / 2.0;
            for (row, entries) in linear.iter_mut().enumerate() {
                entries[2 - axis] = towards * ratio * scan.0[row][2 - file_axis];
            }
        }
        let mut rows = [[0.0, 0.0, 0.0, 1.0]; 4];
        for (row, origin) in scan.apply(first).into_iter().enumerate() {
            rows[row][..3].copy_from_slice(&linear[row]);
            rows[row][3] = origin;
        }
        Affine(rows)
    }

    /// A label map of the file grid on the model grid: of each model voxel the label at its centre. For training.
    ///
    /// # Shapes
    /// `labels` is `[z, y, x]`, the result `[slice, row, column]`.
    ///
    /// # Panics
    /// If `labels` is not of the scan's size.
    pub fn labels_to_model(&self, labels: &[u8]) -> Vec<u8> {
        assert_eq!(labels.len(), self.file_voxels(), "labels of another scan");
        let nearest = |axis: usize| -> Vec<isize> {
            let (from, to) = (self.oriented[axis], self.shape[axis]);
            (0..to)
                .map(|i| {
                    let voxel = ((i as f64 + 0.5) * from as f64 / to as f64) as usize;
                    voxel.min(from - 1) as isize * self.steps[axis]
                })
                .collect()
        };
        let [slices, rows, columns] = [nearest(0), nearest(1), nearest(2)];
        let mut result = Vec::with_capacity(slices.len() * rows.len() * columns.len());
        for slice in slices {
            for row in &rows {
                let start = self.start as isize + slice + row;
                result.extend(
                    columns
                        .iter()
                        .map(|column| labels[(start + column) as usize]),
                );
            }
        }
        result
    }

    /// Of each voxel of the model grid the eight of the scan around its centre: along an axis the two that it lies between, or twice
    /// the one that it lies in the middle of or nearer to. Which way the scan is stored makes no difference.
    ///
    /// # Shapes
    /// `values` is of the scan's own voxels in the model's axis order, the result `[slice, row, column]`.
    ///
    /// # Panics
    /// If `values` is not of the grid's size.
    pub fn around_centres(&self, values: &[u8]) -> Vec<[u8; 8]> {
        let [slices, rows, columns] = self.oriented;
        assert_eq!(values.len(), slices * rows * columns, "values of a scan");
        let beside = |axis: usize| -> Vec<[usize; 2]> {
            let (from, to) = (self.oriented[axis], self.shape[axis]);
            // The centre lies so many halves of a model voxel from the edge; a scan's voxel ends at each whole number of the quotient.
            let voxels = (0..to).map(|i| (2 * i + 1) * from);
            voxels
                .map(|place| [place.div_ceil(2 * to) - 1, place / (2 * to)])
                .collect()
        };
        let [of_slices, of_rows, of_columns] = [beside(0), beside(1), beside(2)];
        let mut result = Vec::with_capacity(self.shape.iter().product());
        for slice in of_slices {
            for row in &of_rows {
                result.extend(of_columns.iter().map(|column| {
                    std::array::from_fn(|i| {
                        values[(slice[i / 4] * rows + row[i / 2 % 2]) * columns + column[i % 2]]
                    })
                }));
            }
        }
        result
    }

    /// Values of the file grid in the model's axis order.
    pub fn orient(&self, values: &[f32]) -> Vec<f32> {
        let [slices, rows, columns] = self.oriented;
        let mut result = Vec::with_capacity(values.len());
        for slice in 0..slices {
            for row in 0..rows {
                let start = self.memory_index([slice, row, 0]);
                result.extend(
                    (0..columns as isize).map(|c| values[(start + c * self.steps[2]) as usize]),
                );
            }
        }
        result
    }

    /// Values in the model's axis order on the model grid, trilinear.
    pub fn resample(&self, values: Vec<f32>) -> Vec<f32> {
        let mut values = values;
        let mut result = Vec::new();
        // From the last axis to the first, so that what lies inside the current axis is already resampled.
        for axis in (0..3).rev() {
            let weights = AxisWeights::new(self.oriented[axis], self.shape[axis]);
            if !weights.is_identity() {
                let inner = self.shape[axis + 1..].iter().product();
                weights.apply(&values, inner, &mut result);
                std::mem::swap(&mut values, &mut result);
            }
        }
        // Of a finer grid's room.
        values.shrink_to_fit();
        values
    }

    pub(crate) fn file_voxels(&self) -> usize {
        self.file_shape.iter().product()
    }

    /// Voxels of the scan in one slice of the model's axis order.
    pub(crate) fn plane(&self) -> usize {
        self.oriented[1] * self.oriented[2]
    }

    /// Index in the file's memory of a voxel in the model's axis order.
    pub(crate) fn memory_index(&self, voxel: [usize; 3]) -> isize {
        let offset: isize = (0..3).map(|a| voxel[a] as isize * self.steps[a]).sum();
        self.start as isize + offset
    }
}

/// Shape and spacing nearest to a target, filling the same box.
fn resampled(
    shape: [usize; 3],
    from_mm: [f64; 3],
    to_mm: [f64; 3],
) -> Result<([usize; 3], [f64; 3]), GridError> {
    if to_mm.iter().any(|&edge| !edge.is_finite() || edge <= 0.0) {
        return Err(GridError::Spacing { found: to_mm });
    }
    let edges: [f64; 3] = std::array::from_fn(|axis| {
        // Headers in single precision leave a half, such as of voxels of 1.5 mm, on either side of it.
        (shape[axis] as f64 * from_mm[axis] / to_mm[axis] + 1e-4)
            .round()
            .max(1.0)
    });
    let num_voxels = edges.iter().product::<f64>();
    // A product that overflows, or is no number, is too large as well.
    if num_voxels.is_nan() || num_voxels > MAX_VOXELS as f64 {
        return Err(GridError::TooLarge {
            shape,
            from_mm,
            resampled: edges,
            to_mm,
            limit: MAX_VOXELS,
        });
    }
    let new = edges.map(|edge| edge as usize);
    let spacing_mm =
        std::array::from_fn(|axis| shape[axis] as f64 * from_mm[axis] / new[axis] as f64);
    Ok((new, spacing_mm))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Of a scan that runs to right, anterior, superior.
    pub(crate) fn grid(
        shape: [usize; 3],
        spacing_xyz_mm: [f64; 3],
        target: Option<[f64; 3]>,
    ) -> ModelGrid {
        let affine = Affine::from_spacing_mm(spacing_xyz_mm);
        ModelGrid::new(shape, &affine, Orientation::RAS, target).unwrap()
    }

    #[test]
    fn slices_run_along_the_first_letter() {
        // A file of 2×3×4 voxels x, y, z: the model's slices run to R, which is x.
        let model = grid([4, 3, 2], [1.0, 2.0, 3.0], None);
        assert_eq!(model.shape(), [2, 3, 4]);
        assert_eq!(model.spacing_mm(), [1.0, 2.0, 3.0]);
        let file: Vec<f32> = (0..24).map(|i| i as f32).collect();
        // Along a column (z) the file's index grows by 6.
        assert_eq!(model.orient(&file)[..4], [0.0, 6.0, 12.0, 18.0]);
    }

    /// round(10 · 1.5 / 1) = 15, round(7 · 0.8 / 1) = 6, and never fewer than one.
    #[test]
    fn the_shape_is_rounded_and_the_box_is_kept() {
        let model = grid([1, 7, 10], [1.5, 0.8, 0.2], Some([1.0; 3]));
        assert_eq!(model.shape(), [15, 6, 1]);
        let spacing = model.spacing_mm();
        assert!((spacing[1] - 5.6 / 6.0).abs() < 1e-12);
        assert!((spacing[2] - 0.2).abs() < 1e-12);
    }

    /// By hand: of six voxels in three each centre lies between two; of five in two within the second and the fourth; a finer grid
    /// repeats.
    #[test]
    fn around_a_centre_lie_voxels_of_the_scan() {
        let model = grid([2, 5, 6], [1.0; 3], Some([2.0, 2.5, 0.5]));
        assert_eq!(model.shape(), [3, 2, 4]);
        let values: Vec<u8> = (0..60).collect();
        let at = |slice: u8, row: u8, column: u8| (slice * 5 + row) * 2 + column;
        let mut expected = Vec::new();
        for slice in [0, 2, 4] {
            for row in [1, 3] {
                expected.extend([0, 0, 1, 1].map(|column| {
                    let [lower, upper] = [at(slice, row, column), at(slice + 1, row, column)];
                    [lower, lower, lower, lower, upper, upper, upper, upper]
                }));
            }
        }
        assert_eq!(model.around_centres(&values), expected);
    }

    /// The image of each voxel lies around the image of its centre, whatever the ratio.
    #[test]
    fn what_lies_around_a_centre_is_mirrored_with_the_scan() {
        for edge in [1.0, 1.5, 1.7, 2.0, 2.5, 3.0] {
            let model = grid([1, 1, 10], [1.0; 3], Some([edge, 1.0, 1.0]));
            let values: Vec<u8> = (0..10).collect();
            let image: Vec<u8> = values.iter().rev().copied().collect();
            let sorted = |mut around: [u8; 8]| {
                around.sort_unstable();
                around
            };
            let here = model.around_centres(&values).into_iter().map(sorted);
            let there = model.around_centres(&image).into_iter().rev().map(sorted);
            assert!(here.eq(there), "{edge}");
        }
    }

    #[test]
    fn a_coarser_grid_is_so_along_every_axis() {
        for (target, is_coarser) in [
            ([1.5, 2.0, 2.0], true),
            ([3.0, 2.0, 2.0], true),
            ([1.0, 2.0, 2.0], false),
            ([1.5, 0.8, 2.0], false),
        ] {
            let model = grid([9, 9, 9], [1.5, 2.0, 1.0], Some(target));
            assert_eq!(model.is_coarser(), is_coarser, "{target:?}");
        }
    }

    #[test]
    fn a_spacing_that_can_not_be_is_refused_before_allocating() {
        let affine = Affine::from_spacing_mm([1000.0; 3]);
        let result = ModelGrid::new([300; 3], &affine, Orientation::RAS, Some([0.5; 3]));
        assert!(
            matches!(result, Err(GridError::TooLarge { .. })),
            "{result:?}"
        );
        let result = ModelGrid::new([300; 3], &affine, Orientation::RAS, Some([0.0, 1.0, 1.0]));
        assert!(
            matches!(result, Err(GridError::Spacing { .. })),
            "{result:?}"
        );
        let result = ModelGrid::new([3, 0, 3], &affine, Orientation::RAS, None);
        assert_eq!(result, Err(GridError::Empty { shape: [3, 0, 3] }));
        let flat = Affine::from_spacing_mm([1.0, 0.0, 1.0]);
        let result = ModelGrid::new([3; 3], &flat, Orientation::RAS, None);
        assert!(
            matches!(result, Err(GridError::Affine { .. })),
            "{result:?}"
        );
    }

    /// A voxel of an oblique scan in each of the 48 orders is where the model grid says, of a region too; and the outer corners of
    /// a coarser grid are the scan's.
    #[test]
    fn the_model_grid_lies_in_the_world_where_the_scan_does() {
        let scan = Affine([
            [0.1, -1.9, 0.2, 12.0],
            [0.9, 0.1, 0.3, -7.0],
            [-0.2, 0.3, 2.8, 30.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let shape = [6, 5, 4];
        let region = Region {
            ranges: [1..5, 0..4, 2..4],
        };
        let cut = scan.subgrid([2.0, 0.0, 1.0], [1.0; 3]);
        for orientation in Orientation::all() {
            let whole = ModelGrid::new(shape, &scan, orientation, None).unwrap();
            let part = ModelGrid::new(region.shape(), &cut, orientation, None).unwrap();
            for grid in [whole, part.within(&region, shape)] {
                let affine = grid.affine(&scan);
                let [_, _, columns] = grid.shape();
                for voxel in [[0, 0, 0], [1, 1, 1], [0, 1, columns - 1]] {
                    let memory = grid.memory_index(voxel) as usize;
                    let there = [memory % 4, memory / 4 % 5, memory / 20];
                    let found = affine.apply([voxel[2], voxel[1], voxel[0]].map(|i| i as f64));
                    let expected = scan.apply(there.map(|i| i as f64));
                    for (a, b) in found.iter().zip(expected) {
                        assert!(
                            (a - b).abs() < 1e-9,
                            "{orientation:?} {found:?} {expected:?}"
                        );
                    }
                }
            }
            let coarse = ModelGrid::new(shape, &scan, orientation, Some([2.5; 3])).unwrap();
            let fine = ModelGrid::new(shape, &scan, orientation, None).unwrap();
            let corner = |grid: &ModelGrid| grid.affine(&scan).apply([-0.5; 3]);
            let far = |grid: &ModelGrid| {
                let [slices, rows, columns] = grid.shape().map(|edge| edge as f64 - 0.5);
                grid.affine(&scan).apply([columns, rows, slices])
            };
            for (a, b) in [(corner(&coarse), corner(&fine)), (far(&coarse), far(&fine))] {
                assert!((0..3).all(|i| (a[i] - b[i]).abs() < 1e-9), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn labels_to_model_takes_the_voxel_at_the_centre() {
        let model = grid([1, 1, 4], [1.0; 3], Some([2.0, 1.0, 1.0]));
        assert_eq!(model.shape(), [2, 1, 1]);
        assert_eq!(model.labels_to_model(&[1, 2, 3, 4]), [2, 4]);
        let finer = grid([1, 1, 2], [1.0; 3], Some([0.5, 1.0, 1.0]));
        assert_eq!(finer.labels_to_model(&[5, 6]), [5, 5, 6, 6]);
    }
}
