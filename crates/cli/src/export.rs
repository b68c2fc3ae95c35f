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
use dinomed3d_core::infer::Postprocessing;
use dinomed3d_core::infer::check::{CHECK_SHAPE, answer};
use dinomed3d_core::infer::segmenter::hex;
use dinomed3d_core::manifest::{ExtentRange, FORMAT, ModelManifest, TrainingFacts, WeightsFile};
use dinomed3d_core::train::dataset::DatasetIndex;
use dinomed3d_core::train::{Dataset, Recipe};
use dinomed3d_core::weights::file::Quantization;
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
    /// Another run that began with the same weights, by --init; the mean of both is exported. May be given several times.
    #[arg(long, value_name = "RUN")]
    average_with: Vec<PathBuf>,
    /// Version of the weights.
    #[arg(long, default_value = "0.1.0")]
    weights_version: String,
}

/// What an export chooses from; the first of equals.
const POSTPROCESSINGS: [Postprocessing; 2] =
    [Postprocessing::None, Postprocessing::LargestComponent];

/// Exports.
///
/// # Errors
/// A run or data set that cannot be read, or a folder that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let recipe = read_recipe(&args.run.join("recipe.toml"))?;
    let dataset = Dataset::load(&args.data, &recipe.preprocessing, recipe.split())?;
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
        postprocessing: Postprocessing::None,
        extent_mm: Some(extent),
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
    let (_, cases) = DatasetIndex::read(&args.data)?.split(recipe.split());
    let evaluate = |network| -> anyhow::Result<[Evaluation; 2]> {
        let predictor = Predictor::new(&manifest, network, device.clone());
        let scores = score_postprocessings(&predictor, &cases, POSTPROCESSINGS)?;
        let [none, largest] = scores.map(|scores| {
            Evaluation::of(scores, manifest.labels[1..].to_vec(), Convention::Native)
        });
        Ok([none?, largest?])
    };
    // The scores are those of the file that is shipped, eight bits and all.
    let evaluations = evaluate(model)?;
    let exact = evaluate(load(tensors.clone())?)?;
    let dice = [0, 1].map(|index: usize| evaluations[index].mean.dice);
    let chosen = usize::from(dice[1] > dice[0]);
    let scores = summarize(&evaluations[chosen], recipe.split());
    let unquantized_dice = exact[chosen].mean.dice;
    println!(
        "mean Dice {:.4} over {} cases, {unquantized_dice:.4} before quantisation; postprocessing: {} ({:.4} with none, \
         {:.4} with the largest part alone)",
        scores.mean_dice, scores.num_cases, POSTPROCESSINGS[chosen], dice[0], dice[1]
    );
    manifest.postprocessing = POSTPROCESSINGS[chosen];
    manifest.scores = Some(scores.clone());

    let card = ModelCard {
        manifest: &manifest,
        scores: &scores,
        unquantized_dice,
        other_postprocessing: (POSTPROCESSINGS[1 - chosen], dice[1 - chosen]),
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
