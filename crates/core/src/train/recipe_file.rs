//! Recipes as files.
//!
//! A recipe may begin with `base = "other.toml"`, a path from its own folder: it then says only what
//! differs. A table's keys take the place of those of the same table in the base.

use super::{Recipe, RecipeDraft, TrainError};
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Reads a complete recipe (TOML), such as a run keeps.
///
/// # Errors
/// A file that can't be read or is no recipe, or leaves things open.
pub fn read_recipe(path: &Path) -> Result<Recipe, TrainError> {
    let text = read(path)?;
    toml::from_str(&text).map_err(|error| {
        let leaves_open = if toml::from_str::<RecipeDraft>(&text).is_ok() {
            "it leaves settings to the data set; expected is a complete recipe, as training writes into the folder of a run: "
        } else {
            ""
        };
        wrong(path)(format!("{leaves_open}{error}"))
    })
}

/// Reads a recipe (TOML) that may leave things open.
///
/// # Errors
/// A file that can't be read or is no recipe.
pub fn read_draft(path: &Path) -> Result<RecipeDraft, TrainError> {
    toml::from_str(&read(path)?).map_err(wrong(path))
}

fn wrong<E: fmt::Display>(path: &Path) -> impl FnOnce(E) -> TrainError {
    move |error| TrainError::Recipe(format!("in {}: {error}", path.display()))
}

/// The text of a recipe with everything that it takes from others.
fn read(path: &Path) -> Result<String, TrainError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| TrainError::Recipe(format!("reading {}: {error}", path.display())))?;
    // Without a base the text stays as it is, so that an error can point into it.
    match text.parse::<Table>() {
        Ok(table) if table.contains_key("base") => {
            let whole = with_base(table, path, &mut vec![path.to_owned()])?;
            toml::to_string(&whole).map_err(wrong(path))
        }
        _ => Ok(text),
    }
}

/// `seen` are the files on the way here.
fn with_base(mut table: Table, path: &Path, seen: &mut Vec<PathBuf>) -> Result<Table, TrainError> {
    let base = match table.remove("base") {
        None => return Ok(table),
        Some(Value::String(base)) => path.with_file_name(base),
        Some(other) => {
            return Err(wrong(path)(format!(
                "base is {other}, expected is the name of a recipe's file"
            )));
        }
    };
    let whole = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if seen.iter().any(|earlier| whole(earlier) == whole(&base)) {
        return Err(wrong(path)(format!(
            "base leads back to {}",
            base.display()
        )));
    }
    seen.push(base.clone());
    let text = std::fs::read_to_string(&base).map_err(|error| {
        let (base, path) = (base.display(), path.display());
        TrainError::Recipe(format!("reading {base}, the base of {path}: {error}"))
    })?;
    let earlier: Table = text.parse().map_err(wrong(&base))?;
    let mut result = with_base(earlier, &base, seen)?;
    for (key, value) in table {
        match (result.get_mut(&key), value) {
            (Some(Value::Table(earlier)), Value::Table(value)) => earlier.extend(value),
            (_, value) => {
                result.insert(key, value);
            }
        }
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::fingerprint::{
        CaseGrid, ChannelFacts, Fingerprint, Intensities, LabelFacts, Spread3,
    };
    use std::path::PathBuf;

    fn recipes() -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        let files = |folder: &Path| std::fs::read_dir(folder).unwrap();
        let mut paths: Vec<PathBuf> = files(&folder)
            .chain(files(&folder.join("ablations")))
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .collect();
        paths.sort();
        paths
    }

    /// A made-up CT of so many labels after background.
    fn fingerprint(num_labels: u8, channels: usize) -> Fingerprint {
        let spread = |values: [f64; 3]| Spread3 {
            min: values,
            median: values,
            max: values,
        };
        let intensities = Intensities::of(vec![-100.0, 20.0, 40.0, 60.0, 300.0]).unwrap();
        Fingerprint {
            num_cases: 1,
            shape: spread([512.0, 512.0, 30.0]),
            spacing_mm: spread([0.5, 0.5, 5.0]),
            orientations: [("LPS".to_owned(), 1)].into(),
            channels: (0..channels)
                .map(|place| ChannelFacts {
                    name: format!("channel {place}"),
                    overall: intensities.clone(),
                    labelled: Some(intensities.clone()),
                })
                .collect(),
            labels: (0..=num_labels)
                .map(|value| LabelFacts {
                    value,
                    name: format!("label {value}"),
                    num_cases: 1,
                    median_voxels: 10.0,
                    median_ml: 0.01,
                    share: 0.01,
                })
                .collect(),
            grids: vec![CaseGrid {
                shape: [512, 512, 30],
                spacing_mm: [0.5, 0.5, 5.0],
            }],
        }
    }

    #[test]
    fn every_recipe_yields_a_network() {
        let paths = recipes();
        assert!(paths.len() >= 7, "{paths:?}");
        for path in paths {
            let draft = read_draft(&path).unwrap();
            let num_labels = draft.colors.as_ref().unwrap().len();
            let channels = if draft.name == "brats" { 4 } else { 1 };
            let data = fingerprint(num_labels as u8, channels);
            let (recipe, choices) = draft.resolve(|| Ok(data)).unwrap();
            recipe.check().unwrap();
            let network = recipe.architecture(num_labels + 1, channels).unwrap();
            assert_eq!(network.image_channels(), channels, "{}", path.display());
            let patch = network.vit.patch_size;
            assert!(recipe.window[1..].iter().all(|edge| edge % patch == 0));
            // Ours begin with random weights; so do the ablations, some of which freeze what
            // their own stage 1 has learnt.
            let is_ours = recipe.data.source.contains("Task04") || recipe.synthesis.is_some();
            let is_frozen = recipe.name.starts_with("frozen");
            assert_eq!(recipe.freeze_backbone, !is_ours || is_frozen);
            // All that is left to the data are mean and deviation within a window.
            let open: Vec<&str> = choices.iter().map(|c| c.setting.as_str()).collect();
            let is_ct = ["aisd", "msd-pancreas", "msd-colon"].contains(&recipe.name.as_str());
            let expected: &[&str] = if is_ct {
                &[
                    "preprocessing.intensity.mean",
                    "preprocessing.intensity.std",
                ]
            } else {
                &[]
            };
            assert_eq!(open, expected, "{}", path.display());
        }
    }

    #[test]
    fn a_resolved_recipe_is_read_back_as_it_is_and_leaves_nothing_open() {
        for path in recipes() {
            let draft = read_draft(&path).unwrap();
            let data = fingerprint(draft.colors.as_ref().unwrap().len() as u8, 1);
            let recipe = draft.resolve(|| Ok(data)).unwrap().0;
            let text = toml::to_string_pretty(&recipe).unwrap();
            let same: Recipe = toml::from_str(&text).unwrap();
            assert_eq!(same.preprocessing, recipe.preprocessing, "{text}");
            let draft: RecipeDraft = toml::from_str(&text).unwrap();
            assert!(!draft.needs_fingerprint(), "{text}");
            let unread = || unreachable!("nothing is left to the data");
            let (again, choices) = draft.resolve(unread).unwrap();
            assert_eq!(choices, []);
            assert_eq!(toml::to_string_pretty(&again).unwrap(), text);
        }
    }

    #[test]
    fn a_word_that_is_no_setting_is_named_with_its_line() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/hippocampus.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replacen("seed = 1", "sed = 1", 1);
        let error = toml::from_str::<RecipeDraft>(&text)
            .unwrap_err()
            .to_string();
        assert!(error.contains("sed") && error.contains("line"), "{error}");
    }

    #[test]
    fn a_recipe_says_only_what_differs_from_its_base() {
        let folder = std::env::temp_dir().join(format!("recipes-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("deeper")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write(
            "a.toml",
            "seed = 1\nname = 'a'\n[stage2]\nepochs = 5\nbatch-size = 2\n[stage1]\nepochs = 1\n",
        );
        write(
            "b.toml",
            "base = 'a.toml'\nseed = 2\n[stage2]\nepochs = 7\n",
        );
        write("deeper/c.toml", "base = '../b.toml'\nname = 'c'\n");
        let found: Table = read(&folder.join("deeper/c.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let expected: Table =
            "seed = 2\nname = 'c'\n[stage2]\nepochs = 7\nbatch-size = 2\n[stage1]\nepochs = 1\n"
                .parse()
                .unwrap();
        assert_eq!(found, expected);

        write("x.toml", "base = 'deeper/../y.toml'");
        write("y.toml", "base = 'x.toml'");
        let circle = read(&folder.join("x.toml")).unwrap_err().to_string();
        assert!(circle.contains("leads back to"), "{circle}");
        write("z.toml", "base = 'nowhere.toml'");
        let missing = format!("{:#}", read(&folder.join("z.toml")).unwrap_err());
        assert!(
            missing.contains("nowhere.toml") && missing.contains("z.toml"),
            "{missing}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
