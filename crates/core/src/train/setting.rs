//! Single settings of a recipe: what several parts of it are made of, and how one that can't work is named.

use super::TrainError;
use crate::model::check;
use serde::{Deserialize, Serialize};
use std::fmt::Display;

/// A change that happens by chance, up to a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RandomChange {
    /// Of happening, 0 … 1.
    pub chance: f32,
    /// Largest strength.
    pub limit: f32,
}

/// [`TrainError::Recipe`] with the setting's name, unless `holds`.
pub(super) fn expect(
    holds: bool,
    name: &str,
    found: impl Display,
    expected: &str,
) -> Result<(), TrainError> {
    Ok(check::expect(holds, name, found, expected)?)
}

/// A share or a chance.
pub(super) fn expect_share(name: &str, share: f32) -> Result<(), TrainError> {
    expect((0.0..=1.0).contains(&share), name, share, "0 to 1")
}

/// The largest size of something, which `most` bounds.
pub(super) fn expect_limit(name: &str, limit: f32, most: f32) -> Result<(), TrainError> {
    let expected = format!("0 to {most}");
    expect((0.0..=most).contains(&limit), name, limit, &expected)
}
