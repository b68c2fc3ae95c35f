//! Mean and deviation.

/// Arithmetic mean; none of nothing.
pub fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0usize);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / count as f64)
}

/// Mean and standard deviation of the population, in two passes; not a number of nothing.
pub fn mean_and_std(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let mean = mean(values.clone()).unwrap_or(f64::NAN);
    let variance = self::mean(values.map(|value| (value - mean).powi(2)));
    (mean, variance.unwrap_or(f64::NAN).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: deviations −3, −1, 0, 4 of 4 and 26 / 4 squared on average.
    #[test]
    fn the_deviation_is_that_of_the_population() {
        let (mean, std) = mean_and_std([1.0, 3.0, 4.0, 8.0].into_iter());
        assert_eq!((mean, std), (4.0, 6.5f64.sqrt()));
        assert_eq!(super::mean([]), None);
        assert!(mean_and_std([].into_iter()).0.is_nan());
    }
}
