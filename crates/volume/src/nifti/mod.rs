//! NIfTI-1 and NIfTI-2 files, single or pairs, and ANALYZE 7.5 from which they come; any scan and its label maps written as
//! NIfTI.

mod analyze;
mod datatype;
mod file_name;
#[cfg(test)]
pub(crate) mod fixture;
mod header;
mod made_by;
mod place;
mod probabilities;
mod read;
#[cfg(test)]
mod round_trip;
mod write;

pub use file_name::{is_gzip_name, stem};
pub(crate) use header::{ALIGNED, Header, SCANNER, is_header};
pub use made_by::MadeBy;
pub use probabilities::{Depth, Probabilities, ProbabilityError};
pub(crate) use read::{outline, read};
pub use write::{Values, encode};
