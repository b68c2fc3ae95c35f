//! Segmenting the scan, and looking closer at a part of what was found.

use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::rc::Rc;

use dinomed3d_core::infer::{Computer, InferError, Progress};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_volume::nifti::MadeBy;
use dinomed3d_volume::volumetry::label_sizes;
use dinomed3d_volume::{Image, Label, LabelMap, Outline, Scan, ScanError, gzip, read_channels};
use js_sys::{Float32Array, Uint8Array};

use super::crew::{Crew, ModelSource};
use super::describe;
use super::engine::{Engine, Trouble};
use super::kept::{self, KeptLogits, made_by};
use super::label_map::label_map;
use super::protocol::{FromWorker, JobId, Maker};
use super::scope;
use super::segmentation::segmentation_of;

/// Messages about progress are at least this far apart.
const PROGRESS_EVERY_MS: f64 = 60.0;

/// What the memory of a page's program holds for sure, of the 4 GiB that it can address.
const PAGE_BYTES: u64 = 3_500_000_000;

const AGAIN: &str = "Open the scan again.";

impl Engine {
    /// Segments the scan with the model that `model` loaded and says what came of it; no trouble if it was cancelled.
    pub(super) async fn segment(&self, job: JobId, model: JobId) -> Result<(), Option<Trouble>> {
        let started_ms = scope::now_ms();
        let scan = self.scan()?;
        let crew = self.crew_of(model)?;
        let segmenter = crew.segmenter();
        let names = segmenter.manifest().channel_names();
        let images = self.channels.of(job, &names, &scan).map_err(unassigned)?;
        let channels = read_channels(&images, &names);
        let channels = channels.map_err(|problems| unassigned(problems.join("; ")))?;
        let (shape, affine) = (scan.grid_shape(), scan.affine());
        let mut news = self.news(job);
        *self.kept.borrow_mut() = None;
        self.passes.forget();
        let (keep, _) = kept::keep(segmenter, &scan);
        let by = made_by(segmenter.manifest());
        let segmented = segmenter
            .segment_by(&*crew, &channels, keep, async |progress| {
                let found = progress.found.as_ref();
                // A map that can't be written is told of at the end.
                let file = found.map(|f| file_of(&scan, &f.on_file_grid().labels, &by));
                if let Some(Ok(file)) = file {
                    scope::post_with(&FromWorker::Partial { job }, &file);
                }
                news.tell(progress).await
            })
            .await
            .map_err(infer_trouble)?;
        drop(images);
        self.remember_pace(&crew, &scan, started_ms);
        let labels = describe::labels(segmenter.manifest());
        *self.kept.borrow_mut() = segmented.seen.map(|seen| {
            Rc::new(KeptLogits {
                job,
                scan,
                segmenter: crew.shared_segmenter(),
                seen,
                features: OnceCell::new(),
            })
        });
        let map = LabelMap {
            labels: segmented.labels,
            shape,
            affine,
        };
        let sizes = label_sizes(&map.labels, &labels, map.affine.voxel_volume_ml());
        let warnings = segmented.warnings;
        let found = Found {
            map: &map,
            labels,
            warnings,
            by,
        };
        self.say(job, started_ms, found, segmenter.manifest())?;
        // The result is on screen before this is known.
        scope::turn().await;
        let kept = self.kept.borrow();
        let kept = kept.as_ref().filter(|kept| kept.job == job);
        let ranges = kept
            .map(|kept| segmenter.volume_ranges(&kept.seen, &sizes, map.shape, &map.affine))
            .transpose();
        // A result without intervals is a result.
        if let Ok(Some(ranges)) = ranges
            && !ranges.is_empty()
        {
            scope::post(&FromWorker::VolumeRanges { job, ranges });
        }
        Ok(())
    }

    /// What segmenting the scan will take; nothing of a model or scan that is not there.
    pub(super) fn preflight(&self, job: JobId, model: JobId) -> Option<FromWorker> {
        let scan = self.scan.borrow().clone()?;
        let crew = self.crew_of(model).ok()?;
        let segmenter = crew.segmenter();
        let cost = segmenter.cost();
        let preflight = cost.preflight(segmenter.manifest(), &scan.outline(), crew.at_a_time());
        let preflight = preflight.ok()?;
        let (_, kept_bytes) = kept::keep(segmenter, &scan);
        let memory_bytes = preflight.memory_bytes + kept_bytes;
        let too_large = (memory_bytes > PAGE_BYTES).then(|| {
            format!(
                "This scan needs about {:.1} GB, and a page can have 4. Make a smaller one of it (fewer or larger voxels), or use the \
                 program dinomed3d on the command line.",
                memory_bytes as f64 / 1e9
            )
        });
        let Outline { shape, affine, .. } = scan.outline();
        let another_size = segmenter.extent_warning(shape, &affine);
        let advice: Vec<String> = another_size.into_iter().chain(too_large).collect();
        Some(FromWorker::Preflight {
            job,
            windows: preflight.windows,
            workers: crew.at_a_time(),
            seconds: self.seconds_per_gflop.get().map(|s| s * preflight.gflop),
            memory_bytes,
            advice: (!advice.is_empty()).then(|| advice.join(" ")),
        })
    }

    /// Looks closer at the parts of a label map, whose file comes with the request, that the model in the folder `base` knows.
    pub(super) async fn look_closer(
        &self,
        job: JobId,
        base: &str,
        labels: Vec<Label>,
        map: Option<Uint8Array>,
    ) -> Result<(), Option<Trouble>> {
        let started_ms = scope::now_ms();
        let scan = self.scan()?;
        let image = scan.image().map_err(unusable)?;
        let map = map.ok_or_else(|| Trouble::new("No label map came with the request.", AGAIN))?;
        let (mut map, by) = label_map(&map.to_vec(), &image.shape())?;
        let crew = self.part(job, base).await?;
        let part = crew.segmenter();
        let mut news = self.news(job);
        let closer = part
            .look_closer(&*crew, &image, &mut map, async |progress| {
                news.tell(progress).await
            })
            .await
            .map_err(infer_trouble)?;
        let manifest = part.manifest();
        let found = Found {
            labels: part.labels_after(&labels, &map),
            map: &map,
            warnings: closer.warnings,
            by: by.and(&manifest.name, &manifest.version),
        };
        self.say(job, started_ms, found, manifest)
    }

    /// From a segmentation that has just ended: better than the known answer, which is small.
    fn remember_pace(&self, crew: &Crew, scan: &Scan, started_ms: f64) {
        let segmenter = crew.segmenter();
        let (cost, at_a_time) = (segmenter.cost(), crew.at_a_time());
        let preflight = cost.preflight(segmenter.manifest(), &scan.outline(), at_a_time);
        if let Ok(preflight) = preflight {
            let seconds = (scope::now_ms() - started_ms) / 1e3;
            self.seconds_per_gflop.set(Some(seconds / preflight.gflop));
        }
    }

    /// The model of a part, fetched when it is first asked for.
    async fn part(&self, job: JobId, base: &str) -> Result<Rc<Crew>, Option<Trouble>> {
        if let Some((_, part)) = self
            .part
            .borrow()
            .as_ref()
            .filter(|(known, _)| known == base)
        {
            return Ok(Rc::clone(part));
        }
        let goes_on = |_| self.goes_on(job);
        let model = ModelSource {
            base: base.to_owned(),
            zip: None,
        };
        let fetched = self.fetch_model(&model, goes_on).await;
        if self.goes_on(job).is_break() {
            return Err(None);
        }
        let part = self.crew(fetched?.segmenter, model);
        *self.part.borrow_mut() = Some((base.to_owned(), Rc::clone(&part)));
        Ok(part)
    }

    /// Takes a window, whose values come with the request, to its logits.
    pub(super) async fn window(
        &self,
        job: JobId,
        model: JobId,
        window: Option<Uint8Array>,
    ) -> Result<(), Option<Trouble>> {
        let crew = self.crew_of(model)?;
        let values = window.map(|bytes| Float32Array::new(&bytes.buffer()).to_vec());
        let values =
            values.ok_or_else(|| Trouble::new("No window came with the request.", AGAIN))?;
        let computer = crew.segmenter().computer();
        let logits = computer
            .logits(values, async |fraction| {
                scope::post(&FromWorker::Progress {
                    job,
                    fraction,
                    window: 1,
                    windows: 1,
                });
                scope::turn().await;
                self.goes_on(job)
            })
            .await
            .map_err(infer_trouble)?;
        let logits = Uint8Array::new(&Float32Array::from(&logits[..]).buffer());
        scope::post_array(&FromWorker::Window { job }, &logits);
        Ok(())
    }

    fn crew_of(&self, model: JobId) -> Result<Rc<Crew>, Trouble> {
        let loaded = self.model.borrow().clone();
        let crew = loaded.filter(|(loaded, _)| *loaded == model);
        crew.map(|(_, crew)| crew).ok_or_else(|| {
            Trouble::new("The chosen model is not loaded.", "Choose the model again.")
        })
    }

    fn scan(&self) -> Result<Rc<Scan>, Trouble> {
        let scan = self.scan.borrow().clone();
        scan.ok_or_else(|| Trouble::new("There is no scan to segment.", AGAIN))
    }

    /// Whether nobody has asked to give the job up.
    pub(super) fn goes_on(&self, job: JobId) -> ControlFlow<()> {
        if self.cancelled.get() >= job {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    pub(super) fn news(&self, job: JobId) -> News<'_> {
        News {
            engine: self,
            job,
            last_ms: f64::NEG_INFINITY,
        }
    }

    fn say(
        &self,
        job: JobId,
        started_ms: f64,
        found: Found<'_>,
        manifest: &ModelManifest,
    ) -> Result<(), Option<Trouble>> {
        let Found {
            map,
            labels,
            mut warnings,
            by,
        } = found;
        let scan = self.scan()?;
        let file = file_of(&scan, &map.labels, &by).map_err(|error| {
            Trouble::new(format!("The label map can't be written: {error}."), AGAIN)
        })?;
        let voxel_ml = scan.affine().voxel_volume_ml();
        let statistics = label_sizes(&map.labels, &labels, voxel_ml);
        if let Some(origin) = &*self.origin.borrow() {
            let maker = Maker {
                name: manifest.name.clone(),
                version: manifest.version.clone(),
                weights_sha256: manifest.weights.sha256.clone(),
            };
            match segmentation_of(map, &labels, origin, maker, false) {
                Ok(seg) => scope::post_with(&FromWorker::DicomSeg { job }, &seg),
                Err(error) => warnings.push(format!("No DICOM-SEG can be saved: {error}.")),
            }
        }
        scope::post_with(
            &FromWorker::Segmented {
                job,
                millis: scope::now_ms() - started_ms,
                labels,
                statistics,
                warnings,
            },
            &file,
        );
        Ok(())
    }
}

/// What came of a job.
struct Found<'a> {
    map: &'a LabelMap,
    labels: Vec<Label>,
    warnings: Vec<String>,
    by: MadeBy,
}

/// What the page hears of a job while it goes on.
pub(super) struct News<'a> {
    engine: &'a Engine,
    job: JobId,
    last_ms: f64,
}

impl News<'_> {
    pub(super) async fn tell(&mut self, progress: Progress) -> ControlFlow<()> {
        let now = scope::now_ms();
        if now - self.last_ms >= PROGRESS_EVERY_MS {
            self.last_ms = now;
            scope::post(&FromWorker::Progress {
                job: self.job,
                fraction: progress.fraction,
                window: progress.window,
                windows: progress.windows,
            });
        }
        scope::turn().await;
        self.engine.goes_on(self.job)
    }
}

pub(super) fn file_of(scan: &Scan, labels: &[u8], by: &MadeBy) -> Result<Vec<u8>, ScanError> {
    Ok(gzip(&scan.encode_label_map(labels, &by.to_string())?))
}

fn unassigned(problem: String) -> Trouble {
    Trouble::new(
        format!("This scan can't be segmented: {problem}."),
        "Open all scans that the model takes, on one grid, and assign one to each channel.",
    )
}

fn unusable(error: ScanError) -> Trouble {
    Trouble::new(format!("This scan can't be segmented: {error}."), AGAIN)
}

/// What a visitor can do about a segmentation that failed; nothing if it was cancelled.
pub(super) fn infer_trouble(error: InferError) -> Option<Trouble> {
    let what = format!("The scan could not be segmented: {error}.");
    match error {
        InferError::Cancelled => None,
        InferError::Preprocess(_) => Some(Trouble::new(
            what,
            "Check that the file holds a scan with some contrast, or open another one.",
        )),
        // A device that failed once is not asked again.
        _ => Some(Trouble {
            what,
            advice: "Try again; if it happens again, choose the CPU under “Compute on”.",
            is_fatal: true,
        }),
    }
}
