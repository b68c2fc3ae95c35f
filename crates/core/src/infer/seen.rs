//! What a network said of what it saw last, kept on the model grid, where it is small.

use super::seen_window::SeenWindow;
use super::windows::Windowing;
use dinomed3d_volume::nifti::{Depth, Probabilities, ProbabilityError};
use dinomed3d_volume::statistics::softmax;
use dinomed3d_volume::{
    Affine, GridError, GridLogits, Likelihood, MidPlane, ModelGrid, Region, Scan,
};
use std::io::Write;

/// What is kept of logits once classes are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// All of the last look: four bytes for each class and voxel of the model grid.
    Logits,
}

/// The last look of a network at a scan, or at a region of it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Of what was looked at, its voxels in their places of the whole scan.
    grid: ModelGrid,
    /// Value of each class, background first.
    classes: Vec<u8>,
    /// Values of the labels, in the manifest's order.
    labels: Vec<u8>,
    /// Between values that stand for both sides of the body, and what they become on the right.
    sides: Option<(MidPlane, Vec<[u8; 2]>)>,
    /// Divides logits, see [`crate::manifest::Calibration`].
    temperature: f32,
    /// Divided, `[class, slice, row, column]` of some slices each.
    logits: Vec<Vec<f32>>,
    /// What the scan's brightness says beside them, for logits that are divided.
    likelihood: Option<Likelihood>,
    /// What it was given, `[channel, slice, row, column]`.
    voxels: Vec<f32>,
    /// Whether the mean with the mirror image's logits was taken.
    mirrored: bool,
}

impl Seen {
    /// Nothing yet, of a scan with this grid.
    pub(super) fn new(grid: ModelGrid, classes: &[u8], temperature: f32) -> Self {
        Self {
            grid,
            labels: classes[1..].to_vec(),
            classes: classes.to_vec(),
            sides: None,
            temperature,
            logits: Vec::new(),
            likelihood: None,
            voxels: Vec::new(),
            mirrored: false,
        }
    }

    /// The same of a network that was given these voxels, `[channel, slice, row, column]` of the grid, and their mirror image or not.
    pub(super) fn given(self, voxels: Vec<f32>, mirrored: bool) -> Self {
        Self {
            voxels,
            mirrored,
            ..self
        }
    }

    /// Of what was looked at.
    pub(crate) fn grid(&self) -> &ModelGrid {
        &self.grid
    }

    /// Divided by the temperature.
    pub(crate) fn logits(&self) -> GridLogits<'_> {
        GridLogits {
            grid: &self.grid,
            portions: &self.logits,
            num_classes: self.classes.len(),
            likelihood: self.likelihood.as_ref(),
        }
    }

    /// What the network was given, `[channel, slice, row, column]` of the grid.
    pub(crate) fn voxels(&self) -> &[f32] {
        &self.voxels
    }

    /// Between left and right of the label map that came of it, where sides were parted.
    pub(crate) fn plane(&self) -> Option<&MidPlane> {
        self.sides.as_ref().map(|(plane, _)| plane)
    }

    /// Whether the mean with the mirror image's logits was taken.
    pub(crate) fn is_mirrored(&self) -> bool {
        self.mirrored
    }

    /// The same of a model with these labels, those of `sides` parted by the plane that parts its label map.
    pub(crate) fn labelled(
        self,
        labels: Vec<u8>,
        plane: Option<MidPlane>,
        sides: &[[u8; 2]],
    ) -> Self {
        Self {
            labels,
            sides: plane.map(|plane| (plane, sides.to_vec())),
            ..self
        }
    }

    /// The same at another temperature, of logits that were divided by 1 so far.
    #[cfg(feature = "train")]
    pub(crate) fn at_temperature(mut self, temperature: f32) -> Self {
        let logits = self.logits.iter_mut().flatten();
        logits.for_each(|logit| *logit /= temperature);
        let likelihood = self.likelihood.take();
        self.likelihood = likelihood.map(|likelihood| likelihood.at_temperature(temperature));
        self.temperature = temperature;
        self
    }

    /// Memory that it takes.
    #[cfg(feature = "train")]
    pub(crate) fn bytes(&self) -> usize {
        let numbers = self.logits.iter().map(Vec::len).sum::<usize>() + self.voxels.len();
        numbers * size_of::<f32>() + self.likelihood.as_ref().map_or(0, Likelihood::bytes)
    }

    /// Takes the logits of the next slices, `[class, slice, row, column]`.
    pub(super) fn add(&mut self, logits: &[f32]) {
        let calibrated = logits.iter().map(|logit| logit / self.temperature);
        self.logits.push(calibrated.collect());
    }

    /// The same with what the scan's brightness says beside logits that were not divided.
    pub(super) fn beside(self, likelihood: Likelihood) -> Self {
        Self {
            likelihood: Some(likelihood.at_temperature(self.temperature)),
            ..self
        }
    }

    /// The same of a region within a whole scan.
    pub(super) fn within(self, region: &Region, whole: [usize; 3]) -> Self {
        Self {
            grid: self.grid.within(region, whole),
            ..self
        }
    }

    /// The window whose middle is nearest to a place in the world, as the network was given it; `scan` is the affine of the whole
    /// scan, of the last look that saw several windows of one size `windowing` says which. None for an affine without an inverse.
    pub fn window_at(
        &self,
        windowing: Windowing,
        scan: &Affine,
        at_mm: [f64; 3],
    ) -> Option<SeenWindow> {
        let affine = self.grid.affine(scan);
        let [x, y, z] = affine.inverse()?.apply(at_mm);
        Some(SeenWindow::nearest(
            &self.voxels,
            self.grid.shape(),
            windowing,
            &affine,
            [z, y, x],
        ))
    }

    /// Hands out the logits of all classes at each voxel where the network looked, see [`GridLogits::each_voxel`].
    ///
    /// # Errors
    /// Those of [`GridLogits::each_voxel`].
    pub fn each_voxel(&self, each: impl FnMut(usize, &[f32])) -> Result<(), GridError> {
        self.logits().each_voxel(each)
    }

    /// How probable the class of each voxel is to the network, in 255 steps, before any postprocessing; 255, background for
    /// certain, where it did not look.
    ///
    /// # Shapes
    /// `[z, y, x]` of the scan
    ///
    /// # Errors
    /// Those of [`Probabilities::new`].
    pub fn certainty(&self) -> Result<Vec<u8>, GridError> {
        Ok(Probabilities::new(self.logits(), &self.classes)?.certainty())
    }

    /// How unsure the network is of the volume of each value: the sum over all voxels of p · (1 − p), p its probability, which
    /// would be the volume's variance if every voxel were drawn by itself. In voxels. Brightness has no say in it: it knows where a
    /// border is, not whether the network is right about what lies there.
    ///
    /// # Shapes
    /// `affine` and `shape` (`[z, y, x]`) are the scan's
    ///
    /// # Errors
    /// Those of [`GridLogits::each_voxel`].
    pub fn doubt(&self, affine: &Affine, shape: [usize; 3]) -> Result<[f64; 256], GridError> {
        // A class so far below the one that wins has no share worth an exponential.
        const FAR: f32 = 12.0;
        let right_of = |value: u8| {
            let (plane, sides) = self.sides.as_ref()?;
            let pair = sides.iter().find(|[left, _]| *left == value)?;
            let is_own = self.classes.contains(&pair[1]);
            (!is_own).then_some((plane, pair[1]))
        };
        let rights: Vec<_> = self.classes.iter().map(|value| right_of(*value)).collect();
        let mut doubt = [0.0f64; 256];
        let mut shares = Vec::new();
        let of_network = GridLogits {
            likelihood: None,
            ..self.logits()
        };
        of_network.each_voxel(|voxel, logits| {
            let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            if logits.iter().filter(|logit| most - **logit < FAR).count() < 2 {
                return;
            }
            softmax(logits, &mut shares);
            for ((p, value), right) in shares.iter().zip(&self.classes).zip(&rights) {
                let value = match right {
                    Some((plane, right)) if plane.is_right(affine, voxel, shape) => *right,
                    _ => *value,
                };
                doubt[usize::from(value)] += f64::from(p * (1.0 - p));
            }
        })?;
        Ok(doubt)
    }

    /// Writes the probability of each label at each voxel of the scan, see [`Probabilities::write`].
    ///
    /// # Errors
    /// [`ProbabilityError`].
    pub fn write_probabilities(
        &self,
        scan: &Scan,
        depth: Depth,
        description: &str,
        file: impl Write,
    ) -> Result<(), ProbabilityError> {
        let sides = self.sides.as_ref();
        let sides = sides.map(|(plane, sides)| (plane, &sides[..]));
        Probabilities::new(self.logits(), &self.classes)?.write(
            scan,
            &self.labels,
            sides,
            depth,
            description,
            file,
        )
    }
}
