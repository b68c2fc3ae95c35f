//! `dinomed3d models`: those that can be named.

use crate::places;
use crate::say::say;
use dinomed3d_core::model_folder::ModelFolder;

/// Arguments of `models`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Lists the models in all places where they are looked for; nothing is ever fetched.
///
/// # Errors
/// None is anywhere.
pub fn run(_: Args) -> anyhow::Result<()> {
    for (name, folder) in places::all_models()? {
        match ModelFolder::open(&folder).manifest() {
            Ok(manifest) => say!(
                "{name}  {}  {} labels  {}  {}\n    {}",
                manifest.version,
                manifest.labels.len() - 1,
                manifest.modality,
                folder.display(),
                manifest.title
            ),
            Err(error) => say!("{name}  can't be used: {:#}", anyhow::Error::from(error)),
        }
    }
    Ok(())
}
