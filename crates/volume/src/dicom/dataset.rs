//! The elements of a file, read up to its pixels, and where those lie. What a length claims is never believed: larger
//! values than a header's are passed over, so that a damaged file costs no memory.

use std::io::{Cursor, Read, SeekFrom};
use std::ops::Range;

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use dicom_object::mem::InMemElement;
use dicom_parser::StatefulDecode;
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};
use flate2::bufread::DeflateDecoder;

use super::source::ReadSeek;

/// Siemens' private headers are the largest values that are looked into, about a tenth of this.
const LARGEST_VALUE: u32 = 1 << 20;

/// Functional groups nest four deep.
const DEEPEST: usize = 16;

/// A deflated data set may be so many times as large as its file, and a little more: enough for images, too little for a bomb.
const INFLATED_RATIO: u64 = 64;

/// The elements of a file before its pixels.
pub(super) struct DataSet {
    pub elements: InMemDicomObject,
    pub transfer_syntax: String,
    pub pixels: Option<PixelPlace>,
}

/// Where a file's pixels lie, in bytes from its start (of the unpacked data set, where it is deflated).
#[derive(Debug, Clone)]
pub(super) enum PixelPlace {
    /// As they are, one frame after the other.
    Native(Range<u64>),
    /// Compressed; the table holds where frames start among the fragments, and may be empty.
    Encapsulated {
        offsets: Vec<u32>,
        fragments: Vec<Range<u64>>,
    },
}

/// Text of a file as messages can show it: in one line, without what steers a terminal.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

/// Whether these are the bytes of a DICOM file: 128 of anything, then `DICM`.
pub(super) fn is_dicom(file: &mut dyn ReadSeek) -> bool {
    let mut start = [0; 132];
    file.read_exact(&mut start).is_ok() && &start[128..] == b"DICM"
}

/// Reads up to the pixels of a file of which [`is_dicom`] was asked.
pub(super) fn read(file: &mut dyn ReadSeek) -> Result<DataSet, String> {
    let transfer_syntax = read_meta(file)?;
    let mut inflated = inflate(file, &transfer_syntax)?;
    let file = match &mut inflated {
        Some(bytes) => bytes as &mut dyn ReadSeek,
        None => file,
    };
    let start = file.stream_position().map_err(|e| e.to_string())?;
    let length = file.seek(SeekFrom::End(0)).map_err(|e| e.to_string())?;
    file.seek(SeekFrom::Start(start))
        .map_err(|e| e.to_string())?;
    // The pixels of a compressed file are in a data set of explicit little endian, and so is what was deflated.
    let uid = if inflated_by(&transfer_syntax) {
        uids::EXPLICIT_VR_LITTLE_ENDIAN
    } else {
        &transfer_syntax
    };
    let syntax = TransferSyntaxRegistry
        .get(uid)
        .ok_or_else(|| format!("its transfer syntax {transfer_syntax:?} is not known"))?;
    let mut reader = LazyDataSetReader::new_with_ts(&mut *file, syntax)
        .map_err(|_| format!("data sets of transfer syntax {transfer_syntax} can't be read"))?;
    let mut elements = Vec::new();
    let found = read_elements(&mut reader, 0, true, &mut elements)?;
    let place = reader.into_decoder().position();
    let pixels = match found {
        Found::None => None,
        Found::Native(bytes) => {
            let end = (place + u64::from(bytes)).min(length);
            Some(PixelPlace::Native(place..end.max(place)))
        }
        Found::Encapsulated => Some(read_fragments(file, place, length)?),
    };
    Ok(DataSet {
        elements: InMemDicomObject::from_element_iter(elements),
        transfer_syntax,
        pixels,
    })
}

/// The bytes in which a [`PixelPlace`] counts.
pub(super) fn unpacked<'a>(
    mut file: Box<dyn ReadSeek + 'a>,
    transfer_syntax: &str,
) -> Result<Box<dyn ReadSeek + 'a>, String> {
    if !inflated_by(transfer_syntax) {
        return Ok(file);
    }
    if !is_dicom(&mut *file) {
        return Err("it has changed".to_owned());
    }
    read_meta(&mut *file)?;
    match inflate(&mut *file, transfer_syntax)? {
        Some(bytes) => Ok(Box::new(bytes)),
        None => Ok(file),
    }
}

fn inflated_by(transfer_syntax: &str) -> bool {
    transfer_syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
}

fn inflate(
    file: &mut dyn ReadSeek,
    transfer_syntax: &str,
) -> Result<Option<Cursor<Vec<u8>>>, String> {
    if !inflated_by(transfer_syntax) {
        return Ok(None);
    }
    let mut packed = Vec::new();
    file.read_to_end(&mut packed).map_err(|e| e.to_string())?;
    let most = packed.len() as u64 * INFLATED_RATIO + (1 << 16);
    let mut bytes = Vec::new();
    DeflateDecoder::new(&packed[..])
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("its deflated data set is damaged: {e}"))?;
    if bytes.len() as u64 > most {
        return Err(format!(
            "its deflated data set of {} bytes holds more than {most}, as no scan's does",
            packed.len()
        ));
    }
    Ok(Some(Cursor::new(bytes)))
}

/// The UID of the transfer syntax; the file then stands where its data set begins.
///
/// Group 2 is in explicit little endian whatever follows; its stated length is wrong in some files, so its end is where
/// another group begins.
fn read_meta(file: &mut dyn ReadSeek) -> Result<String, String> {
    let early = |_| "it ends in its file meta information".to_owned();
    let mut uid = None;
    loop {
        let start = file.stream_position().map_err(|e| e.to_string())?;
        let mut header = [0; 8];
        if file.read_exact(&mut header).is_err() || header[..2] != [2, 0] {
            file.seek(SeekFrom::Start(start))
                .map_err(|e| e.to_string())?;
            return uid.ok_or_else(|| "it states no transfer syntax".to_owned());
        }
        let mut length = u32::from(u16::from_le_bytes([header[6], header[7]]));
        if matches!(&header[4..6], b"OB" | b"OW" | b"UN" | b"SQ" | b"UT") {
            let mut long = [0; 4];
            file.read_exact(&mut long).map_err(early)?;
            length = u32::from_le_bytes(long);
        }
        if header[2..4] == [0x10, 0] {
            let mut bytes = vec![0; length.min(256) as usize];
            file.read_exact(&mut bytes).map_err(early)?;
            let text = String::from_utf8_lossy(&bytes);
            uid = Some(printable(text.trim_end_matches(['\0', ' '])));
        } else {
            file.seek(SeekFrom::Current(i64::from(length)))
                .map_err(|e| e.to_string())?;
        }
    }
}

enum Found {
    None,
    Native(u32),
    Encapsulated,
}

/// Elements of the data set or of one item of it. The reader then stands after the item, or at the first byte of the pixels.
fn read_elements<S: StatefulDecode>(
    reader: &mut LazyDataSetReader<S>,
    depth: usize,
    is_kept: bool,
    elements: &mut Vec<InMemElement>,
) -> Result<Found, String> {
    if depth > DEEPEST {
        return Err(format!("its sequences are nested over {DEEPEST} deep"));
    }
    let is_root = depth == 0;
    while let Some(token) = reader.advance() {
        match token.map_err(|e| in_words(&e))? {
            LazyDataToken::ElementHeader(_) | LazyDataToken::ItemStart { .. } => {}
            LazyDataToken::LazyValue { header, .. }
                if is_root && header.tag >= tags::FLOAT_PIXEL_DATA =>
            {
                return Ok(match header.tag {
                    tags::PIXEL_DATA => Found::Native(header.len.0),
                    _ => Found::None,
                });
            }
            token @ LazyDataToken::LazyValue { .. } => {
                let LazyDataToken::LazyValue { header, .. } = &token else {
                    unreachable!("matched above")
                };
                let (tag, vr, length) = (header.tag, header.vr, header.len.0);
                if is_kept && length <= LARGEST_VALUE && is_read(tag, is_root) {
                    let value = token.into_value().map_err(|e| in_words(&e))?;
                    elements.push(DataElement::new(tag, vr, value));
                } else {
                    token.skip().map_err(|e| in_words(&e))?;
                }
            }
            LazyDataToken::SequenceStart { tag, .. } => {
                let is_kept = is_kept && is_read(tag, is_root);
                let items = read_items(reader, depth, is_kept)?;
                if is_kept {
                    elements.push(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
                }
            }
            LazyDataToken::PixelSequenceStart if is_root => return Ok(Found::Encapsulated),
            // The pixels of an icon.
            LazyDataToken::PixelSequenceStart => {
                while let Some(token) = reader.advance() {
                    let token = token.map_err(|e| in_words(&e))?;
                    if token.is_sequence_end() {
                        break;
                    }
                    token.skip().map_err(|e| in_words(&e))?;
                }
            }
            LazyDataToken::ItemEnd if !is_root => return Ok(Found::None),
            _ => return Err("its elements are not in order".to_owned()),
        }
    }
    if is_root {
        Ok(Found::None)
    } else {
        Err("it ends within a sequence".to_owned())
    }
}

fn read_items<S: StatefulDecode>(
    reader: &mut LazyDataSetReader<S>,
    depth: usize,
    is_kept: bool,
) -> Result<Vec<InMemDicomObject>, String> {
    let mut items = Vec::new();
    while let Some(token) = reader.advance() {
        match token.map_err(|e| in_words(&e))? {
            LazyDataToken::ItemStart { .. } => {
                let mut elements = Vec::new();
                read_elements(reader, depth + 1, is_kept, &mut elements)?;
                if is_kept {
                    items.push(InMemDicomObject::from_element_iter(elements));
                }
            }
            LazyDataToken::SequenceEnd => return Ok(items),
            _ => return Err("its sequences are not in order".to_owned()),
        }
    }
    Err("it ends within a sequence".to_owned())
}

/// Private elements only of the file itself, and of them those of Siemens' mosaics.
fn is_read(tag: Tag, is_root: bool) -> bool {
    tag.group().is_multiple_of(2) || is_root && matches!(tag.group(), 0x19 | 0x29)
}

/// The items from `place` on: the offset table, then fragments.
fn read_fragments(file: &mut dyn ReadSeek, place: u64, length: u64) -> Result<PixelPlace, String> {
    let early = |_| "it ends within its pixels".to_owned();
    let mut offsets = None;
    let mut fragments = Vec::new();
    let mut at = place;
    loop {
        file.seek(SeekFrom::Start(at)).map_err(|e| e.to_string())?;
        let mut header = [0; 8];
        file.read_exact(&mut header).map_err(early)?;
        let bytes = u64::from(u32::from_le_bytes([
            header[4], header[5], header[6], header[7],
        ]));
        let item = at + 8..at + 8 + bytes;
        match header[..4] {
            [0xfe, 0xff, 0x00, 0xe0] if item.end <= length => {}
            [0xfe, 0xff, 0x00, 0xe0] => return Err("it ends within its pixels".to_owned()),
            [0xfe, 0xff, 0xdd, 0xe0] => break,
            _ => return Err("its compressed pixels are not in order".to_owned()),
        }
        at = item.end;
        if offsets.is_some() {
            fragments.push(item);
        } else {
            let mut table = vec![0; bytes as usize];
            file.read_exact(&mut table).map_err(early)?;
            let entries = table.chunks_exact(4);
            offsets = Some(
                entries
                    .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
            );
        }
    }
    Ok(PixelPlace::Encapsulated {
        offsets: offsets.unwrap_or_default(),
        fragments,
    })
}

/// The innermost reason, which is what says something.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
