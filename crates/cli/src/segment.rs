//! `dinomed3d segment`: from a scan to its label map.

use crate::device::device;
use crate::places::default_model;
use crate::progress::Progress;
use anyhow::Context;
use dinomed3d_core::infer::check::CheckReach;
use dinomed3d_core::model_folder::{MANIFEST_FILE, ModelFolder, WEIGHTS_FILE};
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_volume::atomic_file::{check_outputs, write_whole};
use dinomed3d_volume::nifti::is_gzip_name;
use dinomed3d_volume::{NOTICE, NamedImage, NiftiImage, gzip, read_channels};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Arguments of `segment`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan, `.nii` or `.nii.gz`; of a model of several channels a file for each, in the model's order, or one file
    /// whose fourth dimension they are.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    /// Where the label map goes, never over the scan; gzipped if the name ends in `.gz`.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Folder of the model [default: hippocampus, in public/models, beside the program or in the user's data folder].
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,
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
    let model = args.model.map_or_else(default_model, Ok)?;
    check_outputs(
        &[&args.output],
        &[args.scans.clone(), files_of_model(&model)].concat(),
    )?;
    let images = args
        .scans
        .iter()
        .map(|path| {
            let name = path.display().to_string();
            let bytes = std::fs::read(path).with_context(|| format!("reading {name}"))?;
            let image = NiftiImage::parse(&bytes).with_context(|| format!("in {name}"))?;
            Ok(NamedImage { name, image })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let names = ModelFolder::open(&model).manifest()?.channel_names();
    let channels =
        read_channels(&images, &names).map_err(|problems| anyhow::anyhow!(problems.join("\n")))?;
    let segmenter = load_model(&model, &args.device)?;
    let mut line = Progress::new();
    let begun = std::time::Instant::now();
    let segmentation = pollster::block_on(segmenter.segment(&channels, async |progress| {
        let fraction = f64::from(progress.fraction);
        let left = begun.elapsed().as_secs_f64() * (1.0 - fraction) / fraction;
        line.show(&format!(
            "{:3.0} %, window {} of {}, {left:.0} s left",
            100.0 * fraction,
            progress.window,
            progress.windows
        ));
        ControlFlow::Continue(())
    }))
    .with_context(|| format!("segmenting {}", images[0].name))?;
    line.end();
    for warning in &segmentation.warnings {
        eprintln!("warning: {warning}");
    }
    let manifest = segmenter.manifest();
    let description = format!("DINO-Med3D {} {}", manifest.name, manifest.version);
    let mut file = images[0]
        .image
        .encode_label_map(&segmentation.labels, &description)?;
    if is_gzip_name(&args.output) {
        file = gzip(&file);
    }
    write_whole(&args.output, &file)
        .with_context(|| format!("writing {}", args.output.display()))?;
    println!("label  voxels  volume (mL)  name");
    for label in &manifest.labels[1..] {
        let voxels = segmentation
            .labels
            .iter()
            .filter(|value| **value == label.value)
            .count();
        println!(
            "{:5}  {voxels:6}  {:11.3}  {}",
            label.value,
            voxels as f64 * channels[0].affine.voxel_volume_ml(),
            label.name
        );
    }
    println!("{NOTICE}");
    Ok(())
}
