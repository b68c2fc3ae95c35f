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

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "the linker's own function")]
unsafe extern "C" {
    /// Made by the linker: what Burn's compiler of kernels registers before `main`.
    fn __wasm_call_ctors();
}

fn main() {
    #[cfg(target_arch = "wasm32")]
    {
        // A program that calls it nowhere has it called by the linker at each call from outside, which are thousands a window.
        #[allow(unsafe_code, reason = "it is called once, before all else")]
        unsafe {
            __wasm_call_ctors();
        }
        engine::start();
    }
}
