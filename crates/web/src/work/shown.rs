//! What the page shows of the work.

use std::rc::Rc;

use dinomed3d_volume::Label;
use dinomed3d_volume::volumetry::{LabelSize, VolumeRange};

use super::inside::Looked;
use crate::protocol::{
    Backend, BackendChoice, CheckErrors, Failure, JobId, ModelInfo, ScanChoice, ScanInfo, ScanOffer,
};
use crate::words;

/// Everything the page shows of the work; `B` is a file's bytes.
#[derive(Debug, Clone)]
pub struct Shown<B> {
    /// What the visitor asked to compute on.
    pub choice: BackendChoice,
    /// What the worker computes on, once it has said so.
    pub backend: Option<BackendStatus>,
    /// Where the worker stands.
    pub worker: WorkerPhase,
    /// The models of this site, and the visitor's own.
    pub models: Vec<ModelEntry>,
    /// Folder name of the chosen model, or what the page calls one of the visitor's own.
    pub model_name: String,
    /// The loaded model.
    pub model: Option<LoadedModel>,
    /// Whether a scan is being read.
    pub is_reading: bool,
    /// Scans of which the visitor is to choose one.
    pub offers: Option<Rc<Offers>>,
    /// The list of scans; a scan by itself is in none.
    pub scans: Vec<Listed>,
    /// The channels of the loaded model; none of a model that takes one scan.
    pub channels: Vec<Channel>,
    /// Which of how many scans has its turn, from 1, while the list is segmented.
    pub queue: Option<(usize, usize)>,
    /// The scan on screen.
    pub scan: Option<Rc<Scan<B>>>,
    /// What segmenting it will take, once the worker has said so.
    pub preflight: Option<Preflight>,
    /// The segmentation under way.
    pub run: Option<Run>,
    /// What it has labelled so far; on screen in place of the outcome.
    pub partial: Option<Rc<Partial<B>>>,
    /// The last result.
    pub outcome: Option<Rc<Outcome<B>>>,
    /// Whether the worker can tell how sure the network was of it.
    pub has_logits: bool,
    /// How probable its class is at each voxel, in 255 steps.
    pub certainty: Option<Rc<B>>,
    /// How far learning from the visitor's strokes is, 0 to 1.
    pub learning: Option<f32>,
    /// Between which volumes the true ones of the result lie, if that is known.
    pub ranges: Option<Rc<Vec<VolumeRange>>>,
    /// What was asked last about the inside of the network.
    pub inside: Option<Rc<Looked<B>>>,
    /// How far a question about it is, 0 to 1.
    pub looking: Option<f32>,
    /// The last event, as a sentence.
    pub status: String,
    /// What went wrong last, until something goes right.
    pub failure: Option<Failure>,
}

impl<B> Shown<B> {
    /// A page that has just been opened.
    pub fn new(choice: BackendChoice) -> Self {
        Self {
            choice,
            backend: None,
            worker: WorkerPhase::Starting,
            models: Vec::new(),
            model_name: String::new(),
            model: None,
            is_reading: false,
            offers: None,
            scans: Vec::new(),
            channels: Vec::new(),
            queue: None,
            scan: None,
            preflight: None,
            run: None,
            partial: None,
            outcome: None,
            has_logits: false,
            certainty: None,
            learning: None,
            ranges: None,
            inside: None,
            looking: None,
            status: String::new(),
            failure: None,
        }
    }

    /// Whether a segmentation can be asked for.
    pub fn can_segment(&self) -> bool {
        self.is_idle() && self.scan.is_some() && self.has_channels()
    }

    /// Whether every channel has its scan, and the one on screen is one of them.
    fn has_channels(&self) -> bool {
        let mut on_screen = self.scans.iter().filter(|scan| scan.is_on_screen);
        let on_screen = on_screen.next().map(|scan| scan.id);
        let are_all = self.channels.iter().all(|channel| channel.scan.is_some());
        let is_one = |channel: &Channel| channel.scan == on_screen;
        self.channels.is_empty() || are_all && self.channels.iter().any(is_one)
    }

    /// Whether the list can be segmented, and there is something left to do.
    pub fn can_segment_all(&self) -> bool {
        self.is_idle() && self.scans.iter().any(|scan| scan.is_wanted)
    }

    /// Whether its network can learn from strokes painted into the result on screen: where only one has made it, and is still there.
    pub fn can_learn(&self) -> bool {
        let is_of_one = |outcome: &Rc<Outcome<B>>| outcome.looked_closer.is_empty();
        self.has_logits
            && self.run.is_none()
            && self.learning.is_none()
            && self.outcome.as_ref().is_some_and(is_of_one)
    }

    fn is_idle(&self) -> bool {
        self.worker == WorkerPhase::Usable
            && !self.is_reading
            && self.run.is_none()
            && self.queue.is_none()
    }

    /// Whether that segmentation is under way.
    pub fn is_running(&self, job: JobId) -> bool {
        self.run.is_some_and(|run| run.job == job)
    }
}

/// Where the worker stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WorkerPhase {
    /// No word from it yet.
    Starting,
    /// The model is on its way, in bytes.
    LoadingModel {
        /// Bytes so far.
        received: u64,
        /// Bytes in all; 0 if unknown.
        total: u64,
    },
    /// The model is loaded and checked.
    Usable,
    /// It is gone, or has no model, and only the visitor can start another.
    Gone,
}

/// What the worker computes on.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendStatus {
    /// The backend that runs.
    pub backend: Backend,
    /// The graphics adapter, if there is one.
    pub adapter: Option<String>,
    /// Why this backend.
    pub reason: String,
}

/// A model that can be chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Folder name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Of what another model finds it knows a part.
    pub part_of: Option<PartOf>,
    /// Whether the site has a document of its name, which says how it was judged.
    pub has_document: bool,
    /// What its manifest says before anything else of it is fetched; none of one that can't be read or is the visitor's own.
    pub offer: Option<ModelOffer>,
}

/// What is known of a model before its weights are fetched, as far as its manifest says.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelOffer {
    /// What it does.
    pub description: String,
    /// Which scans it is for.
    pub modality: String,
    /// Of its weights.
    pub version: String,
    /// Number of labels, without background.
    pub labels: usize,
    /// The file to be fetched.
    pub weights: Option<OfferedWeights>,
    /// How it was made.
    pub training: Option<OfferedTraining>,
    /// How good it is; none of one that was never scored.
    pub scores: Option<OfferedScores>,
}

/// Weights to be fetched.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct OfferedWeights {
    /// Size of the file.
    pub bytes: u64,
    /// How they are stored, such as `q4-block32`.
    #[serde(default)]
    pub quantization: String,
}

/// How an offered model was made.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
pub struct OfferedTraining {
    /// Of the weights.
    pub licence: String,
    /// Whom to name.
    pub attribution: String,
}

/// How good an offered model is.
#[derive(Debug, Clone, PartialEq, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OfferedScores {
    /// Mean Dice over labels and cases.
    pub mean_dice: f64,
    /// Cases that it was not trained on.
    pub num_cases: usize,
}

/// Of what another model finds a model knows a part.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
pub struct PartOf {
    /// Folder name of the other one.
    pub model: String,
    /// Name of the part for people, as in "Look closer at the hippocampi".
    pub name: String,
}

/// A part of what was found that a model of its own can look closer at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closer {
    /// Folder name of that model.
    pub model: String,
    /// As [`PartOf`] has it.
    pub name: String,
}

/// A model that the worker holds.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadedModel {
    /// What it is.
    pub info: ModelInfo,
    /// Differences from its known output.
    pub check_errors: CheckErrors,
    /// Time it took to load.
    pub millis: f64,
}

/// Number of a scan in the list.
pub type ListId = u32;

/// A scan of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its number.
    pub id: ListId,
    /// What it is called.
    pub name: String,
    /// How it stands.
    pub state: ListedState,
    /// Whether it is the scan on screen.
    pub is_on_screen: bool,
    /// Whether the chosen model has not segmented it yet, and can be asked to.
    pub is_wanted: bool,
    /// Whether there is a result of it, be it of another model.
    pub has_result: bool,
    /// Whether there is something that a reader of that result should know.
    pub has_warnings: bool,
}

/// One of the scans that a model takes at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// What the model calls it, such as `T1`.
    pub name: String,
    /// Which scan of the list it is.
    pub scan: Option<ListId>,
}

/// How a scan of the list stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListedState {
    /// Nothing is known of it.
    Waiting,
    /// It is read or segmented.
    Working,
    /// It is segmented; what was found.
    Done(String),
    /// It could not be read or segmented; why, as a sentence.
    Failed(String),
}

/// The scan on screen.
#[derive(Debug)]
pub struct Scan<B> {
    /// File name.
    pub name: String,
    /// The file, kept for a fresh worker.
    pub bytes: B,
    /// Which of its scans it is, for the same worker.
    pub choice: Option<ScanChoice>,
    /// The scan as a NIfTI file, where the file is none that the viewer reads.
    pub view: Option<B>,
    /// What the worker read.
    pub info: ScanInfo,
}

/// The scans that a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Offers {
    /// The file's name.
    pub name: String,
    /// All of them.
    pub scans: Vec<ScanOffer>,
    /// Why they are several where one would be expected.
    pub reason: Option<String>,
}

/// What segmenting a scan will take.
#[derive(Debug, Clone, PartialEq)]
pub struct Preflight {
    /// Windows in all.
    pub windows: usize,
    /// Workers that compute.
    pub workers: usize,
    /// Time, if it can be told.
    pub seconds: Option<f64>,
    /// Memory at the most.
    pub memory_bytes: u64,
    /// What to do or to expect where the device is too small.
    pub advice: Option<String>,
}

/// A segmentation under way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Run {
    /// Its request.
    pub job: JobId,
    /// Share of the work that is done, 0 to 1.
    pub fraction: f32,
    /// Window under way, from 1; 0 until known.
    pub window: usize,
    /// Windows in all; 0 until known.
    pub windows: usize,
    /// When it was asked for, on the page's clock.
    pub started_ms: f64,
    /// When its progress was last heard of.
    pub heard_ms: f64,
    /// Whether the visitor has asked to stop.
    pub is_cancelled: bool,
}

impl Run {
    /// Seconds left at the pace so far; `None` while too little is known.
    pub fn seconds_left(&self) -> Option<f64> {
        let elapsed_ms = self.heard_ms - self.started_ms;
        let fraction = f64::from(self.fraction);
        (fraction > 0.02 && elapsed_ms > 300.0)
            .then(|| elapsed_ms / 1_000.0 * (1.0 - fraction) / fraction)
    }
}

/// A label map that grows.
#[derive(Debug)]
pub struct Partial<B> {
    /// The gzipped NIfTI file.
    pub bytes: B,
    /// Labels that may come up in it.
    pub labels: Vec<Label>,
}

/// A result.
#[derive(Debug)]
pub struct Outcome<B> {
    /// File name to save it under.
    pub name: String,
    /// The gzipped NIfTI file.
    pub bytes: B,
    /// The same as a DICOM segmentation, of a scan that came as DICOM.
    pub seg: Option<B>,
    /// Labels of the map without the background.
    pub labels: Vec<Label>,
    /// Size of every label.
    pub statistics: Vec<LabelSize>,
    /// What a reader should know.
    pub warnings: Vec<String>,
    /// What can be looked at closer.
    pub closer: Vec<Closer>,
    /// Folder name of the model that found it.
    pub model: String,
    /// Of a model that takes several scans which were its channels, such as `T1: first.nii`.
    pub given: Vec<String>,
    /// That model, as it was then.
    pub made_by: Option<Rc<ModelInfo>>,
    /// What other models have looked closer at since.
    pub looked_closer: Vec<Closer>,
    /// The result before the last of these looks.
    pub looked_from: Option<Rc<Outcome<B>>>,
    /// What it was computed on.
    pub backend: Option<Backend>,
    /// How long it took.
    pub millis: f64,
    /// What the network found, where a person has changed it since.
    pub mended_from: Option<Rc<Outcome<B>>>,
    /// Of how many of that person's strokes its network has learnt on this scan, if it has.
    pub learnt_from: Option<usize>,
}

impl<B: Clone> Outcome<B> {
    /// This result, changed by a person: with another label map, and so with another name, other sizes and no DICOM segmentation, as
    /// that is the worker's.
    pub fn mended(self: &Rc<Self>, bytes: B, statistics: Vec<LabelSize>) -> Self {
        let found = self.mended_from.as_ref().unwrap_or(self);
        Self {
            name: words::mended_name(&found.name),
            bytes,
            seg: None,
            labels: self.labels.clone(),
            statistics,
            warnings: self.warnings.clone(),
            closer: self.closer.clone(),
            model: self.model.clone(),
            given: self.given.clone(),
            made_by: self.made_by.clone(),
            looked_closer: self.looked_closer.clone(),
            looked_from: self.looked_from.clone(),
            backend: self.backend,
            millis: self.millis,
            mended_from: Some(Rc::clone(found)),
            learnt_from: self.learnt_from,
        }
    }
}
