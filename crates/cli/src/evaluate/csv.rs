//! An evaluation as comma-separated values: a row for every case and label.

use super::evaluation::Evaluation;
use anyhow::Context;
use csv::{Terminator, WriterBuilder};

/// The rows, with a header; a distance that is undefined is an empty field.
///
/// # Errors
/// None but the writer's own.
///
/// Source: RFC 4180, so lines end in CR LF.
pub fn csv(evaluation: &Evaluation) -> anyhow::Result<String> {
    let has_folds = !evaluation.folds.is_empty();
    let mut writer = WriterBuilder::new()
        .terminator(Terminator::CRLF)
        .from_writer(Vec::new());
    let before = ["case"].into_iter().chain(has_folds.then_some("fold"));
    let after = "label,name,dice,hd95_mm,hd_mm,assd_mm,prediction_ml,reference_ml,convention";
    writer.write_record(before.chain(after.split(',')))?;
    for case in &evaluation.cases {
        for (score, label) in case.labels.iter().zip(&evaluation.labels) {
            let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
            let mut row = vec![case.case.clone()];
            row.extend(case.fold.map(|fold| fold.to_string()));
            row.extend([
                score.label.to_string(),
                label.name.clone(),
                score.dice.to_string(),
                number(score.hd95_mm),
                number(score.hd_mm),
                number(score.assd_mm),
                score.prediction_ml.to_string(),
                score.reference_ml.to_string(),
                evaluation.convention().to_owned(),
            ]);
            writer.write_record(row)?;
        }
    }
    let bytes = writer.into_inner().context("writing the table")?;
    String::from_utf8(bytes).context("writing the table")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluation::tests::evaluation;

    #[test]
    fn names_are_quoted_and_undefined_is_empty() {
        let csv = csv(&evaluation()).unwrap();
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "case,label,name,dice,hd95_mm,hd_mm,assd_mm,prediction_ml,reference_ml,convention",
                "a,1,\"Front, left\",0.5,2,2,2,1,2,native",
                "a,2,Back,1,,,,0,0,native",
                "\"b \"\"b\"\"\",1,\"Front, left\",1,4,4,4,1,2,native",
                "\"b \"\"b\"\"\",2,Back,0,,,,0,2,native",
                "",
            ]
        );
    }

    #[test]
    fn a_cross_validation_names_the_fold() {
        let mut evaluation = evaluation();
        for (case, fold) in evaluation.cases.iter_mut().zip([2, 1]) {
            case.fold = Some(fold);
        }
        let (cases, labels) = (evaluation.cases, evaluation.labels);
        let convention = crate::evaluate::convention::Convention::Paper;
        let csv = csv(&Evaluation::of(cases, labels, convention).unwrap()).unwrap();
        assert!(csv.starts_with("case,fold,label,"));
        assert!(csv.contains("\r\na,2,2,Back,1,,,,0,0,paper\r\n"), "{csv}");
    }
}
