//! What comes of trainings: scores on held-out cases, reports, model folders.

pub mod answers;
pub mod calibration;
pub mod compare;
#[cfg(feature = "import")]
pub mod converted;
pub mod export;
pub mod folds;
pub mod model_card;
pub mod model_cases;
pub mod predictor;
pub mod proxy;
pub mod quantize;
#[cfg(feature = "report")]
pub mod report;
pub mod strokes;
pub mod trained_weights;
pub mod validation;
pub mod volume_guesses;

use crate::infer::InferError;
use crate::segmenter::ModelError;
use crate::train::TrainError;
use crate::train::dataset::Listing;
use crate::train::dataset::case_split::split_notes;
use crate::train::recipe_file::read_recipe;
use crate::train::run_folder::RunFolder;
use crate::weights::WeightsError;
use dinomed3d_volume::atomic_file::OutputError;
use dinomed3d_volume::evaluation::EvaluationError;
use std::path::{Path, PathBuf};

/// Why there are no results.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResultsError {
    /// Runs, models or data that don't go together, or lack something.
    #[error("{0}")]
    Unusable(String),
    /// With what it happened.
    #[error("{doing}")]
    While {
        /// Such as "scoring" and the name of a file.
        doing: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A place where nothing can be written, or an input lies.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A run, a recipe or a data set.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A scan that can't be segmented.
    #[error(transparent)]
    Infer(#[from] InferError),
    /// Weights that can't be read or are another network's.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The folder of a model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Label maps that can't be compared.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
}

#[cfg(feature = "report")]
impl<E: std::error::Error + Send + Sync + 'static> From<plotters::drawing::DrawingAreaErrorKind<E>>
    for ResultsError
{
    fn from(error: plotters::drawing::DrawingAreaErrorKind<E>) -> Self {
        Self::While {
            doing: "drawing".to_owned(),
            source: Box::new(error),
        }
    }
}

/// What a person should know of a run's split on the data as they are now, and what of them is passed over: a sentence
/// each.
///
/// # Errors
/// A run or data that cannot be read.
pub fn data_notes(run: &Path, data: &Path) -> Result<Vec<String>, ResultsError> {
    let recipe = read_recipe(&run.join("recipe.toml"))?;
    let mut notes = split_notes(run, &recipe, data)?;
    let passed_over = Listing::read(&recipe, data)?.passed_over.into_iter();
    notes.extend(passed_over.map(|file| format!("passed over: {file}")));
    Ok(notes)
}

/// All that is read of a run and its data, for no result to replace it.
///
/// # Errors
/// A run or data that cannot be read.
pub fn inputs_of_run(run: &Path, data: &Path) -> Result<Vec<PathBuf>, ResultsError> {
    let recipe = read_recipe(&run.join("recipe.toml"))?;
    let mut files = Listing::read(&recipe, data)?.files;
    files.extend(RunFolder(run.to_owned()).files());
    Ok(files)
}

/// Says what was being done when something failed.
trait During<T> {
    fn during(self, doing: impl FnOnce() -> String) -> Result<T, ResultsError>;
}

impl<T, E: Into<Box<dyn std::error::Error + Send + Sync>>> During<T> for Result<T, E> {
    fn during(self, doing: impl FnOnce() -> String) -> Result<T, ResultsError> {
        self.map_err(|error| ResultsError::While {
            doing: doing(),
            source: error.into(),
        })
    }
}
