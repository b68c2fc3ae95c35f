//! Volumes and label maps in space: NIfTI in and out, affines and axis orders.

mod affine;
mod channels;
mod encode_scan;
mod gzip;
mod label_map;
mod nifti;
mod orientation;

pub use affine::Affine;
pub use channels::{NamedImage, grid_problem, read_channels};
pub use encode_scan::encode_scan;
pub use gzip::gzip;
pub use label_map::LabelMap;
pub use nifti::{NiftiError, NiftiImage};
pub use orientation::{Orientation, OrientationError, Side, SideError};

/// A scan: one value per voxel, with its place in space.
///
/// # Shapes
/// `voxels` is row-major `[z, y, x]`, x fastest, as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Values, scaled as the file says.
    pub voxels: Vec<f32>,
    /// Voxels along `[z, y, x]`.
    pub shape: [usize; 3],
    /// From voxel index `(x, y, z)` to world millimetres.
    pub affine: Affine,
}
