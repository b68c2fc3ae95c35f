//! The cases that a recipe holds out, one at a time: read from their files, or drawn.

use super::case::RawCase;
use super::index::{CaseFiles, DatasetIndex};
use crate::train::TrainError;
use crate::train::recipe::Recipe;
use crate::train::synthesis::{LabelTable, Placed, Synthesis, drawn_whole, read_folder};
use std::path::Path;

/// Cases to score on.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// Value and name of each class, background first.
    pub labels: Vec<(u8, String)>,
    /// Names of the channels of every image, in order.
    pub channels: Vec<String>,
    source: Source,
}

#[derive(Clone, Debug)]
enum Source {
    Files(Vec<CaseFiles>),
    /// Every map in every contrast that validates.
    Drawn {
        maps: Vec<Placed>,
        table: LabelTable,
        settings: Box<Synthesis>,
        seed: u64,
    },
}

impl HeldOut {
    /// Those of a recipe and its data.
    ///
    /// # Errors
    /// Data that cannot be read, or lack what is to validate.
    pub fn of_recipe(recipe: &Recipe, folder: &Path) -> Result<Self, TrainError> {
        let Some(settings) = &recipe.synthesis else {
            let index = DatasetIndex::read(folder)?;
            let split = recipe.split();
            split.check()?;
            let cases = index.split(split).1;
            return Ok(Self::of_files(&index, cases));
        };
        let (table, maps) = read_folder(folder)?;
        Ok(Self::of_maps(maps, table, settings, recipe.seed).1)
    }

    /// Some cases of a data set.
    pub fn of_files(index: &DatasetIndex, cases: Vec<CaseFiles>) -> Self {
        Self {
            labels: index.labels.clone(),
            channels: index.channels.clone(),
            source: Source::Files(cases),
        }
    }

    /// Parts label maps into those to train on and those that validate.
    pub fn of_maps(
        maps: Vec<Placed>,
        table: LabelTable,
        settings: &Synthesis,
        seed: u64,
    ) -> (Vec<Placed>, Self) {
        let validates = |(name, _): &Placed| settings.validation.contains(name);
        let (maps, training) = maps.into_iter().partition(validates);
        let held_out = Self {
            labels: table.targets(settings.merge_sides),
            channels: vec!["MR".into()],
            source: Source::Drawn {
                maps,
                table,
                settings: Box::new(settings.clone()),
                seed,
            },
        };
        (training, held_out)
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<String> {
        match &self.source {
            Source::Files(cases) => cases.iter().map(|case| case.name.clone()).collect(),
            Source::Drawn { maps, settings, .. } => {
                let contrasts = &settings.validation_contrasts;
                let in_each = |(name, _): &Placed| -> Vec<String> {
                    contrasts
                        .iter()
                        .map(|contrast| format!("{name} {contrast}"))
                        .collect()
                };
                maps.iter().flat_map(in_each).collect()
            }
        }
    }

    /// Scan and reference of the case at a place.
    ///
    /// # Errors
    /// A sentence for each problem, naming the file.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn read(&self, place: usize) -> Result<RawCase, Vec<String>> {
        match &self.source {
            Source::Files(cases) => RawCase::read(&cases[place], &self.channels),
            Source::Drawn {
                maps,
                table,
                settings,
                seed,
            } => {
                let count = settings.validation_contrasts.len();
                let (map, contrast) = (&maps[place / count], place % count);
                drawn_whole(map, table, settings, contrast, *seed)
                    .map_err(|error| vec![error.to_string()])
            }
        }
    }
}
