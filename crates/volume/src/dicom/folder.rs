//! Files of any kind to the series among them.

use std::collections::{BTreeMap, HashSet};

use super::dataset;
use super::error::{DicomError, some};
use super::header::{self, Header, Kind};
use super::series::Series;
use super::source::Source;
use super::stack::{Stack, is_alike, same_directions};

/// A set of files, such as a folder's or a zip's, of which only the headers have been read.
pub struct DicomFolder {
    sources: Vec<Box<dyn Source>>,
    headers: Vec<Option<Header>>,
    series: Vec<Series>,
    passed_over: usize,
    others: BTreeMap<&'static str, usize>,
    unreadable: Vec<DicomError>,
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

    pub(super) fn at(&self, series: usize) -> Result<&Series, DicomError> {
        self.series.get(series).ok_or(DicomError::NoSuchSeries {
            wanted: series,
            count: self.series.len(),
        })
    }

    pub(super) fn file(&self, file: usize) -> (&dyn Source, &Header) {
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
}

/// Whether a file says by its name that it is an image of a series: an empty one of that name is a slice that is lost. What an operating
/// system hides beside each file says nothing.
fn is_named_as_image(name: &str) -> bool {
    let name = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let is_it = |known: &str| ending.is_some_and(|ending| ending.eq_ignore_ascii_case(known));
    !name.starts_with('.') && ["dcm", "ima"].into_iter().any(is_it)
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
    use dicom_core::VR;
    use dicom_dictionary_std::{tags, uids};
    use dicom_object::InMemDicomObject;

    use super::super::InMemory;
    use super::super::fixture::{encoded, encoded_as, folder, folder_of, image, only_scan, put};
    use super::*;

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
}
