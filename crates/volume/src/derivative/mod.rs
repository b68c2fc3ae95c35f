//! What lies beside a label map in a BIDS derivative: names, where it came from, what the folder is.

mod dataset;
mod date;
mod group;
mod names;
mod sidecar;

pub use dataset::DatasetDescription;
pub use date::date;
pub use group::{ScanTable, TableError, group_tsv};
pub use names::DerivativeNames;
pub use sidecar::{GeneratedBy, Input, Model, Provenance, Sidecar};
