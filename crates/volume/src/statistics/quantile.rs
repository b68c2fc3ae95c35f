//! Quantiles of a list of numbers: at `fraction * (n - 1)`, linear between neighbours.
//!
//! Source: type 7 of Hyndman and Fan 1996, "Sample Quantiles in Statistical Packages", the default of numpy and R.

/// The quantile at `fraction` of sorted values.
///
/// # Panics
/// Without values.
pub fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    let (rank, share) = place(sorted.len(), fraction);
    let next = sorted[(rank + 1).min(sorted.len() - 1)];
    sorted[rank] + (next - sorted[rank]) * share
}

/// The quantile at `fraction` of values in any order, which it changes; for many of them, as sorting takes longer.
///
/// # Panics
/// Without values.
pub fn quantile_of_unsorted(values: &mut [f32], fraction: f64) -> f64 {
    let (rank, share) = place(values.len(), fraction);
    let (_, &mut found, above) = values.select_nth_unstable_by(rank, f32::total_cmp);
    // The next in order is the least of those above.
    let next = above.iter().copied().min_by(f32::total_cmp);
    let (found, next) = (f64::from(found), f64::from(next.unwrap_or(found)));
    found + (next - found) * share
}

/// The value below a quantile, by rank, and how far it lies towards the next one.
fn place(count: usize, fraction: f64) -> (usize, f64) {
    assert!(count > 0, "a quantile of nothing");
    let position = fraction * (count - 1) as f64;
    let rank = (position.floor() as usize).min(count - 1);
    (rank, position - rank as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// numpy.percentile([3, 1, 4, 1, 5, 9, 2, 6], [0.5, 99.5, 25, 50, 100]) = 1.0, 8.895, 1.75, 3.5, 9.0
    #[test]
    fn quantiles_lie_between_values_as_in_numpy() {
        let values = [3.0f32, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let mut sorted = values.map(f64::from);
        sorted.sort_unstable_by(f64::total_cmp);
        for (percent, expected) in [
            (0.0, 1.0),
            (0.5, 1.0),
            (25.0, 1.75),
            (50.0, 3.5),
            (99.5, 8.895),
            (100.0, 9.0),
        ] {
            let fraction = percent / 100.0;
            let found = quantile(&sorted, fraction);
            assert!((found - expected).abs() < 1e-12, "{percent}: {found}");
            assert_eq!(quantile_of_unsorted(&mut values.clone(), fraction), found);
        }
    }
}
