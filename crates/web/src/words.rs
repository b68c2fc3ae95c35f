//! Numbers, scans and results as people read them, made of the language's words; and names of files.

use dinomed3d_volume::Label;
use dinomed3d_volume::derivative::DerivativeNames;
use dinomed3d_volume::volumetry::LabelSize;

use crate::language::{certainty, list, mend, model, numbers, page, result, run, scan, status};
use crate::mending::NoFill;
use crate::protocol::{Backend, ModelInfo, ScanOffer};

/// So many labels, or files, are named in a line.
const FEW: usize = 3;

/// A duration that is guessed, such as `about 40 s`; nothing of what can't be one.
pub fn about(seconds: f64) -> Option<String> {
    if !seconds.is_finite() || seconds < 0.0 {
        return None;
    }
    Some(if seconds < 1.5 {
        numbers::ABOUT_A_SECOND.to_owned()
    } else if seconds < 90.0 {
        numbers::about_seconds(seconds.round())
    } else {
        numbers::about_minutes((seconds / 60.0).round())
    })
}

/// What both halves of a structure are called, of the left one's name.
pub fn both_sides(left: &str) -> String {
    let name = left.strip_prefix("left ").or(left.strip_prefix("Left "));
    result::both_sides(name.unwrap_or(left))
}

/// What certainty is, of a model whose error of it is known or not.
pub fn certainty(calibration_error: Option<f64>) -> String {
    let calibrated = calibration_error.map(|error| certainty::calibrated(100.0 * error));
    certainty::means(calibrated.as_deref().unwrap_or(certainty::NOT_CALIBRATED))
}

/// What segmenting will take, as a sentence.
pub fn preflight(
    seconds: Option<f64>,
    memory_bytes: u64,
    windows: usize,
    workers: usize,
) -> String {
    let time = seconds.and_then(about);
    run::takes(time.as_deref(), &memory(memory_bytes), windows, workers)
}

/// A duration that is over.
pub fn elapsed(millis: f64) -> String {
    if millis < 1_000.0 {
        numbers::milliseconds(millis.round())
    } else if millis < 90_000.0 {
        numbers::seconds(millis / 1_000.0)
    } else {
        numbers::minutes(millis / 60_000.0)
    }
}

/// How long a result took, and on what.
pub fn made(millis: f64, backend: Option<Backend>) -> String {
    let time = elapsed(millis);
    match backend {
        Some(Backend::Cpu) => result::in_time_on_cpu(&time),
        Some(Backend::WebGpu) => result::in_time_on_webgpu(&time),
        None => result::in_time(&time),
    }
}

/// A count with a thin gap between groups of three digits.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(numbers::GROUPS);
        }
        text.push(digit);
    }
    text
}

/// A size in mega- or kilobytes.
pub fn size(bytes: u64) -> String {
    if bytes < 1_000_000 {
        numbers::kilobytes(bytes.div_ceil(1_000))
    } else {
        numbers::megabytes(bytes as f64 / 1e6)
    }
}

/// An amount of memory: tenths of a gigabyte are as much as one can know.
fn memory(bytes: u64) -> String {
    if bytes < 100_000_000 {
        numbers::whole_megabytes(bytes.div_ceil(1_000_000))
    } else {
        numbers::gigabytes(bytes as f64 / 1e9)
    }
}

/// A volume in mL with as many digits as are worth reading.
pub fn milliliters(volume_ml: f64) -> String {
    let digits = if volume_ml < 10.0 { 2 } else { 1 };
    numbers::number(volume_ml, digits)
}

/// A difference in percent, with its sign.
pub fn signed_percent(percent: f64) -> String {
    signed(percent, 0)
}

/// A difference with its sign; none where it rounds to 0.
pub fn signed(difference: f64, digits: usize) -> String {
    let size = numbers::number(difference.abs(), digits);
    match size.bytes().any(|digit| (b'1'..=b'9').contains(&digit)) {
        false => size,
        true if difference < 0.0 => format!("\u{2212}{size}"),
        true => format!("+{size}"),
    }
}

/// That a file holds several scans.
pub fn several_scans(name: &str, offers: &[ScanOffer]) -> String {
    match offers {
        [only] => scan::several_volumes(name, only.num_volumes),
        _ => scan::several_scans(name, offers.len()),
    }
}

/// What one of the scans that a file holds is called, its only one or one of several, and so what is saved of it.
pub fn offered(file: &str, offer: &ScanOffer, volume: usize, is_only: bool) -> String {
    let ScanOffer {
        index,
        description,
        modality,
        num_volumes,
        ..
    } = offer;
    let of_file = DerivativeNames::whole(file);
    let stem = of_file.stem();
    let mut name = match (&**description, &**modality) {
        ("", _) if is_only => stem.to_owned(),
        ("", _) => format!("{stem}/{}", list::scan(*index)),
        // A file's own name.
        (name, "") => name.to_owned(),
        (series, _) => format!("{stem}/{series}"),
    };
    if *num_volumes > 1 {
        // So that files of two volumes never have one name.
        name += &format!("_vol-{volume}");
    }
    name
}

/// Which files were no scans, as a sentence; nothing of none.
pub fn left_out(names: &[&str]) -> String {
    let named = &names[..names.len().min(FEW)];
    match names.len() {
        0 => String::new(),
        count => status::left_out(&named.join(", "), count - named.len()),
    }
}

/// What came of segmenting a list.
pub fn list_is_done(done: usize, failed: usize) -> String {
    match failed {
        0 => list::done(done),
        _ => list::some_failed(done, failed),
    }
}

/// What was found, in a line.
pub fn found(labels: &[Label], sizes: &[LabelSize]) -> String {
    let of = |label: &Label| {
        let size = sizes.iter().find(|size| size.value == label.value);
        size.map_or(0.0, |size| size.volume_ml)
    };
    if labels.len() > FEW {
        let total = labels.iter().map(of).sum();
        return list::labels(labels.len(), &milliliters(total));
    }
    let one = |label: &Label| format!("{} {}", label.name, milliliters(of(label)));
    let all: Vec<String> = labels.iter().map(one).collect();
    list::volumes_ml(&all.join(", "))
}

/// Kind and size of a scan: `MR, 3 slices of 64 × 50, 1.00 × 1.00 × 3.00 mm, 2 volumes`.
pub fn offer(offer: &ScanOffer) -> String {
    let [columns, rows, slices] = offer.shape;
    let mut parts = vec![scan::slices(slices, columns, rows)];
    if !offer.modality.is_empty() {
        parts.insert(0, offer.modality.clone());
    }
    if let Some(edges) = offer.spacing_mm {
        parts.push(numbers::spacing(edges));
    }
    if offer.num_volumes > 1 {
        parts.push(scan::volumes(offer.num_volumes));
    }
    parts.join(", ")
}

/// What several files are called together: their folder if one holds them all, else the first of them. A path has slashes.
pub fn files_name<'a>(paths: &[&'a str]) -> &'a str {
    let folder = |path: &'a str| path.split_once('/').map(|(folder, _)| folder);
    let first = paths.first().copied().unwrap_or_default();
    let common = folder(first).filter(|name| paths.iter().all(|path| folder(path) == Some(*name)));
    common.unwrap_or_else(|| first.rsplit('/').next().unwrap_or(first))
}

/// What the page, and every file that it saves, calls a model of the visitor's own: by its name and its weights.
pub fn own_model(info: &ModelInfo) -> String {
    let hash = info.weights_sha256.get(..8).unwrap_or_default();
    format!("{} {} {hash}", info.name, model::YOURS)
}

/// The title of a model of the visitor's own.
pub fn own_title(title: &str) -> String {
    format!("{title} {}", model::YOURS)
}

/// Whether a model is of the visitor's own, by what the page calls it.
pub fn is_own(model: &str) -> bool {
    model.contains(model::YOURS)
}

/// `scan.nii.gz` as `scan_dseg.nii.gz`, the name BIDS gives a label map; a path's folders stay in it as words.
pub fn label_map_name(source: &str) -> String {
    let is_allowed = |letter: char| !letter.is_control() && !"/\\:*?\"<>|".contains(letter);
    let names = DerivativeNames::whole(source);
    let stem = names.stem().replace(|letter| !is_allowed(letter), "_");
    let stem = if stem.is_empty() { "scan" } else { &stem };
    format!("{stem}{LABEL_MAP}")
}

/// What all files of a result begin with: `scan` of `scan_dseg.nii.gz`.
pub fn result_stem(label_map: &str) -> &str {
    label_map.strip_suffix(LABEL_MAP).unwrap_or(label_map)
}

/// `scan_dseg.nii.gz` as `scan_desc-mended_dseg.nii.gz`, as BIDS would have it: whatever is named after a label map that a person
/// has changed says so.
pub fn mended_name(label_map: &str) -> String {
    format!("{}_desc-mended{LABEL_MAP}", result_stem(label_map))
}

/// Why a place was not filled.
pub fn no_fill(reason: NoFill, labels: &[Label]) -> String {
    let name = |value| labels.iter().find(|label| label.value == value);
    match reason {
        NoFill::Same => mend::FILLED.to_owned(),
        NoFill::Kept(value) => {
            mend::kept(&name(value).map_or_else(|| page::label(value.into()), |l| l.name.clone()))
        }
        NoFill::Open => mend::NOT_CLOSED.to_owned(),
    }
}

/// How the name of a label map ends.
pub const LABEL_MAP: &str = "_dseg.nii.gz";

/// `scan_dseg.nii.gz` as `scan_seg.dcm`, as the command line calls it.
pub fn seg_name(label_map: &str) -> String {
    format!("{}_seg.dcm", result_stem(label_map))
}

/// What a model is called, beside one with the same network whose weights are stored in more bits.
pub fn title_of(title: String, storage: &str) -> String {
    if storage.starts_with("q4") {
        model::in_four_bits(&title)
    } else {
        title
    }
}

/// `scan_dseg.nii.gz` as `scan_report.html`.
pub fn report_name(label_map: &str) -> String {
    format!("{}_report.html", result_stem(label_map))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_of_one_network_are_told_apart_by_their_bits() {
        let title = |storage: &str| title_of("Heads".to_owned(), storage);
        assert_eq!(title("q8-block64"), "Heads");
        assert_eq!(title(""), "Heads");
        assert_eq!(title("q4-block32"), "Heads, in four bits");
    }

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
        assert_eq!(signed(-0.0004, 3), "0.000");
        assert_eq!(signed(1.2345, 3), "+1.234");
    }

    #[test]
    fn a_result_says_how_long_it_took_and_on_what() {
        assert_eq!(made(8_040.0, Some(Backend::WebGpu)), "in 8.0 s on WebGPU");
        assert_eq!(made(120.0, Some(Backend::Cpu)), "in 120 ms on the CPU");
        assert_eq!(made(120.0, None), "in 120 ms");
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
        assert_eq!(label_map_name("study.zip"), "study_dseg.nii.gz");
        assert_eq!(label_map_name("case.hdr.gz"), "case_dseg.nii.gz");
        assert_eq!(label_map_name("01/t1: a.mgz"), "01_t1_ a_dseg.nii.gz");
        assert_eq!(result_stem("case_dseg.nii.gz"), "case");
        assert_eq!(seg_name("case_dseg.nii.gz"), "case_seg.dcm");
        let mended = mended_name("case_dseg.nii.gz");
        assert_eq!(mended, "case_desc-mended_dseg.nii.gz");
        assert_eq!(result_stem(&mended), "case_desc-mended");
    }

    #[test]
    fn several_files_are_called_by_their_folder_or_the_first() {
        assert_eq!(files_name(&["study/a/1", "study/b/1"]), "study");
        assert_eq!(files_name(&["study/a/1", "other/b"]), "1");
        assert_eq!(files_name(&["case.hdr", "case.img"]), "case.hdr");
        assert_eq!(files_name(&[]), "");
    }

    #[test]
    fn a_scan_to_choose_says_what_is_known() {
        let mut scan = ScanOffer {
            index: 0,
            description: String::new(),
            modality: "MR".to_owned(),
            shape: [64, 50, 3],
            spacing_mm: Some([1.0, 1.0, 3.0]),
            num_volumes: 2,
            thumbnail: None,
            problem: None,
        };
        assert_eq!(
            offer(&scan),
            "MR, 3 slices of 64 × 50, 1.00 × 1.00 × 3.00 mm, 2 volumes"
        );
        assert_eq!(
            several_scans("a.nii", std::slice::from_ref(&scan)),
            "a.nii holds 2 volumes. Choose one."
        );
        assert_eq!(offered("study.zip", &scan, 0, false), "study/scan 0_vol-0");
        assert_eq!(offered("bold.nii.gz", &scan, 3, true), "bold_vol-3");
        scan = ScanOffer {
            modality: String::new(),
            spacing_mm: None,
            num_volumes: 1,
            shape: [2, 2, 1],
            ..scan
        };
        assert_eq!(offer(&scan), "1 slice of 2 × 2");
        scan.description = "a/b.nii".to_owned();
        assert_eq!(offered("study.zip", &scan, 0, false), "a/b.nii");
        scan.modality = "MR".to_owned();
        scan.description = "brain".to_owned();
        assert_eq!(offered("study.zip", &scan, 0, false), "study/brain");
    }

    #[test]
    fn few_labels_are_named_with_their_volumes_and_many_are_summed_up() {
        let labels: Vec<Label> = (1..=4).map(Label::unnamed).collect();
        let sizes: Vec<LabelSize> = (1..=4)
            .map(|value| LabelSize {
                value,
                voxels: 1,
                volume_ml: f64::from(value),
            })
            .collect();
        assert_eq!(found(&labels[..2], &sizes), "label 1 1.00, label 2 2.00 mL");
        assert_eq!(found(&labels, &sizes), "4 labels, 10.0 mL");
        assert_eq!(list_is_done(3, 0), "Done: 3 scans segmented.");
        assert_eq!(
            list_is_done(3, 1),
            "Done: 2 of 3 scans segmented; the list says what is wrong with the other."
        );
    }
}
