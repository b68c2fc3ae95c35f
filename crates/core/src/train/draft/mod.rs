//! A recipe that leaves things open, and how they are settled: by what the data set is like, or as is usual.

mod rules;

use super::TrainError;
use super::fingerprint::Fingerprint;
use super::loss::CROSS_ENTROPY_WEIGHT;
use super::recipe::{
    Architecture, Augmentation, DataFacts, Planes, RandomChange, Recipe, StageRecipe,
    check_patch_size, check_window, expect,
};
use super::synthesis::Synthesis;
use crate::infer::{Blending, PlaneCut};
use crate::preprocess::{Intensity, PreprocessError, Preprocessing, Spacing};
use dinomed3d_volume::{Orientation, palette};
use rules::Rules;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A recipe as people write it; what is not there is settled by [`RecipeDraft::resolve`]. See [`Recipe`] for the fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are those of a recipe")]
pub struct RecipeDraft {
    pub name: String,
    pub title: String,
    pub description: String,
    pub modality: String,
    #[serde(default)]
    pub limits: Vec<String>,
    pub data: DataFacts,
    pub colors: Option<Vec<[u8; 3]>>,
    #[serde(default)]
    pub preprocessing: PreprocessingDraft,
    pub window: Option<[usize; 3]>,
    pub overlap: Option<f32>,
    pub blending: Option<Blending>,
    pub seed: Option<u64>,
    pub validation_every: Option<usize>,
    pub validation_fold: Option<usize>,
    pub ema_decay: Option<f32>,
    pub stage1: StageDraft,
    pub stage2: StageDraft,
    pub freeze_backbone: Option<bool>,
    pub initialization: Option<String>,
    #[serde(default)]
    pub augmentation: AugmentationDraft,
    pub plane_cut: Option<PlaneCut<String>>,
    pub synthesis: Option<Synthesis>,
    pub architecture: Option<Architecture>,
}

/// See [`Preprocessing`]; a spacing that is not there is settled by the data, `"own"` keeps that of each scan.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(missing_docs, reason = "they are those of the preprocessing")]
pub struct PreprocessingDraft {
    pub orientation: Option<Orientation>,
    pub spacing_mm: Option<Spacing>,
    pub intensity: Option<IntensityDraft>,
}

/// See [`Intensity`].
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
#[allow(missing_docs, reason = "they are those of an intensity")]
pub enum IntensityDraft {
    /// Complete as it is.
    PercentileZScore { low_percent: f64, high_percent: f64 },
    /// Mean and deviation of all voxels within the window, where they are not there.
    Window {
        center: f32,
        width: f32,
        mean: Option<f32>,
        std: Option<f32>,
    },
}

/// See [`StageRecipe`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are those of a stage")]
pub struct StageDraft {
    pub epochs: usize,
    pub windows_per_case: Option<usize>,
    pub batch_size: Option<usize>,
    pub accumulation: Option<usize>,
    pub learning_rate: Option<f64>,
    pub layer_decay: Option<f64>,
    pub weight_decay: Option<f32>,
    pub warmup_steps: Option<usize>,
    pub max_gradient_norm: Option<f32>,
    pub cross_entropy: Option<f32>,
    pub early_stopping: Option<usize>,
}

/// See [`Augmentation`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[allow(missing_docs, reason = "they are those of an augmentation")]
pub struct AugmentationDraft {
    pub flip_slices: Option<f32>,
    pub flip_columns: Option<f32>,
    pub affine: Option<f32>,
    pub in_plane: Option<bool>,
    pub keep_planes: Option<Planes>,
    pub rotation_deg: Option<f32>,
    pub scale: Option<[f32; 2]>,
    pub shift_voxels: Option<f32>,
    pub intensity: Option<f32>,
    pub contrast: Option<f32>,
    pub brightness: Option<f32>,
    pub noise: Option<f32>,
    pub elastic: Option<RandomChange>,
    pub gamma: Option<RandomChange>,
    pub bias_field: Option<RandomChange>,
    pub low_resolution: Option<RandomChange>,
    pub balanced: Option<f32>,
}

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

/// As a file would say it.
fn shown(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a setting is plain data")
}

/// Takes what is there, or settles what is not and says so.
#[derive(Default)]
struct Choices(Vec<Choice>);

impl Choices {
    fn settle<T: Serialize>(
        &mut self,
        setting: &str,
        given: Option<T>,
        choose: impl FnOnce() -> (T, String),
    ) -> T {
        given.unwrap_or_else(|| {
            let (value, reason) = choose();
            self.note(setting, shown(&value), reason);
            value
        })
    }

    fn note(&mut self, setting: &str, value: String, reason: String) {
        self.0.push(Choice {
            setting: setting.to_owned(),
            value,
            reason,
        });
    }
}

impl RecipeDraft {
    /// Whether something is left to what the data set is like.
    pub fn needs_fingerprint(&self) -> bool {
        let stage_is_open = |stage: &StageDraft| stage.windows_per_case.is_none();
        let PreprocessingDraft {
            orientation,
            spacing_mm,
            intensity,
        } = &self.preprocessing;
        let intensity_is_open = match intensity {
            None => true,
            Some(IntensityDraft::PercentileZScore { .. }) => false,
            Some(IntensityDraft::Window { mean, std, .. }) => mean.is_none() || std.is_none(),
        };
        let a = &self.augmentation;
        orientation.is_none()
            || spacing_mm.is_none()
            || intensity_is_open
            || self.window.is_none()
            || self.colors.is_none()
            || stage_is_open(&self.stage1)
            || stage_is_open(&self.stage2)
            || a.balanced.is_none()
            || (a.flip_slices.is_none() && a.flip_columns.is_none())
            || (a.in_plane.is_none() && a.affine.is_none())
    }

    /// Whether what others are settled by can work; the rest is for [`Recipe::check`].
    fn check(&self) -> Result<(), TrainError> {
        if let Some(window) = self.window {
            check_window(window)?;
        }
        if let Some(Architecture::Config(config)) = &self.architecture {
            check_patch_size(config.vit.patch_size)?;
        }
        let given = &self.preprocessing;
        if let Some(Spacing::Mm(mm)) = given.spacing_mm {
            let is_right = mm.iter().all(|edge| edge.is_finite() && *edge > 0.0);
            let expected = "three finite numbers above 0";
            let found = format!("{mm:?}");
            expect(is_right, "preprocessing.spacingMm", found, expected)?;
        }
        let intensity = match given.intensity {
            None => return Ok(()),
            Some(IntensityDraft::PercentileZScore {
                low_percent,
                high_percent,
            }) => Intensity::PercentileZScore {
                low_percent,
                high_percent,
            },
            // What is open will be right.
            Some(IntensityDraft::Window {
                center,
                width,
                mean,
                std,
            }) => Intensity::Window {
                center,
                width,
                mean: mean.unwrap_or(0.0),
                std: std.unwrap_or(1.0),
            },
        };
        match intensity.check() {
            Err(PreprocessError::Setting {
                setting,
                found,
                expected,
            }) => expect(false, &format!("preprocessing.{setting}"), found, expected),
            other => other.map_err(|error| TrainError::Recipe(error.to_string())),
        }
    }

    /// Settles what is open, and says how and why. What is there stays as it is.
    ///
    /// `fingerprint` is only asked where something depends on it: to make one takes reading every case.
    ///
    /// # Errors
    /// What `fingerprint` says; [`TrainError::Recipe`] for a preset that there is not, and for a setting that can't
    /// work where others are settled by it.
    pub fn resolve(
        self,
        fingerprint: impl FnOnce() -> Result<Fingerprint, TrainError>,
    ) -> Result<(Recipe, Vec<Choice>), TrainError> {
        self.check()?;
        let fingerprint = if self.needs_fingerprint() {
            Some(fingerprint()?)
        } else {
            None
        };
        let rules = Rules::new(self.architecture.as_ref(), fingerprint.as_ref())?;
        let mut choices = Choices::default();

        let given = self.preprocessing;
        let orientation = choices.settle("preprocessing.orientation", given.orientation, || {
            rules.orientation()
        });
        let spacing = choices.settle("preprocessing.spacingMm", given.spacing_mm, || {
            rules.spacing(orientation)
        });
        let intensity = match given.intensity {
            None => {
                let (intensity, reason) = rules.intensity(&self.modality);
                choices.note("preprocessing.intensity", shown(&intensity), reason);
                intensity
            }
            Some(IntensityDraft::PercentileZScore {
                low_percent,
                high_percent,
            }) => Intensity::PercentileZScore {
                low_percent,
                high_percent,
            },
            Some(IntensityDraft::Window {
                center,
                width,
                mean,
                std,
            }) => {
                let mut settle = |setting: &str, given, place: usize| {
                    choices.settle(&format!("preprocessing.intensity.{setting}"), given, || {
                        let reason = "of the voxels of all cases, clipped to the window";
                        (rules.within(center, width)[place], reason.to_owned())
                    })
                };
                Intensity::Window {
                    center,
                    width,
                    mean: settle("mean", mean, 0),
                    std: settle("std", std, 1),
                }
            }
        };
        let preprocessing = Preprocessing {
            orientation,
            spacing_mm: spacing.into(),
            intensity,
        };

        let window = choices.settle("window", self.window, || rules.window(orientation, spacing));
        let colors = self.colors.unwrap_or_else(|| {
            let count = rules.num_labels();
            let reason = "colours that stay apart for every kind of colour vision";
            choices.note("colors", format!("{count} of them"), reason.into());
            palette(count)
        });
        let augmentation = augmentation(
            self.augmentation,
            &rules,
            &mut choices,
            (orientation, spacing, window),
        );
        let mut stage = |number: usize, draft: StageDraft| {
            stage(
                number,
                draft,
                &rules,
                &mut choices,
                (orientation, spacing, window),
            )
        };
        let stage1 = stage(1, self.stage1);
        let stage2 = stage(2, self.stage2);
        let usual = |value| (value, "as usual".to_owned());
        let recipe = Recipe {
            name: self.name,
            title: self.title,
            description: self.description,
            modality: self.modality,
            limits: self.limits,
            data: self.data,
            colors,
            preprocessing,
            window,
            overlap: choices.settle("overlap", self.overlap, || usual(0.5)),
            blending: self.blending.or_else(|| rules.blending()),
            seed: self.seed.unwrap_or(1),
            validation_every: choices.settle("validation-every", self.validation_every, || {
                (5, "every fifth case in sorted order validates".into())
            }),
            validation_fold: self.validation_fold.unwrap_or(0),
            ema_decay: choices.settle("ema-decay", self.ema_decay, || usual(0.99)),
            stage1,
            stage2,
            freeze_backbone: choices.settle("freeze-backbone", self.freeze_backbone, || {
                rules.freeze_backbone()
            }),
            initialization: self.initialization.unwrap_or_else(|| "random".into()),
            augmentation,
            plane_cut: self.plane_cut,
            synthesis: self.synthesis,
            architecture: self.architecture,
        };
        Ok((recipe, choices.0))
    }
}

/// Orientation, spacing and window that the rest goes by.
type Input = (Orientation, Spacing, [usize; 3]);

fn stage(
    number: usize,
    draft: StageDraft,
    rules: &Rules,
    choices: &mut Choices,
    (orientation, spacing, window): Input,
) -> StageRecipe {
    let name = |setting: &str| format!("stage{number}.{setting}");
    let usual = || "usual for this network".to_owned();
    StageRecipe {
        epochs: draft.epochs,
        windows_per_case: choices.settle(&name("windows-per-case"), draft.windows_per_case, || {
            rules.windows_per_case(orientation, spacing, window)
        }),
        batch_size: choices.settle(&name("batch-size"), draft.batch_size, || {
            rules.batch_size(window)
        }),
        accumulation: draft.accumulation.unwrap_or(1),
        learning_rate: choices.settle(&name("learning-rate"), draft.learning_rate, || {
            (rules.learning_rate(number), usual())
        }),
        layer_decay: draft.layer_decay.unwrap_or(1.0),
        weight_decay: choices.settle(&name("weight-decay"), draft.weight_decay, || {
            (1e-2, usual())
        }),
        warmup_steps: choices.settle(&name("warmup-steps"), draft.warmup_steps, || (30, usual())),
        max_gradient_norm: choices.settle(
            &name("max-gradient-norm"),
            draft.max_gradient_norm,
            || (1.0, usual()),
        ),
        cross_entropy: draft.cross_entropy.unwrap_or(CROSS_ENTROPY_WEIGHT),
        early_stopping: draft.early_stopping,
    }
}

fn augmentation(
    draft: AugmentationDraft,
    rules: &Rules,
    choices: &mut Choices,
    (orientation, spacing, window): Input,
) -> Augmentation {
    let name = |setting: &str| format!("augmentation.{setting}");
    // Who says one of the flips has thought of flips.
    let (flip_slices, flip_columns) = match (draft.flip_slices, draft.flip_columns) {
        (None, None) => {
            let (flips, reason) = rules.flips(orientation);
            let value = format!("{} and {}", flips[0], flips[1]);
            choices.note(&name("flip-slices and flip-columns"), value, reason);
            (flips[0], flips[1])
        }
        (slices, columns) => (slices.unwrap_or(0.0), columns.unwrap_or(0.0)),
    };
    let in_plane = match (draft.in_plane, draft.affine) {
        (None, Some(_)) => false,
        (given, _) => choices.settle(&name("in-plane"), given, || {
            rules.in_plane(orientation, spacing)
        }),
    };
    let balanced = choices.settle(&name("balanced"), draft.balanced, || {
        rules.balanced(orientation, spacing, window)
    });
    let mut usual = Vec::new();
    let mut or = |setting: &str, given: Option<f32>, value: f32| {
        given.unwrap_or_else(|| {
            usual.push(format!("{setting} {value}"));
            value
        })
    };
    let augmentation = Augmentation {
        flip_slices,
        flip_columns,
        affine: or("affine", draft.affine, 0.5),
        in_plane,
        keep_planes: draft.keep_planes,
        rotation_deg: or("rotation-deg", draft.rotation_deg, 15.0),
        scale: draft.scale.unwrap_or([0.85, 1.18]),
        shift_voxels: or("shift-voxels", draft.shift_voxels, 2.0),
        intensity: or("intensity", draft.intensity, 0.5),
        contrast: or("contrast", draft.contrast, 0.2),
        brightness: or("brightness", draft.brightness, 0.2),
        noise: or("noise", draft.noise, 0.15),
        elastic: draft.elastic.unwrap_or_default(),
        gamma: draft.gamma.unwrap_or_default(),
        bias_field: draft.bias_field.unwrap_or_default(),
        low_resolution: draft.low_resolution.unwrap_or_default(),
        balanced,
    };
    if draft.scale.is_none() {
        usual.push("scale 0.85 to 1.18".into());
    }
    if !usual.is_empty() {
        choices.note("augmentation", usual.join(", "), "as usual".into());
    }
    augmentation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::dataset::RawCase;
    use crate::train::fingerprint::{Intensities, Survey};
    use dinomed3d_volume::{Affine, LabelMap, Volume};

    /// A recipe that says only what nobody else can.
    fn tiny(modality: &str) -> serde_json::Value {
        serde_json::json!({
            "name": "box", "title": "Box", "description": "Finds boxes.", "modality": modality,
            "data": {"source": "made", "licence": "none", "weights-licence": "none", "attribution": "none"},
            "stage1": {"epochs": 2}, "stage2": {"epochs": 9}
        })
    }

    fn draft(json: serde_json::Value) -> RecipeDraft {
        serde_json::from_value(json).unwrap()
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
            let (recipe, _) = draft(json).resolve(|| Ok(data)).unwrap();
            // As a run keeps it.
            let kept = serde_json::to_value(&recipe).unwrap();
            serde_json::from_value::<Recipe>(kept).unwrap()
        };
        let cut = recipe(["front", "back"]).plane_cut(&labels).unwrap();
        let expected = PlaneCut {
            labels: [4, 9],
            towards: "P".parse().unwrap(),
        };
        assert_eq!(cut, Some(expected));
        for (names, told) in [
            (["front", "top"], "expected two of front, back"),
            (["background", "back"], "expected two of front, back"),
            (["back", "back"], "two labels"),
        ] {
            let error = recipe(names).plane_cut(&labels).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_tiny_recipe_is_settled_by_thick_axial_ct() {
        let shapes = [[96, 100, 20], [120, 100, 24], [96, 140, 30]];
        let data = data(&shapes, [0.8, 0.8, 5.0], -1000.0, "tumour");
        let (recipe, choices) = draft(tiny("CT of the chest")).resolve(|| Ok(data)).unwrap();
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
        let (recipe, choices) = draft(tiny("T1-weighted MR")).resolve(|| Ok(data)).unwrap();
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
            let recipe = draft(tiny("MR")).resolve(|| Ok(data)).unwrap().0;
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
            draft(tiny("a scan"))
                .resolve(|| Ok(data))
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
            let recipe = draft(tiny("CT")).resolve(|| Ok(facts)).unwrap().0;
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
        let recipe = draft(json).resolve(|| Ok(facts)).unwrap().0;
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
            let recipe = draft(tiny(modality)).resolve(|| Ok(facts)).unwrap().0;
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
        let (recipe, choices) = draft(tiny("MR")).resolve(|| Ok(data)).unwrap();
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
        let recipe = draft(json).resolve(|| Ok(data)).unwrap().0;
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
            draft(json)
                .resolve(|| Ok(data))
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
        let (recipe, choices) = draft(json).resolve(|| Ok(data)).unwrap();
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
    fn numbers_that_can_not_work_are_named_before_anything_is_settled_by_them() {
        let error = |draft: RecipeDraft| {
            let unread = || unreachable!("no case has to be read to say so");
            draft.resolve(unread).unwrap_err().to_string()
        };
        type Change = fn(&mut RecipeDraft);
        let cases: [(&str, Change); 8] = [
            (
                "the recipe's window is [16, 0, 16], expected is three positive edges",
                |d| {
                    d.window = Some([16, 0, 16]);
                },
            ),
            (
                "the recipe's preprocessing.spacingMm is [1.0, 0.0, 1.0], expected",
                |d| {
                    d.preprocessing.spacing_mm = Some(Spacing::Mm([1.0, 0.0, 1.0]));
                },
            ),
            ("preprocessing.spacingMm is [NaN, 1.0, 1.0]", |d| {
                d.preprocessing.spacing_mm = Some(Spacing::Mm([f64::NAN, 1.0, 1.0]));
            }),
            (
                "preprocessing.intensity.width is -40, expected is a finite number above 0",
                |d| {
                    d.preprocessing.intensity = Some(open_window(40.0, -40.0));
                },
            ),
            ("preprocessing.intensity.width is NaN", |d| {
                d.preprocessing.intensity = Some(open_window(40.0, f32::NAN));
            }),
            (
                "preprocessing.intensity.center and mean is inf and 0",
                |d| {
                    d.preprocessing.intensity = Some(open_window(f32::INFINITY, 40.0));
                },
            ),
            (
                "preprocessing.intensity.lowPercent to highPercent is 99 to 1",
                |d| {
                    d.preprocessing.intensity = Some(IntensityDraft::PercentileZScore {
                        low_percent: 99.0,
                        high_percent: 1.0,
                    });
                },
            ),
            (
                "the recipe's patch_size is 0, expected is a multiple of 4",
                |d| {
                    let mut config = crate::model::presets::Preset::Compact.config(2);
                    config.vit.patch_size = 0;
                    d.architecture = Some(Architecture::Config(Box::new(config)));
                },
            ),
        ];
        for (expected, spoil) in cases {
            let mut draft = draft(tiny("CT"));
            spoil(&mut draft);
            let found = error(draft);
            assert!(found.contains(expected), "{found}");
        }
    }

    /// A window whose mean and deviation are left to the data.
    fn open_window(center: f32, width: f32) -> IntensityDraft {
        IntensityDraft::Window {
            center,
            width,
            mean: None,
            std: None,
        }
    }

    #[test]
    fn what_is_no_setting_is_refused() {
        let mut json = tiny("MR");
        json["windw"] = serde_json::json!([16, 16, 16]);
        let error = serde_json::from_value::<RecipeDraft>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains("windw"), "{error}");
        let mut json = tiny("MR");
        json["preprocessing"] = serde_json::json!({"spacingMm": "median"});
        let error = serde_json::from_value::<RecipeDraft>(json)
            .unwrap_err()
            .to_string();
        assert!(error.contains("median") && error.contains("own"), "{error}");
    }
}
