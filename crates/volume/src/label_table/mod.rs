//! Tables of labels as other programs read them: what the values of a label map are called and how they are coloured.
//!
//! Each function that writes takes the labels without background and gives a file's text; each format has a row for the background
//! of its own.

mod bids;
mod freesurfer;
mod itk_snap;
mod read;
mod slicer;

pub use bids::{abbreviations, dseg_tsv};
pub use freesurfer::color_lut;
pub use itk_snap::label_descriptions;
pub use read::{meant, names, whole_of_part};
pub use slicer::color_table;

/// A name in one line, without the quotation marks that end it in some formats; never empty, which others take for a
/// mistake.
fn line(name: &str) -> String {
    let name = name.replace('"', "'");
    match &name.split_whitespace().collect::<Vec<_>>()[..] {
        [] => "unnamed".to_owned(),
        words => words.join(" "),
    }
}

/// A name as one word, for formats that part their fields by blanks.
fn word(name: &str) -> String {
    line(name).replace(' ', "_")
}

#[cfg(test)]
mod tests;
