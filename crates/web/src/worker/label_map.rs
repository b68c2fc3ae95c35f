//! The label map that the page hands back, from its file.

use dinomed3d_volume::nifti::MadeBy;
use dinomed3d_volume::{LabelMap, Scan};

use super::engine::Trouble;

const AGAIN: &str = "Open the scan again.";

/// A label map of the scan, which has that shape, from its file, and who made it.
pub(super) fn label_map(file: &[u8], shape: &[usize; 3]) -> Result<(LabelMap, MadeBy), Trouble> {
    let unread =
        |what: String| Trouble::new(format!("The label map can't be read: {what}."), AGAIN);
    let map = Scan::open(file, None).and_then(|image| {
        let by = MadeBy::of(image.description());
        Ok((image.label_map()?, by))
    });
    let (map, by) = map.map_err(|error| unread(error.to_string()))?;
    if map.shape != *shape {
        return Err(unread(format!(
            "it has the shape (z, y, x) {:?}, the scan has {shape:?}",
            map.shape
        )));
    }
    Ok((map, by))
}
