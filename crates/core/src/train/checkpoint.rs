//! Checkpoints: files of the learner that are whole or not there, and the weights that people use.

use super::TrainError;
use super::ema_network::EmaNetwork;
use super::network::Network;
use super::run_folder::{Mark, PARTS, RunFolder, RunState};
use super::stretch::Stretches;
use crate::weights::file::Quantization;
use crate::weights::{encode, named_tensors};
use burn::module::Module;
use burn::optim::OptimizerRecord;
use burn::optim::lr_scheduler::LrSchedulerRecord;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use burn::train::checkpoint::{Checkpoint, Checkpointer, CheckpointerError};
use dinomed3d_volume::atomic_file::write_whole;
use std::fmt::Display;
use std::io;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Keeps one part of a checkpoint in a file that is whole or not there. (The learner's own
/// checkpointer writes in place: a kill at the wrong moment leaves half a file.)
#[derive(Debug)]
pub struct PartFile<R> {
    folder: RunFolder,
    stage: usize,
    part: &'static str,
    stretches: Arc<Stretches>,
    record: PhantomData<fn() -> R>,
}

impl<R> PartFile<R> {
    fn new(folder: &RunFolder, stage: usize, part: usize, stretches: &Arc<Stretches>) -> Self {
        Self {
            folder: folder.clone(),
            stage,
            part: PARTS[part],
            stretches: stretches.clone(),
            record: PhantomData,
        }
    }

    /// Of the optimiser.
    pub fn optimizer(folder: &RunFolder, stage: usize, stretches: &Arc<Stretches>) -> Self {
        Self::new(folder, stage, 1, stretches)
    }

    /// Of the learning rates.
    pub fn scheduler(folder: &RunFolder, stage: usize, stretches: &Arc<Stretches>) -> Self {
        Self::new(folder, stage, 2, stretches)
    }

    fn path(&self, number: usize) -> PathBuf {
        let (mark, _) = self.stretches.marks(number);
        self.folder.part(self.stage, self.part, mark)
    }

    /// Writes this part. With the last part the checkpoint is whole, and those before it may go: each part has a thread of
    /// its own, and a checkpoint that went earlier could leave none that is whole.
    fn write(&self, number: usize, bytes: &[u8]) -> Result<(), CheckpointerError> {
        let path = self.path(number);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| named(parent, error))?;
        }
        write_whole(&path, bytes).map_err(|error| named(&path, error))?;
        let (mark, before) = self.stretches.marks(number);
        if self.folder.is_whole(self.stage, mark) {
            for mark in before {
                self.folder.remove_checkpoint(self.stage, mark);
            }
        }
        Ok(())
    }
}

/// The learner shows an error as it is, so it says of which file it is.
fn named(path: &Path, error: io::Error) -> CheckpointerError {
    let said = format!("{}: {error}", path.display());
    CheckpointerError::IOError(io::Error::new(error.kind(), said))
}

impl<R: Checkpoint> Checkpointer<R> for PartFile<R> {
    fn save(&self, number: usize, record: R) -> Result<(), CheckpointerError> {
        let bytes = record
            .checkpoint_into_bytes()
            .map_err(CheckpointerError::Record)?;
        self.write(number, &bytes)
    }

    /// Never asked for: a checkpoint goes when a later one is whole.
    fn delete(&self, _number: usize) -> Result<(), CheckpointerError> {
        Ok(())
    }

    fn restore(&self, number: usize) -> Result<R, CheckpointerError> {
        let path = self.path(number);
        let bytes = std::fs::read(&path).map_err(|error| named(&path, error))?;
        R::checkpoint_from_bytes(Bytes::from_bytes_vec(bytes)).map_err(CheckpointerError::Record)
    }
}

/// Whether all parts of the checkpoint at a mark can be read, as the learner panics at one that can't; `template` has the shapes of
/// the network.
///
/// # Errors
/// [`TrainError::Checkpoint`], which says what the run can go on from without it.
pub(super) fn expect_readable<N: Network>(
    folder: &RunFolder,
    stage: usize,
    (mark, steps): (Mark, usize),
    state: &RunState,
    template: &EmaNetwork<N>,
) -> Result<(), TrainError> {
    let [network, optimizer, scheduler] = PARTS.map(|part| folder.part(stage, part, mark));
    let without = match folder.last_checkpoint_before(stage, state, steps) {
        Some((_, steps)) => format!("the checkpoint after step {steps} of stage {stage}"),
        None => format!("the beginning of stage {stage}"),
    };
    let damaged = |path: &PathBuf, error: &dyn Display| {
        let then = format!("remove it, and the run goes on from {without}");
        TrainError::damaged(path.clone(), error, &then)
    };
    let bytes = |path: &PathBuf| Ok::<_, TrainError>(Bytes::from_bytes_vec(folder.read(path)?));
    let record = ModuleRecord::from_bytes(bytes(&network)?);
    let record = record.map_err(|error| damaged(&network, &error))?;
    let loaded = template.clone().try_load_record(record);
    loaded.map_err(|error| damaged(&network, &format!("{error:?}")))?;
    let read = OptimizerRecord::from_bytes(bytes(&optimizer)?);
    read.map_err(|error| damaged(&optimizer, &error))?;
    let read = LrSchedulerRecord::checkpoint_from_bytes(bytes(&scheduler)?);
    read.map_err(|error| damaged(&scheduler, &error))?;
    Ok(())
}

/// Saves a network with its moving average, and at the end of an epoch the averaged weights that people use.
#[derive(Debug)]
pub struct NetworkFile<N: Network> {
    /// Has the shapes of what is saved.
    pub template: EmaNetwork<N>,
    /// Where to.
    pub folder: RunFolder,
    /// 1 or 2.
    pub stage: usize,
    /// Says which epoch is the best.
    pub state: Arc<Mutex<RunState>>,
    /// How the stage goes through its epochs.
    pub stretches: Arc<Stretches>,
}

impl<N: Network> NetworkFile<N> {
    fn part(&self) -> PartFile<ModuleRecord> {
        PartFile::new(&self.folder, self.stage, 0, &self.stretches)
    }

    /// Averaged weights: of stage 1 those of the best epoch, which stage 2 begins with, of stage 2 those of the last
    /// checkpoint too, also amid an epoch: a run that is cut short leaves more than a checkpoint then.
    fn write_weights(&self, mark: Mark, network: &EmaNetwork<N>) -> Result<(), TrainError> {
        let ends_epoch = mark.steps.is_none();
        let is_best = ends_epoch && {
            let state = self.state.lock().unwrap_or_else(|e| e.into_inner());
            // A later epoch may be done by now.
            let best = state.best_until(self.stage, mark.epoch);
            best.is_some_and(|row| row.epoch == mark.epoch)
        };
        if self.stage == 1 && !is_best {
            return Ok(());
        }
        let bytes = encode(&named_tensors(&network.average), Quantization::None)?;
        let write = |name: &str| self.folder.write(&self.folder.0.join(name), &bytes);
        if self.stage == 1 {
            return write("stage1.safetensors");
        }
        write("last.safetensors")?;
        if is_best {
            write("best.safetensors")?;
        }
        Ok(())
    }
}

impl<N: Network> Checkpointer<ModuleRecord> for NetworkFile<N> {
    fn save(&self, number: usize, record: ModuleRecord) -> Result<(), CheckpointerError> {
        let bytes = record.into_bytes().map_err(CheckpointerError::Record)?;
        let record = ModuleRecord::from_bytes(bytes.clone()).map_err(CheckpointerError::Record)?;
        let network = self
            .template
            .clone()
            .try_load_record(record)
            .map_err(|error| CheckpointerError::Unknown(format!("{error:?}")))?;
        self.write_weights(self.stretches.marks(number).0, &network)
            .map_err(|error| CheckpointerError::Unknown(error.to_string()))?;
        self.part().write(number, &bytes)
    }

    fn delete(&self, number: usize) -> Result<(), CheckpointerError> {
        self.part().delete(number)
    }

    fn restore(&self, number: usize) -> Result<ModuleRecord, CheckpointerError> {
        self.part().restore(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_of_which_file_it_is() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = named(Path::new("run/model-3.mpk"), full);
        let CheckpointerError::IOError(error) = error else {
            panic!("{error:?}");
        };
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        assert!(
            error.to_string().starts_with("run/model-3.mpk: "),
            "{error}"
        );
    }
}
