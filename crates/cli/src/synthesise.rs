//! `dinomed3d synthesise`: what a training from label maps sees, as files and as a picture.

use crate::say::{say, say_passed_over};
use anyhow::Context;
use dinomed3d_core::results::report::png_of;
use dinomed3d_core::train::augment::Sample;
use dinomed3d_core::train::dataset::{LabelMaps, Listing};
use dinomed3d_core::train::recipe_file::{read_recipe, recipe_files};
use dinomed3d_core::train::synthesis::Synthesizer;
use dinomed3d_volume::atomic_file::{check_outputs_in, write_whole};
use dinomed3d_volume::nifti::{Values, encode};
use dinomed3d_volume::statistics::quantile_of_unsorted;
use dinomed3d_volume::{Affine, Scan, gzip};
use std::path::PathBuf;
use std::time::Instant;

/// Name of the picture.
const PICTURE: &str = "drawn.png";

/// Arguments of `synthesise`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recipe with a `[synthesis]`.
    #[arg(long, value_name = "FILE")]
    recipe: PathBuf,
    /// Folder of label maps and their table, labels.tsv.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Folder for drawn_N.nii.gz, drawn_N_dseg.nii.gz and drawn.png.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many windows.
    #[arg(long, value_name = "N", default_value_t = 8)]
    count: usize,
    /// Seed, instead of the recipe's.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

/// Draws and writes.
///
/// # Errors
/// A recipe without synthesis, a folder that can't be read or written.
pub fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(args.count > 0, "--count is 0, expected is 1 at least");
    let drawn = |number: usize, ending: &str| format!("drawn_{number}{ending}.nii.gz");
    let files = (0..args.count).flat_map(|number| [drawn(number, ""), drawn(number, "_dseg")]);
    let outputs: Vec<String> = files.chain([PICTURE.to_owned()]).collect();
    let outputs: Vec<&str> = outputs.iter().map(String::as_str).collect();
    let mut recipe = read_recipe(&args.recipe)?;
    // Before the folder is read, which is another one for a recipe that trains on scans.
    let settings = recipe.synthesis.clone().with_context(|| {
        format!(
            "{} has no [synthesis]: it trains on scans, and nothing is drawn",
            args.recipe.display()
        )
    })?;
    let data = Listing::read(&recipe, &args.data)?;
    let inputs = [data.files, recipe_files(&args.recipe)?].concat();
    check_outputs_in(&args.out, &outputs, &inputs)?;
    say_passed_over(&data.passed_over);
    recipe.seed = args.seed.unwrap_or(recipe.seed);
    recipe.check()?;
    let drawn_from = LabelMaps::of_recipe(&recipe, &settings, &args.data)?;
    let classes = drawn_from.labels();
    let LabelMaps { table, maps, .. } = &drawn_from;
    let synthesizer = Synthesizer::new(&recipe, &settings, table, &classes, 2);
    std::fs::create_dir_all(&args.out).with_context(|| format!("making {}", args.out.display()))?;
    let begun = Instant::now();
    let samples: Vec<Sample> = (0..args.count)
        .map(|place| synthesizer.draw(&maps[place % maps.len()], 0, place))
        .collect();
    let seconds = begun.elapsed().as_secs_f64();
    let affine = centred(recipe.window, synthesizer.spacing_mm);
    for (number, sample) in samples.iter().enumerate() {
        let values = transposed(&whole_numbers(&sample.voxels), recipe.window);
        let scan = encode(
            &recipe.window,
            &affine,
            Values::Int16(&values),
            "DINO-Med3D, drawn, not a person",
        );
        let value_of = |class: &u8| classes[usize::from(*class)].0;
        let labels: Vec<u8> = sample.labels.iter().map(value_of).collect();
        let labels = transposed(&labels, recipe.window);
        let reference = Scan::open(&scan, None)?.encode_label_map(&labels, "DINO-Med3D, drawn")?;
        for (ending, file) in [("", &scan), ("_dseg", &reference)] {
            let path = args.out.join(drawn(number, ending));
            write_whole(&path, &gzip(file))
                .with_context(|| format!("writing {}", path.display()))?;
        }
    }
    let picture = sheet(&samples, recipe.window, &recipe.colors)?;
    let picture_path = args.out.join(PICTURE);
    write_whole(&picture_path, &picture)
        .with_context(|| format!("writing {}", picture_path.display()))?;
    say!(
        "{} windows of {:?} voxels drawn in {seconds:.2} s on one core; picture in {}",
        args.count,
        recipe.window,
        picture_path.display()
    );
    Ok(())
}

/// As scanners write values, from 0: a third of the size of what was drawn, packed.
fn whole_numbers(drawn: &[f32]) -> Vec<i16> {
    let [low, high] = range(drawn);
    let scaled = |value: &f32| 255.0 * (value - low) / (high - low);
    drawn
        .iter()
        .map(|v| scaled(v).round().max(0.0) as i16)
        .collect()
}

/// Slices, rows and columns run to the right, front and top, so that a file's x is the slice; its middle is the origin.
fn centred(window: [usize; 3], spacing_mm: [f64; 3]) -> Affine {
    let mut affine = Affine::from_spacing_mm(spacing_mm);
    for (axis, edge) in window.into_iter().enumerate() {
        affine.0[axis][3] = -(edge as f64 - 1.0) / 2.0 * spacing_mm[axis];
    }
    affine
}

/// From the last axis fastest to the first axis fastest.
fn transposed<T: Copy>(values: &[T], [slices, rows, columns]: [usize; 3]) -> Vec<T> {
    let mut result = Vec::with_capacity(values.len());
    for column in 0..columns {
        for row in 0..rows {
            result.extend((0..slices).map(|slice| values[(slice * rows + row) * columns + column]));
        }
    }
    result
}

/// One row for each window: its middle axial, coronal and sagittal slice, and the same with the labels' colours.
fn sheet(
    samples: &[Sample],
    window: [usize; 3],
    colors: &[[u8; 3]],
) -> Result<Vec<u8>, png::EncodingError> {
    const GAP: usize = 4;
    let [slices, rows, columns] = window;
    // Width and height of each plane, and the voxel at a pixel of it: anterior and superior are up.
    let planes = [[slices, rows], [slices, columns], [rows, columns]];
    let voxel = |plane: usize, x: usize, y: usize| match plane {
        0 => [x, rows - 1 - y, columns / 2],
        1 => [x, rows / 2, columns - 1 - y],
        _ => [slices / 2, x, columns - 1 - y],
    };
    let across: usize = planes.iter().map(|[width, _]| width + GAP).sum();
    let down = planes
        .iter()
        .map(|[_, height]| height + GAP)
        .max()
        .unwrap_or(0);
    let [width, height] = [2 * across, down * samples.len()];
    let mut pixels = vec![0; 3 * width * height];
    for (number, sample) in samples.iter().enumerate() {
        let [low, high] = range(&sample.voxels);
        for with_labels in [false, true] {
            let mut left = if with_labels { across } else { 0 };
            for (plane, [plane_width, plane_height]) in planes.into_iter().enumerate() {
                for y in 0..plane_height {
                    for x in 0..plane_width {
                        let [slice, row, column] = voxel(plane, x, y);
                        let index = (slice * rows + row) * columns + column;
                        let grey = 255.0 * (sample.voxels[index] - low) / (high - low);
                        let grey = grey.clamp(0.0, 255.0);
                        let class = usize::from(sample.labels[index]);
                        let color = match class.checked_sub(1) {
                            Some(place) if with_labels => colors[place].map(f32::from),
                            _ => [grey; 3],
                        };
                        let at = 3 * ((number * down + y) * width + left + x);
                        for (pixel, part) in pixels[at..at + 3].iter_mut().zip(color) {
                            *pixel = (0.4 * grey + 0.6 * part) as u8;
                        }
                    }
                }
                left += plane_width + GAP;
            }
        }
    }
    png_of(&pixels, [width, height])
}

/// Least and greatest value but for the outermost hundredth.
fn range(values: &[f32]) -> [f32; 2] {
    let mut values = values.to_vec();
    let [low, high] = [0.01, 0.99].map(|f| quantile_of_unsorted(&mut values, f) as f32);
    [low, high.max(low + f32::EPSILON)]
}
