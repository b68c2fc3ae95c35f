//! Numbers as people read them.

/// A duration that is guessed, such as `about 40 s`; nothing of what can't be one.
pub fn about(seconds: f64) -> Option<String> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(if seconds < 1.5 {
        "about a second".to_owned()
    } else if seconds < 90.0 {
        format!("about {} s", seconds.round())
    } else {
        format!("about {} min", (seconds / 60.0).round())
    })
}

/// What segmenting will take, as a sentence.
pub fn preflight(
    seconds: Option<f64>,
    memory_bytes: u64,
    windows: usize,
    workers: usize,
) -> String {
    let time = seconds
        .and_then(about)
        .map_or_else(String::new, |time| format!("{time} and "));
    let plural = if windows == 1 { "" } else { "s" };
    let shared = if workers == 1 {
        String::new()
    } else {
        format!(" by {workers} workers")
    };
    format!(
        "Takes {time}{} on this device; {windows} window{plural}{shared}.",
        memory(memory_bytes)
    )
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

/// An amount of memory: tenths of a gigabyte are as much as one can know.
fn memory(bytes: u64) -> String {
    if bytes < 100_000_000 {
        format!("{} MB", bytes.div_ceil(1_000_000))
    } else {
        format!("{:.1} GB", bytes as f64 / 1e9)
    }
}

/// A volume in mL with as many digits as are worth reading.
pub fn milliliters(volume_ml: f64) -> String {
    let digits = if volume_ml < 10.0 { 2 } else { 1 };
    format!("{volume_ml:.digits$}")
}

/// A difference in percent, with its sign.
pub fn signed_percent(percent: f64) -> String {
    let rounded = percent.round();
    match rounded {
        0.0 => "0".to_owned(),
        _ if rounded < 0.0 => format!("\u{2212}{}", -rounded),
        _ => format!("+{rounded}"),
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
    fn a_guessed_time_is_rounded_and_never_negative() {
        let about = |seconds| about(seconds).unwrap_or_default();
        assert_eq!(about(0.2), "about a second");
        assert_eq!(about(41.6), "about 42 s");
        assert_eq!(about(130.0), "about 2 min");
        assert_eq!(about(-1.0), "");
        assert_eq!(about(f64::NAN), "");
    }

    #[test]
    fn a_preflight_says_what_is_known() {
        assert_eq!(
            preflight(Some(39.7), 930_000_000, 2, 2),
            "Takes about 40 s and 0.9 GB on this device; 2 windows by 2 workers."
        );
        assert_eq!(
            preflight(None, 40_500_000, 1, 1),
            "Takes 41 MB on this device; 1 window."
        );
    }

    #[test]
    fn small_volumes_have_more_digits_and_a_difference_has_its_sign() {
        assert_eq!(milliliters(3.256), "3.26");
        assert_eq!(milliliters(231.44), "231.4");
        assert_eq!(signed_percent(3.4), "+3");
        assert_eq!(signed_percent(-12.6), "\u{2212}13");
        assert_eq!(signed_percent(-0.4), "0");
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
