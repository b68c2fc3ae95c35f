//! `dinomed3d export`: from a training run to a model that the page can serve.

use crate::validation::{score_model, summarize};
use anyhow::Context;
use burn::tensor::Device;
use dinomed3d_core::atomic_file::write_whole;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::infer::check::{CHECK_SHAPE, check_input};
use dinomed3d_core::infer::segmenter::hex;
use dinomed3d_core::manifest::{
    ExtentRange, FORMAT, Label, ModelManifest, Scores, SelfCheck, TrainingFacts, WeightsFile,
};
use dinomed3d_core::model::DinoMed3dConfig;
use dinomed3d_core::train::checkpoint::RunFolder;
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
    /// Version of the weights.
    #[arg(long, default_value = "0.1.0")]
    weights_version: String,
}

const WEIGHTS_FILE: &str = "weights.safetensors";

/// Exports.
///
/// # Errors
/// A run or data set that cannot be read, or a folder that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let path = args.run.join("recipe.toml");
    let text =
        std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let recipe: Recipe = toml::from_str(&text).with_context(|| format!("in {}", path.display()))?;
    let folder = RunFolder(args.run.clone());
    let state = folder
        .state()?
        .with_context(|| format!("{} holds no training run", args.run.display()))?;
    let dataset = Dataset::load(&args.data, &recipe.preprocessing, recipe.validation_every)?;

    let tensors = decode(&folder.read(&args.run.join("best.safetensors"))?)?;
    let weights = encode(&tensors, Quantization::Q8Block64)?;
    let architecture = recipe
        .architecture
        .clone()
        .unwrap_or_else(|| DinoMed3dConfig::compact(dataset.labels.len()));
    let device = Device::flex();
    let model = load_into(architecture.init(&device), decode(&weights)?)?;
    let logits = model.forward(check_input(CHECK_SHAPE, &device));
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
        labels: std::iter::once([0; 3])
            .chain(recipe.colors.iter().copied())
            .zip(&dataset.labels)
            .map(|(color, (value, name))| Label {
                value: *value,
                name: name.clone(),
                color,
            })
            .collect(),
        preprocessing: recipe.preprocessing.clone(),
        window: recipe.window,
        overlap: recipe.overlap,
        extent_mm: Some(extent),
        architecture,
        weights: WeightsFile {
            file: WEIGHTS_FILE.into(),
            bytes: weights.len() as u64,
            sha256: hex(&Sha256::digest(&weights)),
            quantization: Quantization::Q8Block64,
        },
        check: SelfCheck {
            shape: CHECK_SHAPE,
            logits: logits.into_data().iter::<f32>().collect(),
        },
        training: TrainingFacts {
            data: recipe.data.source.clone(),
            data_licence: recipe.data.licence.clone(),
            licence: recipe.data.weights_licence.clone(),
            attribution: recipe.data.attribution.clone(),
            initialization: "random".into(),
            num_training: dataset.training.len(),
            num_validation: dataset.validation.len(),
            steps: [steps(1), steps(2)],
            seed: recipe.seed,
        },
        scores: None,
    };
    // The scores are those of the file that is shipped, eight bits and all.
    let segmenter = Segmenter::load(manifest.clone(), &weights, &device)?;
    let cases = score_model(&segmenter, &args.data, recipe.validation_every)?;
    let scores = summarize(cases, recipe.validation_every)?;
    println!(
        "mean Dice {:.4} over {} cases",
        scores.mean_dice, scores.num_cases
    );
    manifest.scores = Some(scores.clone());

    std::fs::create_dir_all(&args.output)
        .with_context(|| format!("making {}", args.output.display()))?;
    let write = |name: &str, bytes: &[u8]| {
        let path = args.output.join(name);
        write_whole(&path, bytes).with_context(|| format!("writing {}", path.display()))
    };
    write(WEIGHTS_FILE, &weights)?;
    write("manifest.json", &serde_json::to_vec_pretty(&manifest)?)?;
    let num_parameters = tensors.values().map(|t| t.values.len()).sum();
    write(
        "README.md",
        card(&manifest, &scores, num_parameters).as_bytes(),
    )
}

/// The model card, for people.
fn card(manifest: &ModelManifest, scores: &Scores, num_parameters: usize) -> String {
    let training = &manifest.training;
    let mut rows = String::new();
    for score in &scores.labels {
        let name = manifest
            .labels
            .iter()
            .find(|label| label.value == score.value)
            .map_or("", |label| &label.name);
        let distance = score.hd95_mm.map_or("–".into(), |mm| format!("{mm:.2}"));
        rows += &format!(
            "| {} | {name} | {:.4} | {distance} |\n",
            score.value, score.dice
        );
    }
    let [depth, height, width] = manifest.window;
    format!(
        "# {title}\n\n\
         {description}\n\n\
         **Research and education only; not a medical device.**\n\n\
         | | |\n|---|---|\n\
         | version | {version} |\n\
         | network | DINO-Med3D, compact preset, {num_parameters} parameters; transformer of width {embed} with {blocks} blocks, 3-D adapters, detail stream |\n\
         | weights | {bytes} bytes, {quantization}, SHA-256 `{sha}` |\n\
         | start of training | {initialization} weights: no DINOv3 weights are in here |\n\
         | steps | stage 1 (proxy task) {steps1}, stage 2 {steps2}, seed {seed} |\n\
         | data | {data} |\n\
         | licence of the data | {data_licence} |\n\
         | licence of the weights | {licence}; attribution: {attribution} |\n\
         | cases | {num_training} for training, {num_validation} for validation |\n\
         | input | {modality}; orientation {orientation} (slice, row, column), windows of {depth} × {height} × {width} voxels |\n\n\
         ## Scores\n\n\
         Of these eight-bit weights, {protocol}. Mean Dice {mean:.4} over {cases} cases.\n\n\
         | label | name | Dice | HD95 (mm) |\n|---|---|---|---|\n{rows}\n\
         The validation cases chose the best epoch, so expect a little less on new ones.\n\n\
         ## Limits\n\n\
         Trained on crops around one hippocampus at 1 mm; a whole head is outside of what the\n\
         network has seen and is answered with a warning. Only healthy adults and patients of the\n\
         named data set were seen; other scanners, contrasts, ages and lesions were not.\n",
        title = manifest.title,
        description = manifest.description,
        version = manifest.version,
        embed = manifest.architecture.vit.embed_dim,
        blocks = manifest.architecture.vit.depth,
        bytes = manifest.weights.bytes,
        quantization = "8 bits with one scale per 64 values",
        sha = manifest.weights.sha256,
        initialization = training.initialization,
        steps1 = training.steps[0],
        steps2 = training.steps[1],
        seed = training.seed,
        data = training.data,
        data_licence = training.data_licence,
        licence = training.licence,
        attribution = training.attribution,
        num_training = training.num_training,
        num_validation = training.num_validation,
        modality = manifest.modality,
        orientation = manifest.preprocessing.orientation,
        protocol = scores.protocol,
        mean = scores.mean_dice,
        cases = scores.num_cases,
    )
}
