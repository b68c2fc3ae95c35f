//! An evaluation as comma-separated values: a row for every case and label.

use super::Evaluation;

const COLUMNS: &str =
    "label,name,dice,hd95_mm,hd_mm,assd_mm,prediction_ml,reference_ml,convention\r\n";

impl Evaluation {
    /// The rows, with a header; a distance that is undefined is an empty field.
    ///
    /// Source: RFC 4180, so lines end in CR LF.
    pub fn csv(&self) -> String {
        let before = if self.folds.is_empty() {
            "case,"
        } else {
            "case,fold,"
        };
        let mut text = before.to_owned() + COLUMNS;
        for case in &self.cases {
            for (score, label) in case.labels.iter().zip(&self.labels) {
                let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
                let mut row = vec![quoted(&case.case)];
                row.extend(case.fold.map(|fold| fold.to_string()));
                row.extend([
                    score.label.to_string(),
                    quoted(&label.name),
                    score.dice.to_string(),
                    number(score.hd95_mm),
                    number(score.hd_mm),
                    number(score.assd_mm),
                    score.prediction_ml.to_string(),
                    score.reference_ml.to_string(),
                    self.convention().to_owned(),
                ]);
                text += &(row.join(",") + "\r\n");
            }
        }
        text
    }
}

/// A field, in quotes where it holds what parts fields.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluation::tests::evaluation;
    use crate::evaluation::{Convention, Evaluation};

    #[test]
    fn names_are_quoted_and_undefined_is_empty() {
        let csv = evaluation().csv();
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
        let convention = Convention::Paper;
        let csv = Evaluation::of(cases, labels, convention).unwrap().csv();
        assert!(csv.starts_with("case,fold,label,"));
        assert!(csv.contains("\r\na,2,2,Back,1,,,,0,0,paper\r\n"), "{csv}");
    }
}
