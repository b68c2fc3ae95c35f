//! Where in a scan the window of a model lies whose one window holds all that it labels.
//!
//! Such a model was trained on windows around the middle of what it labels. Windows laid over the scan as chance has it show it
//! halves, and answers get worse: on one person's T1 of 256³, the thalamus had Dice 0.57 and 0.64, and 0.82 and 0.79 in a window
//! around the brain.

use dinomed3d_volume::{Affine, Image, LabelMap, Orientation, Region};
use serde::{Deserialize, Serialize};

/// What a scan shows, by which the first window is laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locate {
    /// A head, with or without skull, neck and shoulders; its brain is sought.
    Head,
}

/// Between the top of a head and that of the first window.
const ABOVE_HEAD_MM: f64 = 5.0;
/// A slice that holds less than this share of the fullest slice's tissue is above the head.
const SLICE_OF_HEAD: f64 = 0.02;
/// Share of the labelled voxels at either end that says nothing of where the middle is.
const STRAYS: f64 = 0.002;
/// Between what was found and the last window's edge, where a window made smaller leaves no more.
const BESIDE_BRAIN_MM: f64 = 6.0;
/// Share of the darkest and of the brightest voxels that the range leaves out.
const OUTLIERS: f64 = 5e-4;
/// Windows closer than this to each other show the same.
const NEAR_MM: f64 = 6.0;

impl Locate {
    /// Less than this labelled says that a window missed what is looked for, in mL.
    pub fn least_ml(self) -> f64 {
        match self {
            Self::Head => 100.0,
        }
    }

    /// The window in which to look first.
    ///
    /// # Shapes
    /// `extent_mm` is that of a window towards right, anterior and superior.
    pub fn first(self, scan: &impl Image, extent_mm: [f64; 3]) -> Region {
        let Self::Head = self;
        let tissue = Tissue::of(scan);
        let window = Window::of(scan.shape(), &scan.affine(), extent_mm);
        let (vertical, _) = window.orientation.to(Orientation::RAS)[2];
        let heights = window.upwards(vertical, tissue.counts(vertical, |_| true));
        let fullest = heights.iter().copied().max().unwrap_or(0) as f64;
        let of_head = |count: &usize| *count as f64 > SLICE_OF_HEAD * fullest;
        let highest = heights.iter().rposition(of_head).unwrap_or(0) as f64;
        let half = window.size[vertical] as f64 / 2.0;
        let middle_height = highest + ABOVE_HEAD_MM / window.spacing_mm[vertical] - half;
        let is_beside = |at: [usize; 3]| {
            let height = window.upward(vertical, at[vertical]);
            (height as f64 - middle_height).abs() <= half
        };
        window.around(std::array::from_fn(|axis| {
            if axis == vertical {
                middle_height
            } else {
                quantile(&window.upwards(axis, tissue.counts(axis, is_beside)), 0.5)
            }
        }))
    }
}

/// The window around what was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Around {
    /// Of the scan.
    pub region: Region,
    /// So many times finer than the model's own is the grid that fills the model's window with it; 1 at least.
    pub finer: f64,
}

/// The window around the middle of what is labelled; none where nothing is. Where it would leave room, it is smaller, so that the
/// network sees the same number of finer voxels, up to `finest` times: of one person's T1 of 1 mm the pallidum gains 0.05 of Dice.
///
/// # Shapes
/// `extent_mm` as in [`Locate::first`], of a window of the model's own grid.
pub fn window_around(map: &LabelMap, extent_mm: [f64; 3], finest: f64) -> Option<Around> {
    let labelled = Tissue {
        is: map.labels.iter().map(|label| *label != 0).collect(),
        shape: map.shape,
    };
    if labelled.is.iter().all(|is| !is) {
        return None;
    }
    let window = Window::of(map.shape, &map.affine, extent_mm);
    let ends: [[f64; 2]; 3] = std::array::from_fn(|axis| {
        let counts = window.upwards(axis, labelled.counts(axis, |_| true));
        [STRAYS, 1.0 - STRAYS].map(|share| quantile(&counts, share))
    });
    let room = |axis: usize| {
        let [low, high] = ends[axis];
        let needed = (high - low) * window.spacing_mm[axis] + 2.0 * BESIDE_BRAIN_MM;
        extent_mm[window.orientation.world_axis(axis)] / needed
    };
    let room = (0..3).map(room).fold(finest, f64::min);
    let finer = room.max(1.0);
    let window = Window::of(map.shape, &map.affine, extent_mm.map(|mm| mm / finer));
    let region = window.around(ends.map(|[low, high]| (low + high) / 2.0));
    Some(Around { region, finer })
}

/// Whether two windows of one size show the same.
pub fn are_near(a: &Region, b: &Region, affine: &Affine) -> bool {
    let [x, y, z] = affine.spacing_mm();
    let spacing_mm = [z, y, x];
    (0..3).all(|axis| {
        let apart = a.ranges[axis].start.abs_diff(b.ranges[axis].start);
        apart as f64 * spacing_mm[axis] < NEAR_MM
    })
}

/// A window's size on a scan's grid.
struct Window {
    /// Voxels along `[z, y, x]`, of the scan at most.
    size: [usize; 3],
    shape: [usize; 3],
    /// `[z, y, x]`
    spacing_mm: [f64; 3],
    /// Of `[z, y, x]`.
    orientation: Orientation,
}

impl Window {
    fn of(shape: [usize; 3], affine: &Affine, extent_mm: [f64; 3]) -> Self {
        let orientation = affine.orientation().reversed();
        let [x, y, z] = affine.spacing_mm();
        let spacing_mm = [z, y, x];
        let size = std::array::from_fn(|axis| {
            let edge = extent_mm[orientation.world_axis(axis)] / spacing_mm[axis];
            // Rounded down, or the region would not fit into the window.
            ((edge + 1e-3) as usize).clamp(1, shape[axis])
        });
        Self {
            size,
            shape,
            spacing_mm,
            orientation,
        }
    }

    /// Whether an axis runs towards left, posterior or inferior.
    fn is_reversed(&self, axis: usize) -> bool {
        let axes = self.orientation.to(Orientation::RAS);
        axes.iter()
            .any(|(of, is_reversed)| *of == axis && *is_reversed)
    }

    /// Place on an axis, counted towards right, anterior or superior: so that rounding, which favours one end, does not depend on
    /// how the scan is stored.
    fn upward(&self, axis: usize, at: usize) -> usize {
        if self.is_reversed(axis) {
            self.shape[axis] - 1 - at
        } else {
            at
        }
    }

    /// Counts of an axis in that order.
    fn upwards(&self, axis: usize, mut counts: Vec<usize>) -> Vec<usize> {
        if self.is_reversed(axis) {
            counts.reverse();
        }
        counts
    }

    /// Around a place in voxels, counted so, moved so that it lies in the scan.
    fn around(&self, middle: [f64; 3]) -> Region {
        Region {
            ranges: std::array::from_fn(|axis| {
                let (size, edge) = (self.size[axis], self.shape[axis]);
                let start = middle[axis] + 0.5 - size as f64 / 2.0;
                let mut start = start.round().clamp(0.0, (edge - size) as f64) as usize;
                if self.is_reversed(axis) {
                    start = edge - size - start;
                }
                start..start + size
            }),
        }
    }
}

/// Voxels that are of interest.
struct Tissue {
    is: Vec<bool>,
    shape: [usize; 3],
}

impl Tissue {
    /// What is brighter than the background, by Otsu's threshold of all voxels.
    ///
    /// Source: Otsu 1979, "A threshold selection method from gray-level histograms".
    fn of(scan: &impl Image) -> Self {
        const BINS: usize = 256;
        let values = || scan.values(0..scan.count());
        let finite = || values().filter(|value| value.is_finite());
        let (mut low, mut high) = finite()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(f64::from(value)), high.max(f64::from(value)))
            });
        let bin = |value: f32, low: f64, high: f64| {
            let share = (f64::from(value) - low) / (high - low).max(f64::MIN_POSITIVE);
            // What lies below the first bin counts there.
            ((share * BINS as f64) as usize).min(BINS - 1)
        };
        // A few voxels of any value, such as a mark or a fault, say nothing of the others, which then share few bins.
        let counts = loop {
            let mut counts = [0.0f64; BINS];
            for value in finite() {
                counts[bin(value, low, high)] += 1.0;
            }
            let few = OUTLIERS * counts.iter().sum::<f64>();
            let is_many = |sum: &mut f64, count: &f64| {
                *sum += count;
                Some(*sum > few)
            };
            let first = counts
                .iter()
                .scan(0.0, is_many)
                .position(|is| is)
                .unwrap_or(0);
            let last = counts
                .iter()
                .rev()
                .scan(0.0, is_many)
                .position(|is| is)
                .unwrap_or(0);
            let last = BINS - 1 - last;
            // Closer together than single precision tells apart, they are one value.
            let is_one_value = high - low <= 1e-7 * low.abs().max(high.abs());
            let is_nothing = high - low < f64::from(f32::MIN_POSITIVE);
            if last - first >= BINS / 4 || is_one_value || is_nothing {
                break counts;
            }
            let width = (high - low) / BINS as f64;
            (low, high) = (low + first as f64 * width, low + (last + 1) as f64 * width);
        };
        let bin = |value: f32| bin(value, low, high);
        let all: f64 = counts.iter().sum();
        let sum: f64 = (0..BINS).map(|i| i as f64 * counts[i]).sum();
        let (mut below, mut sum_below, mut best, mut threshold) = (0.0, 0.0, -1.0, 0);
        for (i, count) in counts.iter().enumerate() {
            below += count;
            sum_below += i as f64 * count;
            let apart = sum * below - sum_below * all;
            let between = apart * apart / (below * (all - below));
            if between > best {
                (best, threshold) = (between, i);
            }
        }
        Self {
            is: values()
                .map(|value| value.is_finite() && bin(value) > threshold)
                .collect(),
            shape: scan.shape(),
        }
    }

    /// How many there are at each place of an axis, of those that are asked for.
    fn counts(&self, axis: usize, is_asked: impl Fn([usize; 3]) -> bool) -> Vec<usize> {
        let [_, rows, columns] = self.shape;
        let mut counts = vec![0; self.shape[axis]];
        for (index, _) in self.is.iter().enumerate().filter(|(_, is)| **is) {
            let at = [
                index / (rows * columns),
                index / columns % rows,
                index % columns,
            ];
            if is_asked(at) {
                counts[at[axis]] += 1;
            }
        }
        counts
    }
}

/// The first place below which lies at least that share; the middle of the axis where there is nothing.
fn quantile(counts: &[usize], share: f64) -> f64 {
    let all: usize = counts.iter().sum();
    let mut below = 0;
    for (place, count) in counts.iter().enumerate() {
        below += count;
        if all > 0 && below as f64 >= share * all as f64 {
            return place as f64;
        }
    }
    (counts.len() as f64 - 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::Volume;

    /// A head of radius 40 mm with its top at height 90 mm and a neck below it, in any order of axes: 4 mm, dark around it.
    fn head(orientation: Orientation) -> Volume {
        let edges = [30, 32, 34]; // right, anterior, superior
        let spacing = 4.0;
        // Columns of the affine for x, y, z.
        let of_file = orientation; // of x, y, z
        let mut affine = Affine::from_spacing_mm([1.0; 3]);
        let mut shape_xyz = [0; 3];
        affine.0[..3].iter_mut().for_each(|row| *row = [0.0; 4]);
        for (axis, edge) in shape_xyz.iter_mut().enumerate() {
            let world = of_file.world_axis(axis);
            let length = (edges[world] as f64 - 1.0) * spacing;
            *edge = edges[world];
            affine.0[world][axis] = if of_file.is_positive(axis) {
                spacing
            } else {
                -spacing
            };
            affine.0[world][3] = if of_file.is_positive(axis) {
                0.0
            } else {
                length
            };
        }
        let [width, height, depth] = shape_xyz;
        let mut voxels = Vec::new();
        for z in 0..depth {
            for y in 0..height {
                for x in 0..width {
                    let [r, a, s] = affine.apply([x as f64, y as f64, z as f64]);
                    let (r, a) = (r - 52.0, a - 72.0);
                    let is_head = r * r + a * a + (s - 50.0).powi(2) < 1600.0;
                    let is_neck = r * r + a * a < 300.0 && s < 50.0;
                    voxels.push(if is_head || is_neck { 100.0 } else { 3.0 });
                }
            }
        }
        Volume {
            voxels,
            shape: [depth, height, width],
            affine,
        }
    }

    fn middle(region: &Region, affine: &Affine) -> [f64; 3] {
        let [z, y, x] = [0, 1, 2].map(|axis| {
            let range = &region.ranges[axis];
            (range.start + range.end - 1) as f64 / 2.0
        });
        affine.apply([x, y, z])
    }

    /// Its window of 60 × 64 × 56 mm ends 5 mm above the head; half a voxel is lost in rounding.
    #[test]
    fn a_head_is_found_from_its_top_in_all_orders_of_axes() {
        for orientation in Orientation::all() {
            let scan = head(orientation);
            let region = Locate::Head.first(&scan, [60.0, 64.0, 56.0]);
            let found = middle(&region, &scan.affine);
            for (found, expected) in found.into_iter().zip([52.0, 72.0, 65.0]) {
                assert!(
                    (found - expected).abs() <= 4.0,
                    "{orientation}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn single_voxels_of_any_value_do_not_move_the_window() {
        let mut scan = head(Orientation::RAS);
        let expected = Locate::Head.first(&scan, [60.0, 64.0, 56.0]);
        for (place, value) in [
            (7, 1e8),
            (900, -1e8),
            (5000, f32::NAN),
            (9000, f32::INFINITY),
        ] {
            scan.voxels[place] = value;
        }
        let found = Locate::Head.first(&scan, [60.0, 64.0, 56.0]);
        assert_eq!(found, expected);
    }

    /// Labels in the ball but few strays: the window is around the ball's middle, as far as the scan goes.
    #[test]
    fn the_next_window_is_around_what_was_labelled() {
        for orientation in Orientation::all() {
            let scan = head(orientation);
            let mut labels: Vec<u8> = scan.voxels.iter().map(|v| u8::from(*v > 50.0)).collect();
            let inverse = scan.affine.inverse().unwrap();
            let stray = inverse.apply([4.0, 4.0, 4.0]).map(|v| v.round() as usize);
            labels[(stray[2] * scan.shape[1] + stray[1]) * scan.shape[2] + stray[0]] = 9;
            for (index, label) in labels.iter_mut().enumerate() {
                let at = [
                    index % scan.shape[2],
                    index / scan.shape[2] % scan.shape[1],
                    index / (scan.shape[2] * scan.shape[1]),
                ];
                if scan.affine.apply(at.map(|v| v as f64))[2] < 20.0 && *label == 1 {
                    *label = 0; // the neck
                }
            }
            let map = LabelMap {
                labels,
                shape: scan.shape,
                affine: scan.affine,
            };
            let Around { region, finer } = window_around(&map, [60.0, 64.0, 56.0], 1.5).unwrap();
            assert_eq!(finer, 1.0, "the ball is larger");
            let found = middle(&region, &scan.affine);
            for (found, expected) in found.into_iter().zip([52.0, 72.0, 54.0]) {
                assert!(
                    (found - expected).abs() <= 4.0,
                    "{orientation}: {found} {expected}"
                );
            }
            assert!(are_near(&region, &region, &scan.affine));
            // 72 to 80 mm of ball, without strays, and margins of 6 mm leave room for 1.3 to 1.43 times; 1.2 are allowed.
            for (finest, expected) in [(1.2, 1.2..=1.2), (9.0, 1.27..=1.43)] {
                let Around { region, finer } = window_around(&map, [120.0; 3], finest).unwrap();
                assert!(expected.contains(&finer), "{finer}");
                let edges = region.shape().map(|edge| edge as f64 * 4.0);
                assert!(
                    edges
                        .iter()
                        .all(|mm| *mm <= 120.0 / finer && *mm > 120.0 / finer - 4.0),
                    "{edges:?}"
                );
            }
        }
    }

    #[test]
    fn a_scan_smaller_than_the_window_is_taken_whole_and_nothing_labelled_is_said() {
        let scan = head(Orientation::RAS);
        let region = Locate::Head.first(&scan, [500.0; 3]);
        assert_eq!(region.shape(), scan.shape);
        let map = LabelMap {
            labels: vec![0; scan.voxels.len()],
            shape: scan.shape,
            affine: scan.affine,
        };
        assert_eq!(window_around(&map, [60.0; 3], 1.5), None);
    }
}
