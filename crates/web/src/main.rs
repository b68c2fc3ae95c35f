//! The page of DINO-Med3D: takes a scan, has the worker segment it and shows the result.

// On a host only the unit tests of the plain modules are built.
#![cfg_attr(not(target_arch = "wasm32"), allow(dead_code, unused_imports))]

mod archive;
mod certainty;
mod comparison;
mod language;
mod media_type;
mod mending;
mod model_files;
#[cfg(test)]
#[path = "worker/open.rs"]
mod open;
mod overlay;
#[cfg(test)]
#[path = "worker/own_model.rs"]
mod own_model;
#[cfg(test)]
#[path = "worker/picture.rs"]
mod picture;
mod protocol;
mod report;
mod results_archive;
mod scan_files;
mod station;
mod structures;
mod words;
mod work;

#[cfg(target_arch = "wasm32")]
mod app;
#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod components;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod state;
#[cfg(target_arch = "wasm32")]
mod thrown;
#[cfg(target_arch = "wasm32")]
mod viewer;

fn main() {
    #[cfg(target_arch = "wasm32")]
    app::start();
}
