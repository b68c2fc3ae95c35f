//! The file of a label map that a person has changed, and says so.

use dinomed3d_volume::nifti::MadeBy;
use dinomed3d_volume::{Scan, gzip};

/// What every label map that a person has changed says.
pub(super) const BY_HAND: &str = "changed by hand";

/// What every label map says that a person's strokes have taught the network: short, for a header has little room.
pub(super) fn learnt(strokes: usize) -> String {
    let plural = if strokes == 1 { "" } else { "s" };
    format!("learnt from {strokes} stroke{plural}")
}

/// A label map's file that says a person changed it, as it is otherwise.
///
/// # Errors
/// Why there can be none, as a sentence without its full stop.
pub fn marked(file: &[u8]) -> Result<Vec<u8>, String> {
    let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
    let map = scan.label_map().map_err(|error| error.to_string())?;
    encoded(file, &map.labels, BY_HAND)
}

pub(super) fn encoded(file: &[u8], labels: &[u8], how: &str) -> Result<Vec<u8>, String> {
    Ok(gzip(&changed(file, labels, how)?))
}

/// Not gzipped yet.
pub(super) fn changed(file: &[u8], labels: &[u8], how: &str) -> Result<Vec<u8>, String> {
    let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
    let by = MadeBy::of(scan.description()).changed(how);
    let file = scan.encode_label_map(labels, &by.to_string());
    file.map_err(|error| error.to_string())
}
