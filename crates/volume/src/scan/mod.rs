//! A scan as its file or files hold it, whatever format they are in: all that comes after reading asks only this.

mod datatype;
mod error;
mod file;
mod image;
mod open;
mod outline;
mod source;
mod voxels;

use std::fmt;

use crate::label_map::whole;
use crate::{Affine, Image, LabelMap, Volume, nifti};

pub use datatype::Datatype;
pub use error::ScanError;
pub use file::{FileError, companions, open_file, outline_file};
pub use image::ScanImage;
pub use outline::Outline;
pub(crate) use source::Source;
pub use voxels::Voxels;

/// What a scan came as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// A single file or a pair, header of 348 bytes.
    Nifti1,
    /// A single file or a pair, header of 540 bytes.
    Nifti2,
    /// A pair without NIfTI's magic.
    Analyze,
    /// FreeSurfer's, compressed or not.
    Mgh,
    /// A series of DICOM files.
    Dicom,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nifti1 => "NIfTI-1",
            Self::Nifti2 => "NIfTI-2",
            Self::Analyze => "ANALYZE 7.5",
            Self::Mgh => "MGH",
            Self::Dicom => "DICOM",
        })
    }
}

/// A scan as its file or files hold it: one volume or several on one grid, with its place in space.
#[derive(Debug, Clone)]
pub struct Scan {
    pub(crate) format: Format,
    /// x, y, z, t, …
    pub(crate) shape: Vec<usize>,
    pub(crate) affine: Affine,
    /// Which field of the file says the affine.
    pub(crate) affine_source: &'static str,
    pub(crate) stated_spacing_mm: [f64; 3],
    pub(crate) voxels: Voxels,
    /// What a NIfTI file of this grid says: that of the scan where it came as one, otherwise made anew.
    pub(crate) header: nifti::Header,
    pub(crate) warnings: Vec<String>,
}

impl Scan {
    /// Of a format that has no NIfTI header; files made for it get one that says `affine` with form code `code`.
    ///
    /// # Shapes
    /// `shape` is x, y, z and maybe more, 1 to 7 edges whose product is the number of voxels.
    pub(crate) fn placed(
        format: Format,
        shape: Vec<usize>,
        affine: Affine,
        code: i16,
        voxels: Voxels,
        warnings: Vec<String>,
    ) -> Self {
        Self {
            format,
            header: nifti::Header::new(&shape, &affine, code),
            stated_spacing_mm: affine.spacing_mm(),
            affine_source: "header",
            shape,
            affine,
            voxels,
            warnings,
        }
    }

    /// Of a volume that a reader made, placed by its scanner.
    pub fn of_volume(format: Format, volume: &Volume, warnings: Vec<String>) -> Self {
        let [z, y, x] = volume.shape;
        let voxels = Voxels::of_values(&volume.voxels);
        let code = nifti::SCANNER;
        Self::placed(format, vec![x, y, z], volume.affine, code, voxels, warnings)
    }

    /// What it came as.
    pub fn format(&self) -> Format {
        self.format
    }

    /// What a person should know of this file: what it leaves open, contradicts itself in, or what was dropped.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Edges in the file's order: x, y, z, t, …
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Edges of each volume, z, y, x.
    pub fn grid_shape(&self) -> [usize; 3] {
        let edge = |axis: usize| self.shape.get(axis).copied().unwrap_or(1);
        [edge(2), edge(1), edge(0)]
    }

    /// How many volumes of three dimensions it holds.
    pub fn num_volumes(&self) -> usize {
        error::volumes(&self.shape)
    }

    /// From voxel index `(x, y, z)` to world millimetres, whatever unit the file is in (where nibabel keeps the unit).
    ///
    /// Of NIfTI the sform if its code is positive, else the qform if its code is, else spacing alone, centred and with x
    /// towards the left, as nibabel does.
    pub fn affine(&self) -> Affine {
        self.affine
    }

    /// Length of its voxels as the file stores them, unpacked.
    pub fn stored_bytes(&self) -> u64 {
        (self.shape.iter().product::<usize>() * self.voxels.datatype.bytes()) as u64
    }

    /// Its size and place, without its voxels.
    pub fn outline(&self) -> Outline {
        Outline {
            shape: self.grid_shape(),
            affine: self.affine,
            num_volumes: self.num_volumes(),
            stored_bytes: self.stored_bytes(),
        }
    }

    /// How a voxel is stored.
    pub fn datatype(&self) -> Datatype {
        self.voxels.datatype
    }

    /// The datatype in numpy's words, such as `int16`.
    pub fn datatype_name(&self) -> &'static str {
        self.voxels.datatype.name()
    }

    /// The codes of qform and sform that a NIfTI file made for it has: its own where it came as one.
    pub fn form_codes(&self) -> (i16, i16) {
        (self.header.qform_code(), self.header.sform_code())
    }

    /// What its file says of itself in words, by a NIfTI header's description; empty where it has none or no text.
    pub fn description(&self) -> &str {
        self.header.description()
    }

    /// The header that a NIfTI file made for it begins with: as it came where it came as one.
    pub fn raw_header(&self) -> &[u8] {
        self.header.bytes()
    }

    /// All values in the file's order, x fastest, scaled as the file says; of colours the luminance.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        self.voxels.values(0..self.voxels.count())
    }

    /// The one volume; a file of two dimensions is one slice.
    ///
    /// # Errors
    /// [`ScanError::NotOneVolume`] if there are several, [`ScanError::Affine`] if voxels have no place in space.
    pub fn volume(&self) -> Result<Volume, ScanError> {
        self.check_one_volume()?;
        self.volume_at(0)
    }

    /// One of its volumes, counted from 0 along all axes after the third.
    ///
    /// # Errors
    /// [`ScanError::NoSuchVolume`], [`ScanError::Affine`] if voxels have no place in space.
    pub fn volume_at(&self, index: usize) -> Result<Volume, ScanError> {
        Ok(self.image_at(index)?.whole()?.into_owned())
    }

    /// The one volume of this file as it lies in memory, with [`Scan::volume`]'s errors.
    ///
    /// # Errors
    /// [`ScanError::NotOneVolume`] if there are several, [`ScanError::Affine`] if voxels have no place in space.
    pub fn image(&self) -> Result<ScanImage<'_>, ScanError> {
        self.check_one_volume()?;
        self.image_at(0)
    }

    /// One of its volumes as it lies in memory, counted from 0 along all axes after the third.
    ///
    /// # Errors
    /// [`ScanError::NoSuchVolume`], [`ScanError::Affine`] if voxels have no place in space.
    pub fn image_at(&self, index: usize) -> Result<ScanImage<'_>, ScanError> {
        let range = self.voxels_of(index)?;
        let (shape, affine) = (self.grid_shape(), self.usable_affine()?);
        Ok(ScanImage::new(&self.voxels, range.start, shape, affine))
    }

    /// The volumes of this file: one of three dimensions, or of four one for each place along the last axis.
    ///
    /// # Errors
    /// [`ScanError::NotChannels`] for more dimensions, [`ScanError::Affine`] if voxels have no place in space.
    pub fn images(&self) -> Result<Vec<ScanImage<'_>>, ScanError> {
        if self.shape.iter().skip(4).any(|&n| n != 1) {
            return Err(ScanError::NotChannels {
                shape: self.shape.clone(),
            });
        }
        (0..self.num_volumes()).map(|i| self.image_at(i)).collect()
    }

    /// [`Scan::images`] as numbers.
    ///
    /// # Errors
    /// Those of [`Scan::images`], and [`ScanError::OutOfMemory`].
    pub fn volumes(&self) -> Result<Vec<Volume>, ScanError> {
        let images = self.images()?;
        images
            .iter()
            .map(|image| Ok(image.whole()?.into_owned()))
            .collect()
    }

    /// The same scan with only one of its volumes, counted from 0 along all axes after the third.
    ///
    /// # Errors
    /// [`ScanError::NoSuchVolume`].
    pub fn select(mut self, index: usize) -> Result<Self, ScanError> {
        let range = self.voxels_of(index)?;
        if self.num_volumes() > 1 {
            self.voxels.keep(range);
            self.shape.truncate(3);
            self.header.keep_one_volume();
        }
        Ok(self)
    }

    /// Edges of a voxel in mm, x, y, z, where the file says how its voxels lie: lengths of the affine's columns, but of NIfTI
    /// without an sform pixdim as it stands, unmended.
    pub fn stated_spacing_mm(&self) -> [f64; 3] {
        self.stated_spacing_mm
    }

    /// The one volume of this file as labels.
    ///
    /// # Errors
    /// As [`Scan::volume`], and [`ScanError::NotALabel`] for a value that is no whole number of 0 to 255, see [`whole`].
    pub fn label_map(&self) -> Result<LabelMap, ScanError> {
        self.labels_by(u8::MAX.into(), |number| u8::try_from(number).ok())
    }

    /// The same with each whole number of the file as the label that `label` gives it, [`ScanError::NotALabel`] where it gives none;
    /// `most` is the largest that it knows.
    pub(crate) fn labels_by(
        &self,
        most: u32,
        label: impl Fn(i64) -> Option<u8>,
    ) -> Result<LabelMap, ScanError> {
        self.check_one_volume()?;
        let (shape, affine) = (self.grid_shape(), self.usable_affine()?);
        let mut labels = reserve::<u8>(self.voxels.count())?;
        for value in self.values() {
            let Some(label) = whole(value).and_then(&label) else {
                let (index, [_, rows, columns]) = (labels.len(), shape);
                return Err(ScanError::NotALabel {
                    voxel: [
                        index % columns,
                        index / columns % rows,
                        index / (columns * rows),
                    ],
                    value,
                    most,
                });
            };
            labels.push(label);
        }
        Ok(LabelMap {
            labels,
            shape,
            affine,
        })
    }

    fn check_one_volume(&self) -> Result<(), ScanError> {
        if self.num_volumes() == 1 {
            return Ok(());
        }
        Err(ScanError::NotOneVolume {
            shape: self.shape.clone(),
        })
    }

    fn voxels_of(&self, index: usize) -> Result<std::ops::Range<usize>, ScanError> {
        if index >= self.num_volumes() {
            return Err(ScanError::NoSuchVolume {
                index,
                shape: self.shape.clone(),
            });
        }
        let count = self.grid_shape().iter().product::<usize>();
        Ok(index * count..(index + 1) * count)
    }

    fn usable_affine(&self) -> Result<Affine, ScanError> {
        if !self.affine.is_invertible() {
            let [x, y, z, _] = self.affine.0;
            return Err(ScanError::Affine {
                source_field: self.affine_source,
                rows: [x, y, z],
            });
        }
        Ok(self.affine)
    }
}

/// Room for so many, or how much is wanted.
fn reserve<T>(count: usize) -> Result<Vec<T>, ScanError> {
    let mut room = Vec::new();
    room.try_reserve_exact(count)
        .map_err(|_| ScanError::OutOfMemory {
            bytes: (count * size_of::<T>()) as u64,
        })?;
    Ok(room)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nifti::fixture::Made;

    #[test]
    fn a_volume_of_another_reader_is_a_scan() {
        let mut affine = Affine::from_spacing_mm([0.5, 0.75, 2.0]);
        affine.0[0][3] = -33.0;
        let mut volume = Volume {
            voxels: (0..24).map(|value| value as f32 - 1024.0).collect(),
            shape: [4, 3, 2],
            affine,
        };
        for (first, datatype) in [
            (-1024.0, "int16"),
            (0.5, "float32"),
            (40_000.0, "float32"),
            (f32::NAN, "float32"),
        ] {
            volume.voxels[0] = first;
            let scan = Scan::of_volume(Format::Dicom, &volume, vec!["tilted".to_owned()]);
            assert_eq!((scan.shape(), scan.warnings().len()), (&[2, 3, 4][..], 1));
            assert_eq!(
                (scan.datatype_name(), scan.form_codes()),
                (datatype, (1, 1))
            );
            let back = Scan::open(&scan.encode().unwrap(), None).unwrap();
            for scan in [scan, back] {
                let found = scan.volume().unwrap();
                assert_eq!((found.shape, found.affine), (volume.shape, affine));
                assert_eq!(found.voxels[1..], volume.voxels[1..]);
                assert!(found.voxels[0] == first || first.is_nan());
            }
        }
    }

    #[test]
    fn scaling_follows_nibabel() {
        let with = |slope: f64, inter: f64| {
            let mut made = Made::new(1, false);
            made.set("scl_slope", &[slope]).set("scl_inter", &[inter]);
            Scan::open(&made.single(), None).map(|scan| scan.values().nth(3).unwrap())
        };
        assert_eq!(with(2.0, -1.0).unwrap(), 5.0);
        assert_eq!(with(0.0, 5.0).unwrap(), 3.0);
        assert_eq!(with(f64::NAN, 5.0).unwrap(), 3.0);
        assert_eq!(with(f64::INFINITY, f64::NAN).unwrap(), 3.0);
        assert!(matches!(
            with(2.0, f64::NAN),
            Err(ScanError::Scaling { .. })
        ));
    }

    /// By hand: 3 × 2 voxels of 0 to 11 along one, two or three further axes.
    #[test]
    fn of_several_volumes_one_is_chosen() {
        for dim in [[4, 3, 2, 1, 2, 1, 1], [5, 3, 2, 1, 1, 2, 1]] {
            let mut made = Made::new(1, false);
            made.set("dim", &dim.map(f64::from))
                .set("intent_code", &[1007.0]);
            let scan = Scan::open(&made.single(), None).unwrap();
            assert_eq!((scan.num_volumes(), scan.values().len()), (2, 12));
            let error = scan.volume().unwrap_err().to_string();
            assert!(error.ends_with("or the choice of one of 0 to 1"), "{error}");
            let second = scan.volume_at(1).unwrap();
            assert_eq!(second.voxels, [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
            assert_eq!(second.shape, [1, 2, 3]);
            let error = scan.volume_at(2).unwrap_err().to_string();
            assert!(error.starts_with("there is no volume 2"), "{error}");
            assert_eq!(scan.volumes().is_ok(), dim[0] == 4);

            // Its label map has three dimensions.
            let labels = scan.encode_label_map(&[1; 6], "test").unwrap();
            let labels = Scan::open(&labels, None).unwrap();
            assert_eq!(labels.shape(), [3, 2, 1]);
            assert_eq!(labels.label_map().unwrap().labels, [1; 6]);

            let chosen = scan.clone().select(1).unwrap();
            assert_eq!(chosen.shape(), [3, 2, 1]);
            assert_eq!(chosen.volume().unwrap(), second);
            let written = chosen.encode().unwrap();
            assert_eq!(written.len(), 352 + 12);
            assert_eq!(written[68..70], [0, 0], "a vector's part is no vector");
            assert_eq!(
                Scan::open(&written, None).unwrap().volume().unwrap(),
                second
            );
            assert!(scan.select(2).is_err());
        }
    }

    #[test]
    fn a_flat_slice_and_ones_behind_three_axes_are_one_volume() {
        let mut made = Made::new(1, false);
        made.set("dim", &[2.0]);
        let slice = Scan::open(&made.single(), None).unwrap();
        assert_eq!(slice.volume().unwrap().shape, [1, 2, 3]);
        made.set("dim", &[7.0]);
        let scan = Scan::open(&made.single(), None).unwrap();
        assert_eq!(scan.shape(), [3, 2, 2, 1, 1, 1, 1]);
        let volume = scan.volume().unwrap();
        assert_eq!(volume.shape, [2, 2, 3]);
        assert_eq!(scan.volumes().unwrap(), [volume]);
        assert_eq!(scan.select(0).unwrap().shape(), [3, 2, 2, 1, 1, 1, 1]);
    }

    #[test]
    fn labels_are_whole_numbers_of_one_byte() {
        let mut made = Made::new(1, false);
        let map = |made: &Made| Scan::open(&made.single(), None).unwrap().label_map();
        assert_eq!(map(&made).unwrap().labels[11], 11);
        for (value, text) in [(-1i16, "-1"), (256, "256")] {
            made.voxels[14..16].copy_from_slice(&value.to_le_bytes());
            assert_eq!(
                map(&made).unwrap_err().to_string(),
                format!(
                    "voxel [1, 0, 1] (x, y, z) holds {text}: labels are whole numbers from 0 to 255"
                )
            );
        }
    }

    /// What scales and 32-bit floats make of whole numbers.
    #[test]
    fn labels_are_whole_numbers_but_for_rounding() {
        let of = |slope: f64, inter: f64, stored: i16| {
            let mut made = Made::new(1, false);
            made.set("scl_slope", &[slope]).set("scl_inter", &[inter]);
            made.voxels = stored.to_le_bytes().repeat(12);
            Scan::open(&made.single(), None).unwrap().label_map()
        };
        for label in 0..=255i16 {
            let found = of(1.0 / 127.0, 0.0, 127 * label).unwrap();
            assert_eq!(found.labels, [label as u8; 12]);
        }
        assert_eq!(of(0.999_999_94, 0.0, 1).unwrap().labels, [1; 12]);
        assert_eq!(of(1.000_000_1, 0.0, 255).unwrap().labels, [255; 12]);
        assert_eq!(of(1.0, -0.000_05, 0).unwrap().labels, [0; 12]);
        for (slope, inter, stored) in [
            (0.5, 0.0, 1),
            (1.0, 0.001, 3),
            (1.0, 0.0, 256),
            (1.0, -0.2, 0),
        ] {
            let error = of(slope, inter, stored).unwrap_err().to_string();
            assert!(error.contains("[0, 0, 0] (x, y, z) holds"), "{error}");
        }
    }

    #[test]
    fn a_flat_affine_has_no_place_in_space() {
        let mut made = Made::new(1, false);
        made.set("sform_code", &[1.0]); // with rows of zeros
        let error = Scan::open(&made.single(), None).unwrap().volume();
        assert!(
            matches!(
                error,
                Err(ScanError::Affine {
                    source_field: "sform",
                    ..
                })
            ),
            "{error:?}"
        );
    }

    /// By hand: ITU-R BT.601's shares, and greys stay themselves.
    #[test]
    fn colours_are_luminance_with_a_warning() {
        for (code, opacity) in [(128.0, &[][..]), (2304.0, &[7u8][..])] {
            let mut made = Made::new(1, true);
            made.set("datatype", &[code]).set("scl_slope", &[5.0]);
            let colours = [[200, 100, 50], [255, 0, 0], [0, 255, 0], [0, 0, 255]];
            let greys = [0u8, 1, 77, 128, 254, 255, 3, 9].map(|grey| [grey; 3]);
            let all = colours.into_iter().chain(greys);
            made.voxels = all
                .flat_map(|colour| [&colour[..], opacity].concat())
                .collect();
            let scan = Scan::open(&made.single(), None).unwrap();
            let values: Vec<f64> = scan.values().collect();
            assert_eq!(values[..4], [124.2, 76.245, 149.685, 29.07]);
            assert_eq!(values[4..], [0.0, 1.0, 77.0, 128.0, 254.0, 255.0, 3.0, 9.0]);
            assert!(
                scan.warnings()[0].contains("colours"),
                "{:?}",
                scan.warnings()
            );
            let written = Scan::open(&scan.encode().unwrap(), None).unwrap();
            assert_eq!(written.datatype_name(), "float32");
            assert_eq!(written.volume().unwrap(), scan.volume().unwrap());
        }
    }
}
