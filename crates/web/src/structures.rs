//! Labels as a reader looks for them: left and right of a structure side by side, structures in groups, found by words.

use dinomed3d_volume::{Half, Label};

/// What structures of a head are called together, and words of which one is in the name of each.
const GROUPS: [(&str, &[&str]); 4] = [
    ("White matter and cortex", &["cerebral"]),
    (
        "Deep grey matter",
        &[
            "thalamus",
            "caudate",
            "putamen",
            "pallidum",
            "hippocamp",
            "amygdala",
            "accumbens",
            "ventral dc",
            "ventraldc",
        ],
    ),
    (
        "Ventricles and fluid",
        &["ventricle", "lat vent", "csf", "plexus"],
    ),
    (
        "Cerebellum and brain-stem",
        &[
            "cerebell",
            "vermis",
            "brain-stem",
            "brain stem",
            "brainstem",
        ],
    ),
];

/// Structures that are in none of them.
const OTHER: &str = "Other";

/// Structures under one heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The heading; empty where all are one list.
    pub name: &'static str,
    /// In the order of their labels.
    pub structures: Vec<Structure>,
}

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
    fn narrowed(&self, is_wanted: impl Fn(&Label) -> bool) -> Option<Self> {
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

/// Labels in groups; in one without a name if they would all be in the same one, as those of a single structure are.
pub fn grouped(labels: &[Label]) -> Vec<Group> {
    let structures = paired(labels);
    let mut groups: Vec<Group> = GROUPS
        .iter()
        .map(|(name, _)| *name)
        .chain([OTHER])
        .map(|name| Group {
            name,
            structures: Vec::new(),
        })
        .collect();
    for structure in &structures {
        let name = structure.name.to_lowercase().replace(['-', '_'], " ");
        let is_called = |word: &&str| name.contains(&word.replace('-', " "));
        let place = GROUPS
            .iter()
            .position(|(_, words)| words.iter().any(is_called))
            .unwrap_or(GROUPS.len());
        groups[place].structures.push(structure.clone());
    }
    groups.retain(|group| !group.structures.is_empty());
    let num_named = groups.iter().filter(|group| group.name != OTHER).count();
    if num_named < 2 {
        return vec![Group {
            name: "",
            structures,
        }];
    }
    groups
}

/// What is left of the groups when only labels stay of which every word of `query` says something: the name, the group's name
/// or the value.
pub fn found(groups: &[Group], query: &str) -> Vec<Group> {
    let query = query.to_lowercase();
    groups
        .iter()
        .map(|group| Group {
            name: group.name,
            structures: group
                .structures
                .iter()
                .filter_map(|structure| {
                    structure.narrowed(|label| {
                        let text = format!("{} {}", label.name, group.name).to_lowercase();
                        query
                            .split_whitespace()
                            .all(|word| text.contains(word) || label.value.to_string() == word)
                    })
                })
                .collect(),
        })
        .filter(|group| !group.structures.is_empty())
        .collect()
}

/// Left minus right in percent of their mean; none if there is nothing on either side.
pub fn asymmetry(left: f64, right: f64) -> Option<f64> {
    let mean = (left + right) / 2.0;
    (mean > 0.0).then(|| 100.0 * (left - right) / mean)
}

/// Left and right of each structure together, where the first of them stands.
fn paired(labels: &[Label]) -> Vec<Structure> {
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

    fn head() -> Vec<Label> {
        labels(&[
            (2, "left cerebral white matter"),
            (4, "left lateral ventricle"),
            (8, "left cerebellum cortex"),
            (10, "left thalamus"),
            (14, "3rd ventricle"),
            (16, "brain-stem"),
            (17, "left hippocampus"),
            (24, "CSF around the brain"),
            (28, "left ventral DC"),
            (41, "right cerebral white matter"),
            (43, "right lateral ventricle"),
            (47, "right cerebellum cortex"),
            (49, "right thalamus"),
            (53, "right hippocampus"),
            (60, "right ventral DC"),
        ])
    }

    /// Groups, structures and their values in one line each.
    fn said(groups: &[Group]) -> Vec<String> {
        let structure =
            |structure: &Structure| format!("{} {:?}", structure.name, structure.values());
        groups
            .iter()
            .map(|group| {
                let structures: Vec<String> = group.structures.iter().map(structure).collect();
                format!("{}: {}", group.name, structures.join(", "))
            })
            .collect()
    }

    #[test]
    fn the_structures_of_a_head_are_in_groups_with_left_and_right_together() {
        assert_eq!(
            said(&grouped(&head())),
            [
                "White matter and cortex: Cerebral white matter [2, 41]",
                "Deep grey matter: Thalamus [10, 49], Hippocampus [17, 53], Ventral DC [28, 60]",
                "Ventricles and fluid: Lateral ventricle [4, 43], 3rd ventricle [14], CSF around the brain [24]",
                "Cerebellum and brain-stem: Cerebellum cortex [8, 47], Brain-stem [16]",
            ]
        );
    }

    #[test]
    fn freesurfers_own_names_are_understood() {
        let names = labels(&[
            (2, "Left-Cerebral-White-Matter"),
            (5, "Left-Inf-Lat-Vent"),
            (16, "Brain-Stem"),
            (28, "Left-VentralDC"),
            (85, "Optic-Chiasm"),
        ]);
        let names: Vec<_> = grouped(&names).iter().map(|group| group.name).collect();
        assert_eq!(
            names,
            GROUPS
                .map(|(name, _)| name)
                .into_iter()
                .chain([OTHER])
                .collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_model_of_one_structure_or_of_anything_else_is_a_plain_list() {
        for names in [
            [(1, "Anterior"), (2, "Posterior")],
            [(1, "anterior hippocampus"), (2, "posterior hippocampus")],
            [(1, "kidney"), (2, "left ventricle")],
        ] {
            let groups = grouped(&labels(&names));
            assert_eq!(groups.len(), 1);
            assert_eq!(groups[0].name, "");
            assert_eq!(groups[0].structures.len(), 2);
        }
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
    fn words_find_names_groups_and_values() {
        let groups = grouped(&head());
        let find = |query: &str| said(&found(&groups, query));
        assert_eq!(find("17"), ["Deep grey matter: Left hippocampus [17]"]);
        assert_eq!(find("hippo"), ["Deep grey matter: Hippocampus [17, 53]"]);
        assert_eq!(
            find(" RIGHT  deep "),
            [
                "Deep grey matter: Right thalamus [49], Right hippocampus [53], Right ventral DC [60]"
            ]
        );
        assert_eq!(find("3rd"), ["Ventricles and fluid: 3rd ventricle [14]"]);
        assert_eq!(find("kidney"), Vec::<String>::new());
        assert_eq!(find(""), said(&groups));
    }

    #[test]
    fn asymmetry_is_in_percent_of_the_mean_and_none_of_nothing() {
        assert_eq!(asymmetry(3.0, 1.0), Some(100.0));
        assert_eq!(asymmetry(1.0, 1.0), Some(0.0));
        assert_eq!(asymmetry(0.0, 0.0), None);
    }
}
