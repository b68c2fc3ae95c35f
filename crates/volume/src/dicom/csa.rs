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
