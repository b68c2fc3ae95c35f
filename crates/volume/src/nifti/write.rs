//! From labels, values or a scan to a file's bytes.

use super::header::{Header, INTENT_LABEL, SCANNER, field};
use crate::{Affine, Datatype, Scan, ScanError};

impl Scan {
    /// An uncompressed `.nii` file of labels for this scan, with its geometry.
    ///
    /// Of a scan that came as NIfTI it has the header, in its version and byte order and with its geometry to the byte: dim
    /// (but for the number of volumes), pixdim, units, qform and sform with both codes and all else stay as they came; only
    /// what says how voxels are stored and what they mean is changed: datatype uint8, no scaling, no display range, voxels at
    /// the first byte where they may be, intent 1002 (label), the description (cut to 79 bytes). A pair becomes a single
    /// file. Extensions are not carried over. For other scans it is a NIfTI-1 file with both sform and qform.
    ///
    /// # Shapes
    /// `labels` is `[z, y, x]`, one for each voxel of one volume.
    ///
    /// # Errors
    /// [`ScanError::LabelCount`] for another number of labels.
    pub fn encode_label_map(&self, labels: &[u8], description: &str) -> Result<Vec<u8>, ScanError> {
        let mut header = self.header.clone();
        header.put_whole(field::INTENT_CODE, 0, INTENT_LABEL);
        self.encode_bytes(header, labels, None, description)
    }

    /// As [`Scan::encode_label_map`], of shares of 1 in 255 steps; the file holds them from 0 to 1.
    ///
    /// # Errors
    /// Those of [`Scan::encode_label_map`].
    pub fn encode_shares(&self, steps: &[u8], description: &str) -> Result<Vec<u8>, ScanError> {
        self.encode_bytes(self.header.clone(), steps, Some(1.0 / 255.0), description)
    }

    fn encode_bytes(
        &self,
        mut header: Header,
        bytes: &[u8],
        step: Option<f64>,
        description: &str,
    ) -> Result<Vec<u8>, ScanError> {
        let expected = self.grid_shape().iter().product();
        if bytes.len() != expected {
            return Err(ScanError::LabelCount {
                expected,
                got: bytes.len(),
            });
        }
        if self.num_volumes() > 1 {
            // One for all of them.
            header.keep_one_volume();
        }
        header.put_storage(Datatype::Uint8, step.map(|step| (step, 0.0)));
        header.put_real(field::CAL_MAX, 0, 0.0);
        header.put_real(field::CAL_MIN, 0, 0.0);
        header.put_description(description);
        let mut file = header.begin_file(bytes.len())?;
        file.extend_from_slice(bytes);
        Ok(file)
    }

    /// The scan as an uncompressed `.nii` file: the voxels as they are stored, scaled as they are (of colours the
    /// luminance), with the header that [`Scan::encode_label_map`] describes, but for what a label map changes.
    ///
    /// # Errors
    /// [`ScanError::OutOfMemory`].
    pub fn encode(&self) -> Result<Vec<u8>, ScanError> {
        let voxels = &self.voxels;
        let mut header = self.header.clone();
        let size = voxels.datatype.bytes();
        if voxels.datatype.is_colour() {
            header.put_storage(Datatype::Float32, None);
            let mut file = header.begin_file(4 * voxels.count())?;
            for value in self.values() {
                let value = value as f32;
                file.extend(if header.is_big_endian() {
                    value.to_be_bytes()
                } else {
                    value.to_le_bytes()
                });
            }
            return Ok(file);
        }
        header.put_storage(voxels.datatype, voxels.scaling);
        let mut file = header.begin_file(voxels.bytes.len())?;
        if voxels.is_big_endian == header.is_big_endian() {
            file.extend_from_slice(&voxels.bytes);
        } else {
            let turned = voxels.bytes.chunks_exact(size);
            file.extend(turned.flat_map(|voxel| voxel.iter().rev()));
        }
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
    /// Labels.
    Uint8(&'a [u8]),
    /// Red, green and blue of each voxel.
    Rgb(&'a [[u8; 3]]),
}

/// An uncompressed `.nii` file made anew, little-endian, in millimetres, placed by its sform; where the grid is not sheared,
/// the qform says the same.
///
/// # Shapes
/// `shape` is x, y, z and maybe more, x fastest in `values`.
///
/// # Panics
/// For another number of axes than 1 to 7, or another number of values.
pub fn encode(shape: &[usize], affine: &Affine, values: Values<'_>, description: &str) -> Vec<u8> {
    let (datatype, count) = match values {
        Values::Int16(values) => (Datatype::Int16, values.len()),
        Values::Float32(values) => (Datatype::Float32, values.len()),
        Values::Uint8(values) => (Datatype::Uint8, values.len()),
        Values::Rgb(values) => (Datatype::Rgb24, values.len()),
    };
    assert_eq!(
        count,
        shape.iter().product::<usize>(),
        "values of shape {shape:?}"
    );
    let mut header = Header::new(shape, affine, SCANNER);
    header.put_storage(datatype, None);
    header.put_description(description);
    let mut file = header
        .begin_file(datatype.bytes() * count)
        .expect("as much memory as the values took");
    match values {
        Values::Int16(values) => file.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        Values::Float32(values) => file.extend(values.iter().flat_map(|v| v.to_le_bytes())),
        Values::Uint8(values) => file.extend_from_slice(values),
        Values::Rgb(values) => file.extend_from_slice(values.as_flattened()),
    }
    file
}

impl Header {
    /// All before the first voxel, with room for so many bytes of voxels.
    pub(super) fn begin_file(&self, bytes: usize) -> Result<Vec<u8>, ScanError> {
        let mut file = Vec::new();
        file.try_reserve_exact(self.first_voxel() + bytes)
            .map_err(|_| ScanError::OutOfMemory {
                bytes: bytes as u64,
            })?;
        file.extend_from_slice(self.bytes());
        file.resize(self.first_voxel(), 0); // no extension follows
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::Made;
    use super::*;
    use crate::Format;

    #[test]
    fn an_encoded_label_map_differs_from_its_source_only_where_it_must() {
        // Intent, datatype and bits; offset and scale; display range; magic.
        let changed = [
            vec![68..76, 108..120, 124..132, 148..228],
            vec![12..16, 168..208, 240..320, 504..508],
        ];
        for version in [1, 2] {
            for big_endian in [false, true] {
                let made = Made::new(version, big_endian);
                let source = made.single();
                let labels: Vec<u8> = (0..12).map(|i| i % 3).collect();
                let scan = Scan::open(&source, None).unwrap();
                let written = scan.encode_label_map(&labels, &"é".repeat(60)).unwrap();
                let back = Scan::open(&written, None).unwrap();
                assert_eq!(back.label_map().unwrap().labels, labels);
                assert_eq!(back.affine(), scan.affine());
                assert_eq!(back.format(), scan.format());
                for (at, (a, b)) in made.head.iter().zip(&written).enumerate() {
                    let may_change = changed[version - 1].iter().any(|range| range.contains(&at));
                    let is_magic = [344..348, 4..12][version - 1].contains(&at);
                    assert!(a == b || may_change || is_magic, "byte {at}: {a} {b}");
                }
                // 39 letters of two bytes fit before the closing zero.
                let text = [148..228, 240..320][version - 1].clone();
                assert_eq!(
                    &written[text],
                    ["é".repeat(39).as_bytes(), &[0, 0]].concat()
                );
                let (header, voxels) = made.pair();
                let pair = Scan::open(&header, Some(&voxels)).unwrap();
                let of_pair = pair.encode_label_map(&labels, &"é".repeat(60)).unwrap();
                assert_eq!(of_pair, written, "a pair's label map is a single file");
                assert!(matches!(
                    scan.encode_label_map(&labels[1..], ""),
                    Err(ScanError::LabelCount {
                        expected: 12,
                        got: 11
                    })
                ));
            }
        }
    }

    #[test]
    fn a_file_made_anew_is_read_as_it_was_meant() {
        let sheared = Affine([
            [-0.5, 0.25, 0.0, 7.0],
            [0.25, 1.5, 0.0, -8.0],
            [0.0, 0.0, -3.0, 9.5],
            [0.0, 0.0, 0.0, 1.0],
        ]);
        let values: Vec<f32> = (0..24).map(|i| i as f32 / 8.0).collect();
        let bytes = encode(&[2, 3, 4], &sheared, Values::Float32(&values), "é");
        let scan = Scan::open(&bytes, None).unwrap();
        let volume = scan.volume().unwrap();
        assert_eq!((volume.shape, volume.affine), ([4, 3, 2], sheared));
        assert_eq!(volume.voxels, values);
        assert_eq!(scan.form_codes(), (0, 1));
        assert_eq!(scan.datatype_name(), "float32");

        let mut straight = Affine::from_spacing_mm([0.5, 1.5, 3.0]);
        straight.0[1][3] = -8.0;
        let series = Values::Int16(&[1, -2, 3, 4, 5, 6]);
        let mut bytes = encode(&[3, 1, 1, 2], &straight, series, "");
        let scan = Scan::open(&bytes, None).unwrap();
        assert_eq!(scan.form_codes(), (1, 1));
        assert_eq!(scan.affine(), straight);
        assert_eq!(scan.volumes().unwrap()[1].voxels, [4.0, 5.0, 6.0]);
        bytes[254] = 0;
        let affine = Scan::open(&bytes, None).unwrap().affine();
        assert_eq!(affine, straight, "the qform says the same");
    }

    #[test]
    fn an_edge_too_long_for_nifti_1_makes_a_nifti_2_file() {
        let affine = Affine::from_spacing_mm([0.001; 3]);
        let values = vec![7; 40_000];
        let bytes = encode(&[40_000, 1, 1], &affine, Values::Int16(&values), "");
        let scan = Scan::open(&bytes, None).unwrap();
        assert_eq!(
            (scan.format(), scan.shape()),
            (Format::Nifti2, &[40_000, 1, 1][..])
        );
        assert_eq!(scan.affine(), affine);
        assert!(
            scan.values()
                .eq(values.iter().map(|&value| f64::from(value)))
        );
    }
}
