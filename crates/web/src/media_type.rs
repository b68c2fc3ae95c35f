//! Media types of the files that the page saves.

/// NIfTI, gzipped; it has no type of its own.
pub const NIFTI_GZIP: &str = "application/gzip";
/// DICOM.
pub const DICOM: &str = "application/dicom";
/// Several files in one.
pub const ZIP: &str = "application/zip";
/// A table.
pub const CSV: &str = "text/csv";
/// A picture.
pub const PNG: &str = "image/png";
/// A report.
pub const HTML: &str = "text/html";
