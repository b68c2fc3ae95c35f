//! `dinomed3d fingerprint`: what a data set is like.

use crate::say::{say, say_passed_over};
use anyhow::Context;
use dinomed3d_core::train::Fingerprint;
use dinomed3d_core::train::dataset::DatasetIndex;
use dinomed3d_core::train::fingerprint::{Intensities, Spread3};
use dinomed3d_volume::atomic_file::{check_outputs, write_whole};
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `fingerprint`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Data set in the layout of the Medical Segmentation Decathlon or of nnU-Net v2.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Also write the facts as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Reads the data set and prints what it is like.
///
/// # Errors
/// A data set with problems, a file that can't be written.
pub fn run(args: Args) -> anyhow::Result<()> {
    let index = DatasetIndex::survey(&args.data)?.0;
    check_outputs(args.json.as_slice(), &index.files(&args.data))?;
    say_passed_over(&index.passed_over);
    let fingerprint = Fingerprint::read(&args.data)?;
    if let Some(path) = &args.json {
        write_whole(path, &serde_json::to_vec_pretty(&fingerprint)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    say!("{}", text(&fingerprint).trim_end());
    Ok(())
}

/// The facts for people.
fn text(fingerprint: &Fingerprint) -> String {
    let mut text = String::new();
    let orientations: Vec<String> = fingerprint
        .orientations
        .iter()
        .map(|(letters, count)| format!("{letters} {count}"))
        .collect();
    // Writing into a String never fails.
    let mut line = |words: std::fmt::Arguments| {
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("cases        {}", fingerprint.num_cases));
    line(format_args!("orientations {}", orientations.join(", ")));
    line(format_args!(
        "             along right–left, posterior–anterior, inferior–superior: smallest, median, largest"
    ));
    line(format_args!(
        "voxels       {}",
        spread(&fingerprint.shape, 0)
    ));
    line(format_args!(
        "spacing, mm  {}",
        spread(&fingerprint.spacing_mm, 3)
    ));
    for channel in &fingerprint.channels {
        line(format_args!("channel {}", channel.name));
        line(format_args!(
            "  all voxels {}",
            intensities(&channel.overall)
        ));
        match &channel.labelled {
            Some(labelled) => line(format_args!("  labelled   {}", intensities(labelled))),
            None => line(format_args!("  labelled   none")),
        }
    }
    for label in &fingerprint.labels {
        line(format_args!(
            "label {} {}: in {} of {} cases, there {:.0} voxels or {:.3} mL (median); {:.3} % of all voxels",
            label.value,
            label.name,
            label.num_cases,
            fingerprint.num_cases,
            label.median_voxels,
            label.median_ml,
            100.0 * label.share
        ));
    }
    text
}

fn spread(spread: &Spread3, decimals: usize) -> String {
    let axes = (0..3).map(|axis| {
        let [min, median, max] = [spread.min, spread.median, spread.max].map(|v| v[axis]);
        format!("{min:.decimals$} {median:.decimals$} {max:.decimals$}")
    });
    axes.collect::<Vec<_>>().join(" | ")
}

fn intensities(found: &Intensities) -> String {
    format!(
        "mean {:.4}, deviation {:.4}; percentiles 0.5, 50, 99.5: {:.4}, {:.4}, {:.4}",
        found.mean, found.std, found.low, found.median, found.high
    )
}
