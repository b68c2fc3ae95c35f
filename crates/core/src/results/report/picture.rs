//! The scores of every label as a picture.

use crate::results::ResultsError;
use dinomed3d_volume::Label;
use dinomed3d_volume::NOTICE;
use dinomed3d_volume::evaluation::{Evaluation, LabelStatistics};
use dinomed3d_volume::metrics::LabelScore;
use dinomed3d_volume::statistics::Summary;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Width of a picture, px.
pub const WIDTH: u32 = 900;
const HEIGHT: u32 = 490;
/// What the lines under the panels take, px.
const FOOT: i32 = 86;
/// Most characters of such a line.
const FOOT_CHARACTERS: usize = 135;
/// Half of a box's width, in labels.
const HALF_BOX: f64 = 0.26;
/// Characters that fit side by side under a panel; names that need more stand upright.
const PANEL_CHARACTERS: usize = 52;
/// Most characters of a name that stands upright.
const UPRIGHT_CHARACTERS: usize = 16;
/// What names that lie side by side take, px.
const LYING: u32 = 34;

pub(super) const FONT: &str = "sans-serif";
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
pub(super) const MUTED: RGBColor = RGBColor(90, 90, 90);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);

/// Draws a box with its cases for each label: Dice on the left, HD95 on the right.
///
/// The result is a whole SVG document of 900 px width.
///
/// # Errors
/// A picture that cannot be laid out.
pub fn draw(evaluation: &Evaluation) -> Result<String, ResultsError> {
    let num_cases = evaluation.cases.len();
    let mut svg = String::new();
    let height = HEIGHT + names_height(&evaluation.labels) - LYING;
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE)?;
        let (head, rest) = root.split_vertically(44);
        let title = format!("Agreement with the reference, {num_cases} cases");
        write_text(&head, &title, (16, 12), 22.0, INK)?;
        let (panels, foot) = rest.split_vertically(height as i32 - 44 - FOOT);
        let (left, right) = panels.split_horizontally(WIDTH as i32 / 2);
        let statistics = &evaluation.statistics.labels;
        Panel {
            title: "Dice (higher is better)",
            unit: "Dice",
            statistics: statistics.iter().map(|s| &s.dice).collect(),
            value: |score| score.dice,
            bound: Some(1.0),
        }
        .draw(&left, evaluation)?;
        Panel {
            title: "HD95 (lower is better)",
            unit: "HD95, mm",
            statistics: statistics.iter().map(|s| &s.hd95_mm).collect(),
            value: |score| score.hd95_mm,
            bound: None,
        }
        .draw(&right, evaluation)?;
        let lines = [
            "Box: quartiles and median; whiskers: furthest case within 1.5 box heights; diamond: mean; point: one case."
                .to_owned(),
            evaluation.convention_sentence().to_owned(),
            undefined(statistics),
            NOTICE.to_owned(),
        ];
        let lines = lines.iter().filter(|line| !line.is_empty());
        for (line, text) in lines.enumerate() {
            let text = cut(text, FOOT_CHARACTERS);
            write_text(&foot, &text, (16, 4 + 19 * line as i32), 14.5, MUTED)?;
        }
        root.present()?;
    }
    let names: Vec<String> = statistics_words(&evaluation.statistics.labels);
    let title = format!(
        "Dice and HD95 of each label over {num_cases} cases. {}",
        names.join("; ")
    );
    Ok(titled(&svg, &title))
}

/// Characters of a name that lies under its box.
fn lying_characters(labels: &[Label]) -> usize {
    PANEL_CHARACTERS / labels.len()
}

/// What names take under a panel, px.
fn names_height(labels: &[Label]) -> u32 {
    let longest = labels.iter().map(|label| label.name.chars().count()).max();
    let longest = longest.unwrap_or(0);
    if longest <= lying_characters(labels) {
        LYING
    } else {
        14 + 6 * longest.min(UPRIGHT_CHARACTERS) as u32
    }
}

/// Says how many cases have no distances; nothing where all have.
fn undefined(statistics: &[LabelStatistics]) -> String {
    let words: Vec<String> = statistics
        .iter()
        .filter(|s| s.hd95_mm.undefined > 0)
        .map(|s| format!("{} of {}", s.hd95_mm.undefined, s.name))
        .collect();
    if words.is_empty() {
        return String::new();
    }
    format!(
        "Cases without HD95, as reference or prediction lack the label: {}.",
        words.join(", ")
    )
}

fn statistics_words(statistics: &[LabelStatistics]) -> Vec<String> {
    let median = |summary: &Summary, digits: usize| {
        summary
            .spread
            .as_ref()
            .map_or("none".to_owned(), |s| format!("{:.digits$}", s.median))
    };
    let words = |s: &LabelStatistics| {
        format!(
            "{}: median Dice {}, median HD95 {} mm",
            s.name,
            median(&s.dice, 3),
            median(&s.hd95_mm, 2)
        )
    };
    statistics.iter().map(words).collect()
}

/// The document with a title, which is read out instead of the picture.
pub(super) fn titled(svg: &str, title: &str) -> String {
    let escaped = title
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let (tag, rest) = svg.split_once('>').unwrap_or((svg, ""));
    format!("{tag} role=\"img\">\n<title>{escaped}</title>{rest}")
}

/// Writes a line whose upper left corner is at `at`.
pub(super) fn write_text<DB: DrawingBackend>(
    area: &DrawingArea<DB, Shift>,
    text: &str,
    at: (i32, i32),
    size: f64,
    color: RGBColor,
) -> Result<(), ResultsError>
where
    DB::ErrorType: 'static,
{
    let style = (FONT, size).into_font().color(&color);
    Ok(area.draw_text(
        text,
        &style
            .pos(Pos::new(HPos::Left, VPos::Top))
            .into_text_style(area),
        at,
    )?)
}

/// One quantity.
struct Panel<'a> {
    title: &'static str,
    unit: &'static str,
    statistics: Vec<&'a Summary>,
    value: fn(&LabelScore) -> Option<f64>,
    /// Largest value that there can be.
    bound: Option<f64>,
}

impl Panel<'_> {
    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        evaluation: &Evaluation,
    ) -> Result<(), ResultsError>
    where
        DB::ErrorType: 'static,
    {
        let labels = &evaluation.labels;
        let [low, high] = self.range();
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 17.0, &INK))
            .margin_left(12)
            .margin_right(18)
            .x_label_area_size(names_height(labels))
            .y_label_area_size(62)
            .build_cartesian_2d(-0.5..labels.len() as f64 - 0.5, low..high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(MUTED)
            .y_desc(self.unit)
            .y_labels(8)
            .y_label_formatter(&|value| axis_number(*value, high - low))
            .label_style((FONT, 14.0, &INK))
            .axis_desc_style((FONT, 15.0, &INK))
            .draw()?;
        let plot = chart.plotting_area();
        for (index, label) in labels.iter().enumerate() {
            let center = index as f64;
            let values: Vec<f64> = evaluation
                .cases
                .iter()
                .filter_map(|case| (self.value)(&case.labels[index]))
                .collect();
            let color = ink_of(label);
            for (number, value) in values.iter().enumerate() {
                // Spread by the golden ratio: even, and the same each time.
                let aside = (number as f64 * 0.618_034).fract() - 0.5;
                let at = (center + 0.8 * HALF_BOX * 2.0 * aside, *value);
                plot.draw(&Circle::new(at, 3, color.mix(0.55).filled()))?;
            }
            self.draw_box(plot, index, &values, color)?;
            let (x, y) = plot.map_coordinate(&(center, low));
            let (left, top) = area.get_base_pixel();
            let font = (FONT, 15.0).into_font();
            let (font, pos, name) = if names_height(labels) == LYING {
                let pos = Pos::new(HPos::Center, VPos::Top);
                (font, pos, label.name.clone())
            } else {
                // Upwards, so that it ends under its box.
                let pos = Pos::new(HPos::Right, VPos::Center);
                let font = font.transform(FontTransform::Rotate270);
                (font, pos, cut(&label.name, UPRIGHT_CHARACTERS))
            };
            let style = font.color(&INK).pos(pos).into_text_style(area);
            area.draw_text(&name, &style, (x - left, y - top + 10))?;
        }
        Ok(())
    }

    fn draw_box<DB: DrawingBackend, CT: CoordTranslate<From = (f64, f64)>>(
        &self,
        plot: &DrawingArea<DB, CT>,
        index: usize,
        values: &[f64],
        color: RGBColor,
    ) -> Result<(), ResultsError>
    where
        DB::ErrorType: 'static,
    {
        let Some(spread) = &self.statistics[index].spread else {
            return Ok(());
        };
        let x = index as f64;
        let (low, high) = (spread.lower_quartile, spread.upper_quartile);
        let (bottom, top) = (x - HALF_BOX, x + HALF_BOX);
        let corners = [(bottom, low), (top, high)];
        plot.draw(&Rectangle::new(corners, color.mix(0.18).filled()))?;
        plot.draw(&Rectangle::new(corners, INK.stroke_width(1)))?;
        let [lower, upper] = whiskers(values, low, high);
        for (from, to) in [(low, lower), (high, upper)] {
            let half = HALF_BOX / 2.0;
            plot.draw(&PathElement::new([(x, from), (x, to)], INK))?;
            plot.draw(&PathElement::new([(x - half, to), (x + half, to)], INK))?;
        }
        let median = [(bottom, spread.median), (top, spread.median)];
        plot.draw(&PathElement::new(median, INK.stroke_width(3)))?;
        let diamond = [(0, -6), (6, 0), (0, 6), (-6, 0), (0, -6)];
        let mean = EmptyElement::at((x, spread.mean))
            + Polygon::new(diamond.to_vec(), WHITE.filled())
            + PathElement::new(diamond.to_vec(), INK.stroke_width(2));
        plot.draw(&mean)?;
        Ok(())
    }

    /// Ends of the axis, with some room.
    fn range(&self) -> [f64; 2] {
        let spreads = || self.statistics.iter().filter_map(|s| s.spread.as_ref());
        let low = spreads().map(|s| s.minimum).fold(f64::INFINITY, f64::min);
        let high = spreads().map(|s| s.maximum).fold(0.0, f64::max);
        match self.bound {
            Some(bound) => {
                let room = (0.06 * (bound - low.min(bound))).max(0.01);
                [(low.min(bound) - room).max(-0.03), bound + 0.2 * room]
            }
            None => [0.0, if high > 0.0 { 1.08 * high } else { 1.0 }],
        }
    }
}

/// The values furthest from a box that lie within 1.5 of its heights, as Tukey's.
fn whiskers(values: &[f64], low: f64, high: f64) -> [f64; 2] {
    let reach = 1.5 * (high - low);
    let lower = values.iter().copied().filter(|v| *v >= low - reach);
    let upper = values.iter().copied().filter(|v| *v <= high + reach);
    [lower.fold(low, f64::min), upper.fold(high, f64::max)]
}

/// A number beside an axis of that length.
pub(super) fn axis_number(value: f64, length: f64) -> String {
    let digits = if length < 0.1 {
        3
    } else if length < 1.5 {
        2
    } else if length < 8.0 {
        1
    } else {
        0
    };
    // No "-0.00".
    format!("{:.digits$}", if value.abs() < 1e-9 { 0.0 } else { value })
}

/// A name of at most that many characters.
fn cut(name: &str, characters: usize) -> String {
    if name.chars().count() <= characters {
        return name.to_owned();
    }
    let mut cut: String = name.chars().take(characters - 1).collect();
    cut.push('…');
    cut
}

/// A label's colour, darker where it would not be seen on white.
pub(super) fn ink_of(label: &Label) -> RGBColor {
    let [red, green, blue] = label.color.map(f64::from);
    let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
    let factor = (170.0 / luma.max(1.0)).min(1.0);
    let [red, green, blue] = label.color.map(|c| (f64::from(c) * factor) as u8);
    RGBColor(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dinomed3d_volume::evaluation::{CaseScores, Convention};
    use dinomed3d_volume::metrics::Presence;

    /// Two cases of two labels; one case lacks the second.
    fn evaluation() -> Evaluation {
        let score = |label: u8, dice: f64, hd95_mm: Option<f64>| LabelScore {
            label,
            present_in: Presence::Both,
            dice: Some(dice),
            hd95_mm,
            hd_mm: hd95_mm,
            assd_mm: hd95_mm,
            prediction_ml: 1.0,
            reference_ml: 2.0,
        };
        let case = |name: &str, second| {
            let labels = vec![score(1, 0.5, Some(2.0)), second];
            CaseScores::new(name.to_owned(), labels)
        };
        let cases = vec![
            case("a", score(2, 0.0, None)),
            case("b", score(2, 1.0, Some(1.0))),
        ];
        let label = |value: u8, name: &str| Label {
            name: name.to_owned(),
            ..Label::unnamed(value)
        };
        let labels = vec![label(1, "Front, left"), label(2, "Back")];
        Evaluation::of(cases, labels, Convention::Native).unwrap()
    }

    /// By hand: quartiles 2 and 4 reach from -1 to 7.
    #[test]
    fn whiskers_end_at_the_furthest_case_in_reach() {
        assert_eq!(whiskers(&[1.0, 2.0, 3.0, 4.0, 7.5], 2.0, 4.0), [1.0, 4.0]);
        assert_eq!(whiskers(&[2.0, 2.0], 2.0, 2.0), [2.0, 2.0]);
    }

    #[test]
    fn a_picture_names_labels_units_and_notice() {
        let svg = draw(&evaluation()).unwrap();
        for text in [
            "Front, left",
            "HD95, mm",
            "Dice (higher",
            "Cases without HD95",
            NOTICE,
            "role=\"img\"",
        ] {
            assert!(svg.contains(text), "{text}: {svg}");
        }
        assert!(svg.starts_with("<svg width=\"900\"") && svg.trim_end().ends_with("</svg>"));
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn names_that_do_not_fit_side_by_side_stand_upright() {
        let mut long = evaluation();
        for label in &mut long.labels {
            label.name = "A name that is too long for two of them".to_owned();
        }
        let svg = draw(&long).unwrap();
        assert_eq!(svg.matches("A name that is …").count(), 4);
        assert!(svg.starts_with("<svg width=\"900\" height=\"566\""));
        assert_eq!(names_height(&evaluation().labels), LYING);
    }

    #[test]
    fn names_are_cut_by_characters() {
        assert_eq!(cut("Überlänge", 5), "Über…");
        assert_eq!(cut("kurz", 5), "kurz");
    }
}
