//! The inference worker of DINO-Med3D: holds the scan, the model and the device, and computes for the page.

#[cfg(target_arch = "wasm32")]
mod backend;
#[cfg(target_arch = "wasm32")]
mod channels;
#[cfg(target_arch = "wasm32")]
mod crew;
#[cfg(target_arch = "wasm32")]
mod describe;
#[cfg(target_arch = "wasm32")]
mod download;
#[cfg(target_arch = "wasm32")]
mod engine;
#[cfg(target_arch = "wasm32")]
mod inside;
#[cfg(target_arch = "wasm32")]
mod kept;
#[cfg(target_arch = "wasm32")]
mod label_map;
#[cfg(target_arch = "wasm32")]
mod learn;
#[cfg(target_arch = "wasm32")]
#[path = "../link.rs"]
mod link;
#[cfg(target_arch = "wasm32")]
mod open;
#[cfg(target_arch = "wasm32")]
mod outside;
#[cfg(target_arch = "wasm32")]
mod own_model;
#[cfg(target_arch = "wasm32")]
mod passes;
#[cfg(target_arch = "wasm32")]
mod picture;
#[cfg(target_arch = "wasm32")]
mod probabilities;
#[cfg(target_arch = "wasm32")]
#[path = "../protocol.rs"]
#[allow(dead_code, reason = "some of it only the page needs")]
mod protocol;
#[cfg(target_arch = "wasm32")]
mod scope;
#[cfg(target_arch = "wasm32")]
mod segment;
mod segmentation;
#[cfg(target_arch = "wasm32")]
#[path = "../thrown.rs"]
mod thrown;
#[cfg(target_arch = "wasm32")]
mod transform;

fn main() {
    #[cfg(target_arch = "wasm32")]
    engine::start();
}
