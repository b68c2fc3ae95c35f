//! How large what was labelled is: each label, and each structure left, right and both together; as a table in text.

use serde::{Deserialize, Serialize};

use crate::Label;
use crate::delimited::{quoted, tab_separated};
use crate::structure::{Structure, StructureLabels, asymmetry, paired};

/// Size of one label.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSize {
    /// Value in the label map.
    pub value: u8,
    /// Voxels with that value.
    pub voxels: u64,
    /// Their volume.
    pub volume_ml: f64,
}

/// Between which volumes the true one of a label, or of both halves of a structure together, lies, as often as a model's calibration
/// says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeRange {
    /// Value in the label map; of a structure in halves, the left one's.
    pub value: u8,
    /// That of the right half.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<u8>,
    /// At least.
    pub low_ml: f64,
    /// At most.
    pub high_ml: f64,
}

/// Size of every label of a table, in its order.
pub fn label_sizes(label_map: &[u8], labels: &[Label], voxel_volume_ml: f64) -> Vec<LabelSize> {
    let mut voxels = [0_u64; 256];
    for label in label_map {
        voxels[usize::from(*label)] += 1;
    }
    let size = |label: &Label| {
        let voxels = voxels[usize::from(label.value)];
        LabelSize {
            value: label.value,
            voxels,
            volume_ml: voxels as f64 * voxel_volume_ml,
        }
    };
    labels.iter().map(size).collect()
}

/// Size of one structure.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureSize {
    /// Which.
    pub structure: Structure,
    /// Voxels of all its labels.
    pub voxels: u64,
    /// Of the left half, where both halves have a label.
    pub left_ml: Option<f64>,
    /// Of the right half, where both halves have a label.
    pub right_ml: Option<f64>,
    /// Of all its labels.
    pub both_ml: f64,
    /// See [`asymmetry`].
    pub asymmetry_percent: Option<f64>,
}

impl StructureSize {
    /// Of one structure; a label that is not among `sizes` is not there.
    pub fn of(structure: Structure, sizes: &[LabelSize]) -> Self {
        let of = |label: &Label| {
            let size = sizes.iter().find(|size| size.value == label.value);
            size.map_or((0, 0.0), |size| (size.voxels, size.volume_ml))
        };
        match &structure.labels {
            StructureLabels::One(label) => {
                let (voxels, both_ml) = of(label);
                Self {
                    structure,
                    voxels,
                    left_ml: None,
                    right_ml: None,
                    both_ml,
                    asymmetry_percent: None,
                }
            }
            StructureLabels::Pair(left, right) => {
                let ((left_voxels, left_ml), (right_voxels, right_ml)) = (of(left), of(right));
                Self {
                    structure,
                    voxels: left_voxels + right_voxels,
                    left_ml: Some(left_ml),
                    right_ml: Some(right_ml),
                    both_ml: left_ml + right_ml,
                    asymmetry_percent: asymmetry(left_ml, right_ml),
                }
            }
        }
    }
}

/// Size of every structure of a table of labels, in its order.
pub fn structure_sizes(labels: &[Label], sizes: &[LabelSize]) -> Vec<StructureSize> {
    let structures = paired(labels).into_iter();
    structures
        .map(|structure| StructureSize::of(structure, sizes))
        .collect()
}

const COLUMNS: [&str; 9] = [
    "structure",
    "label",
    "left_label",
    "right_label",
    "voxels",
    "left_ml",
    "right_ml",
    "both_ml",
    "asymmetry_percent",
];

/// A row for every structure, with a header, as comma-separated values; what there is not is an empty field.
///
/// Source: RFC 4180, so lines end in CR LF.
pub fn csv(sizes: &[StructureSize]) -> String {
    let mut text = COLUMNS.join(",") + "\r\n";
    for row in sizes.iter().map(|size| cells(size, "")) {
        text += &(row.map(|cell| quoted(&cell)).join(",") + "\r\n");
    }
    text
}

/// A row for every structure, with a header, as tab-separated values; what there is not is `n/a`.
///
/// Source: BIDS, "Tabular files".
pub fn tsv(sizes: &[StructureSize]) -> String {
    let mut text = COLUMNS.join("\t") + "\n";
    for row in sizes.iter().map(|size| cells(size, "n/a")) {
        text += &tab_separated(row.iter().map(AsRef::as_ref));
    }
    text
}

fn cells(size: &StructureSize, none: &str) -> [String; 9] {
    // A millionth of a mL is less than a voxel of any scanner; the digits behind it are the arithmetic's.
    let rounded = |number: f64| ((number * 1e6).round() / 1e6).to_string();
    let text = |number: Option<f64>| number.map_or(none.to_owned(), rounded);
    let value =
        |label: Option<&Label>| label.map_or(none.to_owned(), |label| label.value.to_string());
    let (one, left, right) = match &size.structure.labels {
        StructureLabels::One(label) => (Some(label), None, None),
        StructureLabels::Pair(left, right) => (None, Some(left), Some(right)),
    };
    [
        size.structure.name.clone(),
        value(one),
        value(left),
        value(right),
        size.voxels.to_string(),
        text(size.left_ml),
        text(size.right_ml),
        text(Some(size.both_ml)),
        text(size.asymmetry_percent),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes() -> Vec<StructureSize> {
        let label = |value: u8, name: &str| Label {
            name: name.to_owned(),
            ..Label::unnamed(value)
        };
        let labels = [
            label(17, "left hippocampus"),
            label(16, "brain-stem, \"all\"\tof it"),
            label(53, "right hippocampus"),
            label(10, "left thalamus"),
            label(4, "left lateral ventricle"),
            label(43, "right lateral ventricle"),
        ];
        let map = [17, 17, 17, 53, 16, 10, 10, 0, 99];
        let sizes = label_sizes(&map, &labels, 0.5);
        assert_eq!(
            sizes[0],
            LabelSize {
                value: 17,
                voxels: 3,
                volume_ml: 1.5
            }
        );
        assert_eq!(
            sizes[5],
            LabelSize {
                value: 43,
                voxels: 0,
                volume_ml: 0.0
            }
        );
        structure_sizes(&labels, &sizes)
    }

    #[test]
    fn a_structure_has_its_halves_and_their_sum() {
        assert_eq!(
            csv(&sizes()).split("\r\n").collect::<Vec<_>>(),
            [
                "structure,label,left_label,right_label,voxels,left_ml,right_ml,both_ml,asymmetry_percent",
                "Hippocampus,,17,53,4,1.5,0.5,2,100",
                "\"Brain-stem, \"\"all\"\"\tof it\",16,,,1,,,0.5,",
                "Left thalamus,10,,,2,,,1,",
                "Lateral ventricle,,4,43,0,0,0,0,",
                "",
            ]
        );
    }

    #[test]
    fn a_table_of_bids_says_what_there_is_not() {
        let text = tsv(&sizes());
        let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split('\t').collect()).collect();
        assert_eq!(rows[0], COLUMNS);
        assert!(rows.iter().all(|row| row.len() == 9 && !row.contains(&"")));
        assert_eq!(
            rows[1],
            [
                "Hippocampus",
                "n/a",
                "17",
                "53",
                "4",
                "1.5",
                "0.5",
                "2",
                "100"
            ]
        );
        assert_eq!(rows[2][0], "Brain-stem, \"all\" of it");
        assert_eq!(rows[3][5..], ["n/a", "n/a", "1", "n/a"]);
    }

    #[test]
    fn digits_of_the_arithmetic_are_not_said() {
        let labels = [Label::unnamed(1)];
        let sizes = label_sizes(&[1; 19], &labels, 0.1 * 1.000_000_000_1);
        let text = csv(&structure_sizes(&labels, &sizes));
        assert!(text.contains(",19,,,1.9,"), "{text}");
    }

    #[test]
    fn a_label_without_a_size_is_not_there() {
        let sizes = structure_sizes(&[Label::unnamed(3)], &[]);
        assert_eq!((sizes[0].voxels, sizes[0].both_ml), (0, 0.0));
    }
}
