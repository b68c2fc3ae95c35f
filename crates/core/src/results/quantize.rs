//! A model whose weights are stored in fewer bits, and what that costs.

use super::predictor::Predictor;
use super::validation::evaluate;
use super::{During, ResultsError};
use crate::infer::check::{answer, known_answer};
use crate::manifest::ModelManifest;
use crate::model::DinoMed3d;
use crate::train::dataset::HeldOut;
use crate::weights::file::Quantization;
use crate::weights::quantization::{Bits, Quantized, relative_error};
use crate::weights::{
    Hold, NamedTensor, NamedTensors, WeightsError, WeightsReader, encode_each, hex, load_from,
    load_into,
};
use burn::tensor::Device;
use dinomed3d_volume::evaluation::Evaluation;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// A tensor that rounding to eight bits changes by more than this stays floating point. Of usual ones it is 0.003 to 0.006.
const MOST_EIGHT: f64 = 0.02;
/// A tensor that rounding to four bits changes by more than this stays in eight. Of those of the shipped models it is 0.07 to 0.115.
const MOST_FOUR: f64 = 0.12;

/// Most of a window, `[slice, row, column]`, that influences are found on.
const PROBE: [usize; 3] = [8, 64, 64];

/// In how many bits weights are to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// Eight.
    Eight,
    /// Four.
    Four,
}

impl Storage {
    /// What a manifest calls it.
    pub fn quantization(self) -> Quantization {
        match self {
            Self::Eight => Quantization::Q8Block64,
            Self::Four => Quantization::Q4Block32,
        }
    }
}

/// How a tensor is stored, and what it loses.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Name of the tensor.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// In how many bits; none in floating point.
    pub bits: Option<Bits>,
    /// In the file, with its scales.
    pub bytes: usize,
    /// The relative error of the tensor.
    pub error: f64,
    /// Why it is not in as few bits as were asked for: the error that it would have in four and in eight.
    pub refused: Vec<(Bits, f64)>,
    /// How far it would have moved the network's answer in four bits, where it is in eight for that.
    pub influence: Option<f64>,
}

/// How each tensor is stored: in so few bits as are asked for, or more where it would lose too much.
pub fn layers(tensors: &NamedTensors, storage: Storage) -> Vec<Layer> {
    let layer = |(name, tensor): (&String, &NamedTensor)| layer(name, tensor, storage);
    tensors.iter().map(layer).collect()
}

fn layer(name: &str, tensor: &NamedTensor, storage: Storage) -> Layer {
    let mut layer = Layer {
        name: name.to_owned(),
        shape: tensor.shape.clone(),
        bits: None,
        bytes: 4 * tensor.values.len(),
        error: 0.0,
        refused: Vec::new(),
        influence: None,
    };
    let mut tried = storage.quantization().bits(tensor);
    while let Some(bits) = tried {
        let quantized = Quantized::of(&tensor.values, bits);
        let error = relative_error(&tensor.values, &quantized.widened());
        let (most, scale_bytes, next) = match bits {
            Bits::Eight => (MOST_EIGHT, 4, None),
            Bits::Four => (MOST_FOUR, 2, Some(Bits::Eight)),
        };
        if error <= most {
            layer.bits = Some(bits);
            layer.bytes = quantized.values.len() + scale_bytes * quantized.scales.len();
            layer.error = error;
            break;
        }
        layer.refused.push((bits, error));
        tried = next;
    }
    layer
}

/// What each tensor in four bits does to the network's answer by itself: how far logits of the built-in input move, as a part of
/// them; 0 of all others. `progress` is told a tensor's number, from 1, and of how many.
///
/// # Errors
/// Weights that do not fit the manifest's network.
pub fn influences(
    manifest: &ModelManifest,
    tensors: &NamedTensors,
    layers: &[Layer],
    mut progress: impl FnMut(usize, usize),
) -> Result<Vec<f64>, ResultsError> {
    let device = Device::flex();
    let shape = std::array::from_fn(|axis| manifest.window[axis].min(PROBE[axis]));
    let logits = |tensors: NamedTensors| -> Result<Vec<f32>, ResultsError> {
        let network = manifest.architecture.init(&device);
        let network = load_into(network, tensors)?;
        Ok(pollster::block_on(answer(&network, shape, &device))?.logits)
    };
    let exact = logits(tensors.clone())?;
    let count = layers.iter().filter(|layer| layer.bits == Some(Bits::Four));
    let count = count.count();
    let mut number = 0;
    let mut influences = Vec::with_capacity(layers.len());
    for layer in layers {
        if layer.bits != Some(Bits::Four) {
            influences.push(0.0);
            continue;
        }
        number += 1;
        progress(number, count);
        let mut changed = tensors.clone();
        if let Some(tensor) = changed.get_mut(&layer.name) {
            tensor.values = Quantized::of(&tensor.values, Bits::Four).widened();
        }
        influences.push(relative_error(&exact, &logits(changed)?));
    }
    Ok(influences)
}

/// The same layers, of which those that together make so much of the `influences` (a share of the sum of their squares, as errors that
/// know nothing of each other add up) are in eight bits: the fewest bytes first that do.
pub fn eased(
    tensors: &NamedTensors,
    layers: &[Layer],
    influences: &[f64],
    share: f64,
) -> Vec<Layer> {
    let square = |place: usize| influences[place] * influences[place];
    let gain = |place: usize| square(place) / layers[place].bytes as f64;
    let mut places: Vec<usize> = (0..layers.len()).collect();
    places.sort_by(|a, b| gain(*b).total_cmp(&gain(*a)));
    let mut left = share * (0..layers.len()).map(square).sum::<f64>();
    let mut eased = layers.to_vec();
    for place in places {
        if left <= 0.0 || influences[place] == 0.0 {
            break;
        }
        left -= square(place);
        let name = &layers[place].name;
        eased[place] = layer(name, &tensors[name], Storage::Eight);
        eased[place].influence = Some(influences[place]);
    }
    eased
}

/// The bytes of a weights file with `tensors` stored as `layers` say.
///
/// # Errors
/// Those of [`encode_each`].
pub fn encode_layers(tensors: &NamedTensors, layers: &[Layer]) -> Result<Vec<u8>, WeightsError> {
    let bits: BTreeMap<&str, Option<Bits>> = layers
        .iter()
        .map(|layer| (&*layer.name, layer.bits))
        .collect();
    encode_each(tensors, |name, _| bits.get(name).copied().flatten())
}

/// A manifest of weights that were stored anew: their file, and what their network answers to the known input. What was measured of
/// other weights is not said of these.
///
/// # Errors
/// Weights that do not fit the manifest's network.
pub fn manifest_of(
    manifest: &ModelManifest,
    weights: &[u8],
    storage: Storage,
) -> Result<ModelManifest, ResultsError> {
    let device = Device::flex();
    let network = stored_network(manifest, weights)?;
    let mut manifest = manifest.clone();
    let sha256 = hex(&Sha256::digest(weights));
    manifest.weights.file = format!("weights-{}.safetensors", &sha256[..8]);
    manifest.weights.bytes = weights.len() as u64;
    manifest.weights.sha256 = sha256;
    manifest.weights.quantization = storage.quantization();
    manifest.weights.chunks = None;
    manifest.check = pollster::block_on(known_answer(&network, manifest.window, &device))?;
    manifest.scores = None;
    manifest.storage_scores = None;
    manifest.proxy = None;
    Ok(manifest)
}

/// The network of a weights file in memory.
///
/// # Errors
/// Weights that do not fit the manifest's network.
pub fn stored_network(manifest: &ModelManifest, weights: &[u8]) -> Result<DinoMed3d, ResultsError> {
    let load = || {
        let reader = WeightsReader::open(weights)?;
        let network = manifest.architecture.init(&Device::flex());
        load_from(network, &reader, Hold::Widened)
    };
    load().during(|| "loading the weights".to_owned())
}

/// How a network with everything that the manifest says scores on `cases`. Images that are drawn (`by_class`) have one label for both
/// sides of a structure that is one class.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn score(
    manifest: &ModelManifest,
    network: DinoMed3d,
    cases: &HeldOut,
    by_class: bool,
    progress: impl FnMut(usize, usize),
) -> Result<Evaluation, ResultsError> {
    let by_classes = by_class.then(|| manifest.by_class());
    let manifest = by_classes.as_ref().unwrap_or(manifest);
    evaluate(
        &Predictor::new(manifest, network, Device::flex()),
        cases,
        progress,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(value: impl Fn(usize) -> f32) -> NamedTensor {
        NamedTensor {
            shape: vec![64, 64],
            values: (0..64 * 64).map(value).collect(),
        }
    }

    /// By hand: of squares 9, 1 and 4, the last in a tensor of half the bytes, half is the first; two thirds take the last too.
    #[test]
    fn what_moves_the_answer_most_is_eased_first() {
        let usual = tensor(|i| (i as f32 * 0.7).sin());
        let mut small = usual.clone();
        small.shape = vec![32, 64];
        small.values.truncate(32 * 64);
        let tensors = NamedTensors::from([
            ("a".to_owned(), usual.clone()),
            ("b".to_owned(), usual),
            ("c".to_owned(), small),
        ]);
        let all = layers(&tensors, Storage::Four);
        let bits = |share| {
            let eased = eased(&tensors, &all, &[3.0, 1.0, 2.0], share);
            eased.iter().map(|layer| layer.bits).collect::<Vec<_>>()
        };
        let [four, eight] = [Bits::Four, Bits::Eight].map(Some);
        assert_eq!(bits(0.0), [four, four, four]);
        assert_eq!(bits(0.5), [eight, four, four]);
        assert_eq!(bits(0.7), [eight, four, eight]);
        assert_eq!(bits(1.0), [eight, eight, eight]);
    }

    /// One value in a block of 32 that is a thousand times the others leaves them nothing of four bits, and half of that of eight.
    #[test]
    fn a_tensor_that_would_lose_too_much_has_more_bits() {
        let usual = tensor(|i| (i as f32 * 0.7).sin());
        let small = NamedTensor {
            shape: vec![4],
            values: vec![1.0; 4],
        };
        let spiky = tensor(|i| {
            let value = (i as f32 * 0.7).sin();
            if i % 64 == 0 { 20.0 } else { value }
        });
        let tensors = NamedTensors::from([
            ("bias".to_owned(), small),
            ("spiky".to_owned(), spiky),
            ("usual".to_owned(), usual),
        ]);
        let chosen = layers(&tensors, Storage::Four);
        let bits: Vec<_> = chosen.iter().map(|layer| layer.bits).collect();
        assert_eq!(bits, [None, Some(Bits::Eight), Some(Bits::Four)]);
        assert!(matches!(chosen[1].refused[..], [(Bits::Four, error)] if error > MOST_FOUR));
        let bytes = encode_layers(&tensors, &chosen).unwrap();
        let numbers: usize = chosen.iter().map(|layer| layer.bytes).sum();
        let reader = WeightsReader::open(&bytes).unwrap();
        assert_eq!(reader.quantized("usual").unwrap().unwrap().bits, Bits::Four);
        assert_eq!(
            reader.quantized("spiky").unwrap().unwrap().bits,
            Bits::Eight
        );
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        assert_eq!(bytes.len(), header + numbers);
    }
}
