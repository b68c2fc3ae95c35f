//! What the network asks of a processor most, written for it: slices of `f32` in, slices out, no tensors.
//!
//! Each operation is one body of fixed-width loops that the compiler turns into vector instructions, compiled once for each
//! kind of processor; which one is taken is decided when it runs.

mod activation;
mod attention;
mod conv;
#[cfg(feature = "graphics")]
pub mod graphics;
mod layer_norm;
mod linear;
mod norm;
mod pointwise;
mod registers;
mod shuffle;
mod tasks;

pub use activation::Activation;
pub use attention::{Attention, attention};
pub use conv::{Conv3, conv3};
pub use layer_norm::layer_norm;
pub use linear::linear;
pub use norm::{Norm, group_norm};
pub use pointwise::pointwise;
pub use shuffle::pixel_shuffle;
