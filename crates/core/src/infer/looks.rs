//! A scan through the one window that holds all that a model labels: where its outline says, then around what was found.

use super::InferError;
use super::computer::Computer;
use super::locate::{Around, Locate, are_near, window_around};
use super::pipeline::Pipeline;
use super::prediction::Prediction;
use super::progress::Progress;
use super::seen::Keep;
use dinomed3d_volume::{Affine, Image, LabelMap, Orientation, Region, Volume};
use std::ops::ControlFlow;
use std::rc::Rc;

/// More than so many times finer than it was trained on, structures are larger than any that the network knows.
const MOST_FINER: f64 = 1.25;

impl Pipeline {
    /// What `computer`'s network says of a scan, given its channels in order and on one grid; of its logits `keep` stays.
    /// `progress` is awaited after every step of the network; [`ControlFlow::Break`] cancels.
    ///
    /// # Errors
    /// [`InferError::Channels`] for another number of channels, [`InferError::Preprocess`] for a scan that cannot be
    /// prepared (empty, constant), [`InferError::Cancelled`], [`InferError::NotFinite`], [`InferError::Device`].
    pub async fn predict(
        &self,
        computer: &impl Computer,
        channels: &[impl Image],
        keep: Keep,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Prediction, InferError> {
        if channels.len() != self.channels.len() {
            return Err(InferError::Channels {
                found: channels.len(),
                expected: self.channels.clone(),
            });
        }
        match self.locate {
            None => {
                let whole = channels.iter().map(Image::whole);
                let whole = whole.collect::<Result<Vec<_>, _>>()?;
                let preprocessing = &self.preprocessing;
                self.predict_everywhere(preprocessing, computer, &whole, true, keep, progress)
                    .await
            }
            Some(locate) => {
                self.predict_located(locate, computer, channels, keep, progress)
                    .await
            }
        }
    }

    /// Looks where the scan's outline says, then once more around what was found, as fine as that allows. Where too little was, as
    /// in a scan that lies otherwise than its header says, windows over the whole scan find where to look last.
    ///
    /// # Errors
    /// Those of [`Pipeline::predict`].
    async fn predict_located(
        &self,
        locate: Locate,
        computer: &impl Computer,
        channels: &[impl Image],
        keep: Keep,
        progress: impl AsyncFnMut(Progress) -> ControlFlow<()>,
    ) -> Result<Prediction, InferError> {
        let scan = &channels[0];
        let grid = self.preprocessing.grid(scan.shape(), &scan.affine())?;
        let extent_mm = self.window_extent_mm(grid.spacing_mm());
        let everywhere = Region {
            ranges: scan.shape().map(|edge| 0..edge),
        };
        let mut look = Look {
            pipeline: self,
            computer,
            channels,
            keep,
            progress,
            done: 0,
            expected: 2,
            fraction: 0.0,
            found: None,
        };
        let mut region = locate.first(scan, extent_mm);
        let mut found = match look.at(&region, 1.0, false).await {
            // A constant part of a scan says nothing of the scan.
            Err(InferError::Preprocess(_)) if region != everywhere => None,
            found => Some(found?),
        };
        let is_enough = |found: &Prediction| labelled_ml(found.class_map()) >= locate.least_ml();
        if region != everywhere && !found.as_ref().is_some_and(is_enough) {
            let windows = self.windowing.starts(grid.shape());
            look.expected += windows.iter().map(Vec::len).product::<usize>();
            region = everywhere;
            found = Some(look.at(&region, 1.0, false).await?);
        }
        let found = found.expect("a look that found nothing is followed by one everywhere");
        let finest = self.finest(&scan.affine());
        let Some(Around {
            region: around,
            finer,
        }) = window_around(found.class_map(), extent_mm, finest)
        else {
            return Ok(found);
        };
        let is_same = finer == 1.0
            && around.shape() == region.shape()
            && are_near(&around, &region, &scan.affine());
        let is_done = !self.mirrored && self.brightness_on(&grid).is_none();
        if is_same && is_done {
            return Ok(found);
        }
        look.found = Some(Rc::new(found));
        look.at(&around, finer, true).await
    }

    /// How many times finer than the model's grid a look may be: interpolation adds nothing to what a scan has.
    fn finest(&self, scan: &Affine) -> f64 {
        let least = |edges: [f64; 3]| edges.into_iter().fold(f64::INFINITY, f64::min);
        let model_mm = self.preprocessing.spacing_mm.map_or(0.0, least);
        MOST_FINER.min(model_mm / least(scan.spacing_mm()))
    }

    /// Extent of a window towards right, anterior and superior.
    fn window_extent_mm(&self, spacing_mm: [f64; 3]) -> [f64; 3] {
        let orientation = self.preprocessing.orientation;
        let spacing_mm = self.preprocessing.spacing_mm.unwrap_or(spacing_mm);
        orientation
            .to(Orientation::RAS)
            .map(|(axis, _)| self.windowing.window[axis] as f64 * spacing_mm[axis])
    }
}

fn labelled_ml(map: &LabelMap) -> f64 {
    let labelled = map.labels.iter().filter(|label| **label != 0).count();
    labelled as f64 * map.affine.voxel_volume_ml()
}

/// What all looks have in common, and how far they are.
struct Look<'a, C, I, P> {
    pipeline: &'a Pipeline,
    computer: &'a C,
    channels: &'a [I],
    keep: Keep,
    progress: P,
    /// Windows of the looks before.
    done: usize,
    /// Windows of all looks.
    expected: usize,
    /// Never falls, though more windows may become needed than were expected.
    fraction: f32,
    /// By the look before.
    found: Option<Rc<Prediction>>,
}

impl<C: Computer, I: Image, P: AsyncFnMut(Progress) -> ControlFlow<()>> Look<'_, C, I, P> {
    /// What there is in a region, on a grid `finer` times finer than the model's, as a prediction of the whole scan.
    async fn at(
        &mut self,
        region: &Region,
        finer: f64,
        is_last: bool,
    ) -> Result<Prediction, InferError> {
        let cut: Vec<Volume> = self.channels.iter().map(|c| region.cut(c)).collect();
        let (done, expected, keep) = (self.done, self.expected, self.keep);
        let Self {
            progress,
            fraction,
            found,
            ..
        } = self;
        let of_region = self
            .pipeline
            .predict_everywhere(
                &self.pipeline.preprocessing.finer(finer),
                self.computer,
                &cut,
                is_last,
                keep,
                async |step: Progress| {
                    let all = expected.max(done + step.windows);
                    let share = (done as f32 + step.fraction * step.windows as f32) / all as f32;
                    *fraction = fraction.max(share);
                    progress(Progress {
                        fraction: *fraction,
                        window: done + step.window,
                        windows: all,
                        found: found.take(),
                    })
                    .await
                },
            )
            .await;
        self.done += of_region.as_ref().map_or(1, |found| found.windows);
        self.pipeline
            .of_whole(of_region?, region, &self.channels[0], self.done)
    }
}
