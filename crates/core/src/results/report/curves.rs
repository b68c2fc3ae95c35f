//! The log of a run as a picture.

use super::picture::{FONT, GRID, INK, MUTED, WIDTH, axis_number, ink_of, titled, write_text};
use crate::results::ResultsError;
use crate::train::run_folder::LogRow;
use dinomed3d_volume::Label;
use dinomed3d_volume::NOTICE;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

const HEIGHT: u32 = 420;
/// Of the training loss.
const LOSS: RGBColor = RGBColor(70, 70, 70);

/// Draws training loss (left) and validation Dice of every label (right) over the epochs of both stages.
///
/// The result is a whole SVG document of 900 px width.
///
/// # Errors
/// A picture that cannot be laid out.
pub fn draw(log: &[LogRow], labels: &[Label]) -> Result<String, ResultsError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let (panels, foot) = root.split_vertically(HEIGHT as i32 - 40);
        let (left, right) = panels.split_horizontally(WIDTH as i32 / 2);
        let loss = Curve {
            name: "training loss".to_owned(),
            color: LOSS,
            values: log.iter().map(|row| f64::from(row.loss)).collect(),
        };
        Panel {
            title: "Training loss",
            unit: "loss, mean of an epoch",
            curves: vec![loss],
            bound: None,
        }
        .draw(&left, log)?;
        let dice = labels.iter().enumerate().map(|(index, label)| Curve {
            name: label.name.clone(),
            color: ink_of(label),
            values: log
                .iter()
                .map(|row| row.dice.get(index).copied().unwrap_or(f64::NAN))
                .collect(),
        });
        Panel {
            title: "Dice on the validation cases",
            unit: "Dice, mean over cases",
            curves: dice.collect(),
            bound: Some(1.0),
        }
        .draw(&right, log)?;
        write_text(&foot, NOTICE, (16, 14), 14.5, MUTED)?;
        root.present()?;
    }
    Ok(titled(&svg, &words(log, labels)))
}

/// What the picture shows, to be read out.
fn words(log: &[LogRow], labels: &[Label]) -> String {
    let Some(last) = log.last() else {
        return "Training curves without an epoch".to_owned();
    };
    let dice: Vec<String> = labels
        .iter()
        .zip(&last.dice)
        .map(|(label, dice)| format!("{} {dice:.3}", label.name))
        .collect();
    format!(
        "Training loss and validation Dice over {} epochs; at the end of stage {} the loss is {:.4}, Dice {}",
        log.len(),
        last.stage,
        last.loss,
        dice.join(", ")
    )
}

struct Curve {
    name: String,
    color: RGBColor,
    /// One per row of the log.
    values: Vec<f64>,
}

struct Panel {
    title: &'static str,
    unit: &'static str,
    curves: Vec<Curve>,
    /// Largest value that there can be.
    bound: Option<f64>,
}

impl Panel {
    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
        log: &[LogRow],
    ) -> Result<(), ResultsError>
    where
        DB::ErrorType: 'static,
    {
        let [low, high] = self.range();
        let last = log.len().max(2) as f64;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, (FONT, 17.0, &INK))
            .margin_left(12)
            .margin_right(18)
            .margin_top(10)
            .x_label_area_size(46)
            .y_label_area_size(62)
            .build_cartesian_2d(1.0 - 0.02 * last..last + 0.02 * last, low..high)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(MUTED)
            .x_desc("epoch of the run")
            .y_desc(self.unit)
            .x_labels(8)
            .y_labels(8)
            .x_label_formatter(&|epoch| whole(*epoch))
            .y_label_formatter(&|value| axis_number(*value, high - low))
            .label_style((FONT, 14.0, &INK))
            .axis_desc_style((FONT, 15.0, &INK))
            .draw()?;
        for curve in &self.curves {
            // A line over the border of two stages would join what does not belong together.
            for stage in [1, 2] {
                let points: Vec<(f64, f64)> = log
                    .iter()
                    .zip(&curve.values)
                    .enumerate()
                    .filter(|(_, (row, value))| row.stage == stage && value.is_finite())
                    .map(|(index, (_, value))| (index as f64 + 1.0, *value))
                    .collect();
                let dots = points
                    .iter()
                    .map(|p| Circle::new(*p, 2, curve.color.filled()));
                chart.draw_series(dots)?;
                chart.draw_series(LineSeries::new(points, curve.color.stroke_width(2)))?;
            }
        }
        self.draw_stages(area, chart.plotting_area(), log, [low, high])?;
        self.draw_names(area, chart.plotting_area(), [low, high])
    }

    /// A line between the stages, with their names.
    fn draw_stages<DB: DrawingBackend, CT: CoordTranslate<From = (f64, f64)>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        plot: &DrawingArea<DB, CT>,
        log: &[LogRow],
        [low, high]: [f64; 2],
    ) -> Result<(), ResultsError>
    where
        DB::ErrorType: 'static,
    {
        let first = log.iter().filter(|row| row.stage == 1).count();
        if first == 0 || first == log.len() {
            return Ok(());
        }
        let border = first as f64 + 0.5;
        plot.draw(&PathElement::new([(border, low), (border, high)], MUTED))?;
        let (x, y) = plot.map_coordinate(&(border, high));
        let (left, top) = area.get_base_pixel();
        for (text, side, shift) in [("stage 1", HPos::Right, -5), ("stage 2", HPos::Left, 5)] {
            let style = (FONT, 14.0).into_font().color(&MUTED);
            let style = style.pos(Pos::new(side, VPos::Top)).into_text_style(area);
            area.draw_text(text, &style, (x - left + shift, y - top + 3))?;
        }
        Ok(())
    }

    /// Names of the curves, where there are several, in the lower right corner.
    fn draw_names<DB: DrawingBackend, CT: CoordTranslate<From = (f64, f64)>>(
        &self,
        area: &DrawingArea<DB, Shift>,
        plot: &DrawingArea<DB, CT>,
        [low, _]: [f64; 2],
    ) -> Result<(), ResultsError>
    where
        DB::ErrorType: 'static,
    {
        // With one curve the title says it; with very many nothing would fit.
        if !(2..=12).contains(&self.curves.len()) {
            return Ok(());
        }
        let (right, _) = (plot.get_base_pixel().0 + plot.dim_in_pixel().0 as i32, low);
        let bottom = plot.get_base_pixel().1 + plot.dim_in_pixel().1 as i32;
        let (left, top) = area.get_base_pixel();
        for (line, curve) in self.curves.iter().rev().enumerate() {
            let at = (right - left - 10, bottom - top - 12 - 18 * line as i32);
            let style = (FONT, 15.0).into_font().color(&curve.color);
            let style = style.pos(Pos::new(HPos::Right, VPos::Center));
            area.draw_text(&curve.name, &style.into_text_style(area), at)?;
        }
        Ok(())
    }

    /// Ends of the axis, with some room.
    fn range(&self) -> [f64; 2] {
        let values = || self.curves.iter().flat_map(|curve| &curve.values);
        let finite = || values().copied().filter(|value| value.is_finite());
        let low = finite().fold(f64::INFINITY, f64::min);
        let high = finite().fold(0.0, f64::max);
        match self.bound {
            _ if !low.is_finite() => [0.0, 1.0],
            Some(bound) => {
                // Room below for the names of the curves.
                let room = (0.35 * (high - low)).max(0.01);
                [
                    (low - room).max(-0.02),
                    (high + 0.3 * room).min(bound + 0.02),
                ]
            }
            None => [0.0, 1.08 * high.max(1e-6)],
        }
    }
}

/// A whole number, or nothing between two of them.
fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-6 {
        format!("{value:.0}")
    } else {
        String::new()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Two epochs of stage 1, three of stage 2.
    pub fn log() -> Vec<LogRow> {
        let row = |(stage, epoch): (usize, usize)| LogRow {
            stage,
            epoch,
            steps: 10 * epoch,
            loss: 1.0 / (stage * epoch) as f32,
            learning_rate: 1e-3,
            dice: vec![0.5 + 0.1 * epoch as f64, 0.4 + 0.1 * epoch as f64],
            seconds: 60.0,
            data_wait: 0.0,
        };
        [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3)].map(row).to_vec()
    }

    fn labels() -> Vec<Label> {
        ["Front", "Back <2>"]
            .into_iter()
            .zip(1..)
            .map(|(name, value)| Label {
                value,
                name: name.to_owned(),
                color: [10, 20, 30],
            })
            .collect()
    }

    #[test]
    fn curves_name_stages_labels_and_notice() {
        let svg = draw(&log(), &labels()).unwrap();
        for text in ["stage 1", "stage 2", "Front", "Back &lt;2&gt;", NOTICE] {
            assert!(svg.contains(text), "{text}");
        }
        // Two lines of loss and four of Dice, one of each stage.
        assert_eq!(svg.matches("stroke-width=\"2\"").count(), 6);
        assert!(svg.contains("0.800") && !svg.contains("NaN"));
    }

    #[test]
    fn a_run_of_one_epoch_or_none_can_be_drawn() {
        assert!(!draw(&log()[2..3], &labels()).unwrap().contains("NaN"));
        assert!(!draw(&[], &labels()).unwrap().contains("NaN"));
    }
}
