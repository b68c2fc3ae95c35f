//! `dinomed3d learn`: a label map after the network's last layers have learnt from a person's strokes, as in the page.

use crate::outputs::{self, Kind};
use crate::places;
use crate::say::say;
use crate::scan::{Choice, files_of};
use crate::segmenting::{By, Input, Models};
use crate::threads;
use anyhow::{Context, ensure};
use dinomed3d_core::infer::Keep;
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::model_folder::ModelFolder;
use dinomed3d_core::strokes::Stroke;
use dinomed3d_volume::atomic_file::check_outputs;
use dinomed3d_volume::{Label, NOTICE};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Arguments of `learn`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scan, as `segment` takes it.
    #[arg(required = true, value_name = "SCAN")]
    scans: Vec<PathBuf>,
    #[command(flatten)]
    choice: Choice,
    /// JSON: a list of strokes in the order in which they were made, each {"value": LABEL, "voxels": [INDEX, …]}; a voxel's index counts
    /// x fastest, and the value 0 erases.
    #[arg(long, value_name = "FILE")]
    strokes: PathBuf,
    #[arg(short, long, value_name = "FILE", help = outputs::HELP_OF_ONE)]
    output: PathBuf,
    #[command(flatten)]
    by: By,
}

/// Segments, learns, and writes the map.
///
/// # Errors
/// A scan, model or strokes that can't be used, among them strokes of a label that the model has not; an output that can't be
/// written.
pub fn run(args: Args) -> anyhow::Result<()> {
    threads::share_out(args.by.threads.map(usize::from))?;
    ensure!(
        args.by.closer.is_none(),
        "--closer is given, expected is one model: its last layers learn"
    );
    let mut inputs = args.by.files()?;
    inputs.push(args.strokes.clone());
    for scan in &args.scans {
        inputs.extend(files_of(scan)?);
    }
    check_outputs(&[&args.output], &inputs)?;
    let kind = Kind::of(&args.output)?;
    ensure!(
        Kind::keep(&[kind]) == Keep::Nothing,
        "{} would hold what the network said before it learnt: expected is a label map, or what is made of one",
        args.output.display()
    );
    let strokes = read_strokes(&args.strokes)?;
    let manifest = ModelFolder::open(&places::model(&args.by.model)?).manifest()?;
    let within = || format!("in {}", args.strokes.display());
    expect_known(&strokes, &manifest).with_context(within)?;
    let outline = Input::outline(&args.scans, &args.choice)?;
    let models = Models::load(&args.by)?;
    let room = models.expect_room(&outline, &args.scans[0].display().to_string(), Keep::Logits);
    room.context("learning from strokes")?;
    let input = Input::read(&args.scans, &args.choice, models.first(), |warning| {
        eprintln!("warning: {warning}");
    })?;
    if kind == Kind::DicomSeg {
        outputs::expect_dicom(input.origin(), input.name())?;
    }
    let mut found = models.segment(&input, Keep::Logits, "")?;
    let (shape, affine) = (found.map.shape, found.map.affine);
    let count = found.map.labels.len();
    let mut voxels = strokes.iter().flat_map(|stroke| &stroke.voxels);
    if let Some(voxel) = voxels.find(|voxel| **voxel as usize >= count) {
        anyhow::bail!(
            "a stroke in {} has voxel {voxel}, expected is one of the {count} of {}",
            args.strokes.display(),
            input.name()
        );
    }
    let seen = found.seen.as_ref().context("logits were to be kept")?;
    let segmenter = models.first();
    let go_on = async |_| ControlFlow::Continue(());
    let features = pollster::block_on(segmenter.features(seen, usize::MAX, go_on))?;
    let features = features.context("features of any size were asked for")?;
    found.map.labels = segmenter.learn(&features, seen, &strokes, shape, &affine)?;
    for (path, content) in input.result(&found)?.files(kind, &args.output)? {
        let writing = || format!("writing {}", path.display());
        content.write(&path).with_context(writing)?;
    }
    say!(
        "learnt from {} strokes: {}",
        strokes.len(),
        args.output.display()
    );
    say!("{NOTICE}");
    Ok(())
}

/// A stroke as the file has it.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    value: u8,
    voxels: Vec<u32>,
}

/// Of a label that the network has no weights for nothing can be learnt, and the map would hold a number without a name.
fn expect_known(strokes: &[Stroke], manifest: &ModelManifest) -> anyhow::Result<()> {
    let is_known = |value: u8| manifest.labels.iter().any(|label| label.value == value);
    let values = strokes.iter().map(|stroke| stroke.value);
    let unknown: BTreeSet<u8> = values.filter(|value| !is_known(*value)).collect();
    let listed = |words: Vec<String>| words.join(", ");
    let label = |label: &Label| format!("{} {}", label.value, label.name);
    ensure!(
        unknown.is_empty(),
        "strokes have the labels {}, expected are those of {}: 0 to erase, {}",
        listed(unknown.iter().map(u8::to_string).collect()),
        manifest.name,
        listed(manifest.labels[1..].iter().map(label).collect())
    );
    Ok(())
}

fn read_strokes(path: &Path) -> anyhow::Result<Vec<Stroke>> {
    let reading = || format!("reading {}", path.display());
    let json = std::fs::read(path).with_context(reading)?;
    let expected = || {
        format!(
            "in {}: expected is a list of strokes, each {{\"value\": 1, \"voxels\": [0]}}",
            path.display()
        )
    };
    let made: Vec<Made> = serde_json::from_slice(&json).with_context(expected)?;
    ensure!(
        made.iter().any(|stroke| !stroke.voxels.is_empty()),
        "{}; found is none that has a voxel",
        expected()
    );
    let stroke = |Made { value, voxels }| Stroke { value, voxels };
    Ok(made.into_iter().map(stroke).collect())
}
