//! An evaluation as a table for people.

use super::{EMPTY_MASKS, Evaluation, GHOSTS, QUARTILES, interval_words};
use crate::NOTICE;
use crate::metrics::Reliability;
use crate::statistics::Summary;

impl Evaluation {
    /// Cases, means and statistics, one line each.
    pub fn table(&self) -> String {
        let names = self.cases.iter().map(|case| case.case.chars().count());
        let width = names.max().unwrap_or(0).max("mean of 1000 cases".len());
        let mut table = format!(
            "{:<width$}  {:>5}  {:>6}  {:>8}  {:>8}  {:>13}  {:>12}\n",
            "case", "label", "Dice", "HD95 mm", "ASSD mm", "prediction mL", "reference mL"
        );
        for case in &self.cases {
            for score in &case.labels {
                table += &format!(
                    "{:<width$}  {:>5}  {:>6}  {:>8}  {:>8}  {:>13.3}  {:>12.3}\n",
                    case.case,
                    score.label,
                    dice(score.dice),
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
                "{title:<width$}  {label:>5}  {:>6}  {:>8}  {:>8}\n",
                dice(mean.dice),
                millimetres(mean.hd95_mm),
                millimetres(mean.assd_mm)
            );
        }
        table += &self.exceptions();
        table += &statistics(self);
        for fold in &self.folds {
            table += &format!(
                "fold {}: mean Dice {} over {} cases\n",
                fold.fold,
                dice(fold.mean_dice),
                fold.cases
            );
        }
        if let Some(reliability) = &self.reliability {
            table += &certainty(reliability);
        }
        table + self.convention_sentence() + "\n" + NOTICE + "\n"
    }
}

/// How true certainty is: the error, and the curve.
fn certainty(reliability: &Reliability) -> String {
    let mut lines = format!(
        "certainty is {:.3} from the share of right answers in the mean (expected calibration error), over voxels that the \
         model labels and their neighbours\n",
        reliability.expected_error()
    );
    for bin in &reliability.0 {
        lines += &format!(
            "  certain to {:.2}: {:.2} right, {} voxels\n",
            bin.certainty, bin.right, bin.answers
        );
    }
    lines
}

impl Evaluation {
    /// What the means above leave out, or say too little of: a line each.
    fn exceptions(&self) -> String {
        let mut lines = String::new();
        for mean in &self.label_means {
            if let Some(label) = mean.label.filter(|_| mean.without_distances > 0) {
                lines += &format!(
                    "label {label}: missed in {}, invented in {}, absent from both in {} of {} cases; HD95 and ASSD are of the other {}\n",
                    mean.missed,
                    mean.invented,
                    mean.absent,
                    self.cases.len(),
                    self.cases.len() - mean.without_distances
                );
            }
        }
        let ghosts: Vec<String> = self
            .cases
            .iter()
            .flat_map(|case| case.ghosts.iter().map(move |ghost| (ghost.label, case)))
            .map(|(label, case)| format!("{label} in {}", case.case))
            .collect();
        if !ghosts.is_empty() {
            lines += &format!("ghost labels: {}; {GHOSTS}\n", ghosts.join(", "));
        }
        if !self.passed_over.is_empty() {
            let count = self.passed_over.len();
            lines += &format!(
                "in no mean, {count} passed over: {}\n",
                self.passed_over.join("; ")
            );
        }
        lines
    }
}

fn statistics(evaluation: &Evaluation) -> String {
    let statistics = &evaluation.statistics;
    let mut table = format!(
        "\n{:<5}  {:<13}  {:>8}  {:>20}  {:>8}  {:>20}  {:>5}  {:>9}\n",
        "label", "over cases", "mean", "95 % interval", "median", "quartiles", "cases", "undefined"
    );
    let mut row = |label: &str, what: &str, summary: &Summary| {
        let text = summary.spread.as_ref().map(|spread| {
            let range = |[low, high]: [f64; 2]| format!("{low:.4} to {high:.4}");
            [
                format!("{:.4}", spread.mean),
                range(spread.interval),
                format!("{:.4}", spread.median),
                range([spread.lower_quartile, spread.upper_quartile]),
            ]
        });
        let [mean, interval, median, quartiles] =
            text.unwrap_or_else(|| std::array::from_fn(|_| "-".to_owned()));
        table += &format!(
            "{label:<5}  {what:<13}  {mean:>8}  {interval:>20}  {median:>8}  {quartiles:>20}  {:>5}  {:>9}\n",
            summary.cases, summary.undefined
        );
    };
    for of in &statistics.labels {
        let label = of.label.to_string();
        row(&label, "Dice", &of.dice);
        row(&label, "HD95 mm", &of.hd95_mm);
        row(&label, "ASSD mm", &of.assd_mm);
        row(&label, "difference mL", &of.difference_ml);
    }
    row("all", "mean Dice", &statistics.mean_dice);
    table += &format!("{}; {QUARTILES}.\n", interval_words());
    if evaluation.mean.without_distances > 0 {
        table += &format!("\"-\" and undefined: {EMPTY_MASKS}.\n");
    }
    table
}

fn dice(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |dice| format!("{dice:.4}"))
}

fn millimetres(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |mm| format!("{mm:.3}"))
}

#[cfg(test)]
mod tests {
    use crate::evaluation::tests::evaluation;

    #[test]
    fn a_table_says_means_convention_and_notice() {
        let mut evaluation = evaluation();
        evaluation
            .passed_over
            .push("notes.txt: no NIfTI".to_owned());
        let table = evaluation.table();
        assert!(table.contains("mean of 2 cases"), "{table}");
        assert!(table.contains("0.3750"), "{table}");
        let missed = "label 2: missed in 1, invented in 0, absent from both in 1 of 2 cases; HD95 and ASSD are of the other 0\n";
        assert!(table.contains(missed), "{table}");
        assert!(table.contains("1 passed over: notes.txt"), "{table}");
        assert!(table.contains("each file's own grid"), "{table}");
        assert!(table.contains("left out of means"), "{table}");
        assert!(table.ends_with("not a medical device.\n"));
    }
}
