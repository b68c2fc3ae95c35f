//! FreeSurfer's colour lookup table.

use std::fmt::Write;

use super::word;
use crate::Label;

/// A colour table, as `freeview` and FreeSurfer's programs read it (`--lut`, `--ctab`): value, name in one word, red, green,
/// blue and, though its heading says A, how transparent it is, of which 0 is not at all.
///
/// Source: FreeSurfer, `CTABreadASCII2`.
pub fn color_lut(labels: &[Label]) -> String {
    let mut text = "#No. Label Name: R G B A\n0 Unknown 0 0 0 0\n".to_owned();
    for Label { value, name, color } in labels {
        let ([r, g, b], name) = (color, word(name));
        writeln!(text, "{value} {name} {r} {g} {b} 0").expect("text takes any line");
    }
    text
}
