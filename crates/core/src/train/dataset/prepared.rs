//! A case brought onto the model grid, to learn from or to score on.

use super::case::RawCase;
use super::files::CaseFiles;
use super::index::DatasetIndex;
use crate::preprocess::{Prepared, PreprocessError, Preprocessing};
use dinomed3d_volume::{Affine, LabelMap};

/// A case on the model grid, with the reference on its own.
#[derive(Clone, Debug)]
pub struct PreparedCase {
    /// The image, ready for the network.
    pub prepared: Prepared,
    /// From the image's voxels to the world; the model grid follows from it.
    pub affine: Affine,
    /// Label values on the file grid.
    pub reference: LabelMap,
    /// Class of each voxel of the model grid, `[slice, row, column]`.
    pub classes: Vec<u8>,
}

/// A case on the model grid, ready to draw windows from.
#[derive(Clone, Debug)]
pub struct TrainingCase {
    /// File name without its endings.
    pub name: String,
    /// Normalised intensities, `[channel, slice, row, column]`.
    pub voxels: Vec<f32>,
    /// Class of each voxel, `[slice, row, column]`.
    pub labels: Vec<u8>,
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// `[slice, row, column]`
    pub spacing_mm: [f64; 3],
}

impl TrainingCase {
    /// Number of channels of its image.
    pub fn num_channels(&self) -> usize {
        self.voxels.len() / self.labels.len()
    }
}

/// A case that is scored on its own grid.
#[derive(Clone, Debug)]
pub struct ValidationCase {
    /// File name without its endings.
    pub name: String,
    /// The image, ready for the network.
    pub prepared: Prepared,
    /// Label values on the file grid.
    pub reference: LabelMap,
}

impl RawCase {
    /// Brings image and labels onto the model grid; the place of a label in `labels` is its class, and values that are
    /// not in there become background.
    ///
    /// # Errors
    /// See [`Preprocessing::apply`].
    pub fn prepare(
        self,
        preprocessing: &Preprocessing,
        labels: &[(u8, String)],
    ) -> Result<PreparedCase, PreprocessError> {
        let prepared = preprocessing.apply(&self.channels)?;
        let affine = self.channels[0].affine;
        let class_of = |value: u8| labels.iter().position(|label| label.0 == value);
        let classes = prepared
            .grid
            .labels_to_model(&self.reference.labels)
            .into_iter()
            .map(|value| class_of(value).unwrap_or(0) as u8)
            .collect();
        Ok(PreparedCase {
            prepared,
            affine,
            reference: self.reference,
            classes,
        })
    }
}

impl PreparedCase {
    /// Reads, checks and prepares a case.
    ///
    /// # Errors
    /// A sentence for each problem, naming the file.
    pub fn load(
        files: &CaseFiles,
        preprocessing: &Preprocessing,
        index: &DatasetIndex,
    ) -> Result<Self, Vec<String>> {
        RawCase::load(files, index)?
            .prepare(preprocessing, &index.labels)
            .map_err(|error| vec![format!("{}: {error}", files.images[0].display())])
    }

    /// As a case to learn from.
    pub fn into_training(self, name: String) -> TrainingCase {
        TrainingCase {
            name,
            shape: self.prepared.shape,
            spacing_mm: self.prepared.grid.spacing_mm(),
            voxels: self.prepared.voxels,
            labels: self.classes,
        }
    }

    /// As a case to score on.
    pub fn into_validation(self, name: String) -> ValidationCase {
        ValidationCase {
            name,
            prepared: self.prepared,
            reference: self.reference,
        }
    }
}
