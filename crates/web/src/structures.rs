//! Labels as a reader looks for them: structures in groups, found by words.

pub use dinomed3d_volume::structure::{Structure, StructureLabels, paired};
use dinomed3d_volume::volumetry::{LabelSize, StructureSize};
use dinomed3d_volume::{Half, Label};

use crate::language::legend;
use crate::words;

/// What structures of a head are called together, and words of which one is in the name of each.
const GROUPS: [(&str, &[&str]); 4] = [
    (legend::WHITE_MATTER, &["cerebral"]),
    (
        legend::GREY_MATTER,
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
        legend::VENTRICLES,
        &["ventricle", "lat vent", "csf", "plexus"],
    ),
    (
        legend::CEREBELLUM,
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
const OTHER: &str = legend::OTHER;

/// Structures under one heading.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// The heading; empty where all are one list.
    pub name: &'static str,
    /// In the order of their labels.
    pub structures: Vec<Structure>,
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

/// Volumes in mL of a structure left, right and of both, and their asymmetry in percent, as they are shown: a dash is what was not found,
/// and nothing what has no sides.
pub fn cells(structure: &Structure, sizes: &[LabelSize]) -> [String; 4] {
    let size = StructureSize::of(structure.clone(), sizes);
    let ml = |volume: f64| match volume > 0.0 {
        true => words::milliliters(volume),
        false => "–".to_owned(),
    };
    let none = String::new;
    let half = match &structure.labels {
        StructureLabels::One(label) => label.half().map(|(half, _)| half),
        StructureLabels::Pair(..) => None,
    };
    let both = ml(size.both_ml);
    match (size.left_ml, size.right_ml, half) {
        (Some(left), Some(right), _) => {
            let asymmetry = size.asymmetry_percent.map(words::signed_percent);
            let both = asymmetry.as_ref().map_or_else(|| ml(0.0), |_| both);
            [ml(left), ml(right), both, asymmetry.unwrap_or_default()]
        }
        (.., Some(Half::Left)) => [both, ml(0.0), ml(0.0), none()],
        (.., Some(Half::Right)) => [ml(0.0), both, ml(0.0), none()],
        _ => [none(), none(), both, none()],
    }
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
}
