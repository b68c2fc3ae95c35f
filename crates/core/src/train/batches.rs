//! What feeds the learner: windows to train on, drawn ahead of need, and cases to validate.

use super::augment::{Sample, Sampler};
use super::dataset::{Dataset, Examples};
use super::ema_network::Batch;
use super::loss::one_hot;
use super::seed::rng_of;
use super::stretch::Stretches;
use super::synthesis::Synthesizer;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Batches of each drawing thread that lie ready while one is being learnt from.
const BATCHES_AHEAD: usize = 2;

/// How windows come about.
#[derive(Debug)]
pub enum Draw {
    /// Cut from scans and changed.
    FromScans(Sampler),
    /// Drawn from label maps, image and all.
    FromLabelMaps(Box<Synthesizer>),
}

/// What all loaders of a stage share.
#[derive(Debug)]
pub struct Windows {
    /// Where windows come from.
    pub dataset: Arc<Dataset>,
    /// How they are drawn.
    pub draw: Draw,
    /// Of the run and its stage.
    pub seed: [u64; 2],
    /// Threads that draw. Which windows they draw does not depend on their number.
    pub threads: usize,
    /// Of each case in an epoch.
    pub windows_per_case: usize,
    /// In a batch.
    pub batch_size: usize,
    /// Edges of a window.
    pub window: [usize; 3],
    /// How the stage goes through its epochs.
    pub stretches: Arc<Stretches>,
    /// How long the learner waited for them.
    pub wait: Wait,
}

/// Time that a training spent waiting for data.
#[derive(Clone, Debug, Default)]
pub struct Wait(Arc<AtomicU64>);

impl Wait {
    fn add(&self, time: Duration) {
        self.0.fetch_add(time.as_micros() as u64, Ordering::Relaxed);
    }

    /// Seconds since it was last asked.
    pub fn take(&self) -> f64 {
        self.0.swap(0, Ordering::Relaxed) as f64 * 1e-6
    }
}

impl Windows {
    fn draw_one(&self, case: usize, epoch: usize, place: usize) -> Sample {
        match (&self.draw, &self.dataset.training) {
            (Draw::FromScans(sampler), Examples::Scans(cases)) => {
                sampler.draw(&cases[case], epoch, place)
            }
            (Draw::FromLabelMaps(synthesizer), Examples::LabelMaps(drawn)) => {
                synthesizer.draw(&drawn.maps[case], epoch, place)
            }
            _ => unreachable!("a stage draws from what its data set holds"),
        }
    }

    fn draw_batch(&self, order: &[usize], epoch: usize, places: Range<usize>) -> Drawn {
        let mut drawn = Drawn::default();
        for place in places {
            let sample = self.draw_one(order[place], epoch, place);
            drawn.voxels.extend(sample.voxels);
            drawn
                .labels
                .extend(sample.labels.into_iter().map(f32::from));
            drawn.count += 1;
        }
        drawn
    }
}

/// The order in which an epoch draws from its cases, each `windows_per_case` times; `seed` is that of run, stage and epoch.
fn order(num_cases: usize, windows_per_case: usize, seed: [u64; 3]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..num_cases * windows_per_case)
        .map(|i| i % num_cases)
        .collect();
    order.shuffle(&mut rng_of(&seed));
    order
}

/// A batch before it goes to its device.
#[derive(Default)]
struct Drawn {
    voxels: Vec<f32>,
    /// As numbers that a device takes as they are: the learner's thread has no time to convert them.
    labels: Vec<f32>,
    count: usize,
}

/// Loads the windows of one device, stretch by stretch. Which they are depends on seed, epoch and place alone, neither
/// on the number of devices nor on where a run was resumed.
#[derive(Debug)]
pub struct WindowLoader {
    windows: Arc<Windows>,
    places: Range<usize>,
    stretches_before: AtomicUsize,
    /// Goes on from one stretch of an epoch to the next.
    drawing: Mutex<Option<Drawing>>,
    device: Device,
}

/// The rest of an epoch, drawn ahead.
#[derive(Debug)]
struct Drawing {
    epoch: usize,
    /// Batches of the epoch that were taken, here or before.
    round: usize,
    /// Batches that were taken before.
    first: usize,
    /// Of the drawing threads.
    receivers: Vec<Receiver<Drawn>>,
}

impl WindowLoader {
    /// A loader of all windows.
    pub fn new(windows: Arc<Windows>, device: &Device) -> Self {
        let places = 0..windows.dataset.training.len() * windows.windows_per_case;
        Self::of_places(windows, places, device)
    }

    fn of_places(windows: Arc<Windows>, places: Range<usize>, device: &Device) -> Self {
        Self {
            windows,
            places,
            stretches_before: AtomicUsize::new(0),
            drawing: Mutex::default(),
            device: device.clone(),
        }
    }

    /// Begins to draw an epoch from its batch `first` on.
    fn draw(&self, epoch: usize, first: usize) -> Drawing {
        let windows = &self.windows;
        let [seed, stage] = windows.seed;
        let order = Arc::new(order(
            windows.dataset.training.len(),
            windows.windows_per_case,
            [seed, stage, epoch as u64],
        ));
        let step = windows.batch_size;
        let rounds = self.places.len().div_ceil(step);
        let threads = windows.threads.clamp(1, rounds.max(1));
        // Each thread draws every n-th batch, and they are taken in turn: in order, whichever is done first.
        let receivers = (0..threads)
            .map(|thread| {
                let (sender, receiver) = sync_channel(BATCHES_AHEAD);
                let (windows, order) = (windows.clone(), order.clone());
                let places = self.places.clone();
                std::thread::spawn(move || {
                    for round in (first + thread..rounds).step_by(threads) {
                        let start = places.start + round * step;
                        let batch = start..(start + step).min(places.end);
                        // Nobody listens any more when a run is stopped.
                        if sender
                            .send(windows.draw_batch(&order, epoch, batch))
                            .is_err()
                        {
                            return;
                        }
                    }
                });
                receiver
            })
            .collect();
        Drawing {
            epoch,
            round: first,
            first,
            receivers,
        }
    }
}

impl DataLoader<Batch> for WindowLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let number = self.stretches_before.fetch_add(1, Ordering::Relaxed);
        let (epoch, round) = self.windows.stretches.begin(number);
        let mut drawing = self.drawing.lock().unwrap_or_else(|e| e.into_inner());
        if drawing
            .as_ref()
            .is_none_or(|drawing| drawing.epoch != epoch)
        {
            *drawing = Some(self.draw(epoch, round));
        }
        Box::new(WindowIterator(self))
    }

    fn num_items(&self) -> usize {
        self.places.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        let (windows, places) = (self.windows.clone(), self.places.clone());
        Arc::new(Self::of_places(windows, places, device))
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let begin = self.places.start;
        let places = begin + start..begin + end;
        Arc::new(Self::of_places(self.windows.clone(), places, &self.device))
    }
}

/// The windows of a stretch.
struct WindowIterator<'a>(&'a WindowLoader);

impl WindowIterator<'_> {
    /// The next batch, if it is of this stretch.
    fn draw_next(&self) -> Option<Drawn> {
        let mut drawing = self.0.drawing.lock().unwrap_or_else(|e| e.into_inner());
        let drawing = drawing.as_mut()?;
        if !self.0.windows.stretches.grants(drawing.round) {
            return None;
        }
        let thread = (drawing.round - drawing.first) % drawing.receivers.len();
        let drawn = drawing.receivers[thread].recv().ok()?;
        drawing.round += 1;
        Some(drawn)
    }
}

impl Iterator for WindowIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let begun = Instant::now();
        let Drawn {
            voxels,
            labels,
            count,
        } = self.draw_next()?;
        let windows = &self.0.windows;
        let [depth, height, width] = windows.window;
        let device = &self.0.device;
        let channels = voxels.len() / (count * depth * height * width);
        let input = TensorData::new(voxels, [count, channels, depth, height, width]);
        let num_classes = windows.dataset.labels.len();
        let batch = Batch {
            input: Tensor::from_data(input, device),
            target: one_hot(labels, [count, depth, height, width], num_classes, device),
        };
        windows.wait.add(begun.elapsed());
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Batch> for WindowIterator<'_> {
    /// Of the whole epoch: at its end the learner makes a step of fewer batches.
    fn progress(&self) -> Progress {
        let drawing = self.0.drawing.lock().unwrap_or_else(|e| e.into_inner());
        let round = drawing.as_ref().map_or(0, |drawing| drawing.round);
        let total = self.0.places.len();
        let done = (round * self.0.windows.batch_size).min(total);
        Progress::new(done, total, Some("windows".to_owned()))
    }
}

/// Loads the places of validation cases, one at a time, after a stretch that ends an epoch; a case itself goes to its
/// device window by window.
#[derive(Clone, Debug)]
pub struct CaseLoader {
    /// Places in [`Dataset::validation`].
    pub cases: Range<usize>,
    /// How the stage goes through its epochs.
    pub stretches: Arc<Stretches>,
}

impl DataLoader<usize> for CaseLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<usize> + 'a> {
        let count = if self.stretches.ends_epoch() {
            self.cases.len()
        } else {
            0
        };
        Box::new(CaseIterator {
            left: self.cases.start..self.cases.start + count,
            count,
        })
    }

    fn num_items(&self) -> usize {
        self.cases.len()
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<usize>> {
        Arc::new(self.clone())
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<usize>> {
        let begin = self.cases.start;
        Arc::new(Self {
            cases: begin + start..begin + end,
            ..self.clone()
        })
    }
}

struct CaseIterator {
    left: Range<usize>,
    count: usize,
}

impl Iterator for CaseIterator {
    type Item = Result<usize, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left.next().map(Ok)
    }
}

impl DataLoaderIterator<usize> for CaseIterator {
    fn progress(&self) -> Progress {
        let done = self.count - self.left.len();
        Progress::new(done, self.count, Some("cases".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::TrainingCase;
    use super::super::run_folder::Mark;
    use super::*;

    #[test]
    fn an_epoch_sees_every_case_equally_often() {
        let first = order(7, 3, [1, 2, 2]);
        for case in 0..7 {
            assert_eq!(first.iter().filter(|c| **c == case).count(), 3);
        }
        assert_ne!(first, order(7, 3, [1, 2, 3]));
    }

    /// Fifteen windows of three cases that differ in their values, drawn without any change by so many threads, in
    /// stretches of at most so long, from a place in the first epoch on.
    fn drawn_by(threads: usize, longest: Duration, steps_before: usize) -> Vec<Vec<f32>> {
        let cases = (0..3u8).map(|number| TrainingCase {
            name: number.to_string(),
            voxels: (0..8)
                .map(|at| f32::from(number) * 10.0 + at as f32)
                .collect(),
            labels: vec![0; 8],
            shape: [2; 3],
            spacing_mm: [1.0; 3],
        });
        let dataset = Dataset {
            labels: vec![(0, "background".into()), (1, "box".into())],
            channels: vec!["MR".into()],
            training: Examples::Scans(cases.collect()),
            validation: Vec::new(),
            passed_over: Vec::new(),
        };
        let still = serde_json::from_value(serde_json::json!({
            "flip-slices": 0.5, "affine": 0.0, "rotation-deg": 0.0, "scale": [1.0, 1.0],
            "shift-voxels": 0.0, "intensity": 0.0, "contrast": 0.0, "brightness": 0.0, "noise": 0.0
        }));
        let stretches = Stretches::new(8, 1, longest);
        let stretches = Arc::new(match steps_before {
            0 => stretches,
            steps => stretches.after(Mark::within(1, steps), steps),
        });
        let windows = Windows {
            dataset: Arc::new(dataset),
            draw: Draw::FromScans(Sampler::new(still.unwrap(), [2; 3], 2, [1, 2])),
            seed: [1, 2],
            threads,
            windows_per_case: 5,
            batch_size: 2,
            window: [2; 3],
            stretches: stretches.clone(),
            wait: Wait::default(),
        };
        let loader = WindowLoader::new(Arc::new(windows), &Device::flex());
        let values = |batch: Batch| batch.input.into_data().iter::<f32>().collect();
        let mut drawn = Vec::new();
        loop {
            drawn.extend(loader.iter().map(|batch| values(batch.unwrap())));
            if stretches.finish().ends_epoch {
                return drawn;
            }
        }
    }

    /// Eight batches, the last of one window.
    #[test]
    fn windows_do_not_depend_on_the_number_of_threads() {
        let one = drawn_by(1, Duration::MAX, 0);
        assert_eq!(one.len(), 8);
        assert_eq!(one[7].len(), 8);
        for threads in [2, 3, 16] {
            assert_eq!(
                drawn_by(threads, Duration::MAX, 0),
                one,
                "{threads} threads"
            );
        }
    }

    #[test]
    fn windows_do_not_depend_on_where_an_epoch_is_cut_or_gone_on_with() {
        let whole = drawn_by(3, Duration::MAX, 0);
        assert_eq!(drawn_by(3, Duration::ZERO, 0), whole);
        for steps in 1..8 {
            assert_eq!(drawn_by(3, Duration::MAX, steps), whole[steps..]);
            assert_eq!(drawn_by(2, Duration::ZERO, steps), whole[steps..]);
        }
    }
}
