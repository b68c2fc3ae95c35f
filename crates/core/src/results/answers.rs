//! What a model says of voxels beside what they are: how true its certainty is, and at which temperature it is truest.
//!
//! Source: Guo et al. 2017, "On calibration of modern neural networks", section 4.2.

use super::predictor::Predictor;
use crate::infer::{InferError, Prediction};
use crate::train::dataset::RawCase;
use dinomed3d_volume::metrics::Reliability;
use dinomed3d_volume::statistics::{mean, most_and_sum};

/// Of each case about so many voxels are looked at, and of all together: their logits are held.
const VOXELS_OF_CASE: usize = 50_000;
const VOXELS: usize = 2_000_000;
/// So many voxels from a labelled one is its neighbour, along each axis.
const NEIGHBOUR: usize = 2;
/// Temperatures that are thinkable.
const RANGE: [f64; 2] = [0.25, 8.0];

/// What a model says of voxels that it labels and of their neighbours, and what they are.
#[derive(Debug)]
pub struct Answers {
    num_classes: usize,
    /// Most voxels of a case.
    of_case: usize,
    /// `[voxel, class]`
    logits: Vec<f32>,
    /// Class of each voxel.
    truth: Vec<u8>,
}

impl Answers {
    /// Of a model, before any of so many cases.
    pub fn of(predictor: &Predictor, cases: usize) -> Self {
        Self {
            num_classes: predictor.num_classes(),
            of_case: VOXELS_OF_CASE.min(VOXELS / cases.max(1)).max(1),
            logits: Vec::new(),
            truth: Vec::new(),
        }
    }

    /// Adds those of a case, of which there is a prediction that keeps logits.
    ///
    /// # Errors
    /// Logits that do not fill its grid.
    ///
    /// # Panics
    /// If none were kept.
    pub fn add(
        &mut self,
        predictor: &Predictor,
        prediction: &Prediction,
        case: &RawCase,
    ) -> Result<(), InferError> {
        let reference = &case.reference.labels;
        let labels = prediction.on_file_grid().labels;
        let counts = near_labels(&labels, case.reference.shape);
        let counted = counts.iter().filter(|counts| **counts).count();
        let every = counted.div_ceil(self.of_case).max(1);
        let mut passed = 0;
        let seen = prediction.seen.as_ref().expect("logits were to be kept");
        seen.each_voxel(|voxel, logits| {
            if !counts[voxel] {
                return;
            }
            if passed % every == 0 {
                self.logits.extend_from_slice(logits);
                self.truth.push(predictor.class_of(reference[voxel]));
            }
            passed += 1;
        })?;
        Ok(())
    }

    fn voxels(&self) -> impl Iterator<Item = (&[f32], usize)> {
        let truth = self.truth.iter().map(|class| usize::from(*class));
        self.logits.chunks_exact(self.num_classes).zip(truth)
    }

    /// Mean of the negative logarithms of what the truth's probabilities are.
    fn surprise(&self, temperature: f64) -> f64 {
        let times = 1.0 / temperature as f32;
        let of_voxel = |(logits, truth): (&[f32], usize)| {
            let (most, sum) = most_and_sum(logits, times);
            f64::from(sum.ln() - (logits[truth] - most) * times)
        };
        mean(self.voxels().map(of_voxel)).unwrap_or(f64::NAN)
    }

    /// By golden section over its logarithm: the surprise has one minimum, as it is convex in the temperature's inverse.
    pub fn best_temperature(&self) -> f64 {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let [mut low, mut high] = RANGE.map(f64::ln);
        let surprise = |logarithm: f64| self.surprise(logarithm.exp());
        let mut inner = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
        let mut values = inner.map(surprise);
        while high - low > 1e-3 {
            if values[0] < values[1] {
                high = inner[1];
                inner = [high - GOLDEN * (high - low), inner[0]];
                values = [surprise(inner[0]), values[0]];
            } else {
                low = inner[0];
                inner = [inner[1], low + GOLDEN * (high - low)];
                values = [values[1], surprise(inner[1])];
            }
        }
        ((low + high) / 2.0).exp()
    }

    /// How often the model's answers are right, before any postprocessing, by how sure they are at a temperature; nothing of no
    /// answer.
    pub fn reliability(&self, temperature: f64) -> Option<Reliability> {
        let times = 1.0 / temperature as f32;
        let answers = self.voxels().map(|(logits, truth)| {
            let (most, sum) = most_and_sum(logits, times);
            let answer = logits.iter().position(|logit| *logit == most);
            (1.0 / sum, answer == Some(truth))
        });
        (!self.truth.is_empty()).then(|| Reliability::of(answers))
    }
}

/// Voxels with a label and their neighbours.
///
/// # Shapes
/// `shape` is `[z, y, x]`
fn near_labels(labels: &[u8], shape: [usize; 3]) -> Vec<bool> {
    let mut near: Vec<bool> = labels.iter().map(|label| *label != 0).collect();
    let mut step = 1;
    for edge in shape.into_iter().rev() {
        let before = near.clone();
        for (voxel, _) in before.iter().enumerate().filter(|(_, is)| **is) {
            let at = voxel / step % edge;
            let (first, last) = (at.saturating_sub(NEIGHBOUR), (at + NEIGHBOUR).min(edge - 1));
            (first..=last).for_each(|to| near[voxel + to * step - at * step] = true);
        }
        step *= edge;
    }
    near
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::random::SplitMix64;

    #[test]
    fn neighbours_lie_in_a_box_and_in_the_scan() {
        let mut labels = vec![0; 5 * 6 * 7];
        labels[(3 * 6 + 1) * 7] = 4;
        let near = near_labels(&labels, [5, 6, 7]);
        for (voxel, is_near) in near.into_iter().enumerate() {
            let [z, y, x] = [voxel / 42, voxel / 7 % 6, voxel % 7];
            assert_eq!(is_near, z >= 1 && y <= 3 && x <= 2, "{z} {y} {x}");
        }
    }

    /// Truths drawn by probabilities of known logits; the model says three times those logits.
    #[test]
    fn the_temperature_of_a_model_that_is_too_sure_is_found() {
        let mut random = SplitMix64::new(7);
        let mut answers = Answers {
            num_classes: 3,
            of_case: VOXELS_OF_CASE,
            logits: Vec::new(),
            truth: Vec::new(),
        };
        for _ in 0..20_000 {
            let logits: [f32; 3] = std::array::from_fn(|_| 4.0 * random.next_f64() as f32);
            let weights = logits.map(f32::exp);
            let mut left = random.next_f64() as f32 * weights.iter().sum::<f32>();
            let mut truth = 0;
            while truth < 2 && left > weights[truth] {
                left -= weights[truth];
                truth += 1;
            }
            answers.logits.extend(logits.map(|logit| 3.0 * logit));
            answers.truth.push(truth as u8);
        }
        let temperature = answers.best_temperature();
        assert!((2.8..3.2).contains(&temperature), "{temperature}");
        let error = |temperature| answers.reliability(temperature).unwrap().expected_error();
        assert!(error(temperature) < 0.02, "{}", error(temperature));
        assert!(error(1.0) > 0.1, "{}", error(1.0));
    }
}
