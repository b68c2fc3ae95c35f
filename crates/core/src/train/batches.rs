//! What feeds the learner: windows to train on, drawn ahead of need, and cases to validate.

use super::augment::{Sample, Sampler};
use super::dataset::{Dataset, Examples};
use super::loss::one_hot;
use super::seed::rng_of;
use super::student::Batch;
use super::synthesis::Synthesizer;
use burn::data::dataloader::batcher::Batcher;
use burn::data::dataloader::{DataLoader, DataLoaderBuilder, DataLoaderIterator, Progress};
use burn::data::dataset::{DatasetError, InMemDataset};
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
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
            (Draw::FromLabelMaps(synthesizer), Examples::LabelMaps { maps, .. }) => {
                synthesizer.draw(&maps[case], epoch, place)
            }
            _ => unreachable!("a stage draws from what its data set holds"),
        }
    }

    fn draw_batch(&self, order: &[usize], epoch: usize, places: Range<usize>) -> Drawn {
        let mut drawn = Drawn::default();
        for place in places {
            let sample = self.draw_one(order[place], epoch, place);
            drawn.voxels.extend(sample.voxels);
            drawn.labels.extend(sample.labels);
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
    labels: Vec<u8>,
    count: usize,
}

/// Loads the windows of one device. Which they are depends on seed, epoch and place alone, neither
/// on the number of devices nor on where a run was resumed.
#[derive(Debug)]
pub struct WindowLoader {
    windows: Arc<Windows>,
    places: Range<usize>,
    first_epoch: usize,
    passes: AtomicUsize,
    device: Device,
}

impl WindowLoader {
    /// A loader whose first pass is `first_epoch` (from 0).
    pub fn new(windows: Arc<Windows>, first_epoch: usize, device: &Device) -> Self {
        let places = 0..windows.dataset.training.len() * windows.windows_per_case;
        Self {
            windows,
            places,
            first_epoch,
            passes: AtomicUsize::new(0),
            device: device.clone(),
        }
    }

    fn with(&self, places: Range<usize>, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            windows: self.windows.clone(),
            places,
            first_epoch: self.first_epoch,
            passes: AtomicUsize::new(0),
            device: device.clone(),
        })
    }
}

impl DataLoader<Batch> for WindowLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.first_epoch + self.passes.fetch_add(1, Ordering::Relaxed);
        let windows = self.windows.clone();
        let places = self.places.clone();
        let [seed, stage] = windows.seed;
        let order = Arc::new(order(
            windows.dataset.training.len(),
            windows.windows_per_case,
            [seed, stage, epoch as u64],
        ));
        let step = windows.batch_size;
        let threads = windows.threads.clamp(1, places.len().div_ceil(step).max(1));
        // Each thread draws every n-th batch, and they are taken in turn: in order, whichever is done first.
        let receivers = (0..threads)
            .map(|thread| {
                let (sender, receiver) = sync_channel(BATCHES_AHEAD);
                let (windows, order, places) = (windows.clone(), order.clone(), places.clone());
                std::thread::spawn(move || {
                    let starts = places.clone().step_by(step);
                    for start in starts.skip(thread).step_by(threads) {
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
        Box::new(WindowIterator {
            loader: self,
            receivers,
            batches: 0,
            done: 0,
        })
    }

    fn num_items(&self) -> usize {
        self.places.len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        self.with(self.places.clone(), device)
    }

    fn slice(&self, start: usize, end: usize) -> Arc<dyn DataLoader<Batch>> {
        let begin = self.places.start;
        self.with(begin + start..begin + end, &self.device)
    }
}

struct WindowIterator<'a> {
    loader: &'a WindowLoader,
    /// Of the drawing threads.
    receivers: Vec<Receiver<Drawn>>,
    /// Taken so far.
    batches: usize,
    /// Windows taken so far.
    done: usize,
}

impl Iterator for WindowIterator<'_> {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let begun = Instant::now();
        let Drawn {
            voxels,
            labels,
            count,
        } = self.receivers[self.batches % self.receivers.len()]
            .recv()
            .ok()?;
        self.batches += 1;
        let windows = &self.loader.windows;
        let [depth, height, width] = windows.window;
        let device = &self.loader.device;
        let channels = voxels.len() / (count * depth * height * width);
        let input = TensorData::new(voxels, [count, channels, depth, height, width]);
        let num_classes = windows.dataset.labels.len();
        let batch = Batch {
            input: Tensor::from_data(input, device),
            target: one_hot(&labels, [count, depth, height, width], num_classes, device),
        };
        self.done += count;
        windows.wait.add(begun.elapsed());
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Batch> for WindowIterator<'_> {
    fn progress(&self) -> Progress {
        Progress::new(
            self.done,
            self.loader.places.len(),
            Some("windows".to_owned()),
        )
    }
}

/// Loads the places of `count` validation cases, one at a time; a case itself goes to its device
/// window by window.
pub fn case_loader(count: usize) -> Arc<dyn DataLoader<usize>> {
    DataLoaderBuilder::new(OneCase)
        .batch_size(1)
        .build(InMemDataset::new((0..count).collect()))
}

struct OneCase;

impl Batcher<usize, usize> for OneCase {
    fn batch(&self, places: Vec<usize>, _device: &Device) -> usize {
        places[0]
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::TrainingCase;
    use super::*;

    #[test]
    fn an_epoch_sees_every_case_equally_often() {
        let first = order(7, 3, [1, 2, 2]);
        for case in 0..7 {
            assert_eq!(first.iter().filter(|c| **c == case).count(), 3);
        }
        assert_ne!(first, order(7, 3, [1, 2, 3]));
    }

    /// Three cases that differ in their values, drawn without any change by so many threads.
    fn drawn_by(threads: usize) -> Vec<Vec<f32>> {
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
        };
        let still = serde_json::from_value(serde_json::json!({
            "flip-slices": 0.5, "affine": 0.0, "rotation-deg": 0.0, "scale": [1.0, 1.0],
            "shift-voxels": 0.0, "intensity": 0.0, "contrast": 0.0, "brightness": 0.0, "noise": 0.0
        }));
        let windows = Windows {
            dataset: Arc::new(dataset),
            draw: Draw::FromScans(Sampler::new(still.unwrap(), [2; 3], 2, [1, 2])),
            seed: [1, 2],
            threads,
            windows_per_case: 5,
            batch_size: 2,
            window: [2; 3],
            wait: Wait::default(),
        };
        let loader = WindowLoader::new(Arc::new(windows), 0, &Device::flex());
        let values = |batch: Batch| batch.input.into_data().iter::<f32>().collect();
        loader.iter().map(|batch| values(batch.unwrap())).collect()
    }

    /// Fifteen windows in eight batches, the last of one window.
    #[test]
    fn windows_do_not_depend_on_the_number_of_threads() {
        let one = drawn_by(1);
        assert_eq!(one.len(), 8);
        assert_eq!(one[7].len(), 8);
        for threads in [2, 3, 16] {
            assert_eq!(drawn_by(threads), one, "{threads} threads");
        }
    }
}
