//! How bright each tissue is in a drawn image.

use super::Synthesis;
use super::labels::LabelTable;
use crate::train::TrainError;
use crate::train::seed::normal;
use crate::train::setting::{expect, expect_limit};
use rand::Rng;
use rand::distr::weighted::WeightedIndex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Brightness of tissues as in one kind of scan, such as T1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Contrast {
    /// Of being drawn, in proportion to the other contrasts and the random one.
    pub chance: f32,
    /// Standard deviation of a tissue's brightness from image to image.
    pub spread: f32,
    /// Brightness of tissues by a value of theirs in the label maps (either side will do); black is 0, white 1. Tissues that
    /// are not there have any brightness.
    pub brightness: BTreeMap<String, f32>,
}

impl Contrast {
    pub(super) fn check(&self, name: &str) -> Result<(), TrainError> {
        let name = |setting: &str| format!("synthesis.contrast.{name}.{setting}");
        expect_limit(&name("chance"), self.chance, 1e3)?;
        expect_limit(&name("spread"), self.spread, 10.0)?;
        for (value, brightness) in &self.brightness {
            let is_value = value.parse::<u16>().is_ok();
            expect(is_value, &name("brightness"), value, "values of label maps")?;
            expect_limit(&name(&format!("brightness.{value}")), *brightness, 10.0)?;
        }
        Ok(())
    }

    /// Brightness of each tissue that has one here.
    fn of_tissues(&self, table: &LabelTable) -> BTreeMap<usize, f32> {
        let rows = table.rows().iter();
        rows.filter_map(|row| {
            let brightness = self.brightness.get(&row.value.to_string())?;
            Some((row.tissue, *brightness))
        })
        .collect()
    }
}

/// Mean and variance of the brightness of every row of a table, in its order; black is 0, white 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Appearance {
    /// Of each row.
    pub mean: Vec<f32>,
    /// Of each row.
    pub variance: Vec<f32>,
}

impl Appearance {
    /// Draws one: which contrast, and how bright each tissue is in it.
    pub fn draw(settings: &Synthesis, table: &LabelTable, rng: &mut impl Rng) -> Self {
        let chances = settings.contrasts.values().map(|contrast| contrast.chance);
        let chances = WeightedIndex::new(chances.chain([settings.random_contrast]));
        let drawn = rng.sample(chances.expect("a recipe that was checked has a chance above 0"));
        match settings.contrasts.values().nth(drawn) {
            Some(contrast) => Self::of_contrast(contrast, settings, table, rng),
            None => Self::of_tissues(&BTreeMap::new(), 0.0, settings, table, rng),
        }
    }

    /// One of a contrast.
    pub fn of_contrast(
        contrast: &Contrast,
        settings: &Synthesis,
        table: &LabelTable,
        rng: &mut impl Rng,
    ) -> Self {
        let known = contrast.of_tissues(table);
        Self::of_tissues(&known, contrast.spread, settings, table, rng)
    }

    fn of_tissues(
        known: &BTreeMap<usize, f32>,
        spread: f32,
        settings: &Synthesis,
        table: &LabelTable,
        rng: &mut impl Rng,
    ) -> Self {
        let [least, most] = settings.texture;
        let mut laws = BTreeMap::new();
        let mut appearance = Self {
            mean: Vec::with_capacity(table.rows().len()),
            variance: Vec::with_capacity(table.rows().len()),
        };
        let air = table.rows()[table.air()].tissue;
        for row in table.rows() {
            let (mean, variance) = *laws.entry(row.tissue).or_insert_with(|| {
                let mean = if row.tissue == air {
                    // Air gives no signal; what is seen there is noise.
                    rng.random_range(0.0..0.04f32)
                } else if let Some(brightness) = known.get(&row.tissue) {
                    (brightness + spread * normal(rng)).max(0.0)
                } else {
                    rng.random_range(0.02..1.0f32)
                };
                let deviation = if row.tissue == air {
                    rng.random_range(0.0..0.02f32)
                } else {
                    rng.random_range(least..=most)
                };
                (mean, deviation * deviation)
            });
            appearance.mean.push(mean);
            appearance.variance.push(variance);
        }
        appearance
    }

    /// Makes the row at `place` black, as air or what was cut away.
    pub fn blacken(&mut self, place: usize) {
        (self.mean[place], self.variance[place]) = (0.0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{settings, table};
    use super::*;
    use rand::rngs::StdRng;
    use rand::{RngCore, SeedableRng};

    /// Draws the greatest number there is.
    struct Greatest;

    impl RngCore for Greatest {
        fn next_u32(&mut self) -> u32 {
            u32::MAX
        }

        fn next_u64(&mut self) -> u64 {
            u64::MAX
        }

        fn fill_bytes(&mut self, bytes: &mut [u8]) {
            bytes.fill(u8::MAX);
        }
    }

    /// Subtracted one by one from the greatest number, these chances left a rest that was no contrast's.
    #[test]
    fn what_has_no_chance_is_never_drawn() {
        let (mut settings, table) = (settings(), table());
        let t1 = settings.contrast("T1").unwrap().clone();
        settings.contrasts.clear();
        settings.random_contrast = 0.0;
        for (place, chance) in [0.05, 0.05, 0.05, 1.05].into_iter().enumerate() {
            let contrast = Contrast {
                chance,
                spread: 0.0,
                ..t1.clone()
            };
            settings.contrasts.insert(place.to_string(), contrast);
        }
        let drawn = Appearance::draw(&settings, &table, &mut Greatest);
        assert_eq!(drawn.mean[table.place(2).unwrap()], 0.8);
    }

    #[test]
    fn sides_are_equally_bright_and_known_tissues_near_their_brightness() {
        let (settings, table) = (settings(), table());
        let place = |value| table.place(value).unwrap();
        for seed in 0..20 {
            let mut rng = StdRng::seed_from_u64(seed);
            let contrast = settings.contrast("T1").unwrap();
            let drawn = Appearance::of_contrast(contrast, &settings, &table, &mut rng);
            assert_eq!(drawn.mean[place(2)], drawn.mean[place(41)]);
            assert!((drawn.mean[place(2)] - 0.8).abs() < 6.0 * contrast.spread);
            assert!(drawn.mean[table.air()] < 0.05);
        }
    }

    #[test]
    fn random_contrasts_differ_from_image_to_image() {
        let mut settings = settings();
        settings.random_contrast = 1.0;
        settings.contrasts.clear();
        let table = table();
        let mut rng = StdRng::seed_from_u64(1);
        let means: Vec<f32> = (0..50)
            .map(|_| Appearance::draw(&settings, &table, &mut rng).mean[table.place(2).unwrap()])
            .collect();
        let [low, high] = [f32::min, f32::max].map(|f| means.iter().copied().reduce(f).unwrap());
        assert!(low < 0.2 && high > 0.8, "{low} {high}");
    }
}
