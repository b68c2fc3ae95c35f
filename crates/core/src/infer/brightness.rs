//! Laws of brightness: how bright a class is, as often as it was seen so, and what a voxel's brightness is worth by that.

use dinomed3d_volume::LEVELS;

/// A law is at least so wide, in steps of brightness: a structure of a few voxels may be of one brightness by chance.
pub const NARROWEST: f64 = 6.0;
/// How wide each voxel of background counts: it has many tissues, and no law but what is seen.
const BACKGROUND_WIDTH: f64 = 4.0;
/// Share of voxels whose brightness says nothing, such as vessels and lesions: it bounds what brightness is worth.
pub const OUTLIERS: f64 = 1e-4;
/// Fewer voxels than this make no law.
const FEWEST: f64 = 8.0;

/// The Gaussian law of a class's brightness, in steps.
#[derive(Clone, Copy)]
pub struct Law {
    /// In steps.
    pub mean: f64,
    /// In steps squared.
    pub variance: f64,
}

/// How often each class has each brightness, `[class][step]`.
pub struct Brightness(pub Vec<[f64; LEVELS]>);

impl Brightness {
    /// Of each class; none of background, nor of too few voxels for one.
    pub fn laws(&self) -> Vec<Option<Law>> {
        let law = |(class, counts): (usize, &[f64; LEVELS])| {
            let all: f64 = counts.iter().sum();
            let is_one = class > 0 && all >= FEWEST;
            is_one.then(|| law_of(counts))
        };
        self.0.iter().enumerate().map(law).collect()
    }

    /// What each step of brightness adds to the logits: 0 where a class is as likely to have it as any other brightness. A class of
    /// too few voxels for a law has that of all together, which speaks neither for nor against it.
    pub fn worth(&self, weight: f64) -> Vec<[f32; LEVELS]> {
        let of_all = |step: usize| self.0.iter().map(|counts| counts[step]).sum();
        let together = as_seen(&std::array::from_fn(of_all));
        let of_class = |(class, law): (usize, Option<Law>)| {
            let density = match law {
                Some(law) => gaussian(law),
                None if class == 0 && self.0[0].iter().sum::<f64>() >= FEWEST => {
                    as_seen(&self.0[0])
                }
                None => together,
            };
            density.map(|density| {
                let times_even = (1.0 - OUTLIERS) * density * LEVELS as f64 + OUTLIERS;
                (weight * times_even.ln()) as f32
            })
        };
        self.laws().into_iter().enumerate().map(of_class).collect()
    }
}

/// With the mean and deviation of what is seen.
fn law_of(counts: &[f64; LEVELS]) -> Law {
    let all: f64 = counts.iter().sum();
    let moment = |of: &dyn Fn(f64) -> f64| {
        let sum = counts
            .iter()
            .enumerate()
            .map(|(step, count)| count * of(step as f64));
        sum.sum::<f64>() / all
    };
    let mean = moment(&|step| step);
    let variance = moment(&|step| (step - mean).powi(2)) + NARROWEST.powi(2);
    Law { mean, variance }
}

/// What is seen, smoothed.
fn as_seen(counts: &[f64; LEVELS]) -> [f64; LEVELS] {
    let all: f64 = counts.iter().sum();
    let mut density = [0.0; LEVELS];
    for (step, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0.0) {
        let kernel = gaussian(Law {
            mean: step as f64,
            variance: BACKGROUND_WIDTH.powi(2),
        });
        for (density, kernel) in density.iter_mut().zip(kernel) {
            *density += count / all * kernel;
        }
    }
    density
}

/// What would lie beyond the first and last step counts within.
fn gaussian(Law { mean, variance }: Law) -> [f64; LEVELS] {
    let density = |step| (-(step as f64 - mean).powi(2) / (2.0 * variance)).exp();
    let inside: f64 = (0..LEVELS).map(density).sum();
    std::array::from_fn(|step| density(step) / inside)
}
