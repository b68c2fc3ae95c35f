//! A series to a scan: its voxels, and what can be told of it before they are read.

use super::dataset;
use super::error::{DicomError, some};
use super::folder::DicomFolder;
use super::header::{Header, Slice};
use super::pixels::{FrameReader, supported};
use super::segmentation::Origin;
use super::series::Series;
use super::source::Source;
use super::stack::Stack;
use super::tilt::{StraightGrid, straightened};
use crate::{Affine, Outline, Volume};

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

/// The slices that make one volume of a series.
struct Chosen<'a> {
    series: &'a Series,
    stack: &'a Stack,
    /// Along their normal, each with its file.
    slices: Vec<(&'a Slice, &'a dyn Source, &'a Header)>,
}

impl<'a> Chosen<'a> {
    /// Both counted from 0.
    fn new(folder: &'a DicomFolder, series: usize, volume: usize) -> Result<Self, DicomError> {
        let series = folder.at(series)?;
        let stack = series.stack()?;
        let chosen = stack.volumes.get(volume).ok_or(DicomError::NoSuchVolume {
            wanted: volume,
            count: stack.volumes.len(),
        })?;
        let with_file = |&i: &usize| {
            let slice = &series.slices[i];
            let (source, header) = folder.file(slice.file);
            (slice, source, header)
        };
        Ok(Self {
            series,
            stack,
            slices: chosen.iter().map(with_file).collect(),
        })
    }

    /// Of its slices as they are in their files.
    fn shape(&self) -> [usize; 3] {
        let (first, ..) = self.slices[0];
        let [rows, columns] = first.shape;
        [self.slices.len(), rows, columns]
    }

    /// Shape and affine of the volume that they become.
    fn grid(&self) -> ([usize; 3], Affine) {
        let (shape, affine) = (self.shape(), self.stack.affine);
        self.stack.tilt.as_ref().map_or((shape, affine), |tilt| {
            let straight = StraightGrid::new(shape, &affine, tilt);
            (straight.shape, straight.affine)
        })
    }
}

impl DicomFolder {
    /// Reads one volume of a series, both counted from 0.
    ///
    /// # Shapes
    /// The volume is `[slice, row, column]`, slices along their normal.
    ///
    /// # Errors
    /// Where the series makes no volume, or its pixels can't be decoded.
    pub fn scan(&self, series: usize, volume: usize) -> Result<DicomScan, DicomError> {
        let chosen = Chosen::new(self, series, volume)?;
        for (_, source, header) in &chosen.slices {
            supported(&header.format, source.name())?;
        }
        let shape = chosen.shape();
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
        for &(slice, source, header) in &chosen.slices {
            reader.read(source, &header.format, slice, &mut voxels)?;
        }
        let mut volume = Volume {
            voxels,
            shape,
            affine: chosen.stack.affine,
        };
        let (_, _, header) = chosen.slices[0];
        let mut warnings = self.warnings(chosen.series, header);
        if let Some(tilt) = &chosen.stack.tilt {
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
        let chosen = Chosen::new(self, series, volume)?;
        let (shape, affine) = chosen.grid();
        // Whole numbers of 16 bits, unless they are scaled to others.
        let is_whole = |slice: &Slice| slice.rescale.iter().all(|number| number.fract() == 0.0);
        let is_short = chosen
            .slices
            .iter()
            .all(|(slice, _, header)| is_whole(slice) && header.format.bits_stored <= 16);
        let voxels = shape.iter().map(|&edge| edge as u64).product::<u64>();
        Ok(Outline {
            shape,
            affine,
            num_volumes: 1,
            stored_bytes: voxels
                * if is_short && chosen.stack.tilt.is_none() {
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
        let chosen = Chosen::new(self, series, volume)?;
        let (_, source, _) = chosen.slices[0];
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
        let with_header = chosen
            .slices
            .iter()
            .map(|&(slice, _, header)| (slice, header));
        Ok(Origin::new(
            chosen.grid(),
            &with_header.collect::<Vec<_>>(),
            chosen.stack.tilt.is_some(),
            &data.elements,
        ))
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
        if let Some(first) = self.unreadable().first() {
            let count = self.unreadable().len();
            let files = some(count, "DICOM file", "DICOM files");
            warnings.push(format!("{files} could not be read: {first}"));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::tags;
    use dicom_object::InMemDicomObject;

    use super::super::fixture::{
        encoded, folder, folder_of, image, only_scan, put, put_number, put_pixels, put_position,
    };
    use super::*;

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
