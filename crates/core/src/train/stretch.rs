//! How a stage goes through its epochs.
//!
//! The learner saves only after what it takes for an epoch, and an epoch may last an hour. So it is given stretches of
//! epochs instead, each as long as may lie between two checkpoints. Only one that ends an epoch is validated.

use super::run_folder::Mark;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// What the loaders, the log and the checkpoints of a stage know of its course. A round is a batch on every device.
#[derive(Debug)]
pub struct Stretches {
    rounds_per_epoch: usize,
    /// Rounds of a step of the optimiser.
    accumulation: usize,
    /// After how long a stretch ends.
    longest: Duration,
    course: Mutex<Course>,
}

#[derive(Debug)]
struct Course {
    /// How many stretches came before.
    number: usize,
    /// From 0.
    epoch: usize,
    /// The first round, from 0 in its epoch.
    first: usize,
    /// The last round that a device was let go into.
    granted: usize,
    /// The round that it ends before, where it does not end with its epoch.
    end: Option<usize>,
    begun: Instant,
    /// Where each ended, or where a resumed stage began.
    marks: Vec<Mark>,
}

/// A stretch that is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From 1.
    pub epoch: usize,
    /// Of this stretch.
    pub rounds: usize,
    /// Of the optimiser, in the stage so far.
    pub steps: usize,
    /// Whether it is the last one of its epoch.
    pub ends_epoch: bool,
}

impl Stretches {
    /// Those of a stage from its beginning.
    pub fn new(rounds_per_epoch: usize, accumulation: usize, longest: Duration) -> Self {
        Self {
            rounds_per_epoch,
            accumulation,
            longest,
            course: Mutex::new(Course {
                number: 0,
                epoch: 0,
                first: 0,
                granted: 0,
                end: None,
                begun: Instant::now(),
                marks: Vec::new(),
            }),
        }
    }

    /// The same from the checkpoint at `mark` on, after so many steps.
    pub fn after(mut self, mark: Mark, steps: usize) -> Self {
        let steps_per_epoch = self.steps_per_epoch();
        let course = self.course.get_mut().expect("nobody else has it yet");
        course.epoch = steps / steps_per_epoch;
        course.first = steps % steps_per_epoch * self.accumulation;
        course.granted = course.first;
        course.marks = vec![mark];
        self
    }

    fn course(&self) -> MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Steps of the optimiser in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.rounds_per_epoch.div_ceil(self.accumulation)
    }

    /// Rounds of the stage before the stretch under way.
    pub fn rounds_before(&self) -> usize {
        let course = self.course();
        course.epoch * self.rounds_per_epoch + course.first
    }

    /// Epoch (from 0) and first round of a stretch that a device begins, by how many came before it.
    pub fn begin(&self, number: usize) -> (usize, usize) {
        let mut course = self.course();
        // The first device to come turns the page for all.
        if number > course.number {
            (course.epoch, course.first) = match course.end {
                Some(end) => (course.epoch, end),
                None => (course.epoch + 1, 0),
            };
            course.number = number;
            course.granted = course.first;
            course.end = None;
            course.begun = Instant::now();
        }
        (course.epoch, course.first)
    }

    /// Whether a round is of the stretch under way. It ends between two steps, and for all devices before the same round.
    pub fn grants(&self, round: usize) -> bool {
        let mut course = self.course();
        if course.end.is_none() && round > course.granted {
            let is_between_steps =
                round.is_multiple_of(self.accumulation) && round < self.rounds_per_epoch;
            if is_between_steps && course.begun.elapsed() >= self.longest {
                course.end = Some(round);
            } else {
                course.granted = round;
            }
        }
        course.end.is_none_or(|end| round < end)
    }

    /// The epoch of the stretch under way, from 1.
    pub fn epoch(&self) -> usize {
        self.course().epoch + 1
    }

    /// Whether the stretch under way is the last one of its epoch, once all of its rounds are done.
    pub fn ends_epoch(&self) -> bool {
        self.course().end.is_none()
    }

    /// Whether the stretch of that number was the last one of so many epochs.
    pub fn is_last(&self, number: usize, epochs: usize) -> bool {
        let course = self.course();
        course.number == number && course.end.is_none() && course.epoch + 1 >= epochs
    }

    /// Notes that the stretch under way is done.
    pub fn finish(&self) -> Stretch {
        let mut course = self.course();
        let end = course.end.unwrap_or(self.rounds_per_epoch);
        let epoch = course.epoch + 1;
        let steps = course.epoch * self.steps_per_epoch() + end.div_ceil(self.accumulation);
        let mark = match course.end {
            Some(_) => Mark::within(epoch, steps),
            None => Mark::end_of(epoch),
        };
        course.marks.push(mark);
        Stretch {
            epoch,
            rounds: end - course.first,
            steps,
            ends_epoch: course.end.is_none(),
        }
    }

    /// What the learner calls its checkpoint of that number, from 1, and those before it.
    ///
    /// # Panics
    /// If there is no such checkpoint yet.
    pub fn marks(&self, checkpoint: usize) -> (Mark, Vec<Mark>) {
        let course = self.course();
        let (before, from) = course.marks.split_at(checkpoint - 1);
        (from[0], before.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven rounds, two for a step: a stretch without time is a step, the last one of an epoch of one round.
    #[test]
    fn stretches_end_between_steps_and_with_their_epoch() {
        let stretches = Stretches::new(7, 2, Duration::ZERO);
        let mut done = Vec::new();
        for number in 0..8 {
            let (_, first) = stretches.begin(number);
            let mut round = first;
            while round < 7 && stretches.grants(round) {
                round += 1;
            }
            assert_eq!(stretches.ends_epoch(), round == 7);
            assert_eq!(stretches.is_last(number, 2), number == 7);
            let stretch = stretches.finish();
            done.push((stretch.epoch, stretch.rounds, stretch.steps));
        }
        let expected = [
            (1, 2, 1),
            (1, 2, 2),
            (1, 2, 3),
            (1, 1, 4),
            (2, 2, 5),
            (2, 2, 6),
            (2, 2, 7),
            (2, 1, 8),
        ];
        assert_eq!(done, expected);
        let (mark, before) = stretches.marks(3);
        assert_eq!(mark, Mark::within(1, 3));
        assert_eq!(before, [Mark::within(1, 1), Mark::within(1, 2)]);
        let resumed = Stretches::new(7, 2, Duration::MAX).after(Mark::within(2, 6), 6);
        assert_eq!(resumed.begin(0), (1, 4));
        assert_eq!(resumed.rounds_before(), 11);
        let resumed = Stretches::new(7, 2, Duration::MAX).after(Mark::end_of(1), 4);
        assert_eq!(resumed.begin(0), (1, 0));
    }

    /// A device that is ahead has been let into a round: the others go there too.
    #[test]
    fn all_devices_end_before_the_same_round() {
        let stretches = Stretches::new(9, 1, Duration::from_millis(20));
        assert!(stretches.grants(0) && stretches.grants(1) && stretches.grants(2));
        std::thread::sleep(Duration::from_millis(25));
        assert!(stretches.grants(1), "the second device is behind");
        assert!(!stretches.grants(3));
        assert!(stretches.grants(2));
        assert!(!stretches.grants(3));
    }
}
