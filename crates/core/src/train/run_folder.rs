//! The folder of a run and its log, each file whole or not there.

use super::TrainError;
use dinomed3d_volume::atomic_file::write_whole;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

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
    /// Mean Dice of each foreground class on the validation cases.
    pub dice: Vec<f64>,
    /// Wall-clock time of the epoch, validation included.
    pub seconds: f64,
    /// Share of that time that was spent waiting for data.
    #[serde(default)]
    pub data_wait: f64,
}

impl LogRow {
    /// Mean Dice over the foreground classes.
    pub fn mean_dice(&self) -> f64 {
        self.dice.iter().sum::<f64>() / self.dice.len() as f64
    }
}

/// What a run has done so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Number of stages that are done, by their last epoch or by early stopping.
    #[serde(default)]
    pub stages_done: usize,
    /// One row for every epoch.
    pub log: Vec<LogRow>,
}

impl RunState {
    /// Highest mean validation Dice of stage 2; zero before its first epoch.
    pub fn best_dice(&self) -> f64 {
        self.best(2).map_or(0.0, LogRow::mean_dice)
    }

    /// The epoch of `stage` with the highest mean Dice, the last of several.
    pub fn best(&self, stage: usize) -> Option<&LogRow> {
        let rows = self.log.iter().filter(|row| row.stage == stage);
        rows.max_by(|a, b| a.mean_dice().total_cmp(&b.mean_dice()))
    }

    /// Forgets what came after `epoch` of `stage`.
    pub fn rewind(&mut self, stage: usize, epoch: usize) {
        self.log
            .retain(|row| row.stage < stage || (row.stage == stage && row.epoch <= epoch));
    }
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunFolder(pub PathBuf);

/// Parts of a checkpoint. It counts when all are there.
pub(super) const PARTS: [&str; 3] = ["model", "optimizer", "scheduler"];

impl RunFolder {
    fn state_path(&self) -> PathBuf {
        self.0.join("state.json")
    }

    pub(super) fn part(&self, stage: usize, part: &str, epoch: usize) -> PathBuf {
        let file = format!("stage{stage}-epoch{epoch}-{part}.bpk");
        self.0.join("checkpoint").join(file)
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
            .map_err(|error| TrainError::Checkpoint {
                path,
                reason: error.to_string(),
            })
    }

    /// The last epoch of `stage` that a run can go on after.
    pub fn last_checkpoint(&self, stage: usize, state: &RunState) -> Option<usize> {
        let is_whole = |epoch: &usize| {
            PARTS
                .iter()
                .all(|part| self.part(stage, part, *epoch).exists())
        };
        let rows = state.log.iter().filter(|row| row.stage == stage);
        rows.map(|row| row.epoch).filter(is_whole).max()
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
    pub fn remove_checkpoints(&self, stage: usize) {
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

    /// Reads a file.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, TrainError> {
        std::fs::read(path).map_err(|source| TrainError::File {
            path: path.to_owned(),
            source,
        })
    }

    /// Writes a file whole.
    ///
    /// # Errors
    /// [`TrainError::File`].
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
        write_whole(path, bytes).map_err(|source| TrainError::File {
            path: path.to_owned(),
            source,
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

    /// By hand: mean Dice of the epochs of stage 2 is 0.55, 0.65, 0.75.
    #[test]
    fn the_best_epoch_is_of_its_stage() {
        let mut state = RunState {
            stages_done: 0,
            log: log(),
        };
        assert_eq!(state.best(2).unwrap().epoch, 3);
        assert!((state.best_dice() - 0.75).abs() < 1e-12);
        state.rewind(1, 2);
        assert_eq!(state.best(2), None);
        assert_eq!(state.best_dice(), 0.0);
        assert_eq!(state.log.len(), 2);
    }
}
