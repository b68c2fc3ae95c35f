//! The cases that a recipe holds out, one at a time: read from their files, or drawn.

use super::case::RawCase;
use super::case_split::{CaseSplit, no_missing};
use super::files::CaseFiles;
use super::index::DatasetIndex;
use crate::train::TrainError;
use crate::train::recipe::Recipe;
use crate::train::synthesis::{LabelTable, Placed, Synthesis, drawn_whole, read_folder};
use std::collections::HashMap;
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
    /// Those of a run: of its recipe, its split and its data.
    ///
    /// # Errors
    /// Data that cannot be read, or lack what is to validate.
    pub fn of_split(recipe: &Recipe, split: &CaseSplit, folder: &Path) -> Result<Self, TrainError> {
        let Some(settings) = &recipe.synthesis else {
            return Self::of_names(&DatasetIndex::read(folder)?, &split.val);
        };
        let (table, maps) = read_folder(folder)?;
        // What was learnt from need not be there to score.
        let split = CaseSplit {
            train: Vec::new(),
            val: split.val.clone(),
        };
        Ok(Self::of_maps(maps, table, settings, &split, recipe.seed)?.1)
    }

    /// Cases of a data set by name.
    ///
    /// # Errors
    /// [`TrainError::Data`] for those that are not there.
    pub fn of_names(index: &DatasetIndex, names: &[String]) -> Result<Self, TrainError> {
        let split = CaseSplit {
            train: Vec::new(),
            val: names.to_vec(),
        };
        let [_, cases] = split.find(&index.cases)?;
        Ok(Self::of_files(index, cases))
    }

    /// Some cases of a data set.
    pub fn of_files(index: &DatasetIndex, cases: Vec<CaseFiles>) -> Self {
        Self {
            labels: index.labels.clone(),
            channels: index.channels.clone(),
            source: Source::Files(cases),
        }
    }

    /// Parts label maps into those to train on and those that validate, in the order of the split.
    ///
    /// # Errors
    /// [`TrainError::Data`] for a map of the split that is not there.
    pub fn of_maps(
        maps: Vec<Placed>,
        table: LabelTable,
        settings: &Synthesis,
        split: &CaseSplit,
        seed: u64,
    ) -> Result<(Vec<Placed>, Self), TrainError> {
        let mut by_name: HashMap<String, Placed> =
            maps.into_iter().map(|map| (map.0.clone(), map)).collect();
        let mut missing = Vec::new();
        let mut side = |names: &[String]| -> Vec<Placed> {
            let mut find = |name: &String| {
                let map = by_name.remove(name);
                if map.is_none() {
                    missing.push(name.clone());
                }
                map
            };
            names.iter().filter_map(&mut find).collect()
        };
        let (training, maps) = (side(&split.train), side(&split.val));
        no_missing(missing)?;
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
        Ok((training, held_out))
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
