//! The weights that a run begins with.

use super::parent::manifest_in;
use super::{unusable, with};
use crate::model::DinoMed3dConfig;
use crate::model_folder::MANIFEST_FILE;
use crate::train::TrainError;
use crate::train::trainer::Start;
use crate::weights::decode;
use crate::weights::fold::Folding;
use crate::weights::import::initialize::transformer;
use crate::weights::import::{Checkpoint, Identity, Source};
use std::path::{Path, PathBuf};

/// The file that is meant by a file or a folder.
pub(super) fn weights_of(init: &Path) -> Result<PathBuf, TrainError> {
    if !init.is_dir() {
        return Ok(init.to_owned());
    }
    if init.join(MANIFEST_FILE).exists() {
        let manifest = manifest_in(init)?;
        return Ok(init.join(manifest.weights.file));
    }
    Ok(init.join("best.safetensors"))
}

/// The weights of a checkpoint, and what wrote it.
pub(super) fn start_with(
    path: &Path,
    network: &DinoMed3dConfig,
    folding: Option<Folding>,
) -> Result<(Start, Source), TrainError> {
    let beginning = || format!("beginning with {}", path.display());
    let checkpoint = Checkpoint::open(path).map_err(with(beginning()))?;
    let identity = Identity::of(&checkpoint).map_err(with(beginning()))?;
    let source = identity.source;
    if folding.is_some() && !source.sees_colours() {
        return Err(unusable(format!(
            "--fold is for DINOv3's own files, whose patches are of colour images; {} is {source}",
            path.display()
        )));
    }
    let is_network = checkpoint.names().any(|name| name.starts_with("decoder."));
    if source == Source::DinoMed3d && is_network {
        let bytes = std::fs::read(path).map_err(with(beginning()))?;
        let tensors = decode(&bytes).map_err(with(beginning()))?;
        return Ok((Start::Network(tensors), source));
    }
    let folding = folding.unwrap_or(Folding::Rgb);
    let (_, tensors) = transformer(&checkpoint, &network.vit, network.image_channels(), folding)
        .map_err(with(beginning()))?;
    Ok((Start::Transformer(tensors), source))
}
