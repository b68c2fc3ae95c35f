//! A worker's life: it is started, says that it is ready, proves itself, and ends. Another follows, or the visitor is asked.

use crate::language::model;
use crate::protocol::{AVOID_PARAMETER, BACKEND_PARAMETER, BackendChoice};

/// Workers that may die one after the other, without a finished job between, before the page asks the visitor.
const MAX_RESTARTS: u32 = 2;

/// Number of a worker. A late word of an ended one is known by it.
pub type Generation = u32;

/// The present worker, and what its predecessors have taught.
#[derive(Debug, Default)]
pub struct Life {
    generation: Generation,
    stage: Stage,
    restarts: u32,
    avoids_webgpu: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Stage {
    #[default]
    Ended,
    Started,
    Ready,
    /// It has loaded a model.
    Proven,
}

impl Life {
    /// A fresh worker takes the place of whatever there was.
    pub fn begin(&mut self) -> Generation {
        self.generation += 1;
        self.stage = Stage::Started;
        self.generation
    }

    /// Query of the worker's address.
    pub fn query(&self, choice: BackendChoice) -> String {
        let mut query = format!("?{BACKEND_PARAMETER}={}", choice.as_str());
        if self.avoids_webgpu {
            // What else an address may not hold has no place in that sentence, or the browser sees to it.
            let reason = model::WEBGPU_FAILED.replace(' ', "%20");
            query.push_str(&format!("&{AVOID_PARAMETER}={reason}"));
        }
        query
    }

    /// Whether that worker is the present one.
    pub fn is_present(&self, generation: Generation) -> bool {
        self.is_there() && self.generation == generation
    }

    /// Whether there is a worker, be it one that is still starting.
    pub fn is_there(&self) -> bool {
        self.stage > Stage::Ended
    }

    /// Whether the worker takes requests.
    pub fn is_ready(&self) -> bool {
        self.stage >= Stage::Ready
    }

    /// Whether this worker follows one that died.
    pub fn is_restarted(&self) -> bool {
        self.restarts > 0
    }

    /// The worker says that it takes requests; false if it has said so before.
    pub fn greets(&mut self) -> bool {
        let is_first = self.stage == Stage::Started;
        if is_first {
            self.stage = Stage::Ready;
        }
        is_first
    }

    /// The worker has loaded a model.
    pub fn proves_itself(&mut self) {
        self.stage = Stage::Proven;
    }

    /// A job is finished, or the visitor wants to try again: deaths before do not count any more.
    pub fn forgive(&mut self) {
        self.restarts = 0;
    }

    /// WebGPU may be tried again.
    pub fn trust_webgpu(&mut self) {
        self.avoids_webgpu = false;
    }

    /// The worker is dead; returns whether another should follow at once.
    pub fn end(&mut self, choice: BackendChoice, ran_webgpu: bool) -> bool {
        let may_restart = self.stage == Stage::Proven && self.restarts < MAX_RESTARTS;
        self.stage = Stage::Ended;
        self.restarts += 1;
        if ran_webgpu && choice == BackendChoice::Automatic {
            self.avoids_webgpu = true;
            return true;
        }
        may_restart
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that has loaded a model.
    fn proven(life: &mut Life) {
        life.begin();
        assert!(life.greets());
        life.proves_itself();
    }

    #[test]
    fn an_ended_worker_is_not_the_present_one() {
        let mut life = Life::default();
        let first = life.begin();
        assert!(life.is_present(first));
        let second = life.begin();
        assert!(!life.is_present(first) && life.is_present(second));
        life.end(BackendChoice::Cpu, false);
        assert!(!life.is_present(second) && !life.is_there());
    }

    #[test]
    fn a_worker_greets_once() {
        let mut life = Life::default();
        life.begin();
        assert!(!life.is_ready());
        assert!(life.greets() && life.is_ready());
        assert!(!life.greets(), "a second greeting is about the backend");
    }

    #[test]
    fn two_workers_follow_one_that_worked_and_then_the_visitor_is_asked() {
        let mut life = Life::default();
        for goes_on in [true, true, false] {
            proven(&mut life);
            assert_eq!(life.end(BackendChoice::Cpu, false), goes_on);
        }
        proven(&mut life);
        life.forgive();
        assert!(life.end(BackendChoice::Cpu, false));
    }

    #[test]
    fn none_follows_a_worker_that_never_worked() {
        let mut life = Life::default();
        life.begin();
        assert!(!life.end(BackendChoice::WebGpu, false));
    }

    #[test]
    fn webgpu_is_left_alone_after_it_failed_unless_the_visitor_insists() {
        let mut life = Life::default();
        life.begin();
        life.greets();
        assert!(life.end(BackendChoice::Automatic, true));
        assert!(
            life.query(BackendChoice::Automatic)
                .contains("&avoid-webgpu=")
        );
        life.trust_webgpu();
        assert_eq!(life.query(BackendChoice::WebGpu), "?backend=webgpu");
        life.begin();
        assert!(!life.end(BackendChoice::WebGpu, true));
    }
}
