//! The folder of a run and its log, each file whole or not there.

use super::TrainError;
use crate::manifest::Ancestor;
use dinomed3d_volume::atomic_file::write_whole;
use dinomed3d_volume::statistics::mean;
use serde::{Deserialize, Serialize};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Name of the file of what a run's first weights went through.
const ANCESTORS_FILE: &str = "ancestors.json";

/// Names of the files that a run leaves, checkpoints aside.
pub const RUN_FILES: [&str; 8] = [
    "recipe.toml",
    "splits.json",
    ANCESTORS_FILE,
    "state.json",
    "log.csv",
    "stage1.safetensors",
    "last.safetensors",
    "best.safetensors",
];

/// One row of the log.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LogRow {
    /// 1 or 2.
    pub stage: usize,
    /// From 1.
    pub epoch: usize,
    /// Steps of the optimiser in this stage so far.
    pub steps: usize,
    /// Mean training loss of the epoch.
    pub loss: f32,
    /// Mean learning rate of the epoch.
    pub learning_rate: f64,
    /// Mean Dice of each foreground class on the validation cases; empty where no case validates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dice: Vec<f64>,
    /// Wall-clock time of the epoch, validation included.
    pub seconds: f64,
    /// Share of that time that was spent waiting for data.
    #[serde(default)]
    pub data_wait: f64,
}

impl LogRow {
    /// Mean Dice over the foreground classes; none where no case validates.
    pub fn mean_dice(&self) -> Option<f64> {
        mean(self.dice.iter().copied())
    }
}

/// A stretch of an epoch that a checkpoint was written after.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LogPart {
    /// 1 or 2.
    pub stage: usize,
    /// From 1.
    pub epoch: usize,
    /// Steps of the optimiser in this stage so far.
    pub steps: usize,
    /// Batches of the stretch.
    pub batches: usize,
    /// Mean training loss of the stretch.
    pub loss: f64,
    /// Mean learning rate of the stretch.
    pub learning_rate: f64,
    /// Wall-clock time of the stretch.
    pub seconds: f64,
    /// Of these, how many were spent waiting for data.
    pub waited: f64,
}

/// What a run has done so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Number of stages that are done, by their last epoch or by early stopping.
    #[serde(default)]
    pub stages_done: usize,
    /// Steps of stage 1 behind the weights that stage 2 began with; none before that, or without a stage 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage1_steps: Option<usize>,
    /// One row for every epoch.
    pub log: Vec<LogRow>,
    /// Stretches of the last epochs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<LogPart>,
}

impl RunState {
    /// Highest mean validation Dice of stage 2; none before its first epoch, or where no case validates.
    pub fn best_dice(&self) -> Option<f64> {
        self.best(2).and_then(LogRow::mean_dice)
    }

    /// The epoch of `stage` with the highest mean Dice, the last of several; the last of all where no case validates.
    pub fn best(&self, stage: usize) -> Option<&LogRow> {
        self.best_until(stage, usize::MAX)
    }

    /// The best among the epochs of `stage` up to one.
    pub fn best_until(&self, stage: usize, epoch: usize) -> Option<&LogRow> {
        let dice = |row: &LogRow| row.mean_dice().unwrap_or(f64::NEG_INFINITY);
        self.rows(stage)
            .filter(|row| row.epoch <= epoch)
            .max_by(|a, b| dice(a).total_cmp(&dice(b)))
    }

    /// The epochs of a stage.
    pub fn rows(&self, stage: usize) -> impl DoubleEndedIterator<Item = &LogRow> {
        self.log.iter().filter(move |row| row.stage == stage)
    }

    /// Steps of stage 1 behind the weights of stage 2; a run of before this was kept went on from the last.
    pub fn steps_of_stage1(&self) -> usize {
        let last = || self.rows(1).map(|row| row.steps).max();
        self.stage1_steps.or_else(last).unwrap_or(0)
    }

    /// Steps of a stage behind its last checkpoint, which may lie amid an epoch.
    pub fn steps_of_last(&self, stage: usize) -> usize {
        let parts = self.parts.iter().filter(|part| part.stage == stage);
        let steps = self.rows(stage).map(|row| row.steps);
        steps.chain(parts.map(|part| part.steps)).max().unwrap_or(0)
    }

    /// Forgets what came after so many steps of `stage`.
    pub fn rewind(&mut self, stage: usize, steps: usize) {
        let is_kept = |of: usize, after: usize| of < stage || (of == stage && after <= steps);
        self.log.retain(|row| is_kept(row.stage, row.steps));
        self.parts.retain(|part| is_kept(part.stage, part.steps));
    }
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunFolder(pub PathBuf);

/// The folder of a run, for one training alone.
#[derive(Debug)]
pub struct Held {
    path: PathBuf,
    _file: File,
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        // A training that was refused leaves no folder without anything in it.
        if let Some(folder) = self.path.parent() {
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// A place in a stage that a checkpoint is called by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// From 1.
    pub epoch: usize,
    /// Steps of the stage so far; none at the end of an epoch.
    pub steps: Option<usize>,
}

impl Mark {
    pub(super) fn end_of(epoch: usize) -> Self {
        Self { epoch, steps: None }
    }

    pub(super) fn within(epoch: usize, steps: usize) -> Self {
        Self {
            epoch,
            steps: Some(steps),
        }
    }
}

/// Parts of a checkpoint. It counts when all are there.
pub(super) const PARTS: [&str; 3] = ["model", "optimizer", "scheduler"];

impl RunFolder {
    fn state_path(&self) -> PathBuf {
        self.0.join("state.json")
    }

    /// Keeps the folder, which is made if it is not there, for one training as long as what is returned lives: a second one
    /// would write its checkpoints among the first one's. The kernel lets go of what a killed program held.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] if another training has it, [`TrainError::File`] where no file can be made.
    pub fn hold(&self) -> Result<Held, TrainError> {
        let path = self.0.join(".lock");
        let failed = |cause| TrainError::File {
            path: path.clone(),
            cause,
        };
        loop {
            std::fs::create_dir_all(&self.0).map_err(failed)?;
            let mut options = File::options();
            let options = options.write(true).create(true).truncate(false);
            let file = options.open(&path).map_err(failed)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    return Err(TrainError::Recipe(format!(
                        "another training is at work in {}: expected is another folder, or to wait for its end",
                        self.0.display()
                    )));
                }
                // One that has just ended took the file with it, and the next one makes another.
                Ok(()) if !path.exists() => (),
                // A file system without locks keeps nobody from training in it.
                Ok(()) | Err(TryLockError::Error(_)) => return Ok(Held { path, _file: file }),
            }
        }
    }

    /// That no run has got anywhere in it.
    ///
    /// # Errors
    /// [`TrainError::Recipe`].
    pub fn expect_new(&self) -> Result<(), TrainError> {
        if self.state()?.is_none() {
            return Ok(());
        }
        Err(TrainError::Recipe(format!(
            "{} already holds a run; resume it or choose another folder",
            self.0.display()
        )))
    }

    /// What it leaves, checkpoints aside; not all of it need be there.
    pub fn files(&self) -> Vec<PathBuf> {
        RUN_FILES.map(|name| self.0.join(name)).to_vec()
    }

    /// A part of the checkpoint after so many steps of a stage.
    pub(super) fn part(&self, stage: usize, part: &str, at: Mark) -> PathBuf {
        let Mark { epoch, steps } = at;
        let file = match steps {
            None => format!("stage{stage}-epoch{epoch}-{part}.bpk"),
            Some(steps) => format!("stage{stage}-epoch{epoch}-step{steps}-{part}.bpk"),
        };
        self.0.join("checkpoint").join(file)
    }

    /// Trainings that the run's first weights went through, the oldest first.
    ///
    /// # Errors
    /// A file that is there and can't be read.
    pub fn ancestors(&self) -> Result<Vec<Ancestor>, TrainError> {
        let path = self.0.join(ANCESTORS_FILE);
        if !path.exists() {
            return Ok(Vec::new());
        }
        let json = self.read(&path)?;
        serde_json::from_slice(&json)
            .map_err(|error| TrainError::Recipe(format!("{}: {error}", path.display())))
    }

    /// Writes them down; nothing where there are none.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write_ancestors(&self, ancestors: &[Ancestor]) -> Result<(), TrainError> {
        if ancestors.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_vec_pretty(ancestors).expect("facts are plain data");
        self.write(&self.0.join(ANCESTORS_FILE), &json)
    }

    /// The state of an earlier run, if there is one.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] if the file is damaged.
    pub fn state(&self) -> Result<Option<RunState>, TrainError> {
        let path = self.state_path();
        if !path.exists() {
            return Ok(None);
        }
        serde_json::from_slice(&self.read(&path)?)
            .map(Some)
            .map_err(|error| TrainError::damaged(path, error, "expected is what the run wrote"))
    }

    /// Whether all parts of a checkpoint are there.
    pub(super) fn is_whole(&self, stage: usize, mark: Mark) -> bool {
        let mut parts = PARTS.iter();
        parts.all(|part| self.part(stage, part, mark).exists())
    }

    /// The last place of `stage` that a run can go on from, and the steps before it.
    pub(super) fn last_checkpoint(&self, stage: usize, state: &RunState) -> Option<(Mark, usize)> {
        self.last_checkpoint_before(stage, state, usize::MAX)
    }

    /// The last one before so many steps.
    pub(super) fn last_checkpoint_before(
        &self,
        stage: usize,
        state: &RunState,
        end: usize,
    ) -> Option<(Mark, usize)> {
        let rows = state
            .rows(stage)
            .map(|row| (Mark::end_of(row.epoch), row.steps));
        let parts = state.parts.iter().filter(|part| part.stage == stage);
        let parts = parts.map(|part| (Mark::within(part.epoch, part.steps), part.steps));
        rows.chain(parts)
            .filter(|(mark, steps)| *steps < end && self.is_whole(stage, *mark))
            .max_by_key(|(_, steps)| *steps)
    }

    /// Whether there is anything that a run can go on from: a checkpoint, or what a stage left that is done.
    pub(super) fn has_weights(&self, state: &RunState) -> bool {
        let has_checkpoint = |stage| self.last_checkpoint(stage, state).is_some();
        match state.stages_done {
            0 => has_checkpoint(1) || has_checkpoint(2),
            1 => has_checkpoint(2) || self.stage1_weights().exists(),
            _ => true,
        }
    }

    /// The averaged weights of stage 1's best epoch, which stage 2 begins with.
    pub(super) fn stage1_weights(&self) -> PathBuf {
        self.0.join("stage1.safetensors")
    }

    /// Writes the state, and the log as a table for people.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write_state(&self, state: &RunState, labels: &[(u8, String)]) -> Result<(), TrainError> {
        let names: Vec<String> = labels[1..]
            .iter()
            .map(|(value, _)| format!("dice_{value}"))
            .collect();
        let names = names.join(",");
        let mut csv = format!("stage,epoch,steps,loss,learning_rate,seconds,data_wait,{names}\n");
        for row in &state.log {
            let dice: Vec<String> = row.dice.iter().map(|d| format!("{d:.5}")).collect();
            csv += &format!(
                "{},{},{},{:.5},{:.3e},{:.1},{:.4},{}\n",
                row.stage,
                row.epoch,
                row.steps,
                row.loss,
                row.learning_rate,
                row.seconds,
                row.data_wait,
                dice.join(",")
            );
        }
        self.write(&self.0.join("log.csv"), csv.as_bytes())?;
        let json = serde_json::to_vec_pretty(state).expect("a state is plain data");
        self.write(&self.state_path(), &json)
    }

    /// Removes the checkpoints of a stage that is done.
    pub(super) fn remove_checkpoints(&self, stage: usize) {
        let prefix = format!("stage{stage}-");
        let Ok(entries) = std::fs::read_dir(self.0.join("checkpoint")) else {
            return;
        };
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                // A file that stays behind harms nobody.
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    /// Removes one checkpoint of a stage.
    pub(super) fn remove_checkpoint(&self, stage: usize, mark: Mark) {
        for part in PARTS {
            let _ = std::fs::remove_file(self.part(stage, part, mark));
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, TrainError> {
        std::fs::read(path).map_err(|cause| TrainError::File {
            path: path.to_owned(),
            cause,
        })
    }

    /// Writes a file whole.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
        write_whole(path, bytes).map_err(|cause| TrainError::File {
            path: path.to_owned(),
            cause,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<LogRow> {
        let row = |(stage, epoch): (usize, usize)| LogRow {
            stage,
            epoch,
            steps: 10 * epoch,
            loss: 1.0,
            learning_rate: 1e-3,
            dice: vec![0.5 + 0.1 * epoch as f64, 0.4 + 0.1 * epoch as f64],
            seconds: 60.0,
            data_wait: 0.0,
        };
        [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)].map(row).to_vec()
    }

    #[test]
    fn one_training_at_a_time_has_the_folder() {
        let name = format!("dinomed3d-held-{}", std::process::id());
        let folder = RunFolder(std::env::temp_dir().join(name));
        let held = folder.hold().unwrap();
        let error = folder.hold().unwrap_err().to_string();
        assert!(error.contains("another training is at work in"), "{error}");
        drop(held);
        assert!(!folder.0.exists(), "nothing was written");
        // What a killed program left.
        std::fs::create_dir(&folder.0).unwrap();
        std::fs::write(folder.0.join(".lock"), "").unwrap();
        let held = folder.hold().unwrap();
        std::fs::write(folder.0.join("log.csv"), "").unwrap();
        drop(held);
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
        std::fs::remove_dir_all(&folder.0).unwrap();
    }

    /// By hand: mean Dice of the epochs of stage 2 is 0.55, 0.65, 0.75.
    #[test]
    fn the_best_epoch_is_of_its_stage() {
        let mut state = RunState {
            log: log(),
            ..RunState::default()
        };
        assert_eq!(state.best(2).unwrap().epoch, 3);
        assert_eq!(state.best_until(2, 2).unwrap().epoch, 2);
        assert!((state.best_dice().unwrap() - 0.75).abs() < 1e-12);
        state.rewind(1, 20);
        assert_eq!(state.best(2), None);
        assert_eq!(state.best_dice(), None);
        assert_eq!(state.log.len(), 2);
    }

    #[test]
    fn a_log_without_validation_can_be_read_again() {
        let mut state = RunState {
            log: log(),
            ..RunState::default()
        };
        for row in &mut state.log {
            row.dice.clear();
        }
        let json = serde_json::to_string(&state).unwrap();
        assert!(!json.contains("null"), "{json}");
        let again: RunState = serde_json::from_str(&json).unwrap();
        assert_eq!(again.log, state.log);
        assert_eq!(again.best(2).unwrap().epoch, 3, "the last");
        assert_eq!(again.best_dice(), None);
    }
}
