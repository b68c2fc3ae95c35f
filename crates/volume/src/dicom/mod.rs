//! DICOM files as volumes: whatever a folder, a zip or a drop holds, sorted into series, and a series into its volumes.
//!
//! Only headers are read at first; pixels are those of the chosen volume, a frame at a time. Positions in files are towards
//! left, posterior and superior; they leave this module towards right, anterior and superior.

mod codec;
mod csa;
mod dataset;
mod error;
#[cfg(test)]
mod fixture;
mod folder;
mod header;
mod pixels;
mod scan;
pub mod segmentation;
mod series;
mod source;
mod stack;
mod tilt;
mod zip;

pub use self::zip::zip_entries;
pub use error::DicomError;
pub use folder::DicomFolder;
pub use scan::{DicomScan, Thumbnail};
pub use series::Series;
pub use source::{InMemory, OnDisk, ReadSeek, Source};
