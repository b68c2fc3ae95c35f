//! What the voxels of a case must not hold: each problem is a sentence that names the file.

use super::case::{RawCase, read};
use super::files::CaseFiles;
use super::index::DatasetIndex;
use dinomed3d_volume::{LabelMap, Volume};
use std::path::Path;

impl RawCase {
    /// Reads and checks a case.
    ///
    /// # Errors
    /// A sentence for each problem, naming the file.
    pub fn load(files: &CaseFiles, index: &DatasetIndex) -> Result<Self, Vec<String>> {
        let case = Self::read(files, &index.channels).map_err(|mut problems| {
            problems.extend(problems_of_readable(files, index));
            problems
        })?;
        let problems = problems(files, &case, index);
        if problems.is_empty() {
            Ok(case)
        } else {
            Err(problems)
        }
    }
}

/// Problems of a case that was read: voxels that are not finite, images that are constant, labels that the data set
/// does not name.
fn problems(files: &CaseFiles, case: &RawCase, index: &DatasetIndex) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, channel) in case.channels.iter().enumerate() {
        let has_own_file = files.images.len() == case.channels.len();
        let (path, name) = if has_own_file {
            (&files.images[place], None)
        } else {
            (&files.images[0], index.channels.get(place))
        };
        problems.extend(image_problems(path, channel, name));
    }
    problems.extend(label_problems(&files.label, &case.reference, index));
    problems
}

/// The same of those files of a case that can be read, where the case as a whole can't be.
fn problems_of_readable(files: &CaseFiles, index: &DatasetIndex) -> Vec<String> {
    let mut problems = Vec::new();
    for path in &files.images {
        let volumes = read(path, "").map(|file| file.image.volumes());
        let volumes = volumes.into_iter().flatten().flatten();
        for (place, volume) in volumes.enumerate() {
            let name = index.channels.get(place);
            let name = name.filter(|_| files.images.len() != index.channels.len());
            problems.extend(image_problems(path, &volume, name));
        }
    }
    let reference = read(&files.label, "").map(|file| file.image.label_map());
    if let Ok(Ok(reference)) = reference {
        problems.extend(label_problems(&files.label, &reference, index));
    }
    problems
}

/// `channel` names one of several in a file.
fn image_problems(path: &Path, volume: &Volume, channel: Option<&String>) -> Vec<String> {
    let mut problems = Vec::new();
    let of_channel = channel.map_or_else(String::new, |name| format!(" of channel {name}"));
    let finite = || volume.voxels.iter().filter(|value| value.is_finite());
    let num_voxels = volume.voxels.len();
    let not_finite = num_voxels - finite().count();
    if not_finite > 0 {
        problems.push(format!(
            "{}: {not_finite} of {num_voxels} voxels{of_channel} are NaN or infinite, expected are finite numbers",
            path.display()
        ));
    }
    let first = finite().next();
    if let Some(value) = first.filter(|first| finite().all(|value| value == *first)) {
        problems.push(format!(
            "{}: every voxel{of_channel} is {value}: there is nothing to see in this image",
            path.display()
        ));
    }
    problems
}

fn label_problems(path: &Path, reference: &LabelMap, index: &DatasetIndex) -> Option<String> {
    let named: Vec<u8> = index.labels.iter().map(|label| label.0).collect();
    let present = reference.present().into_iter();
    let unknown: Vec<String> = present
        .filter(|value| !named.contains(value))
        .map(|value| value.to_string())
        .collect();
    let (noun, verb) = match unknown.len() {
        0 => return None,
        1 => ("label", "is"),
        _ => ("labels", "are"),
    };
    Some(format!(
        "{}: {noun} {} {verb} not in dataset.json, which lists {named:?}",
        path.display(),
        unknown.join(", ")
    ))
}
