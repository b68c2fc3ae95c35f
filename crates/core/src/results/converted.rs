//! The manifest of a converted checkpoint.

use super::ResultsError;
use crate::infer::check::SelfCheck;
use crate::infer::{Beyond, Blending, InferError, Postprocessing};
use crate::manifest::{FORMAT, ModelManifest, RunFacts, TrainingFacts, WeightsFile};
use crate::model::DinoMed3dConfig;
use crate::preprocess::{Intensity, Preprocessing};
use crate::train::Recipe;
use dinomed3d_volume::{Label, palette};
use std::path::Path;

/// What the release reports: windows of sixteen slices, slices of 224 or 512.
const WINDOW: [usize; 3] = [16, 224, 224];

/// What the command line names.
pub struct Named<'a> {
    /// The checkpoint.
    pub from: &'a Path,
    /// Folder of the model.
    pub folder: &'a Path,
    /// Labels after background; those without a name are numbered.
    pub labels: &'a [String],
}

/// The manifest of a model whose checkpoint says nothing but weights: from the recipe where there
/// is one, otherwise what the release reports.
///
/// `known_answer` is asked what the network answers to a window of the manifest's size.
///
/// # Errors
/// More than 256 classes; what `known_answer` returns.
pub fn manifest(
    named: Named<'_>,
    recipe: Option<Recipe>,
    architecture: DinoMed3dConfig,
    weights: WeightsFile,
    known_answer: impl FnOnce([usize; 3]) -> Result<SelfCheck, InferError>,
) -> Result<ModelManifest, ResultsError> {
    let foreground = architecture.num_classes - 1;
    let name = |index: usize| match named.labels.get(index) {
        Some(name) => name.clone(),
        None => format!("label {}", index + 1),
    };
    let usual = palette(foreground);
    let color = |index: usize| {
        let from_recipe = recipe.as_ref().and_then(|r| r.colors.get(index).copied());
        from_recipe.unwrap_or(usual[index])
    };
    let background = Label {
        value: 0,
        name: "background".into(),
        color: [0; 3],
    };
    let labels = (0..foreground).map(|index| {
        Ok(Label {
            value: u8::try_from(index + 1).map_err(|_| {
                ResultsError::Unusable(format!("{foreground} labels, expected are at most 255"))
            })?,
            name: name(index),
            color: color(index),
        })
    });
    let labels = std::iter::once(Ok(background))
        .chain(labels)
        .collect::<Result<_, ResultsError>>()?;
    let stem = named.folder.file_name().unwrap_or_default();
    let source = named.from.file_name().unwrap_or_default().to_string_lossy();
    let own_name = stem.to_string_lossy().into_owned();
    let fact = |of: fn(&Recipe) -> String, otherwise: &str| {
        recipe.as_ref().map_or_else(|| otherwise.to_owned(), of)
    };
    let preprocessing = recipe.as_ref().map_or(
        Preprocessing {
            orientation: "SPL".parse().expect("three letters"),
            spacing_mm: None,
            intensity: Intensity::PercentileZScore {
                low_percent: 0.5,
                high_percent: 99.5,
            },
        },
        |recipe| recipe.preprocessing.clone(),
    );
    let window = recipe.as_ref().map_or(WINDOW, |r| r.window);
    Ok(ModelManifest {
        format: FORMAT,
        title: fact(|r| r.title.clone(), &own_name),
        name: own_name,
        description: fact(
            |r| r.description.clone(),
            "Converted from a checkpoint of the authors' code.",
        ),
        version: "converted".into(),
        modality: fact(|r| r.modality.clone(), "scan"),
        channels: Vec::new(),
        labels,
        preprocessing,
        window,
        overlap: recipe.as_ref().map_or(0.5, |r| r.overlap),
        blending: recipe
            .as_ref()
            .map_or(Blending::Mean, |r| r.blending.unwrap_or(Blending::Mean)),
        beyond: recipe
            .as_ref()
            .map_or(Beyond::Mean, |r| r.windowing().beyond),
        locate: recipe.as_ref().and_then(|r| r.locate),
        mirrored: recipe.as_ref().is_some_and(|r| r.mirrored),
        intensity_model: recipe.as_ref().and_then(|r| r.intensity_model),
        part_of: recipe.as_ref().and_then(|r| r.part_of.clone()),
        postprocessing: Postprocessing::default(),
        sides: Vec::new(),
        extent_mm: None,
        usual_volumes: Vec::new(),
        architecture,
        weights,
        check: known_answer(window)?,
        training: TrainingFacts {
            data: fact(|r| r.data.source.clone(), "not stated"),
            data_licence: fact(|r| r.data.licence.clone(), "not stated"),
            licence: fact(
                |r| r.data.weights_licence.clone(),
                "not stated; weights that derive from DINOv3's are under the DINOv3 License",
            ),
            attribution: fact(|r| r.data.attribution.clone(), "not stated"),
            initialization: format!("converted from {source}"),
            num_training: 0,
            num_validation: 0,
            run: RunFacts {
                steps: [0, 0],
                seed: 0,
            },
            averaged_with: Vec::new(),
            ancestors: Vec::new(),
            training_cases: Vec::new(),
            validation_cases: Vec::new(),
        },
        scores: None,
        storage_scores: None,
        calibration: None,
        proxy: None,
    })
}
