//! What the files made of a scan are called.

use crate::Label;

/// Endings of scans' files, which their derivatives do not keep.
const ENDINGS: [&str; 8] = ["nii", "hdr", "img", "mgh", "mgz", "dcm", "ima", "zip"];

/// Names of the files made of one scan, without a folder.
///
/// A scan named as BIDS asks gives up the suffix of most scans, T1w: `sub-01_ses-1_T1w.nii.gz` becomes
/// `sub-01_ses-1_dseg.nii.gz`. Any other suffix is told in the entity by which BIDS keeps derivatives apart:
/// `sub-01_ses-1_FLAIR.nii.gz` becomes `sub-01_ses-1_desc-FLAIR_dseg.nii.gz`, whatever else the session has. A scan of another
/// name keeps its whole stem: `head.nii.gz` becomes `head_dseg.nii.gz`.
///
/// Source: <https://bids-specification.readthedocs.io>, "Derivatives", "Common data types" (`desc`) and "Imaging", "Segmentations"
/// (`<source_entities>[_desc-<label>]_dseg.nii.gz`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DerivativeNames {
    stem: String,
}

impl DerivativeNames {
    /// By the name of a scan's file or folder, in which no folder is named.
    pub fn of(scan: &str) -> Self {
        let stem = without_endings(scan);
        let stem = match stem.rsplit_once('_') {
            Some((entities, suffix)) if is_bids(entities, suffix) => described(entities, suffix),
            _ if stem.is_empty() => "scan".to_owned(),
            _ => stem.to_owned(),
        };
        Self { stem }
    }

    /// By the name of a scan's file or folder, all of which but the ending is kept: for scans that differ in their suffix alone.
    pub fn whole(scan: &str) -> Self {
        Self {
            stem: without_endings(scan).to_owned(),
        }
    }

    /// What all names begin with.
    pub fn stem(&self) -> &str {
        &self.stem
    }

    /// The label map: `_dseg.nii.gz`.
    pub fn label_map(&self) -> String {
        self.named("dseg.nii.gz")
    }

    /// Where the label map came from: `_dseg.json`.
    pub fn label_map_sidecar(&self) -> String {
        self.named("dseg.json")
    }

    /// The label map's lookup table: `_dseg.tsv`.
    pub fn label_table(&self) -> String {
        self.named("dseg.tsv")
    }

    /// Probabilities of all labels: `_probseg.nii.gz`.
    pub fn probabilities(&self) -> String {
        self.named("probseg.nii.gz")
    }

    /// Where the probabilities came from, and of which label each volume is: `_probseg.json`.
    pub fn probabilities_sidecar(&self) -> String {
        self.named("probseg.json")
    }

    /// How probable the label of each voxel is: `_certainty.nii.gz`.
    pub fn certainty(&self) -> String {
        self.named("certainty.nii.gz")
    }

    /// Volumes of the labels: `_volumes.tsv`.
    pub fn volumes_tsv(&self) -> String {
        self.named("volumes.tsv")
    }

    /// Volumes of the labels: `_volumes.csv`.
    pub fn volumes_csv(&self) -> String {
        self.named("volumes.csv")
    }

    /// Label descriptions of ITK-SNAP: `_itksnap.txt`.
    pub fn itk_snap(&self) -> String {
        self.named("itksnap.txt")
    }

    /// Colour table of FreeSurfer: `_lut.txt`.
    pub fn freesurfer(&self) -> String {
        self.named("lut.txt")
    }

    /// Colour table of 3D Slicer: `_colors.ctbl`.
    pub fn slicer(&self) -> String {
        self.named("colors.ctbl")
    }

    /// The label map as DICOM-SEG: `_seg.dcm`.
    pub fn dicom_seg(&self) -> String {
        self.named("seg.dcm")
    }

    /// Surfaces of all labels: `_surfaces.obj`.
    pub fn surfaces(&self) -> String {
        self.named("surfaces.obj")
    }

    /// Surface of one label, with value and name, such as `_label-17LeftHippocampus_surface.stl`; those of two labels of a
    /// map are never the same.
    pub fn surface(&self, label: &Label) -> String {
        let words = label
            .name
            .split(|letter: char| !letter.is_ascii_alphanumeric());
        let name: String = words
            .filter(|word| !word.is_empty())
            .map(|word| word[..1].to_ascii_uppercase() + &word[1..])
            .collect();
        // Between two numbers, so that value and name stay apart.
        let between = if name.starts_with(|letter: char| letter.is_ascii_digit()) {
            "x"
        } else {
            ""
        };
        self.named(&format!("label-{}{between}{name}_surface.stl", label.value))
    }

    fn named(&self, end: &str) -> String {
        format!("{}_{end}", self.stem)
    }
}

/// Without an ending of scans, `.gz` included, in small letters or capitals.
fn without_endings(name: &str) -> &str {
    let plain = without(name, "gz").unwrap_or(name);
    let stem = ENDINGS.iter().find_map(|ending| without(plain, ending));
    stem.unwrap_or(name)
}

fn without<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let (stem, found) = name.rsplit_once('.')?;
    found.eq_ignore_ascii_case(ending).then_some(stem)
}

/// The entities of a scan's derivatives: the last says what else the scan is.
fn described(entities: &str, suffix: &str) -> String {
    let last = entities.rsplit('_').next().unwrap_or_default();
    match suffix {
        "T1w" => entities.to_owned(),
        // A name has each entity once.
        _ if last.starts_with("desc-") => format!("{entities}{suffix}"),
        _ => format!("{entities}_desc-{suffix}"),
    }
}

/// Whether these are a subject and maybe more as `key-value`, and a suffix.
fn is_bids(entities: &str, suffix: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == '+')
    };
    let is_entity = |entity: &str| {
        entity
            .split_once('-')
            .is_some_and(|(key, value)| is_word(key) && is_word(value))
    };
    entities.starts_with("sub-") && entities.split('_').all(is_entity) && is_word(suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_of_bids_gives_up_the_usual_suffix_and_any_other_keeps_its_stem() {
        for (scan, expected) in [
            ("sub-01_ses-1_T1w.nii.gz", "sub-01_ses-1"),
            ("sub-01_T1w.nii", "sub-01"),
            (
                "sub-A1_ses-2b_acq-3+mm_run-02_space-orig_desc-preproc_FLAIR.NII.GZ",
                "sub-A1_ses-2b_acq-3+mm_run-02_space-orig_desc-preprocFLAIR",
            ),
            ("sub-01_ses-1_T2w.nii.gz", "sub-01_ses-1_desc-T2w"),
            ("sub-01_FLAIR.nii.gz", "sub-01_desc-FLAIR"),
            ("sub-01_desc-preproc_T1w.nii.gz", "sub-01_desc-preproc"),
            ("head.nii.gz", "head"),
            ("head.1.nii", "head.1"),
            ("head.MGZ", "head"),
            ("head.img.gz", "head"),
            ("series 12", "series 12"),
            ("study.v2", "study.v2"),
            ("notes.gz", "notes.gz"),
            ("sub-01", "sub-01"),
            ("sub-01.zip", "sub-01"),
            ("sub-01_ses-1", "sub-01_ses-1"),
            ("sub-_T1w.nii", "sub-_T1w"),
            ("sub-01_T1w_old.nii", "sub-01_T1w_old"),
            ("sub-01_ses-1-2_T1w.nii", "sub-01_ses-1-2_T1w"),
            ("ses-1_T1w.nii.gz", "ses-1_T1w"),
            ("Kopf_ä_T1w.nii", "Kopf_ä_T1w"),
            (".nii.gz", "scan"),
            ("", "scan"),
        ] {
            let names = DerivativeNames::of(scan);
            assert_eq!(
                names.label_map(),
                format!("{expected}_dseg.nii.gz"),
                "{scan}"
            );
        }
    }

    #[test]
    fn a_whole_name_tells_two_scans_of_a_session_apart() {
        let of = |scan| DerivativeNames::whole(scan).label_map();
        assert_eq!(of("sub-01_T1w.nii.gz"), "sub-01_T1w_dseg.nii.gz");
        assert_eq!(of("sub-01_T2w.nii.gz"), "sub-01_T2w_dseg.nii.gz");
    }

    #[test]
    fn all_files_of_a_scan_have_names_of_their_own() {
        let names = DerivativeNames::of("sub-01_ses-1_T1w.nii.gz");
        let label = |value: u8, name: &str| Label {
            name: name.to_owned(),
            ..Label::unnamed(value)
        };
        let labels = [
            (
                label(17, "left hippocampus"),
                "sub-01_ses-1_label-17LeftHippocampus_surface.stl",
            ),
            (label(1, "7 T"), "sub-01_ses-1_label-1x7T_surface.stl"),
            (label(17, "T"), "sub-01_ses-1_label-17T_surface.stl"),
            (label(2, "ä/../b"), "sub-01_ses-1_label-2B_surface.stl"),
            (label(3, ""), "sub-01_ses-1_label-3_surface.stl"),
        ];
        let mut all = vec![
            names.label_map(),
            names.label_map_sidecar(),
            names.label_table(),
            names.probabilities(),
            names.probabilities_sidecar(),
            names.volumes_tsv(),
            names.volumes_csv(),
            names.itk_snap(),
            names.freesurfer(),
            names.slicer(),
            names.dicom_seg(),
            names.surfaces(),
        ];
        for (label, expected) in &labels {
            assert_eq!(names.surface(label), *expected);
            all.push(names.surface(label));
        }
        assert!(all.iter().all(|name| name.starts_with("sub-01_ses-1_")));
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
