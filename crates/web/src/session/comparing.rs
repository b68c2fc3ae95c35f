//! The result on screen beside a reference.

use std::rc::Rc;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::Session;
use crate::browser::{self, VisitorFile};
use crate::comparison::{Mapping, Maps, Scoring};
use crate::language::{compare, failure};
use crate::overlay::Overlay;
use crate::state::Outcome;
use crate::words;

impl Session {
    /// Compares the result on screen with a reference; the one before stays if this one can't be.
    pub fn compare(self, files: impl Future<Output = Result<Vec<VisitorFile>, String>> + 'static) {
        self.tell(|_| {});
        let Some(outcome) = self.state.outcome.get_untracked() else {
            return;
        };
        let number = self.begin_comparison(compare::READING);
        spawn_local(async move {
            let maps = read_reference(files, &outcome).await;
            if !self.is_comparing(number, &outcome) {
                return;
            }
            match maps {
                Ok(maps) => {
                    let mapping = maps.mapping();
                    self.score(number, outcome, Rc::new(maps), mapping).await
                }
                Err(problem) => {
                    self.state.comparing.set(None);
                    self.state.refusal.set(Some(problem));
                }
            }
        });
    }

    /// Takes a number of the reference for that label of the result, or for background if it is 0.
    pub fn map_reference(self, value: u8, label: u8) {
        let outcome = self.state.outcome.get_untracked();
        let comparison = self.state.comparison.get_untracked();
        let (Some(outcome), Some(comparison)) = (outcome, comparison) else {
            return;
        };
        let mut mapping = comparison.mapping.clone();
        mapping.insert(value, label);
        let number = self.begin_comparison(compare::COMPARING);
        spawn_local(self.score(number, outcome, Rc::clone(&comparison.maps), mapping));
    }

    /// Compares with nothing any more.
    pub fn forget_comparison(self) {
        self.inner.update_value(|inner| inner.comparison += 1);
        self.state.lay_over(Overlay::default());
        self.state.forget_comparison();
    }

    /// Saves the comparison as the table that the command line writes.
    pub fn save_comparison(self) {
        let comparison = self.state.comparison.get_untracked();
        let Some(csv) = comparison.as_ref().and_then(|comparison| comparison.csv()) else {
            return;
        };
        let outcome = self.state.outcome.get_untracked();
        let stem = outcome.map_or_else(String::new, |outcome| {
            words::result_stem(&outcome.name).to_owned()
        });
        browser::save_text(&format!("{stem}_comparison.csv"), &csv);
    }

    pub(super) fn begin_comparison(self, said: &str) -> u32 {
        self.state.refusal.set(None);
        self.state.comparing.set(Some(said.to_owned()));
        self.inner.update_value(|inner| inner.comparison += 1);
        self.inner.with_value(|inner| inner.comparison)
    }

    pub(super) fn is_comparing(self, number: u32, outcome: &Rc<Outcome>) -> bool {
        let shown = self.state.outcome.get_untracked();
        shown.is_some_and(|shown| Rc::ptr_eq(&shown, outcome))
            && self.inner.with_value(|inner| inner.comparison) == number
    }

    pub(super) async fn score(
        self,
        number: u32,
        outcome: Rc<Outcome>,
        maps: Rc<Maps>,
        mapping: Mapping,
    ) {
        let mut scoring = Scoring::new(Rc::clone(&maps), mapping);
        while scoring.step() {
            let (done, of) = scoring.progress();
            self.state.comparing.set(Some(compare::progress(done, of)));
            browser::next_task().await;
            if !self.is_comparing(number, &outcome) {
                return;
            }
        }
        self.state.show_comparison(scoring.finish());
    }
}

/// The reference among files, and the result on whose grid it is.
async fn read_reference(
    files: impl Future<Output = Result<Vec<VisitorFile>, String>>,
    outcome: &Outcome,
) -> Result<Maps, String> {
    let files = files.await?;
    let (tables, maps): (Vec<_>, Vec<_>) = files.iter().partition(|file| is_table(&file.path));
    let ([VisitorFile { path, file }], [] | [_]) = (&maps[..], &tables[..]) else {
        let (maps, tables) = (maps.len(), tables.len());
        return Err(compare::several_files(maps, tables));
    };
    let unread = |path: &str, problem: String| failure::reference_not_read(path, &problem);
    let bytes = browser::read_file(file).await;
    let bytes = bytes.map_err(|problem| unread(path, problem))?;
    let mut table = None;
    if let [VisitorFile { path, file }] = &tables[..] {
        let bytes = browser::read_file(file).await;
        let bytes = bytes.map_err(|problem| unread(path, problem))?.to_vec();
        table = Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    // What is under way is on screen before what takes long.
    browser::next_task().await;
    let (reference, result) = (bytes.to_vec(), outcome.bytes.to_vec());
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let labels = outcome.labels.clone();
    Maps::read(name, &reference, table.as_deref(), &result, labels)
}

/// Whether a file is by its name a table of labels.
fn is_table(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    ["tsv", "txt", "label", "ctbl", "lut", "ctab"].contains(&ending.to_ascii_lowercase().as_str())
}
