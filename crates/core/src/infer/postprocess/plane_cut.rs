//! A plane between two labels.

use dinomed3d_volume::{Orientation, Side};
use serde::{Deserialize, Serialize};

/// Two labels that a protocol cuts from each other by a plane of the scan's grid, as it does the anterior from the
/// posterior hippocampus.
///
/// A network labels voxel by voxel and draws a frayed border instead; here its voxels vote for the plane. `L` is how a
/// label is said: by name in a recipe, by value in a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlaneCut<L> {
    /// The label that lies before the plane and the one behind it.
    pub labels: [L; 2],
    /// The side of the body that the second one is nearer to; the plane lies across the axis of the grid that runs most
    /// nearly there.
    pub towards: Side,
}

impl PlaneCut<u8> {
    /// Gives each voxel of the two labels the one of its side of the plane that leaves most of them as they are; of
    /// several such planes the first one on the way. Other labels stay. Returns the number of voxels that have changed.
    pub(super) fn apply(
        self,
        labels: &mut [u8],
        shape: [usize; 3],
        orientation: Orientation,
    ) -> usize {
        let [before, behind] = self.labels;
        let (axis, runs_there) = orientation.along(self.towards);
        let stride: usize = shape[axis + 1..].iter().product();
        // Counted on the way towards the side, so that the same scan in another order of axes has the same plane.
        let step_of = |voxel: usize| {
            let index = voxel / stride % shape[axis];
            if runs_there {
                index
            } else {
                shape[axis] - 1 - index
            }
        };
        let mut balance = vec![0isize; shape[axis]];
        for (voxel, label) in labels.iter().enumerate() {
            if *label == before {
                balance[step_of(voxel)] += 1;
            } else if *label == behind {
                balance[step_of(voxel)] -= 1;
            }
        }
        // Of a plane before step i, what the steps before it add up to.
        let (mut sum, mut best, mut plane) = (0, 0, 0);
        for (step, balance) in balance.into_iter().enumerate() {
            sum += balance;
            if sum > best {
                (best, plane) = (sum, step + 1);
            }
        }
        let mut relabelled = 0;
        for (voxel, label) in labels.iter_mut().enumerate() {
            let is_before = step_of(voxel) < plane;
            if (*label == before && !is_before) || (*label == behind && is_before) {
                *label = if is_before { before } else { behind };
                relabelled += 1;
            }
        }
        relabelled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(labels: [u8; 2], towards: char) -> PlaneCut<u8> {
        PlaneCut {
            labels,
            towards: towards.to_string().parse().unwrap(),
        }
    }

    /// By hand, rows towards the back: label 2 behind label 1, a frayed border, a third label that stays.
    #[test]
    fn a_frayed_border_becomes_a_plane() {
        let frayed = [
            [1, 1, 0, 7], //
            [1, 1, 1, 0],
            [1, 2, 1, 7],
            [2, 2, 1, 0],
            [0, 2, 2, 2],
        ];
        let straight = [
            [1, 1, 0, 7], //
            [1, 1, 1, 0],
            [1, 1, 1, 7],
            [2, 2, 2, 0],
            [0, 2, 2, 2],
        ];
        let mut labels = frayed.concat();
        let orientation = "SPR".parse().unwrap();
        let changed = cut([1, 2], 'P').apply(&mut labels, [1, 5, 4], orientation);
        assert_eq!((labels, changed), (straight.concat(), 2));
        // Said from the other end it is the same cut.
        let mut labels = frayed.concat();
        let changed = cut([2, 1], 'A').apply(&mut labels, [1, 5, 4], orientation);
        assert_eq!((labels, changed), (straight.concat(), 2));
    }

    /// Two planes are equally good here. Whichever way the axis is stored, the same voxels change.
    #[test]
    fn the_order_of_axes_does_not_matter() {
        let line = [1, 1, 2, 1, 2, 2];
        let cut = cut([1, 2], 'S');
        let mut expected = line.to_vec();
        assert_eq!(
            cut.apply(&mut expected, [6, 1, 1], "SRA".parse().unwrap()),
            1
        );
        for orientation in Orientation::all() {
            let (axis, runs_there) = orientation.along(cut.towards);
            let mut shape = [1; 3];
            shape[axis] = 6;
            let mut labels = line.to_vec();
            if !runs_there {
                labels.reverse();
            }
            assert_eq!(cut.apply(&mut labels, shape, orientation), 1);
            if !runs_there {
                labels.reverse();
            }
            assert_eq!(labels, expected, "{orientation}");
        }
    }

    /// One label alone is not cut, nor is a map without either.
    #[test]
    fn a_single_label_stays() {
        for mut labels in [vec![2, 2, 0, 2], vec![1, 0, 1, 1], vec![0, 5, 5, 0]] {
            let before = labels.clone();
            let changed = cut([1, 2], 'R').apply(&mut labels, [1, 1, 4], "SAR".parse().unwrap());
            assert_eq!((labels, changed), (before, 0));
        }
    }
}
