//! A network with everything that brings a scan to its grid and back, from a model folder or a run.

use crate::device::device;
use crate::recipe_file::read_recipe;
use crate::segment::{load_model, read_manifest};
use anyhow::{Context, bail, ensure};
use burn::tensor::Device;
use dinomed3d_core::infer::{InferError, Windowing, predict};
use dinomed3d_core::manifest::Label;
use dinomed3d_core::model::DinoMed3d;
use dinomed3d_core::preprocess::{ModelGrid, Preprocessing};
use dinomed3d_core::train::Recipe;
use dinomed3d_core::train::dataset::DatasetIndex;
use dinomed3d_core::volume::Volume;
use dinomed3d_core::weights::merge::merge_lora;
use dinomed3d_core::weights::{decode, load_into};
use std::path::Path;

/// A network that segments scans, on either grid.
#[derive(Debug)]
pub struct Predictor {
    /// After background.
    labels: Vec<Label>,
    /// Names, in order.
    channels: Vec<String>,
    preprocessing: Preprocessing,
    windowing: Windowing,
    network: DinoMed3d,
    device: Device,
}

/// What a network says of a scan, on the model grid.
#[derive(Debug)]
pub struct Scored {
    /// Logits `[class, slice, row, column]`.
    scores: Vec<f32>,
    num_classes: usize,
    /// The way back to the scan's grid.
    pub grid: ModelGrid,
    /// Value of each class.
    values: Vec<u8>,
}

impl Predictor {
    /// Of a model folder, after the device has given its known answer.
    ///
    /// # Errors
    /// See [`load_model`].
    pub fn of_model(folder: &Path, device_name: &str) -> anyhow::Result<Self> {
        // Checks checksum, network and device; what it holds is its own.
        drop(load_model(folder, device_name)?);
        let manifest = read_manifest(folder)?;
        let path = folder.join(&manifest.weights.file);
        let weights =
            std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let device = device(device_name)?;
        Ok(Self {
            network: load_into(manifest.architecture.init(&device), decode(&weights)?)?,
            labels: manifest.labels[1..].to_vec(),
            channels: manifest.channel_names(),
            windowing: Windowing {
                window: manifest.window,
                overlap: manifest.overlap,
                blending: manifest.blending,
            },
            preprocessing: manifest.preprocessing,
            device,
        })
    }

    /// The best weights of a run on the data set of `index`.
    ///
    /// # Errors
    /// A run without recipe, or without weights of stage 2; labels or channels that aren't the recipe's.
    pub fn of_run(folder: &Path, index: &DatasetIndex, device_name: &str) -> anyhow::Result<Self> {
        let recipe = read_recipe(&folder.join("recipe.toml"))?;
        let path = folder.join("best.safetensors");
        if !path.exists() {
            bail!(
                "{} holds no best.safetensors: no epoch of stage 2 has ended there",
                folder.display()
            );
        }
        let bytes = std::fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        let device = device(device_name)?;
        let in_file = || format!("in {}", path.display());
        let mut tensors = decode(&bytes).with_context(in_file)?;
        let mut architecture = recipe.architecture(index.labels.len(), index.channels.len())?;
        merge_lora(&mut tensors, &mut architecture).with_context(in_file)?;
        let network = load_into(architecture.init(&device), tensors).with_context(in_file)?;
        Ok(Self {
            labels: colored(&index.labels, &recipe)?.split_off(1),
            channels: index.channels.clone(),
            windowing: Windowing {
                window: recipe.window,
                overlap: recipe.overlap,
                blending: recipe.blending.unwrap_or_default(),
            },
            preprocessing: recipe.preprocessing,
            network,
            device,
        })
    }

    /// What it labels, without background.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// The channels of the scans that it takes, in order.
    pub fn channels(&self) -> &[String] {
        &self.channels
    }

    /// Scores every voxel of a scan, given its channels in order.
    ///
    /// # Errors
    /// A scan that cannot be prepared, a score that is not finite, a device that fails.
    pub fn score(&self, channels: &[Volume]) -> anyhow::Result<Scored> {
        ensure!(
            channels.len() == self.channels.len(),
            "the scan has {} channels, expected are {}: {}",
            channels.len(),
            self.channels.len(),
            self.channels.join(", ")
        );
        let prepared = self.preprocessing.apply(channels)?;
        let num_classes = self.labels.len() + 1;
        let scores = pollster::block_on(predict(
            num_classes,
            &prepared.voxels,
            prepared.shape,
            self.windowing,
            &self.device,
            async |input, _, _| {
                let logits = self.network.forward(input).flatten::<1>(0, 4);
                let data = logits.into_data_async().await;
                let data = data.map_err(|error| InferError::Device(format!("{error:?}")))?;
                Ok(data.iter::<f32>().collect())
            },
        ))?;
        let foreground = self.labels.iter().map(|label| label.value);
        Ok(Scored {
            scores,
            num_classes,
            grid: prepared.grid,
            values: std::iter::once(0).chain(foreground).collect(),
        })
    }
}

impl Scored {
    /// Label of each voxel of the scan's own grid, `[z, y, x]`.
    ///
    /// # Errors
    /// A score that is not finite.
    pub fn on_file_grid(&self) -> anyhow::Result<Vec<u8>> {
        let mut labels = self.grid.scores_to_labels(&self.scores, self.num_classes)?;
        for class in &mut labels {
            *class = self.values[usize::from(*class)];
        }
        Ok(labels)
    }

    /// Label of each voxel of the model grid, `[slice, row, column]`: the class with the highest score, the lower one
    /// of equals.
    pub fn on_model_grid(&self) -> Vec<u8> {
        let voxels = self.scores.len() / self.num_classes;
        let class = |voxel: usize| {
            let score = |class: usize| self.scores[class * voxels + voxel];
            let best = (1..self.num_classes).fold(0, |best, class| {
                if score(class) > score(best) {
                    class
                } else {
                    best
                }
            });
            self.values[best]
        };
        (0..voxels).map(class).collect()
    }
}

/// A data set's labels, background first and black, with the recipe's colours.
///
/// # Errors
/// Another number of colours than of labels.
pub fn colored(labels: &[(u8, String)], recipe: &Recipe) -> anyhow::Result<Vec<Label>> {
    ensure!(
        labels.len() == recipe.colors.len() + 1,
        "the recipe has {} colours, the data set {} labels beside background",
        recipe.colors.len(),
        labels.len() - 1
    );
    let colors = std::iter::once([0; 3]).chain(recipe.colors.iter().copied());
    let label = |((value, name), color): (&(u8, String), [u8; 3])| Label {
        value: *value,
        name: name.clone(),
        color,
    };
    Ok(labels.iter().zip(colors).map(label).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: two voxels of three classes of values 0, 4 and 7; the first's highest score is shared.
    #[test]
    fn the_highest_score_wins_and_the_lower_class_of_equals() {
        let preprocessing: Preprocessing = serde_json::from_str(
            r#"{"orientation": "SAR",
                "intensity": {"kind": "percentile-z-score", "lowPercent": 0, "highPercent": 100}}"#,
        )
        .unwrap();
        let affine = dinomed3d_core::volume::Affine::from_spacing_mm([1.0; 3]);
        let scored = Scored {
            scores: vec![0.0, 0.1, 2.0, 0.2, 2.0, 0.3],
            num_classes: 3,
            grid: preprocessing.grid([1, 1, 2], &affine).unwrap(),
            values: vec![0, 4, 7],
        };
        assert_eq!(scored.on_model_grid(), [4, 7]);
        assert_eq!(scored.on_file_grid().unwrap(), [4, 7]);
    }
}
