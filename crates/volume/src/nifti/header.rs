//! The bytes before the voxels: which field lies where in either version, and in which byte order.

use crate::{Affine, Datatype, Format, ScanError, Source};

use super::datatype::code;

/// NIFTI_INTENT_LABEL.
pub(super) const INTENT_LABEL: i64 = 1002;
/// NIFTI_XFORM_SCANNER_ANAT: the place that the scanner says.
pub(crate) const SCANNER: i16 = 1;
/// NIFTI_XFORM_ALIGNED_ANAT: a place that is only taken, so that what is made for a scan lies on it.
pub(crate) const ALIGNED: i16 = 2;
/// NIFTI_UNITS_MM.
pub(super) const UNITS_MM: i64 = 2;

/// How a number is stored.
#[derive(Clone, Copy)]
pub(super) enum Number {
    Byte,
    Short,
    Int,
    Long,
    Single,
    Double,
}

/// Where a field lies and how its numbers are stored: in NIfTI-1, then in NIfTI-2.
#[derive(Clone, Copy)]
pub(super) struct Field(usize, Number, usize, Number);

impl Field {
    /// One that NIfTI put something else for.
    pub const fn of_analyze(at: usize, number: Number) -> Self {
        Self(at, number, at, number)
    }
}

/// Source: nifti1.h and nifti2.h.
pub(super) mod field {
    use super::Field;
    use super::Number::{Byte, Double, Int, Long, Short, Single};

    pub const SIZEOF_HDR: Field = Field(0, Int, 0, Int);
    pub const DIM: Field = Field(40, Short, 16, Long);
    pub const INTENT_CODE: Field = Field(68, Short, 504, Int);
    pub const DATATYPE: Field = Field(70, Short, 12, Short);
    pub const BITPIX: Field = Field(72, Short, 14, Short);
    pub const PIXDIM: Field = Field(76, Single, 104, Double);
    pub const VOX_OFFSET: Field = Field(108, Single, 168, Long);
    pub const SCL_SLOPE: Field = Field(112, Single, 176, Double);
    pub const SCL_INTER: Field = Field(116, Single, 184, Double);
    pub const XYZT_UNITS: Field = Field(123, Byte, 500, Int);
    pub const CAL_MAX: Field = Field(124, Single, 192, Double);
    pub const CAL_MIN: Field = Field(128, Single, 200, Double);
    pub const QFORM_CODE: Field = Field(252, Short, 344, Int);
    pub const SFORM_CODE: Field = Field(254, Short, 348, Int);
    pub const QUATERN: Field = Field(256, Single, 352, Double);
    pub const QOFFSET: Field = Field(268, Single, 376, Double);
    pub const SROW: Field = Field(280, Single, 400, Double);

    /// First byte of the description in either version.
    pub const DESCRIP: [usize; 2] = [148, 240];
    pub const DESCRIP_BYTES: usize = 80;
    /// First byte of the magic in either version.
    pub const MAGIC: [usize; 2] = [344, 4];
}

/// What lies behind the three letters of NIfTI-2's magic: changed by whatever takes a file for text.
const LINE_ENDS: &[u8; 5] = b"\0\r\n\x1a\n";

/// Where voxels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Behind the header.
    Single,
    /// In a file of their own.
    Pair,
    /// In a file of their own; what NIfTI added to the header is not there.
    Analyze,
}

/// A header as it came, or made anew.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    bytes: Vec<u8>,
    is_big_endian: bool,
    pub(super) kind: Kind,
}

/// The header size that a file begins with, and whether in the byte order of big ends.
fn size(head: &[u8]) -> Option<(usize, bool)> {
    let start = *head.first_chunk()?;
    match (u32::from_le_bytes(start), u32::from_be_bytes(start)) {
        (size @ (348 | 540), _) => Some((size as usize, false)),
        (_, size @ (348 | 540)) => Some((size as usize, true)),
        _ => None,
    }
}

/// Whether a file begins as a header does.
pub(crate) fn is_header(head: &[u8]) -> bool {
    size(head).is_some()
}

impl Header {
    /// The header at the beginning of `file`, which is `head`.
    pub fn parse(head: &[u8], file: Source<'_>) -> Result<Self, ScanError> {
        let (size, is_big_endian) = size(head).expect("asked only where it is one");
        let bytes = head.get(..size);
        let mut header = Self {
            bytes: bytes.ok_or_else(|| file.header_ends(size, head))?.to_vec(),
            is_big_endian,
            kind: Kind::Single,
        };
        header.kind = match (header.format(), header.magic()) {
            (_, b"n+1" | b"n+2") => Kind::Single,
            (_, b"ni1" | b"ni2") => Kind::Pair,
            (Format::Nifti1, _) => Kind::Analyze,
            _ => {
                return Err(ScanError::Unknown {
                    start: format!(
                        "a header size of 540, but its magic is {:?}",
                        header.magic_text()
                    ),
                });
            }
        };
        let after = &header.bytes[field::MAGIC[1] + 3..][..5];
        // All zeros are what an early writer left.
        if header.is_nifti_2() && after != LINE_ENDS && after != [0; 5] {
            let as_bytes = |bytes: &[u8]| std::array::from_fn(|i| bytes[i]);
            return Err(ScanError::TextTransfer {
                found: as_bytes(&header.bytes[field::MAGIC[1]..]),
                expected: as_bytes(&[header.magic(), LINE_ENDS].concat()),
            });
        }
        Ok(header)
    }

    /// Of a grid placed by `affine`, with code `code` of the sform, and of the qform where that can say the same; in mm,
    /// little-endian, of NIfTI-1 unless an edge is too long for it.
    ///
    /// # Panics
    /// For another number of edges than 1 to 7.
    pub fn new(shape: &[usize], affine: &Affine, code: i16) -> Self {
        assert!((1..=7).contains(&shape.len()), "{} axes", shape.len());
        let is_short = shape.iter().all(|&edge| i16::try_from(edge).is_ok());
        let size = if is_short { 348 } else { 540 };
        let mut header = Self {
            bytes: vec![0; size],
            is_big_endian: false,
            kind: Kind::Single,
        };
        header.put_whole(field::SIZEOF_HDR, 0, size as i64);
        header.put_whole(field::DIM, 0, shape.len() as i64);
        for axis in 0..7 {
            let edge = shape.get(axis).copied().unwrap_or(1);
            header.put_whole(field::DIM, axis + 1, edge as i64);
        }
        header.put_whole(field::XYZT_UNITS, 0, UNITS_MM);
        header.put_place(shape, affine, code);
        header
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn is_big_endian(&self) -> bool {
        self.is_big_endian
    }

    pub fn format(&self) -> Format {
        match self.kind {
            Kind::Analyze => Format::Analyze,
            _ if self.is_nifti_2() => Format::Nifti2,
            _ => Format::Nifti1,
        }
    }

    pub(super) fn is_nifti_2(&self) -> bool {
        self.bytes.len() == 540
    }

    fn version(&self) -> usize {
        usize::from(self.is_nifti_2())
    }

    /// The first three letters.
    fn magic(&self) -> &[u8] {
        &self.bytes[field::MAGIC[self.version()]..][..3]
    }

    pub(super) fn magic_text(&self) -> String {
        let magic = &self.bytes[field::MAGIC[self.version()]..][..4];
        String::from_utf8_lossy(magic)
            .trim_end_matches('\0')
            .to_owned()
    }

    /// Where voxels start in a single file without extensions: behind four bytes that say there are none.
    pub fn first_voxel(&self) -> usize {
        self.bytes.len() + 4
    }

    /// Edges in the file's order: x, y, z, t, …
    pub(super) fn shape(&self) -> Result<Vec<usize>, ScanError> {
        let dim: Vec<i64> = (0..8).map(|i| self.whole(field::DIM, i)).collect();
        let count = usize::try_from(dim[0])
            .ok()
            .filter(|count| (1..=7).contains(count));
        count
            .and_then(|count| {
                dim[1..=count]
                    .iter()
                    .map(|&n| usize::try_from(n).ok().filter(|&n| n > 0))
                    .collect()
            })
            .ok_or(ScanError::Dimensions { dim })
    }

    pub fn qform_code(&self) -> i16 {
        self.whole(field::QFORM_CODE, 0) as i16
    }

    pub fn sform_code(&self) -> i16 {
        self.whole(field::SFORM_CODE, 0) as i16
    }

    fn place(&self, field: Field, index: usize) -> (usize, Number) {
        let Field(in_1, as_1, in_2, as_2) = field;
        let (at, number) = if self.is_nifti_2() {
            (in_2, as_2)
        } else {
            (in_1, as_1)
        };
        (at + index * number.bytes(), number)
    }

    fn get<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut bytes = std::array::from_fn(|i| self.bytes[at + i]);
        if self.is_big_endian {
            bytes.reverse();
        }
        bytes
    }

    /// A whole number of a field, counted from its first.
    pub(super) fn whole(&self, field: Field, index: usize) -> i64 {
        let (at, number) = self.place(field, index);
        match number {
            Number::Byte => i64::from(self.bytes[at]),
            Number::Short => i64::from(i16::from_le_bytes(self.get(at))),
            Number::Int => i64::from(i32::from_le_bytes(self.get(at))),
            Number::Long => i64::from_le_bytes(self.get(at)),
            Number::Single | Number::Double => self.real(field, index) as i64,
        }
    }

    /// A number of a field, counted from its first.
    pub(super) fn real(&self, field: Field, index: usize) -> f64 {
        let (at, number) = self.place(field, index);
        match number {
            Number::Single => f64::from(f32::from_le_bytes(self.get(at))),
            Number::Double => f64::from_le_bytes(self.get(at)),
            _ => self.whole(field, index) as f64,
        }
    }

    /// So many numbers of a field in a row.
    pub(super) fn reals<const N: usize>(&self, field: Field, first: usize) -> [f64; N] {
        std::array::from_fn(|i| self.real(field, first + i))
    }

    fn put(&mut self, at: usize, little: &[u8]) {
        let room = &mut self.bytes[at..at + little.len()];
        room.copy_from_slice(little);
        if self.is_big_endian {
            room.reverse();
        }
    }

    pub(super) fn put_whole(&mut self, field: Field, index: usize, value: i64) {
        let (at, number) = self.place(field, index);
        match number {
            Number::Byte => self.bytes[at] = value as u8,
            Number::Short => self.put(at, &(value as i16).to_le_bytes()),
            Number::Int => self.put(at, &(value as i32).to_le_bytes()),
            Number::Long => self.put(at, &value.to_le_bytes()),
            Number::Single | Number::Double => self.put_real(field, index, value as f64),
        }
    }

    pub(super) fn put_real(&mut self, field: Field, index: usize, value: f64) {
        let (at, number) = self.place(field, index);
        match number {
            Number::Single => self.put(at, &(value as f32).to_le_bytes()),
            Number::Double => self.put(at, &value.to_le_bytes()),
            _ => self.put_whole(field, index, value as i64),
        }
    }

    pub(super) fn put_reals(&mut self, field: Field, first: usize, values: &[f64]) {
        for (i, &value) in values.iter().enumerate() {
            self.put_real(field, first + i, value);
        }
    }

    /// A single file of voxels of this type, from the first byte where they may start.
    pub(super) fn put_storage(&mut self, datatype: Datatype, scaling: Option<(f64, f64)>) {
        let (slope, inter) = scaling.unwrap_or((1.0, 0.0));
        self.put_whole(field::DATATYPE, 0, i64::from(code(datatype)));
        self.put_whole(field::BITPIX, 0, 8 * datatype.bytes() as i64);
        self.put_whole(field::VOX_OFFSET, 0, self.first_voxel() as i64);
        self.put_real(field::SCL_SLOPE, 0, slope);
        self.put_real(field::SCL_INTER, 0, inter);
        let magic = if self.is_nifti_2() { b"n+2" } else { b"n+1" };
        let at = field::MAGIC[self.version()];
        self.bytes[at..at + 3].copy_from_slice(magic);
        if self.is_nifti_2() {
            self.bytes[at + 3..at + 8].copy_from_slice(LINE_ENDS);
        }
        self.kind = Kind::Single;
    }

    /// Three dimensions, of whatever the others were.
    pub fn keep_one_volume(&mut self) {
        self.put_whole(field::DIM, 0, 3);
        for axis in 4..8 {
            self.put_whole(field::DIM, axis, 1);
        }
        // What the volumes were together (a vector, a series), one of them is not.
        self.put_whole(field::INTENT_CODE, 0, 0);
    }

    /// So many volumes of `shape`, z, y, x, along a fourth axis.
    pub(super) fn put_volumes(&mut self, shape: [usize; 3], count: usize) {
        self.keep_one_volume();
        let [z, y, x] = shape;
        for (axis, edge) in [4, x, y, z, count].into_iter().enumerate() {
            self.put_whole(field::DIM, axis, edge as i64);
        }
    }

    /// The description; of bytes that are no text nothing.
    pub fn description(&self) -> &str {
        let at = field::DESCRIP[self.version()];
        let text = &self.bytes[at..at + field::DESCRIP_BYTES];
        let end = text.iter().position(|byte| *byte == 0);
        str::from_utf8(&text[..end.unwrap_or(text.len())]).unwrap_or_default()
    }

    /// The description, cut to 79 bytes.
    pub(super) fn put_description(&mut self, description: &str) {
        let mut text = [0; field::DESCRIP_BYTES];
        let mut end = description.len().min(field::DESCRIP_BYTES - 1); // the last byte ends the text
        while !description.is_char_boundary(end) {
            end -= 1;
        }
        text[..end].copy_from_slice(&description.as_bytes()[..end]);
        let at = field::DESCRIP[self.version()];
        self.bytes[at..at + text.len()].copy_from_slice(&text);
    }
}

impl Number {
    fn bytes(self) -> usize {
        match self {
            Self::Byte => 1,
            Self::Short => 2,
            Self::Int | Self::Single => 4,
            Self::Long | Self::Double => 8,
        }
    }
}
