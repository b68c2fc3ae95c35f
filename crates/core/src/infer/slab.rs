//! Blended windows, slice by slice: memory does not grow with the length of a scan.

use super::windows::Blending;
use std::collections::VecDeque;

/// Weighted sums of logits over the slices that windows still reach.
///
/// Windows come in the order of their first slices. A slice that none reaches any more is finished and given away.
#[derive(Debug)]
pub struct Slab {
    slices: VecDeque<Sums>,
    /// Index in the volume of the first of them.
    first: usize,
    shape: [usize; 3],
    num_classes: usize,
    profiles: [Vec<f32>; 3],
}

/// Of one slice.
#[derive(Debug)]
struct Sums {
    /// `[class, row, column]`
    logits: Vec<f32>,
    /// `[row, column]`
    weights: Vec<f32>,
}

impl Slab {
    /// Nothing yet of a volume of `shape` filled by windows of edge `window`.
    pub fn new(
        shape: [usize; 3],
        num_classes: usize,
        window: [usize; 3],
        blending: Blending,
    ) -> Self {
        Self {
            slices: VecDeque::new(),
            first: 0,
            shape,
            num_classes,
            profiles: window.map(|edge| blending.profile(edge)),
        }
    }

    /// Adds the logits of a window, `[class, slice, row, column]`, whose first voxel lies at
    /// `start`; what hangs over the volume is left out.
    ///
    /// `margin` is how far the volume's first voxel lies inside a window that is larger than
    /// the volume.
    ///
    /// Returns false if a logit is not finite; the slab is then of no use.
    ///
    /// # Panics
    /// If the window has another number of logits, or begins before a slice that was given away.
    #[must_use]
    pub fn add(&mut self, logits: &[f32], start: [usize; 3], margin: [usize; 3]) -> bool {
        let window: [usize; 3] = std::array::from_fn(|axis| self.profiles[axis].len());
        let window_voxels = window.iter().product::<usize>();
        assert_eq!(
            logits.len(),
            self.num_classes * window_voxels,
            "one logit per voxel and class"
        );
        assert!(
            start[0] >= self.first,
            "a window from slice {} after slice {} was finished",
            start[0],
            self.first
        );
        let [_, height, width] = self.shape;
        let plane = height * width;
        let overlap: [usize; 3] = std::array::from_fn(|axis| {
            (self.shape[axis] - start[axis]).min(window[axis] - margin[axis])
        });
        let mut is_finite = true;
        for z in 0..overlap[0] {
            let place = start[0] + z - self.first;
            while self.slices.len() <= place {
                self.slices.push_back(Sums {
                    logits: vec![0.0; self.num_classes * plane],
                    weights: vec![0.0; plane],
                });
            }
            let sums = &mut self.slices[place];
            for y in 0..overlap[1] {
                let row_weight = self.profiles[0][z + margin[0]] * self.profiles[1][y + margin[1]];
                let from = ((z + margin[0]) * window[1] + y + margin[1]) * window[2] + margin[2];
                let to = (y + start[1]) * width + start[2];
                let profile = &self.profiles[2][margin[2]..][..overlap[2]];
                for (sum, share) in sums.weights[to..].iter_mut().zip(profile) {
                    *sum += row_weight * share;
                }
                for class in 0..self.num_classes {
                    let row = &logits[class * window_voxels + from..][..overlap[2]];
                    let sums = &mut sums.logits[class * plane + to..][..overlap[2]];
                    for ((sum, logit), share) in sums.iter_mut().zip(row).zip(profile) {
                        is_finite &= logit.is_finite();
                        *sum += row_weight * share * logit;
                    }
                }
            }
        }
        is_finite
    }

    /// Gives away the slices before `end`, which no later window reaches: of each the mean logits, `[class, row, column]`.
    pub fn finish(&mut self, end: usize) -> Vec<Vec<f32>> {
        let count = end - self.first;
        self.first = end;
        let means = |mut slice: Sums| {
            for sums in slice.logits.chunks_mut(slice.weights.len()) {
                for (sum, weight) in sums.iter_mut().zip(&slice.weights) {
                    *sum /= weight;
                }
            }
            slice.logits
        };
        self.slices.drain(..count).map(means).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All slices at once would be the same, to the last bit: sums over the whole volume, in the order of the windows.
    #[test]
    fn slabs_give_what_one_volume_of_sums_gives() {
        let (shape, window, num_classes) = ([11, 5, 6], [4, 3, 4], 2);
        for blending in [Blending::Smooth, Blending::Mean] {
            let starts: [Vec<usize>; 3] =
                [0, 1, 2].map(|axis| blending.starts(shape[axis], window[axis], 0.5));
            let profiles = window.map(|edge| blending.profile(edge));
            let voxels: usize = shape.iter().product();
            let mut sums = vec![0.0f32; num_classes * voxels];
            let mut weights = vec![0.0f32; voxels];
            let mut slab = Slab::new(shape, num_classes, window, blending);
            let mut found = Vec::new();
            for (place, &z0) in starts[0].iter().enumerate() {
                for &y0 in &starts[1] {
                    for &x0 in &starts[2] {
                        let size = num_classes * window.iter().product::<usize>();
                        let seed = z0 * 100 + y0 * 10 + x0;
                        let logits: Vec<f32> = (0..size)
                            .map(|i| (((i + seed) * 7919) % 1013) as f32 / 101.3)
                            .collect();
                        assert!(slab.add(&logits, [z0, y0, x0], [0; 3]));
                        for (i, logit) in logits.iter().enumerate() {
                            let [z, y, x] = [i / 12 % 4, i / 4 % 3, i % 4];
                            let at = ((z0 + z) * 5 + y0 + y) * 6 + x0 + x;
                            let weight = profiles[0][z] * profiles[1][y] * profiles[2][x];
                            sums[i / 48 * voxels + at] += weight * logit;
                            if i < 48 {
                                weights[at] += weight;
                            }
                        }
                    }
                }
                found.extend(slab.finish(starts[0].get(place + 1).copied().unwrap_or(11)));
            }
            assert_eq!(found.len(), 11);
            for (z, slice) in found.iter().enumerate() {
                for (i, value) in slice.iter().enumerate() {
                    let at = z * 30 + i % 30;
                    assert_eq!(*value, sums[i / 30 * voxels + at] / weights[at], "{z} {i}");
                }
            }
        }
    }

    /// A volume of one voxel sits in the middle of a window of three.
    #[test]
    fn margins_are_left_out() {
        let mut slab = Slab::new([1, 1, 1], 1, [1, 1, 3], Blending::Smooth);
        assert!(slab.add(&[7.0, 8.0, 9.0], [0; 3], [0, 0, 1]));
        assert_eq!(slab.finish(1), [[8.0]]);
    }

    /// Only what windows reach is held: a window's slices, however long the volume.
    #[test]
    fn memory_is_a_window_deep() {
        let mut slab = Slab::new([1000, 1, 1], 1, [4, 1, 1], Blending::Mean);
        for start in (0..=996).step_by(2) {
            assert!(slab.add(&[1.0; 4], [start, 0, 0], [0; 3]));
            assert_eq!(slab.slices.len(), 4);
            let finished = slab.finish(start + 2);
            assert_eq!(finished, [[1.0], [1.0]]);
        }
    }

    #[test]
    fn values_that_are_not_finite_are_noticed() {
        let mut slab = Slab::new([1, 1, 1], 2, [1, 1, 1], Blending::Smooth);
        assert!(!slab.add(&[0.0, f32::NAN], [0; 3], [0; 3]));
    }
}
