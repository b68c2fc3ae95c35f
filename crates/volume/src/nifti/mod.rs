//! NIfTI-1 files: single files of both byte orders read, label maps written with the source's header.

mod datatype;
mod error;
mod file_name;
#[cfg(test)]
mod fixture;
mod header;
mod image;
mod place;
mod read;
#[cfg(test)]
mod round_trip;
mod write;

pub use error::NiftiError;
pub use file_name::{is_gzip_name, stem};
pub use image::NiftiImage;
pub use write::{Values, encode};
