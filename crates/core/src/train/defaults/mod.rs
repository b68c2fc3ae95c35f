//! What a recipe leaves open lies in a base under it: what is usual, what suits its network, what its data set is like.

mod rules;

use super::TrainError;
use super::base::lay;
use super::fingerprint::Fingerprint;
use super::recipe::Recipe;
use crate::preprocess::{Intensity, Spacing};
use dinomed3d_volume::palette;
use rules::{Network, Rules};
use serde::{Deserialize, Serialize};
use std::fmt;
use toml::{Table, Value, toml};

/// What is usual; the rest keeps its place until it is settled, so that a recipe's mistakes are found before its data
/// are read.
const USUAL: &str = include_str!("usual.toml");

/// Something that a recipe left open, and how it was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Name of the setting.
    pub setting: String,
    /// What it became.
    pub value: String,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}: {}", self.setting, self.value, self.reason)
    }
}

/// The recipe that `given` says, with something in every place that it leaves open.
///
/// # Errors
/// A word that is no setting, a value of another kind, or nothing where nobody else can know.
pub(super) fn complete(given: &Table) -> Result<Recipe, toml::de::Error> {
    let mut whole: Table = USUAL.parse().expect("our own");
    lay(&mut whole, given.clone());
    if let Some(Value::Table(preprocessing)) = whole.get_mut("preprocessing") {
        let any = toml! {
            kind = "percentile-z-score"
            lowPercent = 0.5
            highPercent = 99.5
        };
        let intensity = preprocessing
            .entry("intensity")
            .or_insert(Value::Table(any));
        if let Some(window) = intensity.as_table_mut()
            && window.get("kind").and_then(Value::as_str) == Some("window")
        {
            window.entry("mean").or_insert(Value::Float(0.0));
            window.entry("std").or_insert(Value::Float(1.0));
        }
    }
    Recipe::deserialize(whole)
}

/// Settles what `given` leaves open, and says how and why. What is there stays as it is.
///
/// `fingerprint` is only asked where something depends on it: to make one takes reading every case.
///
/// # Errors
/// [`TrainError::Recipe`] for what is no recipe or can't work; what `fingerprint` says.
pub fn settle<F: FnOnce() -> Result<Fingerprint, TrainError>>(
    given: &Table,
    fingerprint: F,
) -> Result<(Recipe, Vec<Choice>), TrainError> {
    let mut recipe =
        complete(given).map_err(|error| TrainError::Recipe(error.to_string().trim().into()))?;
    let network = Network::of(&recipe.network(2)?);
    let mut open = Open {
        given,
        choices: Vec::new(),
        network,
        fingerprint: None,
        read: Some(fingerprint),
    };
    if open.has("window") {
        recipe.window = [1, network.patch, network.patch];
    }
    recipe.check()?;

    let preprocessing = &mut recipe.preprocessing;
    let orientation = &mut preprocessing.orientation;
    open.by_data("preprocessing.orientation", orientation, |rules| {
        rules.orientation()
    })?;
    let orientation = *orientation;
    let mut spacing = Spacing::from(preprocessing.spacing_mm);
    open.by_data("preprocessing.spacingMm", &mut spacing, |rules| {
        rules.spacing(orientation)
    })?;
    preprocessing.spacing_mm = spacing.into();
    let intensity = &mut preprocessing.intensity;
    if open.has("preprocessing.intensity") {
        open.by_data("preprocessing.intensity", intensity, |rules| {
            rules.intensity(&recipe.modality)
        })?;
    } else if let Intensity::Window {
        center,
        width,
        mean,
        std,
    } = intensity
    {
        for (setting, value, place) in [("mean", mean, 0), ("std", std, 1)] {
            open.by_data(
                &format!("preprocessing.intensity.{setting}"),
                value,
                |rules| {
                    let reason = "of the voxels of all cases, clipped to the window";
                    (rules.within(*center, *width)[place], reason.into())
                },
            )?;
        }
    }

    open.by_data("window", &mut recipe.window, |rules| {
        rules.window(orientation, spacing)
    })?;
    let window = recipe.window;
    if open.has("colors") {
        let count = open.rules()?.num_labels();
        let reason = "colours that stay apart for every kind of colour vision";
        open.note("colors", format!("{count} of them"), reason.into());
        recipe.colors = palette(count);
    }

    let a = &mut recipe.augmentation;
    // Who says one of the flips has thought of flips.
    if open.has("augmentation.flip-slices") && open.has("augmentation.flip-columns") {
        let ([slices, columns], reason) = open.rules()?.flips(orientation);
        let both = "augmentation.flip-slices and flip-columns";
        open.note(both, format!("{slices} and {columns}"), reason);
        (a.flip_slices, a.flip_columns) = (slices, columns);
    }
    if open.has("augmentation.affine") {
        open.by_data("augmentation.in-plane", &mut a.in_plane, |rules| {
            rules.in_plane(orientation, spacing)
        })?;
    }
    open.by_data("augmentation.balanced", &mut a.balanced, |rules| {
        rules.balanced(orientation, spacing, window)
    })?;
    let usual = [
        ("affine", a.affine.to_string()),
        ("rotation-deg", a.rotation_deg.to_string()),
        ("shift-voxels", a.shift_voxels.to_string()),
        ("intensity", a.intensity.to_string()),
        ("contrast", a.contrast.to_string()),
        ("brightness", a.brightness.to_string()),
        ("noise", a.noise.to_string()),
        ("scale", format!("{} to {}", a.scale[0], a.scale[1])),
    ];
    let usual: Vec<String> = usual
        .into_iter()
        .filter(|(setting, _)| open.has(&format!("augmentation.{setting}")))
        .map(|(setting, value)| format!("{setting} {value}"))
        .collect();
    if !usual.is_empty() {
        open.note("augmentation", usual.join(", "), "as usual".into());
    }

    for (number, stage) in [(1, &mut recipe.stage1), (2, &mut recipe.stage2)] {
        let name = |setting: &str| format!("stage{number}.{setting}");
        let usual = "usual for this network";
        open.by_data(
            &name("windows-per-case"),
            &mut stage.windows_per_case,
            |rules| rules.windows_per_case(orientation, spacing, window),
        )?;
        open.by(&name("batch-size"), &mut stage.batch_size, || {
            network.batch_size(window)
        });
        open.by(&name("learning-rate"), &mut stage.learning_rate, || {
            (network.learning_rate(number), usual.into())
        });
        open.tell(&name("weight-decay"), &stage.weight_decay, usual);
        open.tell(&name("warmup-steps"), &stage.warmup_steps, usual);
        open.tell(&name("max-gradient-norm"), &stage.max_gradient_norm, usual);
    }

    open.tell("overlap", &recipe.overlap, "as usual");
    let reason = "every fifth case in sorted order validates";
    open.tell("validation-every", &recipe.validation_every, reason);
    open.tell("ema-decay", &recipe.ema_decay, "as usual");
    open.by("freeze-backbone", &mut recipe.freeze_backbone, || {
        network.freeze_backbone()
    });
    if open.has("blending") {
        recipe.blending = network.blending();
    }
    Ok((recipe, open.choices))
}

/// What is open, and what has become of it.
struct Open<'a, F> {
    given: &'a Table,
    choices: Vec<Choice>,
    network: Network,
    fingerprint: Option<Fingerprint>,
    read: Option<F>,
}

impl<F: FnOnce() -> Result<Fingerprint, TrainError>> Open<'_, F> {
    /// Whether a setting is open; names of tables before its own are parted by full stops.
    fn has(&self, setting: &str) -> bool {
        let mut names = setting.split('.');
        let first = names.next().and_then(|name| self.given.get(name));
        names.fold(first, |value, name| value?.get(name)).is_none()
    }

    fn rules(&mut self) -> Result<Rules<'_>, TrainError> {
        if let Some(read) = self.read.take() {
            self.fingerprint = Some(read()?);
        }
        Ok(Rules {
            network: self.network,
            data: self.fingerprint.as_ref().expect("it was read"),
        })
    }

    fn by<T: Serialize>(
        &mut self,
        setting: &str,
        place: &mut T,
        choose: impl FnOnce() -> (T, String),
    ) {
        if self.has(setting) {
            let (value, reason) = choose();
            *place = value;
            self.tell(setting, place, &reason);
        }
    }

    fn by_data<T: Serialize>(
        &mut self,
        setting: &str,
        place: &mut T,
        choose: impl FnOnce(&Rules) -> (T, String),
    ) -> Result<(), TrainError> {
        if self.has(setting) {
            let chosen = choose(&self.rules()?);
            self.by(setting, place, || chosen);
        }
        Ok(())
    }

    /// Says what an open setting has become, as a file would.
    fn tell(&mut self, setting: &str, value: &impl Serialize, reason: &str) {
        if self.has(setting) {
            let value = serde_json::to_string(value).expect("a setting is plain data");
            self.note(setting, value, reason.into());
        }
    }

    fn note(&mut self, setting: &str, value: String, reason: String) {
        self.choices.push(Choice {
            setting: setting.to_owned(),
            value,
            reason,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::{Blending, Correction, PlaneCut};
    use crate::train::dataset::RawCase;
    use crate::train::fingerprint::{Intensities, Survey};
    use dinomed3d_volume::{Affine, LabelMap, Orientation, Volume};

    /// A recipe that says only what nobody else can.
    fn tiny(modality: &str) -> serde_json::Value {
        serde_json::json!({
            "name": "box", "title": "Box", "description": "Finds boxes.", "modality": modality,
            "data": {"source": "made", "licence": "none", "weights-licence": "none", "attribution": "none"},
            "stage1": {"epochs": 2}, "stage2": {"epochs": 9}
        })
    }

    /// As the recipe `json` and the data set say.
    fn settled(
        json: serde_json::Value,
        data: Fingerprint,
    ) -> Result<(Recipe, Vec<Choice>), TrainError> {
        settle(&Table::try_from(json).unwrap(), || Ok(data))
    }

    /// Cases of these shapes (x, y, z), with a labelled corner of values from 0 to 99 in a volume of `around`.
    fn data(
        shapes: &[[usize; 3]],
        spacing_xyz_mm: [f64; 3],
        around: f32,
        label: &str,
    ) -> Fingerprint {
        let labels = [(0, "background".to_owned()), (1, label.to_owned())];
        let mut survey = Survey::new(&["scan".to_owned()], &labels);
        for &[x, y, z] in shapes {
            let count = x * y * z;
            let affine = Affine::from_spacing_mm(spacing_xyz_mm);
            let shape = [z, y, x];
            let voxels = (0..count).map(|i| if i < 100 { i as f32 } else { around });
            survey.add(&RawCase {
                channels: vec![Volume {
                    voxels: voxels.collect(),
                    shape,
                    affine,
                }],
                reference: LabelMap {
                    labels: (0..count).map(|i| u8::from(i < 100)).collect(),
                    shape,
                    affine,
                },
            });
        }
        survey.finish()
    }

    fn reason<'a>(choices: &'a [Choice], setting: &str) -> &'a Choice {
        let mut found = choices.iter().filter(|choice| choice.setting == setting);
        found
            .next()
            .unwrap_or_else(|| panic!("{setting} in {choices:?}"))
    }

    /// Names become values; one that is not there, or is there twice, is refused.
    #[test]
    fn a_plane_cut_names_two_labels_of_the_data_set() {
        let labels = [(0, "background"), (4, "front"), (9, "back")].map(|(v, n)| (v, n.to_owned()));
        let recipe = |names: [&str; 2]| {
            let mut json = tiny("MR");
            json["plane-cut"] = serde_json::json!({"labels": names, "towards": "P"});
            let data = data(&[[32, 32, 32]], [1.0; 3], 50.0, "front");
            let (recipe, _) = settled(json, data).unwrap();
            // As a run keeps it.
            let kept = serde_json::to_value(&recipe).unwrap();
            serde_json::from_value::<Recipe>(kept).unwrap()
        };
        let found = recipe(["front", "back"]).corrections(&labels).unwrap();
        let expected = PlaneCut {
            labels: [4, 9],
            towards: "P".parse().unwrap(),
        };
        assert_eq!(
            found,
            [Correction::LargestComponent, Correction::PlaneCut(expected)]
        );
        for (names, told) in [
            (["front", "top"], "expected two of front, back"),
            (["background", "back"], "expected two of front, back"),
            (["back", "back"], "two labels"),
        ] {
            let error = recipe(names).corrections(&labels).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_tiny_recipe_is_settled_by_thick_axial_ct() {
        let shapes = [[96, 100, 20], [120, 100, 24], [96, 140, 30]];
        let data = data(&shapes, [0.8, 0.8, 5.0], -1000.0, "tumour");
        let (recipe, choices) = settled(tiny("CT of the chest"), data).unwrap();
        recipe.check().unwrap();
        let preprocessing = &recipe.preprocessing;
        assert_eq!(preprocessing.orientation.to_string(), "SPL");
        assert_eq!(preprocessing.spacing_mm, Some([5.0, 0.8, 0.8]));
        // Percentiles 0.5 and 99.5 of 0 … 99, three times each, are 0 and 99.
        let Intensity::Window {
            center,
            width,
            mean,
            std,
        } = preprocessing.intensity
        else {
            panic!("{:?}", preprocessing.intensity);
        };
        assert_eq!((center, width, mean), (49.5, 99.0, 49.5));
        // Of 0 … 99, √((100² − 1) / 12) = 28.866.
        assert_eq!(std, 28.87);
        assert!(
            reason(&choices, "preprocessing.intensity")
                .reason
                .contains("modality")
        );
        // The median has 24 × 100 × 96 voxels; 104 × 96 × 24 are within the limit.
        assert_eq!(recipe.window, [24, 104, 96]);
        assert_eq!(
            (recipe.stage2.windows_per_case, recipe.stage2.batch_size),
            (1, 2)
        );
        assert_eq!((recipe.stage1.epochs, recipe.stage2.epochs), (2, 9));
        assert_eq!(recipe.colors.len(), 1);
        let a = &recipe.augmentation;
        assert_eq!(
            (a.flip_slices, a.flip_columns, a.in_plane),
            (0.0, 0.5, true)
        );
        assert_eq!(a.balanced, 0.0);
        assert!(!recipe.freeze_backbone);
        assert!(choices.iter().all(|choice| !choice.reason.is_empty()));
    }

    #[test]
    fn a_tiny_recipe_is_settled_by_isotropic_mr_of_sided_labels() {
        let data = data(
            &[[36, 50, 35]; 3],
            [1.0, 1.1, 1.0],
            700.0,
            "Left hippocampus",
        );
        let (recipe, choices) = settled(tiny("T1-weighted MR"), data).unwrap();
        assert_eq!(recipe.preprocessing.orientation, Orientation::RAS);
        assert_eq!(recipe.preprocessing.spacing_mm, Some([1.0, 1.1, 1.0]));
        let expected = Intensity::PercentileZScore {
            low_percent: 0.5,
            high_percent: 99.5,
        };
        assert_eq!(recipe.preprocessing.intensity, expected);
        assert_eq!(recipe.window, [36, 56, 40]);
        // 64³ voxels hold three such windows.
        assert_eq!(recipe.stage1.batch_size, 3);
        let a = &recipe.augmentation;
        assert_eq!(
            (a.flip_slices, a.flip_columns, a.in_plane),
            (0.0, 0.0, false)
        );
        let flips = reason(&choices, "augmentation.flip-slices and flip-columns");
        assert!(flips.reason.contains("Left hippocampus"), "{flips}");
    }

    #[test]
    fn a_side_is_seen_however_a_label_spells_it() {
        let is_flipped = |label: &str| {
            let data = data(&[[36, 50, 35]; 3], [1.0; 3], 700.0, label);
            let recipe = settled(tiny("MR"), data).unwrap().0;
            recipe.augmentation.flip_slices > 0.0
        };
        let sided = [
            "Left hippocampus",
            "leftHippocampus",
            "LHippocampus",
            "hippocampusLeft",
            "kidney_left",
            "LEFT-LUNG",
            "lung_L",
            "R kidney",
            "hippocampus.r",
            "lh-cortex",
            "LH",
            "RHCortex",
            "ctx2rh",
            "left2",
            "ren dex.",
            "ren_sin",
        ];
        for label in sided {
            assert!(!is_flipped(label), "{label}");
        }
        for label in [
            "tumour",
            "Anterior",
            "brightSpot",
            "cleft",
            "rim",
            "LV",
            "sinus",
            "liver",
            "1",
            "",
        ] {
            assert!(is_flipped(label), "{label}");
        }
    }

    #[test]
    fn values_of_air_count_as_ct_where_nobody_says_so() {
        let of = |around: f32| {
            let data = data(&[[20, 20, 20]], [1.0; 3], around, "box");
            settled(tiny("a scan"), data)
                .unwrap()
                .0
                .preprocessing
                .intensity
        };
        assert!(matches!(of(-1000.0), Intensity::Window { .. }));
        assert!(matches!(of(-3.0), Intensity::PercentileZScore { .. }));
    }

    /// By hand: of 0 … 99 as above, a thousandth as much and shifted.
    #[test]
    fn a_window_is_as_exact_in_any_unit() {
        let facts = || data(&[[20, 20, 20]], [1.0; 3], -1000.0, "box");
        let scaled = |facts: Fingerprint, factor: f64, shift: f64| {
            let mut facts = facts;
            let of = |values: &Intensities| {
                let values = values.values.iter().map(|value| value * factor + shift);
                Intensities::of(values.collect()).unwrap()
            };
            for channel in &mut facts.channels {
                channel.overall = of(&channel.overall);
                channel.labelled = channel.labelled.as_ref().map(&of);
            }
            let recipe = settled(tiny("CT"), facts).unwrap().0;
            let Intensity::Window {
                center,
                width,
                mean,
                std,
            } = recipe.preprocessing.intensity
            else {
                panic!("{:?}", recipe.preprocessing.intensity);
            };
            [center, width, mean, std]
        };
        // Percentiles 0.5 and 99.5 of 0 … 99 are 0.495 and 98.505, and the ends are clipped to them.
        let [center, width, mean, std] = scaled(facts(), 1.0, 0.0);
        assert_eq!([center, width, mean], [49.5, 98.01, 49.5]);
        assert!((std - 28.85).abs() < 0.02, "{std}");
        let small = scaled(facts(), 1e-3, 0.0);
        assert_eq!(small[..3], [0.0495, 0.09801, 0.0495]);
        assert!((small[3] / std - 1e-3).abs() < 1e-6, "{small:?}");
        let shifted = scaled(facts(), 1e-3, 7.0);
        assert_eq!(shifted[..2], [7.0495, 0.09801]);
        let large = scaled(facts(), 1e4, 0.0);
        assert_eq!(large[..3], [495_000.0, 980_100.0, 495_000.0]);
    }

    /// What all but never varies is divided by a thousandth of the window, not by almost nothing.
    #[test]
    fn a_deviation_is_never_next_to_nothing() {
        let mut facts = data(&[[20, 20, 20]], [1.0; 3], 5.0, "box");
        facts.channels[0].overall = Intensities::of(vec![0.5; 100]).unwrap();
        let mut json = tiny("CT");
        json["preprocessing"] = serde_json::json!({
            "intensity": {"kind": "window", "center": 0.5, "width": 0.2}
        });
        let recipe = settled(json, facts).unwrap().0;
        let Intensity::Window { mean, std, .. } = recipe.preprocessing.intensity else {
            panic!("{:?}", recipe.preprocessing.intensity);
        };
        assert_eq!((mean, std), (0.5, 0.0002));
    }

    /// The channels of a scan share their settings, so one of CT does not make the others CT.
    #[test]
    fn several_channels_are_ct_only_if_each_is() {
        let is_window = |modality: &str, names: [&str; 2], around: [f32; 2]| {
            let mut facts = data(&[[20, 20, 20]], [1.0; 3], around[0], "box");
            facts
                .channels
                .extend(data(&[[20, 20, 20]], [1.0; 3], around[1], "box").channels);
            for (channel, name) in facts.channels.iter_mut().zip(names) {
                channel.name = name.to_owned();
            }
            let recipe = settled(tiny(modality), facts).unwrap().0;
            matches!(recipe.preprocessing.intensity, Intensity::Window { .. })
        };
        assert!(!is_window("PET/CT", ["CT", "PET"], [-1000.0, 3.0]));
        assert!(!is_window("CT and PET", ["a", "b"], [3.0, 3.0]));
        assert!(is_window("two phases", ["CT", "CTA"], [3.0, 3.0]));
        assert!(is_window("two phases", ["CT", "late"], [3.0, -1000.0]));
        assert!(is_window("two phases", ["early", "late"], [-1000.0; 2]));
    }

    /// By hand: 35 × 88 × 88 voxels, about 70 mm each, are still more than 64³; columns give way last.
    #[test]
    fn a_large_scan_is_seen_through_a_cube_and_rare_labels_are_sought() {
        let data = data(&[[256, 256, 100]], [0.8, 0.8, 2.0], 0.0, "tumour");
        let (recipe, choices) = settled(tiny("MR"), data).unwrap();
        assert_eq!(recipe.window, [35, 88, 80]);
        assert_eq!(recipe.augmentation.balanced, 0.5);
        assert!(
            reason(&choices, "augmentation.balanced")
                .reason
                .contains("tumour")
        );
        assert_eq!(recipe.stage2.windows_per_case, 8);
        assert_eq!(recipe.stage2.batch_size, 2);
    }

    #[test]
    fn the_papers_network_is_trained_as_in_the_paper() {
        let mut json = tiny("MR");
        json["architecture"] = "paper-s".into();
        json["preprocessing"] = serde_json::json!({"spacingMm": "own"});
        let data = data(&[[250, 600, 9]], [1.0, 1.0, 8.0], 0.0, "box");
        let recipe = settled(json, data).unwrap().0;
        assert_eq!(recipe.preprocessing.spacing_mm, None);
        assert_eq!(recipe.window, [16, 512, 256]);
        assert_eq!(
            (recipe.stage1.learning_rate, recipe.stage2.learning_rate),
            (1e-5, 1e-4)
        );
        assert_eq!(
            (recipe.stage1.batch_size, recipe.freeze_backbone),
            (1, true)
        );
        assert_eq!(recipe.blending, Some(Blending::Mean));
        let mut json = tiny("MR");
        json["architecture"] = "paper-xl".into();
        let data = super::tests::data(&[[25, 25, 9]], [1.0; 3], 0.0, "box");
        assert!(
            settled(json, data)
                .unwrap_err()
                .to_string()
                .contains("paper-l")
        );
    }

    /// By hand: of 1000 voxels 100 are 0 … 99 and the others −1000; within 0 … 40 that is 0, and 1 … 39, and 60 times 40.
    #[test]
    fn a_window_without_mean_and_deviation_takes_them_from_all_voxels() {
        let mut json = tiny("CT");
        json["preprocessing"] = serde_json::json!({
            "orientation": "LAS", "spacingMm": [2, 2, 2],
            "intensity": {"kind": "window", "center": 20, "width": 40}
        });
        let shape = [10, 10, 10];
        let data = data(&[shape], [1.0; 3], -1000.0, "box");
        let (recipe, choices) = settled(json, data).unwrap();
        let Intensity::Window {
            center,
            width,
            mean,
            std,
        } = recipe.preprocessing.intensity
        else {
            panic!("{:?}", recipe.preprocessing.intensity);
        };
        // (780 + 60 · 40) / 1000; squares (20540 + 60 · 1600) / 1000.
        assert_eq!((center, width, mean), (20.0, 40.0, 3.18));
        assert!(
            (f64::from(std) - (116.54f64 - 3.18 * 3.18).sqrt()).abs() < 0.006,
            "{std}"
        );
        reason(&choices, "preprocessing.intensity.mean");
        assert_eq!(recipe.preprocessing.orientation.to_string(), "LAS");
        assert_eq!(recipe.preprocessing.spacing_mm, Some([2.0; 3]));
    }

    #[test]
    fn what_can_not_work_is_named_before_the_data_are_read() {
        let cases = [
            (
                "the recipe's window is [16, 0, 16], expected is three positive edges",
                "window = [16, 0, 16]",
            ),
            (
                "expected is rows and columns in whole patches of 8",
                "window = [16, 16, 20]",
            ),
            (
                "the recipe's window is [16, 16, 4096000], expected is three positive edges, of 2^24 voxels",
                "window = [16, 16, 4096000]",
            ),
            ("overlap is 0.95, expected is 0 to 0.9", "overlap = 0.95"),
            (
                "partOf.marginMm is -1, expected is 0 or more",
                "part-of = { model = 'head', name = 'parts', marginMm = -1, places = [] }",
            ),
            (
                "the recipe's preprocessing.spacingMm is [1.0, 0.0, 1.0], expected",
                "preprocessing.spacingMm = [1, 0, 1]",
            ),
            (
                "preprocessing.spacingMm is [NaN, 1.0, 1.0]",
                "preprocessing.spacingMm = [nan, 1, 1]",
            ),
            (
                "preprocessing.intensity.width is -40, expected is a finite number above 0",
                "preprocessing.intensity = { kind = 'window', center = 40, width = -40 }",
            ),
            (
                "preprocessing.intensity.width is NaN",
                "preprocessing.intensity = { kind = 'window', center = 40, width = nan }",
            ),
            (
                "preprocessing.intensity.center and mean is inf and 0",
                "preprocessing.intensity = { kind = 'window', center = inf, width = 40 }",
            ),
            (
                "preprocessing.intensity.lowPercent to highPercent is 99 to 1",
                "preprocessing.intensity = { kind = 'percentile-z-score', lowPercent = 99, highPercent = 1 }",
            ),
            (
                "ema-decay is 1, expected is 0 to below 1",
                "ema-decay = 1.0",
            ),
            (
                "stage2.max-gradient-norm is -1",
                "stage2 = { epochs = 1, max-gradient-norm = -1 }",
            ),
            (
                "stage1.weight-decay is NaN",
                "stage1 = { epochs = 1, weight-decay = nan }",
            ),
            (
                "augmentation.rotation-deg is inf",
                "augmentation.rotation-deg = inf",
            ),
            (
                "augmentation.scale is 1 to inf",
                "augmentation.scale = [1, inf]",
            ),
            ("paper-l", "architecture = 'paper-xl'"),
            // What is no setting at all.
            ("windw", "windw = [16, 16, 16]"),
            ("own", "preprocessing.spacingMm = 'median'"),
            ("missing field `epochs`", "stage1 = {}"),
        ];
        for (expected, spoilt) in cases {
            let mut given = Table::try_from(tiny("CT")).unwrap();
            given.extend(spoilt.parse::<Table>().unwrap());
            let unread = || unreachable!("no case has to be read to say so");
            let found = settle(&given, unread).unwrap_err().to_string();
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    /// A network that is written out is looked at too, and has a class for each colour.
    #[test]
    fn a_network_that_can_not_work_is_named_before_the_data_are_read() {
        type Spoil = fn(&mut crate::model::DinoMed3dConfig);
        let cases: [(&str, Spoil); 3] = [
            (
                "the recipe's patch_size is 0, expected is a multiple of 4",
                |c| {
                    c.vit.patch_size = 0;
                },
            ),
            ("num_heads is 3 in embed_dim 128", |c| c.vit.num_heads = 3),
            ("num_classes is 5, expected is 2", |c| c.num_classes = 5),
        ];
        for (expected, spoil) in cases {
            let mut config = crate::model::presets::Preset::Compact.config(2);
            spoil(&mut config);
            let mut json = tiny("CT");
            json["colors"] = serde_json::json!([[1, 2, 3]]);
            let mut given = Table::try_from(json).unwrap();
            given.insert("architecture".into(), Value::try_from(config).unwrap());
            let unread = || unreachable!("no case has to be read to say so");
            let found = settle(&given, unread).unwrap_err().to_string();
            assert!(found.contains(expected), "{expected}: {found}");
        }
    }

    /// What three made-up data sets settle, as they did when a recipe was two types.
    #[test]
    fn a_data_set_settles_what_it_always_has() {
        let thick = [[96, 100, 20], [120, 100, 24], [96, 140, 30]];
        let mut partial = tiny("CT");
        partial["architecture"] = "paper-s".into();
        partial["preprocessing"] = serde_json::json!({
            "spacingMm": "own", "intensity": {"kind": "window", "center": 40, "width": 400}
        });
        partial["augmentation"] =
            serde_json::json!({"affine": 0.25, "flip-slices": 0.5, "scale": [0.9, 1.1]});
        partial["stage1"] = serde_json::json!({"epochs": 3, "accumulation": 2, "batch-size": 4});
        let cases = [
            (
                include_str!("tests/ct.toml"),
                tiny("CT of the chest"),
                data(&thick, [0.8, 0.8, 5.0], -1000.0, "tumour"),
            ),
            (
                include_str!("tests/mr.toml"),
                tiny("T1-weighted MR"),
                data(
                    &[[36, 50, 35]; 3],
                    [1.0, 1.1, 1.0],
                    700.0,
                    "Left hippocampus",
                ),
            ),
            (
                include_str!("tests/partial.toml"),
                partial,
                data(&[[250, 600, 9]], [1.0, 1.0, 8.0], -50.0, "box"),
            ),
        ];
        for (expected, json, data) in cases {
            let (recipe, choices) = settled(json, data).unwrap();
            let mut found = toml::to_string_pretty(&recipe).unwrap();
            for choice in choices {
                found += &format!("# {choice}\n");
            }
            assert_eq!(found, expected);
        }
    }
}
