//! From labels or values to a file's bytes.

use super::datatype::Datatype;
use super::header::{FIRST_VOXEL, HEADER_BYTES, Header, INTENT_LABEL, MAGIC, UNITS_MM, field};
use super::{NiftiError, NiftiImage};
use crate::Affine;

/// NIFTI_XFORM_SCANNER_ANAT.
const SCANNER: i16 = 1;

impl NiftiImage {
    /// An uncompressed `.nii` file of labels for this scan, in its byte order and with its geometry to the byte.
    ///
    /// dim, pixdim, units, qform and sform with both codes and all else stay as they came; only what says how voxels
    /// are stored and what they mean is changed: datatype uint8, no scaling, no display range, voxels at byte 352,
    /// intent 1002 (label), the description (cut to 79 bytes). Extensions of the source are not carried over.
    ///
    /// # Shapes
    /// `labels` is `[z, y, x]`, one for each voxel of the scan.
    ///
    /// # Errors
    /// [`NiftiError::LabelCount`] for another number of labels, [`NiftiError::NotChannels`] for a file of more than four
    /// dimensions.
    pub fn encode_label_map(
        &self,
        labels: &[u8],
        description: &str,
    ) -> Result<Vec<u8>, NiftiError> {
        if self.shape.iter().skip(4).any(|&n| n != 1) {
            return Err(NiftiError::NotChannels {
                shape: self.shape.clone(),
            });
        }
        let expected = self.grid_shape().iter().product();
        if labels.len() != expected {
            return Err(NiftiError::LabelCount {
                expected,
                got: labels.len(),
            });
        }
        let mut header = self.header.clone();
        if self.shape.get(3).is_some_and(|&channels| channels != 1) {
            // One label map for all channels.
            header.put_short(field::DIM, 3);
            for axis in 4..8 {
                header.put_short(field::DIM + 2 * axis, 1);
            }
        }
        header.put_short(field::INTENT_CODE, INTENT_LABEL);
        header.put_storage(Datatype::Uint8);
        header.put_float(field::CAL_MAX, 0.0);
        header.put_float(field::CAL_MIN, 0.0);
        header.put_description(description);

        let mut file = Vec::new();
        file.try_reserve_exact(FIRST_VOXEL + labels.len())
            .map_err(|_| NiftiError::OutOfMemory {
                bytes: labels.len() as u64,
            })?;
        file.extend_from_slice(&header.bytes);
        file.extend_from_slice(&[0; FIRST_VOXEL - HEADER_BYTES]); // no extension follows
        file.extend_from_slice(labels);
        Ok(file)
    }
}

/// Values of a file that is made anew.
#[derive(Debug, Clone, Copy)]
pub enum Values<'a> {
    /// Whole numbers of 16 bits.
    Int16(&'a [i16]),
    /// Numbers of single precision.
    Float32(&'a [f32]),
}

/// An uncompressed `.nii` file made anew, little-endian, in millimetres, placed by its sform; where no axis is turned, the
/// qform says the same.
///
/// # Shapes
/// `shape` is x, y, z and maybe more, x fastest in `values`.
///
/// # Panics
/// For a shape that the format can't say, or another number of values.
pub fn encode(shape: &[usize], affine: &Affine, values: Values<'_>, description: &str) -> Vec<u8> {
    assert!((1..=7).contains(&shape.len()), "{} axes", shape.len());
    let (datatype, count) = match values {
        Values::Int16(values) => (Datatype::Int16, values.len()),
        Values::Float32(values) => (Datatype::Float32, values.len()),
    };
    assert_eq!(
        count,
        shape.iter().product::<usize>(),
        "values of shape {shape:?}"
    );
    let mut header = Header {
        bytes: [0; HEADER_BYTES],
        is_big_endian: false,
    };
    header.put(field::SIZEOF_HDR, &(HEADER_BYTES as i32).to_le_bytes());
    header.put_short(field::DIM, shape.len() as i16);
    for axis in 0..7 {
        let edge = shape.get(axis).copied().unwrap_or(1);
        let edge = i16::try_from(edge).expect("an edge of 16 bits");
        header.put_short(field::DIM + 2 * (axis + 1), edge);
    }
    header.put_storage(datatype);
    let [x, y, z] = affine.spacing_mm().map(|edge| edge as f32);
    // The first is the sign of the qform's third axis.
    let pixdim = [1.0, x, y, z, 1.0, 1.0, 1.0, 1.0];
    header.put_floats(field::PIXDIM, &pixdim);
    header.put(field::XYZT_UNITS, &[UNITS_MM]);
    header.put_description(description);
    header.put_short(field::SFORM_CODE, SCANNER);
    for (row, values) in affine.0[..3].iter().enumerate() {
        header.put_floats(field::SROW + 16 * row, &values.map(|value| value as f32));
    }
    let is_turned = (0..9).any(|at| {
        let (row, column) = (at / 3, at % 3);
        let value = affine.0[row][column];
        if row == column {
            value <= 0.0
        } else {
            value != 0.0
        }
    });
    if !is_turned {
        // The quaternion 0, 0, 0 turns nothing.
        header.put_short(field::QFORM_CODE, SCANNER);
        let offset = [0, 1, 2].map(|row| affine.0[row][3] as f32);
        header.put_floats(field::QOFFSET, &offset);
    }
    let mut file = header.bytes.to_vec();
    file.resize(FIRST_VOXEL, 0);
    match values {
        Values::Int16(values) => file.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        Values::Float32(values) => file.extend(values.iter().flat_map(|v| v.to_le_bytes())),
    }
    file
}

impl Header {
    /// Unscaled voxels of a type, from the first byte where they may start.
    fn put_storage(&mut self, datatype: Datatype) {
        self.put_short(field::DATATYPE, datatype.code());
        self.put_short(field::BITPIX, 8 * datatype.bytes() as i16);
        self.put_float(field::VOX_OFFSET, FIRST_VOXEL as f32);
        self.put_float(field::SCL_SLOPE, 1.0);
        self.put_float(field::SCL_INTER, 0.0);
        self.put(field::MAGIC, MAGIC);
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::file;
    use super::*;

    #[test]
    fn an_encoded_label_map_differs_from_its_source_only_where_it_must() {
        for big_endian in [false, true] {
            let source = file(big_endian);
            let labels: Vec<u8> = (0..12).map(|i| i % 3).collect();
            let image = NiftiImage::parse(&source).unwrap();
            let written = image.encode_label_map(&labels, &"é".repeat(60)).unwrap();
            let back = NiftiImage::parse(&written).unwrap();
            assert_eq!(back.label_map().unwrap().labels, labels);
            assert_eq!(back.affine(), image.affine());
            let description = field::DESCRIP..field::DESCRIP + field::DESCRIP_BYTES;
            for (at, (a, b)) in source[..HEADER_BYTES].iter().zip(&written).enumerate() {
                let may_change = (field::INTENT_CODE..field::PIXDIM).contains(&at)
                    || (field::VOX_OFFSET..field::SCL_INTER + 4).contains(&at)
                    || (field::CAL_MAX..field::CAL_MIN + 4).contains(&at)
                    || description.contains(&at);
                assert!(a == b || may_change, "byte {at}: {a} {b}");
            }
            // 39 letters of two bytes fit before the closing zero.
            assert_eq!(
                &written[description],
                ["é".repeat(39).as_bytes(), &[0, 0]].concat()
            );
            assert!(matches!(
                image.encode_label_map(&labels[1..], ""),
                Err(NiftiError::LabelCount {
                    expected: 12,
                    got: 11
                })
            ));
        }
    }

    #[test]
    fn a_file_made_anew_is_read_as_it_was_meant() {
        let oblique = Affine([
            [-0.5, 0.25, 0.0, 7.0],
            [0.25, 1.5, 0.0, -8.0],
            [0.0, 0.0, -3.0, 9.5],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let values: Vec<f32> = (0..24).map(|i| i as f32 / 8.0).collect();
        let bytes = encode(&[2, 3, 4], &oblique, Values::Float32(&values), "é");
        let image = NiftiImage::parse(&bytes).unwrap();
        let volume = image.volume().unwrap();
        assert_eq!((volume.shape, volume.affine), ([4, 3, 2], oblique));
        assert_eq!(volume.voxels, values);
        assert_eq!(image.form_codes(), (0, 1));
        assert_eq!(image.datatype_name(), "float32");

        let mut straight = Affine::from_spacing_mm([0.5, 1.5, 3.0]);
        straight.0[1][3] = -8.0;
        let bytes = encode(
            &[3, 1, 1, 2],
            &straight,
            Values::Int16(&[1, -2, 3, 4, 5, 6]),
            "",
        );
        let mut image = NiftiImage::parse(&bytes).unwrap();
        assert_eq!(image.form_codes(), (1, 1));
        assert_eq!(image.affine(), straight);
        assert_eq!(image.volumes().unwrap()[1].voxels, [4.0, 5.0, 6.0]);
        image.header.put_short(field::SFORM_CODE, 0);
        assert_eq!(image.affine(), straight, "the qform says the same");
    }
}
