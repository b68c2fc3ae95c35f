//! Fields of tables in text.

/// A field of comma-separated values, in quotes where it holds what parts fields.
///
/// Source: RFC 4180.
pub(crate) fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}
