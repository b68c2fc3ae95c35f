//! The page's words in English: all that it says to a person, panel by panel from the top of the page to its end, then what it says of
//! work that goes on, what went wrong, and the report.
//!
//! For translators: a translation is a copy of this file with the same names, see `docs/translating.md`. Text stands between quotes;
//! `{…}` in it is put in when it is shown and may stand anywhere in a sentence. Where a count is in it, a function says both
//! forms; a language with more forms says them there. A comment above a text tells what it is where the text alone does not.

/// The frame, and what is said in several places.
pub mod page {
    /// The language, as in HTML's `lang`.
    pub const LANGUAGE: &str = "en";
    /// In the browser's tab.
    pub const TITLE: &str = "DINO-Med3D: segment a 3-D scan in the browser";
    pub const PROMISE: &str =
        "Segments a 3-D scan on your own device. The scan never leaves this page.";
    pub const NOTICE: &str = "Research and education only; not a medical device.";
    /// The first link of the page, for those who use a keyboard.
    pub const SKIP: &str = "Skip to the viewer";
    /// While a file is held over the page.
    pub const DROP: &str = "Drop the scan or the model anywhere";
    /// Head of a column of names of labels; a label says which structure a voxel belongs to.
    pub const LABEL: &str = "Label";
    pub const BACKGROUND: &str = "background";
    /// A label without a name.
    pub fn label(value: u32) -> String {
        format!("label {value}")
    }
}

/// How numbers and durations are written.
pub mod numbers {
    /// With so many digits behind the decimal sign.
    pub fn number(value: f64, digits: usize) -> String {
        crate::language::with_minus(format!("{value:.digits$}"))
    }
    /// Between groups of three digits.
    pub const GROUPS: char = '\u{202f}';

    // Guessed durations, as in "Takes about 40 s".
    pub const ABOUT_A_SECOND: &str = "about a second";
    pub fn about_seconds(seconds: f64) -> String {
        format!("about {seconds} s")
    }
    pub fn about_minutes(minutes: f64) -> String {
        format!("about {minutes} min")
    }

    // Durations that are over, as in "Made in 3.1 s".
    pub fn milliseconds(milliseconds: f64) -> String {
        format!("{milliseconds} ms")
    }
    pub fn seconds(seconds: f64) -> String {
        format!("{} s", number(seconds, 1))
    }
    pub fn minutes(minutes: f64) -> String {
        format!("{} min", number(minutes, 1))
    }

    pub fn kilobytes(kilobytes: u64) -> String {
        format!("{kilobytes} kB")
    }
    pub fn whole_megabytes(megabytes: u64) -> String {
        format!("{megabytes} MB")
    }
    pub fn megabytes(megabytes: f64) -> String {
        format!("{} MB", number(megabytes, 1))
    }
    pub fn gigabytes(gigabytes: f64) -> String {
        format!("{} GB", number(gigabytes, 1))
    }

    /// From one number to another.
    pub fn range(low: f64, high: f64, digits: usize) -> String {
        format!("{} to {}", number(low, digits), number(high, digits))
    }
    /// Size of a voxel.
    pub fn spacing(mm: [f64; 3]) -> String {
        format!("{} mm", mm.map(|edge| number(edge, 2)).join(" × "))
    }
}

/// Where a scan comes from and what it is.
pub mod scan {
    pub const HEADING: &str = "Scan";
    pub const OPEN: &str = "Open a scan";
    pub const OPEN_FOLDER: &str = "Open a folder";
    pub const SAMPLE_HEAD: &str = "Sample head";
    pub const SAMPLE_HIPPOCAMPUS: &str = "Sample hippocampus";
    pub const HINT: &str = "NIfTI, MGH or DICOM (.nii, .nii.gz, .hdr with .img, .mgz; all files of a series, a folder or a zip); or drop it anywhere on this page. Several become a list. A model folder is taken as a model.";

    // The open scan in a few lines.
    pub const FILE: &str = "File";
    /// What a scanner calls a scan; DICOM's word.
    pub const SERIES: &str = "Series";
    pub const VOXELS: &str = "Voxels";
    pub const SPACING: &str = "Spacing";
    /// As in "RAS, int16": how the axes run and what numbers the file holds.
    pub const AXES_AND_TYPE: &str = "Axes, type";

    // Several scans in one file, of which one is chosen.
    /// The file's name follows.
    pub const SCANS_IN: &str = "Scans in ";
    pub fn add_all(count: usize) -> String {
        format!("Add all {count}")
    }
    pub const NONE_OF_THESE: &str = "None of these";
    /// A scan without a description.
    pub fn number(index: usize) -> String {
        format!("Scan {index}")
    }
    /// Of a scan that was taken several times: which time, from 0.
    pub fn volume(last: usize) -> String {
        format!("Volume, 0 to {last}")
    }
    pub fn volume_of(last: usize, title: &str) -> String {
        format!("Volume, 0 to {last}, of {title}")
    }
    pub fn cant_be_opened(problem: &str) -> String {
        format!("Can't be opened: {problem}.")
    }
    pub fn slices(slices: usize, columns: usize, rows: usize) -> String {
        let plural = if slices == 1 { "" } else { "s" };
        format!("{slices} slice{plural} of {columns} × {rows}")
    }
    pub fn volumes(count: usize) -> String {
        format!("{count} volumes")
    }
    pub fn several_volumes(name: &str, count: usize) -> String {
        format!("{name} holds {count} volumes. Choose one.")
    }
    pub fn several_scans(name: &str, count: usize) -> String {
        format!("{name} holds {count} scans. Choose one.")
    }
}

/// Scans one after the other, and scans that a model takes at once.
pub mod list {
    pub const NAME: &str = "Scans";
    pub const SEGMENT_ALL: &str = "Segment all";
    pub const CANCEL: &str = "Cancel";
    pub const SAVE_ALL: &str = "Save all";
    pub fn remove(name: &str) -> String {
        format!("Remove {name}")
    }

    // How a scan stands.
    pub const WAITING: &str = "Not segmented";
    pub const READING: &str = "Reading";
    /// The scan at that place of so many; none of a scan that is segmented by itself.
    pub fn segmenting(place: Option<(usize, usize)>, percent: f32) -> String {
        match place {
            Some((place, of)) => format!("Segmenting {place} of {of}, {percent:.0} %"),
            None => format!("Segmenting, {percent:.0} %"),
        }
    }
    /// What was found in it, of a result that a person has changed.
    pub fn changed_by_hand(found: &str) -> String {
        format!("{found}, changed by hand")
    }
    /// What was found in it, where a reader should know more.
    pub fn with_warnings(found: &str) -> String {
        format!("With warnings: {found}")
    }
    pub fn volumes_ml(volumes: &str) -> String {
        format!("{volumes} mL")
    }
    pub fn labels(count: usize, total_ml: &str) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} label{plural}, {total_ml} mL")
    }
    pub fn choose_volume(count: usize) -> String {
        format!("It holds {count} volumes: open it to choose one.")
    }

    // What came of all of them.
    pub fn done(count: usize) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("Done: {count} scan{plural} segmented.")
    }
    pub fn some_failed(count: usize, failed: usize) -> String {
        let plural = if count == 1 { "" } else { "s" };
        let others = if failed == 1 { "" } else { "s" };
        let done = count - failed;
        format!(
            "Done: {done} of {count} scan{plural} segmented; the list says what is wrong with the other{others}."
        )
    }

    /// How a scan without a name is called behind its file's name, as in "study/scan 3". Files that are saved are named so too.
    pub fn scan(index: usize) -> String {
        format!("scan {index}")
    }

    // A channel is one of the scans that a model takes at once, such as T1 and T2.
    pub fn scans_at_once(count: usize) -> String {
        format!("This model takes {count} scans at once")
    }
    pub const CHANNELS_HINT: &str = "On one grid; open them all. The labels are those of the scan on screen, which is one of them.";
    /// In place of a scan.
    pub const NONE_YET: &str = "None yet";
}

/// Which model, and what computes.
pub mod model {
    pub const HEADING: &str = "Model";
    /// The models follow, each by what it finds: "Segments: hippocampus".
    pub const SEGMENTS: &str = "Segments";
    /// With a space at its end; links follow.
    pub fn for_scans(modality: &str) -> String {
        format!("For {modality}. ")
    }
    pub const ABOUT: &str = "About it";
    pub const JUDGED: &str = "how it was judged";
    /// Of a model of the visitor's own; the beginning of its checksum.
    pub fn own(hash: &str) -> String {
        format!("Your own, on this device alone while the page is open. SHA-256 {hash}…")
    }
    /// Behind the name of such a model, also in tables that are saved.
    pub const YOURS: &str = "(yours)";
    /// What a model is called whose weights are stored in four bits.
    pub fn in_four_bits(title: &str) -> String {
        format!("{title}, in four bits")
    }

    // How loading goes.
    pub const WAITING: &str = "Waiting for the worker.";
    pub fn loading_bytes(received: &str, total: &str) -> String {
        format!("Loading, {received} of {total}.")
    }
    pub const CHECKING: &str = "Checking it on this device.";
    pub const LOADING: &str = "Loading.";
    pub fn loaded(version: &str, time: &str) -> String {
        format!("Version {version}, loaded and checked in {time}")
    }
    /// How far the network's numbers on this device are from those that it is known to give.
    pub fn differs(first_block: f32, whole: f32) -> String {
        format!(
            "Differs from its known output by {first_block:.0e} after one transformer block and {whole:.0e} after the whole network."
        )
    }
    pub const IN_HALF: &str = " In half precision, which is faster on this device.";
    pub const NOT_LOADED: &str = "Not loaded.";

    // What computes: the processor, or a graphics card by way of WebGPU.
    pub const COMPUTE_ON: &str = "Compute on";
    pub const AUTOMATIC: &str = "Automatic";
    pub const WEBGPU: &str = "WebGPU";
    pub const CPU: &str = "CPU";
    /// With a space at its end; the worker's reason follows.
    pub fn runs_on(backend: &str) -> String {
        format!("Runs on {backend}. ")
    }
    pub const NOTHING_RUNS: &str = "Nothing runs.";
    pub const LOOKING: &str = "Looking at what this device has.";
    /// The reason for the processor.
    pub const WEBGPU_FAILED: &str = "WebGPU failed earlier during this visit";
}

/// All models of the site, before any of them is loaded.
pub mod models {
    pub const ALL: &str = "All models";
    /// A document about the model.
    pub const CARD: &str = "Its card";
    pub const USE: &str = "Use";
    pub const IN_USE: &str = "In use";
    pub fn use_model(title: &str) -> String {
        format!("Use {title}")
    }
    /// For which scans, and those of the others that are known, parted by semicolons.
    pub fn facts(modality: &str, facts: &str) -> String {
        format!("For {modality}: {facts}.")
    }
    pub fn to_load(size: &str) -> String {
        format!("{size} to load")
    }
    pub fn version(version: &str) -> String {
        format!("version {version}")
    }
    pub fn labels(count: usize) -> String {
        let plural = if count == 1 { "" } else { "s" };
        format!("{count} label{plural}")
    }
    pub fn mean_dice(mean: f64, cases: usize) -> String {
        let mean = super::numbers::number(mean, 2);
        let plural = if cases == 1 { "" } else { "s" };
        format!("mean Dice {mean} on {cases} validation case{plural}")
    }
    pub fn licence(licence: &str) -> String {
        format!("licence {licence}")
    }
    /// Of data by those people.
    pub fn licence_by(licence: &str, by: &str) -> String {
        format!("licence {licence}, by {by}")
    }
}

/// Starting and stopping the segmentation.
pub mod run {
    pub const HEADING: &str = "Segmentation";
    pub const SEGMENT: &str = "Segment";
    /// Beside "Segment all".
    pub const SEGMENT_THIS: &str = "Segment this";
    pub const CANCEL: &str = "Cancel";
    pub const START_AGAIN: &str = "Start again";
    pub const DISMISS: &str = "Dismiss";

    /// What it will take: a guessed duration, if it can be told, and memory. A window is a part of the scan that the network sees at a time.
    pub fn takes(time: Option<&str>, memory: &str, windows: usize, workers: usize) -> String {
        let time = time.map_or_else(String::new, |time| format!("{time} and "));
        let plural = if windows == 1 { "" } else { "s" };
        let shared = match workers {
            1 => String::new(),
            _ => format!(" by {workers} workers"),
        };
        format!("Takes {time}{memory} on this device; {windows} window{plural}{shared}.")
    }

    pub const PROGRESS: &str = "Progress of the segmentation";
    /// Which scan of the list.
    pub fn scan(place: usize, of: usize) -> String {
        format!("Scan {place} of {of}")
    }
    pub const STOPPING: &str = "Stopping";
    /// Which window of how many, where there are several; the time that is left, as in "about 40 s".
    pub fn progress(percent: f32, window: Option<(usize, usize)>, left: Option<&str>) -> String {
        let window = window.map_or_else(String::new, |(window, of)| {
            format!(", window {window} of {of}")
        });
        let left = left.map_or_else(String::new, |left| format!(", {left} left"));
        format!("{percent:.0} %{window}{left}")
    }
}

/// The scan on screen.
pub mod viewer {
    pub const NAME: &str = "Viewer";
    /// What screen readers call the kind of thing that it is.
    pub const KIND: &str = "scan viewer";
    pub const CANVAS: &str = "Scan in three planes and 3-D";
    pub const KEYS: &str = "Arrow keys move the crosshair right, left, front and back; page up and page down move it up and down.";
    pub const EMPTY: &str = "Drop a scan here, or take a sample.";
    pub const STAYS: &str = "It stays on this device: nothing is uploaded.";

    // What is shown. The planes also stand in the report.
    pub const VIEW: &str = "View";
    pub const ALL: &str = "All and 3-D";
    pub const PLANES: &str = "Planes";
    pub const AXIAL: &str = "Axial";
    pub const CORONAL: &str = "Coronal";
    pub const SAGITTAL: &str = "Sagittal";
    pub const MOSAIC: &str = "Mosaic";
    pub const RENDER: &str = "3-D";
    /// In pictures of a report: left, front (anterior), back (posterior) and top (superior).
    pub const LEFT: &str = "L";
    pub const ANTERIOR: &str = "A";
    pub const POSTERIOR: &str = "P";
    pub const SUPERIOR: &str = "S";

    /// How strongly they cover the scan.
    pub const LABELS: &str = "Labels";
    pub const LABEL_OPACITY: &str = "Label opacity";
    pub const ONLY_THIS: &str = "Only this label";
    pub const ALL_LABELS: &str = "Show all labels";
    pub const ISOLATE_TITLE: &str = "The label at the crosshair alone";
    /// Changing labels by hand.
    pub const MEND: &str = "Mend";
    pub const MEND_TITLE: &str = "Change the labels by hand";

    // Which values of the scan are drawn grey: so many (window) around a middle (level).
    pub const GREY_VALUES: &str = "Grey values";
    pub const WINDOW: &str = "Window";
    pub const LEVEL: &str = "Level";
    pub const RESET: &str = "Reset";

    pub const SAVE_PICTURE: &str = "Save picture";
    pub fn picture_failed(reason: &str) -> String {
        format!("The picture can't be saved: {reason}.")
    }

    /// Where the crosshair is, the scan's value there, and one of the three below.
    pub fn location(mm: [f64; 3], voxel: [u32; 3], value: &str, label: &str) -> String {
        let [x, y, z] = mm.map(|mm| super::numbers::number(mm, 1));
        let [i, j, k] = voxel;
        format!("x {x}, y {y}, z {z} mm · voxel {i}, {j}, {k} · value {value}{label}")
    }
    pub const NO_LABEL: &str = " · no label";
    pub fn label(name: &str) -> String {
        format!(" · {name}")
    }

    pub fn could_not_start(reason: &str) -> String {
        format!("The viewer could not start: {reason}. Segmenting and saving work without it.")
    }
    pub fn cant_show_scan(reason: &str) -> String {
        format!("The viewer can't show this scan: {reason}. Segmenting and saving work without it.")
    }
    pub fn cant_show_labels(reason: &str) -> String {
        format!("The viewer can't show the label map: {reason}. Saving works without it.")
    }
    pub fn cant_show_inside(reason: &str) -> String {
        format!("The viewer can't show what goes on inside: {reason}.")
    }
}

/// The colours of labels, with boxes that hide them.
pub mod legend {
    pub const NAME: &str = "Labels shown";
    pub const NAME_WITH_KEYS: &str = "Labels shown; arrow keys move among them";
    pub const FIND: &str = "Find structures by name, side or number";
    /// In the empty field.
    pub const EXAMPLE: &str = "Find: left, thalamus, 17";
    pub fn structures(count: usize) -> String {
        match count {
            0 => "No structure of that name.".to_owned(),
            1 => "1 structure".to_owned(),
            _ => format!("{count} structures"),
        }
    }
    /// All labels.
    pub const ALL: &str = "All";
    /// Left and right, in one letter.
    pub const LEFT: &str = "L";
    pub const RIGHT: &str = "R";

    // Groups of structures of a head.
    pub const WHITE_MATTER: &str = "White matter and cortex";
    pub const GREY_MATTER: &str = "Deep grey matter";
    pub const VENTRICLES: &str = "Ventricles and fluid";
    pub const CEREBELLUM: &str = "Cerebellum and brain-stem";
    pub const OTHER: &str = "Other";
}

/// Changing labels by hand, and having the network learn from it.
pub mod mend {
    pub const NAME: &str = "Mend by hand";
    pub const TOOL: &str = "Tool";
    pub const BRUSH: &str = "Brush";
    pub const ERASE: &str = "Erase";
    pub const FILL: &str = "Fill";
    pub fn key(key: &str) -> String {
        format!("Key {key} in the viewer")
    }
    pub const LABEL: &str = "Label";
    pub const PICK: &str = "Pick";
    pub const PICK_TITLE: &str = "Take the label at the crosshair";
    pub const SIZE: &str = "Size, mm";
    pub const SOLID: &str = "In 3-D";
    pub const SOLID_TITLE: &str =
        "A ball in place of a disc; a fill in the volume in place of the slice";
    pub const KEEP: &str = "Keep others";
    pub const KEEP_TITLE: &str = "Only the background and the chosen label change";
    pub const UNDO: &str = "Undo";
    pub const REDO: &str = "Redo";
    pub const RESTORE: &str = "Restore";
    pub const RESTORE_TITLE: &str = "Back to what the network found";
    /// Keys are the same in every language.
    pub const KEYS: &str = "In the viewer the space bar paints at the crosshair; b, e and f choose brush, erase and fill, p the label at the crosshair, brackets the size. Control and Z undoes, with Shift it makes again. Escape ends mending. With the mouse, Shift moves the crosshair and Alt takes the label under it.";

    // Why nothing happened.
    pub const NO_LABEL: &str = "There is no label.";
    pub const FILLED: &str = "Nothing to fill: the place has this label already.";
    pub fn kept(name: &str) -> String {
        format!("Not filled: {name} is there, and other labels are kept.")
    }
    pub const NOT_CLOSED: &str =
        "Not filled: the background here reaches the edge of the scan. Close the outline first.";

    // Learning from what was painted; a stroke is what was painted at a time.
    pub const LEARNING: &str = "Learn from strokes";
    pub const LEARN: &str = "Learn from my strokes";
    pub const LEARN_TITLE: &str = "The network's last layers learn on this scan from what you painted, on this device, so that the rest follows. What you painted stays.";
    pub fn learning(percent: f32) -> String {
        format!("Learning… {percent} %")
    }
    pub const STOP: &str = "Stop";
    pub const UNLEARN: &str = "Back to before learning";
    pub const UNLEARN_TITLE: &str = "Labels as they were before the network learnt; what was painted since goes with it, and Redo brings all back";
    /// Behind "The network's last layers", of which "Last layers" is short in the report.
    pub fn learnt(strokes: usize) -> String {
        let plural = if strokes == 1 { "" } else { "s" };
        format!("learnt from {strokes} stroke{plural} on this scan")
    }

    // Questions with yes and no.
    pub const SEGMENTING_REPLACES: &str =
        "A person has changed this result. Segmenting again replaces it, with all changes. Go on?";
    pub const REMOVING_LOSES: &str =
        "A person has changed the result of this scan. Removing the scan loses it. Go on?";
    pub const RESTORING_LOSES: &str =
        "This takes back everything that was changed by hand, for good. Go on?";
    pub const LOOKING_BACK_LOSES: &str =
        "A person has changed this result. What was changed after the closer look is lost. Go on?";
    pub fn looking_replaces(part: &str) -> String {
        format!(
            "A person has changed this result. A closer look replaces what is labelled in the {part}, changes by hand too. Go on?"
        )
    }

    // Why a label map can't be mended, as in "The label map can't be mended: it has 3 voxels, expected are 4."
    pub fn cant_be_mended(problem: &str) -> String {
        format!("The label map can't be mended: {problem}.")
    }
    pub const SAVE_UNMENDED: &str = "It can still be saved as the network made it.";
    pub fn too_many_voxels(count: usize, most: u32) -> String {
        format!("it has {count} voxels, and {most} can be mended at most")
    }
    /// An affine says where voxels lie.
    pub const FLAT: &str = "its affine gives voxels no volume";
    pub fn another_size(found: usize, expected: usize) -> String {
        format!("it has {found} voxels, expected are {expected}")
    }
}

/// What was found.
pub mod result {
    pub const HEADING: &str = "Result";
    pub const WARNINGS: &str = "Warnings";
    pub const SAVE_LABELS: &str = "Save the label map";
    pub const SAVE_SEG: &str = "Save as DICOM-SEG";
    pub const SAVE_VOLUMES: &str = "Save volumes";
    pub const CHANGED: &str = "Changed by hand: so are the volumes, a comparison and what is saved, and files are named so. Certainty is the network's, of its own result.";
    /// Both follow the sentence before, with a space.
    pub fn learnt(learnt: &str) -> String {
        format!(" The network's last layers {learnt}.")
    }
    pub const SAVE_REPORT: &str = "Save a report";
    pub const REPORT_TITLE: &str =
        "One page to print or hand on: pictures, volumes, certainty, and how it was made";
    pub const INSIDE: &str = "Inside the network";
    pub const INSIDE_TITLE: &str = "What the network sees, step by step";
    /// The part is the model's own word, such as "hippocampi".
    pub fn look_closer(part: &str) -> String {
        format!("Look closer at the {part}")
    }
    pub const LOOK_BACK: &str = "Back to before the closer look";
    /// Why some buttons can't be pressed; “Certainty” is one of them.
    pub const OF_TWO_NETWORKS: &str = "Certainty, learning and the inside are of one network's result; after a closer look two have made this one.";
    pub const NOT_KEPT: &str = "Certainty, learning and the inside are known of the newest result alone: segment this scan again for them.";
    /// How long it took, on what: both of the four that follow.
    pub fn made(how: &str) -> String {
        format!("Made {how}.")
    }
    pub fn in_time(time: &str) -> String {
        format!("in {time}")
    }
    pub fn in_time_on_cpu(time: &str) -> String {
        format!("in {time} on the CPU")
    }
    pub fn in_time_on_webgpu(time: &str) -> String {
        format!("in {time} on WebGPU")
    }

    // How large everything is.
    pub const SIZES: &str = "Size of every label";
    pub const VOXELS: &str = "Voxels";
    pub const VOLUME: &str = "Volume, mL";
    pub const VOLUMES: &str = "Volumes";
    pub const VOLUMES_ML: &str = "Volumes in mL; – was not found";
    pub const STRUCTURE: &str = "Structure";
    pub const LEFT: &str = "Left";
    pub const RIGHT: &str = "Right";
    pub const BOTH: &str = "Both";
    /// Left minus right.
    pub const ASYMMETRY: &str = "L−R, %";
    pub const ASYMMETRY_TITLE: &str = "Left minus right, in percent of their mean";

    // Between which volumes the true ones lie.
    pub const RANGES: &str = "How sure are the volumes?";
    pub const RANGES_MEAN: &str = "In nine of ten cases like those that this model was calibrated by, the true volume lies between these. A scan of another kind may be less certain than that.";
    pub fn both_sides(structure: &str) -> String {
        format!("{structure}, both sides")
    }
}

/// How sure the network was.
pub mod certainty {
    pub const NAME: &str = "Certainty";
    pub const SAVE: &str = "Save certainty";
    pub const SAVE_PROBABILITIES: &str = "Save probabilities";
    /// With one of the two that follow; no full stop.
    pub fn means(truth: &str) -> String {
        format!("The network's own probability of what it found, before any correction; {truth}")
    }
    pub fn calibrated(error_percent: f64) -> String {
        format!(
            "on validation cases it is {} % from the share of right answers in the mean",
            super::numbers::number(error_percent, 1)
        )
    }
    pub const NOT_CALIBRATED: &str = "not calibrated";

    // Classes of it over the scan.
    pub const UNDER_50: &str = "under 50 % sure";
    pub const FROM_50: &str = "50 to 70 %";
    pub const FROM_70: &str = "70 to 85 %";
    pub const FROM_85: &str = "85 to 95 %";
    pub const FROM_95: &str = "95 % and more";
}

/// The result beside a reference, which is what it should have been.
pub mod compare {
    pub const NAME: &str = "Comparison";
    pub const CHOOSE: &str = "Compare with a reference…";
    pub const HINT: &str = "A label map on this grid, in any axis order (.nii, .nii.gz, .mgz), with a table of its labels if there is one; choose it or drop it here.";
    pub fn against(name: &str) -> String {
        format!("Against {name}")
    }
    // What lies over the scan.
    pub const ON_THE_SCAN: &str = "On the scan";
    pub const RESULT: &str = "Result";
    pub const REFERENCE: &str = "Reference";
    pub const DISAGREEMENT: &str = "Disagreement";
    pub const CERTAINTY: &str = "Certainty";
    // Kinds of disagreement.
    pub const ONLY_RESULT: &str = "only in the result";
    pub const ONLY_REFERENCE: &str = "only in the reference";
    pub const ANOTHER_LABEL: &str = "another label";

    // The table. Dice, HD95 and ASSD are measures of agreement that are called so everywhere.
    pub const TABLE: &str =
        "Dice; distances in mm; volume of the result less the reference's in mL";
    pub const DICE: &str = "Dice";
    pub const HD95: &str = "HD95";
    pub const HD95_TITLE: &str = "95th percentile of the surface distances, mm";
    pub const ASSD: &str = "ASSD";
    pub const ASSD_TITLE: &str = "Average symmetric surface distance, mm";
    pub const DIFFERENCE: &str = "ΔV";
    pub const DIFFERENCE_TITLE: &str = "Volume of the result less the reference's, mL";
    /// Of Dice, over so many structures: those that the reference has.
    pub fn mean(count: usize) -> String {
        format!("Mean of {count} in the reference")
    }
    /// Behind a label's name.
    pub const MISSED: &str = " (missed)";
    pub const NOT_IN_REFERENCE: &str = " (not in the reference)";

    /// What numbers in the reference's file mean: a label is chosen behind "17 (hippocampus) is"; the name is that of a table.
    pub const NUMBERS: &str = "Numbers of the reference";
    pub fn number_is(number: u32, name: Option<&str>) -> String {
        match name {
            Some(name) => format!("{number} ({name}) is"),
            None => format!("{number} is"),
        }
    }
    pub const SAVE: &str = "Save as CSV";
    pub const REMOVE: &str = "Remove";

    pub const READING: &str = "Reading the reference…";
    pub const COMPARING: &str = "Comparing…";
    pub fn progress(done: usize, of: usize) -> String {
        let plural = if of == 1 { "" } else { "s" };
        format!("Comparing: {done} of {of} label{plural}.")
    }

    // Why not.
    pub fn several_files(maps: usize, tables: usize) -> String {
        format!(
            "A reference is one label map, with one table of its labels at most; these are {maps} and {tables}."
        )
    }
    pub fn cant_be_compared(name: &str, problem: &str) -> String {
        format!("{name} can't be compared: {problem}.")
    }
    pub const ONLY_BACKGROUND: &str = "it holds no label, only background";
    pub const NO_TABLE: &str = "the table beside it is none that is known here (FreeSurfer's colours, ITK-SNAP's label descriptions, 3D Slicer's colours, or BIDS's with index and name)";
    /// One of the two that follow is in it.
    pub fn another_grid(where_it_lies: &str) -> String {
        format!(
            "it is on another grid, {where_it_lies}; resampled here its volumes and surfaces would change, so bring it onto the scan's grid first"
        )
    }
    pub fn apart(mm: f64) -> String {
        let mm = super::numbers::number(mm, 1);
        format!("which lies up to {mm} mm from the scan's")
    }
    pub fn sizes(reference: &str, scan: &str) -> String {
        format!("{reference}, the scan's is {scan}")
    }
    pub fn size(columns: usize, rows: usize, slices: usize, spacing_mm: [f64; 3]) -> String {
        let spacing = super::numbers::spacing(spacing_mm);
        format!("{columns} × {rows} × {slices} voxels of {spacing}")
    }
}

/// The tour inside the network.
pub mod inside {
    pub const HEADING: &str = "Inside the network";
    pub const BACK: &str = "Back to the result";
    pub const STATIONS: &str = "Stations";
    pub fn station(number: usize, title: &str) -> String {
        format!("{number}. {title}")
    }
    /// With a space at their ends; the station's own text follows.
    pub const WHY: &str = "Why: ";
    pub const TRY: &str = "Try: ";
    /// The station before, and the one after.
    pub const BEFORE: &str = "Previous";
    pub const NEXT: &str = "Next";
    pub const METHOD: &str = "The method, part by part";
    /// A file of the program follows.
    pub const COMPUTED_BY: &str = " · computed by ";

    // What can be chosen. A block is one of the steps of a transformer, a head one of the parts of its attention.
    pub const BLOCK: &str = "Block";
    /// What comes before the first block.
    pub const EMBEDDING: &str = "the embedding";
    pub fn block(number: usize) -> String {
        format!("block {number}")
    }
    pub fn after_block(number: usize) -> String {
        format!("after block {number}")
    }
    pub const OVER_THE_SCAN: &str = "Over the scan";
    pub fn head(number: usize) -> String {
        format!("Head {number}")
    }
    pub const ALL_HEADS: &str = "All heads, all blocks so far";
    pub const THRESHOLD: &str = "Threshold";
    /// Where the decoder takes the detail stream in.
    pub const GATE: &str = "The gate";
    pub fn quarter_size(level: usize) -> String {
        format!("Level {level}: quarter size")
    }
    pub fn half_size(level: usize) -> String {
        format!("Level {level}: half size")
    }
    pub fn full_size(level: usize) -> String {
        format!("Level {level}: full size")
    }
    /// A part of the network follows, one of those below.
    pub const WITHOUT: &str = "Without";
    pub const SWITCHED_OFF: &str = "Switched off";
    pub const NOTHING: &str = "nothing";
    pub const NEIGHBOURS: &str = "neighbouring slices";
    pub const ADAPTERS: &str = "adapters";
    pub const DETAIL: &str = "detail stream";
    pub const TRANSFORMER: &str = "transformer";

    // What comes of it.
    pub fn looking(percent: f32) -> String {
        format!("Looking inside: {percent:.0} %")
    }
    pub const OPEN_A_SCAN: &str = "Open a scan or take a sample, then press Segment: this station is about what the network does with it.";
    pub const AT_WORK: &str = "The network is at work.";
    pub const PRESS_SEGMENT: &str =
        "Press Segment: this station is about what the network does with the scan.";
    pub const OUTSIDE: &str =
        "The network did not look there. Bring the crosshair to something that it labelled.";
    /// Each is a number and how many there are of it. A token is what the network makes of a patch, a square of so many voxels.
    pub fn place(
        slice: [usize; 2],
        row: [usize; 2],
        column: [usize; 2],
        width: usize,
        patch: usize,
    ) -> String {
        let [[slice, slices], [row, rows], [column, columns]] = [slice, row, column];
        format!(
            "Slice {slice} of {slices}, patch in row {row} of {rows} and column {column} of {columns}; {width} numbers a token, {patch} × {patch} voxels a patch."
        )
    }
    pub const SAVE_MAP: &str = "Save this map";
    // What small pictures show.
    /// So many slices behind that of the crosshair; below 0 before it.
    pub fn slice(offset: i32) -> String {
        let plural = if offset.abs() == 1 { "" } else { "s" };
        match offset {
            0 => "this slice".to_owned(),
            1.. => format!("{offset} slice{plural} after"),
            _ => format!("{} slice{plural} before", -offset),
        }
    }
    pub const TOGETHER: &str = "together: before red, this green, after blue";
    /// A head, and how much of what it looks at is no patch, in whole percent.
    pub fn looks(number: i32, elsewhere_percent: f32) -> String {
        match elsewhere_percent {
            0.0 => format!("Head {number}: at patches alone"),
            _ => format!("Head {number}: {elsewhere_percent} % at tokens for the whole"),
        }
    }
    pub fn stage(number: i32) -> String {
        format!("stage {number}")
    }
    // What a curve is of.
    pub const WHOLE_NETWORK: &str = "whole network";
    pub const WITHOUT_ADAPTERS: &str = "without adapters";
    /// What a curve shows, said: what it is of, and how many slices of how many.
    pub fn hears(network: &str, slices: usize, of: usize) -> String {
        let hear = if slices == 1 { "hears" } else { "hear" };
        format!("{network}: {slices} of {of} slices {hear} of it")
    }
    pub fn dice(mean: f64) -> String {
        let mean = super::numbers::number(mean, 3);
        format!("Dice against the whole network, {mean} in the mean")
    }
    // Heads of columns beside that, where a reference is loaded: the labels of this station, and those of the result.
    pub const AGAINST_REFERENCE: &str = "against the reference";
    pub const RESULT_AGAINST_REFERENCE: &str = "the result against it";
    /// How stage 1 is computed. The file of a model says how good it is on cases that it has not seen.
    pub fn stage1(is_fitted: bool, mean_dice: f64, cases: usize) -> String {
        let mean = super::numbers::number(mean_dice, 2);
        let head = if is_fitted {
            "This head is none that a stage 1 has trained: it was fitted anew to the transformer as it is now, without adapters"
        } else {
            "The head is that of stage 1, and so is the transformer"
        };
        let plural = if cases == 1 { "" } else { "s" };
        format!("{head}. Mean Dice {mean} on {cases} held-out case{plural}.")
    }
    pub const NO_STAGE_1: &str =
        "This model holds no head for stage 1, so what stage 1 made of a scan can't be shown.";

    /// What is said of a station: what is seen, in two sentences; why the network does so; a question to try.
    pub struct Station {
        pub title: &'static str,
        pub what: &'static str,
        pub why: &'static str,
        pub question: &'static str,
    }
    pub const SLICES_STATION: Station = Station {
        title: "Three slices, one picture",
        what: "The network reads the scan slice by slice, and sees each with its neighbours as if they were the red, green and \
               blue of a photograph. The frame is one patch: all of its voxels in all three slices become one token, a list of \
               numbers.",
        why: "The transformer was made for pictures in colour. Three slices in the place of three colours tell it what goes on \
              in the third dimension without changing it.",
        question: "Where is the picture of all three grey, and where coloured? Move the crosshair to the edge of a structure.",
    };
    pub const TOKENS_STATION: Station = Station {
        title: "Tokens as colours",
        what: "Each patch is a token of many numbers; the three directions in which tokens differ most are drawn as red, green \
               and blue. Tokens that the network takes for alike have like colours.",
        why: "Nobody told the network which numbers mean what. From block to block tokens gather what belongs together: first \
              what looks alike, later what is alike.",
        question: "After which block do left and right look the same, and after which does the brain part from what is around it?",
    };
    pub const SIMILARITY_STATION: Station = Station {
        title: "What is like this?",
        what: "Every token is compared with the one at the crosshair: bright is alike, dark has nothing in common. Move the \
               threshold to keep only the most alike.",
        why: "From tokens alone a decoder can give two patches different labels only if their tokens differ. What is bright \
              here is hard to tell from what you clicked.",
        question: "Click a ventricle: does the other one light up? Compare the first block with the last.",
    };
    pub const ATTENTION_STATION: Station = Station {
        title: "Where does a token look?",
        what: "In every block each token looks at all others of its slice, by several heads at the same time; bright patches \
               give it most. “All heads” follows the looks back through all blocks so far.",
        why: "A patch alone may be any grey matter. What lies around it says which, and attention brings that to it.",
        question: "Which heads look near, and which far? Some look at no patch at all, but at tokens that stand for the whole.",
    };
    pub const ADAPTERS_STATION: Station = Station {
        title: "What adapters change",
        what: "Small adapters in every block let a patch hear of the same place in the slices before and after. Bright tokens \
               are those that are most unlike what they would be without adapters.",
        why: "Attention sees one slice only. Without adapters the network would be a network of single slices.",
        question: "Where do adapters change most, and does it grow from block to block?",
    };
    pub const REACH_STATION: Station = Station {
        title: "Slices that talk",
        what: "The slice at the crosshair is painted over with one grey, and the curve shows how much the tokens of every slice \
               change. With adapters far slices hear of it; without, only the two beside it.",
        why: "Each adapter reaches one slice further. After all blocks that makes a volume of a pile of slices.",
        question: "How many slices away is it still heard?",
    };
    pub const DETAIL_STATION: Station = Station {
        title: "The detail stream",
        what: "Beside the transformer a stream of small convolutions keeps what patches are too coarse for: edges and thin \
               things. The gate says where the decoder takes it in: bright is open.",
        why: "A token stands for a whole patch. The border of a structure runs through the patch, and must come from \
              somewhere else.",
        question: "What does the finest level see that the coarsest does not? Is the gate open at edges or inside?",
    };
    pub const PARTS_STATION: Station = Station {
        title: "Without a part",
        what: "The same window goes through the network with a part switched off, and its labels lie over the scan. Dice says \
               how far they agree with those of the whole network.",
        why: "What a part is good for is seen when it is missing. The network was trained with all of them, so this may be \
              more than it would lose had it never had the part.",
        question: "Which part is missed most, and by which structures?",
    };
    pub const PROXY_STATION: Station = Station {
        title: "Stage 1 and stage 2",
        what: "In stage 1 a network of single slices learns to label, by nothing but a linear layer on its last tokens: its labels lie \
               over the scan. Stage 2 puts adapters, detail stream and decoder around the same transformer, and Dice says how far \
               its labels agree.",
        why: "The proxy task teaches tokens what structures are before anything else does. Borders finer than a patch and what goes on \
              between slices are left to stage 2.",
        question: "Where does stage 2 differ: at borders, at thin ends, or from slice to slice?",
    };
}

/// What goes on, a sentence at a time: read aloud by screen readers as it changes.
pub mod status {
    pub const STARTING: &str = "Starting…";
    pub const LOADING_MODEL: &str = "Loading the model…";
    pub fn checking_model(name: &str) -> String {
        format!("Checking {name}…")
    }
    pub const MODEL_NOT_OPENED: &str = "The model was not opened.";
    pub const MODEL_NOT_OPENED_ALL_STAYS: &str =
        "The model was not opened. All else is still here.";
    pub const NO_MODEL: &str = "No model is loaded.";

    pub const READY: &str = "Ready. Open a scan or take a sample.";
    pub const READY_TO_SEGMENT: &str = "Ready to segment.";
    pub const FRESH: &str = "A fresh worker is ready. Open a scan or take a sample.";
    pub const FRESH_WITH_SCAN: &str = "A fresh worker is ready, with your scan. You can try again.";
    pub const FRESH_WITH_LIST: &str =
        "A fresh worker is ready. The list says what came of each scan.";

    pub fn reading(name: &str) -> String {
        format!("Reading {name}…")
    }
    /// Of the list.
    pub fn reading_place(name: &str, place: usize, of: usize) -> String {
        format!("Reading {name}… {place} of {of}.")
    }
    pub const FETCHING_SAMPLE: &str = "Fetching the sample…";
    /// Some of the files and how many more; with a space at its beginning.
    pub fn left_out(names: &str, more: usize) -> String {
        let more = match more {
            0 => String::new(),
            _ => format!(" and {more} more"),
        };
        format!(" Left out, as they are no scans: {names}{more}.")
    }
    pub fn is_open(name: &str) -> String {
        format!("{name} is open.")
    }
    pub const NONE_OPENED: &str = "None was opened.";
    pub const NONE_COULD_BE_OPENED: &str = "None of these could be opened.";
    pub const NOT_OPENED: &str = "The file was not opened.";
    pub const NOT_OPENED_SCAN_STAYS: &str =
        "The file was not opened. The scan before it is still here.";
    pub fn not_opened_list_says(name: &str) -> String {
        format!("{name} was not opened; the list says why.")
    }
    pub const RUNNING: &str = "A segmentation is running. Cancel it first to open another scan.";

    pub const SEGMENTING: &str = "Segmenting…";
    pub fn segmenting(name: &str, place: usize, of: usize) -> String {
        format!("Segmenting {name}, {place} of {of}.")
    }
    pub fn segmented(time: &str) -> String {
        format!("Segmented in {time}.")
    }
    pub fn looking_closer(part: &str) -> String {
        format!("Looking closer at the {part}…")
    }
    pub const LOOKED_BACK: &str = "This is the result from before the closer look.";
    pub const FAILED: &str = "Segmentation failed. The scan is still here.";
    pub const STOPPING: &str = "Stopping…";
    pub const STOPPED: &str = "Stopped.";
    pub const STOPPED_SCAN_STAYS: &str = "Stopped. The scan is still here.";
    pub const ENDED_LATE: &str =
        "The worker did not stop in time and was ended; a fresh one is starting.";
    pub const ENDED_RESTARTING: &str =
        "The worker was ended and a fresh one is starting; what was open stays open.";
    pub const ENDED: &str = "The worker was ended. What was open stays open.";

    pub const WRITING_SEG: &str = "Writing the DICOM-SEG…";
    pub const COMPUTING_CERTAINTY: &str = "Computing how sure the network is…";
    pub const CERTAINTY_SHOWN: &str = "Where the network is less sure lies over the scan.";
    pub fn saved(name: &str) -> String {
        format!("Saved {name}.")
    }
    pub const LEARNING: &str = "Learning from the strokes…";
    pub const LEARNT: &str = "The labels follow the strokes.";
    pub const NOTHING_LEARNT: &str = "Nothing was learnt.";
}

/// What went wrong, and what to do about it. `problem` is what a library, the browser or the worker says, in English.
pub mod failure {
    pub fn worker_unreachable(problem: &str) -> String {
        format!("The worker could not be reached: {problem}")
    }
    pub const TRY_SMALLER: &str = "If the scan is very large, try a smaller one.";
    pub fn worker_stopped(problem: &str) -> String {
        format!("The worker stopped: {problem}")
    }
    /// “Compute on” is the control's name.
    pub const CHOOSE_CPU: &str =
        "If this happens again, choose the CPU under “Compute on” or try a smaller scan.";
    pub fn no_worker(problem: &str) -> String {
        format!("No worker could be started: {problem}")
    }
    pub const NEEDS_WORKERS: &str =
        "This page needs a browser with module workers; any current one has them.";
    pub const NO_LABEL_MAP: &str = "The worker sent a result without its label map.";
    pub const TRY_AGAIN: &str = "Try again.";
    pub const CHECK_CONNECTION: &str = "Check the connection to this site, then start again.";
    pub const CHECK_CONNECTION_OR_OPEN: &str =
        "Check the connection to this site, or open a scan of your own.";

    pub fn not_packed(problem: &str) -> String {
        format!("The results could not be packed: {problem}.")
    }
    pub const SAVE_EACH: &str = "Choose one scan after the other and save its result.";
    pub fn several_models(count: usize) -> String {
        format!("These are {count} models, expected is one at a time.")
    }
    pub const ONE_MODEL_FIRST: &str = "Choose one of them, then the next.";

    pub fn no_files(name: &str) -> String {
        format!("There are no files in {name}.")
    }
    pub fn not_read(name: &str, problem: &str) -> String {
        format!("{name} could not be read: {problem}")
    }
    pub fn reference_not_read(name: &str, problem: &str) -> String {
        format!("{name} could not be read: {problem}.")
    }
    pub fn not_taken(name: &str, count: usize, problem: &str) -> String {
        format!("The {count} files of {name} could not be taken: {problem}")
    }
    pub const CHECK_FILE: &str = "Check that the file is still there and not too large for this device, then choose it again.";
    pub fn no_memory(bytes: usize) -> String {
        format!("there is no memory for their {bytes} bytes")
    }
    pub fn same_name(path: &str) -> String {
        format!("two of them are called {path}")
    }

    // A file of the site.
    pub fn not_fetched(path: &str, problem: &str) -> String {
        format!("{path} could not be fetched: {problem}")
    }
    pub fn fetched_status(path: &str, status: u16) -> String {
        format!("{path} could not be fetched: status {status}")
    }
    pub fn broke_off(path: &str, problem: &str) -> String {
        format!("{path} broke off: {problem}")
    }
    pub fn not_understood(path: &str, problem: &str) -> String {
        format!("{path} can't be read: {problem}")
    }
}

/// The report: a page of its own to print.
pub mod report {
    pub fn title(scan: &str) -> String {
        format!("Segmentation of {scan}")
    }
    pub const CHANGED: &str = "Changed by hand: labels, volumes and a comparison are what a person made of the network's result.";
    /// What was learnt is of [`super::mend::learnt`].
    pub fn learnt(learnt: &str) -> String {
        format!("The network's last layers {learnt}; what came of it a person has taken over.")
    }

    // The pictures.
    pub const NO_PICTURES: &str = "Without pictures: the scan could not be drawn.";
    /// With a space at its end, as what lies over the scan follows.
    pub fn through(mm: [f64; 3], voxel: [u32; 3]) -> String {
        let [x, y, z] = mm.map(|mm| super::numbers::number(mm, 1));
        let [i, j, k] = voxel;
        format!(
            "Through x {x}, y {y}, z {z} mm (to the right, front and top), voxel {i}, {j}, {k} of the file. "
        )
    }
    /// One of the four that follow, and how many labels are hidden.
    pub fn over(what: &str, hidden: usize) -> String {
        match hidden {
            0 => format!("Over the scan: {what}."),
            1 => format!("Over the scan: {what}; one label is hidden."),
            _ => format!("Over the scan: {what}; {hidden} labels are hidden."),
        }
    }
    pub const OVER_RESULT: &str = "the result";
    pub const OVER_REFERENCE: &str = "the reference";
    pub const OVER_DISAGREEMENT: &str = "where result and reference differ";
    pub const OVER_CERTAINTY: &str = "where the network was less sure";

    pub const VOLUMES: &str = "Volumes";
    pub const LEFT_ML: &str = "Left, mL";
    pub const RIGHT_ML: &str = "Right, mL";
    pub const BOTH_ML: &str = "Both, mL";
    pub const ASYMMETRY: &str =
        "L\u{2212}R: left minus right, in percent of their mean; – was not found.";
    pub const TRUE_VOLUME: &str = "True volume, mL";

    pub const SCAN: &str = "Scan";
    /// Which one of a scan that was taken several times.
    pub const VOLUME: &str = "Volume";

    pub const CERTAINTY: &str = "Certainty";
    /// “Certainty” is the control's name.
    pub const NO_CERTAINTY: &str =
        "Not computed for this report: lay Certainty over the scan before saving one.";
    /// The classes of [`super::certainty`] are below it.
    pub const NETWORK_WAS: &str = "The network was";
    pub const LABELLED_VOXELS: &str = "Labelled voxels, %";

    pub const HD95_MM: &str = "HD95, mm";
    pub const ASSD_MM: &str = "ASSD, mm";
    pub const DIFFERENCE_ML: &str = "ΔV, mL";
    pub const DIFFERENCE: &str = "ΔV: volume of the result less the reference's.";
    /// With a space at its beginning.
    pub fn taken_for(numbers: &[u32], label: &str) -> String {
        let were = if numbers.len() == 1 { "was" } else { "were" };
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        format!(" Its {} {were} taken for {label}.", numbers.join(", "))
    }

    pub const MADE: &str = "How it was made";
    pub const MODEL: &str = "Model";
    pub fn model(title: &str, name: &str, version: &str) -> String {
        format!("{title} ({name}), version {version}")
    }
    pub fn own_model(title: &str, name: &str, version: &str) -> String {
        format!("{title} ({name}), version {version}, the visitor's own")
    }
    pub const HASH: &str = "SHA-256 of its weights";
    pub const CHANNELS: &str = "Its channels";
    pub const LOOKED_CLOSER: &str = "Looked closer";
    pub fn looked_closer(part: &str, model: &str) -> String {
        format!("at the {part}, model {model}")
    }
    pub const PROGRAM: &str = "Program";
    /// How long it took follows, as in "in 3.1 s on the CPU".
    pub const SEGMENTED: &str = "Segmented";
    pub const LABEL_MAP: &str = "Label map";
    pub const CHANGED_BY_HAND: &str = "Changed by hand";
    pub const YES: &str = "yes";
    pub const NO: &str = "no";
    pub const LAST_LAYERS: &str = "Last layers";
}
