//! How often answers are right, by how sure they are.

use serde::{Deserialize, Serialize};

/// Bins of equal width that answers fall into.
const BINS: usize = 10;

/// Answers that are about equally sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReliabilityBin {
    /// How many.
    pub answers: u64,
    /// How probable they call themselves, in the mean.
    pub certainty: f64,
    /// Share of them that is right.
    pub right: f64,
}

/// A reliability curve; bins without an answer are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reliability(pub Vec<ReliabilityBin>);

impl Reliability {
    /// Of answers: how probable each calls itself, 0 to 1, and whether it is right.
    pub fn of(answers: impl IntoIterator<Item = (f32, bool)>) -> Self {
        let mut sums = [(0u64, 0.0f64, 0u64); BINS];
        for (certainty, is_right) in answers {
            let bin = ((f64::from(certainty) * BINS as f64) as usize).min(BINS - 1);
            let (count, certain, right) = &mut sums[bin];
            *count += 1;
            *certain += f64::from(certainty);
            *right += u64::from(is_right);
        }
        let filled = sums.into_iter().filter(|(count, ..)| *count > 0);
        let bin = |(answers, certain, right): (u64, f64, u64)| ReliabilityBin {
            answers,
            certainty: certain / answers as f64,
            right: right as f64 / answers as f64,
        };
        Self(filled.map(bin).collect())
    }

    /// Expected calibration error: how far certainty is from the share that is right, over all answers; not a number of none.
    ///
    /// Source: Guo et al. 2017, "On calibration of modern neural networks", equation 3.
    pub fn expected_error(&self) -> f64 {
        let all: f64 = self.0.iter().map(|bin| bin.answers as f64).sum();
        let error =
            |bin: &ReliabilityBin| bin.answers as f64 / all * (bin.certainty - bin.right).abs();
        self.0.iter().map(error).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: four answers of 0.75, of which three are right, are as sure as they should be; two of 0.95, of which one is
    /// right, are 0.45 too sure and a third of all.
    #[test]
    fn the_error_is_that_of_all_answers() {
        let sure = [true, true, true, false].map(|is_right| (0.75, is_right));
        let too_sure = [true, false].map(|is_right| (0.95, is_right));
        let curve = Reliability::of(sure.into_iter().chain(too_sure));
        assert_eq!(curve.0.iter().map(|bin| bin.answers).sum::<u64>(), 6);
        assert_eq!(
            curve.0[0],
            ReliabilityBin {
                answers: 4,
                certainty: 0.75,
                right: 0.75
            }
        );
        assert!((curve.expected_error() - 0.15).abs() < 1e-6, "{curve:?}");
        assert!(Reliability::of([(1.0, true)]).expected_error() < 1e-9);
        assert_eq!(Reliability::of([]), Reliability::default());
    }
}
