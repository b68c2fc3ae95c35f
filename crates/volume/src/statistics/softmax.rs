//! From logits to probabilities.

/// The largest of logits at a temperature of 1 ÷ `times`, and the sum of exponentials of how far all are below it: the largest probability is
/// 1 ÷ this sum.
pub fn most_and_sum(logits: &[f32], times: f32) -> (f32, f32) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let below = logits.iter().map(|logit| (logit - most) * times);
    (most, below.map(f32::exp).sum())
}

/// Puts the probability of each class in the place of what `probabilities` holds.
pub fn softmax(logits: &[f32], probabilities: &mut Vec<f32>) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    probabilities.clear();
    probabilities.extend(logits.iter().map(|logit| (logit - most).exp()));
    let sum: f32 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|share| *share /= sum);
}

/// What [`most_and_sum`] says of each of many voxels.
///
/// # Shapes
/// `logits` is `[class, voxel]`, of so many voxels
pub fn most_and_sum_of_each(logits: &[f32], voxels: usize) -> Vec<(f32, f32)> {
    let mut sums: Vec<(f32, f32)> = logits[..voxels].iter().map(|logit| (*logit, 0.0)).collect();
    for logits in logits.chunks_exact(voxels) {
        for ((most, _), logit) in sums.iter_mut().zip(logits) {
            *most = most.max(*logit);
        }
    }
    for logits in logits.chunks_exact(voxels) {
        for ((most, sum), logit) in sums.iter_mut().zip(logits) {
            *sum += (logit - *most).exp();
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: of logarithms of 1, 2 and 5, eighths; far beyond what an exponential holds too.
    #[test]
    fn probabilities_are_shares_of_exponentials() {
        for shift in [0.0, 1000.0] {
            let logits = [1.0f32, 2.0, 5.0].map(|value| value.ln() + shift);
            let mut shares = vec![9.0];
            softmax(&logits, &mut shares);
            assert_eq!(shares.len(), 3);
            for (share, expected) in shares.iter().zip([0.125, 0.25, 0.625]) {
                assert!((share - expected).abs() < 1e-4, "{shares:?}");
            }
        }
        // Twice the logits: of 1, 4 and 25.
        let (most, sum) = most_and_sum(&[1.0f32, 2.0, 5.0].map(f32::ln), 2.0);
        assert!((most - 5f32.ln()).abs() < 1e-6 && (1.0 / sum - 25.0 / 30.0).abs() < 1e-6);
    }

    #[test]
    fn many_voxels_are_as_each_by_itself() {
        let logits = [0.5, -3.0, 2.0, 1.0, -1.0, 7.0];
        let each = most_and_sum_of_each(&logits, 2);
        for voxel in 0..2 {
            let alone = [logits[voxel], logits[2 + voxel], logits[4 + voxel]];
            let (most, sum) = most_and_sum(&alone, 1.0);
            assert_eq!(each[voxel].0, most);
            assert!((each[voxel].1 - sum).abs() < 1e-6);
        }
    }
}
