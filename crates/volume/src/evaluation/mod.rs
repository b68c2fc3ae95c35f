//! Scores of all cases, their means and statistics.

mod convention;
mod csv;
pub mod pairs;
mod table;

pub use convention::{Convention, score_as_paper};

use crate::metrics::{LabelScore, MetricsError, Presence, Reliability};
use crate::statistics::{RESAMPLES, SEED, Summary, mean};
use crate::{GridError, Label, NOTICE, ScanError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Why label maps can't be scored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EvaluationError {
    /// Nothing to take the mean of.
    #[error("nothing to score: {cases} cases, {labels} labels")]
    Nothing {
        /// Number of cases.
        cases: usize,
        /// Number of labels.
        labels: usize,
    },
    /// Labels that no case holds.
    #[error("nothing to score: none of the labels {labels:?} is in any of {cases} cases")]
    Absent {
        /// Number of cases.
        cases: usize,
        /// The labels.
        labels: Vec<u8>,
    },
    /// A file or folder that can't be read.
    #[error("reading {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is no label map.
    #[error("in {}", path.display())]
    LabelMap {
        /// Which.
        path: PathBuf,
        /// Why.
        source: Box<ScanError>,
    },
    /// Predictions and references that don't belong together.
    #[error("{0}")]
    Pairs(String),
    /// Two label maps that can't be compared.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A label map that can't be brought to a model's grid.
    #[error(transparent)]
    Grid(#[from] GridError),
    /// Of these files.
    #[error("comparing {} with {}", prediction.display(), reference.display())]
    Comparing {
        /// The label map.
        prediction: PathBuf,
        /// What it should be.
        reference: PathBuf,
        /// Why.
        source: Box<EvaluationError>,
    },
}

/// A label that a prediction holds and the data set does not know.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GhostLabel {
    /// The label.
    pub label: u8,
    /// Its volume in the prediction, mL.
    pub prediction_ml: f64,
}

/// All labels of one case.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseScores {
    /// Name of the case.
    pub case: String,
    /// Number of the run that held it out, in a cross-validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Mean Dice over the labels that it has, ghosts as 0; none if it has none.
    pub mean_dice: Option<f64>,
    /// One per label.
    pub labels: Vec<LabelScore>,
    /// Labels of the prediction that the data set does not know.
    pub ghosts: Vec<GhostLabel>,
}

impl CaseScores {
    /// Of its labels.
    pub fn new(case: String, labels: Vec<LabelScore>) -> Self {
        Self {
            case,
            fold: None,
            mean_dice: mean(labels.iter().filter_map(|score| score.dice)),
            labels,
            ghosts: Vec::new(),
        }
    }

    /// The same case, in which the prediction holds `ghosts` too: each is an error, of Dice 0.
    pub fn with_ghosts(self, ghosts: Vec<GhostLabel>) -> Self {
        let dice = self.labels.iter().filter_map(|score| score.dice);
        Self {
            mean_dice: mean(dice.chain(ghosts.iter().map(|_| 0.0))),
            ghosts,
            ..self
        }
    }
}

/// Means over cases, or over labels.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeanScore {
    /// The label; none in the mean over labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<u8>,
    /// Mean Dice over the cases that have one, see [`LabelScore::dice`].
    pub dice: Option<f64>,
    /// Mean HD95 in mm over the cases that have one.
    pub hd95_mm: Option<f64>,
    /// Mean ASSD in mm over the cases that have one.
    pub assd_mm: Option<f64>,
    /// Cases without distances, as the label is absent from prediction or reference: the sum of the next three.
    pub without_distances: usize,
    /// Cases of whose reference alone it is part: Dice 0.
    pub missed: usize,
    /// Cases of whose prediction alone it is part: Dice 0.
    pub invented: usize,
    /// Cases that hold it nowhere.
    pub absent: usize,
}

/// Statistics of one label over cases.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelStatistics {
    /// The label.
    pub label: u8,
    /// Its name.
    pub name: String,
    /// Cases whose reference lacks it.
    pub empty_reference: usize,
    /// Cases whose prediction lacks it.
    pub empty_prediction: usize,
    /// Dice.
    pub dice: Summary,
    /// 95th percentile of the surface distances, mm.
    pub hd95_mm: Summary,
    /// Average symmetric surface distance, mm.
    pub assd_mm: Summary,
    /// Volume in the prediction, mL.
    pub prediction_ml: Summary,
    /// Volume in the reference, mL.
    pub reference_ml: Summary,
    /// Volume in the prediction less that in the reference, mL.
    pub difference_ml: Summary,
}

/// Statistics over cases, and what they mean.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statistics {
    quartiles: &'static str,
    interval: String,
    empty_masks: &'static str,
    ghosts: &'static str,
    /// One per label.
    pub labels: Vec<LabelStatistics>,
    /// Of each case's mean Dice over the labels.
    pub mean_dice: Summary,
}

/// How quartiles are defined, for people.
pub const QUARTILES: &str =
    "quartiles lie linearly between neighbouring cases (type 7, numpy's default)";
/// How empty masks are counted, for people.
pub const EMPTY_MASKS: &str = "a label absent from reference and prediction is left out of means and statistics as undefined (but where they hold no label at all, nothing was to be found and nothing was: Dice 1); missed (absent from the prediction) or invented (absent from the reference) it has Dice 0; in all of these it has no surface distance and is left out of the distances' means, which say nothing of what was missed";
/// How labels that the data set does not know are counted, for people.
pub const GHOSTS: &str =
    "a predicted label that no reference holds (a ghost) counts as Dice 0 in the mean of its case";

/// How the interval is made, for people.
pub fn interval_words() -> String {
    format!(
        "95 % percentile bootstrap interval of the mean, {RESAMPLES} resamples of the cases, seed {SEED}"
    )
}

/// One run of a cross-validation.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FoldScore {
    /// Number in the folder's name.
    pub fold: usize,
    /// Cases that it held out.
    pub cases: usize,
    /// Mean over those of their mean Dice that have one.
    pub mean_dice: Option<f64>,
}

/// The convention in a file.
#[derive(Debug, Clone, Serialize)]
struct ConventionWords {
    name: &'static str,
    meaning: &'static str,
}

/// Scores of all cases with their means and statistics.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Evaluation {
    convention: ConventionWords,
    /// The labels that are scored.
    pub labels: Vec<Label>,
    /// Per case and label.
    pub cases: Vec<CaseScores>,
    /// Mean over cases, per label.
    pub label_means: Vec<MeanScore>,
    /// Mean over the labels' means.
    pub mean: MeanScore,
    /// Over cases.
    pub statistics: Statistics,
    /// One per run of a cross-validation, else empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<FoldScore>,
    /// Files that are in no mean, and why.
    pub passed_over: Vec<String>,
    /// How often a model's answers are right by how sure they are, over voxels that it labels and their neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reliability: Option<Reliability>,
    notice: &'static str,
}

impl Evaluation {
    /// Adds means and statistics.
    ///
    /// `labels` are those of every case, in the same order.
    ///
    /// # Errors
    /// [`EvaluationError::Nothing`] without a case or a label, [`EvaluationError::Absent`] where no case holds a label.
    pub fn of(
        cases: Vec<CaseScores>,
        labels: Vec<Label>,
        convention: Convention,
    ) -> Result<Self, EvaluationError> {
        if cases.is_empty() || labels.is_empty() {
            return Err(EvaluationError::Nothing {
                cases: cases.len(),
                labels: labels.len(),
            });
        }
        for case in &cases {
            assert_eq!(case.labels.len(), labels.len(), "labels of {}", case.case);
        }
        let label_means: Vec<MeanScore> =
            (0..labels.len()).map(|i| label_mean(&cases, i)).collect();
        let statistics = Statistics {
            quartiles: QUARTILES,
            interval: interval_words(),
            empty_masks: EMPTY_MASKS,
            ghosts: GHOSTS,
            labels: labels
                .iter()
                .enumerate()
                .map(|(i, label)| label_statistics(&cases, i, label))
                .collect(),
            mean_dice: Summary::of(cases.iter().map(|case| case.mean_dice)),
        };
        let mean = mean_of_labels(&label_means);
        if mean.dice.is_none() {
            return Err(EvaluationError::Absent {
                cases: cases.len(),
                labels: labels.iter().map(|label| label.value).collect(),
            });
        }
        Ok(Self {
            convention: ConventionWords {
                name: convention.name(),
                meaning: convention.sentence(),
            },
            mean,
            folds: fold_scores(&cases),
            labels,
            cases,
            label_means,
            statistics,
            passed_over: Vec::new(),
            reliability: None,
            notice: NOTICE,
        })
    }

    /// Mean Dice over the labels' means.
    pub fn mean_dice(&self) -> f64 {
        self.mean.dice.expect("an evaluation has a Dice")
    }

    /// One word for how cases were compared.
    pub fn convention(&self) -> &'static str {
        self.convention.name
    }

    /// One sentence about how cases were compared.
    pub fn convention_sentence(&self) -> &'static str {
        self.convention.meaning
    }

    /// For a file or a pipe.
    ///
    /// # Errors
    /// None but JSON's own.
    pub fn json(&self) -> serde_json::Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// The cases from the lowest mean Dice to the highest, those without one last.
    pub fn worst_first(&self) -> Vec<&CaseScores> {
        let mut cases: Vec<_> = self.cases.iter().collect();
        let dice = |case: &CaseScores| case.mean_dice.unwrap_or(f64::INFINITY);
        cases.sort_by(|a, b| dice(a).total_cmp(&dice(b)));
        cases
    }
}

fn label_mean(cases: &[CaseScores], label: usize) -> MeanScore {
    let scores = || cases.iter().map(|case| &case.labels[label]);
    let cases_in = |presence| scores().filter(|s| s.present_in == presence).count();
    MeanScore {
        label: scores().next().map(|score| score.label),
        dice: mean(scores().filter_map(|score| score.dice)),
        hd95_mm: mean(scores().filter_map(|score| score.hd95_mm)),
        assd_mm: mean(scores().filter_map(|score| score.assd_mm)),
        without_distances: scores().filter(|score| score.hd95_mm.is_none()).count(),
        missed: cases_in(Presence::Reference),
        invented: cases_in(Presence::Prediction),
        absent: cases_in(Presence::Neither),
    }
}

fn mean_of_labels(means: &[MeanScore]) -> MeanScore {
    MeanScore {
        label: None,
        dice: mean(means.iter().filter_map(|m| m.dice)),
        hd95_mm: mean(means.iter().filter_map(|m| m.hd95_mm)),
        assd_mm: mean(means.iter().filter_map(|m| m.assd_mm)),
        without_distances: means.iter().map(|m| m.without_distances).sum(),
        missed: means.iter().map(|m| m.missed).sum(),
        invented: means.iter().map(|m| m.invented).sum(),
        absent: means.iter().map(|m| m.absent).sum(),
    }
}

fn label_statistics(cases: &[CaseScores], index: usize, label: &Label) -> LabelStatistics {
    let scores = || cases.iter().map(|case| &case.labels[index]);
    let summary =
        |value: fn(&LabelScore) -> Option<f64>| -> Summary { Summary::of(scores().map(value)) };
    let cases_in = |presences: &[Presence]| {
        let is = |score: &&LabelScore| presences.contains(&score.present_in);
        scores().filter(is).count()
    };
    LabelStatistics {
        label: label.value,
        name: label.name.clone(),
        empty_reference: cases_in(&[Presence::Prediction, Presence::Neither]),
        empty_prediction: cases_in(&[Presence::Reference, Presence::Neither]),
        dice: summary(|s| s.dice),
        hd95_mm: summary(|s| s.hd95_mm),
        assd_mm: summary(|s| s.assd_mm),
        prediction_ml: summary(|s| Some(s.prediction_ml)),
        reference_ml: summary(|s| Some(s.reference_ml)),
        difference_ml: summary(|s| Some(s.prediction_ml - s.reference_ml)),
    }
}

fn fold_scores(cases: &[CaseScores]) -> Vec<FoldScore> {
    let mut folds: BTreeMap<usize, Vec<Option<f64>>> = BTreeMap::new();
    for case in cases {
        if let Some(fold) = case.fold {
            folds.entry(fold).or_default().push(case.mean_dice);
        }
    }
    let score = |(fold, dice): (usize, Vec<Option<f64>>)| FoldScore {
        fold,
        cases: dice.len(),
        mean_dice: mean(dice.into_iter().flatten()),
    };
    folds.into_iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn score(label: u8, dice: f64, hd95_mm: Option<f64>) -> LabelScore {
        LabelScore {
            label,
            present_in: Presence::Both,
            dice: Some(dice),
            hd95_mm,
            hd_mm: hd95_mm,
            assd_mm: hd95_mm,
            prediction_ml: 1.0,
            reference_ml: 2.0,
        }
    }

    pub fn labels() -> Vec<Label> {
        let label = |value: u8, name: &str| Label {
            value,
            name: name.to_owned(),
            color: [10, 20, 30],
        };
        vec![label(1, "Front, left"), label(2, "Back")]
    }

    /// Two cases of two labels.
    pub fn evaluation() -> Evaluation {
        let case = |name: &str, labels| CaseScores::new(name.to_owned(), labels);
        let mut absent = score(2, 0.0, None);
        (absent.prediction_ml, absent.present_in) = (0.0, Presence::Reference);
        let mut both = score(2, 1.0, None);
        (both.prediction_ml, both.reference_ml) = (0.0, 0.0);
        (both.present_in, both.dice) = (Presence::Neither, None);
        let cases = vec![
            case("a", vec![score(1, 0.5, Some(2.0)), both]),
            case("b \"b\"", vec![score(1, 1.0, Some(4.0)), absent]),
        ];
        Evaluation::of(cases, labels(), Convention::Native).unwrap()
    }

    #[test]
    fn means_leave_out_distances_that_are_none() {
        let evaluation = evaluation();
        assert_eq!(evaluation.label_means[0].hd95_mm, Some(3.0));
        assert_eq!(evaluation.label_means[1].hd95_mm, None);
        assert_eq!(evaluation.label_means[1].dice, Some(0.0));
        assert_eq!(evaluation.mean_dice(), 0.375);
        assert_eq!(evaluation.mean.hd95_mm, Some(3.0));
        assert_eq!(evaluation.mean.without_distances, 2);
        let MeanScore {
            missed,
            invented,
            absent,
            ..
        } = evaluation.label_means[1];
        assert_eq!((missed, invented, absent), (1, 0, 1));
        assert!(Evaluation::of(Vec::new(), labels(), Convention::Native).is_err());
    }

    /// Of ten cases with a label of Dice 0.5, one has a stray voxel of a label that no reference holds. By hand: the
    /// label's mean stays, and the case's becomes half; the mean over cases 9.5 of 20.
    #[test]
    fn a_ghost_is_an_error_of_its_case_and_no_gain_of_the_others() {
        let case = |n: usize| CaseScores::new(format!("{n}"), vec![score(1, 0.5, Some(1.0))]);
        let mut cases: Vec<CaseScores> = (0..10).map(case).collect();
        let ghost = GhostLabel {
            label: 2,
            prediction_ml: 0.001,
        };
        cases[3] = case(3).with_ghosts(vec![ghost]);
        let evaluation = Evaluation::of(cases, vec![labels()[0].clone()], Convention::Native);
        let evaluation = evaluation.unwrap();
        assert_eq!(evaluation.mean_dice(), 0.5);
        assert_eq!(evaluation.cases[3].mean_dice, Some(0.25));
        let over_cases = evaluation
            .statistics
            .mean_dice
            .spread
            .as_ref()
            .unwrap()
            .mean;
        assert!((over_cases - 9.5 / 20.0).abs() < 1e-12);
        assert_eq!(evaluation.worst_first()[0].case, "3");
        assert!(evaluation.table().contains("ghost labels: 2 in 3"));
        let json = serde_json::to_value(&evaluation).unwrap();
        assert_eq!(json["cases"][3]["ghosts"][0]["label"], 2);
    }

    #[test]
    fn labels_that_no_case_holds_are_nothing_to_score() {
        let mut absent = score(1, 0.0, None);
        (absent.present_in, absent.dice) = (Presence::Neither, None);
        let cases = vec![CaseScores::new("a".into(), vec![absent])];
        let result = Evaluation::of(cases, vec![labels()[0].clone()], Convention::Native);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("labels [1] is in any of 1 cases"), "{error}");
    }

    /// By hand: mean Dice of the cases 0.5 and 0.5.
    #[test]
    fn statistics_count_empty_masks() {
        let evaluation = evaluation();
        let [front, back] = &evaluation.statistics.labels[..] else {
            panic!("two labels")
        };
        assert_eq!((front.empty_reference, front.empty_prediction), (0, 0));
        assert_eq!((back.empty_reference, back.empty_prediction), (1, 2));
        assert_eq!((back.hd95_mm.cases, back.hd95_mm.undefined), (0, 2));
        assert_eq!((back.dice.cases, back.dice.undefined), (1, 1));
        let spread = front.difference_ml.spread.as_ref().unwrap();
        assert_eq!(spread.median, -1.0);
        let mean_dice = evaluation.statistics.mean_dice.spread.as_ref().unwrap();
        assert_eq!((mean_dice.mean, mean_dice.lower_quartile), (0.5, 0.5));
    }

    #[test]
    fn json_says_convention_and_definitions() {
        let json = serde_json::to_value(evaluation()).unwrap();
        assert_eq!(json["convention"]["name"], "native");
        assert_eq!(json["statistics"]["labels"][0]["dice"]["median"], 0.75);
        assert_eq!(json["statistics"]["labels"][1]["hd95Mm"]["undefined"], 2);
        assert!(json["statistics"]["labels"][1]["hd95Mm"]["mean"].is_null());
        assert!(
            json["statistics"]["interval"]
                .as_str()
                .unwrap()
                .contains("2000")
        );
        assert_eq!(json["cases"][0]["meanDice"], 0.5);
        assert!(json["cases"][0]["labels"][1]["dice"].is_null());
        assert_eq!(json["cases"][0]["labels"][1]["presentIn"], "neither");
        assert_eq!(json["labelMeans"][1]["missed"], 1);
        assert_eq!(json["passedOver"], serde_json::json!([]));
        assert!(json.get("folds").is_none());
    }
}
