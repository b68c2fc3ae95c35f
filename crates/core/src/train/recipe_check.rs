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
            let is_right = mm.iter().all(|edge| edge.is_finite() && *edge > 0.0);
            let expected = "three finite numbers above 0";
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
        let is_right = 0.0 < low && low <= high && high.is_finite();
        let expected = "two positive numbers, the smaller first";
        let found = format!("{low} to {high}");
        expect(is_right, "augmentation.scale", found, expected)?;
        for (name, limit) in [
            ("rotation-deg", a.rotation_deg),
            ("shift-voxels", a.shift_voxels),
            ("elastic.limit", a.elastic.limit),
            ("contrast", a.contrast),
            ("brightness", a.brightness),
            ("noise", a.noise),
            ("gamma.limit", a.gamma.limit),
            ("bias-field.limit", a.bias_field.limit),
            ("low-resolution.limit", a.low_resolution.limit),
        ] {
            expect_limit(&format!("augmentation.{name}"), limit)?;
        }
        Ok(())
    }
}

impl StageRecipe {
    fn check(&self, stage: &str) -> Result<(), TrainError> {
        let name = |setting: &str| format!("{stage}.{setting}");
        for (setting, count) in [
            ("windows-per-case", self.windows_per_case),
            ("batch-size", self.batch_size),
            ("accumulation", self.accumulation),
        ] {
            expect(count > 0, &name(setting), count, "1 or more")?;
        }
        for (setting, factor) in [
            ("learning-rate", self.learning_rate),
            ("layer-decay", self.layer_decay),
        ] {
            let is_right = 0.0 < factor && factor <= 1.0;
            expect(is_right, &name(setting), factor, "above 0, at most 1")?;
        }
        expect_limit(&name("weight-decay"), self.weight_decay)?;
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
