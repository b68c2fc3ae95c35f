//! `dinomed3d info`: what a NIfTI file says about itself and what its voxels hold.

use anyhow::Context;
use dinomed3d_volume::{Affine, NiftiImage, Orientation};
use serde::Serialize;
use std::path::PathBuf;

/// Arguments of `info`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A NIfTI-1 file, `.nii` or `.nii.gz`, of any number of volumes.
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The facts, in the order of printing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    file: String,
    /// x, y, z, t, …
    shape: Vec<usize>,
    axis_codes: Orientation,
    affine: Affine,
    /// x, y, z.
    spacing_mm: [f64; 3],
    datatype: &'static str,
    qform_code: i16,
    sform_code: i16,
    /// Over finite values, as are `max` and `mean`; none if there is none.
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    /// Voxels that are not a number.
    nan: usize,
}

impl Info {
    fn of(file: String, image: &NiftiImage) -> Self {
        let (mut min, mut max, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let (mut finite, mut nan) = (0usize, 0);
        for value in image.values() {
            if value.is_finite() {
                min = min.min(value);
                max = max.max(value);
                sum += value;
                finite += 1;
            } else if value.is_nan() {
                nan += 1;
            }
        }
        let affine = image.affine();
        let (qform_code, sform_code) = image.form_codes();
        let over_finite = |value: f64| (finite > 0).then_some(value);
        Self {
            file,
            shape: image.shape().to_vec(),
            axis_codes: affine.orientation(),
            affine,
            spacing_mm: affine.spacing_mm(),
            datatype: image.datatype_name(),
            qform_code,
            sform_code,
            min: over_finite(min),
            max: over_finite(max),
            mean: over_finite(sum / finite as f64),
            nan,
        }
    }

    fn print(&self) {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let number =
            |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |v| v.to_string());
        let [x, y, z] = self.spacing_mm;
        println!("file        {}", self.file);
        println!("shape       {} (x, y, z, …)", shape.join(" × "));
        println!("axis codes  {}", self.axis_codes);
        println!("spacing     {x:.6} × {y:.6} × {z:.6} mm");
        for (row, values) in self.affine.0.iter().enumerate() {
            let title = if row == 0 { "affine" } else { "" };
            let [a, b, c, d] = values;
            println!("{title:<8}{a:>14.6}{b:>14.6}{c:>14.6}{d:>14.6}");
        }
        println!("datatype    {}", self.datatype);
        println!(
            "form codes  qform {}, sform {}",
            self.qform_code, self.sform_code
        );
        println!("min         {}", number(self.min));
        println!("max         {}", number(self.max));
        println!("mean        {}", number(self.mean));
        println!("NaN voxels  {}", self.nan);
    }
}

/// Reads and prints.
///
/// # Errors
/// A file that cannot be read or is no NIfTI-1 file.
pub fn run(args: Args) -> anyhow::Result<()> {
    let file = args.file.display().to_string();
    let bytes = std::fs::read(&args.file).with_context(|| format!("reading {file}"))?;
    let image = NiftiImage::parse(&bytes).with_context(|| format!("in {file}"))?;
    drop(bytes);
    let info = Info::of(file, &image);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&info)?);
    } else {
        info.print();
    }
    Ok(())
}
