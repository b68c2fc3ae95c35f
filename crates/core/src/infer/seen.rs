//! What a network said of what it saw last, kept on the model grid, where it is small.

use dinomed3d_volume::nifti::{Depth, Probabilities, ProbabilityError};
use dinomed3d_volume::{GridError, MidPlane, ModelGrid, Region, Scan};
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
    /// Values that stand for both sides of the body, and what they become on the right.
    sides: Vec<[u8; 2]>,
    /// As they came, `[class, slice, row, column]` of some slices each.
    logits: Vec<Vec<f32>>,
}

impl Seen {
    /// Nothing yet, of a scan with this grid.
    pub(super) fn new(grid: ModelGrid, classes: &[u8], sides: &[[u8; 2]]) -> Self {
        Self {
            grid,
            classes: classes.to_vec(),
            sides: sides.to_vec(),
            logits: Vec::new(),
        }
    }

    /// Takes the logits of the next slices, `[class, slice, row, column]`.
    pub(super) fn add(&mut self, logits: &[f32]) {
        self.logits.push(logits.to_vec());
    }

    /// The same of a region within a whole scan.
    pub(super) fn within(self, region: &Region, whole: [usize; 3]) -> Self {
        Self {
            grid: self.grid.within(region, whole),
            ..self
        }
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
        Ok(Probabilities::new(&self.grid, &self.logits, &self.classes)?.certainty())
    }

    /// Writes the probability of each label at each voxel of the scan, see [`Probabilities::write`]; labels of two sides are
    /// parted by `plane`.
    ///
    /// # Errors
    /// [`ProbabilityError`].
    pub fn write_probabilities(
        &self,
        scan: &Scan,
        labels: &[u8],
        plane: Option<&MidPlane>,
        depth: Depth,
        description: &str,
        file: impl Write,
    ) -> Result<(), ProbabilityError> {
        let sides = plane.map(|plane| (plane, &self.sides[..]));
        Probabilities::new(&self.grid, &self.logits, &self.classes)?.write(
            scan,
            labels,
            sides,
            depth,
            description,
            file,
        )
    }
}
