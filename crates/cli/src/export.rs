//! `dinomed3d export`: from a training run to a model that the page can serve.

use crate::validation::{score_model, summarize};
use anyhow::Context;
use burn::tensor::Device;
use dinomed3d_core::atomic_file::write_whole;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::infer::check::{CHECK_SHAPE, answer};
use dinomed3d_core::infer::segmenter::hex;
use dinomed3d_core::manifest::{
    ExtentRange, FORMAT, Label, ModelManifest, Scores, TrainingFacts, WeightsFile,
};
use dinomed3d_core::model::DinoMed3dConfig;
use dinomed3d_core::train::checkpoint::RunFolder;
use dinomed3d_core::train::{Dataset, Recipe};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{decode, encode, load_into};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

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
        check: pollster::block_on(answer(&model, CHECK_SHAPE, &device))?,
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
    let score = |manifest: &ModelManifest, weights: &[u8]| -> anyhow::Result<Scores> {
        let segmenter = Segmenter::load(manifest.clone(), weights, &device)?;
        let cases = score_model(&segmenter, &args.data, recipe.validation_every)?;
        summarize(cases, recipe.validation_every)
    };
    let scores = score(&manifest, &weights)?;
    let exact = encode(&tensors, Quantization::None)?;
    let mut unquantized = manifest.clone();
    unquantized.weights.sha256 = hex(&Sha256::digest(&exact));
    let quantization_cost = score(&unquantized, &exact)?.mean_dice - scores.mean_dice;
    println!(
        "mean Dice {:.4} over {} cases; eight bits cost {quantization_cost:.4}",
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
    write("manifest.json", &readable_json(&manifest)?)?;
    let num_parameters = tensors.values().map(|t| t.values.len()).sum();
    write(
        "README.md",
        card(&manifest, &scores, quantization_cost, num_parameters).as_bytes(),
    )?;
    list_model(&args.output)
}

/// Adds a model folder to the list beside it, from which the page learns what there is.
fn list_model(folder: &Path) -> anyhow::Result<()> {
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .with_context(|| format!("{} has no name", folder.display()))?;
    let path = folder.with_file_name("index.json");
    let mut names: BTreeSet<String> = match std::fs::read(&path) {
        Ok(json) => {
            serde_json::from_slice(&json).with_context(|| format!("in {}", path.display()))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeSet::new(),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    names.insert(name.to_owned());
    write_whole(&path, &serde_json::to_vec(&names)?)
        .with_context(|| format!("writing {}", path.display()))
}

/// JSON with a line for each key, and each list of numbers on one line: the known answer has thousands.
fn readable_json(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut json = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut json, LinePerKey::default());
    value.serialize(&mut serializer)?;
    json.push(b'\n');
    Ok(json)
}

/// Objects as [`PrettyFormatter`] writes them; lists, by default, compactly.
#[derive(Default)]
struct LinePerKey(PrettyFormatter<'static>);

impl Formatter for LinePerKey {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// The model card, for people.
fn card(
    manifest: &ModelManifest,
    scores: &Scores,
    quantization_cost: f64,
    num_parameters: usize,
) -> String {
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
         Of these eight-bit weights, {protocol}. Mean Dice {mean:.4} over {cases} cases; the same\n\
         weights in 32 bits reach {exact:.4}.\n\n\
         | label | name | Dice | HD95 (mm) |\n|---|---|---|---|\n{rows}\n\
         The validation cases chose the best epoch, so expect a little less on new ones. A location\n\
         prior alone (the mean training label stretched to the crop) reaches 0.70.\n\n\
         ## Limits\n\n\
         - Trained on crops around one hippocampus at 1 mm; a scan of another extent, such as a whole\n\
         \u{20} head, is outside of what the network has seen: it is answered with a warning and wrong labels.\n\
         - Only the adults of the named data set were seen; other scanners, contrasts, ages and lesions\n\
         \u{20} were not. Nothing tells a healthy hippocampus from a diseased one.\n\
         - Most errors lie within a voxel of the border, and at the cut between the two labels.\n\
         - A window of {depth} × {height} × {width} voxels takes about 100 MB of working memory.\n\n\
         ## Citation\n\n\
         The method: DINO-Med3D, MICCAI 2026, arXiv:2606.18886. This implementation and these weights are\n\
         not by the paper's authors. The data: {data}; changed into weights, which are shared under the same\n\
         licence.\n",
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
        exact = scores.mean_dice + quantization_cost,
        cases = scores.num_cases,
    )
}
