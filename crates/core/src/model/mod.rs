//! The network, one file per part, in the order in which a volume passes through them.
//!
//! [`slices`] makes three-channel slices of a volume, [`vit`] turns each into tokens,
//! [`adapter`] lets tokens of neighbouring slices talk inside every block, [`detail`] keeps the
//! fine structure beside it, [`fusion`] joins both and [`decoder`] leads back to full size.
//! [`dinomed3d`] is the whole; [`proxy`] is the head of stage 1.

pub mod adapter;
pub mod attention;
pub mod block;
pub mod conv;
pub mod decoder;
pub mod depthwise;
pub mod detail;
pub mod dinomed3d;
pub mod fusion;
pub mod pixel_shuffle;
pub mod proxy;
pub mod rope;
pub mod slices;
pub mod vit;

pub use dinomed3d::{DinoMed3d, DinoMed3dConfig, ForwardPass};
pub use proxy::{ProxyHead, SliceSegmenter};
