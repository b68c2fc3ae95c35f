//! Random numbers that depend on where they are drawn, and on nothing else.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A generator of the numbers of one place: of a seed, a stage, an epoch and a position, say.
///
/// The parts are hashed together. Joined by exclusive or, two seeds would draw the same windows in another order: what seed 1
/// draws in epoch e, seed 2 in epoch e ^ 3.
pub fn rng_of(parts: &[u64]) -> StdRng {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.to_le_bytes());
    }
    StdRng::from_seed(digest.finalize().into())
}

/// Near enough to a normal number: the sum of four uniform ones.
pub fn normal(rng: &mut impl Rng) -> f32 {
    let bits: u64 = rng.random();
    let sum: u64 = (0..4).map(|part| bits >> (16 * part) & 0xFFFF).sum();
    (sum as f32 / 65535.0 - 2.0) * 1.732_050_8
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_places_draw_the_same() {
        let mut seen = HashSet::new();
        for seed in 0..8u64 {
            for stage in 0..3 {
                for epoch in 0..8 {
                    for place in 0..8 {
                        let first: u64 = rng_of(&[seed, stage, epoch, place]).random();
                        assert!(seen.insert(first), "{seed} {stage} {epoch} {place}");
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_place_draws_the_same() {
        let first = |parts: &[u64]| -> u64 { rng_of(parts).random() };
        assert_eq!(first(&[1, 2, 3]), first(&[1, 2, 3]));
        assert_ne!(first(&[1, 2, 3]), first(&[1, 3, 2]));
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut rng = StdRng::seed_from_u64(3);
        let values: Vec<f32> = (0..20_000).map(|_| normal(&mut rng)).collect();
        let mean = values.iter().sum::<f32>() / 20_000.0;
        let variance = values.iter().map(|v| v * v).sum::<f32>() / 20_000.0;
        assert!(
            mean.abs() < 0.03 && (variance - 1.0).abs() < 0.03,
            "{mean} {variance}"
        );
    }
}
