//! What a segmentation says of the scan it was made of.

use dicom_core::Tag;
use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;

use super::super::header::{Header, Slice, dot, number, text};
use crate::Affine;

/// Of patient, study and frame of reference: as in the scan, empty where it does not say them.
const EXPECTED: [(Tag, VR); 10] = [
    (tags::PATIENT_NAME, VR::PN),
    (tags::PATIENT_ID, VR::LO),
    (tags::PATIENT_BIRTH_DATE, VR::DA),
    (tags::PATIENT_SEX, VR::CS),
    (tags::STUDY_DATE, VR::DA),
    (tags::STUDY_TIME, VR::TM),
    (tags::REFERRING_PHYSICIAN_NAME, VR::PN),
    (tags::STUDY_ID, VR::SH),
    (tags::ACCESSION_NUMBER, VR::SH),
    (tags::POSITION_REFERENCE_INDICATOR, VR::LO),
];

/// As in the scan where it says them.
const IF_SAID: [Tag; 19] = [
    tags::ISSUER_OF_PATIENT_ID,
    tags::PATIENT_AGE,
    tags::PATIENT_SIZE,
    tags::PATIENT_WEIGHT,
    tags::PATIENT_IDENTITY_REMOVED,
    tags::DEIDENTIFICATION_METHOD,
    tags::CLINICAL_TRIAL_SPONSOR_NAME,
    tags::CLINICAL_TRIAL_PROTOCOL_ID,
    tags::CLINICAL_TRIAL_PROTOCOL_NAME,
    tags::CLINICAL_TRIAL_SITE_ID,
    tags::CLINICAL_TRIAL_SITE_NAME,
    tags::CLINICAL_TRIAL_SUBJECT_ID,
    tags::CLINICAL_TRIAL_SUBJECT_READING_ID,
    tags::CLINICAL_TRIAL_TIME_POINT_ID,
    tags::CLINICAL_TRIAL_COORDINATING_CENTER_NAME,
    tags::STUDY_DESCRIPTION,
    tags::LOSSY_IMAGE_COMPRESSION,
    tags::LOSSY_IMAGE_COMPRESSION_RATIO,
    tags::LOSSY_IMAGE_COMPRESSION_METHOD,
];

/// A volume of a series as its segmentation refers to it: its grid, the files it came from, patient and study.
///
/// [`DicomFolder::origin`](crate::dicom::DicomFolder::origin) makes it; it borrows nothing, so the files may go.
#[derive(Debug, Clone)]
pub struct Origin {
    pub(super) shape: [usize; 3],
    pub(super) affine: Affine,
    /// Directions of a row and of a column, in DICOM's axes.
    pub(super) directions: [f64; 6],
    /// Between rows, between columns.
    pub(super) pixel_spacing_mm: [f64; 2],
    /// Of the slices' centres along their normal.
    pub(super) gap_mm: f64,
    pub(super) thickness_mm: f64,
    pub(super) slices: Vec<OriginSlice>,
    pub(super) instances: Vec<Instance>,
    pub(super) series_uid: String,
    pub(super) series_number: Option<i64>,
    pub(super) study_uid: Option<String>,
    pub(super) frame_of_reference_uid: Option<String>,
    /// Copied from the scan.
    pub(super) attributes: Vec<InMemElement>,
}

/// A file.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub class_uid: String,
    pub uid: String,
}

/// A slice of the grid.
#[derive(Debug, Clone)]
pub(super) struct OriginSlice {
    /// Centre of its first voxel in mm, in DICOM's axes.
    pub position: [f64; 3],
    /// None where slices were straightened, so that none is a file's.
    pub source: Option<SourceFrame>,
}

/// Where a slice is from.
#[derive(Debug, Clone, Copy)]
pub(super) struct SourceFrame {
    pub instance: usize,
    /// Counted from 1, of a file of several.
    pub frame: Option<usize>,
    /// Whether the frame is the slice, not a mosaic of several.
    pub is_whole: bool,
}

impl Origin {
    /// Of the slices of a volume with their files, in order, on the grid (shape `[z, y, x]`, affine) that its reader gave;
    /// `first` is the first one's file.
    pub(in super::super) fn new(
        (shape, affine): ([usize; 3], Affine),
        slices: &[(&Slice, &Header)],
        is_straightened: bool,
        first: &InMemDicomObject,
    ) -> Self {
        let (slice, header) = slices[0];
        let mut instances: Vec<Instance> = Vec::new();
        let mut files: Vec<usize> = Vec::new();
        let sources: Vec<SourceFrame> = slices
            .iter()
            .map(|(slice, header)| {
                // Slices of a file mostly follow each other.
                let known = files.iter().rposition(|&file| file == slice.file);
                let instance = known.unwrap_or_else(|| {
                    files.push(slice.file);
                    instances.push(Instance {
                        class_uid: header.class_uid.clone(),
                        uid: header.instance_uid.clone().unwrap_or_default(),
                    });
                    files.len() - 1
                });
                SourceFrame {
                    instance,
                    frame: (header.format.num_frames > 1).then_some(slice.frame + 1),
                    is_whole: slice.shape == [header.format.rows, header.format.columns],
                }
            })
            .collect();
        let place = slice.place.expect("a stack's slices have a place");
        let origin_of = |z: usize| {
            let [right, anterior, up] = affine.apply([0.0, 0.0, z as f64]);
            [-right, -anterior, up]
        };
        let step = [0, 1, 2].map(|i| origin_of(1)[i] - origin_of(0)[i]);
        let gap_mm = dot(step, place.normal()).abs();
        let [a, b] = [place.along_row, place.down_column];
        Self {
            shape,
            affine,
            directions: [a[0], a[1], a[2], b[0], b[1], b[2]],
            pixel_spacing_mm: slice
                .pixel_spacing_mm
                .expect("a stack's slices have a spacing"),
            gap_mm,
            thickness_mm: slice.thickness_mm.unwrap_or(gap_mm),
            slices: (0..shape[0])
                .map(|z| {
                    let placed = slices[z].0.place.filter(|_| !is_straightened);
                    OriginSlice {
                        position: placed.map_or_else(|| origin_of(z), |place| place.position),
                        source: (!is_straightened).then(|| sources[z]),
                    }
                })
                .collect(),
            instances,
            series_uid: header.series_uid.clone(),
            series_number: number(first, tags::SERIES_NUMBER),
            study_uid: text(first, tags::STUDY_INSTANCE_UID),
            frame_of_reference_uid: text(first, tags::FRAME_OF_REFERENCE_UID),
            attributes: attributes(first),
        }
    }
}

fn attributes(first: &InMemDicomObject) -> Vec<InMemElement> {
    let expected = EXPECTED.into_iter().map(|(tag, vr)| {
        let said = first.get(tag).and_then(readable);
        said.unwrap_or_else(|| DataElement::new(tag, vr, PrimitiveValue::Empty))
    });
    let said = IF_SAID
        .into_iter()
        .filter_map(|tag| readable(first.get(tag)?));
    expected.chain(said).collect()
}

/// Texts that switch between character sets come undecoded out of the reader: of names the part in Latin letters is kept, of
/// others nothing.
fn readable(element: &InMemElement) -> Option<InMemElement> {
    let text = element.to_str().ok()?;
    if !text.contains('\u{1b}') {
        return Some(element.clone());
    }
    let latin = text
        .split('=')
        .next()
        .filter(|part| !part.contains('\u{1b}'))?;
    let is_name = element.header().vr == VR::PN;
    is_name.then(|| DataElement::new(element.header().tag, VR::PN, PrimitiveValue::from(latin)))
}
