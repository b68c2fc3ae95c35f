//! Axis orders: towards which side each axis of an array runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Letters of the negative and the positive end of world axes x, y, z.
const LETTERS: [[char; 2]; 3] = [['L', 'R'], ['P', 'A'], ['I', 'S']];

const PERMUTATIONS: [[u8; 3]; 6] = [
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
];

/// Alignments (cosines) that differ by less are equal: more than rounding changes, less than an angle matters.
const TIE: f64 = 1e-6;

/// Towards which side each of three axes runs, such as `RAS`: right, anterior, superior.
///
/// Written and serialised as its three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Orientation {
    /// World axis (0 left-right, 1 posterior-anterior, 2 inferior-superior) of each axis.
    axes: [u8; 3],
    /// Whether each axis runs towards the positive end (R, A, S).
    positive: [bool; 3],
}

/// A side of the body, one end of a world axis, such as `A`, anterior.
///
/// Written and serialised as its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Side {
    world_axis: u8,
    is_positive: bool,
}

/// Three letters that are no axis order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not an axis order: expected one of R/L, one of A/P and one of S/I in some order, such as \"RAS\""
)]
pub struct OrientationError {
    /// What was found.
    pub found: String,
}

impl Orientation {
    /// Right, anterior, superior: the axes of NIfTI's world.
    pub const RAS: Self = Self {
        axes: [0, 1, 2],
        positive: [true; 3],
    };

    /// All 48 axis orders.
    pub fn all() -> impl Iterator<Item = Self> {
        PERMUTATIONS.into_iter().flat_map(|axes| {
            (0..8u8).map(move |bits| Self {
                axes,
                positive: [bits & 1 == 0, bits & 2 == 0, bits & 4 == 0],
            })
        })
    }

    /// World axis (0 left-right, 1 posterior-anterior, 2 inferior-superior) along which axis `axis` runs.
    pub fn world_axis(&self, axis: usize) -> usize {
        usize::from(self.axes[axis])
    }

    /// Whether axis `axis` runs towards right, anterior or superior.
    pub fn is_positive(&self, axis: usize) -> bool {
        self.positive[axis]
    }

    /// For each axis of `target` the axis of `self` along the same line, and whether it runs the other way.
    pub fn to(&self, target: Self) -> [(usize, bool); 3] {
        [0, 1, 2].map(|t| {
            let source = (0..3)
                .find(|&s| self.axes[s] == target.axes[t])
                .expect("an orientation names every world axis once");
            (source, self.positive[source] != target.positive[t])
        })
    }

    /// The axis that runs along the line of `side`, and whether it runs there.
    pub fn along(&self, side: Side) -> (usize, bool) {
        let axis = (0..3)
            .find(|&axis| self.axes[axis] == side.world_axis)
            .expect("an orientation names every world axis once");
        (axis, self.positive[axis] == side.is_positive)
    }

    /// That of the same array when its axes are named in reverse, as an image of `x, y, z` in memory is an array of
    /// `[z, y, x]`.
    pub fn reversed(&self) -> Self {
        let [a, b, c] = self.axes;
        let [p, q, r] = self.positive;
        Self {
            axes: [c, b, a],
            positive: [r, q, p],
        }
    }

    /// The axis order nearest to a matrix whose columns are the axes' directions in the world: the best-aligned axis is
    /// matched first, then the better one of the two that are left, so that the order of columns does not matter.
    ///
    /// Source: nibabel's `io_orientation` since 5.4, where the first axis no longer takes what another fits better.
    pub(crate) fn nearest(columns: &[[f64; 3]; 3]) -> Self {
        let along = |world: usize, column: usize| columns[world][column];
        // What makes a choice of axes better, the weightiest first.
        let merits = |axes: [u8; 3]| {
            let mut alignments: [f64; 3] =
                std::array::from_fn(|column| along(usize::from(axes[column]), column).abs());
            alignments.sort_unstable_by(|a, b| b.total_cmp(a));
            let mut merits = alignments.to_vec();
            // Of equals (45°), the one whose axes lean towards positive ends, which depends on no order of columns and on
            // no turn of them.
            for world in 0..3 {
                let column = axes.iter().position(|&axis| usize::from(axis) == world);
                let column = column.expect("a permutation");
                let sign = along(world, column).signum();
                merits.extend((0..3).map(|w| sign * along(w, column)));
            }
            merits
        };
        let better = |best: [u8; 3], next: [u8; 3]| {
            let (a, b) = (merits(best), merits(next));
            let difference = a.iter().zip(&b).find(|(a, b)| (*a - *b).abs() > TIE);
            if difference.is_some_and(|(a, b)| b > a) {
                next
            } else {
                best
            }
        };
        let axes = PERMUTATIONS[1..]
            .iter()
            .copied()
            .fold(PERMUTATIONS[0], better);
        let positive = [0, 1, 2].map(|column| along(usize::from(axes[column]), column) > -1e-8);
        Self { axes, positive }
    }
}

impl fmt::Display for Orientation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for axis in 0..3 {
            let letter = LETTERS[self.world_axis(axis)][usize::from(self.positive[axis])];
            write!(f, "{letter}")?;
        }
        Ok(())
    }
}

impl FromStr for Orientation {
    type Err = OrientationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || OrientationError {
            found: text.to_owned(),
        };
        let mut axes = [0u8; 3];
        let mut positive = [true; 3];
        let mut seen = [false; 3];
        let mut letters = text.chars();
        for axis in 0..3 {
            let letter = letters.next().ok_or_else(fail)?;
            let world = LETTERS
                .iter()
                .position(|pair| pair.contains(&letter))
                .ok_or_else(fail)?;
            if seen[world] {
                return Err(fail());
            }
            seen[world] = true;
            axes[axis] = world as u8;
            positive[axis] = letter == LETTERS[world][1];
        }
        if letters.next().is_some() {
            return Err(fail());
        }
        Ok(Self { axes, positive })
    }
}

impl TryFrom<String> for Orientation {
    type Error = OrientationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Orientation> for String {
    fn from(orientation: Orientation) -> Self {
        orientation.to_string()
    }
}

/// A text that is no side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no side of the body: expected R, L, A, P, S or I")]
pub struct SideError {
    /// What was found.
    pub found: String,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = LETTERS[usize::from(self.world_axis)];
        write!(f, "{}", ends[usize::from(self.is_positive)])
    }
}

impl FromStr for Side {
    type Err = SideError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ends = (0..3u8).flat_map(|world_axis| {
            [false, true].map(|is_positive| Self {
                world_axis,
                is_positive,
            })
        });
        let mut sides = ends.filter(|side| side.to_string() == text);
        sides.next().ok_or_else(|| SideError {
            found: text.to_owned(),
        })
    }
}

impl TryFrom<String> for Side {
    type Error = SideError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Side> for String {
    fn from(side: Side) -> Self {
        side.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn all_48_orders_differ_and_survive_being_written() {
        let names: HashSet<String> = Orientation::all().map(|o| o.to_string()).collect();
        assert_eq!(names.len(), 48);
        for order in Orientation::all() {
            assert_eq!(order.to_string().parse(), Ok(order));
        }
    }

    #[test]
    fn letters_that_are_no_order_are_refused() {
        for text in ["", "RA", "RASS", "RLS", "ras", "XYZ", "RAÉ"] {
            assert!(text.parse::<Orientation>().is_err(), "{text}");
        }
    }

    /// By hand: LIP to RAS takes axis 0 turned, axis 2 turned, axis 1 turned.
    #[test]
    fn the_way_between_two_orders_names_axis_and_turn() {
        let from: Orientation = "LIP".parse().unwrap();
        assert_eq!(from.to(Orientation::RAS), [(0, true), (2, true), (1, true)]);
        let to: Orientation = "SLA".parse().unwrap();
        assert_eq!(from.to(to), [(1, true), (0, false), (2, true)]);
    }

    /// By hand: in LIP the second axis runs to inferior, so away from superior.
    #[test]
    fn sides_are_found_along_their_axes() {
        let order: Orientation = "LIP".parse().unwrap();
        let along = |side: &str| order.along(side.parse().unwrap());
        assert_eq!(along("L"), (0, true));
        assert_eq!(along("R"), (0, false));
        assert_eq!(along("S"), (1, false));
        assert_eq!(along("P"), (2, true));
        assert_eq!(order.reversed().to_string(), "PIL");
        for text in ["", "RA", "a", "X"] {
            let error = text.parse::<Side>().unwrap_err().to_string();
            assert!(error.contains("no side"), "{error}");
        }
    }

    /// By hand: the first axis leans to A with 0.8 and would take A from the second, which has it with 0.9.
    #[test]
    fn the_best_aligned_axis_is_matched_first() {
        let columns = [[0.6, -0.4, 0.0], [0.8, 0.9, 0.0], [0.0, 0.0, 1.0]];
        assert_eq!(Orientation::nearest(&columns).to_string(), "RAS");
    }

    /// Turned by 45°, and a matrix in which all axes fit two ends alike: of each order of columns and each turn of them
    /// comes the same.
    #[test]
    fn axes_that_fit_alike_are_matched_whatever_their_order() {
        let half = 0.5f64.sqrt();
        let (third, two) = (1.0 / 3.0, 2.0 / 3.0);
        for matrix in [
            [[half, -half, 0.0], [half, half, 0.0], [0.0, 0.0, 1.0]],
            [
                [third, -two, -two],
                [-two, third, -two],
                [-two, -two, third],
            ],
        ] {
            let expected = Orientation::nearest(&matrix);
            for stored in Orientation::all() {
                let sign = |column: usize| if stored.positive[column] { 1.0 } else { -1.0 };
                let columns =
                    matrix.map(|row| [0, 1, 2].map(|c| sign(c) * row[stored.world_axis(c)]));
                let found = Orientation::nearest(&columns);
                for column in 0..3 {
                    let source = stored.world_axis(column);
                    assert_eq!(found.axes[column], expected.axes[source], "{stored}");
                    let is_kept = found.positive[column] == expected.positive[source];
                    assert_eq!(is_kept, stored.positive[column], "{stored}");
                }
            }
        }
    }

    #[test]
    fn serde_uses_the_three_letters() {
        assert_eq!(serde_json::to_string(&Orientation::RAS).unwrap(), "\"RAS\"");
        assert!(serde_json::from_str::<Orientation>("\"RAX\"").is_err());
    }
}
