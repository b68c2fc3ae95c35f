//! Quantiles of a list of numbers.

/// The quantile at `fraction` of sorted values: at `fraction * (n - 1)`, linear between neighbours.
///
/// # Panics
/// Without values.
///
/// Source: type 7 of Hyndman and Fan 1996, "Sample Quantiles in Statistical Packages", the default of numpy and R.
pub fn quantile(sorted: &[f64], fraction: f64) -> f64 {
    assert!(!sorted.is_empty(), "a quantile of nothing");
    let position = fraction * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}
