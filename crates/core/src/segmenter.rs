//! A loaded model, ready to segment.

use crate::infer::check::{CheckErrors, CheckReach, HALF_TOLERANCE, TOLERANCE};
use crate::infer::check::{answer, window_answer};
use crate::infer::{Changes, Computer, InferError, Keep, Labelled};
use crate::infer::{OneDevice, Pipeline, Progress, Seen, SeenWindow};
use crate::inside::{Inside, Map};
use crate::manifest::{ExtentRange, ManifestError, ModelManifest};
use crate::model::{DinoMed3d, Part, ProxyHead};
use crate::preflight::Cost;
use crate::strokes::{Features, Stroke, learn};
use crate::weights::{Hold, WeightBytes, WeightsError, WeightsReader, checksum, load_from};
use burn::tensor::Device;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange, label_sizes};
use dinomed3d_volume::{Affine, Image, ModelGrid, OneSided, UsualVolume};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The weights.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file or the folder of a model.
    #[error("{doing} {}", path.display())]
    File {
        /// "reading", "in" and so on.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A model on a device.
#[derive(Debug)]
pub struct Segmenter {
    manifest: ModelManifest,
    pipeline: Pipeline,
    model: DinoMed3d,
    /// What windows are computed by in place of it.
    half: Option<DinoMed3d>,
    device: Device,
    cost: Cost,
}

/// A segmented scan.
#[derive(Clone, Debug)]
pub struct Segmentation {
    /// One label per voxel of the scan's own grid, `[z, y, x]`.
    pub labels: Vec<u8>,
    /// `[z, y, x]`
    pub shape: [usize; 3],
    /// What a person should know about this result.
    pub warnings: Vec<String>,
    /// Number of windows computed.
    pub windows: usize,
    /// What the network said, where that was to be kept.
    pub seen: Option<Seen>,
}

/// Extents outside the training range by more than this factor are warned about.
const EXTENT_SLACK: f64 = 1.25;
/// Voxels that the postprocessing changed, as a share of those labelled in the end, above which a person is told.
const NOTEWORTHY_CHANGE: f64 = 0.05;
/// So many labels may be far from the training cases' volumes in a person who is ill, or operated on.
const UNUSUAL_LABELS: usize = 2;
/// So many of them a sentence names.
const NAMED_LABELS: usize = 3;

impl Segmenter {
    /// Loads a model onto `device` after checking the manifest and that the weights are its; they are read twice, a tensor at a time.
    ///
    /// # Errors
    /// [`ModelError::Manifest`] for a manifest that can't be followed.
    /// [`ModelError::Weights`] if the checksum differs, the file is damaged or does not fit the
    /// network.
    pub fn load(
        manifest: ModelManifest,
        weights: &(impl WeightBytes + ?Sized),
        device: &Device,
    ) -> Result<Self, ModelError> {
        Self::load_and_hold(manifest, weights, device, Hold::Widened)
    }

    /// As [`Segmenter::load`], weights being held as `hold` says.
    ///
    /// # Errors
    /// As [`Segmenter::load`].
    pub fn load_and_hold(
        manifest: ModelManifest,
        weights: &(impl WeightBytes + ?Sized),
        device: &Device,
        hold: Hold,
    ) -> Result<Self, ModelError> {
        manifest.check()?;
        let found = checksum(weights)?;
        if found != manifest.weights.sha256 {
            return Err(WeightsError::Checksum {
                found,
                expected: manifest.weights.sha256.clone(),
            }
            .into());
        }
        let model = manifest.architecture.init(device);
        let reader = WeightsReader::open(weights)?;
        let cost = Cost::of(&manifest, reader.shapes());
        let model = load_from(model, &reader, hold)?;
        Ok(Self {
            cost,
            pipeline: manifest.pipeline(),
            manifest,
            model,
            half: None,
            device: device.clone(),
        })
    }

    /// Computes windows in half precision from now on, on a device that knows it; what is looked at inside stays as it is. The weights
    /// lie there twice then.
    pub fn in_half(mut self) -> Self {
        self.half = Some(self.model.clone().in_half());
        self
    }

    /// Whether windows are computed in half precision.
    pub fn is_half(&self) -> bool {
        self.half.is_some()
    }

    /// What windows are computed by.
    fn network(&self) -> &DinoMed3d {
        self.half.as_ref().unwrap_or(&self.model)
    }

    /// The model's manifest.
    pub fn manifest(&self) -> &ModelManifest {
        &self.manifest
    }

    /// How much arithmetic its network takes.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// Its parts: what brings a scan to the network and back, and the network.
    pub fn into_parts(self) -> (ModelManifest, DinoMed3d) {
        (self.manifest, self.model)
    }

    /// How far this device's answer to the built-in input is from the manifest's; over a whole window too if `reach` says
    /// so and the manifest has an answer for it.
    ///
    /// # Errors
    /// [`InferError::Device`] if nothing comes back.
    pub async fn self_check(&self, reach: CheckReach) -> Result<CheckErrors, InferError> {
        let expected = &self.manifest.check;
        let mut found = answer(self.network(), expected.shape, &self.device).await?;
        if reach == CheckReach::Window && expected.window.is_some() {
            found.window = Some(self.window_answer().await?);
        }
        let allowed = if self.is_half() {
            HALF_TOLERANCE
        } else {
            TOLERANCE
        };
        Ok(CheckErrors::between(&found, expected, allowed))
    }

    /// What this device answers to the built-in input of a whole window, for the manifest.
    ///
    /// # Errors
    /// [`InferError::Device`] if nothing comes back.
    pub async fn window_answer(&self) -> Result<Vec<f32>, InferError> {
        window_answer(self.network(), self.manifest.window, &self.device).await
    }

    /// Computes a piece of a window, for its time to be taken; returns its arithmetic, 10⁹ multiplications and additions.
    ///
    /// # Errors
    /// [`InferError::Device`] if nothing comes back.
    pub async fn rehearse(&self) -> Result<f64, InferError> {
        window_answer(self.network(), self.cost.piece, &self.device).await?;
        Ok(self.cost.piece_gflop)
    }

    /// Segments a scan, given the channels that the manifest names, in order and on one grid.
    /// `progress` is awaited after every step of the network; [`ControlFlow::Break`] cancels.
    ///
    /// # Errors
    /// Those of [`Pipeline::predict`].
    pub async fn segment(
        &self,
        channels: &[impl Image],
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Segmentation, InferError> {
        let keep = Keep::default();
        self.segment_by(&self.computer(), channels, keep, progress)
            .await
    }

    /// Its network on its device.
    pub fn computer(&self) -> OneDevice<'_> {
        OneDevice {
            network: self.network(),
            window: self.manifest.window,
            device: &self.device,
        }
    }

    /// Passes a window through its network, or through it without a part, everything being kept.
    ///
    /// # Errors
    /// Those of [`Inside::of`].
    pub async fn look_inside(
        &self,
        window: SeenWindow,
        without: Option<Part>,
        progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Inside, InferError> {
        let network = match without {
            Some(part) => self.model.without(part),
            None => self.model.clone(),
        };
        Inside::of(
            network,
            window,
            &self.pipeline.values,
            &self.device,
            progress,
        )
        .await
    }

    /// What stage 1 makes of a window, of which `bare` is the pass without adapters; none of a model without a head for it.
    ///
    /// # Errors
    /// Those of [`Inside::proxy`].
    pub async fn proxy(&self, bare: &Inside) -> Result<Option<Map>, InferError> {
        let Some(proxy) = &self.manifest.proxy else {
            return Ok(None);
        };
        let head = ProxyHead::of(&proxy.weights, self.model.patch_size(), &self.device);
        bare.proxy(&head, &self.pipeline.values).await.map(Some)
    }

    /// What the network's last layers see of a scan of which logits were kept; none where that would take more than `most_bytes`.
    /// `progress` is awaited after every step of the network; [`ControlFlow::Break`] cancels.
    ///
    /// # Errors
    /// Those of [`Features::of`].
    pub async fn features(
        &self,
        seen: &Seen,
        most_bytes: usize,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Option<Features>, InferError> {
        if Features::bytes(&self.model, seen) > most_bytes {
            return Ok(None);
        }
        let features = Features::of(&self.model, &self.device, &self.pipeline, seen, progress);
        features.await.map(Some)
    }

    /// The label map after learning from strokes.
    ///
    /// # Shapes
    /// `shape` is `[z, y, x]` of the scan, as is the result
    ///
    /// # Errors
    /// Those of [`learn`].
    pub fn learn(
        &self,
        features: &Features,
        seen: &Seen,
        strokes: &[Stroke],
        shape: [usize; 3],
        affine: &Affine,
    ) -> Result<Vec<u8>, InferError> {
        learn(features, &self.pipeline, seen, strokes, shape, affine)
    }

    /// As [`Segmenter::segment`], with windows computed by `computer`, which has this model's network; of its logits `keep`
    /// stays.
    ///
    /// # Errors
    /// Those of [`Pipeline::predict`].
    pub async fn segment_by(
        &self,
        computer: &impl Computer,
        channels: &[impl Image],
        keep: Keep,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Segmentation, InferError> {
        let prediction = self.pipeline.predict(computer, channels, keep, progress);
        let prediction = prediction.await?;
        let Labelled {
            labels,
            changes,
            plane,
        } = prediction.on_file_grid();
        let mut warnings: Vec<String> = self.grid_warning(&prediction.grid).into_iter().collect();
        let kept = labels.iter().filter(|label| **label != 0).count();
        if kept == 0 {
            warnings.push(format!(
                "No voxel was given a label. This model expects {} of the region it was trained on.",
                self.manifest.modality
            ));
        } else {
            let voxel_ml = channels[0].affine().voxel_volume_ml();
            warnings.extend(volume_warning(&self.manifest, &labels, voxel_ml));
        }
        let is_noteworthy = |voxels: usize| voxels as f64 > NOTEWORTHY_CHANGE * kept as f64;
        let Changes {
            removed,
            relabelled,
        } = changes;
        if is_noteworthy(removed) {
            warnings.push(format!(
                "Only the largest connected part was kept, {kept} voxels; others of {removed} voxels together were \
                 taken away, as this model does with strays. That many speak of more than one structure in the scan, \
                 or of a wrong answer."
            ));
        }
        if is_noteworthy(relabelled) {
            warnings.push(format!(
                "Two labels were parted by a plane, as this model's protocol does; {relabelled} of {kept} voxels changed \
                 their label for it. That many speak of a scan that the protocol was not made for, or of a wrong answer."
            ));
        }
        Ok(Segmentation {
            labels,
            shape: channels[0].shape(),
            warnings,
            windows: prediction.windows,
            seen: prediction.seen.map(|seen| {
                let labels = self.manifest.labels[1..].iter();
                let values = labels.map(|label| label.value).collect();
                seen.labelled(values, plane, &self.pipeline.sides)
            }),
        })
    }

    /// Between which volumes the true ones lie, of a label map with these sizes of which `seen` was kept; none of a model that was
    /// not calibrated for it.
    ///
    /// # Shapes
    /// `shape` is `[z, y, x]` of the scan.
    ///
    /// # Errors
    /// Those of [`Seen::doubt`].
    pub fn volume_ranges(
        &self,
        seen: &Seen,
        sizes: &[LabelSize],
        shape: [usize; 3],
        affine: &Affine,
    ) -> Result<Vec<VolumeRange>, InferError> {
        let calibration = self.manifest.calibration.as_ref();
        let Some(volumes) = calibration.and_then(|calibration| calibration.volumes.as_ref()) else {
            return Ok(Vec::new());
        };
        let doubt = seen.doubt(affine, shape)?;
        let sides = &self.manifest.sides;
        Ok(volumes.ranges(sizes, &doubt, sides, affine.voxel_volume_ml()))
    }

    /// Whether a scan is far larger than those that the model was trained on, such as a whole where it knows a part.
    ///
    /// # Shapes
    /// `shape` is `[z, y, x]`.
    pub fn is_too_large(&self, shape: [usize; 3], affine: &Affine) -> bool {
        self.extents(shape, affine)
            .is_some_and(|(extent, range)| is_larger(extent, range))
    }

    /// Whether a scan is far smaller than those that the model was trained on, such as a crop of what it knows whole.
    ///
    /// # Shapes
    /// `shape` is `[z, y, x]`.
    pub fn is_too_small(&self, shape: [usize; 3], affine: &Affine) -> bool {
        self.extents(shape, affine)
            .is_some_and(|(extent, range)| is_smaller(extent, range))
    }

    /// Of a scan and of those that the model was trained on, where both are known.
    fn extents(&self, shape: [usize; 3], affine: &Affine) -> Option<([f64; 3], ExtentRange)> {
        let grid = self.manifest.preprocessing.grid(shape, affine).ok()?;
        Some((extent_mm(&grid), self.manifest.extent_mm?))
    }

    /// What a person should know of a scan before it is segmented: that its size is not that of scans that the model was trained on.
    ///
    /// # Shapes
    /// `shape` is `[z, y, x]`.
    pub fn extent_warning(&self, shape: [usize; 3], affine: &Affine) -> Option<String> {
        let grid = self.manifest.preprocessing.grid(shape, affine).ok()?;
        self.grid_warning(&grid)
    }

    fn grid_warning(&self, grid: &ModelGrid) -> Option<String> {
        let range = self.manifest.extent_mm?;
        let extent = extent_mm(grid);
        // What the window is laid around is found in a larger scan too.
        if !is_smaller(extent, range)
            && (self.manifest.locate.is_some() || !is_larger(extent, range))
        {
            return None;
        }
        let text = |edges: [f64; 3]| edges.map(|edge| format!("{edge:.0}")).join(" × ");
        let advice = match &self.manifest.part_of {
            Some(part_of) if is_larger(extent, range) => format!(
                " Let the model {} find the {} in the whole first, and look closer then.",
                part_of.model, part_of.name
            ),
            _ => String::new(),
        };
        Some(format!(
            "This scan measures {} mm; the model was trained on scans of {} to {} mm. Expect wrong labels.{advice}",
            text(extent),
            text(range.min),
            text(range.max)
        ))
    }
}

/// A label map in which many labels are far from the training cases' volumes, or most are somewhat larger, or smaller, with the first of them.
fn volume_warning(manifest: &ModelManifest, labels: &[u8], voxel_ml: f64) -> Option<String> {
    let sizes = label_sizes(labels, &manifest.labels, voxel_ml);
    let named = |of: &[(UsualVolume, f64)]| {
        let named = of.iter().take(NAMED_LABELS).map(|(usual, ml)| {
            format!(
                "{} {ml:.1} mL ({:.1} to {:.1})",
                manifest.label_name(usual.value),
                usual.min_ml,
                usual.max_ml
            )
        });
        let named: Vec<String> = named.collect();
        let others = match of.len() - named.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        named.join(", ") + &others
    };
    let far = UsualVolume::far_from(&manifest.usual_volumes, &sizes);
    if far.len() > UNUSUAL_LABELS {
        return Some(format!(
            "Many labels are far from the volumes of the cases that the model was trained on: {}. Expect wrong \
             labels: the scan may show only a part, lie otherwise than its header says, or be of something else.",
            named(&far)
        ));
    }
    let (side, beyond) = match UsualVolume::one_sided(&manifest.usual_volumes, &sizes)? {
        OneSided::Larger(beyond) => ("larger", beyond),
        OneSided::Smaller(beyond) => ("smaller", beyond),
    };
    (beyond.len() > UNUSUAL_LABELS).then(|| {
        format!(
            "Most labels are {side} than in any case that the model was trained on: {}. Expect wrong volumes: is the size \
             of a voxel in the scan's header right?",
            named(&beyond)
        )
    })
}

/// `[slice, row, column]`
fn extent_mm(grid: &ModelGrid) -> [f64; 3] {
    let (shape, spacing) = (grid.shape(), grid.spacing_mm());
    std::array::from_fn(|axis| shape[axis] as f64 * spacing[axis])
}

fn is_smaller(extent: [f64; 3], range: ExtentRange) -> bool {
    (0..3).any(|axis| extent[axis] < range.min[axis] / EXTENT_SLACK)
}

fn is_larger(extent: [f64; 3], range: ExtentRange) -> bool {
    (0..3).any(|axis| extent[axis] > EXTENT_SLACK * range.max[axis])
}
