//! What a file's header says: what it is, how its pixels are stored, and where each of its slices lies.

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::csa;
use super::dataset::{DataSet, PixelPlace, printable};

/// Scanners put about a hundred slices into a mosaic.
const MOST_TILES: usize = 4096;

/// An image file.
pub(super) struct Header {
    pub class_uid: String,
    pub series_uid: String,
    pub instance_uid: Option<String>,
    pub series_number: Option<i64>,
    pub description: String,
    pub modality: String,
    pub format: PixelFormat,
    pub slices: Vec<Slice>,
    /// What a person has to know of how it was read.
    pub warning: Option<&'static str>,
}

/// How the pixels of a file are stored.
#[derive(Debug, Clone)]
pub(super) struct PixelFormat {
    pub transfer_syntax: String,
    pub place: Option<PixelPlace>,
    pub num_frames: usize,
    pub rows: usize,
    pub columns: usize,
    pub samples: usize,
    pub is_planar: bool,
    pub photometric: String,
    pub bits_allocated: u32,
    pub bits_stored: u32,
    pub high_bit: u32,
    pub is_signed: bool,
}

/// One plane of a file: its image, a frame of it, or a tile of a mosaic.
#[derive(Debug, Clone)]
pub(super) struct Slice {
    /// Index of the file.
    pub file: usize,
    pub frame: usize,
    /// Row and column where it begins within the frame.
    pub corner: [usize; 2],
    /// Rows and columns.
    pub shape: [usize; 2],
    pub samples: usize,
    pub place: Option<Place>,
    /// Between rows, between columns.
    pub pixel_spacing_mm: Option<[f64; 2]>,
    pub thickness_mm: Option<f64>,
    /// Between the centres of slices, as the file says.
    pub gap_mm: Option<f64>,
    pub rescale: [f64; 2],
    pub echo_ms: f64,
    pub temporal: i64,
    pub instance: i64,
}

/// In the patient's axes, towards left, posterior and superior.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Place {
    /// Centre of the first pixel in mm.
    pub position: [f64; 3],
    /// Along a row: from column to column.
    pub along_row: [f64; 3],
    /// Down a column: from row to row.
    pub down_column: [f64; 3],
}

/// What a file is.
pub(super) enum Kind {
    Image(Box<Header>),
    /// No image; what it is in words.
    Other(&'static str),
    /// An index of other files.
    Directory,
}

/// What always has pixels.
const IMAGES: [&str; 6] = [
    uids::MR_IMAGE_STORAGE,
    uids::CT_IMAGE_STORAGE,
    uids::POSITRON_EMISSION_TOMOGRAPHY_IMAGE_STORAGE,
    uids::ENHANCED_MR_IMAGE_STORAGE,
    uids::ENHANCED_CT_IMAGE_STORAGE,
    uids::ENHANCED_PET_IMAGE_STORAGE,
];

/// Reads a header. The error is the reason in words.
pub(super) fn read(data: DataSet, file: usize) -> Result<Kind, String> {
    let root = &data.elements;
    let class = text(root, tags::SOP_CLASS_UID).unwrap_or_default();
    let modality = text(root, tags::MODALITY).unwrap_or_else(|| "unknown".to_owned());
    if root.get(tags::DIRECTORY_RECORD_SEQUENCE).is_some() {
        return Ok(Kind::Directory);
    }
    if let Some(what) = no_image(&class, &modality) {
        return Ok(Kind::Other(what));
    }
    let Some(format) = pixel_format(&data) else {
        // Such as one whose copying broke off.
        if class.is_empty() || IMAGES.contains(&&*class) {
            return Err("it ends before its pixels".to_owned());
        }
        return Ok(Kind::Other("object without pixels"));
    };
    let (slices, warning) = slices(root, &format, file)?;
    Ok(Kind::Image(Box::new(Header {
        class_uid: class,
        series_uid: text(root, tags::SERIES_INSTANCE_UID).unwrap_or_default(),
        instance_uid: text(root, tags::SOP_INSTANCE_UID),
        series_number: number(root, tags::SERIES_NUMBER),
        description: text(root, tags::SERIES_DESCRIPTION)
            .or_else(|| text(root, tags::PROTOCOL_NAME))
            .unwrap_or_default(),
        modality,
        format,
        slices,
        warning,
    })))
}

/// `None` where there are no rows and columns.
pub(super) fn pixel_format(data: &DataSet) -> Option<PixelFormat> {
    let root = &data.elements;
    let edge = |tag| {
        let edge = number(root, tag).and_then(|n| u16::try_from(n).ok());
        edge.filter(|&n| n > 0).map(usize::from)
    };
    let bits_allocated = number(root, tags::BITS_ALLOCATED).unwrap_or(16) as u32;
    let bits_stored = number(root, tags::BITS_STORED).map_or(bits_allocated, |n| n as u32);
    Some(PixelFormat {
        transfer_syntax: data.transfer_syntax.clone(),
        place: data.pixels.clone(),
        num_frames: number(root, tags::NUMBER_OF_FRAMES).unwrap_or(1).max(1) as usize,
        rows: edge(tags::ROWS)?,
        columns: edge(tags::COLUMNS)?,
        samples: number(root, tags::SAMPLES_PER_PIXEL).unwrap_or(1) as usize,
        is_planar: number(root, tags::PLANAR_CONFIGURATION) == Some(1),
        photometric: text(root, tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default(),
        bits_allocated,
        bits_stored,
        high_bit: number(root, tags::HIGH_BIT).map_or(bits_stored.saturating_sub(1), |n| n as u32),
        is_signed: number(root, tags::PIXEL_REPRESENTATION) == Some(1),
    })
}

/// What is no scan although some of it has pixels.
fn no_image(class: &str, modality: &str) -> Option<&'static str> {
    Some(match (class, modality) {
        (uids::SEGMENTATION_STORAGE | uids::LABEL_MAP_SEGMENTATION_STORAGE, _) | (_, "SEG") => {
            "segmentation (DICOM-SEG)"
        }
        (uids::SURFACE_SEGMENTATION_STORAGE, _) => "surface segmentation",
        (uids::RT_STRUCTURE_SET_STORAGE, _) | (_, "RTSTRUCT") => "radiotherapy structure set",
        (_, "RTPLAN") => "radiotherapy plan",
        (_, "SR") => "structured report",
        (_, "PR") => "presentation state",
        (_, "KO") => "key object selection",
        (_, "REG") => "registration",
        (_, "DOC") => "document",
        _ => return None,
    })
}

/// The planes of a file, with what a person has to know of how they were found.
pub(super) fn slices(
    root: &InMemDicomObject,
    format: &PixelFormat,
    file: usize,
) -> Result<(Vec<Slice>, Option<&'static str>), String> {
    let instance = number(root, tags::INSTANCE_NUMBER).unwrap_or(0);
    let temporal = number(root, tags::TEMPORAL_POSITION_IDENTIFIER).unwrap_or(0);
    let whole = |groups: &Groups, frame: usize| Slice {
        file,
        frame,
        corner: [0, 0],
        shape: [format.rows, format.columns],
        samples: format.samples,
        place: groups.place(),
        pixel_spacing_mm: groups
            .floats(tags::PIXEL_MEASURES_SEQUENCE, tags::PIXEL_SPACING)
            .filter(|edges: &[f64; 2]| edges.iter().all(|e| e.is_finite() && *e > 0.0)),
        thickness_mm: groups.length(tags::SLICE_THICKNESS),
        gap_mm: groups.length(tags::SPACING_BETWEEN_SLICES),
        rescale: [
            // Some programs write 0 for none.
            groups
                .rescale(tags::RESCALE_SLOPE)
                .filter(|&slope| slope != 0.0)
                .unwrap_or(1.0),
            groups.rescale(tags::RESCALE_INTERCEPT).unwrap_or(0.0),
        ],
        echo_ms: groups
            .floats(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME)
            .or_else(|| groups.floats(tags::MR_ECHO_SEQUENCE, tags::ECHO_TIME))
            .map_or(0.0, |[ms]| ms),
        temporal: groups
            .floats(tags::FRAME_CONTENT_SEQUENCE, tags::TEMPORAL_POSITION_INDEX)
            .map_or(temporal, |[index]| index as i64),
        instance,
    };
    let per_frame = items(root, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let shared = items(root, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    let groups = |frame: usize| Groups([per_frame.get(frame), shared, Some(root)]);
    let is_mosaic = root
        .get(tags::IMAGE_TYPE)
        .and_then(|element| element.to_multi_str().ok())
        .is_some_and(|words| words.iter().any(|word| word.trim() == "MOSAIC"));
    if is_mosaic && format.num_frames == 1 && per_frame.is_empty() {
        return tiles(root, whole(&groups(0), 0));
    }
    if !per_frame.is_empty() && per_frame.len() != format.num_frames {
        return Err(format!(
            "it says of {} frames where they lie, but has {}",
            per_frame.len(),
            format.num_frames
        ));
    }
    if per_frame.is_empty() && format.num_frames > 1 {
        // Where the frames lie is not said, whatever the file says of itself; one stands for all.
        let frames = Slice {
            place: None,
            ..whole(&groups(0), 0)
        };
        return Ok((vec![frames], None));
    }
    let slices = (0..format.num_frames)
        .map(|frame| whole(&groups(frame), frame))
        .collect();
    Ok((slices, None))
}

/// The tiles of a Siemens mosaic: side by side in one image whose position is that of an image as large as the mosaic around
/// the first tile's centre.
fn tiles(
    root: &InMemDicomObject,
    mosaic: Slice,
) -> Result<(Vec<Slice>, Option<&'static str>), String> {
    let csa = root
        .private_element(0x29, "SIEMENS CSA HEADER", 0x10)
        .ok()
        .and_then(|element| element.to_bytes().ok());
    let of_csa = |name: &str| csa.as_deref().and_then(|bytes| csa::values(bytes, name));
    let num_tiles = of_csa("NumberOfImagesInMosaic")
        .and_then(|texts| texts.first()?.parse().ok())
        .or_else(|| {
            let element = root.private_element(0x19, "SIEMENS MR HEADER", 0x0a).ok()?;
            element.to_int::<usize>().ok()
        })
        .filter(|n| (1..=MOST_TILES).contains(n))
        .ok_or("it is a mosaic that does not say of how many slices")?;
    let per_edge = (1..).find(|n| n * n >= num_tiles).unwrap_or(1);
    let [rows, columns] = mosaic.shape;
    if rows % per_edge != 0 || columns % per_edge != 0 {
        return Err(format!(
            "it is a mosaic of {rows} rows and {columns} columns that can't hold {num_tiles} slices of one size"
        ));
    }
    let shape = [rows / per_edge, columns / per_edge];
    let normal_says = of_csa("SliceNormalVector").and_then(|texts| {
        let numbers: Vec<f64> = texts.iter().filter_map(|text| text.parse().ok()).collect();
        <[f64; 3]>::try_from(numbers).ok()
    });
    let step = mosaic.gap_mm.or(mosaic.thickness_mm);
    let tile = |index: usize| {
        let place = mosaic.place.and_then(|place| {
            let [between_rows, between_columns] = mosaic.pixel_spacing_mm?;
            let normal = place.normal();
            let sign = match normal_says {
                Some(says) if dot(says, normal) < 0.0 => -1.0,
                _ => 1.0,
            };
            let right = (columns - shape[1]) as f64 / 2.0 * between_columns;
            let down = (rows - shape[0]) as f64 / 2.0 * between_rows;
            let along = sign * step? * index as f64;
            let position = [0, 1, 2].map(|i| {
                place.position[i]
                    + right * place.along_row[i]
                    + down * place.down_column[i]
                    + along * normal[i]
            });
            Some(Place { position, ..place })
        });
        Slice {
            corner: [index / per_edge * shape[0], index % per_edge * shape[1]],
            shape,
            place,
            ..mosaic.clone()
        }
    };
    let warning = normal_says.is_none().then_some(
        "the mosaic does not say in which direction its slices follow each other: along the normal is taken",
    );
    Ok(((0..num_tiles).map(tile).collect(), warning))
}

/// Where a frame's attributes are looked for: its own groups, those of all frames, the file itself.
struct Groups<'a>([Option<&'a InMemDicomObject>; 3]);

impl Groups<'_> {
    /// Numbers of an attribute in a group's sequence, or, last, in the file itself.
    fn floats<const N: usize>(&self, sequence: Tag, tag: Tag) -> Option<[f64; N]> {
        let [frame, shared, root] = self.0;
        [frame, shared]
            .into_iter()
            .flatten()
            .filter_map(|groups| items(groups, sequence).first())
            .chain(root)
            .find_map(|object| {
                let numbers = object.get(tag)?.to_multi_float64().ok()?;
                let numbers = <[f64; N]>::try_from(numbers).ok()?;
                numbers.iter().all(|n| n.is_finite()).then_some(numbers)
            })
    }

    fn place(&self) -> Option<Place> {
        let position = self.floats(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT)?;
        let [a, b, c, d, e, f] = self.floats(
            tags::PLANE_ORIENTATION_SEQUENCE,
            tags::IMAGE_ORIENTATION_PATIENT,
        )?;
        Some(Place {
            position,
            along_row: [a, b, c],
            down_column: [d, e, f],
        })
    }

    fn length(&self, tag: Tag) -> Option<f64> {
        let [mm] = self.floats(tags::PIXEL_MEASURES_SEQUENCE, tag)?;
        (mm > 0.0).then_some(mm)
    }

    fn rescale(&self, tag: Tag) -> Option<f64> {
        let [value] = self.floats(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, tag)?;
        Some(value)
    }
}

impl Place {
    /// At right angles to the plane, of length 1.
    pub(super) fn normal(&self) -> [f64; 3] {
        let (a, b) = (self.along_row, self.down_column);
        let n = [
            a[1] * b[2] - a[2] * b[1],
            a[2] * b[0] - a[0] * b[2],
            a[0] * b[1] - a[1] * b[0],
        ];
        let length = dot(n, n).sqrt();
        n.map(|v| v / length)
    }
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn items(object: &InMemDicomObject, tag: Tag) -> &[InMemDicomObject] {
    object
        .get(tag)
        .and_then(|element| element.items())
        .unwrap_or_default()
}

pub(super) fn text(object: &InMemDicomObject, tag: Tag) -> Option<String> {
    let text = object.get(tag)?.to_str().ok()?;
    let text = text.trim_matches(['\0', ' ']);
    (!text.is_empty()).then(|| printable(text))
}

pub(super) fn number(object: &InMemDicomObject, tag: Tag) -> Option<i64> {
    object.get(tag)?.to_int().ok()
}

#[cfg(test)]
mod tests {
    use dicom_core::{DataElement, PrimitiveValue, VR};

    use super::super::csa::tests::header;
    use super::super::fixture::{folder_of, image, put, put_number, put_pixels};
    use super::*;

    /// 2 × 2 tiles of 1 row and 2 columns, three of them slices; 2 mm between rows, 1 mm between columns.
    fn mosaic(normal: Option<&[&str]>) -> InMemDicomObject {
        let mut image = image(1, 0.0);
        put(
            &mut image,
            tags::IMAGE_TYPE,
            VR::CS,
            "ORIGINAL\\PRIMARY\\M\\MOSAIC",
        );
        put(&mut image, tags::SPACING_BETWEEN_SLICES, VR::DS, "4");
        put_number(&mut image, tags::ROWS, 2);
        put_number(&mut image, tags::COLUMNS, 4);
        put_pixels(&mut image, (0..8).collect());
        let mut named: Vec<(&str, &[&str])> = vec![("NumberOfImagesInMosaic", &["3"])];
        named.extend(normal.map(|texts| ("SliceNormalVector", texts)));
        put(&mut image, Tag(0x29, 0x10), VR::LO, "SIEMENS CSA HEADER");
        let bytes = PrimitiveValue::from(header(&named, true));
        image.put(DataElement::new(Tag(0x29, 0x1010), VR::OB, bytes));
        image
    }

    /// By hand: the image of one tile in the middle of the mosaic begins 1 mm further left and 1 mm further down.
    #[test]
    fn tiles_of_a_mosaic_are_slices_around_its_middle() {
        let scan = |normal| folder_of(&[mosaic(normal)]).scan(0, 0).unwrap();
        let up = scan(Some(&["0", "0", "1"]));
        assert_eq!(up.volume.shape, [3, 1, 2]);
        assert_eq!(up.volume.voxels, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let origin = |scan: &super::super::DicomScan| scan.volume.affine.apply([0.0; 3]);
        assert_eq!(origin(&up), [-11.0, -21.0, 0.0]);
        assert_eq!(up.volume.affine.spacing_mm(), [1.0, 2.0, 4.0]);

        // The other way round the last tile is the lowest.
        let down = scan(Some(&["0", "0", "-1"]));
        assert_eq!(down.volume.voxels, [4.0, 5.0, 2.0, 3.0, 0.0, 1.0]);
        assert_eq!(origin(&down), [-11.0, -21.0, -8.0]);
        assert!(down.warnings.is_empty());

        let unsaid = scan(None);
        assert_eq!(unsaid.volume, up.volume);
        assert!(
            unsaid.warnings[0].contains("direction"),
            "{:?}",
            unsaid.warnings
        );
    }

    #[test]
    fn a_mosaic_that_does_not_say_its_number_is_refused() {
        let mut image = mosaic(None);
        image.remove_element(Tag(0x29, 0x1010));
        let folder = folder_of(&[image]);
        let error = folder.choose(None).unwrap_err().to_string();
        assert!(error.contains("of how many slices"), "{error}");
    }
}
