//! Scores of a model on the validation cases of a data set.

use anyhow::Context;
use dinomed3d_core::infer::Segmenter;
use dinomed3d_core::manifest::{LabelScores, Scores};
use dinomed3d_core::metrics::{LabelScore, evaluate_case};
use dinomed3d_core::train::dataset::DatasetIndex;
use dinomed3d_core::volume::{LabelMap, NiftiImage};
use std::ops::ControlFlow;
use std::path::Path;

/// Scores of one case, one row per label.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseScores {
    /// File name without its endings.
    pub case: String,
    /// One row per label.
    pub labels: Vec<LabelScore>,
}

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
        let segmentation = pollster::block_on(
            segmenter.segment(&volume, async |_| ControlFlow::Continue(())),
        )
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

/// Means over cases, and the mean Dice over labels.
pub fn summarize(cases: &[CaseScores], validation_every: usize) -> Scores {
    let num_labels = cases.first().map_or(0, |case| case.labels.len());
    let labels: Vec<LabelScores> = (0..num_labels)
        .map(|index| {
            let rows = || cases.iter().map(|case| &case.labels[index]);
            let distances: Vec<f64> = rows().filter_map(|row| row.hd95_mm).collect();
            LabelScores {
                value: cases[0].labels[index].label,
                dice: rows().map(|row| row.dice).sum::<f64>() / cases.len() as f64,
                hd95_mm: (!distances.is_empty())
                    .then(|| distances.iter().sum::<f64>() / distances.len() as f64),
            }
        })
        .collect();
    Scores {
        num_cases: cases.len(),
        protocol: format!(
            "every {validation_every}th case in sorted order, from the first; on each file's own grid"
        ),
        mean_dice: labels.iter().map(|label| label.dice).sum::<f64>() / num_labels.max(1) as f64,
        labels,
    }
}
