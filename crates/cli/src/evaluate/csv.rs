//! An evaluation as comma-separated values: a row for every case and label.

use super::evaluation::Evaluation;
use std::borrow::Cow;

/// The rows, with a header; a distance that is undefined is an empty field.
///
/// Source: RFC 4180, so lines end in CR LF.
pub fn csv(evaluation: &Evaluation) -> String {
    let has_folds = !evaluation.folds.is_empty();
    let fold_name = if has_folds { "fold," } else { "" };
    let mut csv = format!(
        "case,{fold_name}label,name,dice,hd95_mm,hd_mm,assd_mm,prediction_ml,reference_ml,convention\r\n"
    );
    for case in &evaluation.cases {
        for (score, label) in case.labels.iter().zip(&evaluation.labels) {
            let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
            let fold = case.fold.map_or_else(String::new, |f| format!("{f},"));
            csv += &format!(
                "{},{fold}{},{},{},{},{},{},{},{},{}\r\n",
                quoted(&case.case),
                score.label,
                quoted(&label.name),
                score.dice,
                number(score.hd95_mm),
                number(score.hd_mm),
                number(score.assd_mm),
                score.prediction_ml,
                score.reference_ml,
                evaluation.convention()
            );
        }
    }
    csv
}

/// A field, in quotes where it holds a comma, a quote or a line's end.
fn quoted(field: &str) -> Cow<'_, str> {
    if field.contains([',', '"', '\r', '\n']) {
        Cow::Owned(format!("\"{}\"", field.replace('"', "\"\"")))
    } else {
        Cow::Borrowed(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::evaluation::tests::evaluation;

    #[test]
    fn names_are_quoted_and_undefined_is_empty() {
        let csv = csv(&evaluation());
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
        let csv = csv(&Evaluation::of(cases, labels, convention).unwrap());
        assert!(csv.starts_with("case,fold,label,"));
        assert!(csv.contains("\r\na,2,2,Back,1,,,,0,0,paper\r\n"), "{csv}");
    }
}
