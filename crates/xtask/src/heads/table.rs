//! Numbers of the answers as tables in Markdown.

use super::structures::DEEP;
use super::variant::Variant;
use super::{Labels, places};
use dinomed3d_volume::metrics::dice_where;
use std::fmt::Write;
use std::time::Duration;

/// What an answer is held against.
#[derive(Clone, Copy)]
pub enum Reference {
    /// FreeSurfer's labels on the scan's grid; cortex maybe as parcels, 11000 and more on the left, 12000 on the right.
    Structures(&'static str),
    /// A mask of the brain, on a grid of its own.
    Brain(&'static str),
}

impl Reference {
    pub fn file(self) -> &'static str {
        match self {
            Self::Structures(file) | Self::Brain(file) => file,
        }
    }
}

/// What the program said of a scan.
pub struct Answer {
    pub name: &'static str,
    pub labels: Labels,
    pub took: Duration,
    pub reference: Option<(Reference, Labels)>,
}

const LARGE: [(&str, [u16; 2]); 4] = [
    ("white matter", [2, 41]),
    ("cortex", [3, 42]),
    ("cerebellum, white", [7, 46]),
    ("cerebellum, cortex", [8, 47]),
];
const BRAIN_STEM: u16 = 16;
/// Fluid around the brain, which masks of the brain hold or not.
const CSF: u16 = 24;

/// All tables.
pub fn markdown(answers: &[Answer], variants: &[(Variant, (f64, f64, &str))]) -> String {
    let mut text = String::new();
    structures(&mut text, answers);
    brains(&mut text, answers);
    volumes(&mut text, answers);
    if !variants.is_empty() {
        text += "\n| the same scan | mean Dice of both answers, deep structures | least |\n|---|---|---|\n";
        for (variant, (mean, least, name)) in variants {
            let _ = writeln!(
                text,
                "| {} | {mean:.3} | {least:.3} ({name}) |",
                variant.name()
            );
        }
    }
    text
}

/// A label of the reference: 3 and 42 may be parcels.
fn is_in_reference(label: u16) -> impl Fn(u16) -> bool {
    move |value| {
        value == label
            || match label {
                3 => (11000..12000).contains(&value),
                42 => (12000..13000).contains(&value),
                _ => false,
            }
    }
}

fn structures(text: &mut String, answers: &[Answer]) {
    let held: Vec<(&Answer, &Labels)> = answers
        .iter()
        .filter_map(|answer| match &answer.reference {
            Some((Reference::Structures(_), labels)) => Some((answer, labels)),
            _ => None,
        })
        .collect();
    if held.is_empty() {
        return;
    }
    *text += "| Dice, left and right |";
    for (answer, _) in &held {
        let _ = write!(text, " {} |", answer.name);
    }
    *text += "\n|---|";
    *text += &"---|".repeat(held.len());
    *text += "\n";
    let cell = |(answer, reference): &(&Answer, &Labels), labels: &[u16]| -> String {
        let is_there = |label: &u16| reference.voxels.iter().any(|v| is_in_reference(*label)(*v));
        let scores: Vec<String> = labels
            .iter()
            .filter(|label| is_there(label))
            .map(|label| {
                let is = |value: u16| value == *label;
                let found = &answer.labels.voxels;
                format!(
                    "{:.3}",
                    dice_where(found, &reference.voxels, is, is_in_reference(*label))
                )
            })
            .collect();
        if scores.is_empty() {
            "–".to_owned()
        } else {
            scores.join(", ")
        }
    };
    for (name, labels) in DEEP.iter().chain(&LARGE) {
        let _ = write!(text, "| {name} |");
        for column in &held {
            let _ = write!(text, " {} |", cell(column, labels));
        }
        *text += "\n";
    }
    *text += "| brain-stem |";
    for column in &held {
        let _ = write!(text, " {} |", cell(column, &[BRAIN_STEM]));
    }
    *text += "\n| seconds |";
    for (answer, _) in &held {
        let _ = write!(text, " {:.0} |", answer.took.as_secs_f64());
    }
    *text += "\n";
}

fn brains(text: &mut String, answers: &[Answer]) {
    let mut is_first = true;
    for answer in answers {
        let Some((Reference::Brain(_), mask)) = &answer.reference else {
            continue;
        };
        if is_first {
            *text += "\n| whole brain against the mask | without fluid around it | with it | seconds |\n|---|---|---|---|\n";
            is_first = false;
        }
        let inverse = mask.affine.inverse().expect("an invertible affine");
        let mask: Vec<u16> = places(answer.labels.shape, answer.labels.affine)
            .map(|place| mask.at(&inverse, place))
            .collect();
        let found = &answer.labels.voxels;
        let without = dice_where(found, &mask, |v| v != 0 && v != CSF, |v| v != 0);
        let with = dice_where(found, &mask, |v| v != 0, |v| v != 0);
        let took = answer.took.as_secs_f64();
        let _ = writeln!(
            text,
            "| {} | {without:.3} | {with:.3} | {took:.0} |",
            answer.name
        );
    }
}

/// Of both sides, of scans of one person: how far the largest is above the smallest.
fn volumes(text: &mut String, answers: &[Answer]) {
    let of_person: Vec<&Answer> = answers
        .iter()
        .filter(|a| a.name.starts_with("ms01"))
        .collect();
    if of_person.len() < 2 {
        return;
    }
    let structures = [LARGE[0], LARGE[1], DEEP[0], DEEP[8]];
    *text += "\n| volume, mL |";
    for (name, _) in &structures {
        let _ = write!(text, " {name} |");
    }
    *text += "\n|---|---|---|---|---|\n";
    let volume = |answer: &Answer, [left, right]: [u16; 2]| {
        let voxels = answer.labels.voxels.iter();
        let count = voxels.filter(|v| **v == left || **v == right).count();
        count as f64 * answer.labels.affine.voxel_volume_ml()
    };
    for answer in &of_person {
        let _ = write!(text, "| {} |", answer.name);
        for (_, labels) in &structures {
            let _ = write!(text, " {:.1} |", volume(answer, *labels));
        }
        *text += "\n";
    }
    *text += "| largest over smallest |";
    for (_, labels) in &structures {
        let all = of_person.iter().map(|answer| volume(answer, *labels));
        let (least, most) = all.fold((f64::INFINITY, 0.0f64), |(least, most), v| {
            (least.min(v), most.max(v))
        });
        let _ = write!(text, " {:.2} |", most / least);
    }
    *text += "\n";
}
