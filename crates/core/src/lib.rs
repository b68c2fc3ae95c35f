//! DINO-Med3D: volumes, the network, inference and training.
//!
//! Data flows one way: file → [`volume`] → [`preprocess`] → [`infer`] (windows through the
//! [`model`], blended) → label map → file. [`train`] makes the [`weights`] that a
//! [`manifest`] describes, and [`metrics`] says how good they are.

pub mod atomic_file;
pub mod infer;
pub mod manifest;
pub mod metrics;
pub mod model;
pub mod preprocess;
#[cfg(feature = "import")]
pub mod reference;
#[cfg(feature = "train")]
pub mod train;
pub mod volume;
pub mod weights;
