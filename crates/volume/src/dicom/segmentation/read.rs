//! A segmentation object as a label map.

use std::io::{Cursor, Read, SeekFrom};

use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;

use super::super::codec::{self, Codec};
use super::super::dataset::{self, PixelPlace};
use super::super::header::{self, PixelFormat, Place, Slice, dot, items, number, text};
use super::super::stack::{self, SAME_PLACE_MM, is_alike};
use super::error::SegmentationError;
use super::terms::{Code, Term};
use super::write::DESCRIPTION;
use super::{Segment, color};
use crate::{Affine, Label, LabelMap};

/// Most voxels that are read, as many as a model grid may have.
const MOST_VOXELS: u64 = 1 << 28;

/// Frames may be off the grid by so much of its spacing, as positions of few digits are.
const OFF_GRID: f64 = 0.05;

/// A segmentation as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Segmentation {
    /// From the first slice with a frame to the last: slices without any may be left out in files, at either end too.
    pub map: LabelMap,
    /// What its labels are.
    pub segments: Vec<Segment>,
}

/// Reads a binary segmentation, or a fractional one of whole voxels.
///
/// A label is the number of its segment, or what the descriptions of all segments say as [`write`](super::write()) puts it.
///
/// # Errors
/// Where the file is none, its segments overlap, or its frames lie on no grid.
pub fn read(bytes: &[u8]) -> Result<Segmentation, SegmentationError> {
    let mut file = Cursor::new(bytes);
    if !dataset::is_dicom(&mut file) {
        return Err(SegmentationError::NotDicom);
    }
    let unreadable = |reason: String| SegmentationError::Unreadable { reason };
    let data = dataset::read(&mut file).map_err(unreadable)?;
    let root = &data.elements;
    check_kind(root)?;
    let format = header::pixel_format(&data)
        .ok_or_else(|| unreadable("it says no rows and columns".to_owned()))?;
    let (slices, _) = header::slices(root, &format, 0).map_err(unreadable)?;
    if slices.len() != format.num_frames {
        return Err(unreadable(format!(
            "it has {} frames and does not say where they lie",
            format.num_frames
        )));
    }
    let grid = Grid::of(&slices)?;
    let described = described(root)?;
    let frames = segments_of_frames(root, slices.len(), &described)?;
    let voxels = voxels(bytes, &format, root)?;

    let size = format.rows * format.columns;
    let num_voxels = grid.num_slices.saturating_mul(size as u64);
    let too_large = || SegmentationError::TooLarge {
        voxels: num_voxels,
        limit: MOST_VOXELS,
    };
    if num_voxels > MOST_VOXELS {
        return Err(too_large());
    }
    let mut labels = Vec::new();
    labels
        .try_reserve_exact(num_voxels as usize)
        .map_err(|_| too_large())?;
    labels.resize(num_voxels as usize, 0);
    for (frame, &segment) in frames.iter().enumerate() {
        let value = described[segment].segment.label.value;
        let start = grid.indices[frame] * size;
        let slice = &mut labels[start..start + size];
        let mut others = Vec::new();
        for (i, label) in slice.iter_mut().enumerate() {
            if !voxels.is_set(frame * size + i) {
                continue;
            }
            if *label != 0 && *label != value {
                others.push(*label);
            }
            *label = value;
        }
        if let Some(&first) = others.first() {
            let other = described
                .iter()
                .find(|d| d.segment.label.value == first)
                .expect("labels are those of segments");
            let both = [other, &described[segment]];
            return Err(SegmentationError::Overlap {
                numbers: both.map(|d| d.number),
                names: both.map(|d| d.segment.label.name.clone()),
                frame: frame + 1,
                voxels: others.len(),
            });
        }
    }
    Ok(Segmentation {
        map: LabelMap {
            labels,
            shape: [grid.num_slices as usize, format.rows, format.columns],
            affine: grid.affine,
        },
        segments: described.into_iter().map(|d| d.segment).collect(),
    })
}

impl Segmentation {
    /// The same voxels on the grid of a scan (`[z, y, x]`), whatever order its axes have: what the file leaves out is
    /// background.
    ///
    /// # Errors
    /// Where voxels of the one grid are none of the other, or labels lie outside of it.
    pub fn on_grid(
        &self,
        shape: [usize; 3],
        affine: &Affine,
    ) -> Result<LabelMap, SegmentationError> {
        let other = |reason: String| SegmentationError::OtherGrid { reason };
        let back = affine
            .inverse()
            .ok_or_else(|| other("the scan's affine is flat".to_owned()))?;
        let [depth, height, width] = self.map.shape;
        let to = |voxel: [f64; 3]| back.apply(self.map.affine.apply(voxel));
        let origin = to([0.0; 3]);
        let whole = |v: [f64; 3]| v.map(|n| n.round() as i64);
        // Along x, y and z of the file, in voxels of the scan.
        let mut steps = [[0; 3]; 3];
        for (axis, edge) in [width, height, depth].into_iter().enumerate() {
            let at = |index: f64| {
                let mut voxel = [0.0; 3];
                voxel[axis] = index;
                to(voxel)
            };
            let step = [0, 1, 2].map(|i| at(1.0)[i] - origin[i]);
            steps[axis] = whole(step);
            let end = (edge - 1).max(1) as f64;
            let off = (0..3)
                .map(|i| (at(end)[i] - origin[i] - steps[axis][i] as f64 * end).abs())
                .chain((0..3).map(|i| (origin[i] - origin[i].round()).abs()))
                .fold(0.0, f64::max);
            // A distance that is no number is none.
            let is_near = off <= OFF_GRID;
            let length: i64 = steps[axis].iter().map(|n| n.abs()).sum();
            if !is_near || length != 1 {
                let [found, expected] = [&self.map.affine, affine].map(Affine::spacing_mm);
                return Err(other(format!(
                    "voxels of {found:.3?} mm (x, y, z) that lie on a scan's voxels of {expected:.3?} mm are expected, {off:.2} voxels off at most"
                )));
            }
        }
        let origin = whole(origin);
        let mut labels = vec![0; shape.iter().product()];
        let mut outside = 0usize;
        for (i, &label) in self.map.labels.iter().enumerate() {
            if label == 0 {
                continue;
            }
            let voxel = [i % width, i / width % height, i / (width * height)].map(|n| n as i64);
            let [x, y, z] = [0, 1, 2]
                .map(|a| origin[a] + (0..3).map(|axis| steps[axis][a] * voxel[axis]).sum::<i64>());
            let inside = |n: i64, edge: usize| usize::try_from(n).ok().filter(|&n| n < edge);
            match (
                inside(z, shape[0]),
                inside(y, shape[1]),
                inside(x, shape[2]),
            ) {
                (Some(z), Some(y), Some(x)) => labels[(z * shape[1] + y) * shape[2] + x] = label,
                _ => outside += 1,
            }
        }
        if outside > 0 {
            return Err(other(format!(
                "{outside} labelled voxels lie outside of the scan, none is expected to"
            )));
        }
        Ok(LabelMap {
            labels,
            shape,
            affine: *affine,
        })
    }
}

fn check_kind(root: &InMemDicomObject) -> Result<(), SegmentationError> {
    let class = text(root, tags::SOP_CLASS_UID).unwrap_or_default();
    let modality = || text(root, tags::MODALITY).unwrap_or_else(|| "unknown".to_owned());
    let found = match class.as_str() {
        uids::SEGMENTATION_STORAGE => return Ok(()),
        uids::LABEL_MAP_SEGMENTATION_STORAGE => "a label map segmentation".to_owned(),
        uids::SURFACE_SEGMENTATION_STORAGE => "a surface segmentation".to_owned(),
        _ => format!("an object of modality {} and class {class:?}", modality()),
    };
    Err(SegmentationError::Other { found })
}

/// Where frames lie.
struct Grid {
    num_slices: u64,
    /// Slice of each frame.
    indices: Vec<usize>,
    affine: Affine,
}

impl Grid {
    fn of(slices: &[Slice]) -> Result<Self, SegmentationError> {
        let no_grid = |reason: String| SegmentationError::NoGrid { reason };
        let places: Vec<Place> = slices.iter().filter_map(|slice| slice.place).collect();
        let Some(spacing) = slices[0]
            .pixel_spacing_mm
            .filter(|_| places.len() == slices.len())
        else {
            return Err(no_grid(
                "ImagePositionPatient, ImageOrientationPatient and PixelSpacing are expected of each"
                    .to_owned(),
            ));
        };
        if slices.iter().any(|slice| !is_alike(&slices[0], slice)) {
            return Err(no_grid(
                "they come in several orientations or spacings, one is expected".to_owned(),
            ));
        }
        let [a, b] = [places[0].along_row, places[0].down_column];
        let is_unit = |v| (dot(v, v) - 1.0).abs() < 1e-3;
        if !is_unit(a) || !is_unit(b) || dot(a, b).abs() > 1e-3 {
            return Err(no_grid(format!(
                "their rows run along {a:?} and their columns along {b:?}, two directions of length 1 at right angles are expected"
            )));
        }
        let normal = places[0].normal();
        let along = |place: &Place| dot(place.position, normal);
        let mut sorted = places.clone();
        sorted.sort_by(|a, b| along(a).total_cmp(&along(b)));
        let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
        let distances: Vec<f64> = places.iter().map(|p| along(p) - along(&first)).collect();
        let span = along(&last) - along(&first);
        let smallest = sorted
            .windows(2)
            .map(|two| along(&two[1]) - along(&two[0]))
            .filter(|gap| *gap > SAME_PLACE_MM)
            .fold(f64::INFINITY, f64::min);
        // Files leave out empty slices, and not all say how far slices are apart.
        let says = [
            slices[0].gap_mm,
            smallest.is_finite().then_some(smallest),
            slices[0].thickness_mm,
        ];
        let gap = says
            .into_iter()
            .flatten()
            .find(|gap| {
                distances
                    .iter()
                    .all(|d| (d / gap - (d / gap).round()).abs() < OFF_GRID)
            })
            .ok_or_else(|| {
                no_grid(format!(
                    "their distances along the normal, {smallest:.3} mm and more, are no multiples of one, which is expected"
                ))
            })?;
        let steps = (span / gap).round();
        let step = if steps > 0.0 {
            [0, 1, 2].map(|i| (last.position[i] - first.position[i]) / steps)
        } else {
            normal.map(|n| n * gap)
        };
        let indices: Vec<f64> = distances.iter().map(|d| (d / gap).round()).collect();
        let pixel = spacing[0].min(spacing[1]);
        for (place, index) in places.iter().zip(&indices) {
            let off = [0, 1, 2].map(|i| place.position[i] - first.position[i] - step[i] * index);
            let off_mm = dot(off, off).sqrt();
            if off_mm > OFF_GRID * pixel.max(gap) {
                return Err(no_grid(format!(
                    "one is {off_mm:.3} mm off the straight line through the first and the last, along which they are expected"
                )));
            }
        }
        Ok(Self {
            num_slices: steps as u64 + 1,
            indices: indices.into_iter().map(|index| index as usize).collect(),
            affine: stack::affine(first, spacing, step),
        })
    }
}

/// A segment as the file describes it.
struct Described {
    number: u16,
    segment: Segment,
}

fn described(root: &InMemDicomObject) -> Result<Vec<Described>, SegmentationError> {
    let items = items(root, tags::SEGMENT_SEQUENCE);
    let value_said = |item: &InMemDicomObject| -> Option<u8> {
        let description = text(item, tags::SEGMENT_DESCRIPTION)?;
        let value = description.strip_prefix(DESCRIPTION)?.parse().ok()?;
        (value > 0).then_some(value)
    };
    let mut said: Vec<u8> = items.iter().filter_map(value_said).collect();
    said.sort_unstable();
    said.dedup();
    let is_said = said.len() == items.len();
    let mut described: Vec<Described> = Vec::with_capacity(items.len());
    for item in items {
        let found = number(item, tags::SEGMENT_NUMBER).unwrap_or(0);
        let value = match value_said(item).filter(|_| is_said) {
            Some(value) => value,
            None => u8::try_from(found)
                .ok()
                .filter(|&value| value > 0)
                .ok_or(SegmentationError::SegmentNumber { found })?,
        };
        let number =
            u16::try_from(found).map_err(|_| SegmentationError::SegmentNumber { found })?;
        if described.iter().any(|d| d.number == number) {
            return Err(SegmentationError::Unreadable {
                reason: format!("it describes segment {number} twice"),
            });
        }
        let unnamed = Label::unnamed(value);
        let lab = item
            .get(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE)
            .and_then(|element| element.to_multi_int::<u16>().ok())
            .and_then(|numbers| <[u16; 3]>::try_from(numbers).ok());
        let label = Label {
            value,
            name: text(item, tags::SEGMENT_LABEL).unwrap_or(unnamed.name),
            color: lab.map_or(unnamed.color, color::rgb),
        };
        let code = |tag| codes(item, tag).into_iter().next();
        let category = code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE);
        let kind = code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE);
        let term = match (category, kind) {
            (Some(category), Some(kind)) => Term {
                category,
                kind,
                modifiers: header::items(item, tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE)
                    .first()
                    .map(|kind| codes(kind, tags::SEGMENTED_PROPERTY_TYPE_MODIFIER_CODE_SEQUENCE))
                    .unwrap_or_default(),
            },
            _ => Term::of(&label, None),
        };
        described.push(Described {
            number,
            segment: Segment { label, term },
        });
    }
    Ok(described)
}

fn codes(object: &InMemDicomObject, tag: dicom_core::Tag) -> Vec<Code> {
    let code = |item: &InMemDicomObject| {
        Some(Code {
            value: text(item, tags::CODE_VALUE)?,
            scheme: text(item, tags::CODING_SCHEME_DESIGNATOR)?,
            meaning: text(item, tags::CODE_MEANING).unwrap_or_default(),
        })
    };
    items(object, tag).iter().filter_map(code).collect()
}

/// Of each frame the index of its segment among those described.
fn segments_of_frames(
    root: &InMemDicomObject,
    num_frames: usize,
    described: &[Described],
) -> Result<Vec<usize>, SegmentationError> {
    let per_frame = items(root, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE);
    let shared = items(root, tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE).first();
    (0..num_frames)
        .map(|frame| {
            let number = [per_frame.get(frame), shared]
                .into_iter()
                .flatten()
                .filter_map(|groups| items(groups, tags::SEGMENT_IDENTIFICATION_SEQUENCE).first())
                .find_map(|item| number(item, tags::REFERENCED_SEGMENT_NUMBER));
            let index = described
                .iter()
                .position(|d| Some(i64::from(d.number)) == number);
            index.ok_or_else(|| SegmentationError::Unreadable {
                reason: match number {
                    Some(number) => format!(
                        "frame {} is of segment {number}, which it does not describe",
                        frame + 1
                    ),
                    None => format!("frame {} does not say of which segment it is", frame + 1),
                },
            })
        })
        .collect()
}

/// Which voxels of all frames are set.
enum Voxels {
    Bits(Vec<u8>),
    Bytes(Vec<u8>),
}

impl Voxels {
    fn is_set(&self, index: usize) -> bool {
        match self {
            Self::Bits(bytes) => bytes[index / 8] >> (index % 8) & 1 == 1,
            Self::Bytes(bytes) => bytes[index] != 0,
        }
    }
}

fn voxels(
    bytes: &[u8],
    format: &PixelFormat,
    root: &InMemDicomObject,
) -> Result<Voxels, SegmentationError> {
    let unreadable = |reason: String| SegmentationError::Unreadable { reason };
    let syntax = &format.transfer_syntax;
    let (Some(PixelPlace::Native(place)), Some(Codec::LittleEndian)) =
        (&format.place, Codec::of(syntax))
    else {
        return Err(unreadable(format!(
            "its pixels are missing or stored as {}: uncompressed ones, little endian, are expected",
            codec::name(syntax)
        )));
    };
    let kind = text(root, tags::SEGMENTATION_TYPE).unwrap_or_default();
    let bits = u64::from(format.bits_allocated);
    match (kind.as_str(), bits) {
        ("BINARY", 1) | ("FRACTIONAL", 8) if format.samples == 1 => {}
        _ => {
            return Err(unreadable(format!(
                "it is of type {kind:?} with {} samples of {bits} bits a voxel: BINARY with 1 bit or FRACTIONAL with 8 is expected",
                format.samples
            )));
        }
    }
    let got = place.end - place.start;
    let needed = [format.num_frames, format.rows, format.columns]
        .into_iter()
        .try_fold(bits, |bits, n| bits.checked_mul(n as u64))
        .map(|bits| bits.div_ceil(8))
        .filter(|&needed| needed <= got)
        .ok_or_else(|| {
            unreadable(format!(
                "{} frames of {} × {} voxels do not fit into its {got} bytes of pixels",
                format.num_frames, format.columns, format.rows
            ))
        })?;
    let mut file = dataset::unpacked(Box::new(Cursor::new(bytes)), syntax).map_err(unreadable)?;
    let mut pixels = Vec::new();
    let read = file
        .seek(SeekFrom::Start(place.start))
        .and_then(|_| file.take(needed).read_to_end(&mut pixels));
    match read {
        Ok(read) if read as u64 == needed => {}
        _ => return Err(unreadable("it ends within its pixels".to_owned())),
    }
    if bits == 1 {
        return Ok(Voxels::Bits(pixels));
    }
    let most = number(root, tags::MAXIMUM_FRACTIONAL_VALUE).and_then(|n| u8::try_from(n).ok());
    let most = most.unwrap_or(u8::MAX);
    match pixels.iter().find(|&&value| value != 0 && value != most) {
        Some(&value) => Err(SegmentationError::Fractional { value, most }),
        None => Ok(Voxels::Bytes(pixels)),
    }
}
