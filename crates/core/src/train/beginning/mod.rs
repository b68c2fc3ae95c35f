//! How a run begins, or goes on: by which recipe, on which cases ([`Request`]), from which weights ([`Run::begin_with`]).

#[cfg(test)]
mod fixture;
mod parent;
mod request;
mod run;
mod weights;

pub use request::Request;
pub use run::Run;

use super::TrainError;
use std::fmt::Display;

/// Name of a run's recipe in its folder.
pub const RECIPE_FILE: &str = "recipe.toml";

fn unusable(what: String) -> TrainError {
    TrainError::Recipe(what)
}

/// Says with what something failed.
fn with<E: Display>(what: impl Display) -> impl FnOnce(E) -> TrainError {
    move |error| unusable(format!("{what}: {error}"))
}
