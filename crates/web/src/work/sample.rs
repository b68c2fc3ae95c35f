//! The site's samples.

use super::ModelEntry;
use crate::language::scan;

/// A scan of the site's own, and the model that it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Folder name of the model.
    pub model: &'static str,
    /// File name below the site's `samples/`.
    pub file: &'static str,
    /// What the visitor is offered.
    pub title: &'static str,
}

/// The most telling one first.
const SAMPLES: [Sample; 2] = [
    Sample {
        model: "head",
        file: "head.nii.gz",
        title: scan::SAMPLE_HEAD,
    },
    Sample {
        model: "hippocampus",
        file: "sample.nii.gz",
        title: scan::SAMPLE_HIPPOCAMPUS,
    },
];

impl Sample {
    /// The samples for the site's models; the last one where there is none, or no model is known yet.
    pub fn offered(models: &[ModelEntry]) -> Vec<Self> {
        let has_model = |sample: &Self| models.iter().any(|model| model.name == sample.model);
        let found: Vec<Self> = SAMPLES.into_iter().filter(has_model).collect();
        if found.is_empty() {
            return SAMPLES[1..].to_vec();
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_offered_with_its_model_and_one_always() {
        let files = |names: &[&str]| -> Vec<&str> {
            let entry = |name: &&str| ModelEntry {
                name: (*name).to_owned(),
                title: String::new(),
                part_of: None,
                has_document: false,
                offer: None,
            };
            let models: Vec<ModelEntry> = names.iter().map(entry).collect();
            Sample::offered(&models)
                .iter()
                .map(|sample| sample.file)
                .collect()
        };
        assert_eq!(
            files(&["hippocampus", "head"]),
            ["head.nii.gz", "sample.nii.gz"]
        );
        assert_eq!(files(&["hippocampus"]), ["sample.nii.gz"]);
        assert_eq!(files(&["tiny"]), ["sample.nii.gz"]);
        assert_eq!(files(&[]), ["sample.nii.gz"]);
    }
}
