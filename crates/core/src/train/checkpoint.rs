//! The folder of a run: its log, its checkpoints and its weights, each file whole or not there.

use super::TrainError;
use super::network::Network;
use super::student::Student;
use crate::atomic_file::write_whole;
use crate::weights::file::Quantization;
use crate::weights::{encode, named_tensors};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

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
    /// Share of the epoch's training that was spent waiting for data.
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
const PARTS: [&str; 3] = ["model", "optimizer", "scheduler"];

impl RunFolder {
    fn state_path(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn part(&self, stage: usize, part: &str, epoch: usize) -> PathBuf {
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

/// Keeps one part of a checkpoint in a file that is whole or not there. (The learner's own
/// checkpointer writes in place: a kill at the wrong moment leaves half a file.)
#[derive(Debug)]
pub struct PartFile<R> {
    folder: RunFolder,
    stage: usize,
    part: &'static str,
    record: PhantomData<fn() -> R>,
}

impl<R> PartFile<R> {
    fn new(folder: &RunFolder, stage: usize, part: usize) -> Self {
        Self {
            folder: folder.clone(),
            stage,
            part: PARTS[part],
            record: PhantomData,
        }
    }

    /// Of the optimiser.
    pub fn optimizer(folder: &RunFolder, stage: usize) -> Self {
        Self::new(folder, stage, 1)
    }

    /// Of the learning rates.
    pub fn scheduler(folder: &RunFolder, stage: usize) -> Self {
        Self::new(folder, stage, 2)
    }

    fn path(&self, epoch: usize) -> PathBuf {
        self.folder.part(self.stage, self.part, epoch)
    }

    fn write(&self, epoch: usize, bytes: &[u8]) -> Result<(), CheckpointerError> {
        let path = self.path(epoch);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(CheckpointerError::IOError)?;
        }
        write_whole(&path, bytes).map_err(CheckpointerError::IOError)
    }
}

impl<R: Checkpoint> Checkpointer<R> for PartFile<R> {
    fn save(&self, epoch: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record
            .checkpoint_into_bytes()
            .map_err(CheckpointerError::Record)?;
        self.write(epoch, &bytes)
    }

    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        match std::fs::remove_file(self.path(epoch)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(CheckpointerError::IOError(error))
            }
            _ => Ok(()),
        }
    }

    fn restore(&self, epoch: usize) -> Result<R, CheckpointerError> {
        let bytes = std::fs::read(self.path(epoch)).map_err(CheckpointerError::IOError)?;
        R::checkpoint_from_bytes(Bytes::from_bytes_vec(bytes)).map_err(CheckpointerError::Record)
    }
}

/// Saves a student, and the averaged weights that people use.
#[derive(Debug)]
pub struct StudentFile<N: Network> {
    /// Has the shapes of what is saved.
    pub template: Student<N>,
    /// Where to.
    pub folder: RunFolder,
    /// 1 or 2.
    pub stage: usize,
    /// Says which epoch is the best.
    pub state: Arc<Mutex<RunState>>,
}

impl<N: Network> StudentFile<N> {
    fn part(&self) -> PartFile<ModuleRecord> {
        PartFile::new(&self.folder, self.stage, 0)
    }

    /// Averaged weights of the last and of the best epoch.
    fn write_weights(&self, epoch: usize, student: &Student<N>) -> Result<(), TrainError> {
        let bytes = encode(&named_tensors(&student.average), Quantization::None)?;
        let folder = &self.folder.0;
        if self.stage == 1 {
            return self
                .folder
                .write(&folder.join("stage1.safetensors"), &bytes);
        }
        self.folder
            .write(&folder.join("last.safetensors"), &bytes)?;
        let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
        if state.best(self.stage).is_some_and(|row| row.epoch == epoch) {
            self.folder
                .write(&folder.join("best.safetensors"), &bytes)?;
        }
        Ok(())
    }
}

impl<N: Network> Checkpointer<ModuleRecord> for StudentFile<N> {
    fn save(&self, epoch: usize, record: ModuleRecord) -> Result<(), CheckpointerError> {
        let bytes = record.into_bytes().map_err(CheckpointerError::Record)?;
        let record = ModuleRecord::from_bytes(bytes.clone()).map_err(CheckpointerError::Record)?;
        let student = self
            .template
            .clone()
            .try_load_record(record)
            .map_err(|error| CheckpointerError::Unknown(format!("{error:?}")))?;
        self.write_weights(epoch, &student)
            .map_err(|error| CheckpointerError::Unknown(error.to_string()))?;
        self.part().write(epoch, &bytes)
    }

    fn delete(&self, epoch: usize) -> Result<(), CheckpointerError> {
        self.part().delete(epoch)
    }

    fn restore(&self, epoch: usize) -> Result<ModuleRecord, CheckpointerError> {
        self.part().restore(epoch)
    }
}
