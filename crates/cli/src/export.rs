//! `dinomed3d export`: from a training run to a model that the page can serve.

use crate::evaluate::convention::Convention;
use crate::evaluate::evaluation::Evaluation;
use crate::model_card::ModelCard;
use crate::model_folder::{MANIFEST_FILE, ModelFolder, WEIGHTS_FILE, readable_json};
use crate::predictor::colored;
use crate::recipe_file::read_recipe;
use crate::validation::{score_model, summarize};
use anyhow::Context;
use burn::tensor::Device;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::infer::check::{CHECK_SHAPE, answer};
use dinomed3d_core::infer::segmenter::hex;
use dinomed3d_core::manifest::{
    ExtentRange, FORMAT, ModelManifest, Scores, TrainingFacts, WeightsFile,
};
use dinomed3d_core::train::run_folder::RunFolder;
use dinomed3d_core::train::{Dataset, Recipe};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::merge::merge_lora;
use dinomed3d_core::weights::{decode, encode, load_into};
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
    let run = RunFolder(args.run.clone());
    let state = run
        .state()?
        .with_context(|| format!("{} holds no training run", args.run.display()))?;
    let dataset = Dataset::load(&args.data, &recipe.preprocessing, recipe.split())?;

    let mut tensors = decode(&run.read(&args.run.join("best.safetensors"))?)?;
    let mut architecture = recipe.architecture(dataset.labels.len(), dataset.channels.len())?;
    merge_lora(&mut tensors, &mut architecture)?;
    let weights = encode(&tensors, Quantization::Q8Block64)?;
    let device = Device::flex();
    let model = load_into(architecture.init(&device), decode(&weights)?)?;
    let steps = |stage: usize| {
        let rows = state.log.iter().filter(|row| row.stage == stage);
        rows.map(|row| row.steps).max().unwrap_or(0)
    };
    let mut extent = ExtentRange {
        min: [f64::INFINITY; 3],
        max: [0.0; 3],
    };
    for case in &dataset.training {
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
        preprocessing: recipe.preprocessing.clone(),
        window: recipe.window,
        overlap: recipe.overlap,
        blending: recipe.blending.unwrap_or_default(),
        extent_mm: Some(extent),
        architecture,
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
            steps: [steps(1), steps(2)],
            seed: recipe.seed,
        },
        scores: None,
    };
    // The scores are those of the file that is shipped, eight bits and all.
    let score = |manifest: &ModelManifest, weights: &[u8]| -> anyhow::Result<Scores> {
        let segmenter = Segmenter::load(manifest.clone(), weights, &device)?;
        let cases = score_model(&segmenter, &args.data, recipe.split())?;
        let evaluation = Evaluation::of(cases, manifest.labels[1..].to_vec(), Convention::Native)?;
        Ok(summarize(&evaluation, recipe.split()))
    };
    let scores = score(&manifest, &weights)?;
    let exact = encode(&tensors, Quantization::None)?;
    let mut unquantized = manifest.clone();
    unquantized.weights.sha256 = hex(&Sha256::digest(&exact));
    let unquantized_dice = score(&unquantized, &exact)?.mean_dice;
    println!(
        "mean Dice {:.4} over {} cases, {unquantized_dice:.4} before quantisation",
        scores.mean_dice, scores.num_cases
    );
    manifest.scores = Some(scores.clone());

    let card = ModelCard {
        manifest: &manifest,
        scores: &scores,
        unquantized_dice,
        num_parameters: tensors.values().map(|t| t.values.len()).sum(),
        limits: &recipe.limits,
    };
    let folder = ModelFolder::create(&args.output)?;
    folder.write(WEIGHTS_FILE, &weights)?;
    folder.write(MANIFEST_FILE, &readable_json(&manifest)?)?;
    folder.write("README.md", card.to_string().as_bytes())?;
    folder.list()
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
