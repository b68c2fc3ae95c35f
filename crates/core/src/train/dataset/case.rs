//! One case as its files hold it.

use super::files::CaseFiles;
use dinomed3d_volume::{Image, LabelMap, NamedImage, Scan, ScanError, ScanImage, Volume};
use dinomed3d_volume::{grid_problem, read_channels};
use std::path::Path;

/// A case as its files hold it, all on one grid.
#[derive(Clone, Debug)]
pub struct RawCase {
    /// One volume per channel.
    pub channels: Vec<Volume>,
    /// Label values.
    pub reference: LabelMap,
}

impl RawCase {
    /// Reads the files of a case, whose image has the channels of these names.
    ///
    /// # Errors
    /// A sentence for each problem, naming the file: what cannot be read, is no scan or no label map, has another
    /// number of channels, or lies on another grid.
    pub fn read(files: &CaseFiles, channels: &[String]) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut images = Vec::with_capacity(files.images.len());
        for (place, path) in files.images.iter().enumerate() {
            let role = match (channels.get(place), files.images.len()) {
                (Some(channel), 2..) => format!("channel {channel} of case {}", files.name),
                _ => format!("the image of case {}", files.name),
            };
            match read(path, &role) {
                Ok(image) => images.push(image),
                Err(problem) => problems.push(problem),
            }
        }
        let label = read(
            &files.label,
            &format!("the label map of case {}", files.name),
        );
        let reference = label.and_then(|NamedImage { name, image }| {
            let reference = image.label_map();
            reference.map_err(|error| format!("{name}: {error}"))
        });
        if let (Ok(reference), Some(first)) = (&reference, images.first()) {
            let problem = grid_problem(
                (reference.shape, &reference.affine),
                (first.image.grid_shape(), &first.image.affine()),
            );
            problems.extend(problem.map(|problem| {
                format!(
                    "{}: the label map {problem} its image, {}",
                    files.label.display(),
                    first.name
                )
            }));
        }
        // What is missing can't be compared with anything.
        let volumes = if images.len() == files.images.len() {
            read_channels(&images, channels).and_then(whole)
        } else {
            Err(Vec::new())
        };
        match (volumes, reference) {
            (Ok(channels), Ok(reference)) if problems.is_empty() => Ok(Self {
                channels,
                reference,
            }),
            (volumes, reference) => {
                problems.extend(volumes.err().unwrap_or_default());
                problems.extend(reference.err());
                Err(problems)
            }
        }
    }
}

fn whole(channels: Vec<ScanImage>) -> Result<Vec<Volume>, Vec<String>> {
    let whole = channels.iter().map(|image| Ok(image.whole()?.into_owned()));
    let whole: Result<_, ScanError> = whole.collect();
    whole.map_err(|error| vec![error.to_string()])
}

/// Reads a file; `role` is what the case wants it for.
pub(super) fn read(path: &Path, role: &str) -> Result<NamedImage, String> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{name}: this file is missing; it is {role}"),
        _ => format!("{name}: {error}"),
    })?;
    let image = Scan::open(&bytes, None).map_err(|error| format!("{name}: {error}"))?;
    let spacing_mm = image.stated_spacing_mm();
    if !spacing_mm.iter().all(|mm| mm.is_finite() && *mm > 0.0) {
        return Err(format!(
            "{name}: its spacing is {spacing_mm:?} mm (x, y, z), expected are finite numbers above 0"
        ));
    }
    Ok(NamedImage { name, image })
}
