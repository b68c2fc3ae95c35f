//! Numbers as people read them.

/// A duration in a few words, such as `about 40 s` for what is left.
pub fn time_left(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return String::new();
    }
    if seconds < 1.5 {
        return "about a second left".to_owned();
    }
    if seconds < 90.0 {
        return format!("about {} s left", seconds.round());
    }
    format!("about {} min left", (seconds / 60.0).round())
}

/// A duration that is over.
pub fn elapsed(millis: f64) -> String {
    if millis < 1_000.0 {
        format!("{} ms", millis.round())
    } else if millis < 90_000.0 {
        format!("{:.1} s", millis / 1_000.0)
    } else {
        format!("{:.1} min", millis / 60_000.0)
    }
}

/// A count with a thin gap between groups of three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A size in mega- or kilobytes.
pub fn size(bytes: u64) -> String {
    if bytes < 1_000_000 {
        format!("{} kB", bytes.div_ceil(1_000))
    } else {
        format!("{:.1} MB", bytes as f64 / 1e6)
    }
}

/// `scan.nii.gz` as `scan_dseg.nii.gz`, the name BIDS gives a label map.
pub fn label_map_name(source: &str) -> String {
    let stem = source
        .strip_suffix(".gz")
        .unwrap_or(source)
        .strip_suffix(".nii")
        .unwrap_or_else(|| source.strip_suffix(".gz").unwrap_or(source));
    let stem = if stem.is_empty() { "scan" } else { stem };
    format!("{stem}_dseg.nii.gz")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_is_rounded_and_never_negative() {
        assert_eq!(time_left(0.2), "about a second left");
        assert_eq!(time_left(41.6), "about 42 s left");
        assert_eq!(time_left(130.0), "about 2 min left");
        assert_eq!(time_left(-1.0), "");
        assert_eq!(time_left(f64::NAN), "");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1234), "1\u{202f}234");
        assert_eq!(count(123_456), "123\u{202f}456");
    }

    #[test]
    fn a_label_map_is_named_after_its_scan() {
        assert_eq!(label_map_name("case.nii.gz"), "case_dseg.nii.gz");
        assert_eq!(label_map_name("case.nii"), "case_dseg.nii.gz");
        assert_eq!(label_map_name("case"), "case_dseg.nii.gz");
        assert_eq!(label_map_name(".nii.gz"), "scan_dseg.nii.gz");
    }
}
