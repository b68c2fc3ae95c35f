//! What labels are in SNOMED CT's words, by their names: FreeSurfer's structures and parts of them.
//!
//! Source: DICOM PS3.16, context groups 7150 (categories), 7192 and 7153 (anatomical structures, central nervous system),
//! 7140 (brain structures for volumes, where the former have none), 2 and 244 (modifiers). A test compares every code with
//! pydicom's copy of them.

use crate::{Half, Label};

/// Designator of codes that are only ours: a label's value, and its name as the meaning.
pub(super) const PRIVATE_SCHEME: &str = "99DINOMED3D";

/// A concept of a coding scheme.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// In its scheme, at most 16 characters.
    pub value: String,
    /// Such as `SCT` (SNOMED CT) or `DCM`.
    pub scheme: String,
    /// In words.
    pub meaning: String,
}

/// What a segment is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// In general, such as an anatomical structure.
    pub category: Code,
    /// In particular.
    pub kind: Code,
    /// Of which side or part of it.
    pub modifiers: Vec<Code>,
}

/// Scheme, value and meaning.
type Known = (&'static str, &'static str, &'static str);

const ANATOMICAL_STRUCTURE: Known = ("SCT", "91723000", "Anatomical Structure");
const TISSUE: Known = ("SCT", "85756007", "Tissue");

const LEFT: Known = ("SCT", "7771000", "Left");
const RIGHT: Known = ("SCT", "24028007", "Right");
const ANTERIOR: Known = ("SCT", "255549009", "Anterior");
const POSTERIOR: Known = ("SCT", "255551008", "Posterior");

/// Names in lower case, words apart by a blank.
#[rustfmt::skip]
const STRUCTURES: [(&[&str], Known); 22] = [
    (&["cerebral white matter"], ("SCT", "68523003", "Cerebral White Matter")),
    (&["cerebral cortex"], ("SCT", "40146001", "Cerebral cortex")),
    (&["lateral ventricle"], ("SCT", "66720007", "Lateral Ventricle")),
    (&["inferior lateral ventricle", "inf lat vent"], ("SCT", "53118009", "Inferior Horn of Lateral Ventricle")),
    (&["cerebellum white matter", "cerebellar white matter"], ("SCT", "33060004", "Cerebellar White Matter")),
    (&["cerebellum cortex", "cerebellar cortex"], ("SCT", "25991003", "Cerebellar Cortex")),
    (&["cerebellum"], ("SCT", "113305005", "Cerebellum")),
    (&["thalamus", "thalamus proper"], ("SCT", "42695009", "Thalamus")),
    (&["caudate", "caudate nucleus"], ("SCT", "11000004", "Caudate Nucleus")),
    (&["putamen"], ("SCT", "89278009", "Putamen")),
    (&["pallidum", "globus pallidus"], ("SCT", "14738005", "Globus Pallidus")),
    (&["3rd ventricle", "third ventricle"], ("SCT", "49841001", "Third ventricle")),
    (&["4th ventricle", "fourth ventricle"], ("SCT", "35918002", "Fourth Ventricle")),
    (&["brain stem", "brainstem"], ("SCT", "119238007", "Brain Stem")),
    (&["hippocampus"], ("SCT", "5366008", "Hippocampus")),
    (&["amygdala"], ("SCT", "4958002", "Amygdala")),
    (&["csf", "csf around the brain", "cerebrospinal fluid"], ("SCT", "65216001", "Cerebrospinal Fluid")),
    (&["accumbens area", "accumbens", "nucleus accumbens"], ("SCT", "427667007", "Nucleus Accumbens")),
    (&["ventral dc", "ventraldc", "ventral diencephalon"], ("DCM", "110700", "Ventral Diencephalon")),
    (&["optic chiasm"], ("SCT", "244453006", "Optic chiasm")),
    (&["corpus callosum"], ("SCT", "88442005", "Corpus callosum")),
    (&["5th ventricle"], ("SCT", "74968005", "Cavum of septum pellucidum")),
];

impl Term {
    /// Of the structure that a label's name says, in our words or FreeSurfer's (`left thalamus`, `Left-Thalamus-Proper`, `right
    /// anterior hippocampus`). What is not in the table gets a code of our own with the label's name, never a guess.
    ///
    /// `part_of` is what the whole label map is of, such as its model's name: `Anterior` alone is a part of that.
    pub fn of(label: &Label, part_of: Option<&str>) -> Self {
        let (half, name) = match label.half() {
            Some((half, name)) => (Some(half), name),
            None => (None, label.name.as_str()),
        };
        let name = plain(name);
        let (part, name) = match name.split_once(' ').unwrap_or((&name, "")) {
            ("anterior", rest) => (Some(ANTERIOR), rest.to_owned()),
            ("posterior", rest) => (Some(POSTERIOR), rest.to_owned()),
            _ => (None, name),
        };
        let whole = match (part, part_of) {
            (Some(_), Some(whole)) if name.is_empty() => plain(whole),
            _ => name,
        };
        let known = STRUCTURES
            .iter()
            .find(|(names, _)| names.contains(&whole.as_str()));
        let Some(&(_, structure)) = known else {
            return Self {
                category: code(TISSUE),
                kind: Code {
                    value: label.value.to_string(),
                    scheme: PRIVATE_SCHEME.to_owned(),
                    meaning: label.name.clone(),
                },
                modifiers: Vec::new(),
            };
        };
        let side = half.map(|half| match half {
            Half::Left => LEFT,
            Half::Right => RIGHT,
        });
        Self {
            category: code(ANATOMICAL_STRUCTURE),
            kind: code(structure),
            modifiers: side.into_iter().chain(part).map(code).collect(),
        }
    }
}

fn code((scheme, value, meaning): Known) -> Code {
    Code {
        value: value.to_owned(),
        scheme: scheme.to_owned(),
        meaning: meaning.to_owned(),
    }
}

fn plain(name: &str) -> String {
    name.to_lowercase().replace(['-', '_'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, part_of: Option<&str>) -> String {
        let label = Label {
            name: name.to_owned(),
            ..Label::unnamed(17)
        };
        let Term {
            category,
            kind,
            modifiers,
        } = Term::of(&label, part_of);
        let all = [vec![category, kind], modifiers].concat();
        let texts: Vec<String> = all
            .iter()
            .map(|c| format!("{} {}", c.scheme, c.value))
            .collect();
        texts.join(", ")
    }

    #[test]
    fn structures_are_known_by_our_names_and_by_freesurfers() {
        let thalamus = "SCT 91723000, SCT 42695009, SCT 7771000";
        assert_eq!(of("left thalamus", None), thalamus);
        assert_eq!(of("Left-Thalamus-Proper", None), thalamus);
        assert_eq!(of("Brain-Stem", None), "SCT 91723000, SCT 119238007");
        assert_eq!(of("brain-stem", Some("head")), of("Brain-Stem", None));
        assert_eq!(of("Right-VentralDC", None), of("right ventral DC", None));
        assert_eq!(
            of("Left-Inf-Lat-Vent", None),
            of("left inferior lateral ventricle", None)
        );
    }

    #[test]
    fn a_part_is_its_structure_with_a_modifier() {
        let anterior = "SCT 91723000, SCT 5366008, SCT 255549009";
        assert_eq!(of("Anterior", Some("hippocampus")), anterior);
        assert_eq!(of("anterior hippocampus", None), anterior);
        assert_eq!(
            of("right posterior hippocampus", Some("head")),
            "SCT 91723000, SCT 5366008, SCT 24028007, SCT 255551008"
        );
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let private = "SCT 85756007, 99DINOMED3D 17";
        for (name, part_of) in [
            ("Anterior", None),
            ("Anterior", Some("head")),
            ("left hippocampus, the rest", Some("head")),
            ("posterior", Some("prostate")),
            ("enhancing tumour", None),
            ("", None),
        ] {
            assert_eq!(of(name, part_of), private, "{name:?}");
        }
    }

    /// A label's name is found in one row only.
    #[test]
    fn no_name_stands_for_two_structures() {
        let names: Vec<&str> = STRUCTURES
            .iter()
            .flat_map(|(names, _)| *names)
            .copied()
            .collect();
        let mut apart = names.clone();
        apart.sort_unstable();
        apart.dedup();
        assert_eq!(apart.len(), names.len());
        assert!(names.iter().all(|name| plain(name) == **name));
    }
}
