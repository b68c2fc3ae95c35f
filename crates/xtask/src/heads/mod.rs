//! Judging the model of heads by real scans: `cargo xtask heads FOLDER` segments each scan as a person would, with the native
//! program, and writes a table and pictures.
//!
//! The folder's names are those of the scans that docs/head.md names; a scan that is not there is left out and said.

mod overlay;
mod structures;
mod table;
mod variant;

use crate::command::program;
use crate::native;
use crate::places::Places;
use anyhow::{Context, Result, bail};
use dinomed3d_volume::{Affine, open_file};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use table::{Answer, Reference};
use variant::Variant;

/// Arguments of `heads`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder of the scans and their references.
    folder: PathBuf,
    /// Folder of the model; the program's default otherwise.
    #[arg(long)]
    model: Option<PathBuf>,
    /// The native program; built anew otherwise.
    #[arg(long)]
    program: Option<PathBuf>,
    /// Where answers, table and pictures go.
    #[arg(long, default_value = "target/heads")]
    out: PathBuf,
}

/// A scan's name, and the reference that it is held against.
const SCANS: [(&str, Option<Reference>); 9] = [
    (
        "hcp_MNI152_T1_2mm",
        Some(Reference::Structures("hcp_Atlas_ROIs.2")),
    ),
    (
        "hcp_MNI152_T2_2mm",
        Some(Reference::Structures("hcp_Atlas_ROIs.2")),
    ),
    (
        "individual_T1_stripped",
        Some(Reference::Structures("individual_T1_stripped_aseg")),
    ),
    ("ms01_visit1_T1W", Some(Reference::Brain("ms01_brain"))),
    ("ms01_visit1_T2W", Some(Reference::Brain("ms01_brain"))),
    ("ms01_visit1_FLAIR", Some(Reference::Brain("ms01_brain"))),
    ("ms01_visit2_T1W", None),
    ("ms01_visit2_T2W", None),
    ("ms01_visit2_FLAIR", None),
];
/// The scan that is turned, mirrored and resampled.
const VARIED: &str = "individual_T1_stripped";

/// Voxels of whole numbers with their place.
pub struct Labels {
    /// `[z, y, x]`
    pub voxels: Vec<u16>,
    /// `[z, y, x]`
    pub shape: [usize; 3],
    /// To world millimetres.
    pub affine: Affine,
}

impl Labels {
    fn read(path: &Path) -> Result<Self> {
        let image = open_file(path)?;
        Ok(Self {
            voxels: image.values().map(|value| value as u16).collect(),
            shape: image.grid_shape(),
            affine: image.affine(),
        })
    }

    /// The value at a place in the world, of the nearest voxel; 0 outside.
    pub fn at(&self, inverse: &Affine, place: [f64; 3]) -> u16 {
        let at = inverse.apply(place).map(|v| (v + 0.5).floor());
        let [depth, rows, columns] = self.shape;
        let is_inside = |v: f64, edge: usize| v >= 0.0 && v < edge as f64;
        if is_inside(at[0], columns) && is_inside(at[1], rows) && is_inside(at[2], depth) {
            let [x, y, z] = at.map(|v| v as usize);
            self.voxels[(z * rows + y) * columns + x]
        } else {
            0
        }
    }
}

/// Places in the world of the voxels of a grid `[z, y, x]`, in order.
pub fn places(
    [depth, rows, columns]: [usize; 3],
    affine: Affine,
) -> impl Iterator<Item = [f64; 3]> {
    (0..depth * rows * columns).map(move |index| {
        let [x, y, z] = [
            index % columns,
            index / columns % rows,
            index / (columns * rows),
        ];
        affine.apply([x as f64, y as f64, z as f64])
    })
}

/// Segments, compares, writes.
///
/// # Errors
/// A scan that can't be read or segmented, or a result that can't be written.
pub fn judge(places: &Places, args: &Args) -> Result<()> {
    let binary = match &args.program {
        Some(program) => program.clone(),
        None => native::build(places)?,
    };
    fs::create_dir_all(&args.out)?;
    let segment = |scan: &Path, name: &str| -> Result<(Labels, Duration)> {
        let output = args.out.join(format!("{name}.nii.gz"));
        let mut command = program(&binary, &places.root);
        command.arg("segment").arg(fs::canonicalize(scan)?);
        command.arg("-o").arg(std::path::absolute(&output)?);
        if let Some(model) = &args.model {
            command.arg("--model").arg(fs::canonicalize(model)?);
        }
        let begun = Instant::now();
        let answer = command.output().context("starting the native program")?;
        let took = begun.elapsed();
        if !answer.status.success() {
            bail!("{name}: {}", String::from_utf8_lossy(&answer.stderr));
        }
        println!("· {name} … {:.1} s", took.as_secs_f64());
        Ok((Labels::read(&output)?, took))
    };
    let mut answers = Vec::new();
    for (name, reference) in SCANS {
        let scan = args.folder.join(format!("{name}.nii.gz"));
        if !scan.is_file() {
            println!("· {name} is not there: left out");
            continue;
        }
        let (labels, took) = segment(&scan, name)?;
        let reference = reference
            .map(|reference| {
                let path = args.folder.join(format!("{}.nii.gz", reference.file()));
                Ok::<_, anyhow::Error>((reference, Labels::read(&path)?))
            })
            .transpose()?;
        let picture = overlay::png(&open_file(&scan)?.volume()?, &labels)?;
        fs::write(args.out.join(format!("{name}.png")), picture)?;
        answers.push(Answer {
            name,
            labels,
            took,
            reference,
        });
    }
    let mut variants = Vec::new();
    if let Some(original) = answers.iter().find(|answer| answer.name == VARIED) {
        let scan = open_file(&args.folder.join(format!("{VARIED}.nii.gz")))?.volume()?;
        for variant in Variant::ALL {
            let path = args
                .out
                .join(format!("{VARIED}_{}_scan.nii", variant.name()));
            fs::write(&path, variant.file(&scan))?;
            let (labels, _) = segment(&path, &format!("{VARIED}_{}", variant.name()))?;
            variants.push((variant, variant.agreement(&original.labels, &labels)));
        }
    }
    let table = table::markdown(&answers, &variants);
    fs::write(args.out.join("table.md"), &table)?;
    println!("\n{table}");
    Ok(())
}
