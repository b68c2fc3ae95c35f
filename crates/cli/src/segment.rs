//! `dinomed3d segment`: from a scan to its label map.

use crate::device::device;
use crate::outputs::{self, Kind, input};
use crate::places::{self, DEFAULT_MODEL};
use crate::progress::Progress;
use crate::scan::{Choice, Opened, files_of};
use anyhow::Context;
use dinomed3d_core::infer::check::CheckReach;
use dinomed3d_core::infer::{self, PartOf};
use dinomed3d_core::model_folder::{MANIFEST_FILE, ModelFolder, WEIGHTS_FILE};
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::atomic_file::{check_outputs, write_whole};
use dinomed3d_volume::derivative::Model;
use dinomed3d_volume::volumetry::LabelSize;
use dinomed3d_volume::{Label, LabelMap, NOTICE, NamedImage, Volume, read_channels};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Arguments of `segment`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan: NIfTI (of a pair either file), ANALYZE 7.5, MGH; DICOM as a folder, a zip or one file. Of a model of several channels a file for each, in the model's order, or one file
    /// whose fourth dimension they are.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    #[arg(
        short,
        long = "output",
        value_name = "FILE",
        required_unless_present = "preflight",
        help = outputs::HELP
    )]
    outputs: Vec<PathBuf>,
    /// Folder of the model, or the name of one that came with the program, in public/models, beside it or in the user's data
    /// folder. A model of a part finds its part in a larger scan by the model of the whole.
    #[arg(long, value_name = "MODEL", default_value = DEFAULT_MODEL)]
    model: PathBuf,
    /// Only say what it would take: windows, arithmetic, time on this device, memory.
    #[arg(long, conflicts_with = "outputs")]
    preflight: bool,
    /// Look closer at what this model knows of the parts that the first one found, into the same label map.
    #[arg(long, value_name = "MODEL")]
    closer: Option<PathBuf>,
    /// cpu, or vulkan or cuda where the program was built with them.
    #[arg(long, default_value = "cpu")]
    device: String,
}

/// What is read of a model folder, for no result to replace it.
pub fn files_of_model(folder: &Path) -> Vec<PathBuf> {
    let folder = ModelFolder::open(folder);
    [MANIFEST_FILE, WEIGHTS_FILE]
        .map(|name| folder.file(name))
        .to_vec()
}

/// Loads a model folder onto a device.
///
/// # Errors
/// A manifest or weights that cannot be used, or a device that is not there.
pub fn load_unchecked(folder: &Path, device_name: &str) -> anyhow::Result<Segmenter> {
    Ok(ModelFolder::open(folder).load(&device(device_name)?)?)
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

/// Segments.
///
/// # Errors
/// A scan or model that cannot be read, or an output that cannot be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let model = places::model(&args.model)?;
    let manifest = ModelFolder::open(&model).manifest()?;
    let closer = args.closer.as_deref().map(places::model).transpose()?;
    let mut inputs = files_of_model(&model);
    for scan in &args.scans {
        inputs.extend(files_of(scan)?);
    }
    inputs.extend(closer.iter().flat_map(|closer| files_of_model(closer)));
    check_outputs(&args.outputs, &inputs)?;
    let kinds = args.outputs.iter().map(|path| Kind::of(path));
    let kinds: Vec<Kind> = kinds.collect::<anyhow::Result<_>>()?;
    let mut origins = Vec::new();
    let images = args
        .scans
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let Opened {
                scan: image,
                origin,
            } = args.choice.open(path)?;
            origins.push(origin);
            for warning in image.warnings() {
                eprintln!("warning: {name}: {warning}");
            }
            Ok(NamedImage { name, image })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    if args.preflight {
        return preflight(&model, &args.device, &images);
    }
    let origin = origins[0].as_ref();
    if kinds.contains(&Kind::DicomSeg) {
        outputs::expect_dicom(origin, &images[0].name)?;
    }
    let names = manifest.channel_names();
    if let ([only], [_]) = (&images[..], &names[..]) {
        let volumes = only.image.num_volumes();
        anyhow::ensure!(
            volumes == 1,
            "{} holds {volumes} volumes: one is expected, which --volume chooses, counted from 0",
            only.name
        );
    }
    let channels =
        read_channels(&images, &names).map_err(|problems| anyhow::anyhow!(problems.join("\n")))?;
    let work = Work {
        channels: &channels,
        device: &args.device,
    };
    let found = work
        .found(&model, closer.as_deref())
        .with_context(|| format!("segmenting {}", images[0].name))?;
    for warning in &found.warnings {
        eprintln!("warning: {warning}");
    }
    let read = args.scans.iter().map(|path| input(path, &files_of(path)?));
    let result = outputs::Segmented {
        scan: &images[0].image,
        origin,
        map: &found.map,
        labels: &found.labels,
        models: &found.models,
        warnings: &found.warnings,
        name: &images[0].name,
        inputs: &read.collect::<anyhow::Result<Vec<_>>>()?,
    };
    let writing = |output: &PathBuf| format!("writing {}", output.display());
    // All of them or none.
    let made = args.outputs.iter().zip(kinds);
    let made = made.map(|(output, kind)| result.file(kind).with_context(|| writing(output)));
    let made: Vec<Vec<u8>> = made.collect::<anyhow::Result<_>>()?;
    for (output, file) in args.outputs.iter().zip(made) {
        write_whole(output, &file).with_context(|| writing(output))?;
    }
    println!("label  voxels  volume (mL)  name");
    for (label, size) in found.labels.iter().zip(result.sizes()) {
        let LabelSize {
            value,
            voxels,
            volume_ml,
        } = size;
        println!("{value:5}  {voxels:6}  {volume_ml:11.3}  {}", label.name);
    }
    println!("{NOTICE}");
    Ok(())
}

/// Says what segmenting would take; the time is that of the known answer, as much longer as there is more arithmetic.
fn preflight(model: &Path, device_name: &str, images: &[NamedImage]) -> anyhow::Result<()> {
    let segmenter = load_model(model, device_name)?;
    let begun = Instant::now();
    pollster::block_on(segmenter.self_check(CheckReach::Parts))?;
    let cost = segmenter.cost();
    let seconds_per_gflop = begun.elapsed().as_secs_f64() / cost.check_gflop;
    let image = &images[0].image;
    let stored: u64 = images.iter().map(|named| named.image.stored_bytes()).sum();
    let manifest = segmenter.manifest();
    let preflight = cost.preflight(manifest, image.grid_shape(), &image.affine(), stored, 1)?;
    println!("windows  GFLOP  about  memory");
    println!(
        "{:7}  {:5.0}  {:3.0} s  {:.2} GB",
        preflight.windows,
        preflight.gflop,
        preflight.gflop * seconds_per_gflop,
        preflight.memory_bytes as f64 / 1e9
    );
    Ok(())
}

/// A scan and what it is segmented on.
struct Work<'a> {
    channels: &'a [Volume],
    device: &'a str,
}

/// A label map, and what a person should know of it.
struct Found {
    map: LabelMap,
    /// Without background.
    labels: Vec<Label>,
    warnings: Vec<String>,
    /// In the order in which they were used.
    models: Vec<Model>,
}

impl Work<'_> {
    /// By a model, then by one that looks closer; by way of the whole where the model knows a part of it only.
    fn found(&self, model: &Path, closer: Option<&Path>) -> anyhow::Result<Found> {
        let segmenter = load_model(model, self.device)?;
        let scan = &self.channels[0];
        let part_of = segmenter.manifest().part_of.clone();
        let part_of = part_of.filter(|_| segmenter.is_too_large(scan));
        let mut found = match part_of {
            Some(part_of) => self.part(&segmenter, &part_of)?,
            None => self.whole(&segmenter)?,
        };
        if let Some(closer) = closer {
            self.look_closer(&load_model(closer, self.device)?, &mut found)?;
        }
        Ok(found)
    }

    /// What a model of a part says of it in a scan that is larger: of a crop that is no whole either, as of any crop.
    fn part(&self, segmenter: &Segmenter, part_of: &PartOf) -> anyhow::Result<Found> {
        let whole = places::model(Path::new(&part_of.model)).with_context(|| {
            format!(
                "{} is a model of crops, and the scan is larger than they are",
                segmenter.manifest().name
            )
        })?;
        let whole = load_model(&whole, self.device)?;
        if whole.is_too_small(&self.channels[0]) {
            return self.whole(segmenter);
        }
        let mut found = self.whole(&whole)?;
        self.look_closer(segmenter, &mut found)?;
        // Only what the model was asked for.
        found.labels = part_of.labels().cloned().collect();
        let is_asked = |value: u8| found.labels.iter().any(|label| label.value == value);
        let labels = found.map.labels.iter_mut();
        labels
            .filter(|value| !is_asked(**value))
            .for_each(|value| *value = 0);
        Ok(found)
    }

    fn whole(&self, segmenter: &Segmenter) -> anyhow::Result<Found> {
        let Volume { shape, affine, .. } = self.channels[0];
        let mut line = Line::of(segmenter);
        let segmentation = segmenter.segment(self.channels, async |step| line.show(&step));
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
        let mut line = Line::of(segmenter);
        let computer = segmenter.computer();
        let closer =
            segmenter.look_closer(&computer, &self.channels[0], &mut found.map, async |step| {
                line.show(&step)
            });
        let closer = pollster::block_on(closer)?;
        line.end();
        found.labels = segmenter.labels_after(&found.labels);
        found.warnings.extend(closer.warnings);
        found.models.push(used(segmenter));
        Ok(())
    }
}

fn used(segmenter: &Segmenter) -> Model {
    let manifest = segmenter.manifest();
    Model {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        weights_sha256: manifest.weights.sha256.clone(),
    }
}

/// How far a model is.
struct Line {
    line: Progress,
    model: String,
    begun: Instant,
}

impl Line {
    fn of(segmenter: &Segmenter) -> Self {
        Self {
            line: Progress::new(),
            model: segmenter.manifest().name.clone(),
            begun: Instant::now(),
        }
    }

    fn show(&mut self, step: &infer::Progress) -> ControlFlow<()> {
        let fraction = f64::from(step.fraction);
        let left = self.begun.elapsed().as_secs_f64() * (1.0 - fraction) / fraction;
        self.line.show(&format!(
            "{}: {:3.0} %, window {} of {}, {left:.0} s left",
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
