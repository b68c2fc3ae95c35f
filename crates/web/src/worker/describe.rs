//! What the page is told of a model, a scan and a label map.

use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_volume::{Label, Scan};

use super::protocol::{ModelInfo, ScanInfo};

/// A model as the page shows it: without the background.
pub fn model(manifest: &ModelManifest) -> ModelInfo {
    ModelInfo {
        name: manifest.name.clone(),
        title: manifest.title.clone(),
        version: manifest.version.clone(),
        weights_sha256: manifest.weights.sha256.clone(),
        modality: manifest.modality.clone(),
        channels: Some(manifest.channel_names())
            .filter(|names| names.len() > 1)
            .unwrap_or_default(),
        labels: labels(manifest),
        calibration_error: manifest
            .calibration
            .as_ref()
            .map(|calibration| calibration.reliability.expected_error()),
        card: None,
    }
}

/// A scan as the page shows it.
pub fn scan(image: &Scan, description: Option<String>) -> ScanInfo {
    let [slices, rows, columns] = image.grid_shape();
    let affine = image.affine();
    ScanInfo {
        shape: [columns, rows, slices],
        spacing_mm: affine.spacing_mm(),
        orientation: affine.orientation().to_string(),
        affine: affine.0.first_chunk().copied(),
        datatype: image.datatype_name().to_owned(),
        warnings: image.warnings().to_vec(),
        description,
    }
}

/// The labels of a model without the background.
pub fn labels(manifest: &ModelManifest) -> Vec<Label> {
    let labels = manifest.labels.iter();
    labels.filter(|label| label.value != 0).cloned().collect()
}
