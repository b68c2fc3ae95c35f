//! Checkpoints: files of the learner that are whole or not there, and the weights that people use.

use super::TrainError;
use super::network::Network;
use super::run_folder::{PARTS, RunFolder, RunState};
use super::student::Student;
use crate::weights::file::Quantization;
use crate::weights::{encode, named_tensors};
use burn::module::Module;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use dinomed3d_volume::atomic_file::write_whole;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

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
