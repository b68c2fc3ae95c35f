//! Workers beside this one that compute windows: a processor has more than one core, and a program of the browser's uses one.

use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::pin::pin;
use std::rc::{Rc, Weak};

use dinomed3d_core::infer::{Computer, InferError};
use dinomed3d_core::segmenter::Segmenter;
use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_util::future::{Either, select};
use futures_util::lock::Mutex;
use futures_util::stream::StreamExt;
use js_sys::{ArrayBuffer, Float32Array, Uint8Array};
use wasm_bindgen_futures::spawn_local;

use super::link::Link;
use super::protocol::{BACKEND_PARAMETER, BackendChoice, FromWorker, JobId, ToWorker};
use super::scope;

/// Name of the query parameter of a worker that computes beside another and starts none itself.
pub(super) const BESIDE_PARAMETER: &str = "beside";
/// Workers at most, this one too.
const MOST: usize = 8;
/// What all of them may hold together, if there is to be more than one beside the first.
const MEMORY_BYTES: u64 = 1_500_000_000;
/// A worker that has said nothing for so long is given up.
const SILENCE_MS: i32 = 120_000;
/// Every worker beside this one loads a single model.
const MODEL: JobId = 1;

/// Where a model is from.
#[derive(Clone)]
pub(super) struct ModelSource {
    /// Its folder on the site, with a slash at its end; of a visitor's own what it is called.
    pub(super) base: String,
    /// A visitor's own.
    pub(super) zip: Option<Uint8Array>,
}

/// A model on this worker and on others that come when there is a window for them.
pub(super) struct Crew {
    me: Weak<Self>,
    segmenter: Rc<Segmenter>,
    model: ModelSource,
    /// Workers beside this one, at most. One that broke is not replaced.
    most: Cell<usize>,
    /// Every one of them holds a part of it.
    alive: Rc<()>,
    idle: RefCell<Vec<Helper>>,
    /// This worker computes one window at a time.
    own: Mutex<()>,
}

impl Crew {
    /// Nobody yet beside this worker, which has that model; nobody later on, unless `has_others`.
    pub(super) fn new(segmenter: Rc<Segmenter>, model: ModelSource, has_others: bool) -> Rc<Self> {
        let window_bytes = segmenter.cost().window_bytes(segmenter.manifest());
        let by_memory = (MEMORY_BYTES / 2 / window_bytes.max(1)).max(1) as usize;
        let cores = scope::cores().min(MOST);
        let most = if has_others {
            (cores - 1).min(by_memory)
        } else {
            0
        };
        Rc::new_cyclic(|me| Self {
            me: me.clone(),
            segmenter,
            model,
            most: Cell::new(most),
            alive: Rc::default(),
            idle: RefCell::default(),
            own: Mutex::default(),
        })
    }

    /// What it computes with.
    pub(super) fn segmenter(&self) -> &Segmenter {
        &self.segmenter
    }

    /// The same, for who needs it longer than the crew.
    pub(super) fn shared_segmenter(&self) -> Rc<Segmenter> {
        Rc::clone(&self.segmenter)
    }

    /// Has one worker get ready where two windows will surely be computed at a time. It is fetched now, with the model, and not
    /// while a scan is looked at.
    pub(super) fn prepare(self: &Rc<Self>) {
        if !self.segmenter.manifest().mirrored {
            return;
        }
        let Some(mut helper) = self.helper() else {
            return;
        };
        let crew = Rc::clone(self);
        spawn_local(async move {
            match helper.load_model().await {
                Ok(()) => crew.idle.borrow_mut().push(helper),
                Err(_) => crew.is_short_of_one(),
            }
        });
    }

    fn is_short_of_one(&self) {
        self.most.set(self.most.get().saturating_sub(1));
    }

    /// An idle worker, or a new one if there may be one.
    fn helper(&self) -> Option<Helper> {
        let idle = self.idle.borrow_mut().pop();
        idle.or_else(|| {
            let alive = Rc::strong_count(&self.alive) - 1;
            (alive < self.most.get()).then(|| Helper::start(&self.model, &self.alive))?
        })
    }
}

impl Computer for Crew {
    fn at_a_time(&self) -> usize {
        1 + self.most.get()
    }

    async fn logits(
        &self,
        window: Vec<f32>,
        mut progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, InferError> {
        let here = self.segmenter.computer();
        if let Some(_own) = self.own.try_lock() {
            return here.logits(window, progress).await;
        }
        if let Some(helper) = self.helper() {
            let mut lent = Lent {
                crew: self.me.clone(),
                helper: Some(helper),
            };
            match lent.logits(&window, &mut progress).await {
                Ok(logits) => {
                    self.idle.borrow_mut().extend(lent.helper.take());
                    return Ok(logits);
                }
                Err(Lost::Cancelled) => return Err(InferError::Cancelled),
                // Its window is computed here.
                Err(Lost::Broken) => {
                    lent.helper = None;
                    self.is_short_of_one();
                }
            }
        }
        let _own = self.own.lock().await;
        here.logits(window, progress).await
    }
}

/// A worker with a window in hand. If nobody waits for it any more it is told so, and idle as soon as it has heard.
struct Lent {
    crew: Weak<Crew>,
    helper: Option<Helper>,
}

impl Lent {
    async fn logits(
        &mut self,
        window: &[f32],
        progress: &mut impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, Lost> {
        match &mut self.helper {
            Some(helper) => helper.logits(window, progress).await,
            None => Err(Lost::Broken),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut helper) = self.helper.take() else {
            return;
        };
        let crew = self.crew.clone();
        spawn_local(async move {
            let is_idle = helper.give_up().await.is_ok();
            match crew.upgrade() {
                Some(crew) if is_idle => crew.idle.borrow_mut().push(helper),
                Some(crew) => crew.is_short_of_one(),
                None => {}
            }
        });
    }
}

/// Why a worker gave no logits.
enum Lost {
    Cancelled,
    Broken,
}

/// A worker beside this one. Dropping it ends it, whatever it is at.
struct Helper {
    link: Link,
    /// What it says; nothing when it is broken.
    heard: UnboundedReceiver<Option<(FromWorker, Option<ArrayBuffer>)>>,
    model: ModelSource,
    has_model: bool,
    last_job: JobId,
    _alive: Rc<()>,
}

impl Helper {
    fn start(model: &ModelSource, alive: &Rc<()>) -> Option<Self> {
        let address = scope::address(&format!(
            "{BACKEND_PARAMETER}={}&{BESIDE_PARAMETER}=1",
            BackendChoice::Cpu.as_str()
        ));
        let (said, heard) = unbounded();
        let broken = said.clone();
        let link = Link::start(
            &address,
            // Nobody listens to one that is ended.
            move |message, bytes| drop(said.unbounded_send(Some((message, bytes)))),
            move |_| drop(broken.unbounded_send(None)),
        );
        Some(Self {
            link: link.ok()?,
            heard,
            model: model.clone(),
            has_model: false,
            last_job: MODEL,
            _alive: Rc::clone(alive),
        })
    }

    /// The next that it says.
    async fn next(&mut self) -> Result<(FromWorker, Option<ArrayBuffer>), Lost> {
        let silence = pin!(scope::pause(SILENCE_MS));
        match select(self.heard.next(), silence).await {
            Either::Left((Some(Some(heard)), _)) => Ok(heard),
            Either::Left(_) | Either::Right(_) => Err(Lost::Broken),
        }
    }

    fn send(&self, message: &ToWorker, bytes: Option<&Uint8Array>) -> Result<(), Lost> {
        self.link.send(message, bytes).map_err(|_| Lost::Broken)
    }

    /// It takes requests from its first word on, and proves itself by the model's known answer as every worker does.
    async fn load_model(&mut self) -> Result<(), Lost> {
        while !self.has_model {
            match self.next().await?.0 {
                FromWorker::Ready { .. } => self.send(
                    &ToWorker::LoadModel {
                        job: MODEL,
                        base: self.model.base.clone(),
                    },
                    self.model.zip.as_ref(),
                )?,
                FromWorker::Downloading { .. } => {}
                FromWorker::ModelLoaded { .. } => self.has_model = true,
                _ => return Err(Lost::Broken),
            }
        }
        Ok(())
    }

    /// Comes back when it has nothing in hand.
    async fn give_up(&mut self) -> Result<(), Lost> {
        // Before its first window it has had none.
        if !self.has_model || self.last_job == MODEL {
            return self.load_model().await;
        }
        self.send(&ToWorker::Cancel { job: self.last_job }, None)?;
        loop {
            match self.next().await?.0 {
                FromWorker::Progress { .. } => {}
                FromWorker::Cancelled { .. } | FromWorker::Window { .. } => return Ok(()),
                _ => return Err(Lost::Broken),
            }
        }
    }

    async fn logits(
        &mut self,
        window: &[f32],
        progress: &mut impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, Lost> {
        self.load_model().await?;
        self.last_job += 1;
        let job = self.last_job;
        let values = Uint8Array::new(&Float32Array::from(window).buffer());
        self.send(&ToWorker::Window { job, model: MODEL }, Some(&values))?;
        loop {
            match self.next().await? {
                (FromWorker::Progress { fraction, .. }, _) => {
                    if progress(fraction).await.is_break() {
                        return Err(Lost::Cancelled);
                    }
                }
                (FromWorker::Window { .. }, Some(logits)) => {
                    return Ok(Float32Array::new(&logits).to_vec());
                }
                _ => return Err(Lost::Broken),
            }
        }
    }
}
