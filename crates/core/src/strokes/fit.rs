//! A correction of linear layers, fitted to what some voxels are.

use dinomed3d_volume::statistics::mean_and_std;

/// Voxels to fit to.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// `[voxel, feature]`
    pub features: Vec<f32>,
    /// What the network says, `[voxel, class]`.
    pub logits: Vec<f32>,
    /// How probable each class shall be, `[voxel, class]`.
    pub wanted: Vec<f32>,
    /// How much each voxel counts.
    pub weights: Vec<f32>,
}

/// What is added to the weights of linear layers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Correction {
    /// `[class, feature + 1]`, the last of each class its bias.
    pub rows: Vec<f32>,
    pub num_features: usize,
}

/// How much the square of a weight counts, see [`Samples::loss`]: of ten times less or more the mean Dice changed by 0.001.
const PULL: f64 = 0.3;
/// Steps of the fit.
const STEPS: usize = 200;
/// Of a step, in standardised features.
const RATE: f64 = 0.05;
/// How fast means of the gradient and of its square forget. Source: Adam, arXiv:1412.6980.
const MOMENTS: [f64; 2] = [0.9, 0.99];

impl Samples {
    fn len(&self) -> usize {
        self.weights.len()
    }

    fn num_features(&self) -> usize {
        self.features.len() / self.len().max(1)
    }

    fn num_classes(&self) -> usize {
        self.logits.len() / self.len().max(1)
    }

    /// Cross-entropy of all voxels by their weights with half the sum of the squares of `rows`, times `pull`, and its gradient.
    ///
    /// # Shapes
    /// `rows` is `[class, feature + 1]`, as the gradient.
    fn loss(&self, rows: &[f64], pull: f64) -> (f64, Vec<f64>) {
        let (features, classes) = (self.num_features(), self.num_classes());
        let mut loss = 0.5 * pull * rows.iter().map(|row| row * row).sum::<f64>();
        let mut gradient: Vec<f64> = rows.iter().map(|row| pull * row).collect();
        let mut logits = vec![0.0f64; classes];
        for voxel in 0..self.len() {
            let x = &self.features[voxel * features..][..features];
            let weight = f64::from(self.weights[voxel]);
            for (class, logit) in logits.iter_mut().enumerate() {
                let row = &rows[class * (features + 1)..][..=features];
                let products = row.iter().zip(x).map(|(a, b)| a * f64::from(*b));
                let before = f64::from(self.logits[voxel * classes + class]);
                *logit = before + products.sum::<f64>() + row[features];
            }
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum = logits.iter().map(|logit| (logit - most).exp()).sum::<f64>();
            let whole = most + sum.ln();
            for (class, logit) in logits.iter().enumerate() {
                let wanted = f64::from(self.wanted[voxel * classes + class]);
                loss += weight * wanted * (whole - logit);
                let error = weight * ((logit - whole).exp() - wanted);
                let row = &mut gradient[class * (features + 1)..][..=features];
                for (slope, x) in row.iter_mut().zip(x) {
                    *slope += error * f64::from(*x);
                }
                row[features] += error;
            }
        }
        (loss, gradient)
    }

    /// The correction that makes the voxels what they shall be, as far as [`PULL`] lets weights go. Features are taken as their
    /// distance from the mean, in standard deviations, so that one pull suits all.
    pub(super) fn fit(&self) -> Correction {
        let (features, classes) = (self.num_features(), self.num_classes());
        let (means, scales) = self.spread();
        let mut standard = self.clone();
        for x in standard.features.chunks_exact_mut(features) {
            for ((x, mean), scale) in x.iter_mut().zip(&means).zip(&scales) {
                *x = ((f64::from(*x) - mean) / scale) as f32;
            }
        }
        let mut rows = vec![0.0f64; classes * (features + 1)];
        let mut first = vec![0.0f64; rows.len()];
        let mut second = vec![0.0f64; rows.len()];
        for step in 1..=STEPS {
            let (_, gradient) = standard.loss(&rows, PULL);
            let [of_first, of_second] = MOMENTS.map(|moment| 1.0 - moment.powi(step as i32));
            // Falls to nothing, so that the last steps settle.
            let rate = RATE * (1.0 - (step - 1) as f64 / STEPS as f64);
            for (place, slope) in gradient.into_iter().enumerate() {
                first[place] = MOMENTS[0] * first[place] + (1.0 - MOMENTS[0]) * slope;
                second[place] = MOMENTS[1] * second[place] + (1.0 - MOMENTS[1]) * slope * slope;
                let size = (second[place] / of_second).sqrt() + 1e-8;
                rows[place] -= rate * first[place] / of_first / size;
            }
        }
        // Of features as they are.
        let rows = rows.chunks_exact(features + 1).flat_map(|row| {
            let scaled: Vec<f64> = row
                .iter()
                .zip(&scales)
                .map(|(a, scale)| a / scale)
                .collect();
            let shift = scaled.iter().zip(&means).map(|(a, mean)| a * mean);
            let bias = row[features] - shift.sum::<f64>();
            scaled.into_iter().chain([bias]).map(|value| value as f32)
        });
        Correction {
            rows: rows.collect(),
            num_features: features,
        }
    }

    /// Mean and standard deviation of every feature; of one that is the same everywhere 1.
    fn spread(&self) -> (Vec<f64>, Vec<f64>) {
        let features = self.num_features();
        let spread = |feature: usize| {
            let values = self.features.iter().skip(feature).step_by(features);
            let (mean, deviation) = mean_and_std(values.map(|value| f64::from(*value)));
            (mean, if deviation > 1e-6 { deviation } else { 1.0 })
        };
        (0..features).map(spread).unzip()
    }
}

impl Correction {
    /// Adds what it says to logits.
    ///
    /// # Shapes
    /// `features` is `[feature, voxel]`, `logits` `[class, voxel]`.
    pub(super) fn add(&self, features: &[f32], logits: &mut [f32]) {
        let voxels = features.len() / self.num_features;
        let rows = self.rows.chunks_exact(self.num_features + 1);
        for (logits, row) in logits.chunks_exact_mut(voxels).zip(rows) {
            let bias = row[self.num_features];
            logits.iter_mut().for_each(|logit| *logit += bias);
            for (feature, weight) in features.chunks_exact(voxels).zip(row) {
                for (logit, value) in logits.iter_mut().zip(feature) {
                    *logit += weight * value;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::random::SplitMix64;

    fn random(count: usize, seed: u64) -> Vec<f32> {
        let mut random = SplitMix64::new(seed);
        let value = |_| 2.0 * random.next_f64() as f32 - 1.0;
        (0..count).map(value).collect()
    }

    /// Of voxels with three classes and four features; what is wanted is what the network says.
    fn agreeing(voxels: usize) -> Samples {
        let logits = random(3 * voxels, 2);
        let shares = logits.chunks_exact(3).flat_map(|logits| {
            let sum: f32 = logits.iter().map(|logit| logit.exp()).sum();
            let shares: Vec<f32> = logits.iter().map(|logit| logit.exp() / sum).collect();
            shares
        });
        Samples {
            wanted: shares.collect(),
            features: random(4 * voxels, 1),
            weights: random(voxels, 3).iter().map(|w| w.abs()).collect(),
            logits,
        }
    }

    #[test]
    fn the_gradient_is_that_of_finite_differences() {
        let mut samples = agreeing(7);
        samples.wanted[..3].copy_from_slice(&[0.0, 1.0, 0.0]);
        let rows: Vec<f64> = random(15, 4).into_iter().map(f64::from).collect();
        let (_, gradient) = samples.loss(&rows, 0.7);
        let step = 1e-5;
        for place in 0..rows.len() {
            let at = |by: f64| {
                let mut moved = rows.clone();
                moved[place] += by;
                samples.loss(&moved, 0.7).0
            };
            let slope = (at(step) - at(-step)) / (2.0 * step);
            assert!((slope - gradient[place]).abs() < 1e-7, "{place}: {slope}");
        }
    }

    /// Where nobody wants anything else the gradient is none, and so is the correction.
    #[test]
    fn what_agrees_is_left_as_it_is() {
        let correction = agreeing(50).fit();
        let largest = correction.rows.iter().map(|row| row.abs());
        let largest = largest.fold(0.0, f32::max);
        assert!(largest < 1e-3, "{largest}");
    }

    /// Voxels that differ from others by their first feature are wanted to be of class 2: they become it, the others stay.
    #[test]
    fn voxels_that_look_alike_follow() {
        let mut samples = agreeing(400);
        samples.weights.fill(1.0);
        for voxel in 0..400 {
            let is_other = voxel % 4 == 0;
            samples.features[4 * voxel] += 6.0 * f32::from(is_other);
            if is_other && voxel < 200 {
                samples.wanted[3 * voxel..][..3].copy_from_slice(&[0.0, 0.0, 1.0]);
            } else if is_other {
                // Held out.
                samples.weights[voxel] = 0.0;
            }
        }
        let correction = samples.fit();
        for voxel in 200..400 {
            let mut logits = samples.logits[3 * voxel..][..3].to_vec();
            let winner = |logits: &[f32]| {
                let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                logits.iter().position(|logit| *logit == most)
            };
            let before = winner(&logits);
            correction.add(&samples.features[4 * voxel..][..4], &mut logits);
            if voxel % 4 == 0 {
                assert_eq!(winner(&logits), Some(2), "{voxel}");
            } else {
                let close = samples.logits[3 * voxel..][..3].iter().zip(&logits);
                let moved = close.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
                assert!(moved < 1.5 || winner(&logits) == before, "{voxel}: {moved}");
            }
        }
    }
}
