//! The networks on the processor.

use super::folder::reference;
use burn::tensor::Device;
use dinomed3d_core::reference::{Comparison, ReferenceError, compare_all, released_transformers};

fn check(compared: Result<Vec<Comparison>, ReferenceError>) {
    for comparison in compared.unwrap() {
        println!("{comparison}");
        assert!(comparison.is_tolerable(), "{comparison}");
    }
}

#[test]
fn reference_networks() {
    let reference = reference();
    check(pollster::block_on(compare_all(&reference, &Device::flex())));
}

#[test]
fn reference_dinov3_files() {
    let (reference, device) = (reference(), Device::flex());
    let compared = released_transformers(&reference, &device);
    check(pollster::block_on(compared));
}
