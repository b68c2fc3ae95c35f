//! The JSON file beside a label map or its probabilities: where it came from.

use serde::{Deserialize, Serialize};

use super::date;
use crate::{Label, NOTICE};

/// BIDS's word for the space of the image itself.
const OWN_SPACE: &str = "orig";

/// A model that was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Model {
    /// Its name.
    pub name: String,
    /// Version of its weights.
    pub version: String,
    /// Checksum of the weights' file, lower-case hexadecimal.
    #[serde(rename = "WeightsSHA256")]
    pub weights_sha256: String,
    /// Checksum of what its manifest says, by which one network draws its labels in more than one way; of older files not known.
    #[serde(
        default,
        rename = "ManifestSHA256",
        skip_serializing_if = "Option::is_none"
    )]
    pub manifest_sha256: Option<String>,
}

/// A file that was segmented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Input {
    /// Its name, without a folder.
    pub name: String,
    /// Where it lay, from the root; not known of older files, nor of a place whose name is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its checksum, lower-case hexadecimal; of a folder's files together that of their checksums.
    #[serde(rename = "SHA256")]
    pub sha256: String,
    /// Which of its DICOM series, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<usize>,
    /// Which of its volumes, where one was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<usize>,
}

/// A program, as BIDS names what generated a derivative.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct GeneratedBy {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl GeneratedBy {
    /// This program in a version.
    pub fn this(version: &str) -> Self {
        Self {
            name: "DINO-Med3D".to_owned(),
            version: version.to_owned(),
        }
    }
}

/// How a result came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// Version of the program.
    pub version: String,
    /// In the order in which they were used.
    pub models: Vec<Model>,
    /// What was asked of the program, as a line of a shell or in words.
    pub command: String,
    /// The scan's files, a channel each.
    pub inputs: Vec<Input>,
    /// The inputs as BIDS URIs, such as `bids:raw:sub-01/anat/sub-01_T1w.nii.gz`; none outside a data set.
    pub sources: Vec<String>,
    /// Names of all files that were made together; none where each has the name that a person gave it.
    pub outputs: Vec<String>,
    /// Bits of a stored probability, where the network's own answer was kept.
    pub probability_bits: Option<u8>,
    /// When: seconds since the beginning of 1970, UTC.
    pub unix_seconds: u64,
    /// What a person should know of the result.
    pub warnings: Vec<String>,
}

/// What the file says. Fields up to `GeneratedBy` are BIDS's, the others ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Sidecar {
    /// What kind of file it is beside.
    pub description: String,
    /// See [`Provenance::sources`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// `orig`: results lie on the scan's own grid.
    pub spatial_reference: String,
    /// Whether a person drew it.
    pub manual: bool,
    /// Of which label each volume of probabilities is; not said of a label map.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_map: Vec<String>,
    /// The program.
    pub generated_by: Vec<GeneratedBy>,
    /// See [`Provenance::models`].
    pub models: Vec<Model>,
    /// See [`Provenance::command`].
    pub command: String,
    /// See [`Provenance::inputs`].
    pub inputs: Vec<Input>,
    /// See [`Provenance::outputs`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// See [`Provenance::probability_bits`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probability_bits: Option<u8>,
    /// When, in UTC.
    pub date: String,
    /// See [`Provenance::warnings`].
    pub warnings: Vec<String>,
    /// [`NOTICE`].
    pub notice: String,
}

impl Sidecar {
    /// Beside a label map.
    pub fn of_label_map(provenance: Provenance) -> Self {
        Self::of("Labels of an image's voxels", Vec::new(), provenance)
    }

    /// Beside probabilities, of each volume the label.
    pub fn of_probabilities(provenance: Provenance, volumes: &[Label]) -> Self {
        let names = volumes.iter().map(|label| label.name.clone()).collect();
        Self::of(
            "Probabilities of labels at an image's voxels",
            names,
            provenance,
        )
    }

    fn of(description: &str, label_map: Vec<String>, provenance: Provenance) -> Self {
        Self {
            description: description.to_owned(),
            sources: provenance.sources,
            spatial_reference: OWN_SPACE.to_owned(),
            manual: false,
            label_map,
            generated_by: vec![GeneratedBy::this(&provenance.version)],
            models: provenance.models,
            command: provenance.command,
            inputs: provenance.inputs,
            outputs: provenance.outputs,
            probability_bits: provenance.probability_bits,
            date: date(provenance.unix_seconds),
            warnings: provenance.warnings,
            notice: NOTICE.to_owned(),
        }
    }

    /// The file's text.
    pub fn json(&self) -> String {
        json(self)
    }
}

/// Indented, and with a newline at its end.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("text and lists are JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn provenance() -> Provenance {
        Provenance {
            version: "0.1.0".to_owned(),
            models: vec![Model {
                name: "head".to_owned(),
                version: "1.0.0".to_owned(),
                weights_sha256: "ab".repeat(32),
                manifest_sha256: Some("ef".repeat(32)),
            }],
            command: "dinomed3d segment \"a b.nii\"".to_owned(),
            inputs: vec![Input {
                name: "a b.nii".to_owned(),
                path: Some("/study/a b.nii".to_owned()),
                sha256: "cd".repeat(32),
                series: None,
                volume: Some(2),
            }],
            sources: Vec::new(),
            outputs: vec!["a b_dseg.nii.gz".to_owned()],
            probability_bits: Some(8),
            unix_seconds: 1_795_780_863,
            warnings: vec!["The scan is flat.".to_owned()],
        }
    }

    #[test]
    fn a_label_maps_sidecar_says_where_it_came_from_in_bidss_words() {
        let sidecar = Sidecar::of_label_map(provenance());
        let text = sidecar.json();
        assert_eq!(
            serde_json::from_str::<Value>(&text).unwrap(),
            json!({
                "Description": "Labels of an image's voxels",
                "SpatialReference": "orig",
                "Manual": false,
                "GeneratedBy": [{"Name": "DINO-Med3D", "Version": "0.1.0"}],
                "Models": [{"Name": "head", "Version": "1.0.0", "WeightsSHA256": "ab".repeat(32), "ManifestSHA256": "ef".repeat(32)}],
                "Command": "dinomed3d segment \"a b.nii\"",
                "Inputs": [{"Name": "a b.nii", "Path": "/study/a b.nii", "SHA256": "cd".repeat(32), "Volume": 2}],
                "Outputs": ["a b_dseg.nii.gz"],
                "ProbabilityBits": 8,
                "Date": "2026-11-27T12:01:03Z",
                "Warnings": ["The scan is flat."],
                "Notice": "Research and education only; not a medical device.",
            })
        );
        assert!(text.ends_with("}\n"));
        assert_eq!(serde_json::from_str::<Sidecar>(&text).unwrap(), sidecar);
    }

    /// By hand, as version 0.1.0 wrote it.
    #[test]
    fn a_sidecar_of_an_older_program_is_read() {
        let mut value: Value =
            serde_json::from_str(&Sidecar::of_label_map(provenance()).json()).unwrap();
        let old = json!({"Name": "a b.nii", "SHA256": "cd".repeat(32)});
        value["Inputs"] = json!([old]);
        let file = value.as_object_mut().unwrap();
        file.remove("Outputs");
        file.remove("ProbabilityBits");
        file["Models"][0]
            .as_object_mut()
            .unwrap()
            .remove("ManifestSHA256");
        let sidecar: Sidecar = serde_json::from_value(value).unwrap();
        assert_eq!(sidecar.inputs[0].path, None);
        assert_eq!(sidecar.models[0].manifest_sha256, None);
        assert!(sidecar.outputs.is_empty());
    }

    #[test]
    fn probabilities_name_the_label_of_each_volume_and_sources_are_uris() {
        let source = "bids:raw:sub-01/anat/sub-01_T1w.nii.gz".to_owned();
        let provenance = Provenance {
            sources: vec![source.clone()],
            ..provenance()
        };
        let sidecar =
            Sidecar::of_probabilities(provenance, &[Label::unnamed(1), Label::unnamed(9)]);
        let value: Value = serde_json::from_str(&sidecar.json()).unwrap();
        assert_eq!(value["LabelMap"], json!(["label 1", "label 9"]));
        assert_eq!(value["Sources"], json!([source]));
    }
}
