//! Weights: named tensors, their quantisation and the file that carries them; other people's
//! checkpoints.

pub mod average;
pub mod file;
pub mod fold;
#[cfg(feature = "import")]
pub mod import;
mod layout;
pub mod merge;
pub mod named;
pub mod quantization;
pub mod reader;
mod tensors;
pub mod transfer;

pub use file::{decode, encode, encode_each, encode_to_file};
pub use layout::hex;
pub(crate) use layout::printable;
pub use named::{Hold, load_from, load_into, named_tensors, parameter_shapes};
pub use reader::{WeightBytes, WeightsReader, checksum};
pub use tensors::{NamedTensor, NamedTensors};

/// What can be wrong with a weights file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a readable safetensors file: {0}")]
    Format(String),
    /// The file can't be read.
    #[error("the weights can't be read: {0}")]
    Read(#[from] std::io::Error),
    /// A tensor is stored in a way that this program does not know.
    #[error("tensor {name} is stored as {found}, expected {expected}")]
    Encoding {
        /// The tensor.
        name: String,
        /// How it is stored.
        found: String,
        /// What can be read.
        expected: &'static str,
    },
    /// Tensors that the network needs and the file lacks.
    #[error("the file lacks {} of the network's tensors: {}", .0.len(), .0.join(", "))]
    Missing(Vec<String>),
    /// Tensors that the network has no place for.
    #[error("the network has no place for {} tensors of the file: {}", .0.len(), .0.join(", "))]
    Unused(Vec<String>),
    /// A tensor of another shape.
    #[error("tensor {name} has shape {found:?}, the network expects {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape in the network.
        expected: Vec<usize>,
    },
    /// A value that is not a number.
    #[error("tensor {0} holds a value that is not finite")]
    NotFinite(String),
    /// The file is not the one that the manifest describes.
    #[error(
        "weights have SHA-256 {found}, the manifest says {}",
        printable(expected)
    )]
    Checksum {
        /// Of the bytes at hand.
        found: String,
        /// In the manifest.
        expected: String,
    },
}
