//! A result as one page to be printed and handed on: a file that needs nothing beside it, runs nothing and asks nobody.

use dinomed3d_volume::Label;
use dinomed3d_volume::markup::escaped;
use dinomed3d_volume::metrics::Presence;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};

use crate::comparison::{Row, named};
use crate::language::{compare, mend, numbers, page, report as said, result, scan};
use crate::protocol::ModelInfo;
use crate::structures::{self, Structure, StructureLabels};
use crate::words;
use crate::work::{Outcome, Scan};

const STYLE: &str = include_str!("report.css");

/// A picture of a plane through the crosshair.
#[derive(Debug)]
pub struct Plane {
    /// Which.
    pub title: String,
    /// A `data:` address.
    pub address: String,
}

/// What a report tells; `B` is a file's bytes.
#[derive(Debug)]
pub struct Report<'a, B> {
    /// When it is made.
    pub date: String,
    /// The scan.
    pub scan: &'a Scan<B>,
    /// What was found in it.
    pub outcome: &'a Outcome<B>,
    /// The planes through the crosshair; none where nothing could be drawn.
    pub planes: Vec<Plane>,
    /// The crosshair in mm and as a voxel of the file.
    pub place: Option<([f64; 3], [u32; 3])>,
    /// What lies over the scan in them.
    pub over: &'static str,
    /// Its labels, where they are not those of the result.
    pub key: Vec<Label>,
    /// How many labels the visitor has hidden in them.
    pub num_hidden: usize,
    /// Between which volumes the true ones lie, if that is known.
    pub ranges: &'a [VolumeRange],
    /// Share of the labelled voxels in each class of certainty, if it was asked for.
    pub certainty: Option<Vec<(&'static str, f64)>>,
    /// What the result was compared with.
    pub comparison: Option<Compared>,
}

/// A comparison as a report tells it.
#[derive(Debug)]
pub struct Compared {
    /// File name of the reference.
    pub against: String,
    /// Scores of every label.
    pub rows: Vec<Row>,
    /// Mean Dice of the labels that the reference has, and how many they are.
    pub mean_dice: (Option<f64>, usize),
    /// Numbers of the reference that were taken for a label of the result which has another.
    pub taken_for: Vec<(Vec<u32>, String)>,
}

impl<B> Report<'_, B> {
    /// The whole file, HTML in UTF-8.
    pub fn html(&self) -> String {
        let title = said::title(&self.scan.name);
        let parts = [
            self.notes(),
            self.planes(),
            section(said::VOLUMES, self.volumes() + &self.ranges()),
            section(said::SCAN, self.scan()),
            section(said::CERTAINTY, self.certainty()),
            self.comparison.as_ref().map_or_else(String::new, compared),
            section(said::MADE, self.provenance()),
        ];
        format!(
            "<!doctype html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{title}</h1>\n\
             <p>{date} · {notice}</p>\n</header>\n<main>\n{parts}</main>\n<footer>\n<p>{notice}</p>\n</footer>\n</body>\n</html>\n",
            title = escaped(&title),
            date = escaped(&self.date),
            language = page::LANGUAGE,
            notice = escaped(page::NOTICE),
            parts = parts.concat(),
        )
    }

    /// What a reader should know first.
    fn notes(&self) -> String {
        let by_hand = self.outcome.mended_from.is_some();
        let by_hand = by_hand.then_some(said::CHANGED);
        let learnt = self.outcome.learnt_from;
        let learnt = learnt.map(|strokes| said::learnt(&mend::learnt(strokes)));
        let warnings = self.scan.info.warnings.iter();
        let warnings = warnings.chain(&self.outcome.warnings);
        let by_hand = by_hand.into_iter().chain(learnt.as_deref());
        let notes = by_hand.chain(warnings.map(String::as_str));
        let notes: String = notes
            .map(|note| format!("<li>{}</li>\n", escaped(note)))
            .collect();
        if notes.is_empty() {
            return notes;
        }
        format!("<ul class=\"notes\">\n{notes}</ul>\n")
    }

    fn planes(&self) -> String {
        if self.planes.is_empty() {
            return paragraph(said::NO_PICTURES);
        }
        let figure = |Plane { title, address }: &Plane| {
            let (title, address) = (escaped(title), escaped(address));
            format!(
                "<figure><img src=\"{address}\" alt=\"{title}\"><figcaption>{title}</figcaption></figure>\n"
            )
        };
        let figures: String = self.planes.iter().map(figure).collect();
        let mut said = String::new();
        if let Some((mm, voxel)) = self.place {
            said = said::through(mm, voxel);
        }
        said += &said::over(self.over, self.num_hidden);
        let key = self.key.iter().map(|label| {
            let (swatch, name) = (swatch(label.color), escaped(&label.name));
            format!("<li>{swatch}{name}</li>")
        });
        let key: String = key.collect();
        let key = match key.is_empty() {
            true => key,
            false => format!("<ul class=\"key\">{key}</ul>\n"),
        };
        let said = paragraph(&said);
        format!("<section class=\"planes\">\n<div>\n{figures}</div>\n{said}{key}</section>\n")
    }

    /// As the page shows them.
    fn volumes(&self) -> String {
        let Outcome {
            labels, statistics, ..
        } = self.outcome;
        let groups = structures::grouped(labels);
        let is_pair = |structure: &Structure| matches!(structure.labels, StructureLabels::Pair(..));
        if !groups
            .iter()
            .flat_map(|group| &group.structures)
            .any(is_pair)
        {
            let row = |size: &LabelSize| {
                let label = named(labels, size.value);
                let cells = [
                    words::count(size.voxels),
                    numbers::number(size.volume_ml, 3),
                ];
                table_row(&(swatch(label.color) + &escaped(&label.name)), &cells)
            };
            let rows: String = statistics.iter().map(row).collect();
            return table(
                "volumes",
                &[page::LABEL, result::VOXELS, result::VOLUME],
                &rows,
            );
        }
        let row = |structure: Structure| {
            table_row(
                &(swatch(structure.color()) + &escaped(&structure.name)),
                &structures::cells(&structure, statistics),
            )
        };
        let mut rows = String::new();
        for group in groups {
            if !group.name.is_empty() {
                let name = escaped(group.name);
                rows += &format!(
                    "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"5\">{name}</th></tr>\n"
                );
            }
            rows.extend(group.structures.into_iter().map(row));
        }
        let heads = [
            result::STRUCTURE,
            said::LEFT_ML,
            said::RIGHT_ML,
            said::BOTH_ML,
            result::ASYMMETRY,
        ];
        table("volumes", &heads, &rows) + &paragraph(said::ASYMMETRY)
    }

    fn ranges(&self) -> String {
        if self.ranges.is_empty() {
            return String::new();
        }
        let row = |range: &VolumeRange| {
            let label = named(&self.outcome.labels, range.value);
            let name = match range.right {
                Some(_) => words::both_sides(&label.name),
                None => label.name,
            };
            let range = numbers::range(range.low_ml, range.high_ml, 2);
            table_row(&(swatch(label.color) + &escaped(&name)), &[range])
        };
        let rows: String = self.ranges.iter().map(row).collect();
        paragraph(result::RANGES_MEAN) + &table("ranges", &[page::LABEL, said::TRUE_VOLUME], &rows)
    }

    fn scan(&self) -> String {
        let info = &self.scan.info;
        let [columns, rows, slices] = info.shape;
        let mut said = vec![(scan::FILE, self.scan.name.clone())];
        if let Some(description) = &info.description {
            said.push((scan::SERIES, description.clone()));
        }
        if let Some(choice) = self.scan.choice.filter(|choice| choice.volume > 0) {
            said.push((said::VOLUME, choice.volume.to_string()));
        }
        said.extend([
            (scan::VOXELS, format!("{columns} × {rows} × {slices}")),
            (scan::SPACING, numbers::spacing(info.spacing_mm)),
            (
                scan::AXES_AND_TYPE,
                format!("{}, {}", info.orientation, info.datatype),
            ),
        ]);
        facts(&said)
    }

    fn certainty(&self) -> String {
        let made_by = self.outcome.made_by.as_ref();
        let what = words::certainty(made_by.and_then(|model| model.calibration_error));
        let Some(shares) = &self.certainty else {
            return paragraph(said::NO_CERTAINTY);
        };
        let row = |(class, share): &(&str, f64)| {
            table_row(&escaped(class), &[numbers::number(100.0 * share, 1)])
        };
        let rows: String = shares.iter().map(row).collect();
        table(
            "certainty",
            &[said::NETWORK_WAS, said::LABELLED_VOXELS],
            &rows,
        ) + &paragraph(&format!("{what}."))
    }

    fn provenance(&self) -> String {
        let Outcome {
            name,
            model,
            made_by,
            given,
            looked_closer,
            mended_from,
            learnt_from,
            ..
        } = self.outcome;
        let mut said = Vec::new();
        match made_by.as_deref() {
            None => said.push((said::MODEL, model.clone())),
            Some(ModelInfo {
                name,
                title,
                version,
                weights_sha256,
                ..
            }) => {
                let called = if words::is_own(model) {
                    said::own_model(title, name, version)
                } else {
                    said::model(title, name, version)
                };
                said.push((said::MODEL, called));
                if !weights_sha256.is_empty() {
                    said.push((said::HASH, weights_sha256.clone()));
                }
            }
        }
        if !given.is_empty() {
            said.push((said::CHANNELS, given.join("; ")));
        }
        for closer in looked_closer {
            let looked = said::looked_closer(&closer.name, &closer.model);
            said.push((said::LOOKED_CLOSER, looked));
        }
        let made = words::made(self.outcome.millis, self.outcome.backend);
        said.extend([
            (
                said::PROGRAM,
                format!("DINO-Med3D {}", env!("CARGO_PKG_VERSION")),
            ),
            (said::SEGMENTED, made),
            (said::LABEL_MAP, name.clone()),
            (
                said::CHANGED_BY_HAND,
                if mended_from.is_some() {
                    said::YES
                } else {
                    said::NO
                }
                .to_owned(),
            ),
        ]);
        if let Some(strokes) = learnt_from {
            said.push((said::LAST_LAYERS, mend::learnt(*strokes)));
        }
        facts(&said)
    }
}

fn compared(comparison: &Compared) -> String {
    let cell = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |value| numbers::number(value, digits))
    };
    let row = |row: &Row| {
        let note = match row.present_in {
            Presence::Reference => compare::MISSED,
            Presence::Prediction => compare::NOT_IN_REFERENCE,
            _ => "",
        };
        let head = swatch(row.label.color) + &escaped(&row.label.name) + &escaped(note);
        let cells = [
            cell(row.dice, 4),
            cell(row.hd95_mm, 2),
            cell(row.assd_mm, 3),
            words::signed(row.difference_ml, 3),
        ];
        table_row(&head, &cells)
    };
    let mut rows: String = comparison.rows.iter().map(row).collect();
    let none = String::new;
    let (mean, count) = comparison.mean_dice;
    rows += &table_row(
        &escaped(&compare::mean(count)),
        &[cell(mean, 4), none(), none(), none()],
    );
    let heads = [
        page::LABEL,
        compare::DICE,
        said::HD95_MM,
        said::ASSD_MM,
        said::DIFFERENCE_ML,
    ];
    let mut said = said::DIFFERENCE.to_owned();
    for (numbers, name) in &comparison.taken_for {
        said += &said::taken_for(numbers, name);
    }
    let title = compare::against(&comparison.against);
    section(&title, table("scores", &heads, &rows) + &paragraph(&said))
}

/// Under a heading in plain text; `html` is.
fn section(title: &str, html: String) -> String {
    let title = escaped(title);
    format!("<section>\n<h2>{title}</h2>\n{html}</section>\n")
}

fn paragraph(text: &str) -> String {
    format!("<p>{}</p>\n", escaped(text))
}

fn facts(said: &[(&str, String)]) -> String {
    let fact = |(what, text): &(&str, String)| {
        let (what, text) = (escaped(what), escaped(text));
        format!("<dt>{what}</dt><dd>{text}</dd>\n")
    };
    let said: String = said.iter().map(fact).collect();
    format!("<dl>\n{said}</dl>\n")
}

/// With plain headings and rows of HTML.
fn table(class: &str, heads: &[&str], rows: &str) -> String {
    let head = |head: &&str| format!("<th scope=\"col\">{}</th>", escaped(head));
    let heads: String = heads.iter().map(head).collect();
    format!(
        "<table class=\"{class}\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
    )
}

/// A row whose heading is HTML and whose cells are plain.
fn table_row(head: &str, cells: &[String]) -> String {
    let cell = |cell: &String| format!("<td>{}</td>", escaped(cell));
    let cells: String = cells.iter().map(cell).collect();
    format!("<tr><th scope=\"row\">{head}</th>{cells}</tr>\n")
}

fn swatch([red, green, blue]: [u8; 3]) -> String {
    format!("<i style=\"background:rgb({red},{green},{blue})\"></i>")
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::protocol::{Backend, ScanInfo};
    use crate::work::Closer;

    fn scan(name: &str) -> Scan<()> {
        Scan {
            name: name.to_owned(),
            bytes: (),
            choice: None,
            view: None,
            info: ScanInfo {
                shape: [36, 50, 35],
                spacing_mm: [1.0, 1.0, 1.5],
                orientation: "RAS".to_owned(),
                affine: None,
                datatype: "int16".to_owned(),
                warnings: Vec::new(),
                description: None,
            },
        }
    }

    fn outcome(labels: &[(u8, &str)]) -> Outcome<()> {
        Outcome {
            name: "case_dseg.nii.gz".to_owned(),
            bytes: (),
            seg: None,
            labels: labels
                .iter()
                .map(|(value, name)| Label {
                    name: (*name).to_owned(),
                    ..Label::unnamed(*value)
                })
                .collect(),
            statistics: labels
                .iter()
                .map(|(value, _)| LabelSize {
                    value: *value,
                    voxels: 1_000 * u64::from(*value),
                    volume_ml: 1.5 * f64::from(*value),
                })
                .collect(),
            warnings: Vec::new(),
            closer: Vec::new(),
            model: "small".to_owned(),
            given: Vec::new(),
            made_by: None,
            looked_closer: Vec::new(),
            looked_from: None,
            backend: Some(Backend::Cpu),
            millis: 1_500.0,
            mended_from: None,
            learnt_from: None,
        }
    }

    fn report<'a>(scan: &'a Scan<()>, outcome: &'a Outcome<()>) -> Report<'a, ()> {
        Report {
            date: "2026-11-28 05:00 (UTC+00:00)".to_owned(),
            scan,
            outcome,
            planes: Vec::new(),
            place: None,
            over: "the result",
            key: Vec::new(),
            num_hidden: 0,
            ranges: &[],
            certainty: None,
            comparison: None,
        }
    }

    #[test]
    fn whatever_a_visitor_names_is_text_and_nothing_else() {
        let evil = "<script>alert(1)</script>\"'&.nii";
        let mut scan = scan(evil);
        scan.info.description = Some(evil.to_owned());
        scan.info.warnings.push(evil.to_owned());
        scan.info.datatype = evil.to_owned();
        let mut outcome = outcome(&[(1, evil), (2, "left <b>"), (3, "right <b>")]);
        outcome.name = evil.to_owned();
        outcome.model = evil.to_owned();
        outcome.warnings.push(evil.to_owned());
        outcome.looked_closer.push(Closer {
            model: evil.to_owned(),
            name: evil.to_owned(),
        });
        let mut report = report(&scan, &outcome);
        report.planes.push(Plane {
            title: evil.to_owned(),
            address: "data:,\" onload=\"alert(1)".to_owned(),
        });
        report.key.push(outcome.labels[0].clone());
        report.comparison = Some(Compared {
            against: evil.to_owned(),
            rows: vec![Row {
                label: outcome.labels[0].clone(),
                present_in: Presence::Both,
                dice: None,
                hd95_mm: None,
                assd_mm: None,
                difference_ml: 0.0,
            }],
            mean_dice: (None, 0),
            taken_for: vec![(vec![9], evil.to_owned())],
        });
        let html = report.html();
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("\" onload"));
        let safe = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;.nii";
        // Title twice, file, series, warnings, type, picture twice, key, label, label map, model, closer twice, and of the comparison
        // name, row and mapping.
        assert_eq!(html.matches(safe).count(), 18);
    }

    #[test]
    fn labels_without_sides_have_voxels_and_volumes_as_the_page_shows_them() {
        let (scan, outcome) = (
            scan("case.nii"),
            outcome(&[(1, "Anterior"), (2, "Posterior")]),
        );
        let html = report(&scan, &outcome).html();
        let row = |name: &str, cells: &str| format!("</i>{name}</th>{cells}</tr>");
        assert!(html.contains(&row("Anterior", "<td>1\u{202f}000</td><td>1.500</td>")));
        assert!(html.contains(&row("Posterior", "<td>2\u{202f}000</td><td>3.000</td>")));
        assert!(!html.contains("Left, mL"));
    }

    #[test]
    fn labels_with_sides_are_grouped_left_beside_right() {
        let labels = [
            (10, "left thalamus"),
            (49, "right thalamus"),
            (14, "3rd ventricle"),
        ];
        let (scan, outcome) = (scan("case.nii"), outcome(&labels));
        let html = report(&scan, &outcome).html();
        assert!(html.contains("<td>15.0</td><td>73.5</td><td>88.5</td><td>\u{2212}132</td>"));
        assert!(html.contains("<td></td><td></td><td>21.0</td><td></td>"));
        let place = |text: &str| html.find(text).expect(text);
        assert!(place("Deep grey matter") < place("halamus</th>"));
        assert!(place("halamus</th>") < place("Ventricles and fluid"));
        assert!(place("Ventricles and fluid") < place("3rd ventricle</th>"));
    }

    #[test]
    fn what_is_not_known_is_said_or_left_out() {
        let (scan, outcome) = (scan("case.nii"), outcome(&[(1, "Anterior")]));
        let html = report(&scan, &outcome).html();
        for said in [
            "Without pictures",
            "Not computed for this report",
            "<dt>Model</dt><dd>small</dd>",
            "<dt>Changed by hand</dt><dd>no</dd>",
            "<dt>Segmented</dt><dd>in 1.5 s on the CPU</dd>",
            "36 × 50 × 35",
            "1.00 × 1.00 × 1.50 mm",
            "RAS, int16",
        ] {
            assert!(html.contains(said), "{said}");
        }
        for left_out in [
            "Against",
            "SHA-256",
            "class=\"notes\"",
            "Series",
            "nine of ten",
            "Looked closer",
        ] {
            assert!(!html.contains(left_out), "{left_out}");
        }
        assert_eq!(html.matches(page::NOTICE).count(), 2);
    }

    #[test]
    fn what_is_known_is_told() {
        let scan = scan("case.nii");
        let found = Rc::new(outcome(&[(1, "Anterior")]));
        let mut outcome = found.mended((), found.statistics.clone());
        outcome.warnings.push("It is large.".to_owned());
        outcome.made_by = Some(Rc::new(ModelInfo {
            name: "small".to_owned(),
            title: "Hippocampus".to_owned(),
            version: "3".to_owned(),
            weights_sha256: "c0ffee".to_owned(),
            modality: "MR".to_owned(),
            channels: Vec::new(),
            labels: found.labels.clone(),
            calibration_error: Some(0.012),
            card: None,
        }));
        let mut report = report(&scan, &outcome);
        report.planes.push(Plane {
            title: "Axial".to_owned(),
            address: "data:image/png;base64,iVBO".to_owned(),
        });
        report.place = Some(([1.04, -2.0, 3.0], [4, 5, 6]));
        report.num_hidden = 2;
        report.ranges = &[VolumeRange {
            value: 1,
            right: None,
            low_ml: 1.25,
            high_ml: 1.75,
        }];
        report.certainty = Some(vec![("under 50 % sure", 0.125), ("95 % and more", 0.875)]);
        report.comparison = Some(Compared {
            against: "by_hand.nii.gz".to_owned(),
            rows: vec![Row {
                label: found.labels[0].clone(),
                present_in: Presence::Reference,
                dice: Some(0.0),
                hd95_mm: None,
                assd_mm: Some(1.23456),
                difference_ml: -0.5,
            }],
            mean_dice: (Some(0.75), 1),
            taken_for: vec![(vec![17], "Anterior".to_owned())],
        });
        let html = report.html();
        for said in [
            "<img src=\"data:image/png;base64,iVBO\" alt=\"Axial\">",
            "Through x 1.0, y −2.0, z 3.0 mm",
            "voxel 4, 5, 6 of the file. Over the scan: the result; 2 labels are hidden.",
            "<li>It is large.</li>",
            "<li>Changed by hand:",
            "<dd>Hippocampus (small), version 3</dd>",
            "<dd>c0ffee</dd>",
            "<dd>case_desc-mended_dseg.nii.gz</dd>",
            "<dt>Changed by hand</dt><dd>yes</dd>",
            "nine of ten cases",
            "</i>Anterior</th><td>1.25 to 1.75</td>",
            "under 50 % sure</th><td>12.5</td>",
            "95 % and more</th><td>87.5</td>",
            "1.2 % from the share of right answers",
            "Against by_hand.nii.gz",
            "(missed)</th><td>0.0000</td><td>–</td><td>1.235</td><td>\u{2212}0.500</td>",
            "Mean of 1 in the reference</th><td>0.7500</td>",
            "Its 17 was taken for Anterior.",
        ] {
            assert!(html.contains(said), "{said}");
        }
    }
}
