//! From a scan to a label map by the models that a command line names, each loaded once.

use crate::device::device;
use crate::memory;
use crate::outputs;
use crate::places::{self, DEFAULT_MODEL};
use crate::progress::Progress;
use crate::scan::{Choice, Opened};
use anyhow::Context;
use dinomed3d_core::infer::check::CheckReach;
use dinomed3d_core::infer::{self, Keep, PartOf, Seen};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::model_folder::{ModelFolder, readable_json};
use dinomed3d_core::preflight::{Cost, Preflight};
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_core::weights::hex;
use dinomed3d_volume::derivative::Model;
use dinomed3d_volume::dicom::segmentation::Origin;
use dinomed3d_volume::nifti::Depth;
use dinomed3d_volume::{
    GridError, Image, Label, LabelMap, NamedImage, Outline, ScanImage, read_channels,
};
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Which models, and where they compute.
#[derive(Debug, clap::Args)]
pub struct By {
    /// Folder of the model, or the name of one of `dinomed3d models`. A model of a part finds its part in a larger scan by the
    /// model of the whole.
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    pub model: PathBuf,
    /// Look closer at what this model knows of the parts that the first one found, into the same label map.
    #[arg(long, value_name = "MODEL")]
    pub closer: Option<PathBuf>,
    /// cpu, or what else the program was built with: cuda, vulkan, wgpu, webgpu, webgpu-half, libtorch, libtorch-cuda.
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Cores of the processor [default: as many as a Slurm job was given, or as this process may use].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Of probabilities: 8 for 255 steps, 16 for 65535.
    #[arg(long, value_name = "8|16", default_value = "8", value_parser = depth)]
    pub probability_bits: Depth,
}

fn depth(text: &str) -> Result<Depth, String> {
    match text {
        "8" => Ok(Depth::Bits8),
        "16" => Ok(Depth::Bits16),
        _ => Err("expected is 8 or 16".to_owned()),
    }
}

impl By {
    /// The models that results are by, in the order in which they are used; of a model of a part also with that of the whole
    /// before it, of which the scan decides.
    ///
    /// # Errors
    /// One that is nowhere or has no manifest that can be used.
    pub fn identities(&self) -> anyhow::Result<Vec<Vec<Model>>> {
        let manifest = |folder: &PathBuf| ModelFolder::open(folder).manifest();
        let folders = self.folders()?;
        let manifests = folders.iter().map(manifest);
        let manifests = manifests.collect::<Result<Vec<_>, _>>()?;
        let named: Vec<Model> = manifests.iter().map(identity).collect();
        let whole = whole_of(&manifests[0]).and_then(|folder| manifest(&folder).ok());
        let with_whole = whole.map(|whole| [vec![identity(&whole)], named.clone()].concat());
        Ok(std::iter::once(named).chain(with_whole).collect())
    }

    /// The folders of the models, the one that looks closer last.
    ///
    /// # Errors
    /// One that is nowhere.
    pub fn folders(&self) -> anyhow::Result<Vec<PathBuf>> {
        let named = std::iter::once(&self.model).chain(&self.closer);
        named.map(|named| places::model(named)).collect()
    }

    /// All files of the models, also of one of the whole, for no result to replace one.
    ///
    /// # Errors
    /// A model that is nowhere.
    pub fn files(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut folders = self.folders()?;
        let first = ModelFolder::open(&folders[0]).manifest().ok();
        folders.extend(first.as_ref().and_then(whole_of));
        let files = folders.iter().map(|it| ModelFolder::open(it).files());
        Ok(files.flatten().collect())
    }
}

/// The folder of the model of the whole that a model knows a part of; who has none can still segment crops.
fn whole_of(manifest: &ModelManifest) -> Option<PathBuf> {
    let part_of = manifest.part_of.as_ref()?;
    places::model(Path::new(&part_of.model)).ok()
}

/// Which kernels are faster on a graphics processor is measured for the first model.
#[cfg(feature = "webgpu")]
static MEASURED: std::sync::Once = std::sync::Once::new();

/// Whether a device that was found by name computes windows in half precision.
fn is_half(name: &str) -> bool {
    let (kind, _) = name.split_once(':').unwrap_or((name, ""));
    kind.ends_with("-half")
}

/// Loads a model folder onto a device.
///
/// # Errors
/// A manifest or weights that cannot be used, or a device that is not there.
pub fn load_unchecked(folder: &Path, device_name: &str) -> anyhow::Result<Segmenter> {
    let device = device(device_name)?;
    #[cfg(feature = "webgpu")]
    if device_name.starts_with("webgpu") {
        MEASURED.call_once(|| {
            let begun = Instant::now();
            let now_ms = || begun.elapsed().as_secs_f64() * 1e3;
            pollster::block_on(dinomed3d_core::model::choose_kernels(&device, now_ms));
        });
    }
    let segmenter = ModelFolder::open(folder).load(&device)?;
    Ok(if is_half(device_name) {
        segmenter.in_half()
    } else {
        segmenter
    })
}

/// Loads a model folder onto a device and checks the device with it.
///
/// # Errors
/// Those of [`load_unchecked`], or a device that computes wrongly.
pub fn load_model(folder: &Path, device_name: &str) -> anyhow::Result<Segmenter> {
    let segmenter = load_unchecked(folder, device_name)?;
    // Known answers are the CPU's own.
    let reach = match device_name {
        "cpu" => CheckReach::Parts,
        _ => CheckReach::Window,
    };
    let errors = pollster::block_on(segmenter.self_check(reach))?;
    anyhow::ensure!(
        errors.are_tolerable(),
        "device {device_name} does not give the model's known answer: it is off by {errors}"
    );
    Ok(segmenter)
}

/// That a file holds one volume, as a model of one channel takes.
fn expect_one_volume(name: &str, volumes: usize) -> anyhow::Result<()> {
    anyhow::ensure!(
        volumes == 1,
        "{name} holds {volumes} volumes: one is expected, which --volume chooses, counted from 0"
    );
    Ok(())
}

/// A scan as a person named it, a file for each of its channels.
pub struct Input {
    paths: Vec<PathBuf>,
    choice: Choice,
    images: Vec<NamedImage>,
    origin: Option<Origin>,
}

impl Input {
    /// Reads a scan for that model, and says what a person should know of it. A single input may hold all channels.
    ///
    /// # Errors
    /// One that can't be read.
    pub fn read(
        paths: &[PathBuf],
        choice: &Choice,
        model: &Segmenter,
        mut warn: impl FnMut(String),
    ) -> anyhow::Result<Self> {
        let mut origin = None;
        let mut images = Vec::new();
        let channels = match paths {
            [_] => model.manifest().channel_names().len(),
            _ => 1,
        };
        for path in paths {
            let name = path.display().to_string();
            for opened in choice.open_channels(path, channels)? {
                let Opened { scan: image, .. } = opened;
                if images.is_empty() {
                    origin = opened.origin;
                }
                for warning in image.warnings() {
                    warn(format!("{name}: {warning}"));
                }
                let name = name.clone();
                images.push(NamedImage { name, image });
            }
        }
        Ok(Self {
            paths: paths.to_vec(),
            choice: *choice,
            images,
            origin,
        })
    }

    /// How large a scan is, by its headers alone; all its channels are stored.
    ///
    /// # Errors
    /// One that can't be read.
    pub fn outline(paths: &[PathBuf], choice: &Choice) -> anyhow::Result<Outline> {
        let mut first = choice.outline(&paths[0])?;
        for path in &paths[1..] {
            first.stored_bytes += choice.outline(path)?.stored_bytes;
        }
        Ok(first)
    }

    /// The scan's name.
    pub fn name(&self) -> &str {
        &self.images[0].name
    }

    /// Of a scan that was DICOM.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The channels that a model takes, in its order.
    ///
    /// # Errors
    /// Other channels than these, or several volumes where one is expected.
    pub fn channels(&self, names: &[String]) -> anyhow::Result<Vec<ScanImage<'_>>> {
        if let ([only], [_]) = (&self.images[..], names) {
            expect_one_volume(&only.name, only.image.num_volumes())?;
        }
        read_channels(&self.images, names).map_err(|problems| anyhow::anyhow!(problems.join("\n")))
    }

    /// What was found in it, as files may tell of it.
    ///
    /// # Errors
    /// A file that can't be read any more.
    pub fn result<'a>(&'a self, found: &'a Found) -> anyhow::Result<outputs::Segmented<'a>> {
        let read = self.paths.iter();
        let read = read.map(|path| outputs::input(path, &self.choice));
        Ok(outputs::Segmented {
            scan: &self.images[0].image,
            origin: self.origin.as_ref(),
            map: &found.map,
            labels: &found.labels,
            models: &found.models,
            warnings: &found.warnings,
            name: self.name(),
            inputs: read.collect::<anyhow::Result<_>>()?,
            sources: Vec::new(),
            outputs: Vec::new(),
            seen: found.seen.as_ref(),
            depth: found.depth,
        })
    }
}

/// A label map, and what a person should know of it.
pub struct Found {
    pub map: LabelMap,
    /// Without background.
    pub labels: Vec<Label>,
    pub warnings: Vec<String>,
    /// In the order in which they were used.
    pub models: Vec<Model>,
    /// What the network said, where it was kept.
    pub seen: Option<Seen>,
    /// Of probabilities.
    pub depth: Depth,
}

/// The models of a command line on their device.
pub struct Models {
    device: String,
    depth: Depth,
    first: Segmenter,
    closer: Option<Segmenter>,
    /// Of a first model of a part the model of the whole, once a scan needed it.
    whole: OnceCell<Segmenter>,
}

impl Models {
    /// Loads them.
    ///
    /// # Errors
    /// A model that can't be used, or a device that computes wrongly.
    pub fn load(by: &By) -> anyhow::Result<Self> {
        let load = |named: &PathBuf| load_model(&places::model(named)?, &by.device);
        Ok(Self {
            device: by.device.clone(),
            depth: by.probability_bits,
            first: load(&by.model)?,
            closer: by.closer.as_ref().map(load).transpose()?,
            whole: OnceCell::new(),
        })
    }

    /// The model that is asked first.
    pub fn first(&self) -> &Segmenter {
        &self.first
    }

    /// What segmenting a scan will take, on one device.
    ///
    /// # Errors
    /// A scan that has no model grid, or a model of the whole that can't be used; more than one network where logits are kept.
    pub fn preflight(&self, scan: &Outline, keep: Keep) -> anyhow::Result<Preflight> {
        let Outline { shape, affine, .. } = *scan;
        let first = &self.first;
        let part_of = first.manifest().part_of.as_ref();
        let part_of = part_of.filter(|_| first.is_too_large(shape, &affine));
        let whole = part_of.map(|part_of| self.whole(part_of)).transpose()?;
        // Whoever computes, the weights of all that were loaded are held, also of a whole that a scan turns out to be too small for.
        let loaded = [Some(first), whole, self.closer.as_ref()];
        let loaded = loaded.into_iter().flatten();
        let weights = loaded.map(|model| model.cost().weight_bytes()).sum::<u64>();
        let beside_others = |cost: Cost, taken: Preflight| Preflight {
            memory_bytes: taken.memory_bytes + weights - cost.weight_bytes(),
            ..taken
        };
        let of = |model: &Segmenter| {
            let (cost, manifest) = (model.cost(), model.manifest());
            let taken = cost.preflight(manifest, scan, 1)?;
            Ok::<_, GridError>(beside_others(cost, taken))
        };
        let closer = |model: &Segmenter| {
            let (cost, manifest) = (model.cost(), model.manifest());
            let taken = cost.closer_preflight(manifest, scan, 1)?;
            Ok::<_, GridError>(beside_others(cost, taken))
        };
        let whole = whole.filter(|whole| !whole.is_too_small(shape, &affine));
        let taken = match whole {
            Some(whole) => of(whole)?.then(closer(first)?),
            None => of(first)?,
        };
        let taken = match &self.closer {
            Some(model) => taken.then(closer(model)?),
            None => taken,
        };
        let kept = match keep {
            Keep::Nothing => 0,
            Keep::Logits => {
                let by_way_of = whole.map(|whole| [whole, first]);
                let beside = self.closer.as_ref().map(|closer| [first, closer]);
                if let Some(two) = by_way_of.or(beside) {
                    let [a, b] = two.map(|model| &model.manifest().name);
                    anyhow::bail!(
                        "probabilities are those of one network, and {a} and {b} share this scan: expected is one model, without --closer, on what it knows"
                    );
                }
                first.cost().kept_bytes(first.manifest(), scan)?
            }
        };
        Ok(Preflight {
            memory_bytes: taken.memory_bytes + kept + memory::of_program(),
            ..taken
        })
    }

    /// Refuses a file of several volumes where the model takes one, by its header alone.
    ///
    /// # Errors
    /// How many there are.
    pub fn expect_channels(&self, paths: &[PathBuf], scan: &Outline) -> anyhow::Result<()> {
        match (paths, &self.first.manifest().channel_names()[..]) {
            ([only], [_]) => expect_one_volume(&only.display().to_string(), scan.num_volumes),
            _ => Ok(()),
        }
    }

    /// Refuses a scan that would need more memory than there is.
    ///
    /// # Errors
    /// Those of [`Models::preflight`], and what is needed and what is there.
    pub fn expect_room(&self, scan: &Outline, name: &str, keep: Keep) -> anyhow::Result<()> {
        memory::expect_room(self.preflight(scan, keep)?.memory_bytes, name)
    }

    /// What they find in a scan; by way of the whole where the first model knows a part of it only. `before` goes before each
    /// line of progress.
    ///
    /// # Errors
    /// A scan that does not fit the model, or a device that fails.
    pub fn segment(&self, input: &Input, keep: Keep, before: &str) -> anyhow::Result<Found> {
        let channels = input.channels(&self.first.manifest().channel_names())?;
        let work = Work {
            models: self,
            channels: &channels,
            keep,
            before,
        };
        let found = work.found();
        found.with_context(|| format!("segmenting {}", input.name()))
    }

    /// The model of the whole that the first one knows a part of.
    fn whole(&self, part_of: &PartOf) -> anyhow::Result<&Segmenter> {
        if let Some(whole) = self.whole.get() {
            return Ok(whole);
        }
        let whole = places::model(Path::new(&part_of.model)).with_context(|| {
            format!(
                "{} is a model of crops, and the scan is larger than they are",
                self.first.manifest().name
            )
        })?;
        let whole = load_model(&whole, &self.device)?;
        Ok(self.whole.get_or_init(|| whole))
    }
}

/// A scan and what it is segmented with.
struct Work<'a> {
    models: &'a Models,
    channels: &'a [ScanImage<'a>],
    keep: Keep,
    before: &'a str,
}

impl Work<'_> {
    fn found(&self) -> anyhow::Result<Found> {
        let first = &self.models.first;
        let scan = &self.channels[0];
        let part_of = first.manifest().part_of.as_ref();
        let part_of = part_of.filter(|_| first.is_too_large(scan.shape(), &scan.affine()));
        let mut found = match part_of {
            Some(part_of) => self.part(first, part_of)?,
            None => self.whole(first)?,
        };
        if let Some(closer) = &self.models.closer {
            self.look_closer(closer, &mut found)?;
        }
        Ok(found)
    }

    /// What a model of a part says of it in a scan that is larger: of a crop that is no whole either, as of any crop.
    fn part(&self, segmenter: &Segmenter, part_of: &PartOf) -> anyhow::Result<Found> {
        let whole = self.models.whole(part_of)?;
        let scan = &self.channels[0];
        if whole.is_too_small(scan.shape(), &scan.affine()) {
            return self.whole(segmenter);
        }
        let mut found = self.whole(whole)?;
        self.look_closer(segmenter, &mut found)?;
        // Only what the model was asked for; of a side that was not looked at nothing is known, not that it is empty.
        let asked: Vec<_> = part_of.labels().cloned().collect();
        let is_asked = |value: u8| asked.iter().any(|label| label.value == value);
        let labels = found.map.labels.iter_mut();
        labels
            .filter(|value| !is_asked(**value))
            .for_each(|value| *value = 0);
        found.labels.retain(|label| is_asked(label.value));
        if found.labels.is_empty() {
            found.labels = asked;
        }
        Ok(found)
    }

    fn whole(&self, segmenter: &Segmenter) -> anyhow::Result<Found> {
        let (shape, affine) = (self.channels[0].shape(), self.channels[0].affine());
        let mut line = Line::of(segmenter, self.before);
        let computer = segmenter.computer();
        let show = async |step: infer::Progress| line.show(&step);
        let segmentation = segmenter.segment_by(&computer, self.channels, self.keep, show);
        let segmentation = pollster::block_on(segmentation)?;
        line.end();
        Ok(Found {
            map: LabelMap {
                labels: segmentation.labels,
                shape,
                affine,
            },
            labels: segmenter.manifest().labels[1..].to_vec(),
            warnings: segmentation.warnings,
            models: vec![used(segmenter)],
            seen: segmentation.seen,
            depth: self.models.depth,
        })
    }

    fn look_closer(&self, segmenter: &Segmenter, found: &mut Found) -> anyhow::Result<()> {
        let manifest = segmenter.manifest();
        let knows = manifest.part_of.as_ref().map(|part_of| &part_of.places[..]);
        let is_known = |value: u8| found.labels.iter().any(|label| label.value == value);
        anyhow::ensure!(
            knows.is_some_and(|places| places.iter().any(|place| is_known(place.around))),
            "model {} looks closer at nothing that {} labels",
            manifest.name,
            found
                .models
                .iter()
                .map(|model| &*model.name)
                .collect::<Vec<_>>()
                .join(", ")
        );
        let mut line = Line::of(segmenter, self.before);
        let computer = segmenter.computer();
        let closer =
            segmenter.look_closer(&computer, &self.channels[0], &mut found.map, async |step| {
                line.show(&step)
            });
        let closer = pollster::block_on(closer)?;
        line.end();
        found.labels = segmenter.labels_after(&found.labels, &found.map);
        found.warnings.extend(closer.warnings);
        found.models.push(used(segmenter));
        Ok(())
    }
}

fn used(segmenter: &Segmenter) -> Model {
    identity(segmenter.manifest())
}

/// What tells a model from every other, by all that its manifest says: how it draws borders, what it calls its labels.
fn identity(manifest: &ModelManifest) -> Model {
    Model {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        weights_sha256: manifest.weights.sha256.clone(),
        manifest_sha256: Some(hex(&Sha256::digest(readable_json(manifest)))),
    }
}

/// How far a model is.
struct Line<'a> {
    line: Progress,
    before: &'a str,
    model: String,
    begun: Instant,
}

impl<'a> Line<'a> {
    fn of(segmenter: &Segmenter, before: &'a str) -> Self {
        Self {
            line: Progress::new(),
            before,
            model: segmenter.manifest().name.clone(),
            begun: Instant::now(),
        }
    }

    fn show(&mut self, step: &infer::Progress) -> ControlFlow<()> {
        let fraction = f64::from(step.fraction);
        let left = self.begun.elapsed().as_secs_f64() * (1.0 - fraction) / fraction;
        self.line.show(&format!(
            "{}{}: {:3.0} %, window {} of {}, {left:.0} s left",
            self.before,
            self.model,
            100.0 * fraction,
            step.window,
            step.windows
        ));
        ControlFlow::Continue(())
    }

    fn end(&mut self) {
        self.line.end();
    }
}
