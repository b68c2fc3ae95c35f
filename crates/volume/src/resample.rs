//! Linear interpolation along one axis; three of them in a row are trilinear.
//!
//! There is no low-pass filter before a coarser grid: plain interpolation, as the way back has to be its mirror.

/// How the points of one axis are interpolated from the points of another that covers the same length.
///
/// The outer edges of both coincide, so point `i` of `to` lies at `(i + 0.5) * from / to - 0.5`; what falls outside the
/// first and last centre takes their value.
#[derive(Debug, Clone, PartialEq)]
pub struct AxisWeights {
    from: usize,
    /// Lower neighbour and the share of the one after it.
    points: Vec<(usize, f32)>,
}

impl AxisWeights {
    /// Of `to` points from `from`, at least one.
    pub fn new(from: usize, to: usize) -> Self {
        let scale = from as f64 / to as f64;
        Self::at(from, (0..to).map(|i| (i as f64 + 0.5) * scale - 0.5))
    }

    /// Of `from` points, at least one, at these places; what lies outside the first and last takes their value.
    pub fn at(from: usize, positions: impl Iterator<Item = f64>) -> Self {
        let within = |position: f64| {
            let (lower, share) = lower_and_share(position.clamp(0.0, (from - 1) as f64));
            (lower as usize, share)
        };
        Self {
            from,
            points: positions.map(within).collect(),
        }
    }

    /// Whether nothing changes.
    pub fn is_identity(&self) -> bool {
        let is_itself = |(i, point): (usize, &(usize, f32))| *point == (i, 0.0);
        self.from == self.points.len() && self.points.iter().enumerate().all(is_itself)
    }

    /// The two neighbours of point `i` and their shares.
    pub fn neighbours(&self, i: usize) -> [(usize, f32); 2] {
        let (lower, share) = self.points[i];
        let upper = if share > 0.0 { lower + 1 } else { lower };
        [(lower, 1.0 - share), (upper, share)]
    }

    /// Interpolates along the middle axis of `[outer, from, inner]`, giving `[outer, to, inner]` in `result`.
    pub fn apply(&self, values: &[f32], inner: usize, result: &mut Vec<f32>) {
        result.clear();
        result.reserve(values.len() / self.from * self.points.len());
        for block in values.chunks_exact(self.from * inner) {
            for i in 0..self.points.len() {
                let [(a, share_a), (b, share_b)] = self.neighbours(i);
                let (a, b) = (&block[a * inner..][..inner], &block[b * inner..][..inner]);
                if share_b == 0.0 {
                    result.extend_from_slice(a);
                } else {
                    result.extend(a.iter().zip(b).map(|(a, b)| share_a * a + share_b * b));
                }
            }
        }
    }
}

/// The point before a place on an axis, and the share of the one after it.
pub(crate) fn lower_and_share(position: f64) -> (i64, f32) {
    let lower = position.floor();
    (lower as i64, (position - lower) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_taken_where_they_are_asked_for() {
        let weights = AxisWeights::at(3, [-1.0, 0.5, 1.0, 1.25, 9.0].into_iter());
        let mut result = Vec::new();
        weights.apply(&[1.0, 3.0, 7.0], 1, &mut result);
        assert_eq!(result, [1.0, 2.0, 3.0, 4.0, 7.0]);
        assert!(!AxisWeights::at(2, [1.0, 0.0].into_iter()).is_identity());
    }

    fn along(from: &[f32], to: usize) -> Vec<f32> {
        let mut result = Vec::new();
        AxisWeights::new(from.len(), to).apply(from, 1, &mut result);
        result
    }

    /// By hand, and as torch's interpolate with corners not aligned.
    #[test]
    fn doubling_puts_points_at_quarters() {
        assert_eq!(along(&[0.0, 4.0], 4), [0.0, 1.0, 3.0, 4.0]);
    }

    #[test]
    fn halving_takes_the_middle_of_each_pair() {
        assert_eq!(along(&[0.0, 4.0, 8.0, 2.0], 2), [2.0, 5.0]);
    }

    #[test]
    fn one_point_is_repeated_and_many_become_the_middle() {
        assert_eq!(along(&[7.0], 3), [7.0; 3]);
        assert_eq!(along(&[1.0, 2.0, 6.0], 1), [2.0]);
    }

    #[test]
    fn the_same_number_of_points_changes_nothing() {
        let values = [0.1, -5.5, 3.25, 9.0, 1e-30];
        assert_eq!(along(&values, 5), values);
        assert!(AxisWeights::new(5, 5).is_identity());
    }

    /// A straight line stays one, inside the outermost centres.
    #[test]
    fn lines_are_kept_and_mirrored_grids_agree() {
        let line: Vec<f32> = (0..9).map(|i| i as f32).collect();
        let finer = along(&line, 23);
        for (i, v) in finer.iter().enumerate() {
            let position = ((i as f32 + 0.5) * 9.0 / 23.0 - 0.5).clamp(0.0, 8.0);
            assert!((v - position).abs() < 1e-5, "{i}: {v}");
            assert!((v + finer[22 - i] - 8.0).abs() < 1e-5);
        }
    }
}
