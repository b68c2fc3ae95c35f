//! Files of any kind as the series among them, and a series as its volumes.

use std::collections::{BTreeMap, HashSet};

use super::dataset;
use super::error::DicomError;
use super::header::{self, Header, Kind, Place, Slice, dot};
use super::pixels::{FrameReader, supported};
use super::source::Source;
use super::stack::Stack;
use super::tilt::straightened;
use crate::Volume;

/// Directions and distances that differ by less are those of one series.
const SAME_DIRECTION: f64 = 1e-4;
const SAME_SPACING_MM: f64 = 1e-4;
const SAME_THICKNESS_MM: f64 = 1e-2;

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
        let order = |s: &Series| (s.number, s.uid.clone(), s.slices[0].instance);
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

    /// Files that begin as DICOM but can't be read.
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
        let series = self.at(series)?;
        let stack = series.stack.as_ref().map_err(DicomError::clone)?;
        let chosen = stack.volumes.get(volume).ok_or(DicomError::NoSuchVolume {
            wanted: volume,
            count: stack.volumes.len(),
        })?;
        for &i in chosen {
            let (source, header) = self.file(series.slices[i].file);
            supported(&header.format, source.name())?;
        }
        let [rows, columns] = series.slices[0].shape;
        let shape = [chosen.len(), rows, columns];
        let count = shape.iter().product::<usize>();
        let mut voxels = Vec::new();
        voxels
            .try_reserve_exact(count)
            .map_err(|_| DicomError::OutOfMemory {
                bytes: (count * size_of::<f32>()) as u64,
            })?;
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
            self.passed_over += 1;
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
                None => self.series.push(Series {
                    description: header.description.clone(),
                    modality: header.modality.clone(),
                    number: header.series_number,
                    identity: String::new(),
                    uid: header.series_uid.clone(),
                    slices: vec![slice.clone()],
                    copies: 0,
                    stack: Err(DicomError::NotDicom { files: 0 }),
                }),
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
                "{} slices are there twice (files with the same SOPInstanceUID): one of each is taken",
                series.copies
            ));
        }
        if let Some(first) = self.unreadable.first() {
            let count = self.unreadable.len();
            warnings.push(format!("{count} DICOM files could not be read: {first}"));
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

fn is_alike(a: &Slice, b: &Slice) -> bool {
    let near = |a: Option<f64>, b: Option<f64>, tolerance: f64| match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < tolerance,
        (a, b) => a.is_none() && b.is_none(),
    };
    let edge = |slice: &Slice, i: usize| slice.pixel_spacing_mm.map(|edges| edges[i]);
    a.shape == b.shape
        && a.samples == b.samples
        && (0..2).all(|i| near(edge(a, i), edge(b, i), SAME_SPACING_MM))
        && near(a.thickness_mm, b.thickness_mm, SAME_THICKNESS_MM)
        && same_directions(a.place, b.place)
}

fn same_directions(a: Option<Place>, b: Option<Place>) -> bool {
    let (Some(a), Some(b)) = (a, b) else {
        return a.is_none() && b.is_none();
    };
    let apart = |a: [f64; 3], b: [f64; 3]| {
        let difference = [0, 1, 2].map(|i| a[i] - b[i]);
        dot(difference, difference).sqrt()
    };
    apart(a.along_row, b.along_row) < SAME_DIRECTION
        && apart(a.down_column, b.down_column) < SAME_DIRECTION
}

fn counted(kinds: &BTreeMap<&'static str, usize>) -> String {
    kinds
        .iter()
        .map(|(kind, count)| match count {
            1 => format!("1 {kind}"),
            _ => format!("{count} {kind}s"),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// A number that is the same everywhere and in every version.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
