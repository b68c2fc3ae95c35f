//! The head of stage 1's proxy task for a network that is done, of which stage 1's own was not kept: a linear layer on tokens that
//! do not change, fitted to the training cases by stage 1's loss.

use super::predictor::Predictor;
use super::validation::evaluate;
use super::{During, ResultsError};
use crate::infer::computer::{blocks, input};
use crate::infer::predict::read;
use crate::manifest::{ModelManifest, Proxy};
use crate::model::{DinoMed3d, Part, ProxyHead, ProxyWeights};
use crate::train::Recipe;
use crate::train::augment::{Sample, Sampler};
use crate::train::dataset::{CaseSplit, Dataset, Examples, HeldOut};
use crate::train::loss::{CROSS_ENTROPY_WEIGHT, one_hot, segmentation_loss};
use crate::train::recipe::Augmentation;
use crate::train::run_folder::RunFolder;
use crate::train::setting::RandomChange;
use crate::train::synthesis::Synthesizer;
use crate::weights::{NamedTensors, decode};
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{AdamWConfig, GradientsParams};
use burn::tensor::{Device, Tensor, TensorData};
use dinomed3d_volume::statistics::mean_and_std;
use std::ops::ControlFlow;
use std::path::Path;

/// How a head is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitSettings {
    /// Windows of each case.
    pub windows_per_case: usize,
    /// How often each is seen.
    pub epochs: usize,
}

/// What a fit does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Windows pass the transformer.
    Looking,
    /// The head learns.
    Fitting,
}

/// Logits of a step at most: a window of many classes is learnt from some slices at a time.
const LOGITS: usize = 1_200_000;
/// Of the first step, in standardised features; it falls to nothing.
const RATE: f64 = 0.03;
/// Share by which a tensor of two files may differ for the mean that a run keeps of it.
const TOLERANCE: f32 = 1e-5;

/// A window after all blocks, and its labels.
struct Window {
    /// `[slice, row, column, embed_dim]`
    tokens: Vec<f32>,
    /// Class of each voxel, `[slice, row, column]`.
    classes: Vec<u8>,
}

/// Sizes of windows and tokens.
#[derive(Clone, Copy)]
struct Sizes {
    /// `[slice, row, column]`
    window: [usize; 3],
    patch: usize,
    embed_dim: usize,
    classes: usize,
}

impl Sizes {
    fn of(manifest: &ModelManifest) -> Self {
        let network = &manifest.architecture;
        Self {
            window: manifest.window,
            patch: network.vit.patch_size,
            embed_dim: network.vit.embed_dim,
            classes: network.num_classes,
        }
    }

    /// Rows and columns of a slice's tokens.
    fn token_rows(&self) -> [usize; 2] {
        [self.window[1], self.window[2]].map(|edge| edge.div_ceil(self.patch))
    }
}

/// Fits a head to the cases of `data` that the manifest says were learnt from: windows of scans as they are or, by the `recipe` of a
/// model that was trained from label maps, drawn. `progress` is told what it does, its number from 1 and of how many.
///
/// # Errors
/// Data that cannot be read or lack a case; a recipe of other windows; a device that fails.
pub fn fit_proxy(
    manifest: &ModelManifest,
    network: &DinoMed3d,
    data: &Path,
    recipe: Option<&Recipe>,
    settings: FitSettings,
    mut progress: impl FnMut(Step, usize, usize),
) -> Result<ProxyWeights, ResultsError> {
    let split = CaseSplit {
        train: manifest.training.training_cases.clone(),
        val: Vec::new(),
    };
    let dataset = match recipe {
        Some(recipe) => Dataset::of_split(recipe, &split, data, None)?,
        None => Dataset::of_scans(data, &manifest.preprocessing, &split, None)?,
    };
    let sizes = Sizes::of(manifest);
    expect("classes", dataset.labels.len(), sizes.classes)?;
    let draw = drawing(manifest, recipe, &dataset)?;
    let bare = network.without(Part::Adapters);
    let device = Device::flex();
    let count = dataset.training.len() * settings.windows_per_case;
    let mut windows = Vec::with_capacity(count);
    for place in 0..count {
        progress(Step::Looking, place + 1, count);
        let sample = draw(place % dataset.training.len(), place);
        let voxels = input(sample.voxels, sizes.window, &device);
        let tokens = async {
            let pass = blocks(&bare, voxels, async |_| ControlFlow::Continue(())).await?;
            read(bare.vit.patch_grid(pass.state()).flatten::<1>(0, 4)).await
        };
        windows.push(Window {
            tokens: pollster::block_on(tokens)?,
            classes: sample.labels,
        });
    }
    let told = |step, steps| progress(Step::Fitting, step, steps);
    Ok(fit(&windows, sizes, settings.epochs, told))
}

/// What draws a window of a case, the so many-th of all.
fn drawing<'a>(
    manifest: &ModelManifest,
    recipe: Option<&Recipe>,
    dataset: &'a Dataset,
) -> Result<Box<dyn Fn(usize, usize) -> Sample + 'a>, ResultsError> {
    match (&dataset.training, recipe) {
        (Examples::LabelMaps(drawn), Some(recipe)) => {
            expect("window", recipe.window, manifest.window)?;
            let (settings, table) = (&drawn.settings, &drawn.table);
            let synthesizer = Synthesizer::new(recipe, settings, table, &dataset.labels, 1);
            Ok(Box::new(move |case, place| {
                synthesizer.draw(&drawn.maps[case], 0, place)
            }))
        }
        (training, _) => {
            let cases = training.scans();
            let sampler = Sampler::new(STILL, manifest.window, dataset.labels.len(), [1, 1]);
            Ok(Box::new(move |case, place| {
                sampler.draw(&cases[case], 0, place)
            }))
        }
    }
}

/// Scans as they are.
const STILL: Augmentation = Augmentation {
    flip_slices: 0.0,
    flip_columns: 0.0,
    affine: 0.0,
    in_plane: false,
    rotation_deg: 0.0,
    scale: [1.0, 1.0],
    shift_voxels: 0.0,
    elastic: NEVER,
    intensity: 0.0,
    contrast: 0.0,
    brightness: 0.0,
    noise: 0.0,
    gamma: NEVER,
    bias_field: NEVER,
    low_resolution: NEVER,
    balanced: 0.0,
};
const NEVER: RandomChange = RandomChange {
    chance: 0.0,
    limit: 0.0,
};

fn expect<T: PartialEq + std::fmt::Debug>(
    what: &str,
    found: T,
    expected: T,
) -> Result<(), ResultsError> {
    if found == expected {
        return Ok(());
    }
    Err(ResultsError::Unusable(format!(
        "{what} of the data and recipe: {found:?} is found, expected is the model's, {expected:?}"
    )))
}

/// The head with the lowest loss; features are taken as their distance from the mean in standard deviations, so that one rate suits
/// all, and the head is turned back to features as they are.
fn fit(
    windows: &[Window],
    sizes: Sizes,
    epochs: usize,
    mut progress: impl FnMut(usize, usize),
) -> ProxyWeights {
    let Sizes {
        window: [depth, height, width],
        patch,
        embed_dim,
        classes,
    } = sizes;
    let [rows, columns] = sizes.token_rows();
    let (of_slice, pixels) = (rows * columns * embed_dim, height * width);
    let spread: Vec<(f32, f32)> = (0..embed_dim)
        .map(|f| spread(windows, f, embed_dim))
        .collect();
    let together = (LOGITS / (pixels * classes)).clamp(1, depth);
    let groups = depth.div_ceil(together);
    let device = Device::flex().autodiff();
    // From nothing, so that the same data give the same head.
    let nothing = ProxyWeights {
        weight: vec![0.0; embed_dim * classes],
        bias: vec![0.0; classes],
    };
    let mut head = ProxyHead::of(&nothing, patch, &device);
    let mut optimizer = AdamWConfig::new().with_weight_decay(0.0).init();
    let steps = epochs * windows.len();
    for step in 0..steps {
        progress(step + 1, steps);
        // Neighbouring slices say nearly the same: those of a step lie apart, and are others the next time.
        let window = &windows[step % windows.len()];
        let slices: Vec<usize> = (step / windows.len() % groups..depth)
            .step_by(groups)
            .collect();
        let mut tokens = Vec::with_capacity(slices.len() * of_slice);
        let mut labels = Vec::with_capacity(slices.len() * pixels);
        for slice in &slices {
            let values = window.tokens[slice * of_slice..][..of_slice].iter();
            let standard = values.zip(spread.iter().cycle());
            tokens.extend(standard.map(|(value, (mean, scale))| (value - mean) / scale));
            let classes = &window.classes[slice * pixels..][..pixels];
            labels.extend(classes.iter().map(|class| f32::from(*class)));
        }
        let shape = [1, slices.len(), rows, columns, embed_dim];
        let tokens = Tensor::from_data(TensorData::new(tokens, shape), &device);
        let target = one_hot(labels, [1, slices.len(), height, width], classes, &device);
        let logits = head.logits(tokens, [height, width]);
        let loss = segmentation_loss(logits, target, CROSS_ENTROPY_WEIGHT);
        let gradients = GradientsParams::from_grads(loss.total.backward(), &head);
        let rate = RATE * (1.0 - step as f64 / steps as f64);
        head = optimizer.step(ModuleLearningRate::from(rate), head, gradients);
    }
    let mut weights = head.weights();
    for (row, (mean, scale)) in weights.weight.chunks_exact_mut(classes).zip(spread) {
        for (weight, bias) in row.iter_mut().zip(&mut weights.bias) {
            *weight /= scale;
            *bias -= *weight * mean;
        }
    }
    weights
}

/// Mean and standard deviation of a feature; of one that is the same everywhere 1.
fn spread(windows: &[Window], feature: usize, embed_dim: usize) -> (f32, f32) {
    let of_window = |window: &'_ Window| {
        let values = window.tokens.iter().skip(feature).step_by(embed_dim);
        values.map(|value| f64::from(*value)).collect::<Vec<f64>>()
    };
    let (mean, deviation) = mean_and_std(windows.iter().flat_map(of_window));
    let scale = if deviation > 1e-6 { deviation } else { 1.0 };
    (mean as f32, scale as f32)
}

/// A head with what stage 1 scores by it on cases that were held out; `by_class` as [`quantize::score`](super::quantize::score) has it.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn scored_proxy(
    manifest: &ModelManifest,
    network: &DinoMed3d,
    (weights, is_fitted): (ProxyWeights, bool),
    cases: &HeldOut,
    by_class: bool,
    progress: impl FnMut(usize, usize),
) -> Result<Proxy, ResultsError> {
    let by_classes = by_class.then(|| manifest.by_class());
    let manifest = by_classes.as_ref().unwrap_or(manifest);
    let device = Device::flex();
    let head = ProxyHead::of(&weights, manifest.architecture.vit.patch_size, &device);
    let predictor = Predictor::of_proxy(manifest, network, head, device);
    let evaluation = evaluate(&predictor, cases, progress)?;
    Ok(Proxy {
        is_fitted,
        mean_dice: evaluation.mean_dice(),
        num_cases: evaluation.cases.len(),
        weights,
    })
}

/// The head of a run's own stage 1, where the transformer is still as stage 1 left it: `tensors` are the run's network. None of a run
/// without a stage 1, or whose stage 2 went on with the transformer.
///
/// # Errors
/// A file that cannot be read.
pub fn proxy_of_run(
    run: &Path,
    tensors: &NamedTensors,
) -> Result<Option<ProxyWeights>, ResultsError> {
    let path = run.join("stage1.safetensors");
    if !path.exists() {
        return Ok(None);
    }
    let bytes = RunFolder(run.to_owned()).read(&path)?;
    let mut stage1 = decode(&bytes).during(|| format!("in {}", path.display()))?;
    let mut part = |name| stage1.remove(name).map(|tensor| tensor.values);
    let head = part("head.classifier.weight").zip(part("head.classifier.bias"));
    let is_kept = stage1.iter().all(|(name, before)| {
        tensors.get(name).is_some_and(|now| {
            let mut values = now.values.iter().zip(&before.values);
            now.shape == before.shape
                && values
                    .all(|(now, before)| (now - before).abs() <= TOLERANCE * before.abs().max(1.0))
        })
    });
    let head = head.filter(|_| is_kept);
    Ok(head.map(|(weight, bias)| ProxyWeights { weight, bias }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::file::Quantization;
    use crate::weights::{NamedTensor, encode};

    /// Two patches of two classes each way; the class is told by the sign of the second of three features, which lies far from zero.
    #[test]
    fn a_head_finds_the_feature_that_tells_classes_apart() {
        let sizes = Sizes {
            window: [3, 8, 16],
            patch: 8,
            embed_dim: 3,
            classes: 2,
        };
        let window = |shift: f32| {
            let mut window = Window {
                tokens: Vec::new(),
                classes: Vec::new(),
            };
            for slice in 0..3 {
                let first = slice % 2;
                for class in [first, 1 - first] {
                    let told = 50.0 + 4.0 * class as f32 + 0.1 * shift;
                    window.tokens.extend([shift, told, 7.0]);
                }
                let row = [[first as u8; 8], [1 - first as u8; 8]].concat();
                window.classes.extend(row.repeat(8));
            }
            window
        };
        let windows = [window(0.0), window(1.0), window(-1.0)];
        let weights = fit(&windows, sizes, 60, |_, _| {});
        let device = Device::flex();
        let head = ProxyHead::of(&weights, 8, &device);
        assert_eq!(head.weights(), weights);
        for window in &windows {
            let tokens = TensorData::new(window.tokens.clone(), [1, 3, 1, 2, 3]);
            let logits = head.logits(Tensor::from_data(tokens, &device), [8, 16]);
            let logits: Vec<f32> = logits.into_data().iter::<f32>().collect();
            let found: Vec<u8> = crate::infer::classes(&logits, 2).collect();
            // Between the two middles it is a mixture.
            for at in (0..found.len()).filter(|at| !(4..12).contains(&(at % 16))) {
                assert_eq!(found[at], window.classes[at], "{at}");
            }
        }
    }

    #[test]
    fn a_run_has_a_head_where_its_transformer_is_that_of_stage_1() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-proxy-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let tensor = |shape: &[usize], value: f32| NamedTensor {
            shape: shape.to_vec(),
            values: vec![value; shape.iter().product()],
        };
        let network = |value| {
            let vit = ("vit.cls_token".to_owned(), tensor(&[1, 1, 2], value));
            NamedTensors::from([vit, ("decoder.bias".to_owned(), tensor(&[2], 9.0))])
        };
        assert_eq!(proxy_of_run(&folder, &network(0.5)).unwrap(), None);
        let stage1 = NamedTensors::from([
            ("vit.cls_token".to_owned(), tensor(&[1, 1, 2], 0.5)),
            ("head.classifier.weight".to_owned(), tensor(&[2, 3], 2.0)),
            ("head.classifier.bias".to_owned(), tensor(&[3], 3.0)),
        ]);
        let bytes = encode(&stage1, Quantization::None).unwrap();
        std::fs::write(folder.join("stage1.safetensors"), bytes).unwrap();
        let found = proxy_of_run(&folder, &network(0.5 + 1e-6)).unwrap();
        let expected = ProxyWeights {
            weight: vec![2.0; 6],
            bias: vec![3.0; 3],
        };
        assert_eq!(found, Some(expected));
        assert_eq!(proxy_of_run(&folder, &network(0.6)).unwrap(), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
