//! `dataset_description.json`, which the folder of a BIDS derivative must have.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::GeneratedBy;
use super::sidecar::json;

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct DatasetDescription {
    /// Of the data set.
    pub name: String,
    /// Of the standard.
    #[serde(rename = "BIDSVersion")]
    pub bids_version: String,
    /// `derivative`.
    pub dataset_type: String,
    /// The program.
    pub generated_by: Vec<GeneratedBy>,
    /// Where the data sets lie that URIs name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dataset_links: BTreeMap<String, String>,
}

impl DatasetDescription {
    /// Of segmentations by this program in a version; `raw` is where the segmented data set lies, for sources such as
    /// `bids:raw:sub-01/anat/sub-01_T1w.nii.gz`.
    pub fn new(version: &str, raw: Option<&str>) -> Self {
        let link = raw.map(|place| ("raw".to_owned(), place.to_owned()));
        Self {
            name: "Segmentations by DINO-Med3D".to_owned(),
            bids_version: "1.10.0".to_owned(),
            dataset_type: "derivative".to_owned(),
            generated_by: vec![GeneratedBy::this(version)],
            dataset_links: link.into_iter().collect(),
        }
    }

    /// The file's text.
    pub fn json(&self) -> String {
        json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_derivative_says_what_bids_requires() {
        let description = DatasetDescription::new("0.1.0", Some("../.."));
        assert_eq!(
            serde_json::from_str::<Value>(&description.json()).unwrap(),
            json!({
                "Name": "Segmentations by DINO-Med3D",
                "BIDSVersion": "1.10.0",
                "DatasetType": "derivative",
                "GeneratedBy": [{"Name": "DINO-Med3D", "Version": "0.1.0"}],
                "DatasetLinks": {"raw": "../.."},
            })
        );
        let text = DatasetDescription::new("0.1.0", None).json();
        assert!(!text.contains("DatasetLinks"));
    }
}
