//! What segmenting a scan will take, told from its header before anything is computed.

use crate::manifest::ModelManifest;
use crate::model::cost::multiply_adds;
use crate::weights::NamedTensors;
use dinomed3d_volume::{Affine, GridError};

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
/// Bringing a score back to a voxel takes as long as so many operations of the network: measured on scans of 0.375 to 1 mm.
const OPERATIONS_PER_SCORE: f64 = 170.0;
/// Bytes per voxel of a region that is looked at: its values twice and its classes.
const REGION_BYTES: u64 = 9;
/// Values of a window held beside logits, per voxel: its input, and what the decoder's last convolutions read and write.
const ACTIVATIONS: u64 = 24;

/// Arithmetic of a model, from its weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Of a window, 10⁹ multiplications and additions.
    pub window_gflop: f64,
    /// Of the known answer's small input.
    pub check_gflop: f64,
    /// Values of all weights.
    weights: u64,
}

impl Cost {
    /// Of a manifest's network with its weights.
    pub fn of(manifest: &ModelManifest, tensors: &NamedTensors) -> Self {
        let gflop = |window: [usize; 3]| {
            let weights = tensors.iter().map(|(name, t)| (&**name, &*t.shape));
            2e-9 * multiply_adds(weights, &manifest.architecture, window) as f64
        };
        Self {
            window_gflop: gflop(manifest.window),
            check_gflop: gflop(manifest.check.shape),
            weights: tensors
                .values()
                .map(|tensor| tensor.values.len() as u64)
                .sum(),
        }
    }

    /// Memory of a network that computes one window.
    pub fn window_bytes(&self, manifest: &ModelManifest) -> u64 {
        let window = manifest.window.iter().product::<usize>() as u64;
        let classes = manifest.labels.len() as u64;
        4 * (2 * self.weights) + 4 * window * (classes * 3 + ACTIVATIONS)
    }

    /// Of a scan, with so many windows computed at the same time as `at_a_time` says.
    ///
    /// # Shapes
    /// `shape_zyx` is the scan's; `stored_bytes` is the length of its voxels as they are stored.
    ///
    /// # Errors
    /// A scan that has no model grid.
    pub fn preflight(
        &self,
        manifest: &ModelManifest,
        shape_zyx: [usize; 3],
        affine: &Affine,
        stored_bytes: u64,
        at_a_time: usize,
    ) -> Result<Preflight, GridError> {
        let pipeline = manifest.pipeline();
        let grid = manifest.preprocessing.grid(shape_zyx, affine)?;
        let channels = pipeline.channels.len() as u64;
        let product = |shape: [usize; 3]| shape.iter().map(|edge| *edge as u64).product::<u64>();
        let starts = pipeline.windowing.starts(grid.shape());
        let everywhere = starts.iter().map(Vec::len).product::<usize>();
        let is_located = manifest.locate.is_some();
        let windows = if is_located { 2 } else { everywhere };
        let mirrored = usize::from(manifest.mirrored);
        // The first look for a window needs no mirror image, and the last one waits for it.
        let (first, last) = if is_located { (1, 1) } else { (0, windows) };
        let rounds = first + (last * (1 + mirrored)).div_ceil(at_a_time);

        let (voxels, classes) = (product(shape_zyx), pipeline.values.len() as u64);
        let region = if is_located {
            let of_window = |axis: usize| manifest.window[axis] as f64 * grid.spacing_mm()[axis];
            let window_ml = (0..3).map(of_window).product::<f64>() / 1e3;
            voxels.min((window_ml / affine.voxel_volume_ml()) as u64)
        } else {
            voxels
        };
        let looks = if is_located { 2 } else { 1 };
        let scores = (looks * region * classes) as f64;
        let window = product(manifest.window);
        // As the file has it, as numbers, what of it is tissue, its labels and a label map's file.
        let scan = stored_bytes + voxels * (4 * channels + 1 + 2);
        let on_model_grid = if is_located {
            window * (4 * channels + 1)
        } else {
            // Logits are held for all windows that lie side by side.
            let [_, rows, columns] = grid.shape();
            let slab = manifest.window[0] as u64 * (rows * columns) as u64;
            product(grid.shape()) * (4 * channels + 1) + 4 * slab * classes
        };
        // Each that computes beside the first is a program of its own.
        let beside = at_a_time.min(last * (1 + mirrored)) as u64 - 1;
        let network = self.window_bytes(manifest)
            + 4 * window * classes * mirrored as u64
            + beside * (PROGRAM_BYTES + self.window_bytes(manifest));
        Ok(Preflight {
            windows,
            gflop: rounds as f64 * self.window_gflop + 1e-9 * OPERATIONS_PER_SCORE * scores,
            memory_bytes: PROGRAM_BYTES + scan + REGION_BYTES * region + on_model_grid + network,
        })
    }
}
