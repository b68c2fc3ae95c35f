//! Fields of tables in text.

/// A field of comma-separated values, in quotes where it holds what parts fields. A text that a spreadsheet would compute, such as a
/// file's name that begins with `=`, has an apostrophe before it, and is read as the text that it is.
///
/// Source: RFC 4180; OWASP, "CSV Injection".
pub fn quoted(field: &str) -> String {
    let is_number = field.parse::<f64>().is_ok();
    let is_computed = field.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number;
    let text = if is_computed { "'" } else { "" }.to_owned() + field;
    if text.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_spreadsheet_would_compute_stays_a_text_and_a_number_a_number() {
        for field in ["=1+2", "+a", "@x", "-x", "-1-2"] {
            assert_eq!(quoted(field), format!("'{field}"));
        }
        for field in ["-1.5", "+49", "sub-1", ""] {
            assert_eq!(quoted(field), field);
        }
        assert_eq!(quoted("=f(\"a\",1)"), "\"'=f(\"\"a\"\",1)\"");
    }
}
