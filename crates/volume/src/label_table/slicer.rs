//! 3D Slicer's colour table.

use std::fmt::Write;

use super::word;
use crate::Label;

/// A `.ctbl` file: value, name in one word, red, green, blue and opacity, all to 255.
///
/// Source: 3D Slicer's developer guide, "Color table file format".
pub fn color_table(labels: &[Label]) -> String {
    let mut text = format!(
        "# Color table file\n# {} values\n0 Background 0 0 0 0\n",
        labels.len() + 1
    );
    for Label { value, name, color } in labels {
        // Around a name, ticks would be taken off it.
        let ([r, g, b], name) = (color, word(&name.replace(['\'', '"'], "")));
        writeln!(text, "{value} {name} {r} {g} {b} 255").expect("text takes any line");
    }
    text
}
