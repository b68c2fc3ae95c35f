//! Siemens' private header ("CSA"): named values, of which a mosaic needs two.

/// The texts of a value of this name.
///
/// Both versions: "SV10" with four bytes more before the number of values, and the older one. Each value is a name of 64
/// bytes, four numbers, the number of its items, a number; then each item is four numbers, of which the second one is its
/// length, and its text filled up to four bytes.
pub(super) fn values(bytes: &[u8], name: &str) -> Option<Vec<String>> {
    let number = |at: usize| {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let is_new = bytes.starts_with(b"SV10");
    let start = if is_new { 8 } else { 0 };
    let mut at = start + 8;
    for _ in 0..number(start)? {
        let found = bytes.get(at..at.checked_add(64)?)?;
        let is_wanted = found.starts_with(name.as_bytes()) && found.get(name.len()) == Some(&0);
        let items = number(at + 76)?;
        at += 84;
        let mut texts = Vec::new();
        for _ in 0..items {
            let length = number(at + 4)?;
            at += 16;
            let text = bytes.get(at..at.checked_add(length)?)?;
            at = at.checked_add(length.div_ceil(4) * 4)?;
            if is_wanted {
                let end = text.iter().position(|&b| b == 0).unwrap_or(length);
                let text = String::from_utf8_lossy(&text[..end]).trim().to_owned();
                texts.push(text);
            }
        }
        if is_wanted {
            texts.retain(|text| !text.is_empty());
            return Some(texts);
        }
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A header of named values in either version.
    pub(in super::super) fn header(named: &[(&str, &[&str])], is_new: bool) -> Vec<u8> {
        let number = |n: usize| (n as u32).to_le_bytes();
        let mut bytes = Vec::new();
        if is_new {
            bytes.extend(*b"SV10\x04\x03\x02\x01");
        }
        bytes.extend(number(named.len()));
        bytes.extend(number(77));
        for (name, texts) in named {
            let start = bytes.len();
            bytes.extend(name.as_bytes());
            // What lies behind a name's end is not cleared.
            bytes.extend(b"\0rest");
            bytes.resize(start + 76, 0);
            bytes.extend(number(texts.len()));
            bytes.extend(number(77));
            for text in *texts {
                bytes.extend(
                    [text.len(), text.len(), 77, text.len()]
                        .map(number)
                        .concat(),
                );
                bytes.extend(text.as_bytes());
                bytes.resize(bytes.len().div_ceil(4) * 4, 0);
            }
        }
        bytes
    }

    #[test]
    fn values_are_found_by_name_in_both_versions() {
        for is_new in [true, false] {
            let bytes = header(
                &[("Slice", &["x"]), ("SliceNormalVector", &["0.5", "", "-1"])],
                is_new,
            );
            let found = values(&bytes, "SliceNormalVector").unwrap();
            // Both versions start their values at a multiple of four.
            assert_eq!(found, ["0.5", "-1"]);
            assert_eq!(values(&bytes, "Slice").unwrap(), ["x"]);
            assert_eq!(values(&bytes, "Sli"), None);
            assert_eq!(values(&bytes[..bytes.len() - 9], "SliceNormalVector"), None);
        }
    }
}
