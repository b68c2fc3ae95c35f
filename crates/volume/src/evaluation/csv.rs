//! An evaluation as comma-separated values: a row for every case and label.

use super::Evaluation;
use crate::delimited::quoted;
use crate::metrics::Presence;

const COLUMNS: &str =
    "label,name,dice,hd95_mm,hd_mm,assd_mm,prediction_ml,reference_ml,present_in,convention\r\n";

impl Evaluation {
    /// The rows, with a header; what is undefined is an empty field, and `present_in` says why. Ghosts, which are Dice 0 in
    /// the mean of their case, have rows of Dice 0 too.
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
            let mut add = |cells: [String; 10]| {
                let mut row = vec![quoted(&case.case)];
                row.extend(case.fold.map(|fold| fold.to_string()));
                row.extend(cells);
                text += &(row.join(",") + "\r\n");
            };
            for (score, label) in case.labels.iter().zip(&self.labels) {
                let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
                add([
                    score.label.to_string(),
                    quoted(&label.name),
                    number(score.dice),
                    number(score.hd95_mm),
                    number(score.hd_mm),
                    number(score.assd_mm),
                    score.prediction_ml.to_string(),
                    score.reference_ml.to_string(),
                    score.present_in.name().to_owned(),
                    self.convention().to_owned(),
                ]);
            }
            for ghost in &case.ghosts {
                let none = String::new;
                add([
                    ghost.label.to_string(),
                    "ghost".to_owned(),
                    "0".to_owned(),
                    none(),
                    none(),
                    none(),
                    ghost.prediction_ml.to_string(),
                    "0".to_owned(),
                    Presence::Prediction.name().to_owned(),
                    self.convention().to_owned(),
                ]);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluation::tests::evaluation;
    use crate::evaluation::{Convention, Evaluation, GhostLabel};

    #[test]
    fn names_are_quoted_and_undefined_is_empty() {
        let mut evaluation = evaluation();
        evaluation.cases[1].ghosts.push(GhostLabel {
            label: 9,
            prediction_ml: 0.5,
        });
        let csv = evaluation.csv();
        let lines: Vec<&str> = csv.split("\r\n").collect();
        assert_eq!(
            lines,
            [
                "case,label,name,dice,hd95_mm,hd_mm,assd_mm,prediction_ml,reference_ml,present_in,convention",
                "a,1,\"Front, left\",0.5,2,2,2,1,2,both,native",
                "a,2,Back,,,,,0,0,neither,native",
                "\"b \"\"b\"\"\",1,\"Front, left\",1,4,4,4,1,2,both,native",
                "\"b \"\"b\"\"\",2,Back,0,,,,0,2,reference,native",
                "\"b \"\"b\"\"\",9,ghost,0,,,,0.5,0,prediction,native",
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
        assert!(
            csv.contains("\r\na,2,2,Back,,,,,0,0,neither,paper\r\n"),
            "{csv}"
        );
    }
}
