//! Small DICOM files for tests, made in memory.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};

use super::{DicomError, DicomFolder, DicomScan, InMemory, Source};
use crate::{Format, Scan};

/// An axial image of 2 rows and 3 columns of 2 × 1 mm at z = `z` mm, with the values `10 * number`, `10 * number + 1`, …
pub(super) fn image(number: u16, z: f64) -> InMemDicomObject {
    let mut image = InMemDicomObject::new_empty();
    let instance = format!("1.2.3.{number}");
    for (tag, vr, text) in [
        (tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        (tags::SOP_INSTANCE_UID, VR::UI, &instance),
        (tags::SERIES_INSTANCE_UID, VR::UI, "1.2.20011224"),
        (tags::SERIES_DESCRIPTION, VR::LO, "made up"),
        (tags::MODALITY, VR::CS, "CT"),
        (tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        (tags::PIXEL_SPACING, VR::DS, "2\\1"),
        (tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\1\\0"),
        (
            tags::IMAGE_POSITION_PATIENT,
            VR::DS,
            &format!("10\\20\\{z}"),
        ),
        (tags::INSTANCE_NUMBER, VR::IS, &number.to_string()),
    ] {
        put(&mut image, tag, vr, text);
    }
    for (tag, value) in [
        (tags::ROWS, 2),
        (tags::COLUMNS, 3),
        (tags::SAMPLES_PER_PIXEL, 1),
        (tags::BITS_ALLOCATED, 16),
        (tags::BITS_STORED, 12),
        (tags::HIGH_BIT, 11),
        (tags::PIXEL_REPRESENTATION, 0),
    ] {
        put_number(&mut image, tag, value);
    }
    put_pixels(&mut image, (0..6).map(|i| 10 * number + i).collect());
    image
}

pub(super) fn put(object: &mut InMemDicomObject, tag: Tag, vr: VR, text: &str) {
    object.put(DataElement::new(tag, vr, text));
}

pub(super) fn put_number(object: &mut InMemDicomObject, tag: Tag, number: u16) {
    object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(number)));
}

pub(super) fn put_pixels(object: &mut InMemDicomObject, pixels: Vec<u16>) {
    let value = PrimitiveValue::U16(pixels.into());
    object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, value));
}

pub(super) fn put_position(object: &mut InMemDicomObject, [x, y, z]: [f64; 3]) {
    let text = format!("{x}\\{y}\\{z}");
    put(object, tags::IMAGE_POSITION_PATIENT, VR::DS, &text);
}

/// A file in explicit little endian.
pub(super) fn encoded(object: &InMemDicomObject) -> Vec<u8> {
    encoded_as(object, uids::EXPLICIT_VR_LITTLE_ENDIAN)
}

pub(super) fn encoded_as(object: &InMemDicomObject, transfer_syntax: &str) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new().transfer_syntax(transfer_syntax);
    let mut bytes = Vec::new();
    let file = object.clone().with_meta(meta).unwrap();
    file.write_all(&mut bytes).unwrap();
    bytes
}

pub(super) fn folder(files: Vec<Vec<u8>>) -> DicomFolder {
    let source = |(i, bytes): (usize, Vec<u8>)| {
        let name = format!("file {i}");
        Box::new(InMemory { name, bytes }) as Box<dyn Source>
    };
    DicomFolder::read(files.into_iter().enumerate().map(source).collect())
}

pub(super) fn folder_of(images: &[InMemDicomObject]) -> DicomFolder {
    folder(images.iter().map(encoded).collect())
}

/// The only one among these images; what its headers say before holds of it.
pub(super) fn only_scan(images: &[InMemDicomObject]) -> Result<DicomScan, DicomError> {
    let folder = folder_of(images);
    let series = folder.choose(None)?;
    let outline = folder.outline(series, 0);
    let found = folder.scan(series, 0)?;
    let scan = Scan::of_volume(Format::Dicom, &found.volume, Vec::new());
    assert_eq!(outline, Ok(scan.outline()));
    Ok(found)
}
