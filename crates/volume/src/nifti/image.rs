//! What a file holds.

use super::NiftiError;
use super::datatype::Datatype;
use super::header::{HEADER_BYTES, Header};
use crate::label_map::whole;
use crate::{Affine, LabelMap, Volume};

/// A NIfTI-1 file: its 348-byte header as it came, and its voxels.
#[derive(Debug, Clone)]
pub struct NiftiImage {
    pub(super) header: Header,
    pub(super) datatype: Datatype,
    /// x, y, z, t, …
    pub(super) shape: Vec<usize>,
    /// Slope and offset, where the file has them.
    pub(super) scaling: Option<(f64, f64)>,
    /// The voxels' own bytes; unpacked when they are asked for, so that a large file is held once.
    pub(super) data: Vec<u8>,
}

impl NiftiImage {
    /// Edges in the file's order: x, y, z, t, …
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The sform if its code is positive, else the qform if its code is, else spacing alone, centred and with x
    /// towards the left (as nibabel does); in mm, whatever unit the file is in (as nibabel does not).
    pub fn affine(&self) -> Affine {
        self.header.affine_and_source().0
    }

    /// The datatype in numpy's words, such as `int16`.
    pub fn datatype_name(&self) -> &'static str {
        self.datatype.name()
    }

    /// The codes of qform and sform.
    pub fn form_codes(&self) -> (i16, i16) {
        (self.header.qform_code(), self.header.sform_code())
    }

    /// The 348 bytes of the header as they came.
    pub fn raw_header(&self) -> &[u8; HEADER_BYTES] {
        &self.header.bytes
    }

    /// All values in the file's order, x fastest, scaled by scl_slope and scl_inter.
    pub fn values(&self) -> impl ExactSizeIterator<Item = f64> + '_ {
        let (datatype, big_endian) = (self.datatype, self.header.is_big_endian);
        let (slope, inter) = self.scaling.unwrap_or((1.0, 0.0));
        let is_scaled = self.scaling.is_some();
        self.data.chunks_exact(datatype.bytes()).map(move |bytes| {
            let value = datatype.value(bytes, big_endian);
            if is_scaled {
                value * slope + inter
            } else {
                value
            }
        })
    }

    /// The one volume of this file; a file of two dimensions is one slice.
    ///
    /// # Errors
    /// [`NiftiError::NotOneVolume`] if there are several, [`NiftiError::Affine`] if voxels have no place in space.
    pub fn volume(&self) -> Result<Volume, NiftiError> {
        let (shape, affine) = self.one_volume()?;
        let mut voxels = self.reserve_voxels::<f32>()?;
        voxels.extend(self.values().map(|v| v as f32));
        Ok(Volume {
            voxels,
            shape,
            affine,
        })
    }

    /// The volumes of this file: one of three dimensions, or of four one for each place along the last axis.
    ///
    /// # Errors
    /// [`NiftiError::NotChannels`] for more dimensions, [`NiftiError::Affine`] if voxels have no place in space.
    pub fn volumes(&self) -> Result<Vec<Volume>, NiftiError> {
        if self.shape.iter().skip(4).any(|&n| n != 1) {
            return Err(NiftiError::NotChannels {
                shape: self.shape.clone(),
            });
        }
        let shape = self.grid_shape();
        let affine = self.usable_affine()?;
        let count = shape.iter().product::<usize>();
        let mut values = self.values().map(|v| v as f32);
        (0..self.shape.get(3).copied().unwrap_or(1))
            .map(|_| {
                let mut voxels = Vec::new();
                voxels
                    .try_reserve_exact(count)
                    .map_err(|_| NiftiError::OutOfMemory {
                        bytes: (count * size_of::<f32>()) as u64,
                    })?;
                voxels.extend(values.by_ref().take(count));
                Ok(Volume {
                    voxels,
                    shape,
                    affine,
                })
            })
            .collect()
    }

    /// Edges of a voxel in mm, x, y, z, where the file says how its voxels lie: lengths of the sform's columns, otherwise
    /// pixdim as it stands, unmended.
    pub fn stated_spacing_mm(&self) -> [f64; 3] {
        if self.header.sform_code() > 0 {
            self.affine().spacing_mm()
        } else {
            self.header.pixdim_mm()
        }
    }

    /// The one volume of this file as labels.
    ///
    /// # Errors
    /// As [`NiftiImage::volume`], and [`NiftiError::NotALabel`] for a value that is no whole number of 0 to 255, see
    /// [`whole`].
    pub fn label_map(&self) -> Result<LabelMap, NiftiError> {
        let (shape, affine) = self.one_volume()?;
        let mut labels = self.reserve_voxels::<u8>()?;
        for value in self.values() {
            let Some(label) = whole(value).and_then(|number| u8::try_from(number).ok()) else {
                let (index, [_, rows, columns]) = (labels.len(), shape);
                return Err(NiftiError::NotALabel {
                    voxel: [
                        index % columns,
                        index / columns % rows,
                        index / (columns * rows),
                    ],
                    value,
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

    /// Edges of each volume in the file, z, y, x.
    pub fn grid_shape(&self) -> [usize; 3] {
        let edge = |axis: usize| self.shape.get(axis).copied().unwrap_or(1);
        [edge(2), edge(1), edge(0)]
    }

    fn one_volume(&self) -> Result<([usize; 3], Affine), NiftiError> {
        if self.shape.iter().skip(3).any(|&n| n != 1) {
            return Err(NiftiError::NotOneVolume {
                shape: self.shape.clone(),
            });
        }
        Ok((self.grid_shape(), self.usable_affine()?))
    }

    fn usable_affine(&self) -> Result<Affine, NiftiError> {
        let (affine, source_field) = self.header.affine_and_source();
        if !affine.is_invertible() {
            let [x, y, z, _] = affine.0;
            return Err(NiftiError::Affine {
                source_field,
                rows: [x, y, z],
            });
        }
        Ok(affine)
    }

    fn reserve_voxels<T>(&self) -> Result<Vec<T>, NiftiError> {
        let count = self.data.len() / self.datatype.bytes();
        let mut voxels = Vec::new();
        voxels
            .try_reserve_exact(count)
            .map_err(|_| NiftiError::OutOfMemory {
                bytes: (count * size_of::<T>()) as u64,
            })?;
        Ok(voxels)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{file, set_dim};
    use super::super::header::field;
    use super::*;

    #[test]
    fn scaling_follows_nibabel() {
        let with = |slope: f32, inter: f32| {
            let mut bytes = file(false);
            bytes[field::SCL_SLOPE..][..4].copy_from_slice(&slope.to_le_bytes());
            bytes[field::SCL_INTER..][..4].copy_from_slice(&inter.to_le_bytes());
            NiftiImage::parse(&bytes).map(|image| image.values().nth(3).unwrap())
        };
        assert_eq!(with(2.0, -1.0).unwrap(), 5.0);
        assert_eq!(with(0.0, 5.0).unwrap(), 3.0);
        assert_eq!(with(f32::NAN, 5.0).unwrap(), 3.0);
        assert_eq!(with(f32::INFINITY, f32::NAN).unwrap(), 3.0);
        assert!(matches!(
            with(2.0, f32::NAN),
            Err(NiftiError::Scaling { .. })
        ));
    }

    #[test]
    fn several_volumes_are_no_volume_and_a_flat_slice_is_one() {
        let mut series = file(false);
        set_dim(&mut series, 0, 4);
        set_dim(&mut series, 3, 1);
        set_dim(&mut series, 4, 2);
        let image = NiftiImage::parse(&series).unwrap();
        assert_eq!(image.shape(), [3, 2, 1, 2]);
        assert_eq!(image.values().len(), 12);
        assert!(
            matches!(image.volume(), Err(NiftiError::NotOneVolume { shape }) if shape == [3, 2, 1, 2])
        );
        let volumes = image.volumes().unwrap();
        let firsts: Vec<f32> = volumes.iter().map(|volume| volume.voxels[0]).collect();
        assert_eq!(
            firsts,
            [
                image.values().next().unwrap() as f32,
                image.values().nth(6).unwrap() as f32
            ]
        );
        assert!(
            volumes
                .iter()
                .all(|volume| volume.shape == [1, 2, 3] && volume.voxels.len() == 6)
        );

        // Its label map has three dimensions.
        let labels = image.encode_label_map(&[1; 6], "test").unwrap();
        let labels = NiftiImage::parse(&labels).unwrap();
        assert_eq!(labels.shape(), [3, 2, 1]);
        assert_eq!(labels.label_map().unwrap().labels, [1; 6]);

        let mut slice = file(false);
        set_dim(&mut slice, 0, 2);
        let image = NiftiImage::parse(&slice).unwrap();
        assert_eq!(image.volume().unwrap().shape, [1, 2, 3]);
    }

    #[test]
    fn labels_are_whole_numbers_of_one_byte() {
        let mut bytes = file(false);
        assert_eq!(
            NiftiImage::parse(&bytes)
                .unwrap()
                .label_map()
                .unwrap()
                .labels[11],
            11
        );
        for (value, text) in [(-1i16, "-1"), (256, "256")] {
            bytes[352 + 14..352 + 16].copy_from_slice(&value.to_le_bytes());
            let error = NiftiImage::parse(&bytes).unwrap().label_map().unwrap_err();
            assert_eq!(
                error.to_string(),
                format!(
                    "voxel [1, 0, 1] (x, y, z) holds {text}: labels are whole numbers from 0 to 255"
                )
            );
        }
    }

    /// What scales and 32-bit floats make of whole numbers.
    #[test]
    fn labels_are_whole_numbers_but_for_rounding() {
        let of = |slope: f32, inter: f32, stored: i16| {
            let mut bytes = file(false);
            bytes[field::SCL_SLOPE..][..4].copy_from_slice(&slope.to_le_bytes());
            bytes[field::SCL_INTER..][..4].copy_from_slice(&inter.to_le_bytes());
            for voxel in bytes[352..].chunks_exact_mut(2) {
                voxel.copy_from_slice(&stored.to_le_bytes());
            }
            NiftiImage::parse(&bytes).unwrap().label_map()
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
        let mut bytes = file(false);
        bytes[field::SFORM_CODE..][..2].copy_from_slice(&1i16.to_le_bytes()); // with rows of zeros
        let error = NiftiImage::parse(&bytes).unwrap().volume().unwrap_err();
        assert!(
            matches!(
                error,
                NiftiError::Affine {
                    source_field: "sform",
                    ..
                }
            ),
            "{error}"
        );
    }
}
