//! Statistics of lists of numbers, and of one quantity over cases.

mod moments;
mod quantile;
mod softmax;

pub use moments::{mean, mean_and_std};
pub use quantile::{quantile, quantile_of_unsorted};
pub use softmax::{most_and_sum, most_and_sum_of_each, softmax};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Serialize;

/// Resamples behind an interval of the mean.
pub const RESAMPLES: usize = 2000;
/// Seed of the resamples, so that the same scores give the same interval.
pub const SEED: u64 = 1;

/// One quantity over cases; those in which it is undefined are counted and left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Cases that have a value.
    pub cases: usize,
    /// Cases that have none.
    pub undefined: usize,
    /// Of the values; none without any.
    #[serde(flatten)]
    pub spread: Option<Spread>,
}

/// Where values lie; in their own unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Spread {
    /// Arithmetic mean.
    pub mean: f64,
    /// 95 % percentile bootstrap interval of the mean, lower and upper end.
    pub interval: [f64; 2],
    /// Median.
    pub median: f64,
    /// Quartile below the median, see [`quantile`].
    pub lower_quartile: f64,
    /// Quartile above the median, see [`quantile`].
    pub upper_quartile: f64,
    /// Smallest.
    pub minimum: f64,
    /// Largest.
    pub maximum: f64,
}

impl Summary {
    /// Of one value per case.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Self {
        let all: Vec<Option<f64>> = values.into_iter().collect();
        let mut values: Vec<f64> = all.iter().copied().flatten().collect();
        values.sort_unstable_by(f64::total_cmp);
        Self {
            cases: values.len(),
            undefined: all.len() - values.len(),
            spread: Spread::of_sorted(&values),
        }
    }
}

impl Spread {
    fn of_sorted(values: &[f64]) -> Option<Self> {
        let (minimum, maximum) = (*values.first()?, *values.last()?);
        Some(Self {
            mean: mean(values.iter().copied())?,
            interval: bootstrap(values),
            median: quantile(values, 0.5),
            lower_quartile: quantile(values, 0.25),
            upper_quartile: quantile(values, 0.75),
            minimum,
            maximum,
        })
    }
}

/// 95 % interval of the mean: the 2.5th and 97.5th percentile of the means of [`RESAMPLES`] draws with replacement.
///
/// Source: the percentile interval of Efron 1979, "Bootstrap Methods: Another Look at the Jackknife".
fn bootstrap(values: &[f64]) -> [f64; 2] {
    let mut rng = StdRng::seed_from_u64(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn = (0..values.len()).map(|_| values[rng.random_range(0..values.len())]);
            drawn.sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    [quantile(&means, 0.025), quantile(&means, 0.975)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: positions 0.75, 1.5 and 2.25 among 1, 2, 4, 8.
    #[test]
    fn quartiles_lie_linearly_between_neighbours() {
        let summary = Summary::of([8.0, 1.0, 4.0, 2.0].map(Some));
        let spread = summary.spread.unwrap();
        assert_eq!(spread.mean, 3.75);
        assert_eq!(spread.median, 3.0);
        assert_eq!(spread.lower_quartile, 1.75);
        assert_eq!(spread.upper_quartile, 5.0);
        assert_eq!((spread.minimum, spread.maximum), (1.0, 8.0));
    }

    #[test]
    fn what_is_undefined_is_counted_and_left_out() {
        let summary = Summary::of([Some(2.0), None, Some(4.0), None, None]);
        assert_eq!((summary.cases, summary.undefined), (2, 3));
        assert_eq!(summary.spread.unwrap().mean, 3.0);
        let nothing = Summary::of([None, None]);
        assert_eq!((nothing.cases, nothing.undefined), (0, 2));
        assert_eq!(nothing.spread, None);
    }

    /// By hand: of 100 zeros and ones in equal parts the mean has a standard error of 0.05, so the interval is about
    /// 0.5 ± 1.96 · 0.05.
    #[test]
    fn the_interval_is_that_of_the_mean_and_the_same_again() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i % 2)).collect();
        let interval = |values: &[f64]| Summary::of(values.iter().copied().map(Some)).spread;
        let [low, high] = interval(&values).unwrap().interval;
        assert!((low - 0.402).abs() < 0.015, "{low}");
        assert!((high - 0.598).abs() < 0.015, "{high}");
        assert_eq!(interval(&values), interval(&values));
        // The order of the cases is no matter.
        let reversed: Vec<f64> = values.iter().rev().copied().collect();
        assert_eq!(interval(&values), interval(&reversed));
    }

    #[test]
    fn one_case_has_an_interval_of_no_width() {
        let spread = Summary::of([Some(0.7)]).spread.unwrap();
        assert!(spread.interval.iter().all(|end| (end - 0.7).abs() < 1e-15));
        assert_eq!(spread.median, 0.7);
    }
}
