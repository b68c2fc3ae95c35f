//! ITK-SNAP's label descriptions.

use std::fmt::Write;

use super::line;
use crate::Label;

/// A label description file, as ITK-SNAP imports it: value, red, green, blue (0 to 255), opacity (0 to 1), whether it is
/// shown in slices and as a mesh, name in quotation marks. Lines of `#` are comments.
///
/// Source: ITK-SNAP, `ColorLabelTable::LoadFromFile`.
pub fn label_descriptions(labels: &[Label]) -> String {
    let mut text = "# ITK-SnAP Label Description File\n\
                    # IDX -R- -G- -B- -A- VIS MSH LABEL\n\
                    0 0 0 0 0 0 0 \"Clear Label\"\n"
        .to_owned();
    for Label { value, name, color } in labels {
        let ([r, g, b], name) = (color, line(name));
        writeln!(text, "{value} {r} {g} {b} 1 1 1 \"{name}\"").expect("text takes any line");
    }
    text
}
