//! The model card: what a person must know before using a model.

use crate::infer::Postprocessing;
use crate::manifest::{
    Ancestor, Calibration, ModelManifest, Proxy, RunFacts, Scores, TrainingFacts, WeightsFile,
};
use crate::model::adaptation::Adaptation;
use std::fmt;

/// Heading of the section of certainty.
const CERTAINTY: &str = "## Certainty";
/// Heading of the section of stage 1.
const STAGE_1: &str = "## Stage 1 alone";

/// A model card; displayed as Markdown.
pub struct ModelCard<'a> {
    /// The model.
    pub manifest: &'a ModelManifest,
    /// Of the weights that are shipped.
    pub scores: &'a Scores,
    /// Mean Dice of the same weights before quantisation.
    pub unquantized_dice: f64,
    /// Every postprocessing that was tried, and the mean Dice with it.
    pub postprocessings: &'a [(Postprocessing, f64)],
    /// Numbers in the weights.
    pub num_parameters: usize,
    /// Sentences about what the model can't do.
    pub limits: &'a [String],
}

impl fmt::Display for ModelCard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manifest = self.manifest;
        writeln!(f, "# {}\n\n{}\n", manifest.title, manifest.description)?;
        writeln!(f, "**{}**\n", dinomed3d_volume::NOTICE)?;
        writeln!(f, "| | |\n|---|---|")?;
        for (what, text) in self.facts() {
            writeln!(f, "| {what} | {text} |")?;
        }
        self.write_scores(f)?;
        if let Some(calibration) = &self.manifest.calibration {
            write!(f, "{}", certainty_section(calibration))?;
        }
        if let Some(proxy) = &self.manifest.proxy {
            write!(f, "{}", stage1_section(proxy))?;
        }
        self.write_limits(f)?;
        writeln!(
            f,
            "## Citation\n\n\
             The method: DINO-Med3D, MICCAI 2026, arXiv:2606.18886; this implementation and these weights are not by its authors.\n\
             The data: {}. They were changed into weights, which are shared under the licence above.",
            manifest.training.data
        )
    }
}

impl ModelCard<'_> {
    fn facts(&self) -> Vec<(&'static str, String)> {
        let ModelManifest {
            architecture,
            preprocessing,
            training,
            weights,
            window: [depth, height, width],
            ..
        } = self.manifest;
        let spacing = preprocessing.spacing_mm.map_or_else(
            || "the scan's own spacing".to_owned(),
            |edges| {
                format!(
                    "resampled to {} mm",
                    edges.map(|mm| mm.to_string()).join(" × ")
                )
            },
        );
        let channels = match &self.manifest.channels[..] {
            [] | [_] => String::new(),
            names => format!(", channels {} in this order", names.join(", ")),
        };
        let mut facts = vec![
            ("version", self.manifest.version.clone()),
            (
                "network",
                format!(
                    "DINO-Med3D, {} parameters: transformer of width {} with {} blocks, {}, {}",
                    self.num_parameters,
                    architecture.vit.embed_dim,
                    architecture.vit.depth,
                    match architecture.adaptation {
                        Adaptation::InBlock(_) => "3-D adapters",
                        Adaptation::Lora(_) => "LoRA",
                        Adaptation::None => "no 3-D adapters",
                    },
                    match architecture.detail.channels()[..] {
                        [] => "no detail stream",
                        _ => "detail stream",
                    }
                ),
            ),
            ("weights", weights_fact(weights)),
            (
                "training began with",
                match training.initialization.as_str() {
                    own if own.starts_with("random") => {
                        let own = own.replacen("random", "random weights", 1);
                        format!("{own}: no DINOv3 weights are in here")
                    }
                    other => other.to_owned(),
                },
            ),
            ("steps", steps(&training.run, &training.averaged_with)),
            ("trainings before", descent(training)),
            ("data", training.data.clone()),
            ("licence of the data", training.data_licence.clone()),
            (
                "licence of the weights",
                format!(
                    "{}; attribution: {}",
                    training.licence, training.attribution
                ),
            ),
            (
                "cases",
                format!(
                    "{} for training, {} for validation",
                    training.num_training, training.num_validation
                ),
            ),
            ("postprocessing", self.postprocessing()),
            (
                "input",
                format!(
                    "{}{channels}; orientation {} (slice, row, column), {spacing}, windows of {depth} × {height} × {width} voxels",
                    self.manifest.modality, preprocessing.orientation
                ),
            ),
        ];
        facts.extend(self.manifest.intensity_model.map(|model| {
            let borders = format!(
                "drawn by the brightness of the scan's own voxels too, where none of their edges is longer than the network's; weight {}",
                model.weight
            );
            ("borders", borders)
        }));
        facts
    }

    /// The chosen one and what the others would have made.
    fn postprocessing(&self) -> String {
        let chosen = &self.manifest.postprocessing;
        let describe = |all: &Postprocessing| all.describe(|value| self.manifest.label_name(value));
        let others: Vec<String> = self
            .postprocessings
            .iter()
            .filter(|(other, _)| other != chosen)
            .map(|(other, dice)| format!("{dice:.4} ({})", describe(other)))
            .collect();
        format!(
            "{}. Chosen for the mean Dice of the validation cases; the other choices: {}",
            describe(chosen),
            others.join("; ")
        )
    }

    fn write_scores(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scores {
            num_cases,
            protocol,
            mean_dice,
            labels,
        } = self.scores;
        writeln!(
            f,
            "\n## Scores\n\n\
             Mean Dice {mean_dice:.4} over {num_cases} cases ({protocol}); {:.4} before quantisation.\n\n\
             | label | name | Dice | HD95 (mm) |\n|---|---|---|---|",
            self.unquantized_dice
        )?;
        for score in labels {
            let name = self.manifest.label_name(score.value);
            let distance = score
                .hd95_mm
                .map_or("–".to_owned(), |mm| format!("{mm:.2}"));
            writeln!(
                f,
                "| {} | {name} | {:.4} | {distance} |",
                score.value, score.dice
            )?;
        }
        writeln!(
            f,
            "\nThe validation cases chose the best epoch and the postprocessing, so expect a little less on new ones.\n"
        )
    }

    fn write_limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "## Limits\n")?;
        for limit in self.limits {
            writeln!(f, "- {limit}")?;
        }
        if let Some(extent) = self.manifest.extent_mm {
            let text = |edges: [f64; 3]| edges.map(|mm| format!("{mm:.0}")).join(" × ");
            writeln!(
                f,
                "- The training scans measure {} to {} mm (slice, row, column).",
                text(extent.min),
                text(extent.max)
            )?;
        }
        writeln!(f)
    }
}

/// What a card says of certainty, after a heading of its own.
pub fn certainty_section(calibration: &Calibration) -> String {
    let Calibration {
        temperature,
        cases,
        uncalibrated_error,
        reliability,
        volumes,
    } = calibration;
    let mut section = format!(
        "{CERTAINTY}\n\n\
         Logits are divided by {temperature:.3}, which was found by {cases} validation cases. Over voxels that the model \
         labels there and their neighbours, certainty is {:.3} from the share of right answers in the mean (expected calibration error); \
         {uncalibrated_error:.3} without it.\n\n\
         | certainty | share of right answers | share of voxels |\n|---|---|---|\n",
        reliability.expected_error()
    );
    let all: f64 = reliability.0.iter().map(|bin| bin.answers as f64).sum();
    for bin in &reliability.0 {
        section += &format!(
            "| {:.3} | {:.3} | {:.3} |\n",
            bin.certainty,
            bin.right,
            bin.answers as f64 / all
        );
    }
    if let Some(volumes) = volumes {
        let cases = volumes.labels.iter().map(|label| label.cases);
        section += &format!(
            "\nIntervals of volumes hold the true one in {:.0} % of cases like those, of which there were {}: a label's volume, and to \
             either side so many times the network's own doubt of it (the sum of p · (1 − p) over all voxels) as its row says.\n\n\
             | label | times its doubt |\n|---|---|\n",
            100.0 * volumes.coverage,
            cases.max().unwrap_or(0),
        );
        for label in &volumes.labels {
            section += &format!("| {} | {:.2} |\n", label.value, label.times);
        }
    }
    section + "\n"
}

/// What a card says of stage 1, after a heading of its own.
fn stage1_section(proxy: &Proxy) -> String {
    let head = if proxy.is_fitted {
        "a linear head that no stage 1 has trained, fitted anew to the training cases on the finished network's transformer"
    } else {
        "the linear head of stage 1, whose transformer stage 2 has left as it was"
    };
    format!(
        "{STAGE_1}\n\n\
         The proxy task of stage 1 (patch tokens without adapters, one slice with its neighbours at a time, no detail stream and no \
         decoder) has a mean Dice of {:.4} over {} held-out cases, without postprocessing. It is computed by {head}, and is there to \
         be looked at: the model's answer does not use it.\n\n",
        proxy.mean_dice, proxy.num_cases
    )
}

/// A card in which the section of certainty is this one.
pub fn with_certainty(card: &str, calibration: &Calibration) -> String {
    with_section(card, CERTAINTY, &certainty_section(calibration))
}

/// A card in which the section of stage 1 is this one.
pub fn with_stage1(card: &str, proxy: &Proxy) -> String {
    with_section(card, STAGE_1, &stage1_section(proxy))
}

/// A card in which the section of that heading is `section`; a new one stands before the limits.
fn with_section(card: &str, heading: &str, section: &str) -> String {
    let at = |heading: &str| {
        let line = card.find(&format!("\n{heading}\n"));
        line.map(|line| line + 1)
    };
    let (before, after) = match (at(heading), at("## Limits")) {
        (Some(start), _) => {
            let rest = &card[start + heading.len()..];
            let next = rest.find("\n## ").map_or("", |next| &rest[next + 1..]);
            (&card[..start], next)
        }
        (None, Some(limits)) => card.split_at(limits),
        (None, None) => return format!("{}\n\n{section}", card.trim_end()),
    };
    format!("{before}{section}{after}")
}

/// A card in which the weights are those of `manifest`, stored otherwise than those that it was written of.
pub fn with_storage(card: &str, manifest: &ModelManifest) -> String {
    let row = format!("| weights | {} |", weights_fact(&manifest.weights));
    let lines = card.lines().map(|line| {
        let is_row = line.starts_with("| weights |");
        if is_row { &*row } else { line }
    });
    let card: String = lines.flat_map(|line| [line, "\n"]).collect();
    let section = storage_section(manifest);
    let card = match &manifest.calibration {
        Some(calibration) => with_certainty(&card, calibration),
        None => card,
    };
    // Measured of the weights before, and of a head that goes with them.
    let card = match &manifest.proxy {
        Some(proxy) => with_stage1(&card, proxy),
        None => with_section(&card, STAGE_1, ""),
    };
    match card.find("\n## Limits\n") {
        Some(at) => format!("{}{section}{}", &card[..=at], &card[at + 1..]),
        None => format!("{}\n\n{section}", card.trim_end()),
    }
}

/// What a card says of weights that were stored anew, after a heading of its own.
fn storage_section(manifest: &ModelManifest) -> String {
    let mut section = format!(
        "## Storage\n\nThese weights were stored anew in {}",
        manifest.weights.quantization.describe()
    );
    let Some(scores) = &manifest.storage_scores else {
        return section
            + "; what they score was not measured, and all scores above are of the weights before.\n\n";
    };
    section += &format!(
        ". Measured on {} validation cases; scores above are of the weights before, which count as exact here.\n\n\
         | stored in | bytes | mean Dice |\n|---|---|---|\n",
        scores.num_cases
    );
    for stored in &scores.measured {
        section += &format!(
            "| {} | {} | {:.4} |\n",
            stored.describe(),
            stored.bytes,
            stored.mean_dice
        );
    }
    section + "\n"
}

fn weights_fact(weights: &WeightsFile) -> String {
    format!(
        "{} bytes, {}, SHA-256 `{}`",
        weights.bytes,
        weights.quantization.describe(),
        weights.sha256
    )
}

/// Of which runs weights are.
fn steps(run: &RunFacts, averaged_with: &[RunFacts]) -> String {
    let of = |RunFacts { steps, seed }: &RunFacts| {
        format!(
            "stage 1 (proxy task) {}, stage 2 {}, seed {seed}",
            steps[0], steps[1]
        )
    };
    let others: Vec<String> = averaged_with.iter().map(of).collect();
    if others.is_empty() {
        of(run)
    } else {
        format!(
            "{}; the weights are the mean with those of {}",
            of(run),
            others.join(" and of ")
        )
    }
}

/// The trainings that the weights went through before, the oldest first.
fn descent(training: &TrainingFacts) -> String {
    // Those that follow each other on the same data are said together.
    let alike = training
        .ancestors
        .chunk_by(|a, b| (&a.recipe, &a.data) == (&b.recipe, &b.data));
    let of = |ancestors: &[Ancestor]| {
        let runs = ancestors.iter();
        let runs: Vec<String> = runs
            .map(|run| steps(&run.run, &run.averaged_with))
            .collect();
        let Ancestor { recipe, data, .. } = &ancestors[0];
        format!("{recipe}: {}, on {data}", runs.join("; then "))
    };
    let all: Vec<String> = alike.map(of).collect();
    if all.is_empty() {
        "none that is known of".to_owned()
    } else {
        all.join("; then ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProxyWeights;
    use crate::model_folder::ModelFolder;
    use std::path::Path;

    /// Of what the manifest knows; which postprocessings were tried beside the chosen one, it does not.
    #[test]
    fn the_shipped_cards_say_what_their_manifests_say() {
        for (name, num_parameters, ancestors) in [
            ("hippocampus", 2_120_031, 6),
            ("hippocampus/four-bits", 2_120_031, 6),
            ("head", 4_390_431, 8),
            ("head/four-bits", 4_390_431, 8),
        ] {
            let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../public/models");
            let folder = models.join(name);
            let manifest = ModelFolder::open(&folder).manifest().unwrap();
            let card = ModelCard {
                manifest: &manifest,
                scores: manifest.scores.as_ref().unwrap(),
                unquantized_dice: 0.0,
                postprocessings: &[],
                num_parameters,
                limits: &[],
            };
            let written = std::fs::read_to_string(folder.join("README.md")).unwrap();
            for (what, text) in card.facts() {
                if what != "postprocessing" {
                    let row = format!("| {what} | {text} |");
                    assert!(written.contains(&row), "{row}");
                }
            }
            let training = manifest.training;
            assert_eq!(training.ancestors.len(), ancestors);
            let learnt = |ancestor: &Ancestor| ancestor.run.steps != [0, 0];
            assert!(
                training.ancestors.iter().all(learnt),
                "a training without a step"
            );
        }
    }

    #[test]
    fn a_card_is_told_of_stage_1_once_and_of_no_head_nothing() {
        let proxy = |mean_dice| Proxy {
            is_fitted: true,
            mean_dice,
            num_cases: 42,
            weights: ProxyWeights {
                weight: Vec::new(),
                bias: Vec::new(),
            },
        };
        let bare = "# A\n\n## Scores\n\nx\n\n## Limits\n\n- y\n";
        let told = with_stage1(bare, &proxy(0.5));
        assert!(
            told.contains("mean Dice of 0.5000 over 42 held-out cases")
                && told.contains("fitted anew")
        );
        assert!(
            told.find("## Stage 1 alone") < told.find("## Limits"),
            "{told}"
        );
        let again = with_stage1(&told, &proxy(0.25));
        assert_eq!(again, told.replace("0.5000", "0.2500"));
        assert_eq!(with_section(&again, STAGE_1, ""), bare);
        assert_eq!(with_section(bare, STAGE_1, ""), bare);
    }

    #[test]
    fn a_card_is_told_of_certainty_once_wherever_it_stood() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../public/models/hippocampus");
        let calibration = ModelFolder::open(&folder)
            .manifest()
            .unwrap()
            .calibration
            .unwrap();
        let section = certainty_section(&calibration);
        let limits = "# A\n\n## Limits\n\n- one\n";
        let told = with_certainty(limits, &calibration);
        assert_eq!(told, format!("# A\n\n{section}## Limits\n\n- one\n"));
        assert_eq!(with_certainty(&told, &calibration), told);
        let told = with_certainty("# A\n\n### Certainty\nof another kind", &calibration);
        assert_eq!(
            told,
            format!("# A\n\n### Certainty\nof another kind\n\n{section}")
        );
        assert_eq!(with_certainty(&told, &calibration), told);
    }
}
