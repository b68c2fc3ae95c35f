//! How a transformer trained on slices is adapted to volumes.

use super::adapter::Adapter3dConfig;
use super::lora::LoraConfig;
use serde::{Deserialize, Serialize};

/// What stage 2 puts into the frozen transformer: alternatives, of which a config names one.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Adaptation {
    /// Nothing: the transformer stays as stage 1 made it.
    None,
    /// A 3-D adapter in every block, as the paper's abstract says.
    InBlock(Adapter3dConfig),
    /// Low-rank updates of its linear maps, as the release does.
    Lora(LoraConfig),
}

impl Adaptation {
    pub(super) fn in_block(&self) -> Option<&Adapter3dConfig> {
        match self {
            Self::InBlock(config) => Some(config),
            _ => None,
        }
    }

    pub(super) fn lora(&self) -> Option<&LoraConfig> {
        match self {
            Self::Lora(config) => Some(config),
            _ => None,
        }
    }
}
