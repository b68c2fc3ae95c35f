//! Random changes of a window's intensities, as scanners and patients bring them about.
//!
//! Only voxels of the scan change: what lies beyond its border stays zero, as in inference.

use super::recipe::Augmentation;
use super::seed::normal;
use super::setting::RandomChange;
use dinomed3d_volume::AxisWeights;
use dinomed3d_volume::statistics::mean_and_std;
use rand::Rng;
use rand::rngs::StdRng;

/// Changes `voxels` (`[slice, row, column]` of edges `shape`) in place; `inside` tells which of
/// them belong to the scan.
pub fn change(
    settings: &Augmentation,
    voxels: &mut [f32],
    inside: &[bool],
    shape: [usize; 3],
    rng: &mut StdRng,
) {
    if let Some(strength) = drawn(settings.low_resolution, rng) {
        low_resolution(voxels, shape, 1.0 + strength, rng);
    }
    if let Some(strength) = drawn(settings.bias_field, rng) {
        let field = bias_field(shape, strength, rng);
        keep_scale(voxels, inside, |values, low, _| {
            for (value, factor) in values.iter_mut().zip(&field) {
                *value = low + (*value - low) * factor;
            }
        });
    }
    if let Some(strength) = drawn(settings.gamma, rng) {
        let exponent = (strength * symmetric(rng)).exp2();
        keep_scale(voxels, inside, |values, low, high| {
            let range = high - low;
            for value in values {
                *value = low + range * ((*value - low) / range).clamp(0.0, 1.0).powf(exponent);
            }
        });
    }
    if rng.random_bool(f64::from(settings.intensity)) {
        let contrast = 1.0 + settings.contrast * symmetric(rng);
        let brightness = settings.brightness * symmetric(rng);
        let noise = rng.random_range(0.0..=1.0f32) * settings.noise;
        for value in voxels.iter_mut() {
            *value = *value * contrast + brightness + noise * normal(rng);
        }
    }
    for (value, inside) in voxels.iter_mut().zip(inside) {
        if !inside {
            *value = 0.0;
        }
    }
}

/// The strength of a change, if it is to happen.
fn drawn(change: RandomChange, rng: &mut StdRng) -> Option<f32> {
    let happens = rng.random_bool(f64::from(change.chance));
    (happens && change.limit > 0.0).then_some(change.limit)
}

fn symmetric(rng: &mut StdRng) -> f32 {
    rng.random_range(-1.0..=1.0)
}

/// Applies `change` (given the values, their least and their greatest) and brings mean and
/// standard deviation of the scan back to what they were: it is the form that should vary.
fn keep_scale(voxels: &mut [f32], inside: &[bool], change: impl FnOnce(&mut [f32], f32, f32)) {
    let before = Moments::of(voxels, inside);
    if before.high <= before.low {
        return;
    }
    change(voxels, before.low, before.high);
    let after = Moments::of(voxels, inside);
    if after.deviation > 0.0 {
        let factor = before.deviation / after.deviation;
        for value in voxels {
            *value = (*value - after.mean) * factor + before.mean;
        }
    }
}

struct Moments {
    mean: f32,
    deviation: f32,
    low: f32,
    high: f32,
}

impl Moments {
    fn of(voxels: &[f32], inside: &[bool]) -> Self {
        let values = || {
            voxels
                .iter()
                .zip(inside)
                .filter_map(|(v, i)| i.then_some(*v))
        };
        let (mean, deviation) = mean_and_std(values().map(f64::from));
        Self {
            mean: mean as f32,
            deviation: deviation as f32,
            low: values().fold(f32::INFINITY, f32::min),
            high: values().fold(f32::NEG_INFINITY, f32::max),
        }
    }
}

/// As if the scan had been taken in voxels up to `largest` times as long, along each axis or not.
fn low_resolution(voxels: &mut [f32], shape: [usize; 3], largest: f32, rng: &mut StdRng) {
    let mut values = voxels.to_vec();
    let (mut coarse, mut fine) = (Vec::new(), Vec::new());
    for axis in 0..3 {
        if !rng.random_bool(0.5) {
            continue;
        }
        let factor = rng.random_range(1.0..=largest);
        let edge = ((shape[axis] as f32 / factor).round() as usize).clamp(1, shape[axis]);
        let inner = shape[axis + 1..].iter().product();
        AxisWeights::new(shape[axis], edge).apply(&values, inner, &mut coarse);
        AxisWeights::new(edge, shape[axis]).apply(&coarse, inner, &mut fine);
        std::mem::swap(&mut values, &mut fine);
    }
    voxels.copy_from_slice(&values);
}

/// A smooth factor for every voxel, between `2^-strength` and `2^strength`: a random polynomial of
/// second degree.
fn bias_field(shape: [usize; 3], strength: f32, rng: &mut StdRng) -> Vec<f32> {
    let weights: [f32; 9] = std::array::from_fn(|_| symmetric(rng));
    let [depth, height, width] = shape;
    let place = |i: usize, n: usize| 2.0 * (i as f32 + 0.5) / n as f32 - 1.0;
    let mut field = Vec::with_capacity(depth * height * width);
    for z in 0..depth {
        for y in 0..height {
            for x in 0..width {
                let [z, y, x] = [place(z, depth), place(y, height), place(x, width)];
                let terms = [z, y, x, z * z, y * y, x * x, z * y, y * x, x * z];
                field.push(terms.iter().zip(&weights).map(|(t, w)| t * w).sum::<f32>());
            }
        }
    }
    let largest = field
        .iter()
        .fold(f32::MIN_POSITIVE, |max, v| max.max(v.abs()));
    for value in &mut field {
        *value = (strength * *value / largest).exp2();
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    const SHAPE: [usize; 3] = [6, 8, 10];

    fn settings() -> Augmentation {
        serde_json::from_value(serde_json::json!({
            "flip-slices": 0.0, "affine": 0.0, "rotation-deg": 0.0, "scale": [1.0, 1.0],
            "shift-voxels": 0.0, "intensity": 0.0, "contrast": 0.0, "brightness": 0.0,
            "noise": 0.0
        }))
        .unwrap()
    }

    /// A ramp in the scan, zero in its last two columns, which lie beyond it.
    fn window() -> (Vec<f32>, Vec<bool>) {
        let count = SHAPE.iter().product::<usize>();
        let inside: Vec<bool> = (0..count).map(|i| i % 10 < 8).collect();
        let voxels = (0..count)
            .map(|i| {
                if inside[i] {
                    i as f32 / 100.0 - 2.0
                } else {
                    0.0
                }
            })
            .collect();
        (voxels, inside)
    }

    fn changed(settings: &Augmentation, seed: u64) -> Vec<f32> {
        let (mut voxels, inside) = window();
        change(
            settings,
            &mut voxels,
            &inside,
            SHAPE,
            &mut StdRng::seed_from_u64(seed),
        );
        voxels
    }

    #[test]
    fn nothing_asked_nothing_changed() {
        assert_eq!(changed(&settings(), 1), window().0);
    }

    #[test]
    fn every_change_leaves_the_border_and_varies_with_the_seed() {
        let always = RandomChange {
            chance: 1.0,
            limit: 0.7,
        };
        let mut all = Vec::new();
        for kind in 0..4 {
            let mut settings = settings();
            match kind {
                0 => settings.gamma = always,
                1 => settings.bias_field = always,
                2 => settings.low_resolution = always,
                _ => {
                    settings.intensity = 1.0;
                    settings.brightness = 1.0;
                }
            }
            all.push(settings);
        }
        let (before, inside) = window();
        for (kind, settings) in all.iter().enumerate() {
            // Low resolution of no axis changes nothing; some seed changes one.
            let results: Vec<_> = (0..6).map(|seed| changed(settings, seed)).collect();
            assert!(
                results.iter().any(|r| *r != before),
                "change {kind} does nothing"
            );
            assert!(
                results.iter().any(|r| *r != results[0]),
                "change {kind} is always the same"
            );
            for result in &results {
                assert!(result.iter().all(|v| v.is_finite()));
                for (value, inside) in result.iter().zip(&inside) {
                    assert!(
                        *inside || *value == 0.0,
                        "change {kind} reaches beyond the scan"
                    );
                }
            }
        }
    }

    /// Gamma and bias field change the form of a histogram, not its place or width; and the order
    /// of values is gamma's to keep.
    #[test]
    fn mean_and_deviation_are_kept() {
        let (before, inside) = window();
        let expected = Moments::of(&before, &inside);
        let mut settings = settings();
        settings.gamma = RandomChange {
            chance: 1.0,
            limit: 1.0,
        };
        for seed in 0..5 {
            let values = changed(&settings, seed);
            let found = Moments::of(&values, &inside);
            assert!((found.mean - expected.mean).abs() < 1e-4);
            assert!((found.deviation - expected.deviation).abs() < 1e-4);
            let scan: Vec<f32> = values
                .iter()
                .zip(&inside)
                .filter_map(|(v, i)| i.then_some(*v))
                .collect();
            assert!(scan.is_sorted(), "gamma keeps the order");
        }
        settings.bias_field = RandomChange {
            chance: 1.0,
            limit: 0.5,
        };
        let found = Moments::of(&changed(&settings, 3), &inside);
        assert!((found.mean - expected.mean).abs() < 1e-4);
    }

    #[test]
    fn a_bias_field_is_smooth_and_within_its_limit() {
        let field = bias_field(SHAPE, 0.5, &mut StdRng::seed_from_u64(4));
        let (low, high) = (0.5f32.sqrt() - 1e-4, 2.0f32.sqrt() + 1e-4);
        assert!(field.iter().all(|f| (low..=high).contains(f)));
        for pair in field.chunks_exact(10).flat_map(|row| row.windows(2)) {
            assert!((pair[1] - pair[0]).abs() < 0.25);
        }
    }
}
