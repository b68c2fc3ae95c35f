//! Validation Dice of a label, as a metric of the learner.

use super::ema_network::CaseDice;
use burn::tensor::TensorReadError;
use burn::train::metric::state::{FormatOptions, NumericMetricState};
use burn::train::metric::{
    Metric, MetricAttributes, MetricMetadata, MetricName, Numeric, NumericAttributes, NumericEntry,
    SerializedEntry,
};
use std::sync::Arc;

/// Mean Dice of one foreground class over the validation cases.
#[derive(Clone)]
pub struct LabelDice {
    place: usize,
    name: MetricName,
    state: NumericMetricState,
}

impl LabelDice {
    /// The metric of the foreground class at `place` (0 is the first after background).
    pub fn new(place: usize) -> Self {
        Self {
            place,
            name: Arc::new(Self::name_of(place)),
            state: NumericMetricState::default(),
        }
    }

    /// What the metric is called.
    pub fn name_of(place: usize) -> String {
        format!("Dice of class {}", place + 1)
    }
}

impl Metric for LabelDice {
    type Input = CaseDice;

    fn name(&self) -> MetricName {
        self.name.clone()
    }

    fn attributes(&self) -> MetricAttributes {
        NumericAttributes {
            unit: None,
            higher_is_better: true,
        }
        .into()
    }

    fn update(
        &mut self,
        case: &CaseDice,
        _metadata: &MetricMetadata,
    ) -> Result<SerializedEntry, TensorReadError> {
        self.state.update(case.0[self.place], 1);
        Ok(self.state.compute_update(FormatOptions::new(self.name())))
    }

    fn compute(&mut self) -> Result<SerializedEntry, TensorReadError> {
        Ok(self.state.compute_final(FormatOptions::new(self.name())))
    }

    fn clear(&mut self) {
        self.state.reset();
    }
}

impl Numeric for LabelDice {
    fn value(&self) -> Option<NumericEntry> {
        Some(self.state.current_value())
    }

    fn running_value(&self) -> Option<NumericEntry> {
        Some(self.state.running_value())
    }

    fn final_value(&self) -> NumericEntry {
        self.state.final_value()
    }
}
