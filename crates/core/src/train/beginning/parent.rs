//! What is known of the training that weights come from.

use super::{RECIPE_FILE, unusable};
use crate::manifest::{Ancestor, ModelManifest, RunFacts};
use crate::model_folder::{MANIFEST_FILE, ModelFolder};
use crate::train::TrainError;
use crate::train::dataset::CaseSplit;
use crate::train::recipe_file::read_recipe;
use crate::train::run_folder::RunFolder;
use std::path::Path;

/// What is known of weights of ours.
pub(super) struct Parent {
    /// What they began with.
    pub initialization: String,
    /// The line of their descent, with what trained them last.
    pub ancestors: Vec<Ancestor>,
}

impl Parent {
    /// What the manifest beside the weights says or, in the folder of a run, its recipe and log.
    ///
    /// # Errors
    /// One that is there and can't be read.
    pub(super) fn of(weights: &Path) -> Result<Option<Self>, TrainError> {
        let folder = weights.parent().unwrap_or(Path::new("."));
        if folder.join(MANIFEST_FILE).exists() {
            let ModelManifest { name, training, .. } = manifest_in(folder)?;
            let mut ancestors = training.ancestors;
            ancestors.push(Ancestor {
                recipe: name,
                data: training.data,
                run: training.run,
                averaged_with: training.averaged_with,
                training_cases: training.training_cases,
            });
            return Ok(Some(Self {
                initialization: training.initialization,
                ancestors,
            }));
        }
        if !folder.join(RECIPE_FILE).exists() {
            return Ok(None);
        }
        let recipe = read_recipe(&folder.join(RECIPE_FILE))?;
        let run = RunFolder(folder.to_owned());
        let state = run.state()?.unwrap_or_default();
        let of_stage2 = match weights.file_name().and_then(|name| name.to_str()) {
            Some("stage1.safetensors") => 0,
            Some("last.safetensors") => state.steps_of_last(2),
            _ => state.best(2).map_or(0, |row| row.steps),
        };
        let mut ancestors = run.ancestors()?;
        ancestors.push(Ancestor {
            recipe: recipe.name,
            data: recipe.data.source,
            run: RunFacts {
                steps: [state.steps_of_stage1(), of_stage2],
                seed: recipe.seed,
            },
            averaged_with: Vec::new(),
            training_cases: CaseSplit::of_run(folder)?.unwrap_or_default().train,
        });
        Ok(Some(Self {
            initialization: recipe.initialization,
            ancestors,
        }))
    }
}

/// The manifest in a folder.
pub(super) fn manifest_in(folder: &Path) -> Result<ModelManifest, TrainError> {
    let manifest = ModelFolder::open(folder).manifest();
    manifest.map_err(|error| {
        // Without it weights would pass for another's, and their licence be lost.
        let source =
            std::error::Error::source(&error).map_or_else(String::new, |s| format!(": {s}"));
        unusable(format!("{error}{source}"))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{begun, scratch, text};
    use super::*;

    #[test]
    fn weights_of_a_run_began_as_its_recipe_says() {
        let folder = scratch("beginning");
        let weights = folder.join("best.safetensors");
        assert!(Parent::of(&weights).unwrap().is_none());
        let mut recipe = begun(&folder);
        recipe.initialization = "DINOv3, official (vits16.safetensors)".into();
        std::fs::write(folder.join(RECIPE_FILE), text(&recipe)).unwrap();
        let parent = Parent::of(&weights).unwrap().unwrap();
        assert_eq!(parent.initialization, recipe.initialization);
        assert_eq!(parent.ancestors.len(), 1);
        assert_eq!(parent.ancestors[0].run.seed, 77);
        // Cut short within its second epoch.
        let part = |epoch: usize, steps: usize| {
            serde_json::json!({
                "stage": 2, "epoch": epoch, "steps": steps, "batches": 9, "loss": 0.5, "learning_rate": 0.1, "seconds": 1.0,
                "waited": 0.0
            })
        };
        let row = serde_json::json!({
            "stage": 2, "epoch": 1, "steps": 200, "loss": 0.5, "learning_rate": 0.1, "dice": [0.7], "seconds": 1.0, "data_wait": 0.0
        });
        let state = serde_json::json!({"log": [row], "parts": [part(1, 150), part(2, 3700)]});
        std::fs::write(folder.join("state.json"), state.to_string()).unwrap();
        let steps = |file: &str| {
            let parent = Parent::of(&folder.join(file)).unwrap().unwrap();
            parent.ancestors[0].run.steps
        };
        assert_eq!(steps("last.safetensors"), [0, 3700]);
        assert_eq!(steps("best.safetensors"), [0, 200]);
        std::fs::write(folder.join(MANIFEST_FILE), r#"{"format": 1}"#).unwrap();
        let error = Parent::of(&weights).err().unwrap().to_string();
        std::fs::remove_dir_all(folder).unwrap();
        assert!(error.contains("format 1"), "{error}");
    }
}
