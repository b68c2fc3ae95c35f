//! Scores of a model on cases of a data set.

use super::answers::Answers;
use super::predictor::Predictor;
use super::{During, ResultsError};
use crate::infer::{Keep, Postprocessing, Prediction};
use crate::manifest::{LabelScores, Scores};
use crate::train::Recipe;
use crate::train::dataset::{HeldOut, RawCase};
use crate::train::recipe::Split;
use dinomed3d_volume::LabelMap;
use dinomed3d_volume::evaluation::{
    CaseScores, Convention, Evaluation, EvaluationError, score_as_paper,
};
use dinomed3d_volume::metrics::{LabelScore, MetricsError, evaluate_case};

/// Whether a data set has a model's channels in the model's order, as far as names tell.
///
/// # Errors
/// The same names in another order: the network would take each for another.
pub fn check_order(model: &[String], data: &[String]) -> Result<(), ResultsError> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    if model != data && sorted(model) == sorted(data) {
        return Err(ResultsError::Unusable(format!(
            "the data set has the channels {}, expected is the model's order: {}",
            data.join(", "),
            model.join(", ")
        )));
    }
    Ok(())
}

/// Scores `cases` by either convention; what the model says of their voxels is added to `answers`; `progress` is told before
/// each case its number, from 1, and of how many.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn score_cases(
    predictor: &Predictor,
    cases: &HeldOut,
    convention: Convention,
    mut answers: Option<&mut Answers>,
    progress: impl FnMut(usize, usize),
) -> Result<Vec<CaseScores>, ResultsError> {
    let labels = values(predictor);
    let mut scores = Vec::new();
    let keep = match answers {
        Some(_) => Keep::Logits,
        None => Keep::Nothing,
    };
    predict_each(
        predictor,
        cases,
        keep,
        progress,
        |name, case, prediction| {
            if let Some(answers) = &mut answers {
                answers.add(predictor, prediction, case)?;
            }
            let labels = match convention {
                Convention::Native => compare(prediction.on_file_grid().labels, case, &labels),
                Convention::Paper => {
                    let wanted = prediction.grid.labels_to_model(&case.reference.labels);
                    score_as_paper(
                        prediction.on_model_grid().labels,
                        wanted,
                        &prediction.grid,
                        &labels,
                    )
                }
            }
            .map_err(EvaluationError::from)?;
            scores.push(CaseScores::new(name, labels));
            Ok(())
        },
    )?;
    Ok(scores)
}

/// The scores of `cases` on their own grid, gathered; `progress` as in [`score_cases`].
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn evaluate(
    predictor: &Predictor,
    cases: &HeldOut,
    progress: impl FnMut(usize, usize),
) -> Result<Evaluation, ResultsError> {
    let scores = score_cases(predictor, cases, Convention::Native, None, progress)?;
    let labels = predictor.labels().to_vec();
    Ok(Evaluation::of(scores, labels, Convention::Native)?)
}

/// Scores `cases` on their own grid once for each of `postprocessings`, which a predictor without one is given;
/// `progress` as in [`score_cases`].
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn score_postprocessings(
    predictor: &Predictor,
    cases: &HeldOut,
    postprocessings: &[Postprocessing],
    progress: impl FnMut(usize, usize),
) -> Result<Vec<Vec<CaseScores>>, ResultsError> {
    let labels = values(predictor);
    let mut scores = vec![Vec::new(); postprocessings.len()];
    let keep = Keep::Nothing;
    predict_each(
        predictor,
        cases,
        keep,
        progress,
        |name, case, prediction| {
            let raw = prediction.on_file_grid();
            for (postprocessing, scores) in postprocessings.iter().zip(&mut scores) {
                let mut map = raw.labels.clone();
                let scan = &case.channels[0];
                let orientation = scan.affine.orientation().reversed();
                postprocessing.apply(&mut map, scan.shape, orientation);
                let labels = compare(map, case, &labels).map_err(EvaluationError::from)?;
                scores.push(CaseScores::new(name.clone(), labels));
            }
            Ok(())
        },
    )?;
    Ok(scores)
}

fn values(predictor: &Predictor) -> Vec<u8> {
    let labels = predictor.labels().iter();
    labels.map(|label| label.value).collect()
}

/// A label map of a case's own grid against its reference.
fn compare(
    prediction: Vec<u8>,
    case: &RawCase,
    labels: &[u8],
) -> Result<Vec<LabelScore>, MetricsError> {
    let prediction = LabelMap {
        labels: prediction,
        shape: case.channels[0].shape,
        affine: case.channels[0].affine,
    };
    evaluate_case(&prediction, &case.reference, labels)
}

/// Scan and reference of a case.
///
/// # Errors
/// Files that cannot be read, are not the channels of these names, or lie on different grids, by name.
pub fn read_case(cases: &HeldOut, place: usize) -> Result<RawCase, ResultsError> {
    cases
        .read(place)
        .map_err(|problems| ResultsError::Unusable(problems.join("\n")))
}

/// What a model says of each of `cases`, one after the other.
pub(super) fn predict_each(
    predictor: &Predictor,
    cases: &HeldOut,
    keep: Keep,
    mut progress: impl FnMut(usize, usize),
    mut score: impl FnMut(String, &RawCase, &Prediction) -> Result<(), ResultsError>,
) -> Result<(), ResultsError> {
    let names = cases.names();
    for (place, name) in names.iter().enumerate() {
        progress(place + 1, names.len());
        let case = read_case(cases, place)?;
        predictor
            .predict(&case.channels, keep)
            .map_err(ResultsError::from)
            .and_then(|prediction| score(name.clone(), &case, &prediction))
            .during(|| format!("scoring {name}"))?;
    }
    Ok(())
}

/// What the manifest says of a model's scores, by a recipe's validation cases.
pub fn summarize(evaluation: &Evaluation, recipe: &Recipe) -> Scores {
    let held_out = match &recipe.synthesis {
        None => held_out(recipe.split()),
        Some(settings) => format!(
            "images drawn of the label maps {} in {}, with one label for both sides",
            settings.validation.join(", "),
            settings.validation_contrasts.join(", ")
        ),
    };
    scores_of(evaluation, format!("{held_out}, on each file's own grid"))
}

/// What the manifest says of a model's scores, of cases that `protocol` names.
pub fn scores_of(evaluation: &Evaluation, protocol: String) -> Scores {
    Scores {
        num_cases: evaluation.cases.len(),
        protocol,
        mean_dice: evaluation.mean_dice(),
        labels: evaluation
            .label_means
            .iter()
            .filter_map(|mean| {
                // Of a label that no case holds there is nothing to say.
                Some(LabelScores {
                    value: mean.label?,
                    dice: mean.dice?,
                    hd95_mm: mean.hd95_mm,
                })
            })
            .collect(),
    }
}

/// Which cases a split holds out, in words.
pub fn held_out(Split { every, fold }: Split) -> String {
    let from = match fold {
        0 => "the first".to_owned(),
        fold => format!("number {}", fold + 1),
    };
    format!("one case in {every}, in sorted order from {from}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_in_another_order_are_refused() {
        let names = |names: [&str; 2]| names.map(str::to_owned);
        let check = |model, data| check_order(&names(model), &names(data));
        assert!(check(["T1", "T2"], ["T1", "T2"]).is_ok());
        // What they are called may differ.
        assert!(check(["T1", "T2"], ["t1w", "t2w"]).is_ok());
        let error = check(["T1", "T2"], ["T2", "T1"]).unwrap_err().to_string();
        assert!(
            error.contains("T2, T1, expected is the model's order: T1, T2"),
            "{error}"
        );
    }
}
