//! Distances between the surfaces of two masks, as medpy defines them.
//!
//! The surface of a mask is the mask without its erosion by the six face neighbours; beyond the edge of the grid is
//! background. From each surface voxel of one mask goes the Euclidean distance, in mm between voxel centres, to the
//! nearest surface voxel of the other.
//!
//! Source of the distance transform: Felzenszwalb and Huttenlocher 2012, "Distance Transforms of Sampled Functions".

use crate::statistics::{mean, quantile};

/// Distances between the surfaces of two masks, both ways.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceDistances {
    /// From each surface voxel of the prediction to the reference, mm.
    to_reference: Vec<f64>,
    /// From each surface voxel of the reference to the prediction, mm.
    to_prediction: Vec<f64>,
}

impl SurfaceDistances {
    /// Measures two masks on one grid; `None` if either is empty, as there is no distance to nothing.
    ///
    /// # Shapes
    /// Both masks are `[z, y, x]` of `shape`; `spacing_mm` is in the same order.
    ///
    /// # Panics
    /// If a mask is not of that shape.
    pub fn measure(
        prediction: impl Fn(usize) -> bool,
        reference: impl Fn(usize) -> bool,
        shape: [usize; 3],
        spacing_mm: [f64; 3],
    ) -> Option<Self> {
        // Every surface voxel lies in the box around both masks, so distances are needed in it alone.
        let in_prediction = Bounds::around(shape, &prediction)?;
        let in_reference = Bounds::around(shape, &reference)?;
        let bounds = in_prediction.union(in_reference);
        let predicted = bounds.surface(shape, prediction);
        let wanted = bounds.surface(shape, reference);
        let directed = |from: &[bool], to: &[bool]| {
            let squared = squared_distances(to, bounds.shape(), spacing_mm);
            let on_surface = from.iter().zip(&squared).filter(|(is, _)| **is);
            on_surface.map(|(_, d)| d.sqrt()).collect()
        };
        Some(Self {
            to_reference: directed(&predicted, &wanted),
            to_prediction: directed(&wanted, &predicted),
        })
    }

    /// Hausdorff distance: the largest of all, mm.
    pub fn hd(&self) -> f64 {
        self.both().fold(0.0, f64::max)
    }

    /// 95th percentile of all distances of both directions together, mm; between two of them linearly.
    pub fn hd95(&self) -> f64 {
        let mut all: Vec<f64> = self.both().collect();
        all.sort_unstable_by(f64::total_cmp);
        quantile(&all, 0.95)
    }

    /// Average distance from the prediction's surface to the reference's, mm.
    pub fn asd(&self) -> f64 {
        mean(self.to_reference.iter().copied()).unwrap_or(f64::NAN)
    }

    /// Average of all distances of both directions together, mm.
    ///
    /// As medpy since 0.5; before, it took the mean of the two directions' averages.
    pub fn assd(&self) -> f64 {
        mean(self.both()).unwrap_or(f64::NAN)
    }

    fn both(&self) -> impl Iterator<Item = f64> + '_ {
        self.to_reference.iter().chain(&self.to_prediction).copied()
    }
}

/// A box in a grid: first voxel and the one after the last along each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    first: [usize; 3],
    end: [usize; 3],
}

impl Bounds {
    /// The box around a mask, none if it is empty.
    fn around(shape: [usize; 3], mask: &impl Fn(usize) -> bool) -> Option<Self> {
        let mut bounds = Self {
            first: [usize::MAX; 3],
            end: [0; 3],
        };
        let mut index = 0;
        for z in 0..shape[0] {
            for y in 0..shape[1] {
                for x in 0..shape[2] {
                    if mask(index) {
                        for (axis, at) in [z, y, x].into_iter().enumerate() {
                            bounds.first[axis] = bounds.first[axis].min(at);
                            bounds.end[axis] = bounds.end[axis].max(at + 1);
                        }
                    }
                    index += 1;
                }
            }
        }
        (bounds.end[0] > 0).then_some(bounds)
    }

    fn union(self, other: Self) -> Self {
        Self {
            first: [0, 1, 2].map(|a| self.first[a].min(other.first[a])),
            end: [0, 1, 2].map(|a| self.end[a].max(other.end[a])),
        }
    }

    fn shape(self) -> [usize; 3] {
        [0, 1, 2].map(|a| self.end[a] - self.first[a])
    }

    /// The surface of a mask that lies in this box; `shape` is the whole grid's.
    fn surface(self, shape: [usize; 3], mask: impl Fn(usize) -> bool) -> Vec<bool> {
        let [depth, rows, columns] = self.shape();
        let mut inside = Vec::with_capacity(depth * rows * columns);
        for z in self.first[0]..self.end[0] {
            for y in self.first[1]..self.end[1] {
                let row = (z * shape[1] + y) * shape[2];
                inside.extend((self.first[2]..self.end[2]).map(|x| mask(row + x)));
            }
        }
        // Outside of the box, as outside of the grid, is background.
        let mut surface = vec![false; inside.len()];
        let mut index = 0;
        for z in 0..depth {
            for y in 0..rows {
                for x in 0..columns {
                    let is_eroded = |at: usize, last: usize, step: usize| {
                        at == 0 || at == last || !inside[index - step] || !inside[index + step]
                    };
                    surface[index] = inside[index]
                        && (is_eroded(x, columns - 1, 1)
                            || is_eroded(y, rows - 1, columns)
                            || is_eroded(z, depth - 1, rows * columns));
                    index += 1;
                }
            }
        }
        surface
    }
}

/// Squared Euclidean distance of each voxel to the nearest one that is set, in the unit of `spacing` squared.
fn squared_distances(set: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Vec<f64> {
    let mut distances: Vec<f64> = set
        .iter()
        .map(|&is| if is { 0.0 } else { f64::INFINITY })
        .collect();
    let mut envelope = Envelope::default();
    let mut line = Vec::new();
    for axis in (0..3).rev() {
        let step: usize = shape[axis + 1..].iter().product();
        let edge = shape[axis];
        for block in distances.chunks_exact_mut(edge * step) {
            for start in 0..step {
                line.clear();
                line.extend(block[start..].iter().step_by(step));
                envelope.lower(&line, spacing[axis]);
                for (i, value) in block[start..].iter_mut().step_by(step).enumerate() {
                    *value = envelope.next(&line, i, spacing[axis]);
                }
            }
        }
    }
    distances
}

/// The lower envelope of the parabolas over one line of voxels.
#[derive(Debug, Default)]
struct Envelope {
    /// Voxels whose parabola is part of it, and where, in voxels, each part starts.
    parts: Vec<(usize, f64)>,
    /// The part that was read last.
    current: usize,
}

impl Envelope {
    /// Finds the envelope of `heights[i] + (spacing * (x - i))²`.
    fn lower(&mut self, heights: &[f64], spacing: f64) {
        self.parts.clear();
        self.current = 0;
        let squared = spacing * spacing;
        for (i, &height) in heights.iter().enumerate() {
            if height == f64::INFINITY {
                continue; // Two of these would meet at "infinity minus infinity".
            }
            let mut start = f64::NEG_INFINITY;
            while let Some(&(j, other_start)) = self.parts.last() {
                let (a, b) = (i as f64, j as f64);
                start = 0.5 * ((height - heights[j]) / (squared * (a - b)) + a + b);
                if start > other_start {
                    break;
                }
                self.parts.pop();
                start = f64::NEG_INFINITY;
            }
            self.parts.push((i, start));
        }
    }

    /// Height of the envelope at voxel `at`; asked for in ascending order.
    fn next(&mut self, heights: &[f64], at: usize, spacing: f64) -> f64 {
        while let Some(&(_, start)) = self.parts.get(self.current + 1) {
            if start > at as f64 {
                break;
            }
            self.current += 1;
        }
        match self.parts.get(self.current) {
            Some(&(i, _)) => {
                let distance = spacing * (at as f64 - i as f64);
                heights[i] + distance * distance
            }
            None => f64::INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SplitMix64;

    fn seeded(count: usize, percent: u64) -> Vec<bool> {
        let mut random = SplitMix64::new(1);
        (0..count)
            .map(|_| (random.next_u64() >> 33) % 100 < percent)
            .collect()
    }

    #[test]
    fn the_transform_equals_trying_every_pair() {
        for (shape, percent) in [
            ([5, 7, 6], 3),
            ([1, 9, 4], 10),
            ([6, 1, 1], 40),
            ([4, 5, 6], 60),
        ] {
            for spacing in [[1.0; 3], [3.0, 0.5, 0.75], [0.1, 10.0, 1.3]] {
                let mut set = seeded(shape.iter().product(), percent);
                set[0] = true;
                let at = |i: usize| {
                    [
                        i / (shape[1] * shape[2]),
                        i / shape[2] % shape[1],
                        i % shape[2],
                    ]
                };
                for (i, found) in squared_distances(&set, shape, spacing)
                    .into_iter()
                    .enumerate()
                {
                    let least = (0..set.len())
                        .filter(|&j| set[j])
                        .map(|j| {
                            (0..3)
                                .map(|a| {
                                    let steps = at(i)[a] as f64 - at(j)[a] as f64;
                                    (spacing[a] * steps).powi(2)
                                })
                                .sum::<f64>()
                        })
                        .fold(f64::INFINITY, f64::min);
                    assert!((found - least).abs() < 1e-9, "{found} {least}");
                }
            }
        }
    }

    #[test]
    fn an_empty_mask_has_no_distance() {
        let one = |i: usize| i == 3;
        let none = |_: usize| false;
        assert!(SurfaceDistances::measure(one, none, [2, 2, 2], [1.0; 3]).is_none());
        assert!(SurfaceDistances::measure(none, one, [2, 2, 2], [1.0; 3]).is_none());
        assert!(SurfaceDistances::measure(none, none, [2, 2, 2], [1.0; 3]).is_none());
    }

    /// By hand: two single voxels, 1 slice of 3 mm and 2 columns of 2 mm apart: 5 mm both ways.
    #[test]
    fn single_voxels_are_their_centres_apart() {
        let found =
            SurfaceDistances::measure(|i| i == 0, |i| i == 5, [2, 1, 3], [3.0, 1.0, 2.0]).unwrap();
        for distance in [found.hd(), found.hd95(), found.asd(), found.assd()] {
            assert_eq!(distance, 5.0);
        }
    }

    #[test]
    fn the_inside_of_a_cube_is_no_surface() {
        let bounds = Bounds::around([5; 3], &|_| true).unwrap();
        let surface = bounds.surface([5; 3], |_| true);
        assert_eq!(surface.iter().filter(|&&is| is).count(), 125 - 27);
    }
}
