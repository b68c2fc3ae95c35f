//! Checkpoints: where a run stands, whole or not at all.

use super::TrainError;
use super::ema::MovingAverage;
use crate::atomic_file::write_whole;
use crate::weights::file::Quantization;
use crate::weights::{decode, encode};
use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// One row of the log.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq)]
pub struct LogRow {
    /// 1 or 2.
    pub stage: usize,
    /// From 1.
    pub epoch: usize,
    /// Optimiser steps of this stage so far.
    pub steps: usize,
    /// Mean training loss of the epoch.
    pub loss: f32,
    /// At the end of the epoch.
    pub learning_rate: f64,
    /// Mean Dice of each foreground class on the validation cases.
    pub dice: Vec<f64>,
    /// Wall-clock time of the epoch.
    pub seconds: f64,
}

/// Where a run stands: the last file written, naming the others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RunState {
    /// Stage under way, 1 or 2.
    pub stage: usize,
    /// Epochs of that stage that are done.
    pub epochs_done: usize,
    /// Optimiser steps of that stage that are done.
    pub steps_done: usize,
    /// Highest mean validation Dice of stage 2.
    pub best_dice: f64,
    /// The log so far.
    pub log: Vec<LogRow>,
    /// Part of the names of the checkpoint's other files.
    pub tag: String,
}

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunFolder(pub PathBuf);

impl RunFolder {
    fn state_path(&self) -> PathBuf {
        self.0.join("state.json")
    }

    fn part(&self, tag: &str, name: &str) -> PathBuf {
        self.0.join(format!("checkpoint-{tag}-{name}"))
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

    /// Saves everything; the state file, written last, makes it count. Older parts go after.
    ///
    /// # Errors
    /// [`TrainError::File`] or [`TrainError::Weights`].
    pub fn save<M: Module>(
        &self,
        state: &mut RunState,
        network: &M,
        optimizer: &ModuleOptimizer,
        average: &MovingAverage,
    ) -> Result<(), TrainError> {
        let old_tag = std::mem::replace(
            &mut state.tag,
            format!("{}-{}", state.stage, state.epochs_done),
        );
        let tag = state.tag.clone();
        let damaged = |path: &Path, error: &dyn std::fmt::Display| TrainError::Checkpoint {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let path = self.part(&tag, "network.bpk");
        let bytes = network
            .clone()
            .into_record()
            .into_bytes()
            .map_err(|e| damaged(&path, &e))?;
        self.write(&path, &bytes)?;
        let path = self.part(&tag, "optimizer.bpk");
        let bytes = optimizer.into_bytes().map_err(|e| damaged(&path, &e))?;
        self.write(&path, &bytes)?;
        self.write(
            &self.part(&tag, "average.safetensors"),
            &encode(average.tensors(), Quantization::None)?,
        )?;
        let json = serde_json::to_vec_pretty(state).expect("a state is plain data");
        self.write(&self.state_path(), &json)?;
        if !old_tag.is_empty() && old_tag != tag {
            for name in ["network.bpk", "optimizer.bpk", "average.safetensors"] {
                // A file that stays behind harms nobody.
                let _ = std::fs::remove_file(self.part(&old_tag, name));
            }
        }
        Ok(())
    }

    /// Loads what [`save`](Self::save) saved.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] if a part is missing, damaged or does not fit.
    pub fn load<M: Module>(
        &self,
        state: &RunState,
        network: M,
        optimizer: ModuleOptimizer,
        ema_decay: f32,
    ) -> Result<(M, ModuleOptimizer, MovingAverage), TrainError> {
        let damaged = |path: &Path, reason: String| TrainError::Checkpoint {
            path: path.to_owned(),
            reason,
        };
        let path = self.part(&state.tag, "network.bpk");
        let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(self.read(&path)?))
            .map_err(|e| damaged(&path, e.to_string()))?;
        let network = network
            .try_load_record(record)
            .map_err(|e| damaged(&path, format!("{e:?}")))?;
        let path = self.part(&state.tag, "optimizer.bpk");
        let optimizer = optimizer
            .from_bytes(Bytes::from_bytes_vec(self.read(&path)?))
            .map_err(|e| damaged(&path, e.to_string()))?;
        let path = self.part(&state.tag, "average.safetensors");
        let average = MovingAverage::resume(decode(&self.read(&path)?)?, ema_decay);
        Ok((network, optimizer, average))
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
