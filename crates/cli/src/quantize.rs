//! `dinomed3d quantize`: a model whose weights are stored in fewer bits, and what that costs.

use crate::held_out::held_out;
use crate::progress::Counting;
use crate::say::say;
use crate::segmenting::load_model;
use anyhow::{Context, bail, ensure};
use dinomed3d_core::manifest::{Calibration, ModelManifest, StorageScores, StoredDice};
use dinomed3d_core::model_folder::{CARD_FILE, ModelFolder};
use dinomed3d_core::results::calibration::calibrate;
use dinomed3d_core::results::model_card::with_storage;
use dinomed3d_core::results::predictor::Predictor;
use dinomed3d_core::results::quantize::{
    Layer, Storage, eased, encode_layers, influences, layers, manifest_of, score, stored_network,
};
use dinomed3d_core::results::validation::{check_order, scores_of};
use dinomed3d_core::train::dataset::HeldOut;
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::quantization::Bits;
use dinomed3d_core::weights::{NamedTensors, WeightsReader};
use dinomed3d_volume::evaluation::Evaluation;
use std::fs::File;
use std::path::{Path, PathBuf};

/// What four bits may cost where they are to be chosen by themselves.
const MOST_DICE: f64 = 0.005;

/// Where all tensors in four bits cost more: the shares of their error that those make which are in eight instead, tried in turn.
const EASED: [f64; 3] = [0.5, 0.75, 0.9];

/// Arguments of `quantize`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the model.
    model: PathBuf,
    /// Where the new model goes: a folder that is not there yet, or is empty. In the folder of the model itself it keeps that one's name.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// 8, 4, or auto: four where these cost at most 0.005 of mean Dice on the cases of --data, otherwise four in as many tensors as that
    /// allows and eight in those that move the answer most. A tensor that would itself lose too much has more bits.
    #[arg(long, value_enum)]
    bits: WantedBits,
    /// Data set with the cases that the manifest says were held out: they are segmented with the weights as they are, in eight and in four
    /// bits.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Recipe by which a model was trained from label maps: cases are drawn from those of its maps that were held out.
    #[arg(long, value_name = "FILE", requires = "data")]
    recipe: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum WantedBits {
    #[value(name = "8")]
    Eight,
    #[value(name = "4")]
    Four,
    Auto,
}

/// Weights in fewer bits.
struct Stored {
    storage: Storage,
    layers: Vec<Layer>,
    weights: Vec<u8>,
    evaluation: Option<Evaluation>,
}

impl Stored {
    /// Number of tensors in eight bits for what four would do to the answer.
    fn eased(&self) -> usize {
        let layers = self.layers.iter();
        layers.filter(|layer| layer.influence.is_some()).count()
    }
}

/// Stores weights in fewer bits, and says what that costs.
///
/// # Errors
/// A model or data set that can't be read; a folder that can't be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        args.bits != WantedBits::Auto || args.data.is_some(),
        "--bits auto chooses by the Dice of cases: expected is --data DIR beside it"
    );
    check_output(&args.output)?;
    let folder = ModelFolder::open(&args.model);
    let manifest = folder.manifest()?;
    let reference = manifest.weights.quantization;
    ensure!(
        reference != Quantization::Q4Block32,
        "{} is stored in 4 bits already: expected is a model with more",
        args.model.display()
    );
    let training = &manifest.training;
    let recipe = args.recipe.as_deref();
    let cases = args.data.as_deref();
    let cases = cases.map(|data| held_out(&args.model, training, data, recipe));
    let cases = cases.transpose()?.map(|(cases, _)| cases);
    // With its known answer, so that nothing is made of damaged weights.
    let (_, network) = load_model(&args.model, "cpu")?.into_parts();
    if reference != Quantization::None {
        say!(
            "The model's own weights are in {}: they count as exact, as no others are at hand.",
            reference.describe()
        );
    }
    let tensors = tensors(&folder, &manifest)?;
    let of = |storage| -> anyhow::Result<Stored> {
        let layers = layers(&tensors, storage);
        Ok(Stored {
            storage,
            weights: encode_layers(&tensors, &layers)?,
            layers,
            evaluation: None,
        })
    };
    let wanted = match args.bits {
        WantedBits::Eight => Storage::Eight,
        WantedBits::Four | WantedBits::Auto => Storage::Four,
    };
    let Some(cases) = cases else {
        let chosen = of(wanted)?;
        let mut made = manifest_of(&manifest, &chosen.weights, chosen.storage)?;
        made.calibration = None;
        // What is said may find no reader.
        write(&args, made, &chosen)?;
        say_layers(&chosen.layers);
        say_size(&chosen, &manifest);
        say!(
            "Without --data nothing was scored: the manifest has neither scores nor a calibration of these weights."
        );
        return Ok(());
    };
    let by_class = recipe.is_some();
    let count = cases.names().len();
    let scored = |network, what: &'static str| {
        let mut counting = Counting::new(what);
        let scored = score(&manifest, network, &cases, by_class, |case, cases| {
            counting.show(case, cases);
        });
        anyhow::Ok(scored?)
    };
    check_order(&manifest.channel_names(), &cases.channels)?;
    let exact = scored(network, "as they are, case")?;
    let mut all = [of(Storage::Eight)?, of(Storage::Four)?];
    for stored in &mut all {
        let what = match stored.storage {
            Storage::Eight => "in eight bits, case",
            Storage::Four => "in four bits, case",
        };
        let network = stored_network(&manifest, &stored.weights)?;
        stored.evaluation = Some(scored(network, what)?);
    }
    let dice = |stored: &Stored| {
        let evaluation = stored.evaluation.as_ref();
        evaluation.map_or(f64::NAN, Evaluation::mean_dice)
    };
    let measure = |stored: &Stored| StoredDice {
        quantization: stored.storage.quantization(),
        eased: stored.eased(),
        bytes: stored.weights.len() as u64,
        mean_dice: dice(stored),
    };
    let mut measured = vec![StoredDice {
        quantization: reference,
        eased: 0,
        bytes: manifest.weights.bytes,
        mean_dice: exact.mean_dice(),
    }];
    measured.extend(all.iter().map(measure));
    let [eight, four] = all;
    let is_enough = |stored: &Stored| exact.mean_dice() - dice(stored) <= MOST_DICE;
    let chosen = match args.bits {
        WantedBits::Eight => eight,
        WantedBits::Four => four,
        WantedBits::Auto if is_enough(&four) => four,
        WantedBits::Auto => {
            let mut counting = Counting::new("influence of tensor");
            let show = |tensor, tensors| counting.show(tensor, tensors);
            let influences = influences(&manifest, &tensors, &four.layers, show)?;
            let mut chosen = eight;
            for share in EASED {
                let layers = eased(&tensors, &four.layers, &influences, share);
                let weights = encode_layers(&tensors, &layers)?;
                let network = stored_network(&manifest, &weights)?;
                let evaluation = Some(scored(network, "in four bits and eight, case")?);
                let mixed = Stored {
                    storage: Storage::Four,
                    layers,
                    weights,
                    evaluation,
                };
                measured.push(measure(&mixed));
                if is_enough(&mixed) {
                    chosen = mixed;
                    break;
                }
            }
            chosen
        }
    };
    let mut made = manifest_of(&manifest, &chosen.weights, chosen.storage)?;
    made.calibration = calibrated(&made, &chosen, &cases)?;
    let evaluation = chosen.evaluation.as_ref().context("all were scored")?;
    let protocol = manifest.scores.as_ref().map_or_else(
        || "the cases that this manifest names as held out, on each file's own grid".to_owned(),
        |scores| scores.protocol.clone(),
    );
    made.scores = Some(scores_of(evaluation, protocol));
    made.storage_scores = Some(StorageScores {
        reference,
        num_cases: count,
        measured: measured.clone(),
    });
    write(&args, made, &chosen)?;
    say_layers(&chosen.layers);
    say_size(&chosen, &manifest);
    for (place, stored) in measured.iter().enumerate() {
        let own = if place == 0 {
            "the model as it is, "
        } else {
            ""
        };
        say!(
            "mean Dice {:.4} ({:+.4}) over {count} cases: {own}{}, {} bytes",
            stored.mean_dice,
            stored.mean_dice - exact.mean_dice(),
            stored.describe(),
            stored.bytes
        );
    }
    if args.bits == WantedBits::Auto {
        say!(
            "chosen: {}, as four bits may cost {MOST_DICE} of mean Dice",
            measure(&chosen).describe()
        );
    }
    Ok(())
}

/// Says what is wrong with the place where the model is to go, before anything is computed.
fn check_output(output: &Path) -> anyhow::Result<()> {
    match std::fs::read_dir(output) {
        Ok(mut entries) => {
            ensure!(
                entries.next().is_none(),
                "{} is there already and not empty; choose another folder",
                output.display()
            );
        }
        Err(_) if output.exists() => bail!("{} is no folder", output.display()),
        Err(_) => {}
    }
    let beside = beside(output)?;
    std::fs::create_dir_all(&beside).with_context(|| format!("writing {}", output.display()))?;
    Ok(std::fs::remove_dir(beside)?)
}

/// Where the folder is made before it has its name.
fn beside(output: &Path) -> anyhow::Result<PathBuf> {
    let name = output.file_name();
    let name = name.with_context(|| format!("{} has no name", output.display()))?;
    let name = format!("{}.{}.part", name.to_string_lossy(), std::process::id());
    Ok(output.with_file_name(name))
}

fn tensors(folder: &ModelFolder, manifest: &ModelManifest) -> anyhow::Result<NamedTensors> {
    let path = folder.file(&manifest.weights.file);
    let file = File::open(&path).with_context(|| format!("reading {}", path.display()))?;
    let reader = WeightsReader::open(&file)?;
    let names = reader.shapes().map(|(name, _)| name.to_owned());
    names
        .map(|name| Ok((name.clone(), reader.tensor(&name)?)))
        .collect()
}

/// Probabilities made true for the new weights, as far as the old ones had them.
fn calibrated(
    manifest: &ModelManifest,
    chosen: &Stored,
    cases: &HeldOut,
) -> anyhow::Result<Option<Calibration>> {
    if manifest.calibration.is_none() {
        return Ok(None);
    }
    let network = stored_network(manifest, &chosen.weights)?;
    let device = crate::device::device("cpu")?;
    let predictor = Predictor::new(manifest, network, device).uncalibrated();
    let mut counting = Counting::new("calibrating by case");
    let show = |case, cases| counting.show(case, cases);
    Ok(calibrate(&predictor, cases, show)?)
}

fn say_layers(layers: &[Layer]) {
    let longest = layers.iter().map(|layer| layer.name.len()).max();
    let width = longest.unwrap_or(0);
    say!("{:width$}  bits     bytes    error  shape", "tensor");
    for layer in layers {
        let bits = match layer.bits {
            None => 32,
            Some(Bits::Eight) => 8,
            Some(Bits::Four) => 4,
        };
        let refused: Vec<String> = layer
            .refused
            .iter()
            .map(|(bits, error)| {
                let bits = match bits {
                    Bits::Eight => 8,
                    Bits::Four => 4,
                };
                format!("; {error:.3} in {bits}, which is too much")
            })
            .collect();
        let eased = layer.influence.map_or(String::new(), |influence| {
            format!("; in 4 it would move the answer by {influence:.4}")
        });
        say!(
            "{:width$}  {bits:4}  {:8}  {:7.5}  {:?}{}{eased}",
            layer.name,
            layer.bytes,
            layer.error,
            layer.shape,
            refused.concat()
        );
    }
}

fn say_size(chosen: &Stored, manifest: &ModelManifest) {
    let in_bits = |bits| {
        let layers = chosen.layers.iter();
        layers.filter(|layer| layer.bits == bits).count()
    };
    say!(
        "{} tensors in 4 bits, {} in 8, {} in 32: {} bytes, {} before",
        in_bits(Some(Bits::Four)),
        in_bits(Some(Bits::Eight)),
        in_bits(None),
        chosen.weights.len(),
        manifest.weights.bytes
    );
}

/// Writes the folder, whole or not at all.
fn write(args: &Args, mut manifest: ModelManifest, chosen: &Stored) -> anyhow::Result<()> {
    // In the model's own folder it is the same model once more.
    if args.output.parent() != Some(&args.model) {
        let name = args.output.file_name().unwrap_or_default();
        manifest.name = name.to_string_lossy().into_owned();
    }
    manifest.check()?;
    let card = args.model.join(CARD_FILE);
    let card = match std::fs::read_to_string(&card) {
        Ok(card) => Some(with_storage(&card, &manifest)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).with_context(|| format!("reading {}", card.display())),
    };
    let beside = beside(&args.output)?;
    let written = || -> anyhow::Result<()> {
        let folder = ModelFolder::create(&beside)?;
        folder.write(&manifest.weights.file, &chosen.weights)?;
        folder.write_manifest(&manifest)?;
        if let Some(card) = &card {
            folder.write(CARD_FILE, card.as_bytes())?;
        }
        // An empty folder that is there makes room.
        let _ = std::fs::remove_dir(&args.output);
        std::fs::rename(&beside, &args.output)
            .with_context(|| format!("writing {}", args.output.display()))
    };
    written().inspect_err(|_| {
        let _ = std::fs::remove_dir_all(&beside);
    })
}
