//! What a run tells while it goes.

use super::TrainError;
use super::run_folder::LogRow;
use super::stop::Stop;
use super::stretch::Stretches;
use burn::train::logger::{EvaluationProgressLogger, TrainingProgressLogger};
use burn::train::metric::{MetricDefinition, MetricId};
use burn::train::renderer::{
    EvaluationName, MetricState, MetricsRenderer, MetricsRendererEvaluation,
    MetricsRendererTraining,
};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

/// What a run tells while it goes.
#[derive(Clone, Debug)]
pub enum Event {
    /// A batch has been learnt from.
    Step {
        /// 1 or 2.
        stage: usize,
        /// From 1.
        epoch: usize,
        /// Batches of this stage done, on all devices together.
        step: usize,
        /// Batches of this stage in all.
        total_steps: usize,
        /// Training loss of the batch.
        loss: f32,
        /// Wall-clock time since the last batch.
        seconds: f64,
    },
    /// A case has been validated.
    Case {
        /// 1 or 2.
        stage: usize,
        /// Cases done in this epoch.
        done: usize,
        /// Cases in all.
        total: usize,
    },
    /// An epoch is done and validated, and about to be saved.
    Epoch(LogRow),
}

/// Turns what the learner shows into [`Event`]s, and stops it when the loss leaves the numbers.
pub(super) struct Reporter {
    stage: usize,
    step: usize,
    total_steps: usize,
    events: Sender<Event>,
    stop: Stop,
    stretches: Arc<Stretches>,
    loss_metric: Option<MetricId>,
    loss: f32,
    /// While cases are validated: their number.
    total_cases: Option<usize>,
    last: Instant,
}

impl Reporter {
    pub fn new(
        stage: usize,
        steps_before: usize,
        total_steps: usize,
        stretches: Arc<Stretches>,
        events: Sender<Event>,
        stop: Stop,
    ) -> Self {
        Self {
            stage,
            step: steps_before,
            total_steps,
            events,
            stop,
            stretches,
            loss_metric: None,
            loss: f32::NAN,
            total_cases: None,
            last: Instant::now(),
        }
    }

    fn tell(&self, event: Event) {
        // Whoever listens may have gone; that is no reason to stop training.
        let _ = self.events.send(event);
    }
}

impl MetricsRendererTraining for Reporter {
    fn update_train(&mut self, state: MetricState) {
        let MetricState::Numeric(entry, Some(value)) = state else {
            return;
        };
        if Some(&entry.metric_id) != self.loss_metric.as_ref() {
            return;
        }
        self.loss = value.current() as f32;
        if !self.loss.is_finite() {
            self.stop.because(TrainError::Diverged {
                stage: self.stage,
                step: self.step + 1,
                loss: self.loss,
            });
        }
    }

    fn update_valid(&mut self, _state: MetricState) {}
}

impl TrainingProgressLogger for Reporter {
    fn start(
        &mut self,
        _total_epochs: usize,
        _starting_epoch: usize,
        _total_items: Option<usize>,
        _label: Option<&str>,
    ) {
        self.last = Instant::now();
    }

    fn update_epoch(&mut self, _epoch: usize) {}

    fn start_split(&mut self, split: &str, total_items: usize) {
        let validates = split.to_lowercase().starts_with("valid");
        self.total_cases = validates.then_some(total_items);
        self.last = Instant::now();
    }

    fn update_split(&mut self, items_processed: usize) {
        if let Some(total) = self.total_cases {
            return self.tell(Event::Case {
                stage: self.stage,
                done: items_processed,
                total,
            });
        }
        // Devices may have a batch less than others.
        self.step = (self.step + 1).min(self.total_steps);
        let seconds = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        self.tell(Event::Step {
            stage: self.stage,
            epoch: self.stretches.epoch(),
            step: self.step,
            total_steps: self.total_steps,
            loss: self.loss,
            seconds,
        });
    }

    fn end_split(&mut self) {}

    fn end(&mut self) {}

    fn log_event_training(&mut self, _event: String) {}
}

// A learner asks its renderer for these too; a run has no test split.
impl MetricsRendererEvaluation for Reporter {
    fn update_test(&mut self, _name: EvaluationName, _state: MetricState) {}
}

impl EvaluationProgressLogger for Reporter {
    fn start_global_progress(&mut self, _total_tests: usize) {}

    fn start_test(&mut self, _name: &str, _total_items: usize) {}

    fn update_test_progress(&mut self, _items_processed: usize) {}

    fn end_test(&mut self) {}

    fn end_global_progress(&mut self) {}

    fn log_event_evaluation(&mut self, _event: String) {}
}

impl MetricsRenderer for Reporter {
    fn manual_close(&mut self) {}

    fn register_metric(&mut self, definition: MetricDefinition) {
        if definition.name.as_str() == "Loss" {
            self.loss_metric = Some(definition.metric_id);
        }
    }
}
