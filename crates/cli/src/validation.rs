//! Scores of a model on cases of a data set.

use crate::evaluate::convention::{Convention, score_as_paper};
use crate::evaluate::evaluation::{CaseScores, Evaluation};
use crate::predictor::Predictor;
use anyhow::Context;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::manifest::{LabelScores, Scores};
use dinomed3d_core::metrics::{LabelScore, evaluate_case};
use dinomed3d_core::train::dataset::{CaseFiles, DatasetIndex, RawCase};
use dinomed3d_core::train::recipe::Split;
use dinomed3d_core::volume::LabelMap;
use std::ops::ControlFlow;
use std::path::Path;

/// Segments every validation case as a user would, from its file, and compares on its own grid.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn score_model(
    segmenter: &Segmenter,
    data: &Path,
    split: Split,
) -> anyhow::Result<Vec<CaseScores>> {
    let index = DatasetIndex::read(data)?;
    let channels = segmenter.manifest().channel_names();
    check_order(&channels, &index.channels)?;
    let (_, cases) = index.split(split);
    let labels = segmenter.manifest().labels[1..].iter();
    let labels: Vec<u8> = labels.map(|label| label.value).collect();
    score_each(&cases, &channels, |case| {
        let segmentation = pollster::block_on(
            segmenter.segment(&case.channels, async |_| ControlFlow::Continue(())),
        )?;
        let prediction = LabelMap {
            labels: segmentation.labels,
            shape: segmentation.shape,
            affine: case.channels[0].affine,
        };
        Ok(evaluate_case(&prediction, &case.reference, &labels)?)
    })
}

/// Whether a data set has a model's channels in the model's order, as far as names tell.
///
/// # Errors
/// The same names in another order: the network would take each for another.
pub fn check_order(model: &[String], data: &[String]) -> anyhow::Result<()> {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    anyhow::ensure!(
        model == data || sorted(model) != sorted(data),
        "the data set has the channels {}, expected is the model's order: {}",
        data.join(", "),
        model.join(", ")
    );
    Ok(())
}

/// Scores `cases` by either convention.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn score_cases(
    predictor: &Predictor,
    cases: &[CaseFiles],
    convention: Convention,
) -> anyhow::Result<Vec<CaseScores>> {
    let labels = predictor.labels().iter();
    let labels: Vec<u8> = labels.map(|label| label.value).collect();
    score_each(cases, predictor.channels(), |case| {
        let scored = predictor.score(&case.channels)?;
        let (first, reference) = (&case.channels[0], &case.reference);
        Ok(match convention {
            Convention::Native => {
                let prediction = LabelMap {
                    labels: scored.on_file_grid()?,
                    shape: first.shape,
                    affine: first.affine,
                };
                evaluate_case(&prediction, reference, &labels)?
            }
            Convention::Paper => {
                let wanted = scored.grid.labels_to_model(&reference.labels);
                score_as_paper(scored.on_model_grid(), wanted, &scored.grid, &labels)?
            }
        })
    })
}

/// Scan and reference of a case.
///
/// # Errors
/// Files that cannot be read, are not the channels of these names, or lie on different grids, by name.
pub fn read_case(case: &CaseFiles, channels: &[String]) -> anyhow::Result<RawCase> {
    RawCase::read(case, channels).map_err(|problems| anyhow::anyhow!(problems.join("\n")))
}

fn score_each(
    cases: &[CaseFiles],
    channels: &[String],
    mut score: impl FnMut(&RawCase) -> anyhow::Result<Vec<LabelScore>>,
) -> anyhow::Result<Vec<CaseScores>> {
    let mut scores = Vec::with_capacity(cases.len());
    for (number, case) in cases.iter().enumerate() {
        eprint!("\rscoring case {} of {}", number + 1, cases.len());
        let labels = score(&read_case(case, channels)?)
            .with_context(|| format!("scoring {}", case.images[0].display()))?;
        scores.push(CaseScores::new(case.name.clone(), labels));
    }
    eprintln!();
    Ok(scores)
}

/// What the manifest says of a model's scores.
pub fn summarize(evaluation: &Evaluation, split: Split) -> Scores {
    Scores {
        num_cases: evaluation.cases.len(),
        protocol: format!("{}, on each file's own grid", held_out(split)),
        mean_dice: evaluation.mean.dice,
        labels: evaluation
            .label_means
            .iter()
            .map(|mean| LabelScores {
                value: mean.label.unwrap_or_default(),
                dice: mean.dice,
                hd95_mm: mean.hd95_mm,
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
