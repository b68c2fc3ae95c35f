//! For tests: runs that have begun.

use super::RECIPE_FILE;
use crate::train::recipe::Recipe;
use std::path::{Path, PathBuf};

pub fn hippocampus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/hippocampus.toml")
}

pub fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dinomed3d-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// The folder of a run that began with another window and seed, as an older version wrote it: balanced and in-plane
/// were no settings yet, and no spacing was the scan's own.
pub fn begun(folder: &Path) -> Recipe {
    let old: String = std::fs::read_to_string(hippocampus())
        .unwrap()
        .lines()
        .filter(|line| {
            !["spacingMm", "balanced", "in-plane"]
                .iter()
                .any(|key| line.starts_with(key))
        })
        .map(|line| match line.split(' ').next() {
            Some("window") => "window = [8, 8, 8]\n".to_owned(),
            Some("seed") => "seed = 77\n".to_owned(),
            _ => format!("{line}\n"),
        })
        .collect();
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(RECIPE_FILE), &old).unwrap();
    toml::from_str(&old).unwrap()
}

pub fn text(recipe: &Recipe) -> String {
    toml::to_string(recipe).unwrap()
}
