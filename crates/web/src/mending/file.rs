//! The file of a label map that a person has changed, and says so.

use dinomed3d_volume::{Scan, gzip};

/// In every label map that a person has changed; a description has 79 bytes.
pub const DESCRIPTION: &str = "DINO-Med3D, changed by hand; not a medical device";

/// In every label map that a person's strokes have taught the network.
pub(super) fn learnt_description(strokes: usize) -> String {
    let plural = if strokes == 1 { "" } else { "s" };
    format!(
        "DINO-Med3D, changed by hand, learnt from {strokes} stroke{plural}; not a medical device"
    )
}

/// A label map's file that says a person changed it, as it is otherwise.
///
/// # Errors
/// Why there can be none, as a sentence without its full stop.
pub fn marked(file: &[u8]) -> Result<Vec<u8>, String> {
    let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
    let map = scan.label_map().map_err(|error| error.to_string())?;
    encoded(file, &map.labels, DESCRIPTION)
}

pub(super) fn encoded(file: &[u8], labels: &[u8], description: &str) -> Result<Vec<u8>, String> {
    Ok(gzip(&described(file, labels, description)?))
}

/// Not gzipped yet.
pub(super) fn described(file: &[u8], labels: &[u8], description: &str) -> Result<Vec<u8>, String> {
    let scan = Scan::open(file, None).map_err(|error| error.to_string())?;
    let file = scan.encode_label_map(labels, description);
    file.map_err(|error| error.to_string())
}
