//! `dinomed3d convert`: from somebody's checkpoint to a model of ours.

use crate::say::say;
use anyhow::{Context, bail};
use burn::tensor::Device;
use clap::ValueEnum;
use dinomed3d_core::infer::check::known_answer;
use dinomed3d_core::manifest::WeightsFile;
use dinomed3d_core::model::adaptation::Adaptation;
use dinomed3d_core::model::lora::LoraConfig;
use dinomed3d_core::model::presets::{DinoV3, Preset};
use dinomed3d_core::model::{DinoMed3dConfig, SliceSegmenter};
use dinomed3d_core::model_folder::{MANIFEST_FILE, ModelFolder, WEIGHTS_FILE};
use dinomed3d_core::results::converted::{Named, manifest};
use dinomed3d_core::train::recipe_file::{read_recipe, recipe_files};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::import::initialize::transformer_shapes;
use dinomed3d_core::weights::import::{Checkpoint, Identity, Imported, Scope, Source, import};
use dinomed3d_core::weights::merge::merge_lora;
use dinomed3d_core::weights::{
    Hold, NamedTensors, WeightsReader, checksum, encode_to_file, load_from, parameter_shapes,
};
use dinomed3d_volume::atomic_file::check_outputs_in;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;

/// Arguments of `convert`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The checkpoint: a PyTorch file (`.pth`) or safetensors.
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
    /// What it is a checkpoint of: vits16, vits16plus, vitb16, vitl16, vith16plus (DINOv3), or
    /// paper-s, paper-b, paper-l (the authors' stage 1 or 2).
    #[arg(long)]
    preset: String,
    /// Folder of the model.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Alpha of the checkpoint's LoRA, which the file does not say.
    #[arg(long, default_value_t = LoraConfig::new().alpha)]
    lora_alpha: f64,
    /// How weights are stored.
    #[arg(long, value_enum, default_value_t = Storage::Float)]
    storage: Storage,
    /// A recipe (TOML) that says how the network was trained: title, preprocessing, window,
    /// colours, data.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Names of the labels after background.
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    labels: Vec<String>,
    /// Say for every parameter where it came from.
    #[arg(long)]
    list: bool,
}

/// How weights are stored.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Storage {
    /// 32-bit floating point.
    Float,
    /// Eight bits, for the page.
    Q8,
    /// Four bits, for the page.
    Q4,
}

impl From<Storage> for Quantization {
    fn from(storage: Storage) -> Self {
        match storage {
            Storage::Float => Self::None,
            Storage::Q8 => Self::Q8Block64,
            Storage::Q4 => Self::Q4Block32,
        }
    }
}

/// Converts.
///
/// # Errors
/// A file that can't be read, is not of the preset, or an output that can't be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    for name in [MANIFEST_FILE, WEIGHTS_FILE] {
        let path = args.output.join(name);
        if path.exists() {
            bail!("{} is there already; choose another folder", path.display());
        }
    }
    let recipes = args.recipe.as_deref().map(recipe_files).transpose()?;
    let inputs = [recipes.unwrap_or_default(), vec![args.from.clone()]].concat();
    check_outputs_in(&args.output, &[MANIFEST_FILE, WEIGHTS_FILE], &inputs)?;
    let checkpoint = Checkpoint::open(&args.from)?;
    let identity =
        Identity::of(&checkpoint).with_context(|| format!("in {}", args.from.display()))?;
    say!("{}: {}", args.from.display(), describe(&identity));
    if DinoV3::from_name(&args.preset).is_ok() {
        return transformer(&args, &checkpoint, &identity);
    }
    let preset = Preset::from_name(&args.preset).map_err(|mut error| {
        let transformers = DinoV3::ALL.iter().map(|(name, _)| *name);
        error.expected.extend(transformers);
        error
    })?;
    if matches!(
        identity.source,
        Source::AuthorsStage1 | Source::AuthorsStage2
    ) {
        check_head(&args, &identity)?;
    }
    match (identity.source, identity.num_classes) {
        (Source::AuthorsStage1, Some(classes)) => {
            stage1(&args, &checkpoint, &identity, &preset.config(classes))
        }
        (Source::AuthorsStage2, Some(classes)) => {
            stage2(&args, &checkpoint, &identity, preset.config(classes))
        }
        (source, _) => bail!(
            "{} is {source}; --preset {} is for the authors' stage 1 and stage 2, expected is one of {}",
            args.from.display(),
            args.preset,
            DinoV3::ALL.map(|(name, _)| name).join(", ")
        ),
    }
}

/// Says what is wrong with the sizes that a checkpoint tells of itself, before anything is written.
fn check_head(args: &Args, identity: &Identity) -> anyhow::Result<()> {
    let Some(classes) = identity.num_classes else {
        bail!(
            "{} is {} without its head, so that the number of classes is not known",
            args.from.display(),
            identity.source
        );
    };
    if !(2..=256).contains(&classes) {
        bail!("the checkpoint has {classes} classes, expected are 2 to 256");
    }
    if identity.lora_rank == Some(0) {
        bail!("the checkpoint's LoRA has rank 0");
    }
    if !args.labels.is_empty() && args.labels.len() != classes - 1 {
        bail!(
            "{} labels are named, the checkpoint has {} beside background",
            args.labels.len(),
            classes - 1
        );
    }
    Ok(())
}

fn describe(identity: &Identity) -> String {
    let mut text = identity.source.to_string();
    if let Some(classes) = identity.num_classes {
        text += &format!(", {classes} classes");
    }
    if let Some(rank) = identity.lora_rank {
        text += &format!(", LoRA of rank {rank}");
    }
    if !identity.prefix.is_empty() {
        text += &format!("; names begin with {}", identity.prefix);
    }
    text
}

fn transformer(args: &Args, checkpoint: &Checkpoint, identity: &Identity) -> anyhow::Result<()> {
    if identity.source == Source::AuthorsStage2 {
        bail!(
            "{} is {}; its transformer is adapted by LoRA, expected is --preset paper-s, paper-b or paper-l",
            args.from.display(),
            identity.source
        );
    }
    let config = DinoV3::from_name(&args.preset)?.config();
    let imported = take(
        args,
        checkpoint,
        identity,
        &transformer_shapes(&config),
        Scope::Transformer,
    )?;
    let folder = ModelFolder::create(&args.output)?;
    write_weights(args, &folder, &imported.tensors)?;
    say!("a transformer by itself: begin a training with it by train --init");
    Ok(())
}

fn stage1(
    args: &Args,
    checkpoint: &Checkpoint,
    identity: &Identity,
    config: &DinoMed3dConfig,
) -> anyhow::Result<()> {
    let network = SliceSegmenter::init(config, &Device::flex());
    let shapes = parameter_shapes(&network);
    let imported = take(args, checkpoint, identity, &shapes, Scope::Whole)?;
    let folder = ModelFolder::create(&args.output)?;
    write_weights(args, &folder, &imported.tensors)?;
    say!("a network of stage 1: begin a training with its transformer by train --init");
    Ok(())
}

fn stage2(
    args: &Args,
    checkpoint: &Checkpoint,
    identity: &Identity,
    mut config: DinoMed3dConfig,
) -> anyhow::Result<()> {
    config.adaptation = match identity.lora_rank {
        None => Adaptation::None,
        Some(rank) => Adaptation::Lora(
            LoraConfig::new()
                .with_rank(rank)
                .with_alpha(args.lora_alpha),
        ),
    };
    // It must say everything: there is no data set here that could settle the rest.
    let recipe = args.recipe.as_deref().map(read_recipe).transpose()?;
    let device = Device::flex();
    let shapes = parameter_shapes(&config.init(&device));
    let mut tensors = take(args, checkpoint, identity, &shapes, Scope::Whole)?.tensors;
    if let Some(rank) = identity.lora_rank {
        merge_lora(&mut tensors, &mut config)?;
        say!("LoRA of rank {rank}, alpha {}, merged", args.lora_alpha);
    }
    let folder = ModelFolder::create(&args.output)?;
    let weights = write_weights(args, &folder, &tensors)?;
    drop(tensors);
    // The known answer is that of the file.
    let path = folder.file(WEIGHTS_FILE);
    let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
    let reader = WeightsReader::open(&file)?;
    let model = load_from(config.init(&device), &reader, Hold::Widened)?;
    let named = Named {
        from: &args.from,
        folder: &args.output,
        labels: &args.labels,
    };
    let manifest = manifest(named, recipe, config, weights, |window| {
        pollster::block_on(known_answer(&model, window, &device))
    })?;
    folder.write_manifest(&manifest)?;
    if args.recipe.is_none() {
        say!(
            "The checkpoint does not say how scans were prepared: {MANIFEST_FILE} holds a guess (axial slices as they are, percentiles, z-score, windows of 16 slices). Give --recipe, or mend it before use."
        );
    }
    say!(
        "Weights that derive from DINOv3's may be handed on under the DINOv3 License only, with a copy of it."
    );
    Ok(())
}

/// Imports, and says what went where.
fn take(
    args: &Args,
    checkpoint: &Checkpoint,
    identity: &Identity,
    shapes: &BTreeMap<String, Vec<usize>>,
    scope: Scope,
) -> anyhow::Result<Imported> {
    let imported = import(checkpoint, identity, shapes, scope)
        .with_context(|| format!("{} as {}", args.from.display(), args.preset))?;
    if args.list {
        for (ours, theirs) in &imported.mapped {
            let theirs = if theirs.is_empty() {
                "zeros".to_owned()
            } else {
                theirs.join(" + ")
            };
            say!("  {ours} ← {theirs}");
        }
    }
    let values: usize = imported.tensors.values().map(|t| t.values.len()).sum();
    let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
    for (ours, _) in &imported.mapped {
        let part = ours.split('.').next().unwrap_or(ours);
        *parts.entry(part).or_default() += 1;
    }
    let parts: Vec<String> = parts
        .iter()
        .map(|(part, n)| format!("{part} {n}"))
        .collect();
    say!(
        "mapped {} parameters of {values} values: {}",
        imported.mapped.len(),
        parts.join(", ")
    );
    if !imported.ignored.is_empty() {
        say!(
            "left out {} known to be of no use: {}",
            imported.ignored.len(),
            imported.ignored.join(", ")
        );
    }
    if imported.outside > 0 {
        say!("{} tensors are not part of these weights", imported.outside);
    }
    Ok(imported)
}

fn write_weights(
    args: &Args,
    folder: &ModelFolder,
    tensors: &NamedTensors,
) -> anyhow::Result<WeightsFile> {
    let path = folder.file(WEIGHTS_FILE);
    let quantization = args.storage.into();
    encode_to_file(tensors, quantization, &path)?;
    let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
    let bytes = file.metadata()?.len();
    say!("{}: {bytes} bytes", path.display());
    Ok(WeightsFile {
        file: WEIGHTS_FILE.into(),
        bytes,
        sha256: checksum(&file)?,
        quantization,
        chunks: None,
    })
}
