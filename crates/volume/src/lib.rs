//! What needs no network: volumes and label maps in space, their files, tables of labels, metrics and statistics.
//!
//! Arrays are `[z, y, x]`; only readers and writers of files know that those say x, y, z.

mod affine;
pub mod atomic_file;
pub mod bids;
mod channels;
pub mod component;
pub mod delimited;
pub mod derivative;
#[cfg(feature = "dicom")]
pub mod dicom;
pub mod evaluation;
mod grid;
mod grid_logits;
mod gzip;
mod image;
mod label;
mod label_map;
pub mod label_table;
mod labelling;
mod likelihood;
pub mod markup;
pub mod metrics;
mod mgh;
mod mid_plane;
pub mod nifti;
mod numbered_map;
mod orientation;
pub mod phantom;
pub mod random;
pub mod region;
mod resample;
mod scan;
pub mod statistics;
pub mod structure;
pub mod surface;
mod turned;
mod usual_volume;
mod volume;
pub mod volumetry;

/// Said wherever a person sees a result.
pub const NOTICE: &str = "Research and education only; not a medical device.";

pub use affine::Affine;
pub use channels::{NamedImage, grid_problem, read_channels};
pub use grid::{GridError, ModelGrid};
pub use grid_logits::GridLogits;
pub use gzip::{gzip, gzip_by};
pub use image::Image;
pub use label::{Half, Label, palette};
pub use label_map::{LabelMap, whole};
pub use labelling::Labelling;
pub use likelihood::{LEVELS, Likelihood};
pub use mid_plane::MidPlane;
pub use numbered_map::NumberedMap;
pub use orientation::{Orientation, OrientationError, Side, SideError};
pub use region::Region;
pub use resample::AxisWeights;
pub(crate) use scan::Source;
pub use scan::{Datatype, FileError, Format, Outline, Scan, ScanError, ScanImage, Voxels};
pub use scan::{companions, open_file, outline_file};
pub use usual_volume::{OneSided, UsualVolume};
pub use volume::Volume;
