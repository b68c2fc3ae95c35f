//! The map from voxel indices to world positions.

use serde::{Deserialize, Serialize};

use crate::Orientation;

/// From voxel index `(x, y, z)` to world millimetres, axes towards right, anterior and superior (RAS+).
///
/// Row-major; the last row is `0 0 0 1`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Affine(pub [[f64; 4]; 4]);

impl Affine {
    /// The affine of a grid with the given edges of a voxel in mm, x, y, z, and the first voxel at the origin.
    pub fn from_spacing_mm(spacing_mm: [f64; 3]) -> Self {
        let mut rows = [[0.0; 4]; 4];
        for (axis, edge) in spacing_mm.into_iter().enumerate() {
            rows[axis][axis] = edge;
        }
        rows[3][3] = 1.0;
        Self(rows)
    }

    /// World position in mm of a voxel index `(x, y, z)`; fractions lie between voxel centres.
    pub fn apply(&self, voxel: [f64; 3]) -> [f64; 3] {
        let m = &self.0;
        [0, 1, 2].map(|r| m[r][0] * voxel[0] + m[r][1] * voxel[1] + m[r][2] * voxel[2] + m[r][3])
    }

    /// The map from world to voxel index, or `None` where this one flattens space or holds a number that is not finite.
    pub fn inverse(&self) -> Option<Self> {
        let linear = invert(&self.linear())?;
        let mut rows = [[0.0; 4]; 4];
        for r in 0..3 {
            rows[r][..3].copy_from_slice(&linear[r]);
            rows[r][3] = -(0..3).map(|c| linear[r][c] * self.0[c][3]).sum::<f64>();
        }
        rows[3][3] = 1.0;
        rows.iter()
            .flatten()
            .all(|v| v.is_finite())
            .then_some(Self(rows))
    }

    /// Of a grid whose first voxel lies at `first` of this one's voxels and whose axes x, y, z go on by so many of them as `step`
    /// says: a part of a grid, or cells of several voxels.
    #[must_use]
    pub fn subgrid(&self, first: [f64; 3], step: [f64; 3]) -> Self {
        let mut rows = self.0;
        for (row, origin) in rows.iter_mut().zip(self.apply(first)) {
            for (entry, step) in row.iter_mut().zip(step) {
                *entry *= step;
            }
            row[3] = origin;
        }
        Self(rows)
    }

    /// Distance in mm between neighbouring voxel centres along x, y, z.
    pub fn spacing_mm(&self) -> [f64; 3] {
        let m = &self.0;
        [0, 1, 2].map(|c| (m[0][c] * m[0][c] + m[1][c] * m[1][c] + m[2][c] * m[2][c]).sqrt())
    }

    /// Towards which side each voxel axis x, y, z runs, to the nearest anatomical axis.
    ///
    /// The best-aligned axis is matched first, so that a scan stored in another axis order keeps its sides. Axes that an
    /// affine leaves undefined (a column of zeros) take what the others leave over.
    ///
    /// Source: the nearest rotation is the polar factor, as in nibabel's `aff2axcodes`.
    pub fn orientation(&self) -> Orientation {
        let linear = self.linear();
        let spacing = self.spacing_mm();
        let mut unit = [[0.0; 3]; 3];
        for r in 0..3 {
            for c in 0..3 {
                let v = linear[r][c] / if spacing[c] > 0.0 { spacing[c] } else { 1.0 };
                unit[r][c] = if v.is_finite() { v } else { 0.0 };
            }
        }
        Orientation::nearest(&polar_factor(&unit))
    }

    /// Volume of one voxel in mL: the absolute determinant in mm³ divided by 1000.
    pub fn voxel_volume_ml(&self) -> f64 {
        self.determinant().abs() / 1000.0
    }

    /// Volume of one voxel in mm³; below 0 where the axes x, y, z are left-handed in the world.
    pub(crate) fn determinant(&self) -> f64 {
        determinant(&self.linear())
    }

    /// Largest distance in mm between the same corner voxel of two grids of one shape (`[z, y, x]`).
    ///
    /// Tools round affines differently, so corners are compared, in the world, not numbers one by one. Not finite where
    /// an affine is not.
    pub fn corners_apart_mm(&self, other: &Self, shape: [usize; 3]) -> f64 {
        let last = shape.map(|edge| edge.saturating_sub(1) as f64);
        (0..8u8)
            .map(|corner| {
                let at = |axis: usize| {
                    if corner >> axis & 1 == 0 {
                        0.0
                    } else {
                        last[2 - axis]
                    }
                };
                let voxel = [at(0), at(1), at(2)];
                let (a, b) = (self.apply(voxel), other.apply(voxel));
                (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>().sqrt()
            })
            .fold(
                0.0,
                |most: f64, d| if d > most || d.is_nan() { d } else { most },
            )
    }

    /// How far corners of two grids may be apart that count as one: a hundredth of the shortest edge of a voxel.
    pub fn tolerance_mm(&self) -> f64 {
        0.01 * self.spacing_mm().into_iter().fold(f64::INFINITY, f64::min)
    }

    /// Whether every number is finite and no axis or plane is flattened.
    pub fn is_invertible(&self) -> bool {
        self.inverse().is_some()
    }

    fn linear(&self) -> [[f64; 3]; 3] {
        [0, 1, 2].map(|r| [self.0[r][0], self.0[r][1], self.0[r][2]])
    }
}

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
        - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
        + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
}

fn invert(m: &[[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let det = determinant(m);
    // Relative to the lengths of the columns, so that micrometre voxels are as good as metres.
    let lengths: f64 = (0..3)
        .map(|c| (0..3).map(|r| m[r][c] * m[r][c]).sum::<f64>().sqrt())
        .product();
    if !det.is_finite() || !lengths.is_finite() || det.abs() <= 1e-9 * lengths {
        return None;
    }
    // Of the transposed matrix of cofactors.
    let entry = |c: usize, r: usize| {
        let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
        (m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]) / det
    };
    Some([0, 1, 2].map(|c| [0, 1, 2].map(|r| entry(c, r))))
}

/// The orthogonal matrix nearest to `m` (Newton's iteration); `m` itself where it is singular.
fn polar_factor(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let mut x = *m;
    for _ in 0..100 {
        let Some(inverse) = invert(&x) else {
            return *m;
        };
        let mut change = 0.0f64;
        let mut next = [[0.0; 3]; 3];
        for r in 0..3 {
            for c in 0..3 {
                next[r][c] = 0.5 * (x[r][c] + inverse[c][r]);
                change = change.max((next[r][c] - x[r][c]).abs());
            }
        }
        x = next;
        if change < 1e-14 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBLIQUE: Affine = Affine([
        [-2.99985, -0.0288343, -0.00709075, 77.8733],
        [-0.0290836, 2.99768, 0.114299, -112.954],
        [-0.00598669, -0.114362, 2.99781, -47.6535],
        [0.0, 0.0, 0.0, 1.0],
    ]);

    #[test]
    fn inverse_takes_a_world_point_back_to_its_voxel() {
        let back = OBLIQUE
            .inverse()
            .unwrap()
            .apply(OBLIQUE.apply([3.0, -7.5, 11.25]));
        for (got, wanted) in back.into_iter().zip([3.0, -7.5, 11.25]) {
            assert!((got - wanted).abs() < 1e-12, "{got} {wanted}");
        }
    }

    #[test]
    fn a_flat_or_broken_affine_has_no_inverse() {
        assert!(Affine([[0.0; 4]; 4]).inverse().is_none());
        let mut nan = OBLIQUE;
        nan.0[1][1] = f64::NAN;
        assert!(nan.inverse().is_none());
        assert!(!nan.is_invertible());
        nan.orientation();
    }

    #[test]
    fn an_oblique_affine_takes_the_nearest_axes() {
        assert_eq!(OBLIQUE.orientation().to_string(), "LAS");
    }

    /// Turned by about 40° around each axis: the second leans to S with 0.66 and to A with 0.63, but the third is S.
    #[test]
    fn a_strongly_oblique_affine_matches_the_best_axis_first() {
        let affine = Affine([
            [0.7588, -0.4073, 0.5082, -20.0],
            [0.6369, 0.6272, -0.4484, 11.0],
            [-0.1361, 0.6639, 0.7353, 35.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        assert_eq!(affine.orientation().to_string(), "RAS");
    }

    /// Without the polar factor both columns would lean towards the same axis.
    #[test]
    fn a_strongly_sheared_affine_still_names_three_axes() {
        let sheared = Affine([
            [1.0, 0.9, 0.0, 0.0],
            [0.0, 0.5, 0.0, 0.0],
            [0.0, 0.0, 2.0, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        assert_eq!(sheared.orientation().to_string(), "RAS");
        assert!((sheared.voxel_volume_ml() - 0.001).abs() < 1e-15);
    }

    #[test]
    fn spacing_is_the_length_of_the_columns() {
        let spacing = Affine::from_spacing_mm([0.5, 2.0, 7.5]).spacing_mm();
        assert_eq!(spacing, [0.5, 2.0, 7.5]);
    }
}
