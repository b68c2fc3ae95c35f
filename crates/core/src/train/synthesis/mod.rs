//! Training from label maps alone: every window is drawn, image and all, from the label map of a head.
//!
//! Label map, deformed and cut, a brightness for each tissue, partial volume, what is cut away, slice thickness, and then
//! the changes of intensity that scans undergo too. Source: SynthSeg, Billot et al. 2023, Medical Image Analysis
//! 86:102789.

mod appearance;
mod drawing;
mod labels;
mod slices;
mod source;

pub use appearance::{Appearance, Contrast};
pub use drawing::Synthesizer;
pub use labels::{LabelRow, LabelTable, TABLE_FILE};
pub use source::{Placed, SourceMap, drawn_whole, map_files, read_folder};

use super::TrainError;
use super::setting::{RandomChange, expect, expect_limit, expect_share};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How images are drawn from label maps; geometry and the last changes of intensity are those of the recipe's
/// [`Augmentation`](super::recipe::Augmentation).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Synthesis {
    /// Names of the label maps that validate, without their endings.
    pub validation: Vec<String>,
    /// Names of the contrasts that each of them is drawn in.
    pub validation_contrasts: Vec<String>,
    /// Whether the two sides of a structure are one class. A network then need not know left from right, and a plane
    /// fitted to its answer parts them.
    pub merge_sides: bool,
    /// Chance of a contrast in which every tissue's brightness is drawn by itself.
    pub random_contrast: f32,
    /// Smallest and largest standard deviation of brightness within a tissue; black is 0, white 1.
    pub texture: [f32; 2],
    /// Chance that only the brain is left, as after skull stripping.
    pub skull_stripped: f32,
    /// Labels of the fluid around a brain: a stripped head has it or, as often, has it not.
    #[serde(default)]
    pub outer_fluid: Vec<u8>,
    /// Chance that what is not brain is cut away beyond a plane: a face removed, a neck outside of the scan.
    pub cut: f32,
    /// Slices up to `limit` millimetres thick along one axis.
    pub thick_slices: RandomChange,
    /// By name, such as T1.
    #[serde(default, rename = "contrast")]
    pub contrasts: BTreeMap<String, Contrast>,
}

impl Synthesis {
    /// Whether its settings can work.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], which names the first one that can't.
    pub fn check(&self) -> Result<(), TrainError> {
        for (name, chance) in [
            ("random-contrast", self.random_contrast),
            ("skull-stripped", self.skull_stripped),
            ("cut", self.cut),
            ("thick-slices.chance", self.thick_slices.chance),
        ] {
            expect_share(&format!("synthesis.{name}"), chance)?;
        }
        let [low, high] = self.texture;
        let is_range = 0.0 <= low && low <= high && high <= 10.0;
        let found = format!("{low} to {high}");
        expect(
            is_range,
            "synthesis.texture",
            found,
            "two numbers from 0 to 10, the smaller first",
        )?;
        let thickest = self.thick_slices.limit;
        expect_limit("synthesis.thick-slices.limit", thickest, 100.0)?;
        let mut chances = self.random_contrast;
        for (name, contrast) in &self.contrasts {
            contrast.check(name)?;
            chances += contrast.chance;
        }
        expect(
            chances > 0.0,
            "synthesis.random-contrast",
            "0 and no contrast has a chance",
            "a contrast that can be drawn",
        )?;
        expect(
            !self.validation.is_empty() && !self.validation_contrasts.is_empty(),
            "synthesis.validation",
            "empty",
            "label maps to validate on, and contrasts to draw them in",
        )?;
        for name in &self.validation_contrasts {
            self.contrast(name)?;
        }
        Ok(())
    }

    /// The contrast of a name.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], which names those there are.
    pub fn contrast(&self, name: &str) -> Result<&Contrast, TrainError> {
        self.contrasts.get(name).ok_or_else(|| {
            let known: Vec<&str> = self.contrasts.keys().map(String::as_str).collect();
            TrainError::Recipe(format!(
                "the recipe's synthesis has no contrast {name:?}, expected is one of {}",
                known.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::preprocess::Intensity;
    use crate::train::augment::Sample;
    use crate::train::recipe::Augmentation;

    pub(super) fn table() -> LabelTable {
        LabelTable::parse(
            "value\tname\ttarget\tintensity_class\tother_side\n0\tair\t0\t0\t\n2\tleft white matter\t2\t1\t41\n\
             41\tright white matter\t41\t2\t2\n3\tleft cortex\t3\t3\t42\n42\tright cortex\t42\t4\t3\n507\tscalp\t0\t5\t\n",
        )
        .unwrap()
    }

    pub(super) fn settings() -> Synthesis {
        let settings = serde_json::json!({
            "validation": ["head_2"], "validation-contrasts": ["T1"], "merge-sides": true, "random-contrast": 0.0,
            "texture": [0.01, 0.02], "skull-stripped": 0.0, "cut": 0.0,
            "thick-slices": {"chance": 0.0, "limit": 7.0},
            "contrast": {"T1": {"chance": 1.0, "spread": 0.02, "brightness": {"2": 0.8, "3": 0.5, "507": 0.3}}}
        });
        serde_json::from_value(settings).unwrap()
    }

    /// A head of 40 × 44 × 36 voxels: white matter in cortex in scalp, left of slice 20 and right of it.
    fn head() -> SourceMap {
        let table = table();
        let shape = [40, 44, 36];
        let mut places = Vec::new();
        for z in 0..40i32 {
            for y in 0..44i32 {
                for x in 0..36i32 {
                    let from_middle = (2 * z - 39)
                        .abs()
                        .max((2 * y - 43).abs())
                        .max((2 * x - 35).abs());
                    let is_left = z < 20;
                    let value = match from_middle {
                        ..15 if is_left => 2,
                        ..15 => 41,
                        15..25 if is_left => 3,
                        15..25 => 42,
                        25..32 => 507,
                        _ => 0,
                    };
                    places.push(table.place(value).unwrap() as u8);
                }
            }
        }
        SourceMap {
            name: "made".into(),
            places,
            shape,
            spacing_mm: [1.0; 3],
            extent: [[8, 31], [10, 33], [6, 29]],
        }
    }

    fn synthesizer(settings: Synthesis) -> Synthesizer {
        let augmentation: Augmentation = serde_json::from_value(serde_json::json!({
            "flip-slices": 0.0, "affine": 0.0, "rotation-deg": 10.0, "scale": [0.9, 1.1], "shift-voxels": 0.0,
            "intensity": 0.0, "contrast": 0.0, "brightness": 0.0, "noise": 0.0
        }))
        .unwrap();
        let table = table();
        Synthesizer {
            classes: table.targets(settings.merge_sides),
            settings,
            augmentation,
            intensity: Intensity::PercentileZScore {
                low_percent: 0.0,
                high_percent: 100.0,
            },
            table,
            window: [20, 22, 18],
            spacing_mm: [2.0; 3],
            seed: [1, 2],
        }
    }

    fn mean_of(sample: &Sample, class: u8) -> f32 {
        let values = sample.voxels.iter().zip(&sample.labels);
        let values: Vec<f32> = values
            .filter(|(_, l)| **l == class)
            .map(|(v, _)| *v)
            .collect();
        assert!(!values.is_empty(), "class {class} is not there");
        values.iter().sum::<f32>() / values.len() as f32
    }

    #[test]
    fn an_unmoved_window_is_the_map_at_half_size() {
        let sample = synthesizer(settings()).draw(&head(), 0, 0);
        let class = |z: usize, y: usize, x: usize| sample.labels[(z * 22 + y) * 18 + x];
        let along: Vec<u8> = (0..20).map(|z| class(z, 11, 9)).collect();
        // White matter is slices 13 to 26: window slice 6 is half of it and half cortex, as is 13; the first of equals wins.
        let expected = [[0; 4].as_slice(), &[2; 3], &[1; 7], &[2; 2], &[0; 4]].concat();
        assert_eq!(along, expected);
        assert!(mean_of(&sample, 1) > mean_of(&sample, 2));
        assert!(mean_of(&sample, 2) > mean_of(&sample, 0));
    }

    #[test]
    fn the_same_place_gives_the_same_window_and_another_another() {
        let mut synthesizer = synthesizer(settings());
        synthesizer.augmentation.affine = 1.0;
        synthesizer.settings.thick_slices.chance = 0.5;
        let draw = |epoch, place| synthesizer.draw(&head(), epoch, place).voxels;
        assert_eq!(draw(3, 4), draw(3, 4));
        assert_ne!(draw(3, 4), draw(3, 5));
        assert_ne!(draw(3, 4), draw(4, 4));
    }

    /// Mirrored, what was left is on the other side of the window and is right now.
    #[test]
    fn a_mirrored_head_has_mirrored_sides() {
        let mut settings = settings();
        settings.merge_sides = false;
        let mut synthesizer = synthesizer(settings);
        let still = synthesizer.draw(&head(), 0, 0);
        synthesizer.augmentation.flip_slices = 1.0;
        let mirrored = synthesizer.draw(&head(), 0, 0);
        // The head is symmetric, so that mirroring place and name gives the same answer.
        assert_eq!(still.labels, mirrored.labels);
        let class_of = |value| {
            synthesizer
                .classes
                .iter()
                .position(|(v, _)| *v == value)
                .unwrap() as u8
        };
        let middle = |z: usize| still.labels[(z * 22 + 11) * 18 + 9];
        assert_eq!([middle(8), middle(12)], [class_of(2), class_of(41)]);
    }

    #[test]
    fn a_stripped_head_has_nothing_around_the_brain() {
        let mut settings = settings();
        settings.skull_stripped = 1.0;
        let sample = synthesizer(settings).draw(&head(), 0, 0);
        let values = sample.voxels.iter().zip(&sample.labels);
        let outside: Vec<f32> = values.filter(|(_, l)| **l == 0).map(|(v, _)| *v).collect();
        let lowest = sample.voxels.iter().copied().fold(f32::INFINITY, f32::min);
        let black = outside.iter().filter(|v| **v < lowest + 0.1).count();
        assert!(
            black as f32 > 0.9 * outside.len() as f32,
            "{black} of {}",
            outside.len()
        );
    }

    /// The cortex stands in for the fluid: gone from half of the heads, and from none that does not name it.
    #[test]
    fn the_fluid_around_a_stripped_brain_is_what_the_recipe_says() {
        let stripped = |outer_fluid: Vec<u8>| {
            let mut settings = settings();
            (settings.skull_stripped, settings.outer_fluid) = (1.0, outer_fluid);
            let synthesizer = synthesizer(settings);
            let bare = |place: &usize| !synthesizer.draw(&head(), 0, *place).labels.contains(&2);
            (0..20).filter(bare).count()
        };
        assert_eq!(stripped(vec![]), 0);
        assert!((4..=16).contains(&stripped(vec![3, 42])));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let broken = |change: &dyn Fn(&mut Synthesis)| {
            let mut settings = settings();
            change(&mut settings);
            settings.check().unwrap_err().to_string()
        };
        let error = broken(&|s| s.cut = 1.5);
        assert!(error.contains("synthesis.cut"), "{error}");
        let error = broken(&|s| s.validation_contrasts = vec!["T7".into()]);
        assert!(error.contains("T7") && error.contains("T1"), "{error}");
        let error = broken(&|s| s.contrasts.get_mut("T1").unwrap().chance = 0.0);
        assert!(error.contains("random-contrast"), "{error}");
        assert!(settings().check().is_ok());
    }
}
