//! Label maps written as segmentations and read again.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{InMemDicomObject, from_reader};

use super::super::fixture::{encoded, folder_of, image, put, put_number, put_pixels, put_position};
use super::super::header::{items, text};
use super::*;
use crate::{Affine, LabelMap, NOTICE};

fn provenance() -> Provenance {
    Provenance {
        model: "hippocampus".to_owned(),
        model_version: "0.6.0".to_owned(),
        model_hash: "abc".to_owned(),
        program_version: "0.1.0".to_owned(),
        is_changed_by_hand: false,
        unix_seconds: 951_782_399,
    }
}

fn label(value: u8, name: &str) -> Label {
    Label {
        name: name.to_owned(),
        ..Label::unnamed(value)
    }
}

/// `count` slices of 3 rows and 5 columns of 2 × 1 mm, 1.5 mm apart along the normal of `[row, column]` directions.
fn slices(count: u16, [along_row, down_column]: [[f64; 3]; 2]) -> Vec<InMemDicomObject> {
    let [a, b] = [along_row, down_column];
    let normal = [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ];
    let directions = [a, b]
        .concat()
        .iter()
        .map(f64::to_string)
        .collect::<Vec<_>>();
    (0..count)
        .map(|number| {
            let mut image = image(number, 0.0);
            put(&mut image, tags::STUDY_INSTANCE_UID, VR::UI, "1.2.9");
            put(&mut image, tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.7");
            put(
                &mut image,
                tags::IMAGE_ORIENTATION_PATIENT,
                VR::DS,
                &directions.join("\\"),
            );
            let along = 1.5 * f64::from(number);
            put_position(
                &mut image,
                [0, 1, 2].map(|i| [-20.5, 31.25, 7.0][i] + along * normal[i]),
            );
            put_number(&mut image, tags::ROWS, 3);
            put_number(&mut image, tags::COLUMNS, 5);
            put_pixels(&mut image, vec![0; 15]);
            image
        })
        .collect()
}

fn origin(images: &[InMemDicomObject]) -> (Origin, [usize; 3], Affine) {
    let folder = folder_of(images);
    let scan = folder.scan(0, 0).unwrap();
    (
        folder.origin(0, 0).unwrap(),
        scan.volume.shape,
        scan.volume.affine,
    )
}

/// Labels 1, 17 and 255 here and there; none on the first slice and, of six, on the fourth.
fn map(shape: [usize; 3], affine: Affine) -> LabelMap {
    let size = shape[1] * shape[2];
    let label = |i: usize| match (i / size, i % size) {
        (0 | 3, _) => 0,
        (z, at) => [0, 1, 17, 0, 255, 17, 0][(3 * z + 5 * at) % 7],
    };
    LabelMap {
        labels: (0..size * shape[0]).map(label).collect(),
        shape,
        affine,
    }
}

const AXIAL: [[f64; 3]; 2] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];

/// Of six slices the first is empty and the fourth: the one is not in the file's map, the other is.
#[test]
fn labels_keep_their_places_in_every_orientation() {
    let tilted = {
        let (s, c) = 0.3f64.sin_cos();
        [[c, s, 0.0], [-s * c, c * c, s]]
    };
    for directions in [
        AXIAL,
        [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
        [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0]],
        [[0.0, 1.0, 0.0], [0.0, 0.0, -1.0]],
        [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]],
        tilted,
    ] {
        let (origin, shape, affine) = origin(&slices(6, directions));
        let map = map(shape, affine);
        let segments = [
            Segment::of(&label(17, "left hippocampus"), None),
            Segment::of(&label(1, "Anterior"), Some("hippocampus")),
            Segment::of(&label(9, "not there"), None),
        ];
        let bytes = write(&map, &segments, &origin, &provenance()).unwrap();
        let found = read(&bytes).unwrap();
        assert_eq!(found.map.shape, [5, 3, 5]);
        let unnamed = Segment::of(&Label::unnamed(255), None);
        let [left, anterior, _] = segments;
        assert_eq!(found.segments, [anterior, left, unnamed]);
        // By world positions, not by order.
        let back = affine.inverse().unwrap();
        for (i, &label) in found.map.labels.iter().enumerate() {
            let voxel = [i % 5, i / 5 % 3, i / 15].map(|n| n as f64);
            let at = back.apply(found.map.affine.apply(voxel));
            let near = at.map(f64::round);
            assert!((0..3).all(|a| (at[a] - near[a]).abs() < 1e-9), "{at:?}");
            let [x, y, z] = near.map(|n| n as usize);
            assert_eq!(
                label,
                map.labels[(z * 3 + y) * 5 + x],
                "{directions:?} {at:?}"
            );
        }
        assert_eq!(found.on_grid(shape, &affine).unwrap(), map);
    }
}

/// A segmentation laid onto a scan whose axes run otherwise, as a converter stores it.
#[test]
fn a_scan_of_another_axis_order_gets_the_same_voxels() {
    let (origin, shape, affine) = origin(&slices(6, AXIAL));
    let map = map(shape, affine);
    let found = read(&write(&map, &[], &origin, &provenance()).unwrap()).unwrap();
    // x of the other grid is our z, its y is our y from behind, its z is our x.
    let m = affine.0;
    let first = affine.apply([0.0, 2.0, 0.0]);
    let rows = [0, 1, 2].map(|r| [m[r][2], -m[r][1], m[r][0], first[r]]);
    let other = Affine([rows[0], rows[1], rows[2], [0.0, 0.0, 0.0, 1.0]]);
    let laid = found.on_grid([5, 3, 6], &other).unwrap();
    for z in 0..6 {
        for y in 0..3 {
            for x in 0..5 {
                let there = laid.labels[(x * 3 + (2 - y)) * 6 + z];
                assert_eq!(there, map.labels[(z * 3 + y) * 5 + x]);
            }
        }
    }

    let refused = |shape, affine: Affine| {
        let error = found.on_grid(shape, &affine).unwrap_err();
        assert!(
            matches!(error, SegmentationError::OtherGrid { .. }),
            "{error}"
        );
        error.to_string()
    };
    let outside = refused([5, 3, 5], other);
    assert!(outside.contains("outside of the scan"), "{outside}");
    let mut shifted = affine;
    shifted.0[0][3] += 0.4;
    assert!(refused(shape, shifted).contains("0.40 voxels off"));
    let mut finer = affine;
    finer.0[0][0] *= 0.5;
    refused(shape, finer);
}

#[test]
fn the_same_input_is_the_same_instance_and_another_is_another() {
    let (origin, shape, affine) = origin(&slices(6, AXIAL));
    let map = map(shape, affine);
    let uid_of = |map: &LabelMap, provenance: &Provenance| {
        let bytes = write(map, &[], &origin, provenance).unwrap();
        let file = from_reader(&bytes[..]).unwrap();
        let uid = text(&file, tags::SOP_INSTANCE_UID).unwrap();
        assert!(uid.starts_with("2.25.") && uid.len() <= 64, "{uid}");
        assert_ne!(uid, text(&file, tags::SERIES_INSTANCE_UID).unwrap());
        uid
    };
    let uid = uid_of(&map, &provenance());
    let later = Provenance {
        unix_seconds: 1_735_689_599,
        ..provenance()
    };
    assert_eq!(uid_of(&map, &later), uid);
    let newer = Provenance {
        model_version: "0.7.0".to_owned(),
        ..provenance()
    };
    assert_ne!(uid_of(&map, &newer), uid);
    let mut other = map.clone();
    *other.labels.last_mut().unwrap() ^= 1;
    assert_ne!(uid_of(&other, &provenance()), uid);
}

/// Whoever reads it must not take a person's work for a network's.
#[test]
fn what_a_person_has_changed_is_no_longer_automatic() {
    let (origin, shape, affine) = origin(&slices(4, AXIAL));
    let changed = Provenance {
        is_changed_by_hand: true,
        ..provenance()
    };
    for (provenance, algorithm, said) in [
        (provenance(), "AUTOMATIC", "hippocampus 0.6.0, research"),
        (
            changed,
            "SEMIAUTOMATIC",
            "hippocampus 0.6.0, changed by hand",
        ),
    ] {
        let bytes = write(&map(shape, affine), &[], &origin, &provenance).unwrap();
        let file = from_reader(&bytes[..]).unwrap();
        for segment in items(&file, tags::SEGMENT_SEQUENCE) {
            let found = segment.get(tags::SEGMENT_ALGORITHM_TYPE).unwrap();
            assert_eq!(found.to_str().unwrap(), algorithm);
        }
        let series = text(&file, tags::SERIES_DESCRIPTION).unwrap();
        assert!(series.starts_with(said) && series.len() <= 64, "{series}");
    }
}

/// A frame says which file it lies on, the file which study and patient it belongs to.
#[test]
fn a_segmentation_belongs_to_its_scan() {
    let mut images = slices(4, AXIAL);
    for image in &mut images {
        put(image, tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 100");
        put(image, tags::PATIENT_NAME, VR::PN, "Müller^Jörg");
        put(image, tags::PATIENT_ID, VR::LO, "4711");
        put(image, tags::SERIES_NUMBER, VR::IS, "3");
    }
    let (origin, shape, affine) = origin(&images);
    let bytes = write(&map(shape, affine), &[], &origin, &provenance()).unwrap();
    let file = from_reader(&bytes[..]).unwrap();
    for (tag, expected) in [
        (tags::PATIENT_NAME, "Müller^Jörg"),
        (tags::PATIENT_ID, "4711"),
        (tags::STUDY_INSTANCE_UID, "1.2.9"),
        (tags::FRAME_OF_REFERENCE_UID, "1.2.7"),
        (tags::SERIES_NUMBER, "1003"),
        (tags::CONTENT_DATE, "20000228"),
        (
            tags::SERIES_DESCRIPTION,
            "hippocampus 0.6.0, research and education only",
        ),
        (tags::CONTENT_DESCRIPTION, NOTICE),
    ] {
        assert_eq!(text(&file, tag).as_deref(), Some(expected), "{tag}");
    }
    // The last slice is empty.
    let frames = items(&file, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    assert_eq!(frames.len(), 3 * 2);
    for frame in frames {
        let inner = |tag, object| items(object, tag).first().unwrap();
        let place = inner(tags::PLANE_POSITION_SEQUENCE, frame);
        let z = place.get(tags::IMAGE_POSITION_PATIENT).unwrap();
        let z = z.to_multi_float64().unwrap()[2];
        let image = inner(
            tags::SOURCE_IMAGE_SEQUENCE,
            inner(tags::DERIVATION_IMAGE_SEQUENCE, frame),
        );
        let number = ((z - 7.0) / 1.5).round();
        assert_eq!(
            text(image, tags::REFERENCED_SOP_INSTANCE_UID).unwrap(),
            format!("1.2.3.{number}")
        );
        assert_eq!(
            text(image, tags::REFERENCED_SOP_CLASS_UID).unwrap(),
            uids::CT_IMAGE_STORAGE
        );
    }
    let series = &items(&file, tags::REFERENCED_SERIES_SEQUENCE)[0];
    assert_eq!(items(series, tags::REFERENCED_INSTANCE_SEQUENCE).len(), 4);
}

/// Of a name in Latin letters and in characters that its file switches to, the first part is kept; of other texts nothing.
#[test]
fn texts_that_switch_between_character_sets_are_not_garbled() {
    let mut images = slices(4, AXIAL);
    for image in &mut images {
        put(
            image,
            tags::PATIENT_NAME,
            VR::PN,
            "Yamada^Tarou=\u{1b}$B;3ED\u{1b}(B^\u{1b}$BB@O:\u{1b}(B",
        );
        put(image, tags::PATIENT_ID, VR::LO, "\u{1b}$B;3ED\u{1b}(B");
    }
    let (origin, shape, affine) = origin(&images);
    let bytes = write(&map(shape, affine), &[], &origin, &provenance()).unwrap();
    let file = from_reader(&bytes[..]).unwrap();
    assert_eq!(
        text(&file, tags::PATIENT_NAME).as_deref(),
        Some("Yamada^Tarou")
    );
    assert_eq!(text(&file, tags::PATIENT_ID), None);
    assert!(file.get(tags::PATIENT_ID).is_some());
}

#[test]
fn what_cannot_be_written_is_refused() {
    let images = slices(6, AXIAL);
    let (good, shape, affine) = origin(&images);
    let map = map(shape, affine);
    let refused =
        |map: &LabelMap, origin: &Origin| write(map, &[], origin, &provenance()).unwrap_err();
    let mut moved = map.clone();
    moved.affine.0[2][3] += 0.2;
    assert!(
        matches!(refused(&moved, &good), SegmentationError::Grid { apart_mm, .. } if (apart_mm - 0.2).abs() < 1e-9)
    );
    moved.affine.0[2][3] = f64::NAN;
    assert!(matches!(
        refused(&moved, &good),
        SegmentationError::Grid { .. }
    ));
    let empty = LabelMap {
        labels: vec![0; map.labels.len()],
        ..map.clone()
    };
    assert_eq!(refused(&empty, &good), SegmentationError::NothingLabelled);
    for (tag, what) in [
        (tags::STUDY_INSTANCE_UID, "StudyInstanceUID"),
        (tags::SERIES_INSTANCE_UID, "SeriesInstanceUID"),
        (tags::SOP_INSTANCE_UID, "SOPInstanceUID"),
        (tags::SOP_CLASS_UID, "SOPClassUID"),
    ] {
        let mut folder = Vec::new();
        for image in &images {
            let mut image = image.clone();
            image.remove_element(tag);
            folder.push(encoded_without(&image));
        }
        let folder = super::super::fixture::folder(folder);
        let origin = folder.origin(0, 0).unwrap();
        assert_eq!(refused(&map, &origin), SegmentationError::NoUid { what });
    }
}

/// In a file whose meta group says what the data set may lack.
fn encoded_without(object: &InMemDicomObject) -> Vec<u8> {
    let full = {
        let mut full = object.clone();
        put(
            &mut full,
            tags::SOP_CLASS_UID,
            VR::UI,
            uids::CT_IMAGE_STORAGE,
        );
        put(&mut full, tags::SOP_INSTANCE_UID, VR::UI, "1.2");
        encoded(&full)
    };
    let meta = from_reader(&full[..]).unwrap().meta().clone();
    let mut bytes = Vec::new();
    let file = object.clone().with_exact_meta(meta);
    file.write_all(&mut bytes).unwrap();
    bytes
}

/// A written file with one thing changed.
fn changed(change: impl FnOnce(&mut InMemDicomObject)) -> Result<Segmentation, SegmentationError> {
    let (origin, shape, affine) = origin(&slices(6, AXIAL));
    let map = map(shape, affine);
    let bytes = write(&map, &[], &origin, &provenance()).unwrap();
    let mut object = (*from_reader(&bytes[..]).unwrap()).clone();
    change(&mut object);
    read(&encoded(&object))
}

/// The groups of a frame, to change.
fn group(
    object: &mut InMemDicomObject,
    frame: usize,
    tag: dicom_core::Tag,
    element: DataElement<InMemDicomObject>,
) {
    let of_frames = tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE;
    let mut frames = items(object, of_frames).to_vec();
    let mut inner = items(&frames[frame], tag)[0].clone();
    inner.put(element);
    frames[frame].put(super::element::sequence(tag, vec![inner]));
    object.put(super::element::sequence(of_frames, frames));
}

#[test]
fn what_makes_no_label_map_is_refused() {
    assert!(changed(|_| ()).is_ok());
    let sentence =
        |change: &dyn Fn(&mut InMemDicomObject)| changed(change).unwrap_err().to_string();
    let number = |tag, n| super::element::number(tag, n);
    for (change, expected) in [
        (
            // Two segments of the same pixels.
            &(|o: &mut InMemDicomObject| {
                let pixels = PrimitiveValue::from(vec![255u8; 24]);
                o.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
            }) as &dyn Fn(&mut InMemDicomObject),
            "segments 1 (label 1) and 2 (label 17) overlap, 15 voxels of frame 5 are of both",
        ),
        (
            &|o| {
                put(o, tags::NUMBER_OF_FRAMES, VR::IS, "13");
            },
            "of 12 frames where they lie, but has 13",
        ),
        (
            &|o| {
                let pixels = PrimitiveValue::from(vec![255u8; 22]);
                o.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
            },
            "12 frames of 5 × 3 voxels do not fit into its 22 bytes",
        ),
        (
            &|o| {
                o.remove_element(tags::PIXEL_DATA);
            },
            "pixels are missing",
        ),
        (
            &|o| {
                let segment = tags::SEGMENT_IDENTIFICATION_SEQUENCE;
                group(o, 2, segment, number(tags::REFERENCED_SEGMENT_NUMBER, 9));
            },
            "frame 3 is of segment 9, which it does not describe",
        ),
        (
            &|o| {
                let place =
                    super::element::decimals(tags::IMAGE_POSITION_PATIENT, &[-20.5, 31.25, 9.2]);
                group(o, 2, tags::PLANE_POSITION_SEQUENCE, place);
            },
            "are no multiples of one",
        ),
        (
            &|o| {
                let place =
                    super::element::decimals(tags::IMAGE_POSITION_PATIENT, &[-19.5, 31.25, 10.0]);
                group(o, 2, tags::PLANE_POSITION_SEQUENCE, place);
            },
            "1.000 mm off the straight line",
        ),
        (
            &|o| {
                let place = super::element::decimals(
                    tags::IMAGE_POSITION_PATIENT,
                    &[-20.5, 31.25, 1.5e9 + 7.0],
                );
                group(o, 11, tags::PLANE_POSITION_SEQUENCE, place);
            },
            "at most 268435456 are expected",
        ),
        (
            &|o| {
                put(
                    o,
                    tags::SOP_CLASS_UID,
                    VR::UI,
                    uids::LABEL_MAP_SEGMENTATION_STORAGE,
                );
            },
            "is a label map segmentation",
        ),
        (
            &|o| {
                put(o, tags::SEGMENTATION_TYPE, VR::CS, "FRACTIONAL");
            },
            "BINARY with 1 bit or FRACTIONAL with 8 is expected",
        ),
        (
            &|o| {
                let mut segments = items(o, tags::SEGMENT_SEQUENCE).to_vec();
                segments[0].put(number(tags::SEGMENT_NUMBER, 2));
                o.put(super::element::sequence(tags::SEGMENT_SEQUENCE, segments));
            },
            "it describes segment 2 twice",
        ),
    ] {
        let found = sentence(change);
        assert!(
            found.contains(expected),
            "{found:?}, {expected:?} is expected"
        );
    }
    assert_eq!(read(b"nothing"), Err(SegmentationError::NotDicom));
    let scan = encoded(&image(1, 0.0));
    let error = read(&scan).unwrap_err().to_string();
    assert!(error.contains("of modality CT"), "{error}");
}

/// Other programs count segments and describe them as they like.
#[test]
fn without_our_descriptions_a_label_is_its_segments_number() {
    let found = changed(|o| {
        let mut segments = items(o, tags::SEGMENT_SEQUENCE).to_vec();
        put(
            &mut segments[1],
            tags::SEGMENT_DESCRIPTION,
            VR::ST,
            "the second",
        );
        o.put(super::element::sequence(tags::SEGMENT_SEQUENCE, segments));
    })
    .unwrap();
    assert_eq!(found.map.present(), [1, 2, 3]);
}

/// Shares of 0 and of the most that a file knows are whole voxels; one share between is not.
#[test]
fn a_fractional_segmentation_of_whole_voxels_is_read() {
    let fractional = |share: u8| {
        changed(|o| {
            let bits = o
                .get(tags::PIXEL_DATA)
                .unwrap()
                .to_bytes()
                .unwrap()
                .into_owned();
            let share_of = |i: usize| {
                if bits[i / 8] >> (i % 8) & 1 == 1 {
                    200
                } else {
                    0
                }
            };
            let mut shares: Vec<u8> = (0..12 * 15).map(share_of).collect();
            let last = shares.iter().rposition(|&s| s == 200).unwrap();
            shares[last] = share;
            o.put(DataElement::new(
                tags::PIXEL_DATA,
                VR::OB,
                PrimitiveValue::from(shares),
            ));
            put(o, tags::SEGMENTATION_TYPE, VR::CS, "FRACTIONAL");
            put_number(o, tags::MAXIMUM_FRACTIONAL_VALUE, 200);
            put_number(o, tags::BITS_ALLOCATED, 8);
        })
    };
    assert_eq!(fractional(200).unwrap(), changed(|_| ()).unwrap());
    let refused = SegmentationError::Fractional {
        value: 100,
        most: 200,
    };
    assert_eq!(fractional(100), Err(refused));
}

/// Every byte may be wrong: an answer or a sentence, never a panic.
#[test]
fn a_damaged_file_is_no_danger() {
    let (origin, shape, affine) = origin(&slices(2, AXIAL));
    let bytes = write(&map(shape, affine), &[], &origin, &provenance()).unwrap();
    for at in 0..bytes.len() {
        for value in [0xff, bytes[at] ^ 1] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _ = read(&damaged);
        }
        if at % 5 == 0 {
            let _ = read(&bytes[..at]);
        }
    }
}
