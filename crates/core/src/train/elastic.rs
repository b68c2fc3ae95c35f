//! Smooth random deformations of a window, as one person's anatomy differs from another's.

use rand::Rng;
use rand::rngs::StdRng;

/// Cells of the grid of control points along each edge of the window.
const CELLS: usize = 4;
/// Control points along each edge: a cubic spline reaches one beyond the window on either side.
const POINTS: usize = CELLS + 3;
/// Largest displacement of a control point, in cells: below 1 / 2.48 a cubic B-spline in three
/// dimensions is one to one (Choi and Lee 2000, "Injectivity conditions of 2D and 3D uniform cubic
/// B-spline functions", Graphical Models 62:411–427).
const LARGEST: f32 = 0.4;

/// A free-form deformation: displacements at the points of a coarse grid, with cubic B-splines
/// between them (Rueckert et al. 1999, IEEE TMI 18:712–721).
#[derive(Clone, Debug)]
pub struct Deformation {
    /// In voxels, `[slice, row, column]` of the grid.
    points: Vec<[f32; 3]>,
    window: [usize; 3],
}

/// Where a voxel lies between control points: the first of four, and the weight of each.
type Place = (usize, [f32; 4]);

impl Deformation {
    /// Each control point moves by up to `limit` voxels along each axis, or as far as nothing
    /// folds if that is less.
    pub fn draw(window: [usize; 3], limit: [f32; 3], rng: &mut StdRng) -> Self {
        let limit: [f32; 3] =
            std::array::from_fn(|axis| limit[axis].min(LARGEST * cell(window[axis])));
        let points = (0..POINTS.pow(3))
            .map(|_| limit.map(|limit| limit * rng.random_range(-1.0..=1.0f32)))
            .collect();
        Self { points, window }
    }

    /// Displacement of every voxel of the window, in voxels, `[slice, row, column]`.
    pub fn displacements(&self) -> Vec<[f32; 3]> {
        let [depth, height, width] = self.window;
        let (rows, columns) = (places(height), places(width));
        let mut all = Vec::with_capacity(depth * height * width);
        for slice in places(depth) {
            let plane = sum_along(&self.points, POINTS * POINTS, slice);
            for row in &rows {
                let line = sum_along(&plane, POINTS, *row);
                for &(first, weights) in &columns {
                    let points = &line[first..first + weights.len()];
                    all.push(std::array::from_fn(|axis| {
                        (0..weights.len())
                            .map(|i| weights[i] * points[i][axis])
                            .sum()
                    }));
                }
            }
        }
        all
    }
}

/// Edge of a cell in voxels, where the window's edge is of `voxels`.
fn cell(voxels: usize) -> f32 {
    (voxels - 1).max(1) as f32 / CELLS as f32
}

/// The place of each voxel along an edge of `voxels`.
fn places(voxels: usize) -> Vec<Place> {
    (0..voxels)
        .map(|voxel| {
            let at = voxel as f32 / cell(voxels);
            let first = (at as usize).min(CELLS - 1);
            (first, cubic(at - first as f32))
        })
        .collect()
}

/// The cubic B-spline's weights of four points, `t` from the second to the third of them.
fn cubic(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        (1.0 - t).powi(3),
        3.0 * t3 - 6.0 * t2 + 4.0,
        -3.0 * t3 + 3.0 * t2 + 3.0 * t + 1.0,
        t3,
    ]
    .map(|weight| weight / 6.0)
}

/// The weighted sum over the first axis of `values`, whose entries are `inner` long.
fn sum_along(values: &[[f32; 3]], inner: usize, (first, weights): Place) -> Vec<[f32; 3]> {
    (0..inner)
        .map(|i| {
            let mut sum = [0.0; 3];
            for (step, weight) in weights.iter().enumerate() {
                let value = values[(first + step) * inner + i];
                for axis in 0..3 {
                    sum[axis] += weight * value[axis];
                }
            }
            sum
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const WINDOW: [usize; 3] = [17, 25, 21];

    fn drawn(limit: [f32; 3], seed: u64) -> Vec<[f32; 3]> {
        Deformation::draw(WINDOW, limit, &mut StdRng::seed_from_u64(seed)).displacements()
    }

    fn at(field: &[[f32; 3]], [z, y, x]: [usize; 3]) -> [f32; 3] {
        field[(z * WINDOW[1] + y) * WINDOW[2] + x]
    }

    #[test]
    fn weights_of_the_spline_sum_to_one_and_join_smoothly() {
        for step in 0..=10 {
            let sum: f32 = cubic(step as f32 / 10.0).iter().sum();
            assert!((sum - 1.0).abs() < 1e-6);
        }
        let (end, start) = (cubic(1.0), cubic(0.0));
        for i in 0..3 {
            assert!((end[i + 1] - start[i]).abs() < 1e-6, "{end:?} {start:?}");
        }
    }

    #[test]
    fn every_voxel_moves_within_the_limit_and_differently_with_the_seed() {
        let limit = [0.0, 1.5, 0.5];
        let field = drawn(limit, 1);
        assert_eq!(field.len(), WINDOW.iter().product::<usize>());
        for axis in 0..3 {
            let largest = field.iter().fold(0.0f32, |m, d| m.max(d[axis].abs()));
            assert!(largest <= limit[axis] && largest >= 0.2 * limit[axis]);
        }
        assert_eq!(field, drawn(limit, 1));
        assert_ne!(field, drawn(limit, 2));
    }

    /// However far is asked for: the volume that a cell of eight voxels is mapped to, to first
    /// order, never turns inside out.
    #[test]
    fn nothing_folds() {
        let mut moved = 0.0f32;
        for seed in 0..20 {
            let field = drawn([1000.0; 3], seed);
            for z in 0..WINDOW[0] - 1 {
                for y in 0..WINDOW[1] - 1 {
                    for x in 0..WINDOW[2] - 1 {
                        let here = at(&field, [z, y, x]);
                        let next = [
                            at(&field, [z + 1, y, x]),
                            at(&field, [z, y + 1, x]),
                            at(&field, [z, y, x + 1]),
                        ];
                        // Rows: along which axis; columns: derivative of which coordinate.
                        let j: [[f32; 3]; 3] = std::array::from_fn(|a| {
                            std::array::from_fn(|b| {
                                next[a][b] - here[b] + if a == b { 1.0 } else { 0.0 }
                            })
                        });
                        let volume = j[0][0] * (j[1][1] * j[2][2] - j[1][2] * j[2][1])
                            - j[0][1] * (j[1][0] * j[2][2] - j[1][2] * j[2][0])
                            + j[0][2] * (j[1][0] * j[2][1] - j[1][1] * j[2][0]);
                        assert!(volume > 0.0, "{volume} at {z} {y} {x}, seed {seed}");
                        moved = moved.max(here[0].abs());
                    }
                }
            }
        }
        assert!(moved > 0.5, "moved by {moved} voxels only");
    }
}
