//! From a training run to a model that the page can serve.

use super::calibration::calibrate;
use super::model_card::ModelCard;
use super::predictor::{Predictor, colored};
use super::proxy::{proxy_of_run, scored_proxy};
use super::trained_weights::TrainedWeights;
use super::validation::{score_postprocessings, summarize};
use super::{During, ResultsError};
use crate::infer::Postprocessing;
use crate::infer::check::known_answer;
use crate::manifest::{ExtentRange, FORMAT, ModelManifest, TrainingFacts, WeightsFile};
use crate::model_folder::{CARD_FILE, MANIFEST_FILE, ModelFolder};
use crate::train::dataset::{CaseSplit, Examples, HeldOut, LabelMaps};
use crate::train::recipe_file::read_recipe;
use crate::train::run_folder::RunFolder;
use crate::train::{Dataset, Recipe};
use crate::weights::file::Quantization;
use crate::weights::{decode, encode, hex, load_into};
use burn::tensor::Device;
use dinomed3d_volume::atomic_file::check_outputs_in;
use dinomed3d_volume::evaluation::{Convention, Evaluation};
use dinomed3d_volume::volumetry::label_sizes;
use dinomed3d_volume::{Label, UsualVolume};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Checks, before anything is computed, that [`Exported::write`] can write into a folder and destroys none of `inputs`.
///
/// # Errors
/// Those of [`check_outputs_in`].
pub fn check_output(folder: &Path, inputs: &[PathBuf]) -> Result<(), ResultsError> {
    // The weights have a name of their own, and the list beside is joined, not replaced.
    Ok(check_outputs_in(
        folder,
        &[MANIFEST_FILE, CARD_FILE],
        inputs,
    )?)
}

/// What is made of a run.
#[derive(Debug)]
pub struct Exported {
    /// With the scores of the weights as they are shipped.
    pub manifest: ModelManifest,
    /// The weights file.
    pub weights: Vec<u8>,
    /// The model card, Markdown.
    pub card: String,
    /// Mean Dice of the same weights before quantisation.
    pub unquantized_dice: f64,
    /// Every postprocessing that was tried, and the mean Dice with it.
    pub tried: Vec<(Postprocessing, f64)>,
    /// Place in that list of the one that the manifest has.
    pub chosen: usize,
}

impl Exported {
    /// Writes the folder of the model and lists it beside the others.
    ///
    /// # Errors
    /// A folder that cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), ResultsError> {
        let path = folder;
        let folder = ModelFolder::create(path)?;
        // Weights have a name of their own, so that whatever manifest is there, its weights are too, also after a kill.
        let weights = &self.manifest.weights.file;
        let before = ModelFolder::open(path).manifest();
        let before = before.map(|manifest| manifest.weights.file);
        folder.write(weights, &self.weights)?;
        folder.write_manifest(&self.manifest)?;
        folder.write(CARD_FILE, self.card.as_bytes())?;
        folder.list()?;
        // Only those of the model that was replaced: what else lies there is somebody's own.
        if let Some(before) = before.ok().filter(|before| before != weights) {
            // Weights that stay behind cost room and nothing else.
            let _ = std::fs::remove_file(path.join(before));
        }
        Ok(())
    }
}

/// Makes a model of the best weights of `run`, averaged with those of other runs, on eight bits, scored on the validation
/// cases of its data set; `progress` is told a case and of how many.
///
/// # Errors
/// A run or data set that cannot be read.
pub fn export(
    run: &Path,
    average_with: &[PathBuf],
    data: &Path,
    version: &str,
    mut progress: impl FnMut(usize, usize),
) -> Result<Exported, ResultsError> {
    let recipe = read_recipe(&run.join("recipe.toml"))?;
    let split = CaseSplit::of_run_or_recipe(run, &recipe, data)?;
    if split.val.is_empty() {
        return Err(ResultsError::Unusable(format!(
            "the run in {} has no validation cases, expected is one or more: a model is shipped with its scores",
            run.display()
        )));
    }
    let dataset = Dataset::of_split(&recipe, &split, data, None)?;
    let (num_labels, num_channels) = (dataset.labels.len(), dataset.channels.len());
    let TrainedWeights {
        tensors,
        architecture,
        run: facts,
        averaged_with,
    } = TrainedWeights::read(run, average_with, &recipe, num_labels, num_channels)?;
    let weights = encode(&tensors, Quantization::Q8Block64)?;
    let sha256 = hex(&Sha256::digest(&weights));
    let device = Device::flex();
    let load = |tensors| load_into(architecture.init(&device), tensors);
    let model = load(decode(&weights)?)?;
    let mut extent = ExtentRange {
        min: [f64::INFINITY; 3],
        max: [0.0; 3],
    };
    let mut widen = |smallest: [f64; 3], largest: [f64; 3]| {
        for axis in 0..3 {
            extent.min[axis] = extent.min[axis].min(smallest[axis]);
            extent.max[axis] = extent.max[axis].max(largest[axis]);
        }
    };
    let mm = |voxels: [usize; 3], spacing_mm: [f64; 3]| {
        std::array::from_fn(|axis| voxels[axis] as f64 * spacing_mm[axis])
    };
    match &dataset.training {
        Examples::Scans(cases) => cases.iter().for_each(|case| {
            let scan = mm(case.shape, case.spacing_mm);
            widen(scan, scan);
        }),
        // Of a drawn scan no more need be there than what is answered.
        Examples::LabelMaps(drawn) => drawn.maps.iter().for_each(|map| {
            let answered = map.extent.map(|[first, last]| last + 1 - first);
            widen(mm(answered, map.spacing_mm), mm(map.shape, map.spacing_mm));
        }),
    }
    let mut manifest = ModelManifest {
        format: FORMAT,
        name: recipe.name.clone(),
        title: recipe.title.clone(),
        description: recipe.description.clone(),
        version: version.to_owned(),
        modality: recipe.modality.clone(),
        channels: dataset.channels.clone(),
        labels: colored(&dataset.labels, &recipe)?,
        sides: Vec::new(),
        preprocessing: recipe.preprocessing.clone(),
        window: recipe.window,
        overlap: recipe.overlap,
        blending: recipe.blending.unwrap_or_default(),
        beyond: recipe.windowing().beyond,
        locate: recipe.locate,
        mirrored: recipe.mirrored,
        intensity_model: recipe.intensity_model,
        part_of: recipe.part_of.clone(),
        postprocessing: Postprocessing::default(),
        extent_mm: Some(extent),
        // Of the classes until the sides are parted.
        usual_volumes: Vec::new(),
        architecture: architecture.clone(),
        weights: WeightsFile {
            file: format!("weights-{}.safetensors", &sha256[..8]),
            bytes: weights.len() as u64,
            sha256,
            quantization: Quantization::Q8Block64,
            chunks: None,
        },
        check: pollster::block_on(known_answer(&model, recipe.window, &device))?,
        training: TrainingFacts {
            data: recipe.data.source.clone(),
            data_licence: recipe.data.licence.clone(),
            licence: weights_licence(&recipe),
            attribution: recipe.data.attribution.clone(),
            initialization: recipe.initialization.clone(),
            num_training: dataset.training.len(),
            num_validation: split.val.len(),
            run: facts,
            averaged_with,
            ancestors: RunFolder(run.to_owned()).ancestors()?,
            training_cases: split.train.clone(),
            validation_cases: split.val.clone(),
        },
        scores: None,
        storage_scores: None,
        calibration: None,
        proxy: None,
    };
    let cases = HeldOut::of_split(&recipe, &split, data)?;
    // Before the scoring, which takes long.
    manifest
        .check()
        .during(|| "making a manifest of the recipe".to_owned())?;
    let postprocessings = candidates(&recipe, &dataset.labels)?;
    let mut evaluate = |network| -> Result<Vec<Evaluation>, ResultsError> {
        let predictor = Predictor::new(&manifest, network, device.clone());
        score_postprocessings(&predictor, &cases, &postprocessings, &mut progress)?
            .into_iter()
            .map(|scores| {
                let labels = manifest.labels[1..].to_vec();
                Ok(Evaluation::of(scores, labels, Convention::Native)?)
            })
            .collect()
    };
    // The scores are those of the file that is shipped, eight bits and all.
    let evaluations = evaluate(model.clone())?;
    let exact = evaluate(load(tensors.clone())?)?;
    let dice: Vec<f64> = evaluations.iter().map(Evaluation::mean_dice).collect();
    let better = |best, next| if dice[next] > dice[best] { next } else { best };
    let chosen = (1..dice.len()).fold(0, better);
    let scores = summarize(&evaluations[chosen], &recipe);
    let unquantized_dice = exact[chosen].mean_dice();
    let tried: Vec<(Postprocessing, f64)> = postprocessings.into_iter().zip(dice).collect();
    manifest.postprocessing = tried[chosen].0.clone();
    if let Some(head) = proxy_of_run(run, &tensors)? {
        let proxy = scored_proxy(
            &manifest,
            &model,
            (head, false),
            &cases,
            false,
            &mut progress,
        )?;
        manifest.proxy = Some(proxy);
    }
    let predictor = Predictor::new(&manifest, model, device.clone());
    manifest.calibration = calibrate(&predictor, &cases, &mut progress)?;
    part_sides(&mut manifest, &dataset);
    manifest.usual_volumes = usual_volumes(&dataset, &manifest.labels[1..]);
    manifest.scores = Some(scores.clone());

    let card = ModelCard {
        manifest: &manifest,
        scores: &scores,
        unquantized_dice,
        postprocessings: &tried,
        num_parameters: tensors.values().map(|t| t.values.len()).sum(),
        limits: &recipe.limits,
    };
    let card = card.to_string();
    Ok(Exported {
        manifest,
        weights,
        card,
        unquantized_dice,
        tried,
        chosen,
    })
}

/// Where both sides of a structure are one class: what they are called apart. A network is scored by its classes, so that
/// this comes after.
fn part_sides(manifest: &mut ModelManifest, dataset: &Dataset) {
    let Examples::LabelMaps(LabelMaps { table, .. }) = &dataset.training else {
        return;
    };
    let apart = table.targets(false);
    if apart.len() == manifest.labels.len() {
        return;
    }
    manifest.sides = table.sides();
    let class_of = |value: u8| {
        let pair = manifest.sides.iter().find(|[_, right]| *right == value);
        pair.map_or(value, |[left, _]| *left)
    };
    let label = |(value, name): (u8, String)| {
        let mut classes = manifest.labels.iter();
        let class = classes.find(|label| label.value == class_of(value));
        Label {
            value,
            name,
            color: class.expect("a class of every label").color,
        }
    };
    manifest.labels = apart.into_iter().map(label).collect();
}

/// How large each label is in the training cases.
fn usual_volumes(dataset: &Dataset, labels: &[Label]) -> Vec<UsualVolume> {
    let voxel_ml = |spacing_mm: [f64; 3]| spacing_mm.iter().product::<f64>() / 1000.0;
    let sizes = |values: &[u8], spacing_mm| label_sizes(values, labels, voxel_ml(spacing_mm));
    match &dataset.training {
        Examples::Scans(cases) => UsualVolume::of_cases(cases.iter().map(|case| {
            let value = |class: &u8| dataset.labels[usize::from(*class)].0;
            let values: Vec<u8> = case.labels.iter().map(value).collect();
            sizes(&values, case.spacing_mm)
        })),
        Examples::LabelMaps(drawn) => UsualVolume::of_cases(drawn.maps.iter().map(|map| {
            let value = |place: &u8| drawn.table.rows()[usize::from(*place)].target;
            let values: Vec<u8> = map.places.iter().map(value).collect();
            sizes(&values, map.spacing_mm)
        })),
    }
}

/// What is chosen from, the first of equals: nothing, and each correction alone and together with the others.
fn candidates(
    recipe: &Recipe,
    labels: &[(u8, String)],
) -> Result<Vec<Postprocessing>, ResultsError> {
    let mut candidates = vec![vec![]];
    for correction in recipe.corrections(labels)? {
        for simpler in candidates.clone() {
            candidates.push([simpler, vec![correction]].concat());
        }
    }
    Ok(candidates.into_iter().map(Postprocessing).collect())
}

/// The recipe's licence of the weights, and whose else holds.
fn weights_licence(recipe: &Recipe) -> String {
    let licence = &recipe.data.weights_licence;
    match recipe.initialization.as_str() {
        own if own.starts_with("random") => licence.clone(),
        other => format!(
            "{licence}; they began with {other}, whose licence holds too (that of DINOv3 asks for a copy of it)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As after a kill between the two files: the manifest can't be written.
    #[test]
    fn a_model_that_is_half_replaced_is_the_old_one() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../public/models/hippocampus");
        let manifest = ModelFolder::open(&shipped).manifest().unwrap();
        let folder = std::env::temp_dir()
            .join(format!("dinomed3d-export-{}", std::process::id()))
            .join("model");
        let exported = |content: &str| {
            let mut manifest = manifest.clone();
            manifest.weights.file = format!("weights-{content}.safetensors");
            manifest.weights.bytes = content.len() as u64;
            Exported {
                manifest,
                weights: content.into(),
                card: String::new(),
                unquantized_dice: 0.0,
                tried: Vec::new(),
                chosen: 0,
            }
        };
        let is_whole = |content: &str| {
            let file = ModelFolder::open(&folder).manifest().unwrap().weights.file;
            std::fs::read(folder.join(file)).unwrap() == content.as_bytes()
        };
        exported("one").write(&folder).unwrap();
        assert!(is_whole("one"));
        let of_somebody = folder.join("weights-of-somebody.safetensors");
        std::fs::write(&of_somebody, "theirs").unwrap();
        // The manifest can't be replaced.
        let [manifest_file, aside] = [MANIFEST_FILE, "aside"].map(|name| folder.join(name));
        std::fs::rename(&manifest_file, &aside).unwrap();
        std::fs::create_dir_all(manifest_file.join("in-the-way")).unwrap();
        assert!(exported("two").write(&folder).is_err());
        std::fs::remove_dir_all(&manifest_file).unwrap();
        std::fs::rename(&aside, &manifest_file).unwrap();
        assert!(is_whole("one"));
        exported("two").write(&folder).unwrap();
        assert!(is_whole("two"));
        assert!(!folder.join("weights-one.safetensors").exists());
        assert!(of_somebody.exists(), "what is not the model's own stays");
        std::fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn corrections_are_tried_alone_and_together() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/hippocampus.toml");
        let mut recipe = read_recipe(&path).unwrap();
        let labels = [(0, "background"), (1, "Anterior"), (2, "Posterior")];
        let labels = labels.map(|(value, name)| (value, name.to_owned()));
        let written =
            |recipe: &Recipe| serde_json::to_value(candidates(recipe, &labels).unwrap()).unwrap();
        let largest = "largest-component";
        let cut = serde_json::json!({"plane-cut": {"labels": [2, 1], "towards": "A"}});
        let expected = serde_json::json!([[], [largest], [cut], [largest, cut]]);
        assert_eq!(written(&recipe), expected);
        recipe.plane_cut = None;
        assert_eq!(written(&recipe), serde_json::json!([[], [largest]]));
    }
}
