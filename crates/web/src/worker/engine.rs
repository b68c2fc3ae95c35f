//! What the worker holds, and what it does for every message.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::panic;
use std::rc::Rc;

use dinomed3d_core::infer::check::{self, CheckReach};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::Scan;
use dinomed3d_volume::dicom::segmentation::Origin;
use js_sys::Uint8Array;
use wasm_bindgen_futures::spawn_local;

use super::backend::ChosenBackend;
use super::crew::{BESIDE_PARAMETER, Crew};
use super::describe;
use super::download::download;
use super::kept::KeptLogits;
use super::open::{self, Opened};
use super::passes::Passes;
use super::protocol::{
    AVOID_PARAMETER, BACKEND_PARAMETER, Backend, BackendChoice, CheckErrors, FromWorker, JobId,
    ScanChoice, ToWorker,
};
use super::scope;
use super::transform;

/// A manifest is some tens of kilobytes.
const LONGEST_MANIFEST: u64 = 4 << 20;

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
    /// What a DICOM segmentation of the scan refers to.
    pub(super) origin: RefCell<Option<Origin>>,
    /// Of the last result.
    pub(super) kept: RefCell<Option<KeptLogits>>,
    /// What the network did inside, of the last result.
    pub(super) passes: Passes,
    /// How long this device takes for 10⁹ operations, as far as it is known.
    pub(super) seconds_per_gflop: Cell<Option<f64>>,
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
            seconds_per_gflop: Cell::new(None),
            scan: RefCell::new(None),
            origin: RefCell::new(None),
            kept: RefCell::new(None),
            passes: Passes::default(),
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
                let loaded = self.load_model(job, &base).await;
                // Whatever came of it: another model is wanted by now.
                if self.newest_model.get() != job {
                    scope::post(&FromWorker::Cancelled { job });
                    return;
                }
                match loaded {
                    Ok((segmenter, message)) => {
                        let crew = self.crew(segmenter, &base);
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
            ToWorker::Window { job, model } => match self.window(job, model, bytes).await {
                Ok(()) => {}
                Err(None) => scope::post(&FromWorker::Cancelled { job }),
                Err(Some(trouble)) => trouble.post(job),
            },
            ToWorker::Transform { job, vit } => {
                let device = self.backend.borrow().device.clone();
                match transform::transform(&vit, bytes, &device).await {
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
    async fn load_model(&self, job: JobId, base: &str) -> Result<(Segmenter, FromWorker), Trouble> {
        let started_ms = scope::now_ms();
        let (segmenter, check_errors) = self
            .fetch_model(base, |received| {
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
            model: describe::model(segmenter.manifest()),
            check_errors: CheckErrors {
                first_block: check_errors.first_block,
                logits: check_errors.logits,
            },
            millis: scope::now_ms() - started_ms,
        };
        Ok((segmenter, loaded))
    }

    /// Fetches and checks a model; `goes_on` hears how many bytes of how many of its weights have come.
    pub(super) async fn fetch_model(
        &self,
        base: &str,
        mut goes_on: impl FnMut(Option<(u64, u64)>) -> ControlFlow<()>,
    ) -> Result<(Segmenter, check::CheckErrors), Trouble> {
        const FETCH: &str = "Check the connection to this site, then start again.";
        const DAMAGED: &str =
            "The file on this site is damaged or does not belong to this version; reload the page.";
        let address = format!("{base}manifest.json");
        let manifest = download(&address, LONGEST_MANIFEST, |_| goes_on(None))
            .await
            .map_err(|problem| Trouble::new(problem, FETCH))?;
        let manifest = ModelManifest::from_json(&manifest)
            .map_err(|error| Trouble::new(format!("The model can't be used: {error}."), DAMAGED))?;
        let channels = manifest.channel_names();
        if channels.len() > 1 {
            return Err(Trouble::new(
                format!(
                    "This model takes {} scans at once ({}); the page takes one.",
                    channels.len(),
                    channels.join(", ")
                ),
                "Use `dinomed3d segment` on the command line, or choose another model.",
            ));
        }
        let total = manifest.weights.bytes;
        let weights = download(
            &format!("{base}{}", manifest.weights.file),
            total,
            |received| goes_on(Some((received, total))),
        )
        .await
        .map_err(|problem| Trouble::new(problem, FETCH))?;
        self.trusted(&manifest, &weights)
            .await
            .map_err(|what| Trouble::new(what, DAMAGED))
    }

    /// Who computes with a model that was loaded: the processor has others beside this worker.
    pub(super) fn crew(&self, segmenter: Segmenter, base: &str) -> Rc<Crew> {
        let is_beside = scope::query_parameter(BESIDE_PARAMETER).is_some();
        let has_others = self.backend.borrow().backend == Backend::Cpu && !is_beside;
        Crew::new(Rc::new(segmenter), base, has_others)
    }

    /// Loads the model onto a backend that gives the known output, which need not be the first one.
    async fn trusted(
        &self,
        manifest: &ModelManifest,
        weights: &[u8],
    ) -> Result<(Segmenter, check::CheckErrors), String> {
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
            let segmenter = Segmenter::load(manifest.clone(), weights, &device)
                .map_err(|error| format!("The model can't be used: {error}."))?;
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
                        gflop = again.await.map_err(|error| error.to_string())?;
                        seconds = (scope::now_ms() - again_ms) / 1e3;
                    }
                    self.seconds_per_gflop.set(Some(seconds / gflop));
                    return Ok((segmenter, errors));
                }
                Ok(errors) => format!("its result for a known input is off by {errors}"),
                Err(error) => error.to_string(),
            };
            if backend == Backend::Cpu || is_forced {
                return Err(format!(
                    "The model's check failed on {}: {problem}. Its results can't be trusted there.",
                    backend.title()
                ));
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
        let scan = describe::scan(&found.scan, found.description);
        let loaded = FromWorker::ScanLoaded { job, scan };
        if found.is_single_file {
            scope::post(&loaded);
        } else {
            let file = found
                .scan
                .encode()
                .map_err(|error| unread(error.to_string()))?;
            scope::post_with(&loaded, &file);
        }
        *self.scan.borrow_mut() = Some(Rc::new(found.scan));
        *self.kept.borrow_mut() = None;
        *self.origin.borrow_mut() = found.origin;
        Ok(())
    }
}
