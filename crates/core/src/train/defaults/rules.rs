//! How each open setting of a recipe is settled. Every answer comes with its reason.

use crate::infer::Blending;
use crate::model::DinoMed3dConfig;
use crate::model::decoder::DecoderConfig;
use crate::preprocess::{Intensity, Spacing};
use crate::train::fingerprint::{ChannelFacts, Fingerprint, Intensities};
use dinomed3d_volume::Orientation;
use dinomed3d_volume::statistics::quantile;

/// The body's axes, in the order of a fingerprint.
const AXES: [&str; 3] = ["right–left", "posterior–anterior", "inferior–superior"];
/// From how many times the next spacing on the largest counts as that of slices.
const THICK: f64 = 1.2;
/// From how many times a slice's own pixels on slices count as too thick to turn in.
const VERY_THICK: f64 = 2.0;
/// Most voxels of a window of the compact network: a cube of 64, which a computer without a graphics card can train.
const MOST_VOXELS: usize = 64 * 64 * 64;
/// Slices and largest edge of the paper's clips.
const CLIP: [usize; 3] = [16, 512, 512];
/// Values that no MR has and CT has in every breath of air.
const AIR: f64 = -200.0;
/// Values beyond those of CT.
const METAL: f64 = 4000.0;

/// Words of labels that are of one side. A letter may mean something else, as the R of a wave: not to flip is the
/// cheaper error, for a flip teaches that right is left.
const SIDED: [&str; 8] = ["left", "right", "l", "r", "lh", "rh", "sin", "dex"];

/// What of a network decides how it is trained.
#[derive(Clone, Copy)]
pub struct Network {
    /// Edge of a patch.
    pub patch: usize,
    /// The paper's, for pretrained transformers and graphics cards, or the compact one.
    is_paper: bool,
}

impl Network {
    pub fn of(config: &DinoMed3dConfig) -> Self {
        Self {
            patch: config.vit.patch_size,
            is_paper: matches!(config.decoder, DecoderConfig::UperNet(_)),
        }
    }

    pub fn batch_size(&self, window: [usize; 3]) -> (usize, String) {
        if self.is_paper {
            return (1, "as in the paper, for windows of 512 × 512".into());
        }
        let voxels: usize = window.iter().product();
        let size = (MOST_VOXELS / voxels.max(1)).clamp(2, 8);
        (
            size,
            format!("2 to 8 windows, here of {voxels} voxels each"),
        )
    }

    pub fn learning_rate(&self, stage: usize) -> f64 {
        match (self.is_paper, stage) {
            (true, 1) => 1e-5,
            (true, _) => 1e-4,
            (false, _) => 1e-3,
        }
    }

    pub fn freeze_backbone(&self) -> (bool, String) {
        let reason = if self.is_paper {
            "as in the paper, on top of pretrained weights"
        } else {
            "weights that begin at random have nothing that freezing would protect"
        };
        (self.is_paper, reason.into())
    }

    pub fn blending(&self) -> Option<Blending> {
        self.is_paper.then_some(Blending::Mean)
    }
}

/// What depends on a data set too.
pub struct Rules<'a> {
    pub network: Network,
    pub data: &'a Fingerprint,
}

impl Rules<'_> {
    /// Labels after background.
    pub fn num_labels(&self) -> usize {
        self.data.labels.len() - 1
    }

    pub fn orientation(&self) -> (Orientation, String) {
        let median = self.data.spacing_mm.median;
        let largest = (0..3).fold(0, |best, axis| {
            if median[axis] > median[best] {
                axis
            } else {
                best
            }
        });
        let others = (0..3).filter(|&axis| axis != largest);
        let next = others.map(|axis| median[axis]).fold(0.0, f64::max);
        let [x, y, z] = median.map(|mm| format!("{mm:.2}"));
        let found = format!(
            "the median spacing is {x}, {y} and {z} mm along {}",
            AXES.join(", ")
        );
        if median[largest] < THICK * next {
            return (
                Orientation::RAS,
                format!("sagittal; {found}, about the same"),
            );
        }
        // Slices as they are looked at: rows downwards, to the patient's back or feet.
        let letters = ["RAS", "AIL", "SPL"][largest];
        let orientation = letters.parse().expect("three letters of different axes");
        (
            orientation,
            format!("slices along {}; {found}", AXES[largest]),
        )
    }

    pub fn spacing(&self, orientation: Orientation) -> (Spacing, String) {
        let median = self.edges_mm(orientation, Spacing::Own);
        // A tenth of a micrometre: more digits say nothing.
        let mm = median.map(|edge| (edge * 1e4).round() / 1e4);
        (Spacing::Mm(mm), "the median of all cases".into())
    }

    pub fn intensity(&self, modality: &str) -> (Intensity, String) {
        let data = self.data;
        let percentiles = Intensity::PercentileZScore {
            low_percent: 0.5,
            high_percent: 99.5,
        };
        // Of several channels, such as PET and CT, a modality does not say which one it means.
        let is_only = data.channels.len() == 1;
        let says_so =
            |channel: &ChannelFacts| says_ct(&channel.name) || (is_only && says_ct(modality));
        let looks_so =
            |channel: &ChannelFacts| channel.overall.low < AIR && channel.overall.high < METAL;
        // The channels share one window.
        let other = data
            .channels
            .iter()
            .find(|&channel| !says_so(channel) && !looks_so(channel));
        if let Some(channel) = other {
            let reason = if is_only {
                "neither the modality nor the values say CT".to_owned()
            } else {
                format!(
                    "neither its name nor its values say that channel {:?} is CT",
                    channel.name
                )
            };
            return (percentiles, reason);
        }
        let Some(labelled) = self.pooled(|channel| channel.labelled.as_ref()) else {
            return (percentiles, "CT, but no voxel is labelled".into());
        };
        if labelled.high <= labelled.low {
            return (percentiles, "CT, but all labelled voxels are alike".into());
        }
        let (mean, std) = labelled.clipped(labelled.low, labelled.high);
        let why = if data.channels.iter().all(says_so) {
            "the modality says CT"
        } else {
            "the values look like Hounsfield units"
        };
        let width = labelled.high - labelled.low;
        let window = Intensity::Window {
            center: rounded((labelled.low + labelled.high) / 2.0, width),
            width: rounded(width, width),
            mean: rounded(mean, width),
            std: deviation(std, width),
        };
        let reason = format!(
            "{why}; percentiles 0.5 and 99.5 of the labelled voxels are {} and {}",
            rounded(labelled.low, width),
            rounded(labelled.high, width)
        );
        (window, reason)
    }

    /// Mean and standard deviation of all voxels, clipped to a window.
    pub fn within(&self, center: f32, width: f32) -> [f32; 2] {
        let (center, width) = (f64::from(center), f64::from(width));
        let half = width / 2.0;
        let (mean, std) = self
            .pooled(|channel| Some(&channel.overall))
            .expect("a case has voxels")
            .clipped(center - half, center + half);
        [rounded(mean, width), deviation(std, width)]
    }

    /// Intensities of all channels together: they share their settings.
    fn pooled<'f>(
        &'f self,
        of: impl Fn(&'f ChannelFacts) -> Option<&'f Intensities>,
    ) -> Option<Intensities> {
        let channels = self.data.channels.iter().filter_map(of);
        Intensities::of(
            channels
                .flat_map(|found| found.values.iter().copied())
                .collect(),
        )
    }

    /// Edges of a voxel of the model grid, `[slice, row, column]`; the median where scans keep their own.
    fn edges_mm(&self, orientation: Orientation, spacing: Spacing) -> [f64; 3] {
        match spacing {
            Spacing::Mm(mm) => mm,
            Spacing::Own => {
                let median = self.data.spacing_mm.median;
                [0, 1, 2].map(|axis| median[orientation.world_axis(axis)])
            }
        }
    }

    /// Median shape of the cases on the model grid, `[slice, row, column]`, rounded up.
    fn median_shape(&self, orientation: Orientation, spacing: Spacing) -> [usize; 3] {
        std::array::from_fn(|axis| {
            let world = orientation.world_axis(axis);
            let mut edges: Vec<f64> = self
                .data
                .grids
                .iter()
                .map(|grid| {
                    let edge = grid.shape[world] as f64;
                    match spacing {
                        Spacing::Own => edge,
                        Spacing::Mm(mm) => {
                            (edge * grid.spacing_mm[world] / mm[axis]).round().max(1.0)
                        }
                    }
                })
                .collect();
            edges.sort_unstable_by(f64::total_cmp);
            quantile(&edges, 0.5).ceil() as usize
        })
    }

    pub fn window(&self, orientation: Orientation, spacing: Spacing) -> ([usize; 3], String) {
        let patch = self.network.patch;
        let median = self.median_shape(orientation, spacing);
        let [slices, rows, columns] = median;
        let found =
            format!("the median scan has {slices} × {rows} × {columns} voxels on this grid");
        let whole = [
            slices,
            rows.next_multiple_of(patch),
            columns.next_multiple_of(patch),
        ];
        if self.network.is_paper {
            let window = [
                CLIP[0],
                whole[1].min(CLIP[1].next_multiple_of(patch)),
                whole[2].min(CLIP[2].next_multiple_of(patch)),
            ];
            return (
                window,
                format!("the paper's clips of {} slices; {found}", CLIP[0]),
            );
        }
        let mm = self.edges_mm(orientation, spacing);
        let steps = [1, patch, patch];
        let mut window = whole;
        // The longest edge gives way, so that the window becomes a cube in space.
        while window.iter().product::<usize>() > MOST_VOXELS {
            let shrinkable = (0..3).filter(|&axis| window[axis] > steps[axis]);
            let Some(longest) = shrinkable.max_by(|&a, &b| {
                let edge = |axis: usize| window[axis] as f64 * mm[axis];
                edge(a).total_cmp(&edge(b))
            }) else {
                break;
            };
            window[longest] -= steps[longest];
        }
        let how = if window == whole {
            format!("rounded up to patches of {patch}")
        } else {
            format!("cut to {MOST_VOXELS} voxels in patches of {patch}")
        };
        (window, format!("{found}, {how}"))
    }

    pub fn windows_per_case(
        &self,
        orientation: Orientation,
        spacing: Spacing,
        window: [usize; 3],
    ) -> (usize, String) {
        let median = self.median_shape(orientation, spacing);
        let count: usize = (0..3)
            .map(|axis| median[axis].div_ceil(window[axis]))
            .product();
        let most = 8;
        let reason = format!("it takes {count} to cover the median scan; at most {most} are drawn");
        (count.clamp(1, most), reason)
    }

    /// Chances of a flip of slices and of columns.
    pub fn flips(&self, orientation: Orientation) -> ([f32; 2], String) {
        let sided = self.data.labels.iter().find(|label| {
            let words = words(&label.name);
            words.iter().any(|word| SIDED.contains(&word.as_str()))
        });
        if let Some(label) = sided {
            let reason = format!("label {:?} is of one side only", label.name);
            return ([0.0, 0.0], reason);
        }
        match (0..3).find(|&axis| orientation.world_axis(axis) == 0) {
            Some(0) => (
                [0.5, 0.0],
                "slices run from left to right, and no label is sided".into(),
            ),
            Some(2) => (
                [0.0, 0.5],
                "columns run from left to right, and no label is sided".into(),
            ),
            _ => (
                [0.0, 0.0],
                "rows run from left to right, which no flip turns".into(),
            ),
        }
    }

    pub fn in_plane(&self, orientation: Orientation, spacing: Spacing) -> (bool, String) {
        let mm = self.edges_mm(orientation, spacing);
        let times = mm[0] / mm[1].min(mm[2]);
        let reason = format!("slices are {times:.1} times as thick as their voxels are wide");
        (times > VERY_THICK, reason)
    }

    pub fn balanced(
        &self,
        orientation: Orientation,
        spacing: Spacing,
        window: [usize; 3],
    ) -> (f32, String) {
        let median = self.median_shape(orientation, spacing);
        if (0..3).all(|axis| window[axis] >= median[axis]) {
            return (0.0, "the window covers the median scan".into());
        }
        let rarest = self.data.labels[1..]
            .iter()
            .filter(|label| label.num_cases > 0)
            .min_by(|a, b| a.share.total_cmp(&b.share));
        let seen = rarest.map_or(String::new(), |label| {
            format!(
                ", and label {:?} is {:.3} % of the voxels",
                label.name,
                100.0 * label.share
            )
        });
        (
            0.5,
            format!("the window is a part of the median scan{seen}"),
        )
    }
}

/// The words of a label's name in lower case: letters together, and of `camelCase` each part.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, &letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| letters[at]);
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                // As the second letter of LHippocampus.
                || (before.is_some_and(char::is_uppercase)
                    && after.is_some_and(|after| after.is_lowercase())));
        if begins || !letter.is_alphabetic() {
            words.push(String::new());
        }
        if letter.is_alphabetic() {
            let word = words.last_mut().expect("at least one");
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Whether a word of it says CT in Hounsfield units.
fn says_ct(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    words.any(|word| ["CT", "NCCT", "CTA", "CECT"].contains(&word.to_uppercase().as_str()))
}

/// To four digits of a window's width, in whatever unit the values are: more say nothing.
fn rounded(value: f64, width: f64) -> f32 {
    let digits = 3 - width.log10().floor() as i32;
    // A power of ten and not of a tenth, so that what is left is the number nearest to a short one.
    let step = 10f64.powi(digits.abs());
    if digits < 0 {
        ((value / step).round() * step) as f32
    } else {
        ((value * step).round() / step) as f32
    }
}

/// A standard deviation to divide by: of values that are all but alike, a thousandth of the window.
fn deviation(std: f64, width: f64) -> f32 {
    rounded(std.max(width / 1000.0), width)
}
