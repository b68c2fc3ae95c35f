//! Scores of all cases, their means and statistics.

mod convention;
mod csv;
pub mod pairs;
mod table;

pub use convention::{Convention, score_as_paper};

use crate::metrics::{LabelScore, MetricsError};
use crate::statistics::{RESAMPLES, SEED, Summary, mean};
use crate::{GridError, Label, NOTICE, NiftiError};
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
        source: Box<NiftiError>,
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

/// All labels of one case.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseScores {
    /// Name of the case.
    pub case: String,
    /// Number of the run that held it out, in a cross-validation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Mean Dice over the labels.
    pub mean_dice: f64,
    /// One per label.
    pub labels: Vec<LabelScore>,
}

impl CaseScores {
    /// Of its labels.
    pub fn new(case: String, labels: Vec<LabelScore>) -> Self {
        let dice = labels.iter().map(|score| score.dice);
        Self {
            case,
            fold: None,
            mean_dice: mean(dice).unwrap_or(f64::NAN),
            labels,
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
    /// Mean Dice.
    pub dice: f64,
    /// Mean HD95 in mm over the cases that have one.
    pub hd95_mm: Option<f64>,
    /// Mean ASSD in mm over the cases that have one.
    pub assd_mm: Option<f64>,
    /// Cases without distances, as the label is absent from prediction or reference.
    pub without_distances: usize,
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
    /// One per label.
    pub labels: Vec<LabelStatistics>,
    /// Of each case's mean Dice over the labels.
    pub mean_dice: Summary,
}

/// How quartiles are defined, for people.
pub const QUARTILES: &str =
    "quartiles lie linearly between neighbouring cases (type 7, numpy's default)";
/// How empty masks are counted, for people.
pub const EMPTY_MASKS: &str = "a label absent from reference and prediction has Dice 1, absent from one of them Dice 0; in both it has no surface distances and is left out of their statistics as undefined";

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
    /// Mean Dice over them and the labels.
    pub mean_dice: f64,
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
    notice: &'static str,
}

impl Evaluation {
    /// Adds means and statistics.
    ///
    /// `labels` are those of every case, in the same order.
    ///
    /// # Errors
    /// [`EvaluationError::Nothing`] without a case or a label.
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
            labels: labels
                .iter()
                .enumerate()
                .map(|(i, label)| label_statistics(&cases, i, label))
                .collect(),
            mean_dice: Summary::of(cases.iter().map(|case| Some(case.mean_dice))),
        };
        Ok(Self {
            convention: ConventionWords {
                name: convention.name(),
                meaning: convention.sentence(),
            },
            mean: mean_of_labels(&label_means),
            folds: fold_scores(&cases),
            labels,
            cases,
            label_means,
            statistics,
            notice: NOTICE,
        })
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

    /// The cases from the lowest mean Dice to the highest.
    pub fn worst_first(&self) -> Vec<&CaseScores> {
        let mut cases: Vec<_> = self.cases.iter().collect();
        cases.sort_by(|a, b| a.mean_dice.total_cmp(&b.mean_dice));
        cases
    }
}

fn label_mean(cases: &[CaseScores], label: usize) -> MeanScore {
    let scores = || cases.iter().map(|case| &case.labels[label]);
    MeanScore {
        label: scores().next().map(|score| score.label),
        dice: mean(scores().map(|score| score.dice)).unwrap_or(f64::NAN),
        hd95_mm: mean(scores().filter_map(|score| score.hd95_mm)),
        assd_mm: mean(scores().filter_map(|score| score.assd_mm)),
        without_distances: scores().filter(|score| score.hd95_mm.is_none()).count(),
    }
}

fn mean_of_labels(means: &[MeanScore]) -> MeanScore {
    MeanScore {
        label: None,
        dice: mean(means.iter().map(|m| m.dice)).unwrap_or(f64::NAN),
        hd95_mm: mean(means.iter().filter_map(|m| m.hd95_mm)),
        assd_mm: mean(means.iter().filter_map(|m| m.assd_mm)),
        without_distances: means.iter().map(|m| m.without_distances).sum(),
    }
}

fn label_statistics(cases: &[CaseScores], index: usize, label: &Label) -> LabelStatistics {
    let scores = || cases.iter().map(|case| &case.labels[index]);
    let summary =
        |value: fn(&LabelScore) -> Option<f64>| -> Summary { Summary::of(scores().map(value)) };
    LabelStatistics {
        label: label.value,
        name: label.name.clone(),
        empty_reference: scores().filter(|s| s.reference_ml == 0.0).count(),
        empty_prediction: scores().filter(|s| s.prediction_ml == 0.0).count(),
        dice: summary(|s| Some(s.dice)),
        hd95_mm: summary(|s| s.hd95_mm),
        assd_mm: summary(|s| s.assd_mm),
        prediction_ml: summary(|s| Some(s.prediction_ml)),
        reference_ml: summary(|s| Some(s.reference_ml)),
        difference_ml: summary(|s| Some(s.prediction_ml - s.reference_ml)),
    }
}

fn fold_scores(cases: &[CaseScores]) -> Vec<FoldScore> {
    let mut folds: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for case in cases {
        if let Some(fold) = case.fold {
            folds.entry(fold).or_default().push(case.mean_dice);
        }
    }
    let score = |(fold, dice): (usize, Vec<f64>)| FoldScore {
        fold,
        cases: dice.len(),
        mean_dice: mean(dice).unwrap_or(f64::NAN),
    };
    folds.into_iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn score(label: u8, dice: f64, hd95_mm: Option<f64>) -> LabelScore {
        LabelScore {
            label,
            dice,
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
        absent.prediction_ml = 0.0;
        let mut both = score(2, 1.0, None);
        (both.prediction_ml, both.reference_ml) = (0.0, 0.0);
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
        assert_eq!(evaluation.label_means[1].dice, 0.5);
        assert_eq!(evaluation.mean.dice, 0.625);
        assert_eq!(evaluation.mean.hd95_mm, Some(3.0));
        assert_eq!(evaluation.mean.without_distances, 2);
        assert!(Evaluation::of(Vec::new(), labels(), Convention::Native).is_err());
    }

    /// By hand: mean Dice of the cases 0.75 and 0.5.
    #[test]
    fn statistics_count_empty_masks() {
        let evaluation = evaluation();
        let [front, back] = &evaluation.statistics.labels[..] else {
            panic!("two labels")
        };
        assert_eq!((front.empty_reference, front.empty_prediction), (0, 0));
        assert_eq!((back.empty_reference, back.empty_prediction), (1, 2));
        assert_eq!((back.hd95_mm.cases, back.hd95_mm.undefined), (0, 2));
        assert_eq!((back.dice.cases, back.dice.undefined), (2, 0));
        let spread = front.difference_ml.spread.as_ref().unwrap();
        assert_eq!(spread.median, -1.0);
        let mean_dice = evaluation.statistics.mean_dice.spread.as_ref().unwrap();
        assert_eq!((mean_dice.mean, mean_dice.lower_quartile), (0.625, 0.5625));
        let names = evaluation.worst_first().into_iter().map(|c| c.case.clone());
        assert_eq!(names.collect::<Vec<_>>(), ["b \"b\"", "a"]);
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
        assert_eq!(json["cases"][0]["meanDice"], 0.75);
        assert!(json.get("folds").is_none());
    }
}
