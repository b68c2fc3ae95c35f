//! Learning rate over a stage.

/// Linear warm-up, then half a cosine down to nothing.
///
/// Returns the factor of the full learning rate at `step` of `total`.
pub fn warmup_cosine(step: usize, warmup: usize, total: usize) -> f64 {
    if step < warmup {
        return (step + 1) as f64 / warmup as f64;
    }
    let progress = (step - warmup) as f64 / (total.saturating_sub(warmup)).max(1) as f64;
    0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_to_nothing() {
        assert_eq!(warmup_cosine(0, 10, 100), 0.1);
        assert_eq!(warmup_cosine(9, 10, 100), 1.0);
        assert!((warmup_cosine(55, 10, 100) - 0.5).abs() < 1e-12);
        assert!(warmup_cosine(100, 10, 100) < 1e-12);
        assert!(warmup_cosine(10, 10, 100) > warmup_cosine(11, 10, 100));
    }
}
