//! From a scan's own grid to the network's, and back.
//!
//! The steps of [`Preprocessing::apply`], in order: axes permuted and turned to the model's orientation, values
//! normalised, grid resampled to the model's spacing. The way back, [`Labelling`](dinomed3d_volume::Labelling), interpolates the
//! network's logits, not labels.

mod normalize;
mod spacing;

pub use spacing::Spacing;

use dinomed3d_volume::{Affine, GridError, ModelGrid, Orientation, Volume};
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;

/// How a scan becomes the network's input; part of a model's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Preprocessing {
    /// Towards which side slices, rows and columns of the model grid run: `RAS` = slices to the right, rows to
    /// anterior, columns to superior.
    pub orientation: Orientation,
    /// Edges of a model voxel in mm, `[slice, row, column]`; none, or `"own"` in a file, keeps the scan's own.
    #[serde(
        default,
        deserialize_with = "spacing::read",
        skip_serializing_if = "Option::is_none"
    )]
    pub spacing_mm: Option<[f64; 3]>,
    /// What happens to the values.
    pub intensity: Intensity,
}

/// How a scan's values are brought to a common scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Intensity {
    /// Clip to two percentiles of the scan's finite voxels, then subtract the mean and divide by the standard
    /// deviation (of the population) of all voxels; for MR.
    PercentileZScore {
        /// Lower percentile, in percent.
        low_percent: f64,
        /// Upper percentile, in percent.
        high_percent: f64,
    },
    /// Clip to `center ± width / 2`, then subtract `mean` and divide by `std`; for CT, in Hounsfield units.
    Window {
        /// Middle of the window.
        center: f32,
        /// Width of the window.
        width: f32,
        /// Subtracted after clipping.
        mean: f32,
        /// Divided by after that.
        std: f32,
    },
}

/// A scan on the model grid, ready for the network.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Normalised values, `[channel, slice, row, column]`.
    pub voxels: Vec<f32>,
    /// Channels of the scan.
    pub num_channels: usize,
    /// Voxels along `[slice, row, column]`.
    pub shape: [usize; 3],
    /// The way back to the scan's own grid.
    pub grid: ModelGrid,
}

/// Why a scan can't be prepared, or logits not be brought back.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PreprocessError {
    /// The scan has no model grid, or logits don't fit it.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// A scan without channels, or channels of different shapes.
    #[error(
        "the scan's channels have the shapes (z, y, x) {shapes:?}, expected is one shape for all of them"
    )]
    Channels {
        /// `[z, y, x]` of each.
        shapes: Vec<[usize; 3]>,
    },
    /// Of several channels, one can't be prepared.
    #[error("channel {number}: {cause}")]
    Channel {
        /// From 1.
        number: usize,
        /// Why. Said already, so it is no source, which would be said again.
        cause: Box<PreprocessError>,
    },
    /// No value is finite.
    #[error("all {voxels} voxels are NaN or infinite: there is nothing to see in this scan")]
    NotFinite {
        /// Voxels of the scan.
        voxels: usize,
    },
    /// All values are the same, or become so by clipping.
    #[error("the scan is constant: every voxel is {value} after clipping to {low} … {high}")]
    Constant {
        /// The one value.
        value: f32,
        /// Lower bound of the clipping.
        low: f32,
        /// Upper bound of the clipping.
        high: f32,
    },
    /// The model's settings can't be used.
    #[error("the model's preprocessing is wrong: {setting} is {found}, expected is {expected}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// What was found.
        found: String,
        /// What is expected.
        expected: &'static str,
    },
}

impl Preprocessing {
    /// Whether its settings can be used.
    ///
    /// # Errors
    /// [`PreprocessError::Setting`] or [`GridError::Spacing`].
    pub fn check(&self) -> Result<(), PreprocessError> {
        self.intensity.check()?;
        match self.spacing_mm {
            Some(found) if found.iter().any(|edge| !edge.is_finite() || *edge <= 0.0) => {
                Err(GridError::Spacing { found }.into())
            }
            _ => Ok(()),
        }
    }

    /// The same onto a grid of voxels so many times smaller, where it has one of its own.
    #[must_use]
    pub fn finer(&self, times: f64) -> Self {
        Self {
            spacing_mm: self.spacing_mm.map(|edges| edges.map(|edge| edge / times)),
            ..self.clone()
        }
    }

    /// Brings the channels of a scan onto the model grid and the values of each, by itself, to the model's scale.
    ///
    /// Voxels that are not finite count as the lowest finite value. The grid is the first channel's.
    ///
    /// # Errors
    /// A channel that is empty, constant or nowhere finite; channels of different shapes; an unusable affine or setting.
    pub fn apply(&self, channels: &[impl Borrow<Volume>]) -> Result<Prepared, PreprocessError> {
        self.apply_with(channels, |_| ())
    }

    /// As [`Preprocessing::apply`]; `normalized` is told the values of each channel in turn, before they come onto the model grid.
    ///
    /// # Shapes
    /// `normalized` takes `[slice, row, column]` of the scan's own voxels in the model's axis order.
    ///
    /// # Errors
    /// Those of [`Preprocessing::apply`].
    pub fn apply_with(
        &self,
        channels: &[impl Borrow<Volume>],
        mut normalized: impl FnMut(&[f32]),
    ) -> Result<Prepared, PreprocessError> {
        let channels = || channels.iter().map(Borrow::borrow);
        let shapes = || channels().map(|channel: &Volume| channel.shape);
        let Some(first) = channels()
            .next()
            .filter(|first| shapes().all(|shape| shape == first.shape))
        else {
            return Err(PreprocessError::Channels {
                shapes: shapes().collect(),
            });
        };
        let grid = self.grid(first.shape, &first.affine)?;
        let mut prepared = Prepared {
            voxels: Vec::new(),
            num_channels: channels().count(),
            shape: grid.shape(),
            grid,
        };
        if prepared.num_channels == 1 {
            prepared.voxels = self.apply_to_one(first, &prepared.grid, normalized)?;
            return Ok(prepared);
        }
        for (place, channel) in channels().enumerate() {
            let voxels = self.apply_to_one(channel, &prepared.grid, &mut normalized);
            prepared
                .voxels
                .extend(voxels.map_err(|error| PreprocessError::Channel {
                    number: place + 1,
                    cause: Box::new(error),
                })?);
        }
        Ok(prepared)
    }

    fn apply_to_one(
        &self,
        volume: &Volume,
        grid: &ModelGrid,
        mut normalized: impl FnMut(&[f32]),
    ) -> Result<Vec<f32>, PreprocessError> {
        let expected = volume.shape.iter().product();
        if volume.voxels.len() != expected {
            return Err(GridError::Count {
                expected,
                got: volume.voxels.len(),
            }
            .into());
        }
        let mut voxels = grid.orient(&volume.voxels);
        self.intensity.normalize(&mut voxels)?;
        normalized(&voxels);
        Ok(grid.resample(voxels))
    }

    /// The model grid of a scan of this shape (`[z, y, x]`) and affine.
    ///
    /// # Errors
    /// An empty shape, an unusable affine or spacing, a grid of too many voxels.
    pub fn grid(&self, shape_zyx: [usize; 3], affine: &Affine) -> Result<ModelGrid, GridError> {
        ModelGrid::new(shape_zyx, affine, self.orientation, self.spacing_mm)
    }
}
