//! What the voxels of a case must not hold.

use super::case::RawCase;
use super::index::{CaseFiles, DatasetIndex};
use std::path::Path;

/// Problems of a case that was read, a sentence for each, naming the file: voxels that are not finite, images that are
/// constant, labels that the data set does not name.
pub fn problems(files: &CaseFiles, case: &RawCase, index: &DatasetIndex) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, channel) in case.channels.iter().enumerate() {
        let is_own_file = files.images.len() == case.channels.len();
        let path: &Path = &files.images[if is_own_file { place } else { 0 }];
        let of_channel = if is_own_file {
            String::new()
        } else {
            format!(" of channel {}", index.channels[place])
        };
        let finite = || channel.voxels.iter().filter(|value| value.is_finite());
        let num_voxels = channel.voxels.len();
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
    }
    let named: Vec<u8> = index.labels.iter().map(|label| label.0).collect();
    let present = case.reference.present().into_iter();
    let unknown: Vec<String> = present
        .filter(|value| !named.contains(value))
        .map(|value| value.to_string())
        .collect();
    if !unknown.is_empty() {
        let (noun, verb) = if unknown.len() == 1 {
            ("label", "is")
        } else {
            ("labels", "are")
        };
        problems.push(format!(
            "{}: {noun} {} {verb} not in dataset.json, which lists {named:?}",
            files.label.display(),
            unknown.join(", ")
        ));
    }
    problems
}
