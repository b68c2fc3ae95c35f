//! Label maps in memory, and how images are drawn from them.

use super::{CaseSplit, HeldOut};
use crate::preprocess::Preprocessing;
use crate::train::TrainError;
use crate::train::recipe::Recipe;
use crate::train::synthesis::{LabelTable, SourceMap, Synthesis, read_folder};
use std::path::Path;

/// Label maps of which images are drawn, as a recipe says.
#[derive(Clone, Debug)]
pub struct LabelMaps {
    /// How.
    pub settings: Synthesis,
    /// What their values mean.
    pub table: LabelTable,
    /// On their own grids.
    pub maps: Vec<SourceMap>,
}

impl LabelMaps {
    /// Those of a folder that a recipe with these settings trains on, split as it says.
    ///
    /// # Errors
    /// [`TrainError::Data`] with one line per problem, naming the file; [`TrainError::Recipe`] for settings or a rule that cannot be.
    pub fn of_recipe(
        recipe: &Recipe,
        settings: &Synthesis,
        folder: &Path,
    ) -> Result<Self, TrainError> {
        settings.check()?;
        let split = CaseSplit::of_recipe(recipe, folder)?;
        let preprocessing = &recipe.preprocessing;
        let read = Self::read(folder, preprocessing, settings, &split, recipe.seed)?;
        let (maps, _, problems) = read;
        expect_none(problems)?;
        Ok(maps)
    }

    /// Those of a folder that train, what validates beside them, and a sentence for each problem so far.
    pub(super) fn read(
        folder: &Path,
        preprocessing: &Preprocessing,
        settings: &Synthesis,
        split: &CaseSplit,
        seed: u64,
    ) -> Result<(Self, HeldOut, Vec<String>), TrainError> {
        let (table, files) = read_folder(folder)?;
        let mut problems: Vec<String> = settings
            .validation
            .iter()
            .filter(|name| !files.iter().any(|(known, _)| known == *name))
            .map(|name| {
                format!(
                    "{}: the label map {name:?}, which is to validate, is not there",
                    folder.display()
                )
            })
            .collect();
        let (training, held_out) = HeldOut::of_maps(files, table.clone(), settings, split, seed)?;
        let mut maps = Vec::with_capacity(training.len());
        for file in &training {
            match SourceMap::new(file, &table, preprocessing) {
                Ok(map) => maps.push(map),
                Err(problem) => problems.push(problem),
            }
        }
        if maps.is_empty() && problems.is_empty() {
            problems.push("no label map is left to train on".into());
        }
        let settings = settings.clone();
        let maps = Self {
            settings,
            table,
            maps,
        };
        Ok((maps, held_out, problems))
    }

    /// Value and name of each label that a network answers with, background first.
    pub fn labels(&self) -> Vec<(u8, String)> {
        self.table.targets(self.settings.merge_sides)
    }
}

/// An error if there are problems.
pub(super) fn expect_none(problems: Vec<String>) -> Result<(), TrainError> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(TrainError::Data(problems))
}
