//! Files of any kind as the series among them, and a series as its volumes.

use std::collections::{BTreeMap, HashSet};

use super::dataset;
use super::error::{DicomError, some};
use super::header::{self, Header, Kind, Slice};
use super::pixels::{FrameReader, supported};
use super::segmentation::Origin;
use super::source::Source;
use super::stack::{Stack, is_alike, same_directions};
use super::tilt::{StraightGrid, straightened};
use crate::{Affine, Outline, Volume};

/// A set of files, such as a folder's or a zip's, of which only the headers have been read.
pub struct DicomFolder {
    sources: Vec<Box<dyn Source>>,
    headers: Vec<Option<Header>>,
    series: Vec<Series>,
    passed_over: usize,
    others: BTreeMap<&'static str, usize>,
    unreadable: Vec<DicomError>,
}

/// Slices of one SeriesInstanceUID, orientation, size and spacing.
pub struct Series {
    /// As its scanner calls it; may be empty.
    pub description: String,
    /// Such as `MR` or `CT`.
    pub modality: String,
    /// As its scanner counts.
    pub number: Option<i64>,
    /// Names the series without its UID, which often holds a date: equal files give an equal one.
    pub identity: String,
    uid: String,
    slices: Vec<Slice>,
    copies: usize,
    stack: Result<Stack, DicomError>,
}

/// A picture of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Thumbnail {
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Row by row, from black to white.
    pub pixels: Vec<u8>,
    /// Height of a pixel over its width.
    pub aspect: f64,
}

/// A volume of a series, with what a person has to know of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DicomScan {
    /// Its voxels and where they lie.
    pub volume: Volume,
    /// The datatype of the stored pixels in numpy's words, such as `int16`.
    pub datatype_name: &'static str,
    /// Sentences for a person, such as that the slices were moved.
    pub warnings: Vec<String>,
}

impl DicomFolder {
    /// Reads the headers of all files; what is not DICOM, or no image, is counted.
    pub fn read(sources: Vec<Box<dyn Source>>) -> Self {
        let mut folder = Self {
            headers: Vec::with_capacity(sources.len()),
            sources: Vec::new(),
            series: Vec::new(),
            passed_over: 0,
            others: BTreeMap::new(),
            unreadable: Vec::new(),
        };
        let mut instances = HashSet::new();
        for (file, source) in sources.iter().enumerate() {
            let header = folder.read_header(&**source, file);
            if let Some(header) = &header {
                // Folders often hold a file twice.
                let is_copy = header
                    .instance_uid
                    .as_ref()
                    .is_some_and(|uid| !instances.insert(uid.clone()));
                folder.add(header, is_copy);
            }
            folder.headers.push(header);
        }
        folder.sources = sources;
        for series in &mut folder.series {
            series.stack = Stack::new(&series.slices, &series.modality);
        }
        let first = |s: &Series| s.slices.iter().map(|slice| slice.instance).min();
        let order = |s: &Series| (s.number, s.uid.clone(), first(s));
        folder.series.sort_by_key(order);
        folder.name_series();
        folder
    }

    /// The series, in the order of their numbers.
    pub fn series(&self) -> &[Series] {
        &self.series
    }

    /// Files that are not DICOM.
    pub fn passed_over(&self) -> usize {
        self.passed_over
    }

    /// DICOM files that are no images, counted by what they are.
    pub fn others(&self) -> &BTreeMap<&'static str, usize> {
        &self.others
    }

    /// Files that begin as DICOM, or are named so, but can't be read.
    pub fn unreadable(&self) -> &[DicomError] {
        &self.unreadable
    }

    /// The number of the wanted series, or of the only one.
    ///
    /// # Errors
    /// Where there is none, with what there is instead, or where there are several and none is wanted.
    pub fn choose(&self, wanted: Option<usize>) -> Result<usize, DicomError> {
        if let Some(wanted) = wanted {
            if wanted < self.series.len() {
                return Ok(wanted);
            }
            return Err(DicomError::NoSuchSeries {
                wanted,
                count: self.series.len(),
            });
        }
        match &self.series[..] {
            [] if !self.others.is_empty() => Err(DicomError::NoPixels {
                found: counted(&self.others),
            }),
            [] => Err(self
                .unreadable
                .first()
                .cloned()
                .unwrap_or(DicomError::NotDicom {
                    files: self.passed_over,
                })),
            [_] => Ok(0),
            [first, rest @ ..] if rest.iter().all(|series| series.uid == first.uid) => {
                let counts = |of: &[Series]| of.iter().map(|s| s.slices.len()).collect::<Vec<_>>();
                let is_one_orientation = rest
                    .iter()
                    .all(|s| same_directions(s.slices[0].place, first.slices[0].place));
                Err(if is_one_orientation {
                    DicomError::MixedSpacing {
                        counts: counts(&self.series),
                    }
                } else {
                    DicomError::MixedOrientations {
                        counts: counts(&self.series),
                    }
                })
            }
            _ => Err(DicomError::SeveralSeries {
                list: self
                    .series
                    .iter()
                    .enumerate()
                    .map(|(i, series)| format!("{i} {}", series.in_words()))
                    .collect(),
            }),
        }
    }

    /// Reads one volume of a series, both counted from 0.
    ///
    /// # Shapes
    /// The volume is `[slice, row, column]`, slices along their normal.
    ///
    /// # Errors
    /// Where the series makes no volume, or its pixels can't be decoded.
    pub fn scan(&self, series: usize, volume: usize) -> Result<DicomScan, DicomError> {
        let (series, stack, chosen) = self.volume(series, volume)?;
        for &i in chosen {
            let (source, header) = self.file(series.slices[i].file);
            supported(&header.format, source.name())?;
        }
        let [rows, columns] = series.slices[0].shape;
        let shape = [chosen.len(), rows, columns];
        let mut voxels = Vec::new();
        let count = shape
            .into_iter()
            .try_fold(1, usize::checked_mul)
            .filter(|&count| voxels.try_reserve_exact(count).is_ok());
        if count.is_none() {
            return Err(DicomError::OutOfMemory {
                bytes: shape.iter().map(|&edge| edge as u64).product::<u64>() * 4,
            });
        }
        let mut reader = FrameReader::new();
        for &i in chosen {
            let slice = &series.slices[i];
            let (source, header) = self.file(slice.file);
            reader.read(source, &header.format, slice, &mut voxels)?;
        }
        let mut volume = Volume {
            voxels,
            shape,
            affine: stack.affine,
        };
        let header = self.file(series.slices[chosen[0]].file).1;
        let mut warnings = self.warnings(series, header);
        if let Some(tilt) = &stack.tilt {
            volume = straightened(&volume, tilt);
            warnings.push(format!(
                "the slices lean by {:.1}° (gantry tilt): they were moved onto a grid with right angles, {shape:?} became {:?}",
                tilt.degrees, volume.shape
            ));
        }
        Ok(DicomScan {
            volume,
            datatype_name: header.format.datatype_name(),
            warnings,
        })
    }

    /// How large a volume of a series is and where it lies, by its headers alone; stored it is once it was read, as
    /// [`Scan::of_volume`](crate::Scan::of_volume) stores it.
    ///
    /// # Errors
    /// Where the series makes no volume.
    pub fn outline(&self, series: usize, volume: usize) -> Result<Outline, DicomError> {
        let (series, stack, chosen) = self.volume(series, volume)?;
        let (shape, affine) = grid(series, stack, chosen);
        // Whole numbers of 16 bits, unless they are scaled to others.
        let is_whole = |slice: &Slice| slice.rescale.iter().all(|number| number.fract() == 0.0);
        let is_short = chosen.iter().all(|&i| {
            let slice = &series.slices[i];
            is_whole(slice) && self.file(slice.file).1.format.bits_stored <= 16
        });
        let voxels = shape.iter().map(|&edge| edge as u64).product::<u64>();
        Ok(Outline {
            shape,
            affine,
            num_volumes: 1,
            stored_bytes: voxels
                * if is_short && stack.tilt.is_none() {
                    2
                } else {
                    4
                },
        })
    }

    /// The middle slice of a series' first volume, from its darkest hundredth to its brightest.
    ///
    /// # Errors
    /// Where its pixels can't be decoded.
    pub fn thumbnail(&self, series: usize) -> Result<Thumbnail, DicomError> {
        let series = self.at(series)?;
        let middle = match &series.stack {
            Ok(stack) => stack.volumes[0][stack.volumes[0].len() / 2],
            Err(_) => series.slices.len() / 2,
        };
        let slice = &series.slices[middle];
        let (source, header) = self.file(slice.file);
        let mut values = Vec::new();
        FrameReader::new().read(source, &header.format, slice, &mut values)?;
        let mut sorted = values.clone();
        sorted.sort_by(f32::total_cmp);
        let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
        let (dark, bright) = (at(0.01), at(0.99));
        let scale = 255.0 / (bright - dark).max(f32::MIN_POSITIVE);
        let is_inverted = header.format.photometric == "MONOCHROME1";
        Ok(Thumbnail {
            shape: slice.shape,
            pixels: values
                .iter()
                .map(|v| {
                    let grey = ((v - dark) * scale).clamp(0.0, 255.0).round() as u8;
                    if is_inverted { 255 - grey } else { grey }
                })
                .collect(),
            aspect: slice.pixel_spacing_mm.map_or(1.0, |[y, x]| y / x),
        })
    }

    /// What a segmentation of a volume says of where it came from. The header of the volume's first file is read once more.
    ///
    /// # Errors
    /// Where the series makes no volume, or that file can't be read any more.
    pub fn origin(&self, series: usize, volume: usize) -> Result<Origin, DicomError> {
        let (series, stack, chosen) = self.volume(series, volume)?;
        let first = &series.slices[chosen[0]];
        let grid = grid(series, stack, chosen);
        let slices: Vec<_> = chosen
            .iter()
            .map(|&i| {
                let slice = &series.slices[i];
                (slice, self.file(slice.file).1)
            })
            .collect();
        let (source, _) = self.file(first.file);
        let io = |e: std::io::Error| DicomError::Io {
            name: source.name().to_owned(),
            reason: e.to_string(),
        };
        let mut file = source.open().map_err(io)?;
        let unreadable = |reason: String| DicomError::Unreadable {
            name: source.name().to_owned(),
            reason,
        };
        if !dataset::is_dicom(&mut *file) {
            return Err(unreadable("it has changed".to_owned()));
        }
        let data = dataset::read(&mut *file).map_err(unreadable)?;
        Ok(Origin::new(
            grid,
            &slices,
            stack.tilt.is_some(),
            &data.elements,
        ))
    }

    fn volume(
        &self,
        series: usize,
        volume: usize,
    ) -> Result<(&Series, &Stack, &[usize]), DicomError> {
        let series = self.at(series)?;
        let stack = series.stack()?;
        let chosen = stack.volumes.get(volume).ok_or(DicomError::NoSuchVolume {
            wanted: volume,
            count: stack.volumes.len(),
        })?;
        Ok((series, stack, chosen))
    }

    fn at(&self, series: usize) -> Result<&Series, DicomError> {
        self.series.get(series).ok_or(DicomError::NoSuchSeries {
            wanted: series,
            count: self.series.len(),
        })
    }

    fn file(&self, file: usize) -> (&dyn Source, &Header) {
        let header = self.headers[file].as_ref();
        (
            &*self.sources[file],
            header.expect("slices come from files with a header"),
        )
    }

    fn read_header(&mut self, source: &dyn Source, file: usize) -> Option<Header> {
        let name = source.name();
        let mut bytes = match source.open() {
            Ok(bytes) => bytes,
            Err(error) => {
                self.unreadable.push(DicomError::Io {
                    name: name.to_owned(),
                    reason: error.to_string(),
                });
                return None;
            }
        };
        if !dataset::is_dicom(&mut *bytes) {
            if is_named_as_image(name) {
                self.unreadable.push(DicomError::Unreadable {
                    name: name.to_owned(),
                    reason: "it does not begin as DICOM files do".to_owned(),
                });
            } else {
                self.passed_over += 1;
            }
            return None;
        }
        match dataset::read(&mut *bytes).and_then(|data| header::read(data, file)) {
            Ok(Kind::Image(header)) => return Some(*header),
            Ok(Kind::Other(what)) => *self.others.entry(what).or_default() += 1,
            Ok(Kind::Directory) => self.passed_over += 1,
            Err(reason) => self.unreadable.push(DicomError::Unreadable {
                name: name.to_owned(),
                reason,
            }),
        }
        None
    }

    fn add(&mut self, header: &Header, is_copy: bool) {
        for slice in &header.slices {
            let known = self
                .series
                .iter_mut()
                .find(|s| s.uid == header.series_uid && is_alike(&s.slices[0], slice));
            match known {
                Some(series) if is_copy => series.copies += 1,
                Some(series) => series.slices.push(slice.clone()),
                None => {
                    let slices = vec![slice.clone()];
                    self.series.push(Series {
                        description: header.description.clone(),
                        modality: header.modality.clone(),
                        number: header.series_number,
                        identity: String::new(),
                        uid: header.series_uid.clone(),
                        stack: Stack::new(&slices, &header.modality),
                        slices,
                        copies: 0,
                    });
                }
            }
        }
    }

    /// Each series by its UID and its place among those of one UID.
    fn name_series(&mut self) {
        let mut before: BTreeMap<String, usize> = BTreeMap::new();
        for series in &mut self.series {
            let count = before.entry(series.uid.clone()).or_default();
            series.identity = format!(
                "{:016x}",
                fnv1a(format!("{}/{count}", series.uid).as_bytes())
            );
            *count += 1;
        }
    }

    fn warnings(&self, series: &Series, header: &Header) -> Vec<String> {
        let mut warnings: Vec<String> = header.warning.map(str::to_owned).into_iter().collect();
        if header.format.samples > 1 {
            warnings.push("the images are in colour: their luminance is taken".to_owned());
        }
        if header.format.photometric == "MONOCHROME1" {
            warnings.push(
                "in these images large values are dark: values are left as they are".to_owned(),
            );
        }
        if series.copies > 0 {
            warnings.push(format!(
                "{} there twice (files with the same SOPInstanceUID): one of each is taken",
                some(series.copies, "slice is", "slices are")
            ));
        }
        if let Some(first) = self.unreadable.first() {
            let count = self.unreadable.len();
            let files = some(count, "DICOM file", "DICOM files");
            warnings.push(format!("{files} could not be read: {first}"));
        }
        warnings
    }
}

impl Series {
    /// Slices, rows and columns of a volume; all slices where they make none.
    pub fn shape(&self) -> [usize; 3] {
        let [rows, columns] = self.slices[0].shape;
        let slices = match &self.stack {
            Ok(stack) => stack.volumes[0].len(),
            Err(_) => self.slices.len(),
        };
        [slices, rows, columns]
    }

    /// Edges of a voxel in mm, x, y, z.
    ///
    /// # Errors
    /// Why the series makes no volume.
    pub fn spacing_mm(&self) -> Result<[f64; 3], DicomError> {
        self.stack().map(|stack| stack.affine.spacing_mm())
    }

    /// How many volumes lie at one place: times, echoes.
    ///
    /// # Errors
    /// Why the series makes no volume.
    pub fn num_volumes(&self) -> Result<usize, DicomError> {
        self.stack().map(|stack| stack.volumes.len())
    }

    /// For a list: number, description, modality, size, or why it can't be opened.
    pub fn in_words(&self) -> String {
        let number = self.number.map_or(String::new(), |n| format!("({n}) "));
        let [z, y, x] = self.shape();
        let size = match self.stack() {
            Ok(stack) => {
                let [dx, dy, dz] = stack.affine.spacing_mm();
                let volumes = match stack.volumes.len() {
                    1 => String::new(),
                    n => format!(", {n} volumes"),
                };
                format!("{x}×{y}×{z} of {dx:.2}×{dy:.2}×{dz:.2} mm{volumes}")
            }
            Err(error) => error.to_string(),
        };
        let description = &self.description;
        format!("{number}{description} {}, {size}", self.modality)
    }

    fn stack(&self) -> Result<&Stack, DicomError> {
        self.stack.as_ref().map_err(DicomError::clone)
    }
}

/// Whether a file says by its name that it is an image of a series: an empty one of that name is a slice that is lost. What an operating
/// system hides beside each file says nothing.
fn is_named_as_image(name: &str) -> bool {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let is_it = |known: &str| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known));
    !name.starts_with('.') && ["dcm", "ima"].into_iter().any(is_it)
}

/// Shape and affine of the volume that the chosen slices become.
fn grid(series: &Series, stack: &Stack, chosen: &[usize]) -> ([usize; 3], Affine) {
    let [rows, columns] = series.slices[chosen[0]].shape;
    let shape = [chosen.len(), rows, columns];
    stack.tilt.as_ref().map_or((shape, stack.affine), |tilt| {
        let straight = StraightGrid::new(shape, &stack.affine, tilt);
        (straight.shape, straight.affine)
    })
}

fn counted(kinds: &BTreeMap<&'static str, usize>) -> String {
    kinds
        .iter()
        .map(|(kind, count)| some(*count, kind, &format!("{kind}s")))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A number that is the same everywhere and in every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::{tags, uids};
    use dicom_object::InMemDicomObject;

    use super::super::InMemory;
    use super::super::fixture::{
        encoded, encoded_as, folder, folder_of, image, put, put_number, put_pixels, put_position,
    };
    use super::*;
    use crate::{Format, Scan};

    /// What its headers say before holds of it.
    fn only_scan(images: &[InMemDicomObject]) -> Result<DicomScan, DicomError> {
        let folder = folder_of(images);
        let series = folder.choose(None)?;
        let outline = folder.outline(series, 0);
        let found = folder.scan(series, 0)?;
        let scan = Scan::of_volume(Format::Dicom, &found.volume, Vec::new());
        assert_eq!(outline, Ok(scan.outline()));
        Ok(found)
    }

    /// By hand: left and posterior change sign, slices go up by 3 mm from the lowest, whatever their order and numbers.
    #[test]
    fn slices_are_sorted_by_place_and_axes_turned() {
        let scan = only_scan(&[image(1, 6.0), image(3, 0.0), image(2, 3.0)]).unwrap();
        let volume = &scan.volume;
        assert_eq!(volume.shape, [3, 2, 3]);
        assert_eq!(
            volume.voxels[..7],
            [30.0, 31.0, 32.0, 33.0, 34.0, 35.0, 20.0]
        );
        assert_eq!(
            volume.affine.0[..3],
            [
                [-1.0, 0.0, 0.0, -10.0],
                [0.0, -2.0, 0.0, -20.0],
                [0.0, 0.0, 3.0, 0.0]
            ]
        );
        assert_eq!((scan.datatype_name, scan.warnings.len()), ("uint16", 0));
    }

    #[test]
    fn a_series_says_what_it_is_without_a_date() {
        let folder = folder_of(&[image(1, 6.0), image(3, 0.0), image(2, 3.0)]);
        let [series] = folder.series() else {
            panic!("{} series", folder.series().len())
        };
        assert_eq!(series.in_words(), "made up CT, 3×2×3 of 1.00×2.00×3.00 mm");
        assert_eq!(series.identity.len(), 16);
        assert!(!series.identity.contains("2001"));
        let picture = folder.thumbnail(0).unwrap();
        assert_eq!((picture.shape, picture.aspect), ([2, 3], 2.0));
        assert_eq!((picture.pixels[0], picture.pixels[5]), (0, 255));
    }

    #[test]
    fn slices_that_were_cut_off_are_said() {
        let whole = [image(1, 0.0), image(2, 3.0), image(3, 6.0)];
        let last = encoded(&whole[2]);
        // Before it says what it is, before rows and columns, before `DICM`, and nothing at all.
        let rows = last.windows(4).position(|tag| *tag == [0x28, 0, 0x10, 0]);
        let cuts = [last.len() / 2, rows.unwrap(), 60, 0];
        for (cut, name) in cuts.into_iter().zip(["3", "3", "series/3.dcm", "3.IMA"]) {
            let files = whole[..2].iter().map(encoded);
            let files = files.chain([last[..cut].to_vec()]);
            let sources = files.zip(["1", "2", name]).map(|(bytes, name)| {
                let name = name.to_owned();
                Box::new(InMemory { name, bytes }) as Box<dyn Source>
            });
            let scan = DicomFolder::read(sources.collect()).scan(0, 0).unwrap();
            let said = format!("1 DICOM file could not be read: {name} ");
            assert!(
                scan.warnings
                    .iter()
                    .any(|warning| warning.starts_with(&said)),
                "{cut}: {:?}",
                scan.warnings
            );
        }
        let hidden = InMemory {
            name: "series/._3.dcm".to_owned(),
            bytes: vec![0; 60],
        };
        let folder = DicomFolder::read(vec![Box::new(hidden)]);
        assert_eq!((folder.passed_over(), folder.unreadable().len()), (1, 0));
    }

    #[test]
    fn copies_of_a_file_are_one_and_said() {
        let scan = only_scan(&[image(1, 0.0), image(2, 3.0), image(2, 3.0)]).unwrap();
        assert_eq!(scan.volume.shape, [2, 2, 3]);
        assert!(scan.warnings[0].starts_with("1 slice is there twice"));
    }

    #[test]
    fn holes_and_uneven_distances_are_refused_with_numbers() {
        let at = |places: &[f64]| {
            let images: Vec<_> = (1..).zip(places).map(|(i, &z)| image(i, z)).collect();
            only_scan(&images).map(|scan| scan.volume.shape)
        };
        assert_eq!(
            at(&[0.0, 3.0, 9.0, 12.0]),
            Err(DicomError::MissingSlices {
                found: 4,
                expected: 5,
                gap_mm: 3.0,
                after: 2
            })
        );
        assert_eq!(
            at(&[0.0, 3.0, 7.0]),
            Err(DicomError::UnevenSlices {
                slices: 3,
                gaps_mm: [3.0, 4.0]
            })
        );
        assert!(at(&[0.0, 0.02, 0.05]).is_err());
        // As positions are rounded in files.
        assert_eq!(at(&[0.0, 3.004, 5.999]), Ok([3, 2, 3]));
    }

    #[test]
    fn slices_off_the_line_are_refused() {
        let mut images = [image(1, 0.0), image(2, 3.0), image(3, 6.0)];
        put_position(&mut images[1], [10.0, 23.0, 3.0]);
        let error = only_scan(&images).unwrap_err();
        assert_eq!(error, DicomError::Shifted { off_mm: 3.0 });
    }

    #[test]
    fn each_slice_has_its_own_rescale() {
        let mut images = [image(1, 0.0), image(2, 3.0)];
        for (image, slope, intercept) in [(0, "0.5", "-1"), (1, "2", "100")] {
            put(&mut images[image], tags::RESCALE_SLOPE, VR::DS, slope);
            put(
                &mut images[image],
                tags::RESCALE_INTERCEPT,
                VR::DS,
                intercept,
            );
        }
        let voxels = only_scan(&images).unwrap().volume.voxels;
        assert_eq!((voxels[0], voxels[1], voxels[6]), (4.0, 4.5, 140.0));
        put(&mut images[1], tags::RESCALE_SLOPE, VR::DS, "0");
        assert_eq!(only_scan(&images).unwrap().volume.voxels[6], 120.0);
    }

    #[test]
    fn echoes_are_volumes_and_places_must_hold_as_many() {
        let echo = |number, z, ms| {
            let mut image = image(number, z);
            put(&mut image, tags::ECHO_TIME, VR::DS, ms);
            image
        };
        // The instances of the later echo come first.
        let mut images = vec![
            echo(1, 0.0, "90"),
            echo(2, 3.0, "90"),
            echo(3, 0.0, "8.5"),
            echo(4, 3.0, "8.5"),
        ];
        let folder = folder_of(&images);
        assert_eq!(folder.series()[0].num_volumes(), Ok(2));
        let first = |volume| folder.scan(0, volume).unwrap().volume.voxels[0];
        assert_eq!((first(0), first(1)), (30.0, 10.0));
        images.pop();
        assert_eq!(
            only_scan(&images),
            Err(DicomError::UnequalPlaces { least: 1, most: 2 })
        );
    }

    #[test]
    fn series_have_to_be_chosen() {
        let mut thick = image(3, 3.0);
        put(&mut thick, tags::SLICE_THICKNESS, VR::DS, "7");
        let mut other = image(4, 9.0);
        put(&mut other, tags::SERIES_INSTANCE_UID, VR::UI, "1.2.5");
        let mut images = vec![image(1, 0.0), image(2, 3.0), thick];
        assert_eq!(
            only_scan(&images),
            Err(DicomError::MixedSpacing { counts: vec![2, 1] })
        );
        images.push(other);
        let error = only_scan(&images).unwrap_err();
        assert!(error.to_string().starts_with("3 series, "), "{error}");
        let folder = folder_of(&images);
        images.reverse();
        let reversed = folder_of(&images);
        let names = |folder: &DicomFolder| {
            let of = |s: &Series| (s.identity.clone(), s.in_words());
            folder.series().iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(names(&folder), names(&reversed));
        assert_eq!(folder.choose(Some(2)), Ok(2));
        assert!(folder.choose(Some(3)).is_err());
    }

    #[test]
    fn the_same_in_every_way_to_write_a_data_set() {
        let images = [image(1, 0.0), image(2, 3.0)];
        let expected = only_scan(&images).unwrap();
        let deflated = |image: &InMemDicomObject| {
            let plain = encoded(image);
            // The meta information is longer by the UID and the byte that makes it even.
            let data_set = plain.len() - data_set_bytes(image);
            let mut file = plain[..data_set].to_vec();
            let at = file
                .windows(19)
                .position(|w| w == uids::EXPLICIT_VR_LITTLE_ENDIAN.as_bytes())
                .unwrap();
            file.splice(at..at + 20, *b"1.2.840.10008.1.2.1.99");
            file[at - 2] = 22;
            let mut encoder = flate2::write::DeflateEncoder::new(file, Default::default());
            std::io::Write::write_all(&mut encoder, &plain[data_set..]).unwrap();
            encoder.finish().unwrap()
        };
        let big = "1.2.840.10008.1.2.2";
        for files in [
            images
                .each_ref()
                .map(|i| encoded_as(i, uids::IMPLICIT_VR_LITTLE_ENDIAN)),
            images.each_ref().map(|i| encoded_as(i, big)),
            images.each_ref().map(deflated),
        ] {
            let folder = folder(files.into());
            assert_eq!(folder.unreadable(), []);
            assert_eq!(folder.scan(0, 0).unwrap(), expected);
        }
    }

    fn data_set_bytes(image: &InMemDicomObject) -> usize {
        let syntax = dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN.erased();
        let mut bytes = Vec::new();
        image.write_dataset_with_ts(&mut bytes, &syntax).unwrap();
        bytes.len()
    }

    #[test]
    fn pixels_of_other_kinds_are_refused_in_words() {
        let mut palette = image(1, 0.0);
        put(
            &mut palette,
            tags::PHOTOMETRIC_INTERPRETATION,
            VR::CS,
            "PALETTE COLOR",
        );
        put(&mut palette, tags::SLICE_THICKNESS, VR::DS, "1");
        let error = only_scan(&[palette]).unwrap_err();
        assert!(
            error.to_string().contains("PALETTE COLOR with 1 samples"),
            "{error}"
        );

        let mut short = image(1, 0.0);
        put(&mut short, tags::SLICE_THICKNESS, VR::DS, "1");
        put_pixels(&mut short, vec![0; 5]);
        let error = only_scan(&[short.clone()]).unwrap_err();
        assert!(
            error.to_string().contains("10 bytes, 12 a frame"),
            "{error}"
        );

        short.remove_element(tags::PIXEL_DATA);
        let error = only_scan(&[short.clone()]).unwrap_err();
        assert!(error.to_string().contains("there are no pixels"), "{error}");

        short.remove_element(tags::IMAGE_POSITION_PATIENT);
        let error = only_scan(&[short]).unwrap_err();
        assert!(
            matches!(error, DicomError::NoPlace { slices: 1, .. }),
            "{error}"
        );
    }

    /// No damage crashes or takes long; the file says 4 GB of one element and 60000² pixels.
    #[test]
    fn damaged_files_are_refused() {
        let mut large = image(1, 0.0);
        put(&mut large, tags::SLICE_THICKNESS, VR::DS, "1");
        put_number(&mut large, tags::ROWS, 60_000);
        put_number(&mut large, tags::COLUMNS, 60_000);
        assert!(only_scan(&[large]).is_err());

        let mut whole = image(1, 0.0);
        put(&mut whole, tags::SLICE_THICKNESS, VR::DS, "1");
        let icon = InMemDicomObject::from_element_iter([DataElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PrimitiveValue::from(vec![1u8; 4]),
        )]);
        let icons = dicom_core::value::DataSetSequence::from(vec![icon]);
        whole.put(DataElement::new(tags::ICON_IMAGE_SEQUENCE, VR::SQ, icons));
        let bytes = encoded(&whole);
        assert!(folder(vec![bytes.clone()]).scan(0, 0).is_ok());
        let mut random = crate::random::SplitMix64::new(16);
        let mut refused = 0;
        for round in 0..4000 {
            let mut bytes = bytes.clone();
            for _ in 0..1 + round % 3 {
                let at = 132 + (random.next_u64() % (bytes.len() as u64 - 132)) as usize;
                bytes[at] = random.next_u64() as u8;
            }
            if round % 4 == 0 {
                bytes.truncate((random.next_u64() % bytes.len() as u64) as usize);
            }
            let folder = folder(vec![bytes]);
            let scan = folder.choose(None).and_then(|i| folder.scan(i, 0));
            refused += usize::from(scan.is_err());
            if !folder.series().is_empty() {
                let _ = folder.thumbnail(0);
            }
        }
        assert!(refused > 1000, "{refused}");
    }
}
