//! `dinomed3d export`: from a training run to a model that the page can serve.

use crate::model_card::ModelCard;
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
    let unquantized_dice = score(&unquantized, &exact)?.mean_dice;
    println!(
        "mean Dice {:.4} over {} cases, {unquantized_dice:.4} before quantisation",
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
    let card = ModelCard {
        manifest: &manifest,
        scores: &scores,
        unquantized_dice,
        num_parameters: tensors.values().map(|t| t.values.len()).sum(),
        limits: &recipe.limits,
    };
    write("README.md", card.to_string().as_bytes())?;
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
