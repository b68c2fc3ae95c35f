//! Values on a common scale.

use super::{Intensity, PreprocessError};
use dinomed3d_volume::statistics::{mean_and_std, quantile_of_unsorted};

impl Intensity {
    /// Normalises in place.
    ///
    /// # Errors
    /// Values that are constant or nowhere finite; settings that can't be used.
    pub(crate) fn normalize(&self, voxels: &mut [f32]) -> Result<(), PreprocessError> {
        self.check()?;
        let (lowest, highest) = finite_range(voxels)?;
        if lowest == highest {
            return Err(PreprocessError::Constant {
                value: lowest,
                low: lowest,
                high: highest,
            });
        }
        match *self {
            Self::PercentileZScore {
                low_percent,
                high_percent,
            } => {
                let [low, high] = percentiles(voxels, [low_percent, high_percent]);
                clip(voxels, lowest, low, high);
                let (mean, std) = mean_and_std(voxels.iter().map(|&v| f64::from(v)));
                if std <= 0.0 || low == high {
                    return Err(PreprocessError::Constant {
                        value: voxels[0],
                        low,
                        high,
                    });
                }
                for v in voxels {
                    *v = ((f64::from(*v) - mean) / std) as f32;
                }
            }
            Self::Window {
                center,
                width,
                mean,
                std,
            } => {
                let (low, high) = (center - width / 2.0, center + width / 2.0);
                if highest <= low || lowest >= high {
                    return Err(PreprocessError::Constant {
                        value: lowest.clamp(low, high),
                        low,
                        high,
                    });
                }
                clip(voxels, lowest, low, high);
                for v in voxels {
                    *v = (*v - mean) / std;
                }
            }
        }
        Ok(())
    }

    /// Whether its settings can be used.
    ///
    /// # Errors
    /// [`PreprocessError::Setting`], which names the first one that can't.
    pub(crate) fn check(&self) -> Result<(), PreprocessError> {
        let wrong = |setting, found: String, expected| {
            Err(PreprocessError::Setting {
                setting,
                found,
                expected,
            })
        };
        match *self {
            Self::PercentileZScore {
                low_percent: low,
                high_percent: high,
            } => {
                if !(0.0..=100.0).contains(&low) || !(0.0..=100.0).contains(&high) || low >= high {
                    return wrong(
                        "intensity.lowPercent to highPercent",
                        format!("{low} to {high}"),
                        "two ascending numbers from 0 to 100",
                    );
                }
            }
            Self::Window {
                center,
                width,
                mean,
                std,
            } => {
                if !center.is_finite() || !mean.is_finite() {
                    return wrong(
                        "intensity.center and mean",
                        format!("{center} and {mean}"),
                        "finite numbers",
                    );
                }
                for (setting, value) in [("intensity.width", width), ("intensity.std", std)] {
                    if !value.is_finite() || value <= 0.0 {
                        return wrong(setting, value.to_string(), "a finite number above 0");
                    }
                }
            }
        }
        Ok(())
    }
}

fn finite_range(voxels: &[f32]) -> Result<(f32, f32), PreprocessError> {
    voxels
        .iter()
        .filter(|v| v.is_finite())
        .fold(None, |range, &v| match range {
            None => Some((v, v)),
            Some((low, high)) => Some((f32::min(low, v), f32::max(high, v))),
        })
        .ok_or(PreprocessError::NotFinite {
            voxels: voxels.len(),
        })
}

/// What is not finite becomes `lowest` first.
fn clip(voxels: &mut [f32], lowest: f32, low: f32, high: f32) {
    for v in voxels {
        *v = if v.is_finite() { *v } else { lowest }.clamp(low, high);
    }
}

/// Percentiles of the finite values, of which there is at least one.
fn percentiles(voxels: &[f32], percents: [f64; 2]) -> [f32; 2] {
    // As much room as there are voxels, not twice that.
    let mut finite: Vec<f32> = Vec::with_capacity(voxels.len());
    finite.extend(voxels.iter().filter(|v| v.is_finite()));
    percents.map(|percent| quantile_of_unsorted(&mut finite, percent / 100.0) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MR: Intensity = Intensity::PercentileZScore {
        low_percent: 0.5,
        high_percent: 99.5,
    };

    #[test]
    fn percentiles_are_of_the_finite_values() {
        let values = [3.0, f32::NAN, 1.0, f32::INFINITY, 2.0];
        assert_eq!(percentiles(&values, [0.0, 75.0]), [1.0, 2.5]);
    }

    #[test]
    fn z_scores_have_mean_0_and_deviation_1() {
        let mut voxels: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1000) as f32).collect();
        MR.normalize(&mut voxels).unwrap();
        let (mean, std) = mean_and_std(voxels.iter().map(|&v| f64::from(v)));
        assert!(
            mean.abs() < 1e-6 && (std - 1.0).abs() < 1e-6,
            "{mean} {std}"
        );
    }

    #[test]
    fn the_scale_of_the_scan_does_not_matter() {
        let scan: Vec<f32> = (0..500).map(|i| ((i * 37) % 101) as f32).collect();
        let mut plain = scan.clone();
        MR.normalize(&mut plain).unwrap();
        let mut scaled: Vec<f32> = scan.iter().map(|v| v * 16384.0).collect();
        MR.normalize(&mut scaled).unwrap();
        for (a, b) in plain.iter().zip(&scaled) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn voxels_that_are_not_finite_count_as_the_lowest() {
        let mut with = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 5.0, 8.0];
        let window = Intensity::Window {
            center: 0.0,
            width: 20.0,
            mean: 1.0,
            std: 2.0,
        };
        window.normalize(&mut with).unwrap();
        assert_eq!(with, [-2.0, -2.0, -2.0, -2.0, 2.0, 3.5]);
    }

    #[test]
    fn a_window_clips_then_scales() {
        let mut voxels = vec![-1000.0, 0.0, 40.0, 1000.0];
        let window = Intensity::Window {
            center: 40.0,
            width: 100.0,
            mean: 40.0,
            std: 50.0,
        };
        window.normalize(&mut voxels).unwrap();
        assert_eq!(voxels, [-1.0, -0.8, 0.0, 1.0]);
    }

    #[test]
    fn scans_with_nothing_to_see_are_refused() {
        let result = MR.normalize(&mut [f32::NAN, f32::INFINITY]);
        assert_eq!(result, Err(PreprocessError::NotFinite { voxels: 2 }));
        let result = MR.normalize(&mut [4.0, f32::NAN, 4.0]);
        assert!(
            matches!(result, Err(PreprocessError::Constant { value: 4.0, .. })),
            "{result:?}"
        );
        // One bright voxel among thousands is clipped away.
        let mut speck = vec![0.0; 5000];
        speck[17] = 1.0;
        let result = MR.normalize(&mut speck);
        assert!(
            matches!(result, Err(PreprocessError::Constant { value: 0.0, .. })),
            "{result:?}"
        );
        let air = Intensity::Window {
            center: 40.0,
            width: 100.0,
            mean: 0.0,
            std: 1.0,
        };
        let result = air.normalize(&mut [-1000.0, -990.0]);
        assert!(
            matches!(result, Err(PreprocessError::Constant { value: -10.0, .. })),
            "{result:?}"
        );
    }

    #[test]
    fn settings_that_can_not_be_are_refused() {
        for (low_percent, high_percent) in
            [(5.0, 5.0), (-1.0, 99.0), (0.0, 101.0), (f64::NAN, 99.0)]
        {
            let intensity = Intensity::PercentileZScore {
                low_percent,
                high_percent,
            };
            let result = intensity.normalize(&mut [0.0, 1.0]);
            assert!(
                matches!(result, Err(PreprocessError::Setting { .. })),
                "{result:?}"
            );
        }
        let flat = Intensity::Window {
            center: 0.0,
            width: 0.0,
            mean: 0.0,
            std: 1.0,
        };
        assert!(matches!(
            flat.normalize(&mut [0.0, 1.0]),
            Err(PreprocessError::Setting {
                setting: "intensity.width",
                ..
            })
        ));
    }
}
