//! Exponential moving average of the weights.

use crate::weights::{NamedTensors, named_tensors};
use burn::module::Module;

/// A copy of the weights that follows them slowly and validates better than they do.
#[derive(Clone, Debug)]
pub struct MovingAverage {
    tensors: NamedTensors,
    decay: f32,
}

impl MovingAverage {
    /// Starts at the weights of `module`.
    pub fn new<M: Module>(module: &M, decay: f32) -> Self {
        Self {
            tensors: named_tensors(module),
            decay,
        }
    }

    /// Continues from a saved average.
    pub fn resume(tensors: NamedTensors, decay: f32) -> Self {
        Self { tensors, decay }
    }

    /// Moves towards the weights of `module`; quickly in the first steps, when the average
    /// still remembers the random start.
    pub fn update<M: Module>(&mut self, module: &M, step: usize) {
        let decay = self.decay.min((1 + step) as f32 / (10 + step) as f32);
        for (name, tensor) in named_tensors(module) {
            let average = self
                .tensors
                .get_mut(&name)
                .expect("the network keeps its parameters");
            for (average, value) in average.values.iter_mut().zip(&tensor.values) {
                *average += (1.0 - decay) * (value - *average);
            }
        }
    }

    /// The averaged weights.
    pub fn tensors(&self) -> &NamedTensors {
        &self.tensors
    }
}
