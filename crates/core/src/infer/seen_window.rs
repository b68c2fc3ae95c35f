//! One window as a network was given it, and where it lies in the world.

use super::predict::cut_window;
use super::windows::Windowing;
use dinomed3d_volume::Affine;

/// A window of the last look.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenWindow {
    /// Normalised, `[channel, slice, row, column]`.
    pub values: Vec<f32>,
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// From `(column, row, slice)` to the world.
    pub affine: Affine,
}

impl SeenWindow {
    /// Of all windows that are laid over `voxels`, `[channel, slice, row, column]` of `shape`, the one whose middle is nearest to the
    /// place `at` (slice, row, column).
    pub(super) fn nearest(
        voxels: &[f32],
        shape: [usize; 3],
        windowing: Windowing,
        affine: &Affine,
        at: [f64; 3],
    ) -> Self {
        let Windowing { window, beyond, .. } = windowing;
        let margin: [usize; 3] =
            std::array::from_fn(|axis| window[axis].saturating_sub(shape[axis]) / 2);
        let starts = windowing.starts(shape);
        let start: [usize; 3] = std::array::from_fn(|axis| {
            let half = window[axis] as f64 / 2.0 - margin[axis] as f64;
            let apart = |start: usize| (start as f64 + half - 0.5 - at[axis]).abs();
            let nearest = starts[axis].iter().copied();
            nearest
                .min_by(|a, b| apart(*a).total_cmp(&apart(*b)))
                .unwrap_or(0)
        });
        let values = voxels
            .chunks_exact(shape.iter().product())
            .flat_map(|channel| {
                let beyond = beyond.value(channel);
                cut_window(channel, beyond, shape, start, margin, window)
            })
            .collect();
        let first = [2, 1, 0].map(|axis: usize| start[axis] as f64 - margin[axis] as f64);
        Self {
            values,
            shape: window,
            affine: affine.subgrid(first, [1.0; 3]),
        }
    }

    /// The voxel (slice, row, column) at a place in the world; none outside.
    pub fn voxel_at(&self, at_mm: [f64; 3]) -> Option<[usize; 3]> {
        let [x, y, z] = self.affine.inverse()?.apply(at_mm);
        let voxel = [z, y, x].map(f64::round);
        let is_inside = |axis: usize| (0.0..self.shape[axis] as f64).contains(&voxel[axis]);
        (0..3).all(is_inside).then(|| voxel.map(|i| i as usize))
    }

    /// A slice of a channel, `[row, column]`; of one beyond an end the end slice.
    pub fn slice(&self, channel: usize, slice: isize) -> &[f32] {
        let [depth, rows, columns] = self.shape;
        let slice = slice.clamp(0, depth as isize - 1) as usize;
        let plane = rows * columns;
        &self.values[(channel * depth + slice) * plane..][..plane]
    }

    /// The same with nothing to be seen in a slice: every channel's voxels there have the value of its mean.
    #[must_use]
    pub fn blanked(&self, slice: usize) -> Self {
        let mut blanked = self.clone();
        let [depth, rows, columns] = self.shape;
        let plane = rows * columns;
        for channel in blanked.values.chunks_exact_mut(depth * plane) {
            let mean = channel.iter().sum::<f32>() / channel.len() as f32;
            channel[slice * plane..][..plane].fill(mean);
        }
        blanked
    }
}

#[cfg(test)]
mod tests {
    use super::super::windows::{Beyond, Blending};
    use super::*;

    const TWO_LONG: Windowing = Windowing {
        window: [1, 1, 2],
        overlap: 0.0,
        blending: Blending::Smooth,
        beyond: Beyond::Mean,
    };

    /// By hand: windows of columns 0 and 1, 2 and 3, and 4 and 5 of voxels of 2 mm.
    #[test]
    fn the_nearest_window_lies_where_its_voxels_do() {
        let affine = Affine::from_spacing_mm([2.0, 1.0, 1.0]);
        let voxels = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        for (at, values, first_mm) in [
            (0.4, [0.0, 1.0], 0.0),
            (2.7, [2.0, 3.0], 4.0),
            (9.0, [4.0, 5.0], 8.0),
        ] {
            let found = SeenWindow::nearest(&voxels, [1, 1, 6], TWO_LONG, &affine, [0.0, 0.0, at]);
            assert_eq!(found.values, values);
            assert_eq!(found.affine.apply([0.0; 3]), [first_mm, 0.0, 0.0]);
            let last_mm = [first_mm + 2.2, 0.0, 0.0];
            assert_eq!(found.voxel_at(last_mm), Some([0, 0, 1]));
            assert_eq!(found.voxel_at([first_mm + 3.1, 0.0, 0.0]), None);
        }
    }

    /// A volume smaller than the window lies in its middle.
    #[test]
    fn a_window_hangs_over_on_both_sides() {
        let windowing = Windowing {
            window: [1, 1, 4],
            ..TWO_LONG
        };
        let affine = Affine::from_spacing_mm([1.0; 3]);
        let found = SeenWindow::nearest(&[7.0, 8.0], [1, 1, 2], windowing, &affine, [0.0; 3]);
        assert_eq!(found.values, [0.0, 7.0, 8.0, 0.0]);
        assert_eq!(found.voxel_at([0.0; 3]), Some([0, 0, 1]));
    }

    #[test]
    fn a_blanked_slice_has_the_mean_and_the_others_stay() {
        let window = SeenWindow {
            values: vec![1.0, 3.0, 5.0, 7.0],
            shape: [2, 1, 2],
            affine: Affine::from_spacing_mm([1.0; 3]),
        };
        assert_eq!(window.blanked(1).values, [1.0, 3.0, 4.0, 4.0]);
        assert_eq!(window.slice(0, -1), [1.0, 3.0]);
        assert_eq!(window.slice(0, 2), [5.0, 7.0]);
    }
}
