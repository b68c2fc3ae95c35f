//! What the weights file calls what it holds, and names and checksums as people read them.

pub(super) const SCALES: &str = ".scales";
/// Key of the metadata under which [`FORMAT`] stands.
pub(super) const FORMAT_KEY: &str = "format";
/// What says that a file is one of ours.
pub(super) const FORMAT: &str = "dinomed3d-1";
/// Key of the metadata under which shapes of tensors in four bits stand, as JSON.
pub(super) const SHAPES: &str = "shapes";

/// Without signs that a terminal would obey, which a damaged file may bring into a sentence.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Lower-case hexadecimal digits, as checksums of weights files are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
