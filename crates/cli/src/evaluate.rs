//! `dinomed3d evaluate`: how well label maps agree with their references.

use crate::NOTICE;
use crate::segment::load_model;
use crate::validation::score_model;
use anyhow::{Context, bail, ensure};
use dinomed3d_core::metrics::{LabelScore, evaluate_case};
use dinomed3d_core::volume::{LabelMap, NiftiImage};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Arguments of `evaluate`.
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["predictions", "model"])))]
pub struct Args {
    /// A label map or a folder of them, `CASE.nii.gz` or `CASE_dseg.nii.gz`.
    #[arg(long, value_name = "DIR_OR_FILE", requires = "references")]
    predictions: Option<PathBuf>,
    /// The reference label map, or a folder of them named like the predictions.
    #[arg(long, value_name = "DIR_OR_FILE", requires = "predictions")]
    references: Option<PathBuf>,
    /// Folder of a model, which then segments the validation cases of a data set.
    #[arg(long, value_name = "DIR", requires = "data")]
    model: Option<PathBuf>,
    /// Data set in the layout of the Medical Segmentation Decathlon.
    #[arg(long, value_name = "DIR", requires = "model")]
    data: Option<PathBuf>,
    /// Which cases validate: every n-th in sorted order, from the first.
    #[arg(long, value_name = "N", default_value_t = 5)]
    validation_every: usize,
    /// Labels to score, such as 1,2 [default: all that occur, without the background 0].
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "LABELS",
        conflicts_with = "model"
    )]
    labels: Vec<u8>,
    /// cpu, or vulkan or cuda where the program was built with them.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A case's two files.
#[derive(Debug, PartialEq)]
struct Pair {
    case: String,
    prediction: PathBuf,
    reference: PathBuf,
}

/// All labels of one case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CaseScores {
    /// Name of the case.
    pub case: String,
    /// One per label.
    pub labels: Vec<LabelScore>,
}

/// Means over cases, or over labels.
#[derive(Debug, Serialize)]
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

/// Scores of all cases with their means.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Per case and label.
    pub cases: Vec<CaseScores>,
    /// Mean over cases, per label.
    pub label_means: Vec<MeanScore>,
    /// Mean over the labels' means.
    pub mean: MeanScore,
    notice: &'static str,
}

/// Scores and prints.
///
/// # Errors
/// Files that cannot be read or paired, or whose grids differ.
pub fn run(args: Args) -> anyhow::Result<()> {
    let cases = match (&args.predictions, &args.references, &args.model, &args.data) {
        (Some(predictions), Some(references), ..) => {
            score_files(predictions, references, args.labels)?
        }
        (_, _, Some(model), Some(data)) => {
            let segmenter = load_model(model, &args.device)?;
            score_model(&segmenter, data, args.validation_every)?
        }
        _ => unreachable!("clap asks for one of the two pairs"),
    };
    Report::of(cases)?.print(args.json)
}

/// Scores label maps against their references.
fn score_files(
    predictions: &Path,
    references: &Path,
    labels: Vec<u8>,
) -> anyhow::Result<Vec<CaseScores>> {
    let pairs = pair(predictions, references)?;
    let labels = if labels.is_empty() {
        labels_present(&pairs)?
    } else {
        labels
    };
    let mut cases = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let prediction = read_label_map(&pair.prediction)?;
        let reference = read_label_map(&pair.reference)?;
        let labels = evaluate_case(&prediction, &reference, &labels).with_context(|| {
            format!(
                "comparing {} with {}",
                pair.prediction.display(),
                pair.reference.display()
            )
        })?;
        let case = pair.case;
        cases.push(CaseScores { case, labels });
    }
    Ok(cases)
}

impl Report {
    /// Adds the means.
    ///
    /// # Errors
    /// No case or no label, so there is nothing to take the mean of.
    pub fn of(cases: Vec<CaseScores>) -> anyhow::Result<Self> {
        let num_labels = cases.first().map_or(0, |case| case.labels.len());
        ensure!(
            num_labels > 0,
            "nothing to score: {} cases, {num_labels} labels",
            cases.len()
        );
        let label_means: Vec<MeanScore> = (0..num_labels)
            .map(|i| {
                let scores = || cases.iter().map(|case| &case.labels[i]);
                MeanScore {
                    label: scores().next().map(|score| score.label),
                    dice: mean(scores().map(|score| score.dice)).unwrap_or(f64::NAN),
                    hd95_mm: mean(scores().filter_map(|score| score.hd95_mm)),
                    assd_mm: mean(scores().filter_map(|score| score.assd_mm)),
                    without_distances: scores().filter(|score| score.hd95_mm.is_none()).count(),
                }
            })
            .collect();
        let mean = MeanScore {
            label: None,
            dice: mean(label_means.iter().map(|m| m.dice)).unwrap_or(f64::NAN),
            hd95_mm: mean(label_means.iter().filter_map(|m| m.hd95_mm)),
            assd_mm: mean(label_means.iter().filter_map(|m| m.assd_mm)),
            without_distances: label_means.iter().map(|m| m.without_distances).sum(),
        };
        Ok(Self {
            cases,
            label_means,
            mean,
            notice: NOTICE,
        })
    }

    /// Prints a table, or JSON.
    ///
    /// # Errors
    /// None but JSON's own.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string_pretty(self)?);
        } else {
            print!("{}", self.table());
        }
        Ok(())
    }

    fn table(&self) -> String {
        let names = self.cases.iter().map(|case| case.case.chars().count());
        let width = names.max().unwrap_or(0).max("mean of labels".len());
        let mut table = format!(
            "{:<width$}  {:>5}  {:>6}  {:>8}  {:>8}  {:>13}  {:>12}\n",
            "case", "label", "Dice", "HD95 mm", "ASSD mm", "prediction mL", "reference mL"
        );
        for case in &self.cases {
            for score in &case.labels {
                table += &format!(
                    "{:<width$}  {:>5}  {:>6.4}  {:>8}  {:>8}  {:>13.3}  {:>12.3}\n",
                    case.case,
                    score.label,
                    score.dice,
                    millimetres(score.hd95_mm),
                    millimetres(score.assd_mm),
                    score.prediction_ml,
                    score.reference_ml
                );
            }
        }
        for mean in self.label_means.iter().chain([&self.mean]) {
            let (title, label) = match mean.label {
                Some(label) => (
                    format!("mean of {} cases", self.cases.len()),
                    label.to_string(),
                ),
                None => ("mean of labels".to_owned(), String::new()),
            };
            table += &format!(
                "{title:<width$}  {label:>5}  {:>6.4}  {:>8}  {:>8}\n",
                mean.dice,
                millimetres(mean.hd95_mm),
                millimetres(mean.assd_mm)
            );
        }
        if self.mean.without_distances > 0 {
            table += &format!(
                "\"-\": the label is absent from prediction or reference ({} times); means of distances leave these out.\n",
                self.mean.without_distances
            );
        }
        table + NOTICE + "\n"
    }
}

fn millimetres(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |mm| format!("{mm:.3}"))
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values.fold((0usize, 0.0), |(count, sum), v| (count + 1, sum + v));
    (count > 0).then(|| sum / count as f64)
}

fn read_label_map(path: &Path) -> anyhow::Result<LabelMap> {
    let bytes = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    NiftiImage::parse(&bytes)
        .and_then(|image| image.label_map())
        .with_context(|| format!("in {}", path.display()))
}

/// Every label of any case, so that a label that one case lacks is scored in it too.
fn labels_present(pairs: &[Pair]) -> anyhow::Result<Vec<u8>> {
    let mut labels = BTreeSet::new();
    for pair in pairs {
        labels.extend(read_label_map(&pair.prediction)?.present());
        labels.extend(read_label_map(&pair.reference)?.present());
    }
    Ok(labels.into_iter().collect())
}

/// Pairs two files, or the files of two folders by the name of their case.
fn pair(predictions: &Path, references: &Path) -> anyhow::Result<Vec<Pair>> {
    match (predictions.is_dir(), references.is_dir()) {
        (false, false) => Ok(vec![Pair {
            case: case_name(references)
                .map_or_else(|| references.display().to_string(), |name| name.case),
            prediction: predictions.to_owned(),
            reference: references.to_owned(),
        }]),
        (true, true) => pair_folders(predictions, references),
        _ => bail!(
            "{} and {} are a folder and a file: two files or two folders are expected",
            predictions.display(),
            references.display()
        ),
    }
}

fn pair_folders(predictions: &Path, references: &Path) -> anyhow::Result<Vec<Pair>> {
    let mut predicted = cases_in(predictions)?;
    let wanted = cases_in(references)?;
    ensure!(
        !wanted.is_empty(),
        "no .nii or .nii.gz file in {}",
        references.display()
    );
    let mut pairs = Vec::new();
    let mut missing = Vec::new();
    for (case, reference) in wanted {
        match predicted.remove(&case) {
            Some(prediction) => pairs.push(Pair {
                case,
                prediction,
                reference,
            }),
            None => missing.push(case),
        }
    }
    // A mean over some of the cases would look like one over all.
    ensure!(
        missing.is_empty(),
        "no prediction in {} for {} of {} references: {}",
        predictions.display(),
        missing.len(),
        missing.len() + pairs.len(),
        missing.join(", ")
    );
    for case in predicted.keys() {
        eprintln!(
            "prediction {case} has no reference in {}: passed over",
            references.display()
        );
    }
    Ok(pairs)
}

/// The label maps of a folder by case; hidden files are passed over.
fn cases_in(folder: &Path) -> anyhow::Result<BTreeMap<String, PathBuf>> {
    let mut cases: BTreeMap<String, (bool, PathBuf)> = BTreeMap::new();
    let entries =
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?;
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", folder.display()))?
            .path();
        let Some(name) = case_name(&path) else {
            continue;
        };
        match cases.get(&name.case) {
            // X.nii.gz beside X_dseg.nii.gz is the scan.
            Some((true, _)) if !name.is_dseg => {}
            Some((is_dseg, other)) if *is_dseg == name.is_dseg => bail!(
                "{} and {} are the same case",
                other.display(),
                path.display()
            ),
            _ => {
                cases.insert(name.case, (name.is_dseg, path));
            }
        }
    }
    let paths = cases.into_iter().map(|(case, (_, path))| (case, path));
    Ok(paths.collect())
}

/// What a file's name says.
struct CaseName {
    case: String,
    is_dseg: bool,
}

fn case_name(path: &Path) -> Option<CaseName> {
    let name = path.file_name()?.to_str()?;
    let stem = name
        .strip_suffix(".nii.gz")
        .or_else(|| name.strip_suffix(".nii"))
        .filter(|stem| !stem.starts_with('.'))?;
    let case = stem.strip_suffix("_dseg");
    Some(CaseName {
        case: case.unwrap_or(stem).to_owned(),
        is_dseg: case.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(label: u8, dice: f64, hd95_mm: Option<f64>) -> LabelScore {
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

    #[test]
    fn names_of_cases_lose_ending_and_dseg() {
        let case = |name: &str| case_name(Path::new(name)).map(|name| name.case);
        assert_eq!(case("a/sub-01_dseg.nii.gz").as_deref(), Some("sub-01"));
        assert_eq!(case("sub-01.nii").as_deref(), Some("sub-01"));
        assert_eq!(case("._sub-01.nii.gz"), None);
        assert_eq!(case("dataset.json"), None);
    }

    #[test]
    fn means_leave_out_distances_that_are_none() {
        let case = |name: &str, labels| CaseScores {
            case: name.to_owned(),
            labels,
        };
        let report = Report::of(vec![
            case("a", vec![score(1, 0.5, Some(2.0)), score(2, 1.0, None)]),
            case("b", vec![score(1, 1.0, Some(4.0)), score(2, 0.0, None)]),
        ])
        .unwrap();
        assert_eq!(report.label_means[0].hd95_mm, Some(3.0));
        assert_eq!(report.label_means[1].hd95_mm, None);
        assert_eq!(report.label_means[1].dice, 0.5);
        assert_eq!(report.mean.dice, 0.625);
        assert_eq!(report.mean.hd95_mm, Some(3.0));
        assert_eq!(report.mean.without_distances, 2);
        let table = report.table();
        assert!(table.contains("0.6250") && table.ends_with("not a medical device.\n"));
        assert!(Report::of(Vec::new()).is_err());
    }
}
