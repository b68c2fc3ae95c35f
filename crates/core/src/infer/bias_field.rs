//! How much brighter a scan is in one place than in another, whatever lies there: coils see what is near them brighter.
//!
//! It is a polynomial of low order over what is labelled, found from how far voxels lie from the laws of their classes.
//!
//! Source: Van Leemput et al. 1999, "Automated model-based bias field correction of MR images of the brain".

use nalgebra::{SMatrix, SVector};

/// Terms of second order and below, without the constant one: how bright all is together is in the laws.
const TERMS: usize = 9;
/// Farther from even than this, either way, is nothing that a coil does.
const FARTHEST: f64 = 2.5;
/// What even counts beside what is seen: it decides where nothing is, as along an axis of one voxel.
const EVEN: f64 = 1e-3;

/// By what the brightness of a place is multiplied, over a box of a grid; outside of it as at its border.
#[derive(Clone, Debug, PartialEq)]
pub struct BiasField {
    coefficients: SVector<f64, TERMS>,
    extent: Extent,
}

/// A box of a grid, in voxels, `[slice, row, column]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extent {
    first: [f64; 3],
    last: [f64; 3],
}

impl Extent {
    /// Around all of some voxels; none if there are none.
    pub fn of(voxels: impl Iterator<Item = [usize; 3]>) -> Option<Self> {
        let around = |extent: Option<Self>, voxel: [usize; 3]| {
            let at = voxel.map(|index| index as f64);
            let Some(Self { first, last }) = extent else {
                return Some(Self {
                    first: at,
                    last: at,
                });
            };
            Some(Self {
                first: std::array::from_fn(|axis| first[axis].min(at[axis])),
                last: std::array::from_fn(|axis| last[axis].max(at[axis])),
            })
        };
        voxels.fold(None, around)
    }

    /// Where a place lies along an axis, of which the box reaches from −1 to 1.
    fn within(&self, axis: usize, place: f64) -> f64 {
        let [first, last] = [self.first[axis], self.last[axis]];
        let half = (0.5 * (last - first)).max(0.5);
        ((place - 0.5 * (first + last)) / half).clamp(-1.0, 1.0)
    }
}

/// Each term at a place of the box.
fn terms([x, y, z]: [f64; 3]) -> SVector<f64, TERMS> {
    SVector::from([x, y, z, x * x, y * y, z * z, x * y, x * z, y * z])
}

impl BiasField {
    /// Of a scan as bright everywhere.
    pub fn even(extent: Extent) -> Self {
        Self {
            coefficients: SVector::zeros(),
            extent,
        }
    }

    /// At a place of the grid.
    pub fn at(&self, place: [f64; 3]) -> f64 {
        let place = [0, 1, 2].map(|axis| self.extent.within(axis, place[axis]));
        bounded(1.0 + self.coefficients.dot(&terms(place)))
    }

    /// At some columns of a row of a slice, which are added to `factors`.
    pub fn along(&self, [slice, row]: [f64; 2], columns: &[f64], factors: &mut Vec<f32>) {
        let (x, y) = (self.extent.within(0, slice), self.extent.within(1, row));
        let at_middle = 1.0 + self.coefficients.dot(&terms([x, y, 0.0]));
        let [.., square, _, with_x, with_y] = self.coefficients.data.0[0];
        let slope = self.coefficients[2] + with_x * x + with_y * y;
        factors.extend(columns.iter().map(|column| {
            let z = self.extent.within(2, *column);
            bounded(at_middle + slope * z + square * z * z) as f32
        }));
    }
}

fn bounded(factor: f64) -> f64 {
    factor.clamp(FARTHEST.recip(), FARTHEST)
}

/// What is seen of a field: least squares of what differs from the laws.
#[derive(Clone, Debug)]
pub struct Fit {
    extent: Extent,
    products: SMatrix<f64, TERMS, TERMS>,
    differences: SVector<f64, TERMS>,
}

impl Fit {
    /// Of nothing yet.
    pub fn over(extent: Extent) -> Self {
        Self {
            extent,
            products: SMatrix::zeros(),
            differences: SVector::zeros(),
        }
    }

    /// Adds what is seen at a place, as sums over what it may be: `square` of `weight · expected²`, `more` of
    /// `weight · expected · (seen − expected)`, where weights are reciprocals of variances.
    pub fn add(&mut self, place: [f64; 3], square: f64, more: f64) {
        let terms = terms([0, 1, 2].map(|axis| self.extent.within(axis, place[axis])));
        self.products.ger(square, &terms, &terms, 1.0);
        self.differences.axpy(more, &terms, 1.0);
    }

    /// The field that leaves least.
    pub fn field(self) -> BiasField {
        let most = self.products.trace().max(f64::MIN_POSITIVE);
        let even = SMatrix::identity() * (EVEN * most);
        let found = (self.products + even).cholesky();
        let solve = |products: nalgebra::Cholesky<f64, nalgebra::Const<TERMS>>| {
            products.solve(&self.differences)
        };
        BiasField {
            coefficients: found.map_or_else(SVector::zeros, solve),
            extent: self.extent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [9, 12, 7];

    fn voxels() -> impl Iterator<Item = [usize; 3]> {
        (0..SHAPE.iter().product()).map(|i| [i / 84, i / 7 % 12, i % 7])
    }

    fn field_of(of: impl Fn([usize; 3]) -> f64) -> BiasField {
        let extent = Extent::of(voxels()).unwrap();
        let mut fit = Fit::over(extent);
        for voxel in voxels() {
            // Two tissues in turns.
            let expected = [50.0, 80.0][voxel.iter().sum::<usize>() % 2];
            let seen = of(voxel) * expected;
            fit.add(
                voxel.map(|index| index as f64),
                expected * expected,
                expected * (seen - expected),
            );
        }
        fit.field()
    }

    #[test]
    fn a_smooth_field_is_found() {
        let of = |[slice, row, column]: [usize; 3]| {
            let [x, y, z] = [
                (slice as f64 - 4.0) / 4.0,
                (row as f64 - 5.5) / 5.5,
                (column as f64 - 3.0) / 3.0,
            ];
            1.0 + 0.3 * x - 0.2 * y * z + 0.1 * z * z
        };
        let field = field_of(of);
        for voxel in voxels() {
            let found = field.at(voxel.map(|index| index as f64));
            assert!((found - of(voxel)).abs() < 0.02, "{found} at {voxel:?}");
        }
    }

    #[test]
    fn a_row_is_as_its_places() {
        let field = field_of(|[slice, row, column]| {
            1.0 + 0.05 * (slice as f64 - 4.0) + 0.01 * (row * column) as f64
        });
        let columns = [-3.0, 0.0, 2.25, 6.0, 9.0];
        let mut along = Vec::new();
        field.along([2.5, 20.0], &columns, &mut along);
        let expected = columns.map(|column| field.at([2.5, 20.0, column]) as f32);
        for (found, expected) in along.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found}, not {expected}");
        }
        assert_eq!(along.len(), columns.len());
    }

    #[test]
    fn beyond_its_box_a_field_is_as_at_the_border() {
        let field = field_of(|[slice, ..]| 1.0 + 0.1 * (slice as f64 - 4.0));
        assert_eq!(field.at([-5.0, 3.0, 3.0]), field.at([0.0, 3.0, 3.0]));
        assert_eq!(field.at([50.0, 3.0, 3.0]), field.at([8.0, 3.0, 3.0]));
    }

    #[test]
    fn a_field_of_nothing_seen_is_even() {
        let extent = Extent::of([[3, 4, 5]].into_iter()).unwrap();
        assert_eq!(Fit::over(extent).field(), BiasField::even(extent));
        assert_eq!(Extent::of([].into_iter()), None);
    }
}
