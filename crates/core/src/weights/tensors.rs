//! Parameters by name.

use std::collections::BTreeMap;

/// One parameter: its shape and values, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Edge of each dimension.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// Parameters by name, such as `vit.blocks.0.attn.qkv.weight`.
pub type NamedTensors = BTreeMap<String, NamedTensor>;
