//! Whether the settings of a recipe can work: said with their names, before anything is read or computed.

use super::TrainError;
use super::recipe::{Recipe, StageRecipe};
use super::setting::{expect, expect_limit, expect_share};
use crate::preprocess::PreprocessError;

impl Recipe {
    /// Whether its settings can work, as far as that can be known without a data set.
    ///
    /// # Errors
    /// [`TrainError::Recipe`], which names the first one that can't.
    pub fn check(&self) -> Result<(), TrainError> {
        self.split().check()?;
        self.check_preprocessing()?;
        if let Some(part_of) = &self.part_of {
            // Without colours it is the data set that says how many labels there are.
            let of_first = || part_of.places.first().map_or(0, |place| place.labels.len());
            let labels = Some(self.colors.len()).filter(|count| *count > 0);
            part_of.check(labels.unwrap_or_else(of_first))?;
        }
        // That there is one channel, only the data set says.
        if let Some(model) = self.intensity_model {
            model.check(1)?;
        }
        let decay = self.ema_decay;
        let is_right = (0.0..1.0).contains(&decay);
        expect(is_right, "ema-decay", decay, "0 to below 1")?;
        self.check_augmentation()?;
        self.stage1.check("stage1")?;
        self.stage2.check("stage2")?;
        let epochs = self.stage1.epochs + self.stage2.epochs;
        let name = "stage1.epochs and stage2.epochs";
        expect(epochs > 0, name, "0 and 0", "an epoch of either")?;
        if let Some(synthesis) = &self.synthesis {
            synthesis.check()?;
            let has_spacing = self.preprocessing.spacing_mm.is_some();
            let expected = "three lengths, for there are no scans whose own it could be";
            expect(has_spacing, "preprocessing.spacingMm", "own", expected)?;
        }
        let classes = self.colors.len() + 1;
        let network = self.network(classes)?;
        network.check()?;
        // Without colours it is the data set that says how many.
        let is_right = self.colors.is_empty() || network.num_classes == classes;
        let expected = format!("{classes}, for background and a label of each colour");
        expect(is_right, "num_classes", network.num_classes, &expected)?;
        self.check_window(network.vit.patch_size)
    }

    fn check_window(&self, patch: usize) -> Result<(), TrainError> {
        self.windowing().check()?;
        let found = format!("{:?}", self.window);
        let fits = self.window[1..].iter().all(|edge| edge % patch == 0);
        let expected = format!("rows and columns in whole patches of {patch}");
        expect(fits, "window", &found, &expected)
    }

    fn check_preprocessing(&self) -> Result<(), TrainError> {
        if let Some(mm) = self.preprocessing.spacing_mm {
            let is_right = mm.iter().all(|edge| (1e-3..=1e3).contains(edge));
            let expected = "three lengths from 0.001 to 1000 mm";
            let found = format!("{mm:?}");
            expect(is_right, "preprocessing.spacingMm", found, expected)?;
        }
        match self.preprocessing.intensity.check() {
            Err(PreprocessError::Setting {
                setting,
                found,
                expected,
            }) => expect(false, &format!("preprocessing.{setting}"), found, expected),
            other => other.map_err(|error| TrainError::Recipe(error.to_string())),
        }
    }

    fn check_augmentation(&self) -> Result<(), TrainError> {
        let a = &self.augmentation;
        for (name, chance) in [
            ("flip-slices", a.flip_slices),
            ("flip-columns", a.flip_columns),
            ("affine", a.affine),
            ("elastic.chance", a.elastic.chance),
            ("intensity", a.intensity),
            ("gamma.chance", a.gamma.chance),
            ("bias-field.chance", a.bias_field.chance),
            ("low-resolution.chance", a.low_resolution.chance),
            ("balanced", a.balanced),
        ] {
            expect_share(&format!("augmentation.{name}"), chance)?;
        }
        let [low, high] = a.scale;
        let is_right = 0.1 <= low && low <= high && high <= 10.0;
        let expected = "two numbers from 0.1 to 10, the smaller first";
        let found = format!("{low} to {high}");
        expect(is_right, "augmentation.scale", found, expected)?;
        // Beyond these nothing is left of a scan: normalised voxels have a deviation of 1.
        for (name, limit, most) in [
            ("rotation-deg", a.rotation_deg, 180.0),
            ("shift-voxels", a.shift_voxels, 1e3),
            ("elastic.limit", a.elastic.limit, 1e3),
            ("contrast", a.contrast, 1.0),
            ("brightness", a.brightness, 10.0),
            ("noise", a.noise, 10.0),
            ("gamma.limit", a.gamma.limit, 10.0),
            ("bias-field.limit", a.bias_field.limit, 10.0),
            ("low-resolution.limit", a.low_resolution.limit, 10.0),
        ] {
            expect_limit(&format!("augmentation.{name}"), limit, most)?;
        }
        Ok(())
    }
}

impl StageRecipe {
    fn check(&self, stage: &str) -> Result<(), TrainError> {
        let name = |setting: &str| format!("{stage}.{setting}");
        // What is beyond is a slip of the keys: no machine would come to the end of it, or hold it.
        for (setting, count, least, most) in [
            ("epochs", self.epochs, 0, 1_000_000),
            ("windows-per-case", self.windows_per_case, 1, 100_000),
            ("batch-size", self.batch_size, 1, 10_000),
            ("accumulation", self.accumulation, 1, 10_000),
            ("warmup-steps", self.warmup_steps, 0, 1_000_000_000),
        ] {
            let is_right = (least..=most).contains(&count);
            let expected = format!("{least} to {most}");
            expect(is_right, &name(setting), count, &expected)?;
        }
        for (setting, factor) in [
            ("learning-rate", self.learning_rate),
            ("layer-decay", self.layer_decay),
        ] {
            let is_right = 0.0 < factor && factor <= 1.0;
            expect(is_right, &name(setting), factor, "above 0, at most 1")?;
        }
        // Times the learning rate it is what each step takes off the weights.
        expect_limit(&name("weight-decay"), self.weight_decay, 10.0)?;
        // A negative one would turn the gradient round, and the loss would climb.
        let norm = self.max_gradient_norm;
        let is_right = norm.is_finite() && norm > 0.0;
        let expected = "a finite number above 0";
        expect(is_right, &name("max-gradient-norm"), norm, expected)?;
        expect_share(&name("cross-entropy"), self.cross_entropy)?;
        let is_right = self.early_stopping != Some(0);
        expect(is_right, &name("early-stopping"), 0, "1 epoch or more")
    }
}

#[cfg(test)]
mod tests {
    use crate::train::Recipe;
    use toml::{Table, Value};

    /// `text` read as a recipe is what checks first, so all that is wrong here are numbers.
    fn problem(setting: &str, value: Value) -> String {
        let text = include_str!("../../../../recipes/hippocampus.toml");
        let mut recipe: Table = text.parse().unwrap();
        let (table, key) = setting.split_once('.').unwrap();
        let table = recipe[table].as_table_mut().unwrap();
        table.insert(key.to_owned(), value);
        let recipe: Recipe = recipe.try_into().unwrap();
        recipe.check().unwrap_err().to_string()
    }

    /// They were taken, and ended in a program without memory, weights that are no numbers, or no end at all.
    #[test]
    fn a_number_that_no_training_could_use_is_refused() {
        let huge = 99_999_999_999i64;
        for (setting, expected) in [
            ("stage1.epochs", "0 to 1000000"),
            ("stage1.windows-per-case", "1 to 100000"),
            ("stage2.batch-size", "1 to 10000"),
            ("stage2.accumulation", "1 to 10000"),
            ("stage2.warmup-steps", "0 to 1000000000"),
        ] {
            let said = problem(setting, Value::Integer(huge));
            let all = format!("{setting} is {huge}, expected is {expected}");
            assert!(said.contains(&all), "{said}");
        }
        for (setting, expected) in [
            ("stage1.weight-decay", "0 to 10"),
            ("augmentation.rotation-deg", "0 to 180"),
            ("augmentation.shift-voxels", "0 to 1000"),
            ("augmentation.contrast", "0 to 1"),
            ("augmentation.noise", "0 to 10"),
        ] {
            for value in [-1.0, 1e30, f64::NAN, f64::INFINITY] {
                let said = problem(setting, Value::Float(value));
                let all = format!("expected is {expected}");
                assert!(said.contains(setting) && said.contains(&all), "{said}");
            }
        }
        let spacing = Value::Array([1e300, 1.0, 1.0].map(Value::Float).to_vec());
        let said = problem("preprocessing.spacingMm", spacing);
        assert!(
            said.contains("three lengths from 0.001 to 1000 mm"),
            "{said}"
        );
    }
}
