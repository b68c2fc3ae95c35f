//! Recipes as files.
//!
//! A recipe may begin with `base = "other.toml"`, a path from its own folder: it then says only what
//! differs. Tables join those of the base at every depth; a table in braces takes the base's place.

use super::base::lay_with;
use super::defaults::{Choice, complete, settle};
use super::{Fingerprint, Recipe, TrainError};
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::de::DeTable;
use toml::{Table, Value};

/// Reads a complete recipe (TOML), such as a run keeps.
///
/// # Errors
/// A file that can't be read or is no recipe, or leaves things open.
pub fn read_recipe(path: &Path) -> Result<Recipe, TrainError> {
    let mut table = read(path, &mut Vec::new())?;
    forget(&mut table);
    Recipe::deserialize(table.clone()).map_err(|error| {
        let leaves_open = if complete(&table).is_ok() {
            "it leaves settings to the data set; expected is a complete recipe, as training writes into the folder of a run: "
        } else {
            ""
        };
        wrong(path)(format!("{leaves_open}{}", pointed(error, path)))
    })
}

/// The file of a recipe and those of its bases.
///
/// # Errors
/// One that can't be read.
pub fn recipe_files(path: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let mut files = Vec::new();
    read(path, &mut files)?;
    Ok(files)
}

/// Reads a recipe (TOML) and settles what it leaves open; see [`settle`].
///
/// # Errors
/// A file that can't be read or is no recipe, or can't work; what `fingerprint` says.
pub fn read_settled(
    path: &Path,
    fingerprint: impl FnOnce() -> Result<Fingerprint, TrainError>,
) -> Result<(Recipe, Vec<Choice>), TrainError> {
    let table = read(path, &mut Vec::new())?;
    complete(&table).map_err(|error| wrong(path)(pointed(error, path)))?;
    settle(&table, fingerprint)
}

fn wrong<E: fmt::Display>(path: &Path) -> impl FnOnce(E) -> TrainError {
    move |error| TrainError::Recipe(format!("in {}: {}", path.display(), in_words(error)))
}

/// What the reader of recipes says, without the names that its language has for numbers.
fn in_words(error: impl fmt::Display) -> String {
    let mut said = error.to_string();
    for (kinds, words) in [
        (&["u8"][..], "a whole number from 0 to 255"),
        (&["u16", "u32", "u64", "usize"], "a whole number, 0 or more"),
        (&["f32", "f64"], "a number"),
        (&["a boolean"], "true or false"),
    ] {
        for kind in kinds {
            let (found, wanted) = (format!("expected {kind}"), format!("expected {words}"));
            let lines = said
                .split('\n')
                .map(|line| match line.strip_suffix(&*found) {
                    Some(before) => format!("{before}{wanted}"),
                    None => line.to_owned(),
                });
            said = lines.collect::<Vec<_>>().join("\n");
        }
    }
    said
}

/// An error of a table, with the line in its file where the file says the same by itself.
fn pointed(error: toml::de::Error, path: &Path) -> toml::de::Error {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let in_text = toml::from_str::<Recipe>(&text).err();
    let same = in_text.filter(|in_text| in_text.message() == error.message());
    same.unwrap_or(error)
}

/// A recipe with everything that it takes from others; `seen` are the files on the way here.
fn read(path: &Path, seen: &mut Vec<PathBuf>) -> Result<Table, TrainError> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let of = seen
            .last()
            .map(|of| format!(", the base of {}", of.display()));
        let of = of.unwrap_or_default();
        TrainError::Recipe(format!("reading {}{of}: {error}", path.display()))
    })?;
    seen.push(path.to_owned());
    let mut table: Table = text.parse().map_err(wrong(path))?;
    name_contrasts(&mut table);
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
    let mut result = read(&base, seen)?;
    let places = DeTable::parse(&text).map_err(wrong(path))?;
    lay_with(&mut result, table, Some(places.get_ref()), &text);
    Ok(result)
}

/// Contrasts were an array of tables, each with its name, before they were tables by name; the fluid around a brain was
/// then always label 24.
fn name_contrasts(recipe: &mut Table) {
    let Some(Value::Table(synthesis)) = recipe.get_mut("synthesis") else {
        return;
    };
    let Some(Value::Array(contrasts)) = synthesis.get("contrast") else {
        return;
    };
    let named = contrasts.iter().map(|contrast| {
        let mut contrast = contrast.as_table()?.clone();
        match contrast.remove("name")? {
            Value::String(name) => Some((name, Value::Table(contrast))),
            _ => None,
        }
    });
    // What has another form is left to complain about.
    if let Some(named) = named.collect::<Option<Table>>() {
        synthesis.insert("contrast".into(), Value::Table(named));
        let fluid = Value::Array(vec![24.into()]);
        synthesis.entry("outer-fluid").or_insert(fluid);
    }
}

/// What runs keep of settings that there are no more: `keep-planes` changed how windows were drawn, and not what became of
/// them.
fn forget(recipe: &mut Table) {
    if let Some(Value::Table(augmentation)) = recipe.get_mut("augmentation") {
        augmentation.remove("keep-planes");
    }
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
            let is_of_four = path.file_stem().unwrap() == "brats";
            let channels = if is_of_four { 4 } else { 1 };
            let (recipe, choices) = read_settled(&path, || Ok(fingerprint(3, channels))).unwrap();
            let num_labels = recipe.colors.len();
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
            let recipe = read_settled(&path, || Ok(fingerprint(3, 1))).unwrap().0;
            let text = toml::to_string_pretty(&recipe).unwrap();
            let same: Recipe = toml::from_str(&text).unwrap();
            assert_eq!(same.preprocessing, recipe.preprocessing, "{text}");
            let unread = || unreachable!("nothing is left to the data");
            let (again, choices) = settle(&text.parse().unwrap(), unread).unwrap();
            assert_eq!(choices, []);
            assert_eq!(toml::to_string_pretty(&again).unwrap(), text);
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn ours(name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        std::fs::read_to_string(path.join(name)).unwrap()
    }

    #[test]
    fn a_word_that_is_no_setting_is_named_with_its_line() {
        let folder = scratch("no-setting");
        let path = folder.join("recipe.toml");
        let text = ours("hippocampus.toml").replacen("seed = 1", "sed = 1", 1);
        std::fs::write(&path, text).unwrap();
        let unread = || unreachable!("it is seen before the data are read");
        let of_new = read_settled(&path, unread).unwrap_err().to_string();
        let of_run = read_recipe(&path).unwrap_err().to_string();
        for error in [of_new, of_run] {
            assert!(error.contains("sed") && error.contains("line"), "{error}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_a_setting_takes_is_said_in_words() {
        let folder = scratch("in-words");
        let path = folder.join("recipe.toml");
        let whole = ours("hippocampus.toml");
        for (line, words) in [
            ("seed = -1", "expected a whole number, 0 or more"),
            ("seed = \"x\"", "expected a whole number, 0 or more"),
            ("overlap = \"x\"", "expected a number"),
            ("freeze-backbone = 3", "expected true or false"),
        ] {
            let key = line.split(' ').next().unwrap();
            let others = whole.lines().filter(|other| !other.starts_with(key));
            let text = others.collect::<Vec<_>>().join("\n");
            std::fs::write(&path, format!("{line}\n{text}")).unwrap();
            let said = read_recipe(&path).unwrap_err().to_string();
            assert!(said.contains(words) && said.contains(line), "{said}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_run_has_a_complete_recipe() {
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        let error = read_recipe(&recipes.join("aisd.toml")).unwrap_err();
        let error = error.to_string();
        for part in ["aisd.toml", "expected is a complete recipe", "`mean`"] {
            assert!(error.contains(part), "{error}");
        }
        let folder = scratch("with-both");
        let path = folder.join("recipe.toml");
        let with_both = "kind = \"window\", mean = 30, std = 20";
        let text = ours("aisd.toml").replacen("kind = \"window\"", with_both, 1);
        std::fs::write(&path, &text).unwrap();
        read_recipe(&path).unwrap();
        std::fs::write(&path, text.replacen("seed", "sed", 1)).unwrap();
        let error = read_recipe(&path).unwrap_err().to_string();
        assert!(
            !error.contains("complete") && error.contains("sed"),
            "{error}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_recipe_says_only_what_differs_from_its_base() {
        let folder = scratch("recipes");
        std::fs::create_dir_all(folder.join("deeper")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        let read = |name: &str| read(&folder.join(name), &mut Vec::new());
        write(
            "a.toml",
            "seed = 1\nname = 'a'\n[stage2]\nepochs = 5\nbatch-size = 2\n[stage1]\nepochs = 1\n
            [deep.in.it]\none = 1\ntwo = 2\n[deep.whole]\none = 1\n[deep.other]\none = 1\n",
        );
        write(
            "b.toml",
            "base = 'a.toml'\nseed = 2\nstage2.epochs = 7\n
            [deep]\nwhole = { two = 2 }\nother = 'none'\n[deep.in.it]\ntwo = 3\nthree = { four = 4 }\n",
        );
        write("deeper/c.toml", "base = '../b.toml'\nname = 'c'\n");
        let expected: Table =
            "seed = 2\nname = 'c'\n[stage2]\nepochs = 7\nbatch-size = 2\n[stage1]\nepochs = 1\n
            [deep.in.it]\none = 1\ntwo = 3\nthree.four = 4\n[deep]\nwhole.two = 2\nother = 'none'\n"
                .parse()
                .unwrap();
        assert_eq!(read("deeper/c.toml").unwrap(), expected);

        write("x.toml", "base = 'deeper/../y.toml'");
        write("y.toml", "base = 'x.toml'");
        let circle = read("x.toml").unwrap_err().to_string();
        assert!(circle.contains("leads back to"), "{circle}");
        write("z.toml", "base = 'nowhere.toml'");
        let missing = read("z.toml").unwrap_err().to_string();
        assert!(
            missing.contains("nowhere.toml") && missing.contains("z.toml"),
            "{missing}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// A second training of heads, which is told in a few lines.
    #[test]
    fn a_contrast_of_the_base_is_changed_by_name() {
        let folder = scratch("contrasts");
        std::fs::write(folder.join("head.toml"), ours("head.toml")).unwrap();
        let second = "base = 'head.toml'\n[synthesis.contrast.T2]\nchance = 0.25\n
            [synthesis.contrast.T1]\nchance = 0.4\n[synthesis.contrast.T1.brightness]\n2 = 0.75\n";
        std::fs::write(folder.join("second.toml"), second).unwrap();
        let of = |name: &str| read_recipe(&folder.join(name)).unwrap().synthesis.unwrap();
        let (first, second) = (of("head.toml"), of("second.toml"));
        let mut expected = first;
        expected.contrasts.get_mut("T2").unwrap().chance = 0.25;
        let t1 = expected.contrasts.get_mut("T1").unwrap();
        t1.chance = 0.4;
        t1.brightness.insert("2".into(), 0.75);
        assert_eq!(second, expected);
        std::fs::remove_dir_all(folder).unwrap();
    }

    /// What runs of before have kept: contrasts in an array, the fluid's label in the program, planes that were kept.
    #[test]
    fn a_run_of_before_is_read_as_it_was_meant() {
        let folder = scratch("before");
        let now = ours("head.toml");
        let is_later = |line: &&str| !line.starts_with("outer-fluid");
        let mut before = String::new();
        for line in now.lines().filter(is_later) {
            let contrast = line.strip_prefix("[synthesis.contrast.");
            before += &match contrast.and_then(|rest| rest.strip_suffix(']')) {
                Some(rest) if rest.ends_with(".brightness") => {
                    "[synthesis.contrast.brightness]".to_owned()
                }
                Some(name) => format!("[[synthesis.contrast]]\nname = {name:?}"),
                None if line == "[augmentation]" => format!("{line}\nkeep-planes = \"rows\""),
                None => line.to_owned(),
            };
            before.push('\n');
        }
        assert!(before.contains("[[synthesis.contrast]]\nname = \"T1\"\nchance"));
        let path = folder.join("recipe.toml");
        std::fs::write(&path, before).unwrap();
        let kept = read_recipe(&path).unwrap();
        let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
        let of_now = read_recipe(&recipes.join("head.toml")).unwrap();
        let text = |recipe| toml::to_string(recipe).unwrap();
        assert_eq!(text(&kept), text(&of_now));
        assert_eq!(kept.synthesis.unwrap().outer_fluid, [24]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
