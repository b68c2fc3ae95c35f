//! `dinomed3d export`: from a training run to a model that the page can serve.

use crate::evaluate::convention::Convention;
use crate::evaluate::evaluation::Evaluation;
use crate::model_card::ModelCard;
use crate::model_folder::{MANIFEST_FILE, ModelFolder, WEIGHTS_FILE, readable_json};
use crate::predictor::{Predictor, colored};
use crate::recipe_file::read_recipe;
use crate::trained_weights::TrainedWeights;
use crate::validation::{score_postprocessings, summarize};
use burn::tensor::Device;
use dinomed3d_core::infer::check::{CHECK_SHAPE, answer};
use dinomed3d_core::infer::segmenter::hex;
use dinomed3d_core::infer::{Correction, Postprocessing};
use dinomed3d_core::manifest::{ExtentRange, FORMAT, ModelManifest, TrainingFacts, WeightsFile};
use dinomed3d_core::train::dataset::{Examples, HeldOut};
use dinomed3d_core::train::{Dataset, Recipe};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{decode, encode, load_into};
use dinomed3d_volume::Label;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Arguments of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the training run.
    run: PathBuf,
    /// Where the model goes.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The data set of the run; the exported weights are scored on its validation cases.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Another run that began with the same weights, by --init; the mean of both is exported. May be given several times.
    #[arg(long, value_name = "RUN")]
    average_with: Vec<PathBuf>,
    /// Version of the weights.
    #[arg(long, default_value = "0.1.0")]
    weights_version: String,
}

/// Exports.
///
/// # Errors
/// A run or data set that cannot be read, or a folder that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let recipe = read_recipe(&args.run.join("recipe.toml"))?;
    let dataset = Dataset::of_recipe(&recipe, &args.data, None)?;
    let (num_labels, num_channels) = (dataset.labels.len(), dataset.channels.len());
    let TrainedWeights {
        tensors,
        architecture,
        run,
        averaged_with,
    } = TrainedWeights::read(
        &args.run,
        &args.average_with,
        &recipe,
        num_labels,
        num_channels,
    )?;
    let weights = encode(&tensors, Quantization::Q8Block64)?;
    let device = Device::flex();
    let load = |tensors| load_into(architecture.init(&device), tensors);
    let model = load(decode(&weights)?)?;
    let mut extent = ExtentRange {
        min: [f64::INFINITY; 3],
        max: [0.0; 3],
    };
    for case in dataset.training.scans() {
        for axis in 0..3 {
            let mm = case.shape[axis] as f64 * case.spacing_mm[axis];
            extent.min[axis] = extent.min[axis].min(mm);
            extent.max[axis] = extent.max[axis].max(mm);
        }
    }
    let mut manifest = ModelManifest {
        format: FORMAT,
        name: recipe.name.clone(),
        title: recipe.title.clone(),
        description: recipe.description.clone(),
        version: args.weights_version,
        modality: recipe.modality.clone(),
        channels: dataset.channels.clone(),
        labels: colored(&dataset.labels, &recipe)?,
        sides: Vec::new(),
        preprocessing: recipe.preprocessing.clone(),
        window: recipe.window,
        overlap: recipe.overlap,
        blending: recipe.blending.unwrap_or_default(),
        postprocessing: Postprocessing::default(),
        // Drawn heads are of any extent that a head has.
        extent_mm: (!dataset.training.scans().is_empty()).then_some(extent),
        architecture: architecture.clone(),
        weights: WeightsFile {
            file: WEIGHTS_FILE.into(),
            bytes: weights.len() as u64,
            sha256: hex(&Sha256::digest(&weights)),
            quantization: Quantization::Q8Block64,
        },
        check: pollster::block_on(answer(&model, CHECK_SHAPE, &device))?,
        training: TrainingFacts {
            data: recipe.data.source.clone(),
            data_licence: recipe.data.licence.clone(),
            licence: weights_licence(&recipe),
            attribution: recipe.data.attribution.clone(),
            initialization: recipe.initialization.clone(),
            num_training: dataset.training.len(),
            num_validation: dataset.validation.len(),
            run,
            averaged_with,
        },
        scores: None,
    };
    let cases = HeldOut::of_recipe(&recipe, &args.data)?;
    let postprocessings = candidates(&recipe, &dataset.labels)?;
    let evaluate = |network| -> anyhow::Result<Vec<Evaluation>> {
        let predictor = Predictor::new(&manifest, network, device.clone());
        score_postprocessings(&predictor, &cases, &postprocessings)?
            .into_iter()
            .map(|scores| Evaluation::of(scores, manifest.labels[1..].to_vec(), Convention::Native))
            .collect()
    };
    // The scores are those of the file that is shipped, eight bits and all.
    let evaluations = evaluate(model)?;
    let exact = evaluate(load(tensors.clone())?)?;
    let dice: Vec<f64> = evaluations.iter().map(|all| all.mean.dice).collect();
    let better = |best, next| if dice[next] > dice[best] { next } else { best };
    let chosen = (1..dice.len()).fold(0, better);
    let scores = summarize(&evaluations[chosen], &recipe);
    let unquantized_dice = exact[chosen].mean.dice;
    let tried: Vec<(Postprocessing, f64)> = postprocessings.into_iter().zip(dice).collect();
    println!(
        "mean Dice {:.4} over {} cases, {unquantized_dice:.4} before quantisation",
        scores.mean_dice, scores.num_cases
    );
    for (index, (postprocessing, dice)) in tried.iter().enumerate() {
        let mark = if index == chosen { ", chosen" } else { "" };
        println!(
            "postprocessing: {}: {dice:.4}{mark}",
            postprocessing.describe(|value| manifest.label_name(value))
        );
    }
    manifest.postprocessing = tried[chosen].0.clone();
    part_sides(&mut manifest, &dataset);
    manifest.scores = Some(scores.clone());

    let card = ModelCard {
        manifest: &manifest,
        scores: &scores,
        unquantized_dice,
        postprocessings: &tried,
        num_parameters: tensors.values().map(|t| t.values.len()).sum(),
        limits: &recipe.limits,
    };
    let folder = ModelFolder::create(&args.output)?;
    folder.write(WEIGHTS_FILE, &weights)?;
    folder.write(MANIFEST_FILE, &readable_json(&manifest)?)?;
    folder.write("README.md", card.to_string().as_bytes())?;
    folder.list()
}

/// Where both sides of a structure are one class: what they are called apart. A network is scored by its classes, so that
/// this comes after.
fn part_sides(manifest: &mut ModelManifest, dataset: &Dataset) {
    let Examples::LabelMaps { table, .. } = &dataset.training else {
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

/// What is chosen from, the first of equals: nothing, and each correction alone and together with the others.
fn candidates(recipe: &Recipe, labels: &[(u8, String)]) -> anyhow::Result<Vec<Postprocessing>> {
    let largest = vec![Correction::LargestComponent];
    let mut candidates = vec![vec![], largest];
    if let Some(cut) = recipe.plane_cut(labels)? {
        for simpler in candidates.clone() {
            candidates.push([simpler, vec![Correction::PlaneCut(cut)]].concat());
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
    use crate::recipe_file::read_draft;
    use std::path::Path;

    #[test]
    fn corrections_are_tried_alone_and_together() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/hippocampus.toml");
        let draft = read_draft(&path).unwrap();
        let (mut recipe, _) = draft
            .resolve(|| unreachable!("it leaves nothing to the data"))
            .unwrap();
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
