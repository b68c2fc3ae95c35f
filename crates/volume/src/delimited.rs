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

/// A row of tab-separated values. Nothing quotes there: a tab or a line's end, which a file's name may have, becomes a space, or all
/// cells behind it would stand under another column's name.
///
/// Source: BIDS, "Tabular files".
pub(crate) fn tab_separated<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells = cells.into_iter();
    let cells: Vec<String> = cells
        .map(|it| it.replace(['\t', '\r', '\n'], " "))
        .collect();
    cells.join("\t") + "\n"
}
