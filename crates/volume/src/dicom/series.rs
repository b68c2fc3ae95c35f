//! Slices that belong together, and what they are in words.

use super::error::DicomError;
use super::header::Slice;
use super::stack::Stack;

/// Slices of one SeriesInstanceUID, orientation, size and spacing.
pub struct Series {
    /// As its scanner calls it; may be empty.
    pub description: String,
    /// Such as `MR` or `CT`.
    pub modality: String,
    /// As its scanner counts.
    pub number: Option<i64>,
    /// Names the series without its UID, which often holds a date: equal files give an equal one.
    pub identity: String,
    pub(super) uid: String,
    pub(super) slices: Vec<Slice>,
    /// Slices that are in another file too.
    pub(super) copies: usize,
    pub(super) stack: Result<Stack, DicomError>,
}

impl Series {
    /// Slices, rows and columns of a volume; all slices where they make none.
    pub fn shape(&self) -> [usize; 3] {
        let [rows, columns] = self.slices[0].shape;
        let slices = match &self.stack {
            Ok(stack) => stack.volumes[0].len(),
            Err(_) => self.slices.len(),
        };
        [slices, rows, columns]
    }

    /// Edges of a voxel in mm, x, y, z.
    ///
    /// # Errors
    /// Why the series makes no volume.
    pub fn spacing_mm(&self) -> Result<[f64; 3], DicomError> {
        self.stack().map(|stack| stack.affine.spacing_mm())
    }

    /// How many volumes lie at one place: times, echoes.
    ///
    /// # Errors
    /// Why the series makes no volume.
    pub fn num_volumes(&self) -> Result<usize, DicomError> {
        self.stack().map(|stack| stack.volumes.len())
    }

    /// For a list: number, description, modality, size, or why it can't be opened.
    pub fn in_words(&self) -> String {
        let number = self.number.map_or(String::new(), |n| format!("({n}) "));
        let [z, y, x] = self.shape();
        let size = match self.stack() {
            Ok(stack) => {
                let [dx, dy, dz] = stack.affine.spacing_mm();
                let volumes = match stack.volumes.len() {
                    1 => String::new(),
                    n => format!(", {n} volumes"),
                };
                format!("{x}×{y}×{z} of {dx:.2}×{dy:.2}×{dz:.2} mm{volumes}")
            }
            Err(error) => error.to_string(),
        };
        let description = &self.description;
        format!("{number}{description} {}, {size}", self.modality)
    }

    pub(super) fn stack(&self) -> Result<&Stack, DicomError> {
        self.stack.as_ref().map_err(DicomError::clone)
    }
}
