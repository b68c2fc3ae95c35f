//! Structures: a label, or the labels of its left and its right half together.

use crate::{Half, Label};

/// A structure: one label, or one for each half.
#[derive(Debug, Clone, PartialEq)]
pub struct Structure {
    /// Name for people; of a pair, without a side.
    pub name: String,
    /// Its labels.
    pub labels: StructureLabels,
}

/// The labels of a structure.
#[derive(Debug, Clone, PartialEq)]
pub enum StructureLabels {
    /// It lies in the middle, or its other half has no label.
    One(Label),
    /// Left and right.
    Pair(Label, Label),
}

impl Structure {
    fn one(label: Label) -> Self {
        Self {
            name: capitalized(&label.name),
            labels: StructureLabels::One(label),
        }
    }

    /// The labels' values, left before right.
    pub fn values(&self) -> Vec<u8> {
        match &self.labels {
            StructureLabels::One(label) => vec![label.value],
            StructureLabels::Pair(left, right) => vec![left.value, right.value],
        }
    }

    /// Red, green, blue; of a pair, the left one's.
    pub fn color(&self) -> [u8; 3] {
        match &self.labels {
            StructureLabels::One(label) | StructureLabels::Pair(label, _) => label.color,
        }
    }

    /// What is left of it when only labels for which `is_wanted` stay.
    pub fn narrowed(&self, is_wanted: impl Fn(&Label) -> bool) -> Option<Self> {
        match &self.labels {
            StructureLabels::One(label) => is_wanted(label).then(|| self.clone()),
            StructureLabels::Pair(left, right) => match (is_wanted(left), is_wanted(right)) {
                (true, true) => Some(self.clone()),
                (true, false) => Some(Self::one(left.clone())),
                (false, true) => Some(Self::one(right.clone())),
                (false, false) => None,
            },
        }
    }
}

/// Left minus right in percent of their mean; none if there is nothing on one side, as what was not found has no size.
pub fn asymmetry(left: f64, right: f64) -> Option<f64> {
    let mean = (left + right) / 2.0;
    (left > 0.0 && right > 0.0).then(|| 100.0 * (left - right) / mean)
}

/// Left and right of each structure together, where the first of them stands.
pub fn paired(labels: &[Label]) -> Vec<Structure> {
    let mut structures: Vec<Structure> = Vec::new();
    for label in labels {
        if structures
            .iter()
            .any(|structure| structure.values().contains(&label.value))
        {
            continue;
        }
        structures.push(match with_partner(label, labels) {
            None => Structure::one(label.clone()),
            Some((half, name, other)) => {
                let (left, right) = match half {
                    Half::Left => (label, other),
                    Half::Right => (other, label),
                };
                Structure {
                    name: capitalized(name),
                    labels: StructureLabels::Pair(left.clone(), right.clone()),
                }
            }
        });
    }
    structures
}

/// The half of a label, the name of both and the other's label, if there are two.
fn with_partner<'a>(label: &'a Label, labels: &'a [Label]) -> Option<(Half, &'a str, &'a Label)> {
    let (half, name) = label.half()?;
    let is_other = |other: &&Label| {
        other.half().is_some_and(|(other_half, other_name)| {
            other_half != half && other_name.eq_ignore_ascii_case(name)
        })
    };
    Some((half, name, labels.iter().find(is_other)?))
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(named: &[(u8, &str)]) -> Vec<Label> {
        named
            .iter()
            .map(|(value, name)| Label {
                name: (*name).to_owned(),
                ..Label::unnamed(*value)
            })
            .collect()
    }

    #[test]
    fn a_half_without_its_other_keeps_its_side_and_the_right_one_may_come_first() {
        let structures = paired(&labels(&[
            (1, "right putamen"),
            (2, "left caudate"),
            (3, "left putamen"),
        ]));
        let named: Vec<_> = structures
            .iter()
            .map(|structure| (structure.name.as_str(), structure.values()))
            .collect();
        assert_eq!(named, [("Putamen", vec![3, 1]), ("Left caudate", vec![2])]);
    }

    #[test]
    fn asymmetry_is_in_percent_of_the_mean_and_none_of_what_was_not_found() {
        assert_eq!(asymmetry(3.0, 1.0), Some(100.0));
        assert_eq!(asymmetry(1.0, 1.0), Some(0.0));
        assert_eq!((asymmetry(3.0, 0.0), asymmetry(0.0, 3.0)), (None, None));
        assert_eq!(asymmetry(0.0, 0.0), None);
    }
}
