//! The network, one file per part, in the order in which a volume passes through them.
//!
//! [`slices`] makes three-channel slices of a volume, [`vit`] turns each into tokens,
//! [`adaptation`] names what lets a transformer of slices see volumes ([`adapter`] in every block
//! or [`lora`] of its linear maps), [`detail`] keeps the fine structure beside it, [`fusion`]
//! joins both and [`decoder`] leads back to full size: [`light_decoder`] of the compact preset,
//! [`upernet`] of the paper's. [`dinomed3d`] is the whole, [`presets`] its settings; [`proxy`] is
//! the head of stage 1.

pub mod adaptation;
pub mod adapter;
pub mod attention;
pub mod block;
pub mod check;
pub mod conv;
pub mod cost;
pub mod decoder;
pub mod depthwise;
pub mod detail;
pub mod dinomed3d;
pub mod feed_forward;
pub mod fusion;
mod half;
mod initializer;
pub mod lifting;
pub mod light_decoder;
pub mod lora;
mod numbers;
pub mod pixel_shuffle;
pub mod presets;
pub mod proxy;
pub mod pyramid_pooling;
pub mod refinement;
pub mod resize;
pub mod rope;
pub mod slices;
mod step;
pub mod upernet;
pub mod vit;
pub mod without;

pub use check::SettingError;
pub use dinomed3d::{DinoMed3d, DinoMed3dConfig, ForwardPass};
pub use proxy::{ProxyHead, ProxyWeights, SliceSegmenter};
#[cfg(feature = "graphics")]
pub use step::measure::{Numbers, choose as choose_kernels};
pub use without::Part;
