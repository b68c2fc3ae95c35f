//! The models that the site lists, by what their manifests say.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::browser;
use crate::words;
use crate::work::{ModelEntry, ModelOffer, OfferedScores, OfferedTraining, OfferedWeights, PartOf};

/// What the page reads of a manifest; the worker, which loads the model, reads and checks all of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestHead {
    title: String,
    part_of: Option<PartOf>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    modality: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    labels: Vec<IgnoredAny>,
    weights: Option<OfferedWeights>,
    training: Option<OfferedTraining>,
    scores: Option<OfferedScores>,
}

/// The models that the site lists.
pub(super) async fn find_models() -> Result<Vec<ModelEntry>, String> {
    let mut models = Vec::new();
    // A site without documents has no list of them.
    let documented = browser::fetch_json::<Vec<String>>("docs/models.json").await;
    let documented = documented.unwrap_or_default();
    for name in browser::fetch_json::<Vec<String>>("models/index.json").await? {
        // A model without a readable manifest is offered by its folder's name; loading it says what is wrong.
        let manifest = format!("models/{name}/manifest.json");
        let head = browser::fetch_json::<ManifestHead>(&manifest).await;
        let (title, part_of, offer) = match head {
            Ok(head) => {
                let offer = ModelOffer {
                    description: head.description,
                    modality: head.modality,
                    version: head.version,
                    labels: head.labels.len().saturating_sub(1),
                    weights: head.weights,
                    training: head.training,
                    scores: head.scores,
                };
                let storage = offer.weights.as_ref().map(|weights| &*weights.quantization);
                let title = words::title_of(head.title, storage.unwrap_or_default());
                (title, head.part_of, Some(offer))
            }
            Err(_) => (name.clone(), None, None),
        };
        models.push(ModelEntry {
            has_document: documented.contains(&name),
            name,
            title,
            part_of,
            offer,
        });
    }
    Ok(models)
}
