//! What the worker holds, and what it does for every message.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::panic;
use std::rc::Rc;

use dinomed3d_core::infer::check::{self, CheckReach};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::model::vit::VisionTransformer;
use dinomed3d_core::model::{Numbers, choose_kernels};
use dinomed3d_core::segmenter::{ModelError, Segmenter};
use dinomed3d_core::weights::{Hold, WeightsError};
use dinomed3d_volume::Scan;
use dinomed3d_volume::dicom::segmentation::Origin;
use futures_util::future::join;
use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;

use super::backend::ChosenBackend;
use super::channels::Channels;
use super::crew::{BESIDE_PARAMETER, Crew, ModelSource};
use super::describe;
use super::download::{Download, Length};
use super::kept::KeptLogits;
use super::open::{self, Opened};
use super::outside::OutsideBytes;
use super::own_model::OwnModel;
use super::passes::Passes;
use super::protocol::{
    AVOID_PARAMETER, BACKEND_PARAMETER, Backend, BackendChoice, CheckErrors, FromWorker, JobId,
    ModelInfo, ScanChoice, ToWorker,
};
use super::scope;
use super::transform;

/// A manifest is some tens of kilobytes.
const LONGEST_MANIFEST: u64 = 4 << 20;

/// Larger weights files stay in as few bits on a card as they are: there they would take four or eight times as much.
const LARGE_WEIGHTS: u64 = 32 << 20;

/// The worker's possessions.
pub(super) struct Engine {
    backend: RefCell<ChosenBackend>,
    /// The model, under the request that loaded it.
    pub(super) model: RefCell<Option<(JobId, Rc<Crew>)>>,
    /// The last request for a model: an earlier one that is still under way is given up.
    newest_model: Cell<JobId>,
    /// A model that looks closer at a part, under its folder.
    pub(super) part: RefCell<Option<(String, Rc<Crew>)>>,
    pub(super) scan: RefCell<Option<Rc<Scan>>>,
    /// What a segmentation to come takes beside it.
    pub(super) channels: Channels,
    /// What a DICOM segmentation of the scan refers to.
    pub(super) origin: RefCell<Option<Origin>>,
    /// Of the last result.
    pub(super) kept: RefCell<Option<Rc<KeptLogits>>>,
    /// What the network did inside, of the last result.
    pub(super) passes: Passes,
    /// One that is not part of a model.
    transformer: RefCell<Option<VisionTransformer>>,
    /// How long this device takes for 10⁹ operations, as far as it is known.
    pub(super) seconds_per_gflop: Cell<Option<f64>>,
    /// In which the graphics processor is faster, once its kernels are chosen.
    numbers: Cell<Option<Numbers>>,
    /// Jobs up to this one are to be given up.
    pub(super) cancelled: Cell<JobId>,
}

/// What went wrong with a job, and what a visitor can do.
pub(super) struct Trouble {
    pub(super) what: String,
    pub(super) advice: &'static str,
    pub(super) is_fatal: bool,
}

impl Trouble {
    pub(super) fn new(what: impl Into<String>, advice: &'static str) -> Self {
        Self {
            what: what.into(),
            advice,
            is_fatal: false,
        }
    }

    fn post(self, job: JobId) {
        if self.is_fatal {
            scope::post_end(self.what, self.advice);
        } else {
            scope::post_failure(job, self.what, self.advice);
        }
    }
}

/// A model that is computed with.
pub(super) struct Fetched {
    pub(super) segmenter: Segmenter,
    check_errors: check::CheckErrors,
    /// Of the visitor's own.
    card: Option<String>,
}

/// Why a model is not computed with.
struct Untrusted {
    what: String,
    /// Whether its weights are not those that the manifest names.
    is_damaged: bool,
}

impl Untrusted {
    fn new(what: String) -> Self {
        Self {
            what,
            is_damaged: false,
        }
    }
}

/// Whether this worker computes beside another.
fn is_beside() -> bool {
    scope::query_parameter(BESIDE_PARAMETER).is_some()
}

/// Chooses a backend, says so, and listens.
pub fn start() {
    report_panics();
    spawn_local(async {
        let choice = scope::query_parameter(BACKEND_PARAMETER).unwrap_or_default();
        let avoid = scope::query_parameter(AVOID_PARAMETER);
        match ChosenBackend::find(BackendChoice::parse(&choice), avoid).await {
            Ok(backend) => Engine::listen(backend),
            Err(problem) => scope::post_end(
                format!("WebGPU can't be used here. {problem}"),
                "Choose “Automatic” or “CPU” under “Compute on”.",
            ),
        }
    });
}

/// A panic ends the program for good: the page hears its text first.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        let text = panic
            .payload()
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.payload().downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        // What the graphics driver says goes on over many lines; the console has them all.
        let first: String = text
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(240)
            .collect();
        scope::post_end(
            format!("The worker crashed: {first}"),
            "Try again; if it happens again, choose the CPU under “Compute on” or use a smaller scan.",
        );
    }));
}

impl Engine {
    fn listen(backend: ChosenBackend) {
        backend.announce();
        let engine = Rc::new(Self {
            backend: RefCell::new(backend),
            model: RefCell::new(None),
            newest_model: Cell::new(0),
            part: RefCell::new(None),
            transformer: RefCell::new(None),
            seconds_per_gflop: Cell::new(None),
            scan: RefCell::new(None),
            channels: Channels::default(),
            origin: RefCell::new(None),
            kept: RefCell::new(None),
            passes: Passes::default(),
            numbers: Cell::new(None),
            cancelled: Cell::new(0),
        });
        scope::listen(move |message, bytes| {
            let engine = Rc::clone(&engine);
            spawn_local(async move { engine.answer(message, bytes).await });
        });
    }

    async fn answer(&self, message: ToWorker, bytes: Option<Uint8Array>) {
        match message {
            ToWorker::LoadModel { job, base } => {
                self.newest_model.set(job);
                let model = ModelSource { base, zip: bytes };
                let loaded = self.load_model(job, &model).await;
                // Whatever came of it: another model is wanted by now.
                if self.newest_model.get() != job {
                    scope::post(&FromWorker::Cancelled { job });
                    return;
                }
                match loaded {
                    Ok((segmenter, message)) => {
                        let crew = self.crew(segmenter, model);
                        crew.prepare();
                        *self.model.borrow_mut() = Some((job, crew));
                        scope::post(&message);
                    }
                    Err(trouble) => trouble.post(job),
                }
            }
            ToWorker::LoadScan { job, choice } => {
                if let Err(trouble) = self.load_scan(job, bytes, choice) {
                    trouble.post(job);
                }
            }
            ToWorker::Channel {
                job,
                place,
                name,
                choice,
            } => {
                let bytes = bytes.map(|bytes| bytes.to_vec()).unwrap_or_default();
                self.channels.take(job, place, name, bytes, choice);
            }
            ToWorker::Segment { job, model } => match self.segment(job, model).await {
                Ok(()) => {}
                Err(None) => scope::post(&FromWorker::Cancelled { job }),
                Err(Some(trouble)) => trouble.post(job),
            },
            // Of a scan or model that is gone by now nothing is said.
            ToWorker::Preflight { job, model } => {
                if let Some(preflight) = self.preflight(job, model) {
                    scope::post(&preflight);
                }
            }
            ToWorker::Closer { job, model, labels } => {
                match self.look_closer(job, &model, labels, bytes).await {
                    Ok(()) => {}
                    Err(None) => scope::post(&FromWorker::Cancelled { job }),
                    Err(Some(trouble)) => trouble.post(job),
                }
            }
            ToWorker::Probabilities { job, of, what } => {
                if let Err(trouble) = self.probabilities(job, of, what) {
                    trouble.post(job);
                }
            }
            ToWorker::Segmentation { job, labels, maker } => {
                if let Err(trouble) = self.segmentation(job, &labels, maker, bytes) {
                    trouble.post(job);
                }
            }
            ToWorker::Inside {
                job,
                of,
                at_mm,
                question,
                without,
            } => match self.look_inside(job, of, at_mm, question, without).await {
                Ok(()) => {}
                Err(None) => scope::post(&FromWorker::Cancelled { job }),
                Err(Some(trouble)) => trouble.post(job),
            },
            ToWorker::Learn { job, of } => match self.learn(job, of, bytes).await {
                Ok(()) => {}
                Err(None) => scope::post(&FromWorker::Cancelled { job }),
                Err(Some(trouble)) => trouble.post(job),
            },
            ToWorker::Window { job, model } => match self.window(job, model, bytes).await {
                Ok(()) => {}
                Err(None) => scope::post(&FromWorker::Cancelled { job }),
                Err(Some(trouble)) => trouble.post(job),
            },
            ToWorker::Transform { job, vit } => {
                self.choose_kernels().await;
                let device = self.backend.borrow().device.clone();
                match transform::transform(&vit, bytes, &device, &self.transformer).await {
                    Ok(features) => {
                        scope::post_with(&FromWorker::Transformed { job }, &features);
                    }
                    Err(problem) => scope::post_failure(job, problem, "Mend the request."),
                }
            }
            ToWorker::Cancel { job } => self.cancelled.set(job.max(self.cancelled.get())),
        }
    }

    /// Fetches and checks a model; returns it with what the page is to hear of it.
    async fn load_model(
        &self,
        job: JobId,
        model: &ModelSource,
    ) -> Result<(Segmenter, FromWorker), Trouble> {
        let started_ms = scope::now_ms();
        let Fetched {
            segmenter,
            check_errors,
            card,
        } = self
            .fetch_model(model, |received| {
                if let Some((received, total)) = received {
                    scope::post(&FromWorker::Downloading {
                        job,
                        received,
                        total,
                    });
                }
                if self.newest_model.get() == job {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
            .await?;
        let loaded = FromWorker::ModelLoaded {
            job,
            model: ModelInfo {
                card,
                ..describe::model(segmenter.manifest())
            },
            check_errors: CheckErrors {
                first_block: check_errors.first_block,
                logits: check_errors.logits,
                is_half: segmenter.is_half(),
            },
            millis: scope::now_ms() - started_ms,
        };
        Ok((segmenter, loaded))
    }

    /// Gets and checks a model; `goes_on` hears how many bytes of how many of its weights have come over the network.
    pub(super) async fn fetch_model(
        &self,
        model: &ModelSource,
        mut goes_on: impl FnMut(Option<(u64, u64)>) -> ControlFlow<()>,
    ) -> Result<Fetched, Trouble> {
        const FETCH: &str = "Check the connection to this site, then start again.";
        const DAMAGED: &str =
            "The file on this site is damaged or does not belong to this version; reload the page.";
        const OWN: &str = "Choose a whole model folder as `dinomed3d export` writes it, manifest.json and weights; its files, the folder or a zip of it.";
        if let Some(zip) = &model.zip {
            let unusable = |problem| {
                Trouble::new(
                    format!("{} can't be used as a model: {problem}.", model.base),
                    OWN,
                )
            };
            let own = OwnModel::open(zip.to_vec()).map_err(unusable)?;
            let manifest = ModelManifest::from_json(&own.manifest().map_err(unusable)?);
            let manifest = manifest.map_err(|error| unusable(error.to_string()))?;
            let mut weights = OutsideBytes::default();
            let taken = own.weights(&manifest.weights.file, manifest.weights.bytes, |piece| {
                weights.push(Uint8Array::from(piece));
            });
            taken.map_err(unusable)?;
            let card = own.card();
            drop(own);
            let trusted = self.trusted(&manifest, &weights).await;
            let trusted = trusted.map_err(|untrusted| Trouble::new(untrusted.what, OWN))?;
            return Ok(Fetched { card, ..trusted });
        }
        let base = &model.base;
        let address = format!("{base}manifest.json");
        let manifest = Download::new(&address, Length::AtMost(LONGEST_MANIFEST));
        let manifest = manifest.get(|_| goes_on(None)).await;
        let manifest = manifest.map_err(|lost| Trouble::new(lost.what, FETCH))?;
        let manifest = ModelManifest::from_json(&manifest.to_vec())
            .map_err(|error| Trouble::new(format!("The model can't be used: {error}."), DAMAGED))?;
        let total = manifest.weights.bytes;
        let address = format!("{base}{}", manifest.weights.file);
        let mut weights = Download::new(&address, Length::Exactly(total));
        weights.verify_by(manifest.weights.chunks.as_ref());
        // One worker is enough to keep what has come.
        if !is_beside() {
            weights.keep_as(&manifest.weights.sha256);
        }
        let mut is_first = true;
        loop {
            // A graphics processor's programs are compiled while weights come.
            let fetched = weights.get(|received| goes_on(Some((received, total))));
            let (bytes, ()) = join(fetched, self.choose_kernels()).await;
            let bytes = bytes.map_err(|lost| {
                let advice = if lost.is_damaged { DAMAGED } else { FETCH };
                Trouble::new(lost.what, advice)
            })?;
            match self.trusted(&manifest, &bytes).await {
                Ok(trusted) => {
                    weights.forget().await;
                    return Ok(trusted);
                }
                // A bit may have been flipped on the way or where it was kept; once more, and past all that is kept.
                Err(untrusted) if untrusted.is_damaged && is_first => {
                    is_first = false;
                    weights.start_anew().await;
                }
                Err(untrusted) => {
                    weights.forget().await;
                    let again = if untrusted.is_damaged {
                        " They were fetched twice."
                    } else {
                        ""
                    };
                    return Err(Trouble::new(format!("{}{again}", untrusted.what), DAMAGED));
                }
            }
        }
    }

    /// Who computes with a model that was loaded: the processor has others beside this worker.
    pub(super) fn crew(&self, segmenter: Segmenter, model: ModelSource) -> Rc<Crew> {
        let has_others = self.backend.borrow().backend == Backend::Cpu && !is_beside();
        Crew::new(Rc::new(segmenter), model, has_others)
    }

    /// Finds which kernels and numbers are fastest on a graphics processor, once. The page knows by then what is computed on: should the device not
    /// live through it, another worker leaves it alone.
    async fn choose_kernels(&self) {
        let (device, backend) = {
            let chosen = self.backend.borrow();
            (chosen.device.clone(), chosen.backend)
        };
        if backend == Backend::WebGpu && self.numbers.get().is_none() {
            let numbers = choose_kernels(&device, scope::now_ms).await;
            self.numbers.set(Some(numbers));
        }
    }

    /// Loads the model onto a backend that gives the known output, which need not be the first one.
    async fn trusted(
        &self,
        manifest: &ModelManifest,
        weights: &OutsideBytes,
    ) -> Result<Fetched, Untrusted> {
        self.choose_kernels().await;
        loop {
            scope::turn().await;
            let (device, backend, is_forced, reach) = {
                let chosen = self.backend.borrow();
                (
                    chosen.device.clone(),
                    chosen.backend,
                    chosen.is_forced,
                    chosen.reach,
                )
            };
            let is_large = manifest.weights.bytes > LARGE_WEIGHTS;
            let hold = if backend == Backend::WebGpu && is_large {
                Hold::Quantized
            } else {
                Hold::Widened
            };
            let loaded = Segmenter::load_and_hold(manifest.clone(), weights, &device, hold);
            let mut segmenter = loaded.map_err(|error| Untrusted {
                what: format!("The model can't be used: {error}."),
                is_damaged: matches!(error, ModelError::Weights(WeightsError::Checksum { .. })),
            })?;
            let is_half = backend == Backend::WebGpu
                && hold == Hold::Widened
                && self.numbers.get() == Some(Numbers::Half);
            if is_half {
                segmenter = segmenter.in_half();
            }
            let started_ms = scope::now_ms();
            let problem = match segmenter.self_check(reach).await {
                Ok(errors) if errors.are_tolerable() => {
                    let (mut seconds, mut gflop) = (
                        (scope::now_ms() - started_ms) / 1e3,
                        segmenter.cost().check_gflop + segmenter.cost().window_gflop,
                    );
                    if errors.window.is_none() {
                        // The first time unpacks weights and compiles: of a small input that is most of it.
                        let again_ms = scope::now_ms();
                        let again = async {
                            if backend == Backend::Cpu {
                                return segmenter.rehearse().await;
                            }
                            // A piece of a window would take a software adapter seconds.
                            segmenter.self_check(CheckReach::Parts).await?;
                            Ok(segmenter.cost().check_gflop)
                        };
                        gflop = again
                            .await
                            .map_err(|error| Untrusted::new(error.to_string()))?;
                        seconds = (scope::now_ms() - again_ms) / 1e3;
                    }
                    self.seconds_per_gflop.set(Some(seconds / gflop));
                    return Ok(Fetched {
                        segmenter,
                        check_errors: errors,
                        card: None,
                    });
                }
                Ok(errors) => format!("its result for a known input is off by {errors}"),
                Err(error) => error.to_string(),
            };
            if is_half {
                // The same processor may compute with more bits what it doesn't with fewer.
                self.numbers.set(Some(Numbers::Single));
                continue;
            }
            if backend == Backend::Cpu || is_forced {
                return Err(Untrusted::new(format!(
                    "The model's check failed on {}: {problem}. Its results can't be trusted there.",
                    backend.title()
                )));
            }
            let cpu = ChosenBackend::cpu(
                format!("WebGPU did not pass the model's check: {problem}."),
                None,
            );
            cpu.announce();
            *self.backend.borrow_mut() = cpu;
        }
    }

    /// Reads a file and says what came of it; the scan before it stays if that fails or there are several.
    fn load_scan(
        &self,
        job: JobId,
        bytes: Option<Uint8Array>,
        choice: Option<ScanChoice>,
    ) -> Result<(), Trouble> {
        const ADVICE: &str = "Choose a 3-D scan: NIfTI (.nii, .nii.gz, or .hdr with .img), MGH (.mgh, .mgz), or a DICOM series as a \
             folder, a zip or all its files.";
        let bytes = bytes.ok_or_else(|| Trouble::new("No file came with the request.", ADVICE))?;
        let unread =
            |problem| Trouble::new(format!("This file can't be opened: {problem}."), ADVICE);
        let found = match open::open(bytes.to_vec(), choice).map_err(unread)? {
            Opened::Scan(found) => found,
            Opened::Several { offers, reason } => {
                scope::post(&FromWorker::Choices {
                    job,
                    offers,
                    reason,
                });
                return Ok(());
            }
        };
        let for_viewer = found.for_viewer().map_err(unread)?;
        let scan = describe::scan(&found.scan, found.description);
        let loaded = FromWorker::ScanLoaded { job, scan };
        match for_viewer {
            None => scope::post(&loaded),
            Some(file) => scope::post_with(&loaded, &file),
        }
        *self.scan.borrow_mut() = Some(Rc::new(found.scan));
        *self.kept.borrow_mut() = None;
        *self.origin.borrow_mut() = found.origin;
        Ok(())
    }
}
