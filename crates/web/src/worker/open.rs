//! The scan in whatever a visitor gives: a NIfTI or MGH file, a DICOM file, or a zip of DICOM files, of a pair's two files or of
//! scans. Where there are several, what they are. What is a choice and what is refused is as the command line has it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dinomed3d_volume::dicom::segmentation::Origin;
use dinomed3d_volume::dicom::{DicomError, DicomFolder, InMemory, Source, zip_entries};
use dinomed3d_volume::{Datatype, Format, Image, Scan, companions};

use crate::picture::address;
use crate::protocol::{ScanChoice, ScanOffer};

/// Longest edge of a thumbnail in pixels.
const THUMBNAIL_EDGE: f64 = 96.0;

/// What a file holds.
#[derive(Debug)]
pub enum Opened {
    /// One scan, or the chosen one.
    Scan(Box<Found>),
    /// Several, of which one has to be chosen.
    Several {
        /// What they are.
        offers: Vec<ScanOffer>,
        /// Why they are several where one would be expected.
        reason: Option<String>,
    },
}

/// A scan of one volume whose voxels have a place in space.
#[derive(Debug)]
pub struct Found {
    pub scan: Scan,
    /// What a series' scanner calls it.
    pub description: Option<String>,
    /// What a DICOM segmentation of it refers to.
    pub origin: Option<Origin>,
    /// Whether the file is this scan and nothing more, in a format of its own.
    pub is_single_file: bool,
}

impl Found {
    /// The scan as a NIfTI file for a viewer, where it can't be given the one that was opened.
    ///
    /// # Errors
    /// If there is no memory for it, as a sentence without its full stop.
    pub fn for_viewer(&self) -> Result<Option<Vec<u8>>, String> {
        // The one type of voxels that NiiVue does not know.
        let encoded = if self.scan.datatype() == Datatype::Uint64 {
            let volume = self.scan.volume().map_err(words)?;
            Scan::of_volume(Format::Nifti1, &volume, Vec::new()).encode()
        } else if self.is_single_file {
            return Ok(None);
        } else {
            self.scan.encode()
        };
        encoded.map(Some).map_err(words)
    }
}

/// Opens a file; of several scans the chosen one.
///
/// # Errors
/// Why there is no scan, as a sentence without its full stop.
pub fn open(bytes: Vec<u8>, choice: Option<ScanChoice>) -> Result<Opened, String> {
    if bytes.get(128..132) == Some(b"DICM") {
        let name = "the file".to_owned();
        let file: Box<dyn Source> = Box::new(InMemory { name, bytes });
        return series(&DicomFolder::read(vec![file]), choice);
    }
    if bytes.starts_with(b"PK\x03\x04") {
        let bytes: Arc<[u8]> = bytes.into();
        let folder = DicomFolder::read(zip_entries(Arc::clone(&bytes)).map_err(words)?);
        let has_dicom = !folder.others().is_empty() || !folder.unreadable().is_empty();
        if !folder.series().is_empty() {
            return series(&folder, choice);
        }
        let found = files(&zip_entries(bytes).map_err(words)?, choice);
        // What is wrong with DICOM files says more than that something else is no scan.
        return found.or_else(|problem| {
            if has_dicom {
                series(&folder, choice)
            } else {
                Err(problem)
            }
        });
    }
    let scan = Scan::open(&bytes, None).map_err(words)?;
    let is_single_file = scan.num_volumes() == 1;
    if choice.is_none() && !is_single_file {
        return several(vec![offer(0, String::new(), &scan)], None);
    }
    one(scan, choice, is_single_file)
}

/// One of a folder's series.
fn series(folder: &DicomFolder, choice: Option<ScanChoice>) -> Result<Opened, String> {
    let is_of_one_volume = |index: usize| folder.series()[index].num_volumes().unwrap_or(1) == 1;
    let choice = match (choice, folder.choose(None)) {
        (Some(choice), _) => choice,
        (None, Ok(index)) if is_of_one_volume(index) => ScanChoice { index, volume: 0 },
        (None, Ok(_)) => return several(offers(folder), None),
        (None, Err(error)) => {
            let offers = offers(folder);
            if offers.iter().all(|offer| offer.problem.is_some()) {
                return Err(error.to_string());
            }
            let is_usual = matches!(error, DicomError::SeveralSeries { .. });
            return several(offers, (!is_usual).then(|| error.to_string()));
        }
    };
    let found = folder.scan(choice.index, choice.volume).map_err(words)?;
    let scan = Scan::of_volume(Format::Dicom, &found.volume, found.warnings);
    // Now rather than at the first segmentation.
    scan.image().map_err(words)?;
    let description = description(folder, choice.index);
    Ok(Opened::Scan(Box::new(Found {
        scan,
        description: Some(description).filter(|text| !text.is_empty()),
        origin: folder.origin(choice.index, choice.volume).ok(),
        is_single_file: false,
    })))
}

/// What a series is called; with its number where another one is called the same, as when it was taken again.
fn description(folder: &DicomFolder, index: usize) -> String {
    let series = &folder.series()[index];
    let text = series.description.clone();
    let all = folder.series().iter();
    let num_called_so = all.filter(|other| other.description == text).count();
    match series.number {
        Some(number) if !text.is_empty() && num_called_so > 1 => format!("{text} ({number})"),
        _ => text,
    }
}

fn offers(folder: &DicomFolder) -> Vec<ScanOffer> {
    let series = folder.series().iter().enumerate();
    series
        .map(|(index, series)| {
            let [slices, rows, columns] = series.shape();
            let thumbnail = folder.thumbnail(index);
            // What can't be shown can't be opened.
            let problem = series
                .spacing_mm()
                .err()
                .or(thumbnail.as_ref().err().cloned());
            ScanOffer {
                index,
                description: description(folder, index),
                modality: series.modality.clone(),
                shape: [columns, rows, slices],
                spacing_mm: series.spacing_mm().ok(),
                num_volumes: series.num_volumes().unwrap_or(1),
                thumbnail: thumbnail
                    .ok()
                    .and_then(|slice| picture(&slice.pixels, slice.shape, slice.aspect)),
                problem: problem.map(words),
            }
        })
        .collect()
}

/// One of the scans among files that are not DICOM.
fn files(files: &[Box<dyn Source>], choice: Option<ScanChoice>) -> Result<Opened, String> {
    if let Some(choice) = choice {
        let file = files.get(choice.index);
        let file = file.ok_or_else(|| format!("there is no file {}", choice.index))?;
        return one(read_scan(&**file, files)?, Some(choice), false);
    }
    let mut offers = Vec::new();
    let mut only = None;
    let mut problems = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let is_voxels = has_ending(file.name(), "img") && companion(&**file, files).is_some();
        if is_voxels {
            continue;
        }
        match read_scan(&**file, files) {
            Ok(scan) => {
                offers.push(offer(index, file.name().to_owned(), &scan));
                only = (offers.len() == 1 && scan.num_volumes() == 1).then_some(scan);
            }
            Err(problem) => problems.push(problem),
        }
    }
    match (only, &problems[..]) {
        (Some(scan), _) => one(scan, None, false),
        (None, []) if offers.is_empty() => Err("the zip is empty".to_owned()),
        (None, [problem]) if offers.is_empty() => Err(problem.clone()),
        (None, [first, ..]) if offers.is_empty() => Err(format!(
            "none of the {} files is a scan; the first: {first}",
            problems.len()
        )),
        _ => several(offers, None),
    }
}

/// Reads a scan; of a pair by its header or its voxels.
fn read_scan(file: &dyn Source, among: &[Box<dyn Source>]) -> Result<Scan, String> {
    let read = |file: &dyn Source| {
        let mut bytes = Vec::new();
        let done = file
            .open()
            .and_then(|mut file| file.read_to_end(&mut bytes));
        done.map(|_| bytes)
            .map_err(|error| format!("{} can't be read: {error}", file.name()))
    };
    let bytes = read(file)?;
    let scan = match (Scan::open(&bytes, None), companion(file, among)) {
        (Err(_), Some(other)) => Scan::open(&bytes, Some(&read(other)?)),
        (scan, _) => scan,
    };
    scan.map_err(|error| format!("{}: {error}", file.name()))
}

/// The other file of a pair.
fn companion<'a>(file: &dyn Source, among: &'a [Box<dyn Source>]) -> Option<&'a dyn Source> {
    let names: Vec<PathBuf> = companions(Path::new(file.name()));
    let mut among = among.iter().map(|other| &**other);
    among.find(|other| names.iter().any(|name| name == Path::new(other.name())))
}

fn has_ending(name: &str, ending: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let plain = name.strip_suffix(".gz").unwrap_or(&name);
    plain.ends_with(&format!(".{ending}"))
}

/// The scan if it can be segmented.
fn one(scan: Scan, choice: Option<ScanChoice>, is_single_file: bool) -> Result<Opened, String> {
    let scan = match choice {
        Some(choice) => scan.select(choice.volume).map_err(words)?,
        None => scan,
    };
    // Now rather than at the first segmentation.
    scan.image().map_err(words)?;
    Ok(Opened::Scan(Box::new(Found {
        scan,
        description: None,
        origin: None,
        is_single_file,
    })))
}

/// What there is to choose; nothing to choose is refused.
fn several(offers: Vec<ScanOffer>, reason: Option<String>) -> Result<Opened, String> {
    let is_usable = |offer: &ScanOffer| offer.problem.is_none();
    if !offers.iter().any(is_usable) {
        let problem = offers.into_iter().find_map(|offer| offer.problem);
        return Err(problem.unwrap_or_else(|| "it holds no scan".to_owned()));
    }
    Ok(Opened::Several { offers, reason })
}

fn offer(index: usize, description: String, scan: &Scan) -> ScanOffer {
    let [slices, rows, columns] = scan.grid_shape();
    let spacing = scan.affine().spacing_mm();
    let first = scan.image_at(0);
    ScanOffer {
        index,
        description,
        modality: String::new(),
        shape: [columns, rows, slices],
        spacing_mm: Some(spacing),
        num_volumes: scan.num_volumes(),
        thumbnail: first.as_ref().ok().and_then(|image| {
            let slice = rows * columns;
            let middle: Vec<f32> = image
                .values(slices / 2 * slice..(slices / 2 + 1) * slice)
                .collect();
            let affine = image.affine().0;
            let pixels = upright(
                &grey(&middle),
                columns,
                affine[0][0] < 0.0,
                affine[1][1] > 0.0,
            );
            picture(&pixels, [rows, columns], spacing[1] / spacing[0])
        }),
        problem: first.err().map(words),
    }
}

/// From the darkest hundredth to the brightest.
fn grey(values: &[f32]) -> Vec<u8> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
    let (dark, bright) = (at(0.01), at(0.99));
    let scale = 255.0 / (bright - dark).max(f32::MIN_POSITIVE);
    let pixel = |value: &f32| ((value - dark) * scale).clamp(0.0, 255.0).round() as u8;
    values.iter().map(pixel).collect()
}

/// Rows from the front to the back and from left to right, as the viewer has them.
fn upright(pixels: &[u8], columns: usize, is_mirrored: bool, is_upside_down: bool) -> Vec<u8> {
    let mut rows: Vec<Vec<u8>> = pixels.chunks_exact(columns).map(<[u8]>::to_vec).collect();
    if is_upside_down {
        rows.reverse();
    }
    if is_mirrored {
        rows.iter_mut().for_each(|row| row.reverse());
    }
    rows.concat()
}

/// A small picture, PNG as a `data:` address; none of pixels without a size. `aspect` is a pixel's height over its width.
fn picture(pixels: &[u8], [rows, columns]: [usize; 2], aspect: f64) -> Option<String> {
    let aspect = if aspect.is_finite() && aspect > 0.0 {
        aspect
    } else {
        1.0
    };
    let (width, height) = (columns as f64, rows as f64 * aspect);
    let scale = THUMBNAIL_EDGE / width.max(height);
    let edge = |length: f64| ((length * scale).round() as usize).max(1);
    let (across, down) = (edge(width), edge(height));
    let mut small = Vec::with_capacity(across * down);
    for y in 0..down {
        for x in 0..across {
            let (row, column) = (
                (2 * y + 1) * rows / (2 * down),
                (2 * x + 1) * columns / (2 * across),
            );
            small.push(*pixels.get(row * columns + column)?);
        }
    }
    address(&small, [down, across], png::ColorType::Grayscale)
}

fn words(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use dinomed3d_volume::dicom::segmentation::{self, Provenance, Segment};
    use dinomed3d_volume::{Affine, Label, LabelMap, Volume};
    use std::io::Cursor;

    use super::*;
    use crate::archive::Archive;

    /// 4 × 3 × 2 voxels that count from 0.
    fn nifti() -> Vec<u8> {
        let volume = Volume {
            voxels: (0..24).map(|value| value as f32).collect(),
            shape: [2, 3, 4],
            affine: Affine::from_spacing_mm([1.0, 2.0, 3.0]),
        };
        let scan = Scan::of_volume(Format::Nifti1, &volume, Vec::new());
        scan.encode().expect("there is memory")
    }

    /// The same voxels as two volumes of one slice.
    fn in_time() -> Vec<u8> {
        let mut bytes = nifti();
        for (at, edge) in [(40, 4i16), (46, 1), (48, 2)] {
            bytes[at..at + 2].copy_from_slice(&edge.to_le_bytes());
        }
        bytes
    }

    fn pair() -> [Vec<u8>; 2] {
        let mut header = nifti();
        let voxels = header.split_off(352);
        header.truncate(348);
        header[344..348].copy_from_slice(b"ni1\0");
        header[108..112].copy_from_slice(&0f32.to_le_bytes());
        [header, voxels]
    }

    fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut archive = Archive::new(10).expect("there is memory");
        for (name, bytes) in files {
            archive.add(name, bytes).expect("a new name");
        }
        archive.finish().expect("whole")
    }

    /// The files of a folder beside the repository; none without it.
    fn dicom(folder: &str) -> Vec<(String, Vec<u8>)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/data/dicom")
            .join(folder);
        let Ok(entries) = std::fs::read_dir(&path) else {
            println!("skipped: no shared/data/dicom/{folder}");
            return Vec::new();
        };
        entries
            .map(|entry| entry.expect("listed").path())
            .map(|path| {
                (
                    path.display().to_string(),
                    std::fs::read(&path).expect("a file"),
                )
            })
            .collect()
    }

    fn zip_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
        let files = files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.clone()));
        zip(&files.collect::<Vec<_>>())
    }

    fn scan(opened: Result<Opened, String>) -> Found {
        match opened {
            Ok(Opened::Scan(found)) => *found,
            other => panic!("one scan is expected, found {other:?}"),
        }
    }

    fn offered(opened: Result<Opened, String>) -> (Vec<ScanOffer>, Option<String>) {
        match opened {
            Ok(Opened::Several { offers, reason }) => (offers, reason),
            other => panic!("a choice is expected, found {other:?}"),
        }
    }

    /// A segmentation that refers to what was opened.
    fn seg_of(found: &Found) {
        let volume = found.scan.volume().expect("it is one");
        let map = LabelMap {
            labels: vec![1; volume.voxels.len()],
            shape: volume.shape,
            affine: volume.affine,
        };
        let provenance = Provenance {
            model: "made up".to_owned(),
            model_version: "1".to_owned(),
            model_hash: "0".to_owned(),
            program_version: "1".to_owned(),
            is_changed_by_hand: false,
            unix_seconds: 0,
        };
        let origin = found.origin.as_ref().expect("it came as DICOM");
        let segments = [Segment::of(&Label::unnamed(1), None)];
        let seg = segmentation::write(&map, &segments, origin, &provenance);
        assert_eq!(seg.expect("it is on the scan's grid")[128..132], *b"DICM");
    }

    const CHOICE: fn(usize, usize) -> Option<ScanChoice> =
        |index, volume| Some(ScanChoice { index, volume });

    #[test]
    fn a_file_a_pair_and_a_zip_of_one_are_opened_at_once() {
        let expected = Scan::open(&nifti(), None).unwrap().volume().unwrap();
        let [header, voxels] = pair();
        let notes = ("read me.txt", b"notes".to_vec());
        for (bytes, is_single_file) in [
            (nifti(), true),
            (zip(&[notes.clone(), ("a/b.nii", nifti())]), false),
            (
                zip(&[("b.img", voxels.clone()), ("b.hdr", header.clone()), notes]),
                false,
            ),
        ] {
            let found = scan(open(bytes, None));
            assert_eq!(found.scan.volume().unwrap(), expected);
            assert_eq!(found.is_single_file, is_single_file);
        }
        let alone = open(zip(&[("b.hdr", header)]), None).unwrap_err();
        assert!(
            alone.contains("b.hdr: this is the header of a pair"),
            "{alone}"
        );
    }

    #[test]
    fn a_viewer_gets_voxels_of_a_type_that_it_knows() {
        let numbers = nifti();
        let plain = scan(open(numbers.clone(), None));
        assert_eq!(plain.for_viewer().unwrap(), None, "the file itself");
        let mut large = numbers[..352].to_vec();
        large[70..72].copy_from_slice(&1280i16.to_le_bytes());
        large[72..74].copy_from_slice(&64i16.to_le_bytes());
        large.extend((0..24u64).flat_map(u64::to_le_bytes));
        let large = scan(open(large, None));
        assert!(large.is_single_file);
        let drawn = large.for_viewer().unwrap().expect("a file of its own");
        assert_ne!(drawn[70..72], 1280i16.to_le_bytes());
        let [drawn, plain] = [open(drawn, None), Ok(Opened::Scan(Box::new(plain)))].map(scan);
        assert_eq!(drawn.scan.volume().unwrap(), plain.scan.volume().unwrap());
    }

    #[test]
    fn of_several_volumes_or_files_one_is_chosen() {
        let (offers, _) = offered(open(in_time(), None));
        assert_eq!((offers.len(), offers[0].num_volumes), (1, 2));
        let second = scan(open(in_time(), CHOICE(0, 1)));
        assert!(!second.is_single_file, "the viewer gets the one volume");
        assert_eq!(second.scan.volume().unwrap().voxels[0], 12.0);
        let none = open(in_time(), CHOICE(0, 2)).unwrap_err();
        assert!(none.contains("no volume 2"), "{none}");

        let both = zip(&[
            ("notes", b"no scan".to_vec()),
            ("a.nii", nifti()),
            ("b.nii", in_time()),
        ]);
        let (offers, _) = offered(open(both.clone(), None));
        let names = offers
            .iter()
            .map(|offer| (offer.index, &*offer.description));
        assert_eq!(names.collect::<Vec<_>>(), [(1, "a.nii"), (2, "b.nii")]);
        assert_eq!(scan(open(both, CHOICE(1, 0))).scan.shape(), [4, 3, 2]);
    }

    #[test]
    fn what_holds_no_scan_is_refused_with_words() {
        for (bytes, said) in [
            (b"notes".to_vec(), "no scan of a format"),
            (
                zip(&[("a", b"one".to_vec()), ("b", b"two".to_vec())]),
                "none of the 2 files is a scan",
            ),
            (
                zip(&[("a", [&[0; 128][..], b"DICM"].concat())]),
                "a can't be read as DICOM",
            ),
            (b"PK\x03\x04 and no more".to_vec(), "the zip can't be read"),
        ] {
            let problem = open(bytes, None).unwrap_err();
            assert!(problem.contains(said), "{problem} ({said})");
        }
    }

    #[test]
    fn a_series_is_opened_and_of_two_one_is_chosen() {
        let (first, second) = (
            dicom("series/generic_anatomical_001"),
            dicom("series/generic_rgb_001"),
        );
        if first.is_empty() || second.is_empty() {
            return;
        }
        let found = scan(open(zip_of(&first), None));
        assert_eq!(found.scan.format(), Format::Dicom);
        assert_eq!(found.scan.grid_shape()[0], 4);
        seg_of(&found);
        let single = scan(open(
            dicom("enhanced/enhanced_philips")
                .pop()
                .map_or_else(|| first[0].1.clone(), |(_, bytes)| bytes),
            None,
        ));
        assert_eq!(single.scan.format(), Format::Dicom);

        let both = zip_of(&[first, second].concat());
        let (offers, reason) = offered(open(both.clone(), None));
        assert_eq!((offers.len(), reason), (2, None));
        for offer in &offers {
            assert_eq!(offer.problem, None);
            let picture = offer.thumbnail.as_deref().expect("it has one");
            assert!(
                picture.starts_with("data:image/png;base64,iVBOR"),
                "{picture}"
            );
            let found = scan(open(both.clone(), CHOICE(offer.index, 0)));
            let [x, y, z] = offer.shape;
            assert_eq!(found.scan.grid_shape(), [z, y, x]);
        }
        assert!(
            open(both, CHOICE(2, 0))
                .unwrap_err()
                .contains("no series 2")
        );
    }

    #[test]
    fn a_series_that_is_no_volume_is_refused_and_several_orientations_are_a_choice_with_its_reason()
    {
        let missing = dicom("refused/sliceincrement_001");
        let mixed = dicom("refused/sliceorientation_001");
        if missing.is_empty() || mixed.is_empty() {
            return;
        }
        let problem = open(zip_of(&missing), None).unwrap_err();
        assert!(problem.contains("slice is missing"), "{problem}");
        let (offers, reason) = offered(open(zip_of(&mixed), None));
        assert_eq!(offers.len(), 2);
        assert!(reason.unwrap().contains("lie in 2 orientations"));
    }

    #[test]
    fn a_picture_is_small_and_has_the_shape_of_its_slice() {
        assert_eq!(upright(&[1, 2, 3, 4], 2, false, true), [3, 4, 1, 2]);
        assert_eq!(upright(&[1, 2, 3, 4], 2, true, false), [2, 1, 4, 3]);
        let text = picture(&[0, 255], [1, 2], 4.0).expect("it has pixels");
        let bytes = BASE64_STANDARD
            .decode(&text["data:image/png;base64,".len()..])
            .unwrap();
        let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().unwrap();
        let mut pixels = vec![7; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (48, 96));
        assert_eq!((pixels[0], pixels[47]), (0, 255));
        assert_eq!(picture(&[], [0, 0], 1.0), None);
    }
}
