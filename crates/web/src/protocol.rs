//! What the page and the worker say to each other.
//!
//! A message is a small enum, sent as JSON; a file's bytes travel beside it as a transferred `ArrayBuffer`. The
//! worker speaks first ([`FromWorker::Ready`]), every reply names the job it answers, and after
//! [`Failure::is_fatal`] the worker says nothing more: the page ends it and starts another.
//!
//! The page tells a worker its backend in the query of the worker's address, because it must be known before the worker's
//! first message.

use dinomed3d_volume::Label;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};
use serde::{Deserialize, Serialize};

/// Number of a request; replies carry it back.
pub type JobId = u32;

/// Name of the worker's query parameter that holds a [`BackendChoice`].
pub const BACKEND_PARAMETER: &str = "backend";

/// Name of the worker's query parameter that says why WebGPU is not to be tried automatically.
pub const AVOID_PARAMETER: &str = "avoid-webgpu";

/// What a visitor asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendChoice {
    /// WebGPU on a real graphics processor, otherwise the CPU.
    #[default]
    Automatic,
    /// WebGPU on whatever adapter there is.
    WebGpu,
    /// WebAssembly with SIMD.
    Cpu,
}

impl BackendChoice {
    /// The choice's name in addresses and in the control's options.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Automatic => "automatic",
            Self::WebGpu => "webgpu",
            Self::Cpu => "cpu",
        }
    }

    /// The choice called `name`; an unknown name is [`BackendChoice::Automatic`].
    pub fn parse(name: &str) -> Self {
        match name {
            "webgpu" => Self::WebGpu,
            "cpu" => Self::Cpu,
            _ => Self::Automatic,
        }
    }
}

/// What a worker computes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The browser's WebGPU.
    WebGpu,
    /// WebAssembly with SIMD.
    Cpu,
}

impl Backend {
    /// The backend's name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::WebGpu => "WebGPU",
            Self::Cpu => "CPU",
        }
    }
}

/// What is told of a network's probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Probabilities {
    /// The probability of each voxel's own class, in 255 steps: bytes, `[z, y, x]` on the scan's grid.
    Certainty,
    /// The same as a gzipped NIfTI file.
    CertaintyFile,
    /// That of each label, a volume each, as a gzipped NIfTI file.
    OfLabels,
}

/// A part of the network that may be taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// A slice's neighbours in the multi-slice embedding.
    Neighbours,
    /// The 3-D adapters in the blocks.
    Adapters,
    /// The detail recovery stream.
    Detail,
    /// The transformer.
    Transformer,
}

/// What is asked about the inside of the network at a place. Blocks are counted from 1; after 0 blocks there is the embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Question {
    /// The slice and its neighbours, as the embedding sees them.
    Slices,
    /// Tokens as colours.
    Colours {
        /// After so many blocks.
        after: usize,
    },
    /// How alike every token is to the one at the place.
    Similarity {
        /// After so many blocks.
        after: usize,
    },
    /// Where the token at the place looks.
    Attention {
        /// In which block.
        block: usize,
        /// By which head, from 1; none for all heads of all blocks so far.
        head: Option<usize>,
    },
    /// How much adapters change tokens.
    Adapters {
        /// After so many blocks.
        after: usize,
    },
    /// Which slices hear of the slice at the place.
    Reach,
    /// What the detail stream finds.
    Detail {
        /// From 1, the finest.
        level: usize,
    },
    /// How far the gate is open for the detail stream.
    Gate,
    /// The labels without a part.
    Without {
        /// The part.
        part: Part,
    },
    /// The labels of stage 1.
    Proxy,
}

/// From the page to the worker, and from a worker to others that compute beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum ToWorker {
    /// Fetch and check the model below `base`, a path of the site that ends in a slash. A request for another model gives up an
    /// earlier one that is still under way. A visitor's own model travels beside this message, a zip of its folder.
    LoadModel {
        /// This request.
        job: JobId,
        /// Folder of `manifest.json`; of a visitor's own model what it is called.
        base: String,
    },
    /// Take the scan whose file travels beside this message: a scan by itself, or a zip of DICOM files or scans. The answer is
    /// [`FromWorker::ScanLoaded`], or [`FromWorker::Choices`] where there are several and none is chosen.
    LoadScan {
        /// This request.
        job: JobId,
        /// Which of several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        choice: Option<ScanChoice>,
    },
    /// Take one more channel of the scan for a segmentation that is asked for next. Its file travels beside this message; what is wrong
    /// with it is said of the segmentation.
    Channel {
        /// The [`ToWorker::Segment`] request to come.
        job: JobId,
        /// Which of the model's channels, from 0.
        place: usize,
        /// What messages call the file.
        name: String,
        /// Which of several scans in it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        choice: Option<ScanChoice>,
    },
    /// Segment the scan with the model; refused if the worker holds another one. Of a model of several channels the scan is the one that
    /// no [`ToWorker::Channel`] has brought.
    Segment {
        /// This request.
        job: JobId,
        /// The [`ToWorker::LoadModel`] request that loaded the model.
        model: JobId,
    },
    /// Say what segmenting the scan with the model will take; nothing is computed.
    Preflight {
        /// This request.
        job: JobId,
        /// The [`ToWorker::LoadModel`] request that loaded the model.
        model: JobId,
    },
    /// Look closer at what an earlier segmentation of the scan has found: a model of a part segments a crop around it, and its
    /// labels take the place of the part's. The label map's gzipped NIfTI file travels beside this message; the answer is
    /// [`FromWorker::Segmented`].
    Closer {
        /// This request.
        job: JobId,
        /// Folder of the part's `manifest.json`, as [`ToWorker::LoadModel`] has it.
        model: String,
        /// Labels of the map without the background.
        labels: Vec<Label>,
    },
    /// Make a DICOM segmentation of a label map of the scan that a person has changed. Its gzipped NIfTI file travels beside this
    /// message; the answer is [`FromWorker::Segmentation`].
    Segmentation {
        /// This request.
        job: JobId,
        /// Labels of the map without the background.
        labels: Vec<Label>,
        /// The model that found what was changed.
        maker: Maker,
    },
    /// Say how sure the network was of a result. The answer is [`FromWorker::Probabilities`].
    Probabilities {
        /// This request.
        job: JobId,
        /// The [`ToWorker::Segment`] request whose result is meant; a later one replaces it.
        of: JobId,
        /// In which form.
        what: Probabilities,
    },
    /// Say what goes on inside the network at a place of a result. The answer is [`FromWorker::Inside`].
    Inside {
        /// This request.
        job: JobId,
        /// The [`ToWorker::Segment`] request whose result is meant; a later one replaces it.
        of: JobId,
        /// The place in the world.
        at_mm: [f64; 3],
        /// What is asked.
        question: Question,
        /// Of the network without this part.
        without: Option<Part>,
    },
    /// Have the network's last layers learn from strokes that the visitor has painted into a result. They travel beside this message
    /// as `u32`, little-endian: of each stroke its label, 0 for none, the number of its voxels, and their indices in the scan's
    /// memory. The answer is [`FromWorker::Learnt`].
    Learn {
        /// This request.
        job: JobId,
        /// The [`ToWorker::Segment`] request whose result is meant; a later one replaces it.
        of: JobId,
    },
    /// Pass images through a transformer that is not part of a model. Weights (`vit.…`) and images (`input`) travel
    /// beside this message as a safetensors file; images alone are for the transformer before. The page does not ask this; tests
    /// hold the backend against reference numbers with it.
    Transform {
        /// This request.
        job: JobId,
        /// The transformer's settings, JSON.
        vit: String,
    },
    /// Take a window to its logits with the model. Its values, `f32`, travel beside this message. The page does not ask this: a
    /// worker asks others, to be done sooner.
    Window {
        /// This request.
        job: JobId,
        /// The [`ToWorker::LoadModel`] request that loaded the model.
        model: JobId,
    },
    /// Give up the job as soon as possible.
    Cancel {
        /// The job to give up.
        job: JobId,
    },
}

/// From the worker to the page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum FromWorker {
    /// A backend was chosen. Said first, and again if the model's check rules that backend out.
    Ready {
        /// What the worker computes on.
        backend: Backend,
        /// The graphics adapter, if one was found.
        adapter: Option<String>,
        /// Why this backend, as a sentence.
        reason: String,
    },
    /// Weights are arriving.
    Downloading {
        /// The [`ToWorker::LoadModel`] request.
        job: JobId,
        /// Bytes so far.
        received: u64,
        /// Bytes in all, from the manifest.
        total: u64,
    },
    /// The model is loaded and gave the known output for the known input.
    ModelLoaded {
        /// The [`ToWorker::LoadModel`] request.
        job: JobId,
        /// What was loaded.
        model: ModelInfo,
        /// Differences from the known output.
        check_errors: CheckErrors,
        /// Time from the request to here, download included.
        millis: f64,
    },
    /// The file holds several scans, of which one has to be chosen.
    Choices {
        /// The [`ToWorker::LoadScan`] request.
        job: JobId,
        /// All of them.
        offers: Vec<ScanOffer>,
        /// Why they are several where one would be expected, as a sentence without its full stop.
        reason: Option<String>,
    },
    /// The scan was read. Where a viewer can't be expected to read the file, a NIfTI file of the scan travels beside this message.
    ScanLoaded {
        /// The [`ToWorker::LoadScan`] request.
        job: JobId,
        /// What was read.
        scan: ScanInfo,
    },
    /// What segmenting the scan will take.
    Preflight {
        /// The [`ToWorker::Preflight`] request.
        job: JobId,
        /// Windows in all.
        windows: usize,
        /// Workers that compute.
        workers: usize,
        /// Time on this device; none if it can't be told.
        seconds: Option<f64>,
        /// Memory at the most.
        memory_bytes: u64,
        /// What to do or to expect where the device is too small, as a sentence.
        advice: Option<String>,
    },
    /// A segmentation goes on.
    Progress {
        /// The [`ToWorker::Segment`] or [`ToWorker::Closer`] request.
        job: JobId,
        /// Share of the work that is done, 0 to 1.
        fraction: f32,
        /// Window under way, from 1.
        window: usize,
        /// Windows in all.
        windows: usize,
    },
    /// What is labelled so far, on the scan's grid; its gzipped NIfTI file travels beside this message. The next one, or the
    /// result, takes its place.
    Partial {
        /// The [`ToWorker::Segment`] or [`ToWorker::Closer`] request.
        job: JobId,
    },
    /// The label map as a DICOM segmentation that refers to the scan's series; its file travels beside this message. Said of a scan
    /// that came as DICOM, just before [`FromWorker::Segmented`].
    DicomSeg {
        /// The [`ToWorker::Segment`] or [`ToWorker::Closer`] request.
        job: JobId,
    },
    /// The DICOM segmentation that was asked for; its file travels beside this message.
    Segmentation {
        /// The [`ToWorker::Segmentation`] request.
        job: JobId,
    },
    /// The label map is ready; its gzipped NIfTI file travels beside this message.
    Segmented {
        /// The [`ToWorker::Segment`] or [`ToWorker::Closer`] request.
        job: JobId,
        /// Time from the request to here.
        millis: f64,
        /// Labels of the map without the background.
        labels: Vec<Label>,
        /// Size of every label.
        statistics: Vec<LabelSize>,
        /// What a reader of the result should know.
        warnings: Vec<String>,
    },
    /// Between which volumes the true ones lie; said after [`FromWorker::Segmented`], of a model that knows.
    VolumeRanges {
        /// The [`ToWorker::Segment`] request.
        job: JobId,
        /// Of labels of the map.
        ranges: Vec<VolumeRange>,
    },
    /// How sure the network was; it travels beside this message.
    Probabilities {
        /// The [`ToWorker::Probabilities`] request.
        job: JobId,
        /// In which form.
        what: Probabilities,
    },
    /// What goes on inside the network; a gzipped NIfTI file of its map, if there is one, travels beside this message.
    Inside {
        /// The [`ToWorker::Inside`] request.
        job: JobId,
        /// What beside the map.
        view: InsideView,
    },
    /// The last layers have learnt; the gzipped NIfTI file of the label map that they give, with the strokes in it, travels beside this
    /// message.
    Learnt {
        /// The [`ToWorker::Learn`] request.
        job: JobId,
    },
    /// The features are ready; a safetensors file of them travels beside this message.
    Transformed {
        /// The [`ToWorker::Transform`] request.
        job: JobId,
    },
    /// A window is done; its logits, `f32`, travel beside this message.
    Window {
        /// The [`ToWorker::Window`] request.
        job: JobId,
    },
    /// The job was given up, as asked or for a later one.
    Cancelled {
        /// The job that was given up.
        job: JobId,
    },
    /// Something went wrong.
    Failed {
        /// The request that failed; none if the worker itself did.
        job: Option<JobId>,
        /// What happened.
        failure: Failure,
    },
}

/// What is said of the inside of a network at a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InsideView {
    /// What the map holds; none without a map.
    pub map: Option<MapKind>,
    /// Small pictures, to be seen side by side.
    pub pictures: Vec<Picture>,
    /// Numbers over slices, in the order of the window's.
    pub curves: Vec<Curve>,
    /// Dice of labels without a part or of stage 1, against those of the whole network.
    pub dice: Vec<(u8, f64)>,
    /// How stage 1 is computed, where it was asked for and the model can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<ProxyFacts>,
    /// What there is to be asked about.
    pub network: NetworkSize,
    /// Slice, row and column of the token at the place; none where the network did not look.
    pub token: Option<[usize; 3]>,
}

/// What is known of a model's head for stage 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProxyFacts {
    /// Whether it was fitted when the network was done, and not trained in stage 1.
    pub is_fitted: bool,
    /// Mean Dice of stage 1 over held-out cases.
    pub mean_dice: f64,
    /// Of so many.
    pub num_cases: usize,
}

/// What a map holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum MapKind {
    /// Colours.
    Colours,
    /// Numbers, to be drawn from dark to bright in this range.
    Numbers {
        /// Dark.
        low: f32,
        /// Bright.
        high: f32,
    },
    /// Labels.
    Labels,
}

/// What a picture of the inside shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Shows {
    /// A slice of the window; its number is how far it lies behind that of the place, below 0 before it.
    Slice,
    /// The slice before that of the place in red, that in green and the one after it in blue.
    Together,
    /// Where the head of that number looks, from 1.
    Head,
    /// The labels of stage 1 or 2 of the training.
    Stage,
}

/// A small picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// What is on it.
    pub shows: Shows,
    /// Which of its kind.
    pub number: i32,
    /// How much of what a head looks at are tokens of no patch, from 0 to 1.
    pub elsewhere: f32,
    /// A `data:` address.
    pub address: String,
}

/// A number for each slice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Curve {
    /// Whether it is of the whole network; else of one without adapters.
    pub is_whole: bool,
    /// Of each slice.
    pub values: Vec<f32>,
}

/// How much of each there is in a network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSize {
    /// Blocks of the transformer.
    pub blocks: usize,
    /// Heads of each block.
    pub heads: usize,
    /// Levels of the detail stream.
    pub levels: usize,
    /// Edge of a patch in voxels of the model grid.
    pub patch: usize,
    /// Numbers of a token.
    pub width: usize,
    /// Slices, rows and columns of the token grid.
    pub tokens: [usize; 3],
}

/// What happened and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What happened, as a sentence.
    pub what: String,
    /// What a visitor can do, as a sentence.
    pub advice: String,
    /// Whether the worker can't go on.
    pub is_fatal: bool,
}

/// Differences from a model's known output, each relative to the largest expected value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckErrors {
    /// After one transformer block.
    pub first_block: f32,
    /// Of the whole network.
    pub logits: f32,
    /// Whether it computes in half precision.
    #[serde(default)]
    pub is_half: bool,
}

/// A model as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Folder name of the model.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Version of the weights.
    pub version: String,
    /// Checksum of the weights, lower-case hexadecimal; empty where it is not known.
    #[serde(default)]
    pub weights_sha256: String,
    /// What kind of scan it knows, such as `MR of a head: T1, T2, FLAIR or PD`.
    pub modality: String,
    /// Names of the scans that it takes at once, in order; none of a model that takes one.
    #[serde(default)]
    pub channels: Vec<String>,
    /// Labels without the background.
    pub labels: Vec<Label>,
    /// How far its certainty is from how often it is right, in the mean; none where nobody measured it.
    #[serde(default)]
    pub calibration_error: Option<f64>,
    /// The card that lies beside a model of the visitor's own, Markdown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
}

/// The model that has made a label map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Maker {
    /// Folder name.
    pub name: String,
    /// Version of its weights; empty where it is not known.
    pub version: String,
    /// Their checksum, likewise.
    pub weights_sha256: String,
}

/// A scan as the page shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanInfo {
    /// Voxels along x, y and z of the file.
    pub shape: [usize; 3],
    /// Size of a voxel along x, y and z of the file.
    pub spacing_mm: [f64; 3],
    /// Axis codes, such as `RAS`.
    pub orientation: String,
    /// Rows of the matrix from voxels along x, y and z of the file to the world in mm, as everything but the viewer has it.
    #[serde(default)]
    pub affine: Option<[[f64; 4]; 3]>,
    /// NIfTI's name of the voxel type.
    pub datatype: String,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// What a series' scanner calls it.
    #[serde(default)]
    pub description: Option<String>,
}

/// One of the scans that a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanChoice {
    /// Its [`ScanOffer::index`].
    pub index: usize,
    /// Which of its volumes, counted from 0.
    pub volume: usize,
}

/// A scan that can be chosen, of one volume or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanOffer {
    /// Its place among all: of DICOM that of the series, as the command line counts them.
    pub index: usize,
    /// What a scanner or a file's name calls it; may be empty.
    pub description: String,
    /// Such as `MR`; empty where the file does not say.
    pub modality: String,
    /// Voxels along x, y and z of a volume.
    pub shape: [usize; 3],
    /// Size of a voxel along x, y and z, if it can be told.
    pub spacing_mm: Option<[f64; 3]>,
    /// How many volumes lie at its place: times, echoes.
    pub num_volumes: usize,
    /// Its middle slice, a small picture as a `data:` address.
    pub thumbnail: Option<String>,
    /// Why it can't be opened, as a sentence without its full stop.
    pub problem: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_survives_the_journey() {
        let messages = [
            FromWorker::Preflight {
                job: 2,
                windows: 2,
                workers: 1,
                seconds: Some(40.5),
                memory_bytes: 900_000_000,
                advice: None,
            },
            FromWorker::Progress {
                job: 3,
                fraction: 0.5,
                window: 1,
                windows: 4,
            },
            FromWorker::Failed {
                job: None,
                failure: Failure {
                    what: "it broke".into(),
                    advice: "try again".into(),
                    is_fatal: true,
                },
            },
        ];
        for message in messages {
            let text = serde_json::to_string(&message).expect("a message is JSON");
            let back: FromWorker = serde_json::from_str(&text).expect("its own JSON is read");
            assert_eq!(back, message);
        }
    }

    #[test]
    fn a_message_says_its_kind_in_camel_case() {
        let text = serde_json::to_string(&ToWorker::LoadScan {
            job: 7,
            choice: None,
        })
        .expect("JSON");
        assert_eq!(text, r#"{"kind":"loadScan","job":7}"#);
    }

    #[test]
    fn a_backend_is_found_by_its_own_name() {
        for choice in [
            BackendChoice::Automatic,
            BackendChoice::WebGpu,
            BackendChoice::Cpu,
        ] {
            assert_eq!(BackendChoice::parse(choice.as_str()), choice);
        }
        assert_eq!(BackendChoice::parse("gpu"), BackendChoice::Automatic);
    }
}
