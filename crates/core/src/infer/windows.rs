//! Where windows lie in a volume, and how much each counts.

use crate::model::SettingError;
use crate::model::check::expect;
use serde::{Deserialize, Serialize};

/// How a volume is cut into windows.
#[derive(Clone, Copy, Debug)]
pub struct Windowing {
    /// Edge of a window, `[slice, row, column]`.
    pub window: [usize; 3],
    /// Fraction by which neighbours overlap.
    pub overlap: f32,
    /// How they are laid and joined.
    pub blending: Blending,
    /// What they show where they hang over.
    pub beyond: Beyond,
}

/// Most voxels of a window: 64 MiB of single precision.
const MAX_VOXELS: usize = 1 << 24;

impl Windowing {
    /// Whether windows can be laid so.
    ///
    /// # Errors
    /// [`SettingError`] for an edge of zero, a window that no device holds, an overlap out of 0 to 0.9.
    pub fn check(&self) -> Result<(), SettingError> {
        let edges = self.window.iter();
        let voxels = edges.fold(1usize, |product, edge| product.saturating_mul(*edge));
        expect(
            (1..=MAX_VOXELS).contains(&voxels),
            "window",
            format!("{:?}", self.window),
            "three positive edges, of 2^24 voxels at most",
        )?;
        expect(
            (0.0..=0.9).contains(&self.overlap),
            "overlap",
            self.overlap,
            "0 to 0.9",
        )
    }

    /// First index of each window along each axis of a volume of `shape`.
    pub fn starts(&self, shape: [usize; 3]) -> [Vec<usize>; 3] {
        std::array::from_fn(|axis| {
            self.blending
                .starts(shape[axis], self.window[axis], self.overlap)
        })
    }
}

/// What a window shows where it hangs over the scan: what it showed there in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beyond {
    /// Zero, the mean of the scan's normalised values: where it learnt from scans.
    #[default]
    Mean,
    /// The darkest of the scan or of the part of it that is looked at, as air: where it learnt from drawn images, which have
    /// air all around.
    Darkest,
}

impl Beyond {
    /// Its value in a channel of normalised voxels.
    pub fn value(self, channel: &[f32]) -> f32 {
        match self {
            Self::Mean => 0.0,
            Self::Darkest => channel.iter().copied().fold(f32::INFINITY, f32::min),
        }
    }
}

/// How windows are laid and joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Blending {
    /// Evenly spread, the middle of a window counting most, so that seams fade: our own presets.
    #[default]
    Smooth,
    /// At a fixed stride, the last one ending with the axis, all voxels counting alike: the
    /// paper's mean of logits.
    Mean,
}

impl Blending {
    /// First index of each window along one axis. A window that does not fit begins at zero and
    /// hangs over.
    pub fn starts(self, size: usize, window: usize, overlap: f32) -> Vec<usize> {
        match self {
            Self::Smooth => window_starts(size, window, overlap),
            Self::Mean => anchored_starts(size, window, overlap),
        }
    }

    /// Weight of each voxel of a window along one axis.
    pub fn profile(self, window: usize) -> Vec<f32> {
        match self {
            Self::Smooth => blend_profile(window),
            Self::Mean => vec![1.0; window],
        }
    }
}

fn anchored_starts(size: usize, window: usize, overlap: f32) -> Vec<usize> {
    let room = size.saturating_sub(window);
    let stride = ((window as f64 * (1.0 - f64::from(overlap))) as usize).max(1);
    let mut starts: Vec<usize> = (0..room).step_by(stride).collect();
    starts.push(room);
    starts
}

/// First index of each window along one axis; half-way steps are rounded, the last window ends
/// with the axis.
///
/// A window that does not fit begins at zero and hangs over.
///
/// Source: nnU-Net, Isensee et al. 2021, sliding-window inference.
pub fn window_starts(size: usize, window: usize, overlap: f32) -> Vec<usize> {
    let room = size.saturating_sub(window);
    if room == 0 {
        return vec![0];
    }
    let stride = (window as f64 * (1.0 - f64::from(overlap))).max(1.0);
    let steps = (room as f64 / stride).ceil() as usize;
    (0..=steps)
        .map(|step| (room as f64 * step as f64 / steps as f64).round() as usize)
        .collect()
}

/// Weight of each voxel of a window along one axis: highest in the middle, so that seams fade.
pub fn blend_profile(window: usize) -> Vec<f32> {
    (0..window)
        .map(|i| (1 + i.min(window - 1 - i)) as f32 / window.div_ceil(2) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 52 voxels of room, stride 24, so three steps of 17.3.
    #[test]
    fn half_overlap_reaches_the_last_voxel() {
        assert_eq!(window_starts(100, 48, 0.5), [0, 17, 35, 52]);
    }

    /// By hand: a stride of 8, the last window anchored at the end.
    #[test]
    fn the_paper_strides_and_anchors() {
        let starts = |size| Blending::Mean.starts(size, 16, 0.5);
        assert_eq!(starts(21), [0, 5]);
        assert_eq!(starts(40), [0, 8, 16, 24]);
        assert_eq!(starts(41), [0, 8, 16, 24, 25]);
        assert_eq!(starts(16), [0]);
        assert_eq!(starts(3), [0]);
    }

    #[test]
    fn a_small_axis_has_one_window() {
        assert_eq!(window_starts(30, 48, 0.5), [0]);
        assert_eq!(window_starts(48, 48, 0.5), [0]);
        assert_eq!(window_starts(49, 48, 0.5), [0, 1]);
    }

    #[test]
    fn every_voxel_is_covered_with_at_least_the_overlap() {
        for size in 1..150 {
            for window in [1, 7, 16, 40] {
                let starts = window_starts(size, window, 0.5);
                assert_eq!(*starts.last().unwrap(), size.saturating_sub(window));
                for pair in starts.windows(2) {
                    assert!(
                        pair[1] - pair[0] <= window.div_ceil(2),
                        "{size} {window} {pair:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_profile_is_symmetric_and_positive() {
        assert_eq!(blend_profile(4), [0.5, 1.0, 1.0, 0.5]);
        assert!(blend_profile(5).iter().all(|w| *w > 0.0 && *w <= 1.0));
    }
}
