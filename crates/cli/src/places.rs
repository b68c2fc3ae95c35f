//! Where models and recipes lie that come with the program.

use anyhow::Context;
use dinomed3d_core::model_folder::MANIFEST_FILE;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The model that is taken where none is named.
pub const DEFAULT_MODEL: &str = "head";
/// The recipe that is taken where none is named.
const DEFAULT_RECIPE: &str = "hippocampus";

/// The folder of a model, given as a path or by the name of one that came with the program.
///
/// # Errors
/// It is nowhere; says where it was looked for.
pub fn model(named: &Path) -> anyhow::Result<PathBuf> {
    if named.is_dir() || named.is_absolute() {
        return Ok(named.to_owned());
    }
    let found = find(&candidates("public/models", "models"), named);
    let is_name = named.components().count() == 1;
    match found {
        // A path of somebody's own, of which will be said what it lacks.
        Err(_) if !is_name => Ok(named.to_owned()),
        found => found.with_context(|| format!("model {} is nowhere", named.display())),
    }
}

/// The folder of all models.
///
/// # Errors
/// It is nowhere; says where it was looked for.
pub fn models() -> anyhow::Result<PathBuf> {
    find(&candidates("public/models", "models"), Path::new(""))
}

/// All models, each by the first folder that has it, sorted by name: `head`, and what lies in that model's folder, `head/four-bits`.
///
/// # Errors
/// There is none; says where it was looked for.
pub fn all_models() -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let folders = candidates("public/models", "models");
    let mut models = BTreeMap::new();
    for folder in &folders {
        for (name, path) in models_in(folder) {
            for (variant, path) in models_in(&path) {
                models.entry(format!("{name}/{variant}")).or_insert(path);
            }
            models.entry(name).or_insert(path);
        }
    }
    let places: Vec<String> = folders.iter().map(|it| it.display().to_string()).collect();
    anyhow::ensure!(
        !models.is_empty(),
        "there is no model in any of {}: expected are folders with {MANIFEST_FILE}",
        places.join(", ")
    );
    Ok(models)
}

/// The folders in a folder that hold a model.
fn models_in(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.path().join(MANIFEST_FILE).is_file())
        .map(|entry| {
            (
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            )
        })
        .collect()
}

/// The default recipe.
///
/// # Errors
/// It is nowhere; says where it was looked for.
pub fn default_recipe() -> anyhow::Result<PathBuf> {
    let recipe = Path::new(DEFAULT_RECIPE).with_extension("toml");
    find(&candidates("recipes", "recipes"), &recipe)
        .with_context(|| "no recipe is named by --recipe, and the default one is nowhere")
}

/// Folders in the order of looking: the checkout's, beside the program, where it was installed, the user's own.
fn candidates(in_checkout: &str, name: &str) -> Vec<PathBuf> {
    let mut folders = vec![PathBuf::from(in_checkout)];
    let program = std::env::current_exe().ok();
    if let Some(beside) = program.as_deref().and_then(Path::parent) {
        folders.push(beside.join(name));
        folders.extend(
            beside
                .parent()
                .map(|up| up.join("share/dinomed3d").join(name)),
        );
    }
    folders.extend(dirs::data_dir().map(|data| data.join("dinomed3d").join(name)));
    folders
}

/// `name` in the first folder that has it.
fn find(folders: &[PathBuf], name: &Path) -> anyhow::Result<PathBuf> {
    let paths: Vec<PathBuf> = folders.iter().map(|folder| folder.join(name)).collect();
    let found = paths.iter().find(|path| path.exists()).cloned();
    found.with_context(|| {
        let tried: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
        format!("there is none of {}", tried.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_that_has_it_wins_and_all_are_named() {
        let folder = std::env::temp_dir().join(format!("dinomed3d-places-{}", std::process::id()));
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.join(name));
        for place in [&b, &c] {
            std::fs::create_dir_all(place.join("model")).unwrap();
        }
        let all = [a, b.clone(), c];
        assert_eq!(find(&all, Path::new("model")).unwrap(), b.join("model"));
        let error = find(&all, Path::new("other")).unwrap_err().to_string();
        for place in &all {
            assert!(error.contains(&place.join("other").display().to_string()));
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn beside_the_program_in_share_and_in_the_user_s_folder_it_is_looked_for() {
        let found = candidates("public/models", "models");
        assert_eq!(found[0], Path::new("public/models"));
        for ending in ["share/dinomed3d/models", "dinomed3d/models"] {
            assert!(found.iter().any(|path| path.ends_with(ending)), "{found:?}");
        }
    }
}
