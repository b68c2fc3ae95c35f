//! Scores of a model on cases of a data set.

use crate::evaluate::convention::{Convention, score_as_paper};
use crate::evaluate::evaluation::{CaseScores, Evaluation};
use crate::predictor::Predictor;
use anyhow::Context;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::manifest::{LabelScores, Scores};
use dinomed3d_core::metrics::{LabelScore, evaluate_case};
use dinomed3d_core::train::dataset::{CaseFiles, DatasetIndex};
use dinomed3d_core::train::recipe::Split;
use dinomed3d_core::volume::{LabelMap, NiftiImage, Volume};
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
    let (_, cases) = DatasetIndex::read(data)?.split(split);
    let labels = segmenter.manifest().labels[1..].iter();
    let labels: Vec<u8> = labels.map(|label| label.value).collect();
    score_each(&cases, |volume, reference| {
        let segmentation =
            pollster::block_on(segmenter.segment(volume, async |_| ControlFlow::Continue(())))?;
        let prediction = LabelMap {
            labels: segmentation.labels,
            shape: segmentation.shape,
            affine: volume.affine,
        };
        Ok(evaluate_case(&prediction, reference, &labels)?)
    })
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
    score_each(cases, |volume, reference| {
        let scored = predictor.score(volume)?;
        Ok(match convention {
            Convention::Native => {
                let prediction = LabelMap {
                    labels: scored.on_file_grid()?,
                    shape: volume.shape,
                    affine: volume.affine,
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
/// A file that cannot be read, or another shape than the scan's, by name.
pub fn read_case(case: &CaseFiles) -> anyhow::Result<(Volume, LabelMap)> {
    let read = |path: &Path| -> anyhow::Result<NiftiImage> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        NiftiImage::parse(&bytes).with_context(|| path.display().to_string())
    };
    let name = |path: &Path| format!("in {}", path.display());
    let volume = read(&case.image)?.volume();
    let volume = volume.with_context(|| name(&case.image))?;
    let reference = read(&case.label)?.label_map();
    let reference = reference.with_context(|| name(&case.label))?;
    anyhow::ensure!(
        volume.shape == reference.shape,
        "{} has {:?} voxels (z, y, x), its image {:?}",
        case.label.display(),
        reference.shape,
        volume.shape
    );
    Ok((volume, reference))
}

fn score_each(
    cases: &[CaseFiles],
    mut score: impl FnMut(&Volume, &LabelMap) -> anyhow::Result<Vec<LabelScore>>,
) -> anyhow::Result<Vec<CaseScores>> {
    let mut scores = Vec::with_capacity(cases.len());
    for (number, case) in cases.iter().enumerate() {
        eprint!("\rscoring case {} of {}", number + 1, cases.len());
        let (volume, reference) = read_case(case)?;
        let labels = score(&volume, &reference)
            .with_context(|| format!("scoring {}", case.image.display()))?;
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
