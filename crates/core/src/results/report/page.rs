//! The report of a run as one page that needs no other file.

use super::slices::{BOTH, PREDICTION, REFERENCE, Slice};
use crate::results::validation::held_out;
use crate::train::Recipe;
use crate::train::run_folder::RunState;
use base64::prelude::{BASE64_STANDARD, Engine};
use dinomed3d_volume::NOTICE;
use dinomed3d_volume::evaluation::{
    CaseScores, EMPTY_MASKS, Evaluation, QUARTILES, interval_words,
};
use dinomed3d_volume::markup::escaped;
use dinomed3d_volume::statistics::Summary;

/// A case with its pictures.
#[derive(Debug)]
pub struct DrawnCase {
    /// Its scores.
    pub scores: CaseScores,
    /// One of each plane.
    pub slices: Vec<Slice>,
}

/// What a page shows.
#[derive(Debug)]
pub struct Page<'a> {
    /// Of the run.
    pub recipe: &'a Recipe,
    /// Of the run.
    pub state: &'a RunState,
    /// Of its best weights on its validation cases.
    pub evaluation: &'a Evaluation,
    /// The worst cases, the worst first.
    pub worst: &'a [DrawnCase],
    /// SVG of the curves.
    pub curves: &'a str,
    /// SVG of the scores.
    pub picture: &'a str,
}

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --muted: #666 }
@media (prefers-color-scheme: dark) { :root { --muted: #aaa } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 66rem; margin: 2rem auto; padding: 0 1rem }
h1 { line-height: 1.2; margin-bottom: .25rem }
h2 { margin-top: 2.5rem }
.notice { border-left: .25rem solid #d55e00; padding: .25rem .75rem; background: var(--soft) }
.muted, figcaption { color: var(--muted); font-size: .9rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child, .left { text-align: left }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 1rem 0 }
dt { color: var(--muted) } dd { margin: 0 }
figure { margin: 1rem 0 }
figure svg { max-width: 100%; height: auto; background: #fff; border-radius: .4rem }
.slices { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-end }
.slices figure { margin: 0 }
img { image-rendering: pixelated; display: block; max-width: 100%; background: #000; border-radius: .2rem }
.key { display: inline-block; width: .9rem; height: .9rem; border: 1px solid #888; vertical-align: -.1rem; margin: 0 .3rem 0 .8rem }
";

impl Page<'_> {
    /// The page as HTML.
    pub fn html(&self) -> String {
        let title = escaped(&format!("{}: report of a training run", self.recipe.title));
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
             <p class=\"notice\"><strong>{NOTICE}</strong></p>\n{}{}{}{}{}</body>\n</html>\n",
            self.facts(),
            self.scores(),
            self.curves(),
            self.worst(),
            self.cases()
        )
    }

    fn facts(&self) -> String {
        let recipe = self.recipe;
        let mut facts = vec![
            ("recipe", recipe.name.clone()),
            ("data", recipe.data.source.clone()),
            ("training began with", recipe.initialization.clone()),
            ("seed", recipe.seed.to_string()),
            (
                "validation cases",
                format!(
                    "{}, {}",
                    self.evaluation.cases.len(),
                    held_out(recipe.split())
                ),
            ),
        ];
        for stage in [1, 2] {
            let rows = || self.state.log.iter().filter(|row| row.stage == stage);
            if let Some(last) = rows().next_back() {
                let minutes = rows().map(|row| row.seconds).sum::<f64>() / 60.0;
                let name = if stage == 1 { "stage 1" } else { "stage 2" };
                let text = format!(
                    "{} epochs, {} steps, {minutes:.0} min; loss at the end {:.4}",
                    rows().count(),
                    last.steps,
                    last.loss
                );
                facts.push((name, text));
            }
        }
        if let Some(best) = self.state.best(2)
            && let Some(dice) = best.mean_dice()
        {
            facts.push((
                "best epoch",
                format!(
                    "{} of stage 2, mean Dice {dice:.4} in training; its weights are scored here",
                    best.epoch,
                ),
            ));
        }
        let rows: String = facts
            .into_iter()
            .map(|(what, text)| format!("<dt>{what}</dt><dd>{}</dd>\n", escaped(&text)))
            .collect();
        format!("<dl>\n{rows}</dl>\n")
    }

    fn scores(&self) -> String {
        let mut rows = String::new();
        let mut row = |label: &str, what: &str, summary: &Summary| {
            let cells = match &summary.spread {
                Some(s) => format!(
                    "<td>{:.3}</td><td>{:.3} to {:.3}</td><td>{:.3}</td><td>{:.3} to {:.3}</td><td>{:.3} to {:.3}</td>",
                    s.mean,
                    s.interval[0],
                    s.interval[1],
                    s.median,
                    s.lower_quartile,
                    s.upper_quartile,
                    s.minimum,
                    s.maximum
                ),
                None => "<td>–</td>".repeat(5),
            };
            rows += &format!(
                "<tr><td>{}</td><td class=\"left\">{what}</td>{cells}<td>{}</td><td>{}</td></tr>\n",
                escaped(label),
                summary.cases,
                summary.undefined
            );
        };
        let statistics = &self.evaluation.statistics;
        for of in &statistics.labels {
            row(&of.name, "Dice", &of.dice);
            row(&of.name, "HD95, mm", &of.hd95_mm);
            row(&of.name, "ASSD, mm", &of.assd_mm);
            row(&of.name, "volume error, mL", &of.difference_ml);
        }
        row("all labels", "mean Dice", &statistics.mean_dice);
        let empty: String = statistics
            .labels
            .iter()
            .filter(|of| of.empty_reference + of.empty_prediction > 0)
            .map(|of| {
                format!(
                    " {}: absent from {} references and {} predictions.",
                    escaped(&of.name),
                    of.empty_reference,
                    of.empty_prediction
                )
            })
            .collect();
        format!(
            "<h2>Scores on the validation cases</h2>\n<div class=\"scroll\"><table>\n\
             <thead><tr><th>label</th><th class=\"left\">quantity</th><th>mean</th><th>95 % interval</th>\
             <th>median</th><th>quartiles</th><th>range</th><th>cases</th><th>undefined</th></tr></thead>\n\
             <tbody>\n{rows}</tbody></table></div>\n\
             <p class=\"muted\">{} {}; {QUARTILES}. Volume error is prediction less reference. Counting: {EMPTY_MASKS}.{empty}\n\
             These cases chose the best epoch, so expect a little less on new ones.\n\
             Files beside this page: <a href=\"validation.json\">validation.json</a>, \
             <a href=\"validation.csv\">validation.csv</a>, <a href=\"log.csv\">log.csv</a>, \
             <a href=\"recipe.toml\">recipe.toml</a>.</p>\n<figure>\n{}\n</figure>\n",
            self.evaluation.convention_sentence(),
            interval_words(),
            self.picture
        )
    }

    fn curves(&self) -> String {
        format!(
            "<h2>Training</h2>\n<figure>\n{}\n<figcaption>Dice is that of the averaged weights on the validation cases.</figcaption>\n</figure>\n",
            self.curves
        )
    }

    fn worst(&self) -> String {
        let key = |[r, g, b]: [u8; 3], what: &str| {
            format!("<span class=\"key\" style=\"background:rgb({r},{g},{b})\"></span>{what}")
        };
        let mut html = format!(
            "<h2>The worst cases</h2>\n<p class=\"muted\">By mean Dice over the labels; of each plane the slice with the most wrong voxels. Outlines:{}{}{}. \
             Axial and coronal slices show the patient's right on the left, sagittal ones anterior on the left.</p>\n",
            key(REFERENCE, "reference"),
            key(PREDICTION, "prediction"),
            key(BOTH, "both on each other")
        );
        for case in self.worst {
            let name = escaped(&case.scores.case);
            html += &format!(
                "<h3>{name}: mean Dice {}</h3>\n<p class=\"muted\">{}</p>\n<div class=\"slices\">\n",
                dice(case.scores.mean_dice),
                escaped(&self.label_words(&case.scores))
            );
            for slice in &case.slices {
                let [width, height] = slice.size;
                let [number, of] = slice.number;
                let plane = slice.plane.name();
                let wrong = slice.wrong;
                html += &format!(
                    "<figure><img width=\"{width}\" height=\"{height}\" src=\"data:image/png;base64,{}\" \
                     alt=\"{name}, {plane} slice {number} of {of}: scan in grey, outline of the reference green, of the prediction magenta; {wrong} voxels have a wrong label\">\
                     <figcaption>{plane}, slice {number} of {of}; {wrong} wrong voxels</figcaption></figure>\n",
                    BASE64_STANDARD.encode(&slice.png)
                );
            }
            html += "</div>\n";
        }
        html
    }

    /// The scores of a case in a line.
    fn label_words(&self, case: &CaseScores) -> String {
        let words = self.evaluation.labels.iter().zip(&case.labels);
        let words: Vec<String> = words
            .map(|(label, score)| {
                let distance = score
                    .hd95_mm
                    .map_or("no HD95".to_owned(), |mm| format!("HD95 {mm:.2} mm"));
                format!(
                    "{}: Dice {}, {distance}, {:.2} mL for {:.2} mL",
                    label.name,
                    dice(score.dice),
                    score.prediction_ml,
                    score.reference_ml
                )
            })
            .collect();
        words.join("; ")
    }

    fn cases(&self) -> String {
        let mut head = "<th>case</th><th>mean Dice</th>".to_owned();
        for label in &self.evaluation.labels {
            let name = escaped(&label.name);
            head += &format!("<th>{name}: Dice</th><th>HD95, mm</th>");
        }
        let mut rows = String::new();
        for case in self.evaluation.worst_first() {
            rows += &format!(
                "<tr><td>{}</td><td>{}</td>",
                escaped(&case.case),
                dice(case.mean_dice)
            );
            for score in &case.labels {
                let distance = score
                    .hd95_mm
                    .map_or("–".to_owned(), |mm| format!("{mm:.2}"));
                rows += &format!("<td>{}</td><td>{distance}</td>", dice(score.dice));
            }
            rows += "</tr>\n";
        }
        format!(
            "<h2>All cases</h2>\n<details><summary>{} cases, the worst first</summary>\n<div class=\"scroll\"><table>\n\
             <thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n</details>\n",
            self.evaluation.cases.len()
        )
    }
}

/// A dash for a label that a case does not hold.
fn dice(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |dice| format!("{dice:.3}"))
}
