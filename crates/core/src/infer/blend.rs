//! One score volume that windows are blended into.

use super::windows::Blending;

/// Weighted sums of logits over a volume: the only array that grows with the scan.
#[derive(Debug)]
pub struct ScoreVolume {
    /// `[class, slice, row, column]`
    sums: Vec<f32>,
    /// `[slice, row, column]`
    weights: Vec<f32>,
    shape: [usize; 3],
    num_classes: usize,
    profiles: [Vec<f32>; 3],
}

impl ScoreVolume {
    /// Empty scores for a volume of `shape` filled by windows of edge `window`.
    pub fn new(
        shape: [usize; 3],
        num_classes: usize,
        window: [usize; 3],
        blending: Blending,
    ) -> Self {
        let num_voxels = shape.iter().product::<usize>();
        Self {
            sums: vec![0.0; num_classes * num_voxels],
            weights: vec![0.0; num_voxels],
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
    /// Returns false if a logit is not finite; the scores are then of no use.
    #[must_use]
    pub fn add(&mut self, logits: &[f32], start: [usize; 3], margin: [usize; 3]) -> bool {
        let window: [usize; 3] = std::array::from_fn(|axis| self.profiles[axis].len());
        let window_voxels = window.iter().product::<usize>();
        assert_eq!(
            logits.len(),
            self.num_classes * window_voxels,
            "one logit per voxel and class"
        );
        let [_, height, width] = self.shape;
        let num_voxels = self.weights.len();
        let overlap: [usize; 3] = std::array::from_fn(|axis| {
            (self.shape[axis] - start[axis]).min(window[axis] - margin[axis])
        });
        let mut finite = true;
        for z in 0..overlap[0] {
            for y in 0..overlap[1] {
                let plane_weight =
                    self.profiles[0][z + margin[0]] * self.profiles[1][y + margin[1]];
                let from = ((z + margin[0]) * window[1] + y + margin[1]) * window[2] + margin[2];
                let to = ((z + start[0]) * height + y + start[1]) * width + start[2];
                for x in 0..overlap[2] {
                    let weight = plane_weight * self.profiles[2][x + margin[2]];
                    self.weights[to + x] += weight;
                    for class in 0..self.num_classes {
                        let logit = logits[class * window_voxels + from + x];
                        finite &= logit.is_finite();
                        self.sums[class * num_voxels + to + x] += weight * logit;
                    }
                }
            }
        }
        finite
    }

    /// Mean logits, `[class, slice, row, column]`.
    pub fn into_scores(mut self) -> Vec<f32> {
        for sums in self.sums.chunks_mut(self.weights.len()) {
            for (sum, weight) in sums.iter_mut().zip(&self.weights) {
                *sum /= weight;
            }
        }
        self.sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows that agree give back what they agree on, whatever the weights.
    #[test]
    fn blending_equal_scores_changes_nothing() {
        let mut volume = ScoreVolume::new([5, 3, 2], 2, [4, 3, 2], Blending::Smooth);
        let truth = |class: usize, z: usize, y: usize, x: usize| {
            (class * 1000 + z * 100 + y * 10 + x) as f32
        };
        for start in [0, 1] {
            let mut logits = Vec::new();
            for class in 0..2 {
                for z in 0..4 {
                    for y in 0..3 {
                        for x in 0..2 {
                            logits.push(truth(class, z + start, y, x));
                        }
                    }
                }
            }
            assert!(volume.add(&logits, [start, 0, 0], [0; 3]));
        }
        let scores = volume.into_scores();
        for (i, score) in scores.iter().enumerate() {
            let (class, z, y, x) = (i / 30, i / 6 % 5, i / 2 % 3, i % 2);
            assert!((score - truth(class, z, y, x)).abs() < 1e-3);
        }
    }

    /// A volume of one voxel sits in the middle of a window of three.
    #[test]
    fn margins_are_left_out() {
        let mut volume = ScoreVolume::new([1, 1, 1], 1, [1, 1, 3], Blending::Smooth);
        assert!(volume.add(&[7.0, 8.0, 9.0], [0; 3], [0, 0, 1]));
        assert_eq!(volume.into_scores(), [8.0]);
    }

    #[test]
    fn values_that_are_not_finite_are_noticed() {
        let mut volume = ScoreVolume::new([1, 1, 1], 2, [1, 1, 1], Blending::Smooth);
        assert!(!volume.add(&[0.0, f32::NAN], [0; 3], [0; 3]));
    }
}
