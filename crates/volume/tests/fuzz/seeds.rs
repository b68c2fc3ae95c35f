//! Small files of every format, made here.

/// Files of both versions and byte orders and several datatypes, alone and in pairs, and ANALYZE.
pub fn nifti() -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut seeds = Vec::new();
    for version in [1, 2] {
        for is_big in [false, true] {
            for (datatype, bits) in [(2, 8), (4, 16), (16, 32), (64, 64), (128, 24)] {
                let head = nifti_header(version, is_big, datatype, bits, b"n+");
                let voxels = vec![1; 4 * 3 * 2 * 2 * bits as usize / 8];
                seeds.push(([&head[..], &voxels].concat(), None));
                let head = nifti_header(version, is_big, datatype, bits, b"ni");
                seeds.push((head.clone(), Some(voxels.clone())));
                if version == 1 && bits == 16 {
                    let mut head = head;
                    head[344..348].fill(0);
                    seeds.push((head, Some(voxels)));
                }
            }
        }
    }
    seeds
}

/// 4 × 3 × 2 voxels of 1 × 2 × 3 mm, twice, with both forms and a scale.
///
/// Source: nifti1.h and nifti2.h.
fn nifti_header(version: u8, is_big: bool, datatype: i16, bits: i16, magic: &[u8; 2]) -> Vec<u8> {
    let is_first = version == 1;
    let size = if is_first { 348 } else { 540 };
    let mut head = vec![0; size + 4];
    let mut put = |at: [usize; 2], little: [&[u8]; 2]| {
        let (at, little) = (at[usize::from(!is_first)], little[usize::from(!is_first)]);
        let mut bytes = little.to_vec();
        if is_big {
            bytes.reverse();
        }
        head[at..at + bytes.len()].copy_from_slice(&bytes);
    };
    put([0; 2], [&(size as i32).to_le_bytes(); 2]);
    for (i, edge) in [4, 4, 3, 2, 2, 1, 1, 1].into_iter().enumerate() {
        let at = [40 + 2 * i, 16 + 8 * i];
        put(
            at,
            [&(edge as i16).to_le_bytes(), &i64::from(edge).to_le_bytes()],
        );
    }
    put([70, 12], [&datatype.to_le_bytes(); 2]);
    put([72, 14], [&bits.to_le_bytes(); 2]);
    let mut reals = |at: [usize; 2], values: &[f32]| {
        for (i, value) in values.iter().enumerate() {
            let at = [at[0] + 4 * i, at[1] + 8 * i];
            put(at, [&value.to_le_bytes(), &f64::from(*value).to_le_bytes()]);
        }
    };
    reals([76, 104], &[1.0, 1.0, 2.0, 3.0]);
    reals([112, 176], &[0.5, 1.0]);
    reals([256, 352], &[0.0, 0.0, 1.0]);
    reals(
        [280, 400],
        &[1.0, 0.0, 0.0, -9.0, 0.0, 2.0, 0.0, 5.0, 0.0, 0.0, 3.0, 7.0],
    );
    put([252, 344], [&1i16.to_le_bytes(), &1i32.to_le_bytes()]);
    put([254, 348], [&1i16.to_le_bytes(), &1i32.to_le_bytes()]);
    let at = if is_first { 344 } else { 4 };
    head[at..at + 2].copy_from_slice(magic);
    head[at + 2] = b'0' + version;
    if !is_first {
        head[8..12].copy_from_slice(b"\r\n\x1a\n");
    }
    head
}

/// A file of each datatype, with what FreeSurfer appends.
///
/// Source: FreeSurfer's "MghFormat".
pub fn mgh() -> Vec<Vec<u8>> {
    [(0, 1), (1, 4), (3, 4), (4, 2)]
        .map(|(code, bytes): (i32, usize)| {
            let mut file = vec![0; 284];
            for (at, value) in [1, 4, 3, 2, 2, code, 0].into_iter().enumerate() {
                file[4 * at..4 * at + 4].copy_from_slice(&value.to_be_bytes());
            }
            file[28..30].copy_from_slice(&1i16.to_be_bytes());
            let place: [f32; 15] = [
                1.0, 2.0, 3.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 10.0, 20.0, 30.0,
            ];
            for (at, value) in place.into_iter().enumerate() {
                file[30 + 4 * at..34 + 4 * at].copy_from_slice(&value.to_be_bytes());
            }
            file.extend(vec![1; 4 * 3 * 2 * 2 * bytes]);
            file.extend([0, 0, 0, 0, 64, 73, 15, 219]);
            file
        })
        .to_vec()
}

#[cfg(feature = "dicom")]
pub use dicom::{dicom, segmentations, zip};

#[cfg(feature = "dicom")]
mod dicom {
    use std::io::{Cursor, Write};

    use dicom_core::value::{DataSetSequence, PixelFragmentSequence, Value};
    use dicom_core::{DataElement, PrimitiveValue, VR};
    use dicom_dictionary_std::{tags, uids};
    use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
    use dinomed3d_volume::dicom::segmentation::{self, Provenance, Segment};
    use dinomed3d_volume::dicom::{DicomFolder, InMemory, Source};
    use dinomed3d_volume::{Label, LabelMap};
    use zip::write::{SimpleFileOptions, ZipWriter};

    const ROWS: usize = 9;
    const COLUMNS: usize = 12;

    /// Of 9 × 12 pixels x·19 + y·7, by Pillow.
    const JPEG: [u8; 220] = [
        255, 216, 255, 224, 0, 16, 74, 70, 73, 70, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0, 255, 219, 0, 67,
        0, 13, 9, 10, 11, 10, 8, 13, 11, 10, 11, 14, 14, 13, 15, 19, 32, 21, 19, 18, 18, 19, 39,
        28, 30, 23, 32, 46, 41, 49, 48, 46, 41, 45, 44, 51, 58, 74, 62, 51, 54, 70, 55, 44, 45, 64,
        87, 65, 70, 76, 78, 82, 83, 82, 50, 62, 90, 97, 90, 80, 96, 74, 81, 82, 79, 255, 192, 0,
        11, 8, 0, 9, 0, 12, 1, 1, 17, 0, 255, 196, 0, 22, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 5, 6, 7, 255, 196, 0, 37, 16, 0, 1, 3, 1, 6, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
        2, 3, 4, 0, 5, 6, 7, 17, 33, 49, 18, 50, 53, 66, 116, 145, 178, 255, 218, 0, 8, 1, 1, 0, 0,
        63, 0, 34, 236, 194, 228, 210, 180, 54, 228, 217, 144, 26, 109, 169, 214, 132, 72, 206, 20,
        241, 4, 60, 242, 80, 72, 219, 60, 137, 219, 67, 234, 164, 46, 207, 101, 23, 138, 29, 126,
        31, 132, 143, 181, 215, 255, 217,
    ];
    const JPEG_2000: [u8; 178] = [
        255, 79, 255, 81, 0, 41, 0, 0, 0, 0, 0, 12, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        12, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7, 1, 1, 255, 82, 0, 12, 0, 0, 0, 1, 0, 1, 4,
        4, 0, 1, 255, 92, 0, 7, 64, 64, 72, 72, 80, 255, 100, 0, 37, 0, 1, 67, 114, 101, 97, 116,
        101, 100, 32, 98, 121, 32, 79, 112, 101, 110, 74, 80, 69, 71, 32, 118, 101, 114, 115, 105,
        111, 110, 32, 50, 46, 53, 46, 52, 255, 144, 0, 10, 0, 0, 0, 0, 0, 69, 0, 1, 255, 147, 223,
        128, 232, 18, 30, 123, 33, 58, 67, 70, 83, 55, 213, 80, 96, 156, 83, 247, 95, 37, 14, 154,
        20, 38, 177, 13, 116, 188, 46, 89, 235, 23, 223, 152, 68, 62, 160, 56, 252, 0, 192, 76,
        211, 102, 207, 201, 218, 35, 223, 47, 15, 31, 47, 16, 11, 255, 217,
    ];

    /// Series of three slices, each packed in another way, and one file of several frames.
    pub fn dicom() -> Vec<Vec<Vec<u8>>> {
        let low: Vec<u8> = (0..ROWS * COLUMNS).map(|i| (i / 3) as u8).collect();
        let words: Vec<u8> = low.iter().flat_map(|&low| [low, 1]).collect();
        let rle = {
            // The high bytes of the pixels in one run, the low ones as they are.
            let mut bytes = vec![0; 64];
            let high = [(257 - low.len()) as u8, 1];
            let literal = [&[(low.len() - 1) as u8], &low[..]].concat();
            for (at, number) in [2, 64, 64 + high.len()].into_iter().enumerate() {
                bytes[4 * at..4 * at + 4].copy_from_slice(&(number as u32).to_le_bytes());
            }
            bytes.extend(high);
            bytes.extend(literal);
            bytes
        };
        let mut seeds = Vec::new();
        for syntax in [
            uids::EXPLICIT_VR_LITTLE_ENDIAN,
            uids::IMPLICIT_VR_LITTLE_ENDIAN,
            "1.2.840.10008.1.2.2",
        ] {
            seeds.push(series(syntax, 16, Pixels::Native(words.clone())));
        }
        for (syntax, bits, bytes) in [
            (uids::RLE_LOSSLESS, 16, rle),
            (uids::JPEG_BASELINE8_BIT, 8, JPEG.to_vec()),
            (uids::JPEG2000_LOSSLESS, 8, JPEG_2000.to_vec()),
        ] {
            seeds.push(series(syntax, bits, Pixels::Fragment(bytes)));
        }
        seeds.push(vec![frames(&words)]);
        seeds
    }

    /// Of a series and of a file of several frames; one of whole voxels that are shares as it is.
    pub fn segmentations() -> Vec<Vec<u8>> {
        let files = dicom();
        let mut seeds = Vec::new();
        for files in [&files[0], &files[files.len() - 1]] {
            let source = |bytes: &Vec<u8>| {
                let (name, bytes) = (String::new(), bytes.clone());
                Box::new(InMemory { name, bytes }) as Box<dyn Source>
            };
            let folder = DicomFolder::read(files.iter().map(source).collect());
            let outline = folder.outline(0, 0).unwrap();
            let voxels = outline.shape.iter().product();
            let map = LabelMap {
                labels: (0..voxels).map(|i| [0, 1, 17, 0, 0][i / 7 % 5]).collect(),
                shape: outline.shape,
                affine: outline.affine,
            };
            let segments = [1, 17].map(|value| Segment::of(&Label::unnamed(value), None));
            let provenance = Provenance {
                model: "made up".to_owned(),
                model_version: "1".to_owned(),
                model_hash: "abc".to_owned(),
                program_version: "1".to_owned(),
                is_changed_by_hand: false,
                unix_seconds: 0,
            };
            let origin = folder.origin(0, 0).unwrap();
            seeds.push(segmentation::write(&map, &segments, &origin, &provenance).unwrap());
        }
        let mut object = dicom_object::from_reader(&seeds[0][..]).unwrap();
        let bits = object
            .element(tags::PIXEL_DATA)
            .unwrap()
            .to_bytes()
            .unwrap();
        let bytes: Vec<u8> = (0..8 * bits.len())
            .map(|i| 255 * (bits[i / 8] >> (i % 8) & 1))
            .collect();
        object.put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OB,
            PrimitiveValue::U8(bytes.into()),
        ));
        put(&mut object, tags::SEGMENTATION_TYPE, VR::CS, "FRACTIONAL");
        for (tag, value) in [
            (tags::BITS_ALLOCATED, 8u16),
            (tags::BITS_STORED, 8),
            (tags::HIGH_BIT, 7),
        ] {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        let mut fractional = Vec::new();
        object.write_all(&mut fractional).unwrap();
        seeds.push(fractional);
        for seed in &seeds {
            assert!(segmentation::read(seed).is_ok());
        }
        seeds
    }

    pub fn zip(files: &[Vec<u8>]) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (i, file) in files.iter().enumerate() {
            zip.start_file(format!("scan/{i}"), SimpleFileOptions::default())
                .unwrap();
            zip.write_all(file).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    #[derive(Clone)]
    enum Pixels {
        Native(Vec<u8>),
        Fragment(Vec<u8>),
    }

    fn series(syntax: &str, bits: u16, pixels: Pixels) -> Vec<Vec<u8>> {
        let slice = |number: u16| {
            let mut object = common(number, bits);
            put(&mut object, tags::PIXEL_SPACING, VR::DS, "2\\1");
            put(
                &mut object,
                tags::IMAGE_ORIENTATION_PATIENT,
                VR::DS,
                "1\\0\\0\\0\\1\\0",
            );
            let place = format!("10\\20\\{}", 3 * number);
            put(&mut object, tags::IMAGE_POSITION_PATIENT, VR::DS, &place);
            match pixels.clone() {
                Pixels::Native(bytes) => put_pixels(&mut object, bytes),
                Pixels::Fragment(bytes) => {
                    let bytes = if bytes.len() % 2 == 1 {
                        [&bytes[..], &[0]].concat()
                    } else {
                        bytes
                    };
                    let fragments = PixelFragmentSequence::new_fragments(vec![bytes]);
                    object.put(DataElement::new(
                        tags::PIXEL_DATA,
                        VR::OB,
                        Value::PixelSequence(fragments),
                    ));
                }
            }
            encoded(object, syntax)
        };
        (1..=3).map(slice).collect()
    }

    /// Three frames in one file, placed by functional groups.
    fn frames(words: &[u8]) -> Vec<u8> {
        let mut object = common(1, 16);
        put(
            &mut object,
            tags::SOP_CLASS_UID,
            VR::UI,
            uids::ENHANCED_CT_IMAGE_STORAGE,
        );
        put(&mut object, tags::NUMBER_OF_FRAMES, VR::IS, "3");
        let group = |tag, inner: InMemDicomObject| {
            DataElement::new(tag, VR::SQ, DataSetSequence::from(vec![inner]))
        };
        let shared = InMemDicomObject::from_element_iter([
            group(
                tags::PIXEL_MEASURES_SEQUENCE,
                InMemDicomObject::from_element_iter([
                    DataElement::new(tags::PIXEL_SPACING, VR::DS, "2\\1"),
                    DataElement::new(tags::SLICE_THICKNESS, VR::DS, "3"),
                ]),
            ),
            group(
                tags::PLANE_ORIENTATION_SEQUENCE,
                InMemDicomObject::from_element_iter([DataElement::new(
                    tags::IMAGE_ORIENTATION_PATIENT,
                    VR::DS,
                    "1\\0\\0\\0\\1\\0",
                )]),
            ),
        ]);
        object.put(group(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared));
        let of_frame = |number: usize| {
            let place = format!("10\\20\\{}", 3 * number);
            InMemDicomObject::from_element_iter([group(
                tags::PLANE_POSITION_SEQUENCE,
                InMemDicomObject::from_element_iter([DataElement::new(
                    tags::IMAGE_POSITION_PATIENT,
                    VR::DS,
                    place.as_str(),
                )]),
            )])
        };
        let of_frames: Vec<InMemDicomObject> = (0..3).map(of_frame).collect();
        object.put(DataElement::new(
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            VR::SQ,
            DataSetSequence::from(of_frames),
        ));
        put_pixels(&mut object, words.repeat(3));
        encoded(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)
    }

    fn common(number: u16, bits: u16) -> InMemDicomObject {
        let mut object = InMemDicomObject::new_empty();
        for (tag, vr, text) in [
            (tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
            (
                tags::SOP_INSTANCE_UID,
                VR::UI,
                &format!("1.2.3.{number}")[..],
            ),
            (tags::SERIES_INSTANCE_UID, VR::UI, "1.2.4"),
            (tags::STUDY_INSTANCE_UID, VR::UI, "1.2.5"),
            (tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.6"),
            (tags::MODALITY, VR::CS, "CT"),
            (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
            (tags::RESCALE_SLOPE, VR::DS, "1.5"),
            (tags::RESCALE_INTERCEPT, VR::DS, "-1024"),
            (tags::INSTANCE_NUMBER, VR::IS, &number.to_string()),
        ] {
            put(&mut object, tag, vr, text);
        }
        for (tag, value) in [
            (tags::ROWS, ROWS as u16),
            (tags::COLUMNS, COLUMNS as u16),
            (tags::SAMPLES_PER_PIXEL, 1),
            (tags::BITS_ALLOCATED, bits),
            (tags::BITS_STORED, bits),
            (tags::HIGH_BIT, bits - 1),
            (tags::PIXEL_REPRESENTATION, 0),
        ] {
            object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        }
        object
    }

    fn put(object: &mut InMemDicomObject, tag: dicom_core::Tag, vr: VR, text: &str) {
        object.put(DataElement::new(tag, vr, text));
    }

    fn put_pixels(object: &mut InMemDicomObject, bytes: Vec<u8>) {
        let words: Vec<u16> = bytes
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        object.put(DataElement::new(
            tags::PIXEL_DATA,
            VR::OW,
            PrimitiveValue::U16(words.into()),
        ));
    }

    fn encoded(object: InMemDicomObject, syntax: &str) -> Vec<u8> {
        let meta = FileMetaTableBuilder::new().transfer_syntax(syntax);
        let mut bytes = Vec::new();
        object
            .with_meta(meta)
            .unwrap()
            .write_all(&mut bytes)
            .unwrap();
        bytes
    }
}
