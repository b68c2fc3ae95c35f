//! A label map as a segmentation object.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::mem::InMemElement;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use dicom_transfer_syntax_registry::entries::EXPLICIT_VR_LITTLE_ENDIAN;
use sha2::{Digest, Sha256};

use super::element::{LINE, code_item, coded, decimals, line, number, object, sequence, text};
use super::error::SegmentationError;
use super::origin::{Instance, Origin, OriginSlice};
use super::terms::Code;
use super::{Segment, color};
use crate::{Label, LabelMap, NOTICE};

/// What made a label map, and when.
#[derive(Debug, Clone)]
pub struct Provenance {
    /// Of the model, such as `head`.
    pub model: String,
    /// Of the model.
    pub model_version: String,
    /// Of the model's weights, 64 characters at most: stands where DICOM wants a device's serial number.
    pub model_hash: String,
    /// Of the program.
    pub program_version: String,
    /// Whether a person has changed what the model found.
    pub is_changed_by_hand: bool,
    /// When, in seconds since 1970 in the time zone of whoever reads it. It is no part of the UIDs: the same result made again
    /// is the same instance.
    pub unix_seconds: i64,
}

/// Writes the labels of `map` that occur as segments, in the order of their values.
///
/// `map` is on the grid of the scan as [`DicomFolder::scan`](crate::dicom::DicomFolder::scan) gave it; what `segments` lacks is
/// called by its value. Each frame refers to the slice it lies on, except where a leaning stack was straightened: those slices
/// are on no file's plane, and all frames refer to all files.
///
/// UIDs are made of the content, so the same input gives the same ones. A segment's description says the label's value
/// (`label 17`), because DICOM counts segments from 1.
///
/// # Errors
/// A label map on another grid, without a label, or too large; a series without the UIDs that a reference is made of.
///
/// Source: DICOM PS3.3, A.51 and C.8.20.
pub fn write(
    map: &LabelMap,
    segments: &[Segment],
    origin: &Origin,
    provenance: &Provenance,
) -> Result<Vec<u8>, SegmentationError> {
    check_grid(map, origin)?;
    let study_uid = origin.study_uid.as_deref();
    let study_uid = study_uid.ok_or(SegmentationError::NoUid {
        what: "StudyInstanceUID",
    })?;
    for (is_missing, what) in [
        (origin.series_uid.is_empty(), "SeriesInstanceUID"),
        (
            origin.instances.iter().any(|i| i.uid.is_empty()),
            "SOPInstanceUID",
        ),
        (
            origin.instances.iter().any(|i| i.class_uid.is_empty()),
            "SOPClassUID",
        ),
    ] {
        if is_missing {
            return Err(SegmentationError::NoUid { what });
        }
    }
    let values = map.present();
    if values.is_empty() {
        return Err(SegmentationError::NothingLabelled);
    }
    let frames = frames(map, &values);
    let pixels = packed(map, &frames)?;

    let [_, rows, columns] = map.shape;
    let mut root = object([
        text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192"),
        text(tags::IMAGE_TYPE, VR::CS, "DERIVED\\PRIMARY"),
        text(tags::SOP_CLASS_UID, VR::UI, uids::SEGMENTATION_STORAGE),
        text(tags::MODALITY, VR::CS, "SEG"),
        text(tags::STUDY_INSTANCE_UID, VR::UI, study_uid),
        text(
            tags::SERIES_NUMBER,
            VR::IS,
            // Another one than the scan's, and near it in lists.
            &(origin.series_number.unwrap_or(0).clamp(0, 1 << 30) + 1000).to_string(),
        ),
        text(tags::INSTANCE_NUMBER, VR::IS, "1"),
        text(
            tags::FRAME_OF_REFERENCE_UID,
            VR::UI,
            &match &origin.frame_of_reference_uid {
                Some(uid) => uid.clone(),
                None => uid("frame of reference", origin.series_uid.as_bytes()),
            },
        ),
        number(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.len().to_string()),
        number(tags::ROWS, edge(rows)?),
        number(tags::COLUMNS, edge(columns)?),
        number(tags::BITS_ALLOCATED, 1),
        number(tags::BITS_STORED, 1),
        number(tags::HIGH_BIT, 0),
        number(tags::PIXEL_REPRESENTATION, 0),
        text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00"),
        text(tags::SEGMENTATION_TYPE, VR::CS, "BINARY"),
        text(tags::SEGMENTS_OVERLAP, VR::CS, "NO"),
        text(tags::CONTENT_LABEL, VR::CS, "SEGMENTATION"),
        text(tags::CONTENT_DESCRIPTION, VR::LO, &line(NOTICE, LINE)),
        text(tags::CONTENT_CREATOR_NAME, VR::PN, ""),
        sequence(
            tags::SEGMENT_SEQUENCE,
            (1..)
                .zip(&values)
                .map(|(number, &value)| segment_item(number, value, segments, provenance))
                .collect(),
        ),
        referenced_series(origin),
        shared_groups(origin),
    ]);
    for element in equipment(provenance) {
        root.put(element);
    }
    for element in &origin.attributes {
        root.put(element.clone());
    }
    // Which of the slices that have frames a frame is on.
    let mut occupied: Vec<usize> = frames.iter().map(|frame| frame.slice).collect();
    occupied.sort_unstable();
    occupied.dedup();
    let groups = frames.iter().map(|frame| {
        let rank = occupied.binary_search(&frame.slice).expect("listed above") + 1;
        frame_groups(frame, rank, origin)
    });
    root.put(sequence(
        tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
        groups.collect(),
    ));

    let content = {
        let mut hash = Sha256::new();
        hash.update(encoded(&root));
        hash.update(&pixels);
        hash.finalize()
    };
    root.put(text(
        tags::SOP_INSTANCE_UID,
        VR::UI,
        &uid("instance", &content),
    ));
    root.put(text(
        tags::SERIES_INSTANCE_UID,
        VR::UI,
        &uid("series", &content),
    ));
    for element in dimensions(&uid("dimensions", &content)) {
        root.put(element);
    }
    let [date, time] = date_and_time(provenance.unix_seconds);
    for (tag, vr, value) in [
        (tags::SERIES_DATE, VR::DA, &date),
        (tags::SERIES_TIME, VR::TM, &time),
        (tags::CONTENT_DATE, VR::DA, &date),
        (tags::CONTENT_TIME, VR::TM, &time),
    ] {
        root.put(text(tag, vr, value));
    }
    root.put(DataElement::new(
        tags::PIXEL_DATA,
        VR::OB,
        PrimitiveValue::from(pixels),
    ));
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let file = root.with_meta(meta).expect("class and instance are set");
    let mut bytes = Vec::new();
    file.write_all(&mut bytes).expect("memory takes all");
    Ok(bytes)
}

fn check_grid(map: &LabelMap, origin: &Origin) -> Result<(), SegmentationError> {
    let apart_mm = map.affine.corners_apart_mm(&origin.affine, origin.shape);
    // A distance that is no number is none.
    let is_near = apart_mm <= origin.affine.tolerance_mm();
    if map.shape == origin.shape && is_near {
        return Ok(());
    }
    Err(SegmentationError::Grid {
        found: map.shape,
        expected: origin.shape,
        apart_mm,
    })
}

/// A label on a slice.
struct Frame {
    /// Segment number.
    segment: u16,
    value: u8,
    slice: usize,
}

/// Of each label in turn, the slices in which it occurs.
fn frames(map: &LabelMap, values: &[u8]) -> Vec<Frame> {
    let [_, rows, columns] = map.shape;
    let occurs: Vec<[bool; 256]> = map
        .labels
        .chunks_exact(rows * columns)
        .map(|slice| {
            let mut seen = [false; 256];
            for &label in slice {
                seen[usize::from(label)] = true;
            }
            seen
        })
        .collect();
    let occurs = &occurs;
    let of_label = |(segment, &value): (u16, &u8)| {
        let slices = (0..occurs.len()).filter(move |&z| occurs[z][usize::from(value)]);
        let frame = move |slice| Frame {
            segment,
            value,
            slice,
        };
        slices.map(frame).collect::<Vec<_>>()
    };
    (1..).zip(values).flat_map(of_label).collect()
}

/// A bit a voxel, the first one lowest; frames follow each other without a gap, and only the last byte is filled up.
fn packed(map: &LabelMap, frames: &[Frame]) -> Result<Vec<u8>, SegmentationError> {
    let [_, rows, columns] = map.shape;
    let size = rows * columns;
    // Of an even number of bytes.
    let bytes = (frames.len() as u64 * size as u64).div_ceil(16) * 2;
    if bytes >= u64::from(u32::MAX) {
        return Err(SegmentationError::TooManyFrames { bytes });
    }
    let mut packed = vec![0; bytes as usize];
    for (number, frame) in frames.iter().enumerate() {
        let slice = &map.labels[frame.slice * size..][..size];
        for (i, &label) in slice.iter().enumerate() {
            let bit = number * size + i;
            packed[bit / 8] |= u8::from(label == frame.value) << (bit % 8);
        }
    }
    Ok(packed)
}

fn segment_item(
    segment: u16,
    value: u8,
    segments: &[Segment],
    provenance: &Provenance,
) -> InMemDicomObject {
    let known = segments.iter().find(|s| s.label.value == value);
    let unnamed = || Segment::of(&Label::unnamed(value), None);
    let Segment { label, term } = known.cloned().unwrap_or_else(unnamed);
    let modifiers: Vec<_> = term.modifiers.iter().map(code_item).collect();
    let modifiers = (!modifiers.is_empty()).then(|| {
        sequence(
            tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE,
            modifiers,
        )
    });
    let family = dcm("123110", "Artificial Intelligence");
    let name = line(&provenance.model, LINE);
    let algorithm = object([
        coded(tags::ALGORITHM_FAMILY_CODE_SEQUENCE, &family, None),
        text(tags::ALGORITHM_NAME, VR::LO, &name),
        text(
            tags::ALGORITHM_VERSION,
            VR::LO,
            &line(&provenance.model_version, LINE),
        ),
    ]);
    let name_of_label = match line(&label.name, LINE) {
        name if name.is_empty() => format!("label {value}"),
        name => name,
    };
    object([
        number(tags::SEGMENT_NUMBER, segment),
        text(tags::SEGMENT_LABEL, VR::LO, &name_of_label),
        text(
            tags::SEGMENT_DESCRIPTION,
            VR::ST,
            &format!("{DESCRIPTION}{value}"),
        ),
        sequence(
            tags::SEGMENTATION_ALGORITHM_IDENTIFICATION_SEQUENCE,
            vec![algorithm],
        ),
        text(
            tags::SEGMENT_ALGORITHM_TYPE,
            VR::CS,
            if provenance.is_changed_by_hand {
                "SEMIAUTOMATIC"
            } else {
                "AUTOMATIC"
            },
        ),
        text(tags::SEGMENT_ALGORITHM_NAME, VR::LO, &name),
        coded(
            tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE,
            &term.category,
            None,
        ),
        coded(
            tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE,
            &term.kind,
            modifiers,
        ),
        DataElement::new(
            tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE,
            VR::US,
            PrimitiveValue::U16(color::lab(label.color).into_iter().collect()),
        ),
    ])
}

/// What stands before a label's value in the description of its segment.
pub(super) const DESCRIPTION: &str = "label ";

fn referenced_series(origin: &Origin) -> InMemElement {
    let instance = |instance: &Instance| {
        object([
            text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, &instance.class_uid),
            text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &instance.uid),
        ])
    };
    let instances = origin.instances.iter().map(instance).collect();
    let series = object([
        text(tags::SERIES_INSTANCE_UID, VR::UI, &origin.series_uid),
        sequence(tags::REFERENCED_INSTANCE_SEQUENCE, instances),
    ]);
    sequence(tags::REFERENCED_SERIES_SEQUENCE, vec![series])
}

fn shared_groups(origin: &Origin) -> InMemElement {
    let orientation = object([decimals(
        tags::IMAGE_ORIENTATION_PATIENT,
        &origin.directions,
    )]);
    let measures = object([
        decimals(tags::SLICE_THICKNESS, &[origin.thickness_mm]),
        decimals(tags::SPACING_BETWEEN_SLICES, &[origin.gap_mm]),
        decimals(tags::PIXEL_SPACING, &origin.pixel_spacing_mm),
    ]);
    let mut groups = object([
        sequence(tags::PLANE_ORIENTATION_SEQUENCE, vec![orientation]),
        sequence(tags::PIXEL_MEASURES_SEQUENCE, vec![measures]),
    ]);
    if origin.slices.iter().all(|slice| slice.source.is_none()) {
        let images = origin.instances.iter().map(|i| source_image(i, false));
        groups.put(derivation(images.collect()));
    }
    sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![groups])
}

fn frame_groups(frame: &Frame, rank: usize, origin: &Origin) -> InMemDicomObject {
    let OriginSlice { position, source } = &origin.slices[frame.slice];
    let index = PrimitiveValue::U32(
        [u32::from(frame.segment), rank as u32]
            .into_iter()
            .collect(),
    );
    let content = object([DataElement::new(
        tags::DIMENSION_INDEX_VALUES,
        VR::UL,
        index,
    )]);
    let place = object([decimals(tags::IMAGE_POSITION_PATIENT, position)]);
    let identity = object([number(tags::REFERENCED_SEGMENT_NUMBER, frame.segment)]);
    let mut groups = object([
        sequence(tags::FRAME_CONTENT_SEQUENCE, vec![content]),
        sequence(tags::PLANE_POSITION_SEQUENCE, vec![place]),
        sequence(tags::SEGMENT_IDENTIFICATION_SEQUENCE, vec![identity]),
    ]);
    if let Some(source) = source {
        let mut image = source_image(&origin.instances[source.instance], source.is_whole);
        if let Some(frame) = source.frame {
            image.put(text(
                tags::REFERENCED_FRAME_NUMBER,
                VR::IS,
                &frame.to_string(),
            ));
        }
        groups.put(derivation(vec![image]));
    }
    groups
}

fn derivation(images: Vec<InMemDicomObject>) -> InMemElement {
    let code = dcm("113076", "Segmentation");
    let item = object([
        sequence(tags::SOURCE_IMAGE_SEQUENCE, images),
        coded(tags::DERIVATION_CODE_SEQUENCE, &code, None),
    ]);
    sequence(tags::DERIVATION_IMAGE_SEQUENCE, vec![item])
}

fn source_image(instance: &Instance, are_locations_preserved: bool) -> InMemDicomObject {
    let preserved = if are_locations_preserved { "YES" } else { "NO" };
    let purpose = dcm("121322", "Source image for image processing operation");
    object([
        text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, &instance.class_uid),
        text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, &instance.uid),
        text(tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, preserved),
        coded(tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE, &purpose, None),
    ])
}

/// Frames are told apart by segment, then by place.
fn dimensions(organization: &str) -> [InMemElement; 2] {
    let of = || text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, organization);
    let index = |pointer, group, label| {
        object([
            of(),
            DataElement::new(
                tags::DIMENSION_INDEX_POINTER,
                VR::AT,
                PrimitiveValue::from(pointer),
            ),
            DataElement::new(
                tags::FUNCTIONAL_GROUP_POINTER,
                VR::AT,
                PrimitiveValue::from(group),
            ),
            text(tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label),
        ])
    };
    [
        sequence(tags::DIMENSION_ORGANIZATION_SEQUENCE, vec![object([of()])]),
        sequence(
            tags::DIMENSION_INDEX_SEQUENCE,
            vec![
                index(
                    tags::REFERENCED_SEGMENT_NUMBER,
                    tags::SEGMENT_IDENTIFICATION_SEQUENCE,
                    "Segment Number",
                ),
                index(
                    tags::IMAGE_POSITION_PATIENT,
                    tags::PLANE_POSITION_SEQUENCE,
                    "Image Position (Patient)",
                ),
            ],
        ),
    ]
}

fn equipment(provenance: &Provenance) -> [InMemElement; 5] {
    let Provenance {
        model,
        model_version,
        ..
    } = provenance;
    let model = line(&format!("{model} {model_version}"), 32);
    let program = line(&provenance.program_version, 32);
    [
        text(tags::MANUFACTURER, VR::LO, "DINO-Med3D"),
        text(tags::MANUFACTURER_MODEL_NAME, VR::LO, "DINO-Med3D"),
        text(
            tags::DEVICE_SERIAL_NUMBER,
            VR::LO,
            &match line(&provenance.model_hash, LINE) {
                hash if hash.is_empty() => "0".to_owned(),
                hash => hash,
            },
        ),
        text(
            tags::SOFTWARE_VERSIONS,
            VR::LO,
            &format!("dinomed3d {program}\\{model}"),
        ),
        text(
            tags::SERIES_DESCRIPTION,
            VR::LO,
            &line(
                &if provenance.is_changed_by_hand {
                    format!("{model}, changed by hand, research and education only")
                } else {
                    format!("{model}, research and education only")
                },
                LINE,
            ),
        ),
    ]
}

fn dcm(value: &str, meaning: &str) -> Code {
    Code {
        value: value.to_owned(),
        scheme: "DCM".to_owned(),
        meaning: meaning.to_owned(),
    }
}

fn edge(edge: usize) -> Result<u16, SegmentationError> {
    edge.try_into().map_err(|_| SegmentationError::NoGrid {
        reason: format!("a slice has an edge of {edge} voxels, at most 65535 are expected"),
    })
}

fn encoded(object: &InMemDicomObject) -> Vec<u8> {
    let mut bytes = Vec::new();
    object
        .write_dataset_with_ts(&mut bytes, &EXPLICIT_VR_LITTLE_ENDIAN.erased())
        .expect("memory takes all");
    bytes
}

/// From a hash: a UUID of the kind that is free (version 8), as a number below DICOM's root for them.
fn uid(what: &str, content: &[u8]) -> String {
    let hash = Sha256::new()
        .chain_update(what.as_bytes())
        .chain_update(content)
        .finalize();
    let mut uuid = [0; 16];
    uuid.copy_from_slice(&hash[..16]);
    uuid[6] = uuid[6] & 0x0f | 0x80;
    uuid[8] = uuid[8] & 0x3f | 0x80;
    format!("2.25.{}", u128::from_be_bytes(uuid))
}

/// As `YYYYMMDD` and `HHMMSS`, from 1970 to 9999.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms", whose years begin in March.
fn date_and_time(unix_seconds: i64) -> [String; 2] {
    let seconds = unix_seconds.clamp(0, 253_402_300_799);
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [
        format!("{year:04}{month:02}{day:02}"),
        format!(
            "{:02}{:02}{:02}",
            second / 3600,
            second / 60 % 60,
            second % 60
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `date -u -d @SECONDS` says.
    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, date, time) in [
            (0, "19700101", "000000"),
            (951_782_399, "20000228", "235959"),
            (951_782_400, "20000229", "000000"),
            (1_735_689_599, "20241231", "235959"),
            (4_107_542_400, "21000301", "000000"),
        ] {
            assert_eq!(date_and_time(seconds), [date, time]);
        }
    }
}
