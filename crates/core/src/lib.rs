//! DINO-Med3D: the network, inference and training.
//!
//! Data flows one way: file → volume → [`preprocess`] → [`infer`] (windows through the
//! [`model`], blended) → label map → file. `train` makes the [`weights`] that a
//! [`manifest`] describes; a [`segmenter`] is both, loaded. What needs no network is in `dinomed3d_volume`.

pub mod closer;
pub mod infer;
pub mod inside;
pub mod manifest;
pub mod model;
pub mod model_folder;
pub mod preflight;
pub mod preprocess;
#[cfg(feature = "import")]
pub mod reference;
#[cfg(feature = "train")]
pub mod results;
pub mod segmenter;
pub mod strokes;
#[cfg(feature = "train")]
pub mod train;
pub mod weights;
