//! One case: read from its files, and brought onto the model grid.

use super::check;
use super::index::{CaseFiles, DatasetIndex};
use super::{TrainingCase, ValidationCase};
use crate::preprocess::{Prepared, PreprocessError, Preprocessing};
use dinomed3d_volume::{
    Affine, LabelMap, NamedImage, NiftiImage, Volume, grid_problem, read_channels,
};
use std::path::Path;

/// A case as its files hold it, all on one grid.
#[derive(Clone, Debug)]
pub struct RawCase {
    /// One volume per channel.
    pub channels: Vec<Volume>,
    /// Label values.
    pub reference: LabelMap,
}

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

impl RawCase {
    /// Reads the files of a case, whose image has the channels of these names.
    ///
    /// # Errors
    /// A sentence for each problem, naming the file: what cannot be read, is no scan or no label map, has another
    /// number of channels, or lies on another grid.
    pub fn read(files: &CaseFiles, channels: &[String]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut images = Vec::with_capacity(files.images.len());
        for (place, path) in files.images.iter().enumerate() {
            let role = match (channels.get(place), files.images.len()) {
                (Some(channel), 2..) => format!("channel {channel} of case {}", files.name),
                _ => format!("the image of case {}", files.name),
            };
            match read(path, &role) {
                Ok(image) => images.push(image),
                Err(problem) => problems.push(problem),
            }
        }
        let label = read(
            &files.label,
            &format!("the label map of case {}", files.name),
        );
        let reference = label.and_then(|NamedImage { name, image }| {
            let reference = image.label_map();
            reference.map_err(|error| format!("{name}: {error}"))
        });
        if let (Ok(reference), Some(first)) = (&reference, images.first()) {
            let problem = grid_problem(
                (reference.shape, &reference.affine),
                (first.image.grid_shape(), &first.image.affine()),
            );
            problems.extend(problem.map(|problem| {
                format!(
                    "{}: the label map {problem} its image, {}",
                    files.label.display(),
                    first.name
                )
            }));
        }
        // What is missing can't be compared with anything.
        let volumes = if images.len() == files.images.len() {
            read_channels(&images, channels)
        } else {
            Err(Vec::new())
        };
        match (volumes, reference) {
            (Ok(channels), Ok(reference)) if problems.is_empty() => Ok(Self {
                channels,
                reference,
            }),
            (volumes, reference) => {
                problems.extend(volumes.err().unwrap_or_default());
                problems.extend(reference.err());
                Err(problems)
            }
        }
    }

    /// Reads and checks a case.
    ///
    /// # Errors
    /// A sentence for each problem, naming the file.
    pub fn load(files: &CaseFiles, index: &DatasetIndex) -> Result<Self, Vec<String>> {
        let case = Self::read(files, &index.channels).map_err(|mut problems| {
            problems.extend(check::problems_of_readable(files, index));
            problems
        })?;
        let problems = check::problems(files, &case, index);
        if problems.is_empty() {
            Ok(case)
        } else {
            Err(problems)
        }
    }

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

/// Reads a file; `role` is what the case wants it for.
pub(super) fn read(path: &Path, role: &str) -> Result<NamedImage, String> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{name}: this file is missing; it is {role}"),
        _ => format!("{name}: {error}"),
    })?;
    let image = NiftiImage::parse(&bytes).map_err(|error| format!("{name}: {error}"))?;
    let spacing_mm = image.stated_spacing_mm();
    if !spacing_mm.iter().all(|mm| mm.is_finite() && *mm > 0.0) {
        return Err(format!(
            "{name}: its spacing is {spacing_mm:?} mm (x, y, z), expected are finite numbers above 0"
        ));
    }
    Ok(NamedImage { name, image })
}
