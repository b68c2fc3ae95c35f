//! Scores of a model on the validation cases of a data set.

use crate::evaluate::{CaseScores, Report};
use anyhow::Context;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::manifest::{LabelScores, Scores};
use dinomed3d_core::metrics::evaluate_case;
use dinomed3d_core::train::dataset::DatasetIndex;
use dinomed3d_core::volume::{LabelMap, NiftiImage};
use std::ops::ControlFlow;
use std::path::Path;

/// Segments every validation case as a user would, from its file, and compares on its own grid.
///
/// # Errors
/// A file that cannot be read or segmented, by name.
pub fn score_model(
    segmenter: &Segmenter,
    data: &Path,
    validation_every: usize,
) -> anyhow::Result<Vec<CaseScores>> {
    let (_, cases) = DatasetIndex::read(data)?.split(validation_every);
    let labels: Vec<u8> = segmenter.manifest().labels[1..]
        .iter()
        .map(|label| label.value)
        .collect();
    let mut scores = Vec::with_capacity(cases.len());
    for (number, case) in cases.iter().enumerate() {
        eprint!("\rscoring case {} of {}", number + 1, cases.len());
        let read = |path: &Path| -> anyhow::Result<NiftiImage> {
            let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
            NiftiImage::parse(&bytes).with_context(|| path.display().to_string())
        };
        let volume = read(&case.image)?.volume()?;
        let reference = read(&case.label)?.label_map()?;
        let segmentation =
            pollster::block_on(segmenter.segment(&volume, async |_| ControlFlow::Continue(())))
                .with_context(|| case.image.display().to_string())?;
        let prediction = LabelMap {
            labels: segmentation.labels,
            shape: segmentation.shape,
            affine: volume.affine,
        };
        scores.push(CaseScores {
            case: case.name.clone(),
            labels: evaluate_case(&prediction, &reference, &labels)
                .with_context(|| case.label.display().to_string())?,
        });
    }
    eprintln!();
    Ok(scores)
}

/// What the manifest says of a model's scores.
///
/// # Errors
/// No case, so there is nothing to take the mean of.
pub fn summarize(cases: Vec<CaseScores>, validation_every: usize) -> anyhow::Result<Scores> {
    let num_cases = cases.len();
    let report = Report::of(cases)?;
    Ok(Scores {
        num_cases,
        protocol: format!(
            "one case in {validation_every}, in sorted order from the first, on each file's own grid"
        ),
        mean_dice: report.mean.dice,
        labels: report
            .label_means
            .iter()
            .map(|mean| LabelScores {
                value: mean.label.unwrap_or_default(),
                dice: mean.dice,
                hd95_mm: mean.hd95_mm,
            })
            .collect(),
    })
}
