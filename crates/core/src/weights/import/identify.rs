//! What a checkpoint is.

use super::rules::Rules;
use super::{Checkpoint, ImportError, authors, hugging_face, official, timm};

/// Where a checkpoint comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// DINO-Med3D, authors' code, stage 2.
    AuthorsStage2,
    /// DINO-Med3D, authors' code, stage 1.
    AuthorsStage1,
    /// This program.
    DinoMed3d,
    /// DINOv3, Hugging Face transformers.
    HuggingFace,
    /// DINOv3, timm.
    Timm,
    /// DINOv3, official.
    Official,
}

impl Source {
    /// In the order in which they are tried, each with a name that only it has (the names of
    /// DINOv3 are also part of what is built on it).
    const ANCHORS: [(Self, &'static str); 6] = [
        (Self::AuthorsStage2, "cnn_encoder.stem.0.weight"),
        (Self::AuthorsStage1, "backbone.model.cls_token"),
        (Self::DinoMed3d, "vit.cls_token"),
        (Self::HuggingFace, "embeddings.cls_token"),
        (Self::Timm, "reg_token"),
        (Self::Official, "cls_token"),
    ];
}

impl Source {
    /// Whether its patches are of colour images, not of slices and their neighbours.
    pub fn sees_colours(self) -> bool {
        matches!(self, Self::HuggingFace | Self::Timm | Self::Official)
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AuthorsStage2 => "DINO-Med3D stage 2, authors' code",
            Self::AuthorsStage1 => "DINO-Med3D stage 1, authors' code",
            Self::DinoMed3d => "DINO-Med3D, this program",
            Self::HuggingFace => "DINOv3, Hugging Face",
            Self::Timm => "DINOv3, timm",
            Self::Official => "DINOv3, official",
        })
    }
}

/// Names under which training programs keep weights.
const NESTS: [&str; 6] = [
    "model",
    "teacher",
    "model_state_dict",
    "state_dict",
    "module",
    "backbone",
];

/// What a checkpoint was found to be.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Where it comes from.
    pub source: Source,
    /// What all names begin with.
    pub prefix: String,
    /// Classes of its head, background included; a DINOv3 transformer has none.
    pub num_classes: Option<usize>,
    /// Rank of its LoRA.
    pub lora_rank: Option<usize>,
}

impl Identity {
    /// Finds out what a checkpoint is.
    ///
    /// # Errors
    /// [`ImportError::Unknown`]; [`ImportError::Ambiguous`] if it holds two sets of weights, such
    /// as `model` and `teacher`.
    pub fn of(checkpoint: &Checkpoint) -> Result<Self, ImportError> {
        for (source, anchor) in Source::ANCHORS {
            let prefixes: Vec<&str> = checkpoint
                .names()
                .filter_map(|name| name.strip_suffix(anchor))
                .filter(|prefix| is_nest(prefix))
                .collect();
            match prefixes[..] {
                [] => {}
                [prefix] => return Ok(Self::with(checkpoint, source, prefix)),
                _ => {
                    return Err(ImportError::Ambiguous(
                        prefixes.iter().map(|p| format!("“{p}”")).collect(),
                    ));
                }
            }
        }
        Err(ImportError::Unknown {
            count: checkpoint.names().count(),
            examples: checkpoint.names().take(3).map(str::to_owned).collect(),
        })
    }

    fn with(checkpoint: &Checkpoint, source: Source, prefix: &str) -> Self {
        let rows = |name: &str| -> Option<usize> {
            let shape = checkpoint.shape(&format!("{prefix}{name}"))?;
            shape.first().copied()
        };
        let (num_classes, lora_rank) = match source {
            Source::AuthorsStage2 => (
                rows("decoder_final.cls_seg.weight"),
                checkpoint
                    .names()
                    .find(|name| name.ends_with(".lora_A.default.weight"))
                    .and_then(|name| checkpoint.shape(name)?.first().copied()),
            ),
            Source::AuthorsStage1 => (rows("head.weight"), None),
            _ => (None, None),
        };
        Self {
            source,
            prefix: prefix.to_owned(),
            num_classes,
            lora_rank,
        }
    }

    /// The table of names; none for our own files, whose names are ours.
    pub fn rules(&self, checkpoint: &Checkpoint) -> Option<Rules> {
        let prefix = &self.prefix;
        Some(match self.source {
            Source::AuthorsStage2 => authors::stage2(prefix, self.lora_rank.is_some()),
            Source::AuthorsStage1 => authors::stage1(prefix),
            Source::DinoMed3d => return None,
            Source::HuggingFace => {
                // Newer files keep the blocks in a module of their own.
                let nested = format!("{prefix}model.layer.");
                let is_nested = checkpoint.names().any(|name| name.starts_with(&nested));
                let blocks = if is_nested {
                    nested
                } else {
                    format!("{prefix}layer.")
                };
                hugging_face::rules(prefix, &blocks)
            }
            Source::Timm => {
                let has_bias = checkpoint.contains(&format!("{prefix}blocks.0.attn.q_bias"));
                timm::rules(prefix, has_bias)
            }
            Source::Official => official::rules(prefix),
        })
    }

    /// Whether a tensor of the checkpoint is known to be of no use.
    pub fn ignores(&self, name: &str) -> bool {
        let ignored: Vec<&str> = match self.source {
            Source::AuthorsStage2 => [&official::IGNORED[..], &authors::IGNORED].concat(),
            Source::AuthorsStage1 | Source::Official => official::IGNORED.to_vec(),
            Source::HuggingFace => hugging_face::IGNORED.to_vec(),
            Source::Timm | Source::DinoMed3d => Vec::new(),
        };
        // peft puts `base_layer` into names.
        let name = name.replace(".base_layer.", ".");
        ignored
            .iter()
            .any(|end| name == *end || name.ends_with(&format!(".{end}")))
    }
}

fn is_nest(prefix: &str) -> bool {
    prefix
        .split_terminator('.')
        .all(|segment| NESTS.contains(&segment))
}
