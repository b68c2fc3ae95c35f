//! `dinomed3d info`: what a scan's file says about itself and what its voxels hold.

use crate::say::say;
use crate::scan::Choice;
use dinomed3d_volume::{Affine, Format, Orientation, Scan};
use serde::Serialize;
use std::path::PathBuf;

/// Arguments of `info`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A scan of any number of volumes: NIfTI-1 or NIfTI-2 (of a pair either file), ANALYZE 7.5, MGH or MGZ; DICOM as a folder, a
    /// zip or one file.
    file: PathBuf,
    #[command(flatten)]
    choice: Choice,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// The facts, in the order of printing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    file: String,
    format: String,
    /// x, y, z, t, …
    shape: Vec<usize>,
    volumes: usize,
    axis_codes: Orientation,
    affine: Affine,
    /// x, y, z.
    spacing_mm: [f64; 3],
    datatype: &'static str,
    /// Of NIfTI, as is `sform_code`.
    qform_code: Option<i16>,
    sform_code: Option<i16>,
    /// Over finite values, as are `max` and `mean`; none if there is none.
    min: Option<f64>,
    max: Option<f64>,
    mean: Option<f64>,
    /// Voxels that are not a number.
    nan: usize,
    warnings: Vec<String>,
}

impl Info {
    fn of(file: String, scan: &Scan) -> Self {
        let (mut min, mut max, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let (mut finite, mut nan) = (0usize, 0);
        for value in scan.values() {
            if value.is_finite() {
                min = min.min(value);
                max = max.max(value);
                sum += value;
                finite += 1;
            } else if value.is_nan() {
                nan += 1;
            }
        }
        let affine = scan.affine();
        let is_nifti = matches!(scan.format(), Format::Nifti1 | Format::Nifti2);
        let codes = is_nifti.then(|| scan.form_codes());
        let over_finite = |value: f64| (finite > 0).then_some(value);
        Self {
            file,
            format: scan.format().to_string(),
            shape: scan.shape().to_vec(),
            volumes: scan.num_volumes(),
            axis_codes: affine.orientation(),
            affine,
            spacing_mm: affine.spacing_mm(),
            datatype: scan.datatype_name(),
            qform_code: codes.map(|(qform, _)| qform),
            sform_code: codes.map(|(_, sform)| sform),
            min: over_finite(min),
            max: over_finite(max),
            mean: over_finite(sum / finite as f64),
            nan,
            warnings: scan.warnings().to_vec(),
        }
    }

    fn print(&self) {
        let shape: Vec<String> = self.shape.iter().map(ToString::to_string).collect();
        let number =
            |value: Option<f64>| value.map_or_else(|| "none".to_owned(), |v| v.to_string());
        let [x, y, z] = self.spacing_mm;
        say!("file        {}", self.file);
        say!("format      {}", self.format);
        say!("shape       {} (x, y, z, …)", shape.join(" × "));
        say!("volumes     {}", self.volumes);
        say!("axis codes  {}", self.axis_codes);
        say!("spacing     {x:.6} × {y:.6} × {z:.6} mm");
        for (row, values) in self.affine.0.iter().enumerate() {
            let title = if row == 0 { "affine" } else { "" };
            let [a, b, c, d] = values;
            say!("{title:<8}{a:>14.6}{b:>14.6}{c:>14.6}{d:>14.6}");
        }
        say!("datatype    {}", self.datatype);
        if let (Some(qform), Some(sform)) = (self.qform_code, self.sform_code) {
            say!("form codes  qform {qform}, sform {sform}");
        }
        say!("min         {}", number(self.min));
        say!("max         {}", number(self.max));
        say!("mean        {}", number(self.mean));
        say!("NaN voxels  {}", self.nan);
        for warning in &self.warnings {
            say!("warning     {warning}");
        }
    }
}

/// Reads and prints.
///
/// # Errors
/// A file that cannot be read or is no scan.
pub fn run(args: Args) -> anyhow::Result<()> {
    let scan = args.choice.read(&args.file)?;
    let info = Info::of(args.file.display().to_string(), &scan);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&info)?);
    } else {
        info.print();
    }
    Ok(())
}
