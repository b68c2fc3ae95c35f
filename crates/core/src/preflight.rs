//! What segmenting a scan will take, told from its header before anything is computed.

use crate::manifest::ModelManifest;
use crate::model::cost::multiply_adds;
use crate::preprocess::Intensity;
use dinomed3d_volume::{GridError, Outline};

/// What segmenting a scan will take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Preflight {
    /// Windows, mirror images not counted.
    pub windows: usize,
    /// Multiplications and additions of the network that are waited for, in 10⁹, and what else takes as long: of windows that
    /// are computed at the same time one counts.
    pub gflop: f64,
    /// Most memory at a time: scan, labels, network and one window's logits.
    pub memory_bytes: u64,
}

/// The program itself.
const PROGRAM_BYTES: u64 = 20 << 20;
/// Bringing a logit back to a voxel takes as long as so many operations of the network: 8 ns beside 31 GFLOP/s, measured on the drawn head.
const OPERATIONS_PER_LOGIT: f64 = 250.0;
/// Values of a window held beside logits, per voxel, where the decoder ends at half size: its input, and what its last convolutions
/// read and write.
const ACTIVATIONS: u64 = 40;
/// Values per voxel and channel of the convolutions at full size, where the decoder ends in them: what they read and write, of both
/// streams and joined, and what the allocator leaves between. Measured on windows of 18 to 614 thousand voxels.
const FULL_ACTIVATIONS: u64 = 6;

/// Arithmetic of a model, from its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Of a window, 10⁹ multiplications and additions.
    pub window_gflop: f64,
    /// Of the known answer's small input.
    pub check_gflop: f64,
    /// A piece of a window that takes a moment, and what of a window's pace a small input does not show.
    pub(crate) piece: [usize; 3],
    /// Of that piece.
    pub(crate) piece_gflop: f64,
    /// Values of all weights.
    weights: u64,
}

impl Cost {
    /// Of a manifest's network with weights of these names and shapes.
    pub fn of<'a, W>(manifest: &ModelManifest, weights: W) -> Self
    where
        W: Iterator<Item = (&'a str, &'a [usize])> + Clone,
    {
        let gflop = |window: [usize; 3]| {
            2e-9 * multiply_adds(weights.clone(), &manifest.architecture, window) as f64
        };
        let [depth, rows, columns] = manifest.window;
        let piece = [depth.min(8), rows.min(64), columns.min(64)];
        Self {
            piece,
            piece_gflop: gflop(piece),
            window_gflop: gflop(manifest.window),
            check_gflop: gflop(manifest.check.shape),
            weights: weights
                .clone()
                .map(|(_, shape)| shape.iter().product::<usize>() as u64)
                .sum(),
        }
    }

    /// Memory of all weights.
    pub fn weight_bytes(&self) -> u64 {
        4 * self.weights
    }

    /// Memory of a network that computes one window.
    pub fn window_bytes(&self, manifest: &ModelManifest) -> u64 {
        let window = product(manifest.window);
        // The network's: labels of two sides are one of its classes.
        let classes = manifest.architecture.num_classes as u64;
        // Either the last convolutions beside one set of logits, or logits from both, their sum and what is read of it.
        let values = match manifest.architecture.detail.full_channels {
            Some(full) => (FULL_ACTIVATIONS * full as u64 + classes).max(3 * classes),
            None => 3 * classes + ACTIVATIONS,
        };
        self.weight_bytes() + 4 * window * values
    }

    /// Memory of the logits of a scan's last look and of what was looked at, where they are kept, and of what comes of them: see
    /// [`Keep::Logits`](crate::infer::Keep::Logits).
    ///
    /// # Errors
    /// A scan that has no model grid.
    pub fn kept_bytes(&self, manifest: &ModelManifest, scan: &Outline) -> Result<u64, GridError> {
        let grid = manifest.preprocessing.grid(scan.shape, &scan.affine)?;
        let voxels = product(if manifest.locate.is_some() {
            manifest.window
        } else {
            grid.shape()
        });
        // At each voxel of the scan a sum and a certainty, then one label's probability and its bytes.
        let of_scan = (4 + 1 + 2 + 2) * product(scan.shape);
        let pipeline = manifest.pipeline();
        let numbers = (pipeline.values.len() + pipeline.channels.len()) as u64;
        // Brightness in steps.
        let levels = match pipeline.brightness_on(&grid) {
            Some(_) => product(scan.shape),
            None => 0,
        };
        Ok(4 * voxels * numbers + of_scan + levels)
    }

    /// Of a scan, with so many windows computed at the same time as `at_a_time` says.
    ///
    /// # Errors
    /// A scan that has no model grid.
    pub fn preflight(
        &self,
        manifest: &ModelManifest,
        scan: &Outline,
        at_a_time: usize,
    ) -> Result<Preflight, GridError> {
        let scan = Looks::new(manifest, scan)?;
        let rounds = scan.before + scan.passes.div_ceil(at_a_time);
        let logits = (scan.looks * scan.region * scan.classes) as f64;
        let most = scan.most_bytes(self, at_a_time);
        Ok(Preflight {
            windows: scan.windows,
            gflop: rounds as f64 * self.window_gflop + 1e-9 * OPERATIONS_PER_LOGIT * logits,
            memory_bytes: PROGRAM_BYTES + self.weight_bytes() + most,
        })
    }

    /// Of a closer look at what another model finds in a scan, all places of the part being there.
    ///
    /// # Errors
    /// A scan that has no model grid.
    pub fn closer_preflight(
        &self,
        manifest: &ModelManifest,
        scan: &Outline,
        at_a_time: usize,
    ) -> Result<Preflight, GridError> {
        let Outline {
            shape,
            affine,
            stored_bytes,
            ..
        } = *scan;
        let pipeline = manifest.pipeline();
        let grid = manifest.preprocessing.grid(shape, &affine)?;
        // Crops are like those that the model was trained on.
        let crop: [usize; 3] = std::array::from_fn(|axis| {
            let edge = manifest.extent_mm.map_or(manifest.window[axis], |extent| {
                (extent.max[axis] / grid.spacing_mm()[axis]).ceil() as usize
            });
            edge.clamp(1, grid.shape()[axis])
        });
        let crop_ml = (0..3)
            .map(|axis| crop[axis] as f64 * grid.spacing_mm()[axis])
            .product::<f64>()
            / 1e3;
        let crop_voxels = (crop_ml / affine.voxel_volume_ml()) as u64;
        let places = manifest
            .part_of
            .as_ref()
            .map_or(0, |part| part.places.len());
        let starts = pipeline.windowing.starts(crop);
        let windows = places * starts.iter().map(Vec::len).product::<usize>();
        let passes = windows * (1 + usize::from(manifest.mirrored));
        let (voxels, classes) = (product(shape), pipeline.values.len() as u64);
        let logits = (places as u64 * crop_voxels * classes) as f64;
        // The map, and while a place is sought its label's voxels and a mark of each.
        let seek = 3 * voxels;
        let look = voxels + 20 * crop_voxels + self.window_bytes(manifest);
        let held = stored_bytes;
        Ok(Preflight {
            windows,
            gflop: passes.div_ceil(at_a_time) as f64 * self.window_gflop
                + 1e-9 * OPERATIONS_PER_LOGIT * logits,
            memory_bytes: PROGRAM_BYTES + self.weight_bytes() + held + seek.max(look),
        })
    }
}

/// What a model looks at of a scan, once or, where it is to find its one window first, twice; and what is held meanwhile, phase by
/// phase. In voxels, where nothing else is said.
struct Looks<'a> {
    manifest: &'a ModelManifest,
    /// Of the scan, as its file has it.
    stored_bytes: u64,
    is_located: bool,
    /// How many.
    looks: u64,
    /// Windows of all looks.
    windows: usize,
    /// Windows that the last look waits for, one by one.
    before: usize,
    /// Windows of the last look with their mirror images, which may be computed at the same time.
    passes: usize,
    /// Volumes that the model takes.
    channels: u64,
    /// Numbers that a voxel's logits are.
    classes: u64,
    /// The scan.
    voxels: u64,
    /// What a look sees of the scan.
    region: u64,
    /// The scan on the model grid.
    whole_grid: u64,
    /// What a look sees on the model grid.
    looked_at: u64,
    /// A window.
    window: u64,
    /// All windows that lie side by side, whose logits are held together.
    slab: u64,
    /// Whether borders are found by brightness.
    has_brightness: bool,
}

impl<'a> Looks<'a> {
    fn new(manifest: &'a ModelManifest, scan: &Outline) -> Result<Self, GridError> {
        let pipeline = manifest.pipeline();
        let grid = manifest.preprocessing.grid(scan.shape, &scan.affine)?;
        let is_located = manifest.locate.is_some();
        let starts = pipeline.windowing.starts(grid.shape());
        let windows = if is_located {
            2
        } else {
            starts.iter().map(Vec::len).product()
        };
        // The first look for a window needs no mirror image, and the last one waits for it.
        let before = usize::from(is_located);
        let (voxels, window) = (product(scan.shape), product(manifest.window));
        let whole_grid = product(grid.shape());
        let [slices, rows, columns] = grid.shape();
        let (region, looked_at, slab) = if is_located {
            let of_window = |axis: usize| manifest.window[axis] as f64 * grid.spacing_mm()[axis];
            let window_ml = (0..3).map(of_window).product::<f64>() / 1e3;
            let of_scan = (window_ml / scan.affine.voxel_volume_ml()) as u64;
            (voxels.min(of_scan), window, window)
        } else {
            let slab = (manifest.window[0].min(slices) * rows * columns) as u64;
            (voxels, whole_grid, slab)
        };
        Ok(Self {
            manifest,
            stored_bytes: scan.stored_bytes,
            is_located,
            looks: 1 + before as u64,
            windows,
            before,
            passes: (windows - before) * (1 + usize::from(manifest.mirrored)),
            channels: pipeline.channels.len() as u64,
            classes: pipeline.values.len() as u64,
            voxels,
            region,
            whole_grid,
            looked_at,
            window,
            slab,
            has_brightness: pipeline.brightness_on(&grid).is_some(),
        })
    }

    /// Beside program and network. A scan is read before anything else is there; then it is held, and what finishing takes is beside
    /// what the phases before took: of that, pieces as large as a scan aren't left.
    fn most_bytes(&self, cost: &Cost, at_a_time: usize) -> u64 {
        let before_finish = self
            .preparing_bytes()
            .max(self.computing_bytes(cost, at_a_time))
            .max(self.labelling_bytes());
        self.reading_bytes()
            .max(self.held_bytes() + before_finish + self.finishing_bytes())
    }

    fn reading_bytes(&self) -> u64 {
        2 * self.stored_bytes
    }

    /// From first to last: the scan as its file has it, and as numbers too where all of it is looked at.
    fn held_bytes(&self) -> u64 {
        let numbers = if self.is_located {
            0
        } else {
            4 * self.channels * self.voxels
        };
        self.stored_bytes + numbers
    }

    /// The part of the scan that is looked at.
    fn cut_bytes(&self) -> u64 {
        if self.is_located {
            4 * self.channels * self.region
        } else {
            0
        }
    }

    /// Of each region its values, then those of one channel in the model's order, and either a copy to find percentiles in, or what
    /// comes of them on the model grid.
    fn preparing_bytes(&self) -> u64 {
        let copied = match self.manifest.preprocessing.intensity {
            Intensity::PercentileZScore { .. } => self.region,
            Intensity::Window { .. } => 0,
        };
        let on_grid = self.looked_at.min(self.region * 8);
        let resampled = self.region.max(copied).max(on_grid);
        let other_channels = 4 * (self.channels - 1) * self.looked_at;
        self.cut_bytes() + 4 * (self.region + resampled) + other_channels
    }

    /// What preparing leaves, with brightness in steps.
    fn prepared_bytes(&self) -> u64 {
        let levels = if self.has_brightness { self.region } else { 0 };
        let on_grid = self.looked_at * (4 * self.channels + 1);
        self.cut_bytes() + self.region + on_grid + levels
    }

    fn slab_bytes(&self) -> u64 {
        4 * self.slab * (self.classes + 1)
    }

    /// Each that computes beside the first is a program of its own.
    fn computing_bytes(&self, cost: &Cost, at_a_time: usize) -> u64 {
        let mirrored = u64::from(self.manifest.mirrored);
        let mirror_image = 4 * self.window * self.classes * mirrored;
        let network = cost.window_bytes(self.manifest);
        let beside = at_a_time.min(self.passes) as u64 - 1;
        let others = beside * (PROGRAM_BYTES + network);
        self.prepared_bytes() + self.slab_bytes() + mirror_image + network + others
    }

    /// What brightness is worth is known when all logits are, after the last window.
    fn labelling_bytes(&self) -> u64 {
        let all_logits = if self.has_brightness {
            4 * self.looked_at * self.classes
        } else {
            0
        };
        self.prepared_bytes() + self.slab_bytes() + all_logits
    }

    /// Classes, labels, and a mark of each voxel, or the file. What the first look found, which is there when the second begins, is as
    /// large as the first of them.
    fn finishing_bytes(&self) -> u64 {
        3 * self.voxels + self.whole_grid
    }
}

impl Preflight {
    /// Of both, one after the other, on the same scan.
    pub fn then(self, next: Self) -> Self {
        Self {
            windows: self.windows + next.windows,
            gflop: self.gflop + next.gflop,
            memory_bytes: self.memory_bytes.max(next.memory_bytes),
        }
    }
}

fn product(shape: [usize; 3]) -> u64 {
    shape.iter().map(|edge| *edge as u64).product()
}
