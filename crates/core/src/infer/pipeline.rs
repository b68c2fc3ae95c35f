//! All of a model but its network: from a scan to windows, and from their logits to a label map.

use super::InferError;
use super::computer::Computer;
use super::intensity_model::{IntensityModel, Levels};
use super::locate::Locate;
use super::postprocess::Postprocessing;
use super::predict::predict;
use super::prediction::{Labelled, Prediction, classes, labelled_on_file_grid};
use super::progress::Progress;
use super::seen::{Keep, Seen};
use super::together::Together;
use super::windows::Windowing;
use crate::preprocess::Preprocessing;
use dinomed3d_volume::region::mirror;
use dinomed3d_volume::{Affine, GridLogits, Image, LabelMap, Labelling, MidPlane, ModelGrid};
use dinomed3d_volume::{Orientation, Region, Volume};
use futures_util::try_join;
use std::borrow::Borrow;
use std::ops::ControlFlow;

/// How a scan comes to a network and its answer back.
#[derive(Clone, Debug)]
pub struct Pipeline {
    /// Names of the scan's channels, in order.
    pub channels: Vec<String>,
    /// How a scan becomes the network's input.
    pub preprocessing: Preprocessing,
    /// How that is cut into windows.
    pub windowing: Windowing,
    /// Whether a window's mirror image, left for right, is shown to the network too and both answers are averaged; for a network
    /// that does not tell sides apart.
    pub mirrored: bool,
    /// What to look for where one window holds all that is labelled; windows over the whole scan where this is not said.
    pub locate: Option<Locate>,
    /// How much the brightness of a scan's own voxels counts, where they are finer than the network's; for one channel.
    pub intensity_model: Option<IntensityModel>,
    /// What logits that are kept are divided by, so that probabilities are true; 1 where that is not known.
    pub temperature: f32,
    /// Value of each class in a label map, background first.
    pub values: Vec<u8>,
    /// What is done to a label map of classes.
    pub postprocessing: Postprocessing,
    /// Values that stand for both sides of the body, and what they become on the right.
    pub sides: Vec<[u8; 2]>,
}

impl Pipeline {
    /// By windows over the whole of what is given, prepared so; of the last look their mirror images and the scan's brightness
    /// count too, where the model has it so.
    pub(super) async fn predict_everywhere(
        &self,
        preprocessing: &Preprocessing,
        computer: &impl Computer,
        channels: &[impl Borrow<Volume>],
        is_last: bool,
        keep: Keep,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Prediction, InferError> {
        let mirrored = is_last && self.mirrored;
        let left_right = mirrored.then(|| preprocessing.orientation.to(Orientation::RAS)[0].0);
        let scan = channels[0].borrow();
        // Of the model's own voxels: that a small head is looked at finer makes no difference.
        let own = self.preprocessing.grid(scan.shape, &scan.affine)?;
        let model = self.brightness_on(&own).filter(|_| is_last);
        let mut levels = None;
        let prepared = preprocessing.apply_with(channels, |normalized| {
            levels = model.map(|_| Levels::of(normalized));
        })?;
        let brightness = model.zip(levels);
        // Brightness is known when all of the network's answer is.
        let mut portions = Vec::new();
        let num_classes = self.values.len();
        let mut labelling = Labelling::new(&prepared.grid, num_classes)?;
        let mut model_classes = Vec::with_capacity(prepared.shape.iter().product());
        let seen = || Seen::new(prepared.grid.clone(), &self.values, self.temperature);
        let mut seen = (keep == Keep::Logits).then(seen);
        let starts = self.windowing.starts(prepared.shape);
        let windows = starts.iter().map(Vec::len).product();
        let passes = 1 + usize::from(mirrored);
        let together = Together::new(progress, windows * passes);
        let of_pass = async |pass, input, window: usize| {
            let part = passes * (window - 1) + pass;
            let told = async |done| together.tell(part, done, windows).await;
            computer.logits(input, told).await
        };
        predict(
            num_classes,
            &prepared.voxels,
            prepared.shape,
            self.windowing,
            computer.at_a_time().div_ceil(passes),
            async |input, window| {
                let Some(axis) = left_right else {
                    return of_pass(0, input, window).await;
                };
                let mut image = input.clone();
                mirror(&mut image, self.windowing.window, axis);
                let (mut logits, mut of_image) = if computer.at_a_time() > 1 {
                    try_join!(of_pass(0, input, window), of_pass(1, image, window))?
                } else {
                    let logits = of_pass(0, input, window).await?;
                    (logits, of_pass(1, image, window).await?)
                };
                mirror(&mut of_image, self.windowing.window, axis);
                for (logit, other) in logits.iter_mut().zip(of_image) {
                    *logit = 0.5 * (*logit + other);
                }
                Ok(logits)
            },
            |slice| {
                model_classes.extend(classes(slice, num_classes));
                seen.iter_mut().for_each(|seen| seen.add(slice));
                if brightness.is_some() {
                    portions.push(slice.to_vec());
                    return Ok(());
                }
                Ok(labelling.add(slice)?)
            },
        )
        .await?;
        let file_classes = match brightness {
            None => labelling.finish()?,
            Some((model, levels)) => {
                let likelihood = model.likelihood(levels, &prepared.grid, &portions, num_classes);
                let logits = GridLogits {
                    grid: &prepared.grid,
                    portions: &portions,
                    num_classes,
                    likelihood: Some(&likelihood),
                };
                let classes = logits.labels()?;
                seen = seen.map(|seen| seen.beside(likelihood));
                classes
            }
        };
        let seen = seen.map(|seen| seen.given(prepared.voxels, mirrored));
        Ok(self.prediction(
            file_classes,
            model_classes,
            prepared.grid,
            windows,
            seen,
            channels[0].borrow(),
        ))
    }

    /// The label map of a scan from the logits of a look at it: `[z, y, x]` of the scan's own grid, background where nobody looked.
    ///
    /// # Shapes
    /// `shape` is `[z, y, x]` of the scan.
    ///
    /// # Errors
    /// Logits that are no numbers or do not fill the grid.
    pub(crate) fn labels_of(
        &self,
        logits: GridLogits<'_>,
        shape: [usize; 3],
        affine: &Affine,
        plane: Option<&MidPlane>,
    ) -> Result<Labelled, InferError> {
        let classes = LabelMap {
            labels: logits.labels()?,
            shape,
            affine: *affine,
        };
        Ok(labelled_on_file_grid(
            &classes,
            &self.values,
            &self.postprocessing,
            &self.sides,
            plane,
        ))
    }

    /// How much brightness counts in a scan with this grid: nothing where its own voxels are not finer, or longer along some axis.
    pub(crate) fn brightness_on(&self, grid: &ModelGrid) -> Option<IntensityModel> {
        self.intensity_model.filter(|_| grid.is_coarser())
    }

    /// The class of a label's value, either side's; none of a value that the network does not know.
    pub fn class_of(&self, value: u8) -> Option<u8> {
        let pair = self.sides.iter().find(|[_, right]| *right == value);
        let value = pair.map_or(value, |[left, _]| *left);
        let class = self.values.iter().position(|known| *known == value);
        class.map(|class| class as u8)
    }

    fn prediction(
        &self,
        file_classes: Vec<u8>,
        model_classes: Vec<u8>,
        grid: ModelGrid,
        windows: usize,
        seen: Option<Seen>,
        scan: &impl Image,
    ) -> Prediction {
        Prediction {
            file_classes: LabelMap {
                labels: file_classes,
                shape: scan.shape(),
                affine: scan.affine(),
            },
            model_classes,
            grid,
            windows,
            seen,
            orientation: self.preprocessing.orientation,
            values: self.values.clone(),
            postprocessing: self.postprocessing.clone(),
            sides: self.sides.clone(),
        }
    }

    /// What was predicted of a region, as a prediction of the whole scan: background where nobody looked.
    ///
    /// # Errors
    /// A scan without a model grid.
    pub(super) fn of_whole(
        &self,
        of_region: Prediction,
        region: &Region,
        scan: &impl Image,
        windows: usize,
    ) -> Result<Prediction, InferError> {
        let (shape, affine) = (scan.shape(), scan.affine());
        let mut classes = vec![0; scan.count()];
        let rows = of_region
            .file_classes
            .labels
            .chunks_exact(region.shape()[2]);
        for (place, row) in region.rows(shape).zip(rows) {
            classes[place].copy_from_slice(row);
        }
        let grid = self.preprocessing.grid(shape, &affine)?;
        let on_model_grid = grid.labels_to_model(&classes);
        let seen = of_region.seen;
        let seen = seen.map(|seen| seen.within(region, shape));
        Ok(self.prediction(classes, on_model_grid, grid, windows, seen, scan))
    }
}
