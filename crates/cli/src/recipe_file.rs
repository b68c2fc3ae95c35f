//! Recipes as files.

use anyhow::Context;
use dinomed3d_core::train::Recipe;
use std::path::Path;

/// Reads a recipe (TOML).
///
/// # Errors
/// A file that can't be read or is no recipe.
pub fn read_recipe(path: &Path) -> anyhow::Result<Recipe> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("in {}", path.display()))
}
