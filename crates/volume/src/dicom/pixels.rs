//! Values of a slice from the bytes of its file.

use std::borrow::Cow;
use std::io::{Read, SeekFrom};

use super::codec::{self, Codec};
use super::dataset::{self, PixelPlace};
use super::error::DicomError;
use super::header::{PixelFormat, Slice};
use super::source::{ReadSeek, Source};

/// As many as an image of 8192 × 8192 has: slices are smaller.
const MOST_PIXELS: usize = 1 << 26;

/// Frames of several files, one after the other; the file and the frame asked for last are kept, for the next slice of them.
pub(super) struct FrameReader<'a> {
    open: Option<(usize, Box<dyn ReadSeek + 'a>)>,
    frame: Option<(usize, usize, Frame)>,
}

struct Frame {
    samples: Vec<u32>,
    is_rgb: bool,
}

impl<'a> FrameReader<'a> {
    pub(super) fn new() -> Self {
        Self {
            open: None,
            frame: None,
        }
    }

    /// Appends a slice's values, rescaled, row by row.
    pub(super) fn read(
        &mut self,
        source: &'a dyn Source,
        format: &PixelFormat,
        slice: &Slice,
        values: &mut Vec<f32>,
    ) -> Result<(), DicomError> {
        let name = source.name();
        let codec = supported(format, name)?;
        let is_there = matches!(&self.frame, Some((file, frame, _)) if [*file, *frame] == [slice.file, slice.frame]);
        if !is_there {
            let frame = self.decode(source, codec, format, slice)?;
            self.frame = Some((slice.file, slice.frame, frame));
        }
        let Some((_, _, frame)) = &self.frame else {
            unreachable!("decoded above")
        };
        let [top, left] = slice.corner;
        let [slope, intercept] = slice.rescale;
        let rescaled = |value: f64| (value * slope + intercept) as f32;
        let is_rgb = frame.is_rgb || format.photometric == "RGB";
        for row in top..top + slice.shape[0] {
            let start = (row * format.columns + left) * format.samples;
            let row = &frame.samples[start..start + slice.shape[1] * format.samples];
            if format.samples == 1 {
                values.extend(row.iter().map(|&sample| rescaled(format.value(sample))));
            } else {
                let pixels = row
                    .chunks_exact(3)
                    .map(|pixel| [pixel[0], pixel[1], pixel[2]]);
                // In YBR the first sample is the luminance.
                let grey = |pixel: [u32; 3]| {
                    if is_rgb {
                        luminance(pixel)
                    } else {
                        pixel[0].into()
                    }
                };
                values.extend(pixels.map(|pixel| rescaled(grey(pixel))));
            }
        }
        Ok(())
    }

    fn decode(
        &mut self,
        source: &'a dyn Source,
        codec: Codec,
        format: &PixelFormat,
        slice: &Slice,
    ) -> Result<Frame, DicomError> {
        let failed = |reason: String| DicomError::Frame {
            name: source.name().to_owned(),
            frame: slice.frame + 1,
            reason,
        };
        if !matches!(&self.open, Some((file, _)) if *file == slice.file) {
            let file = source.open().map_err(|e| DicomError::Io {
                name: source.name().to_owned(),
                reason: e.to_string(),
            })?;
            let file = dataset::unpacked(file, &format.transfer_syntax).map_err(failed)?;
            self.open = Some((slice.file, file));
        }
        let Some((_, file)) = &mut self.open else {
            unreachable!("opened above")
        };
        let bytes = frame_bytes(&mut **file, format, slice.frame).map_err(failed)?;
        let (samples, is_rgb) = codec::decode(codec, format, &bytes).map_err(failed)?;
        let expected = format.rows * format.columns * format.samples;
        if samples.len() != expected {
            return Err(failed(format!("{} samples for {expected}", samples.len())));
        }
        Ok(Frame { samples, is_rgb })
    }
}

/// What can be decoded, before anything is read or room is made for it.
pub(super) fn supported(format: &PixelFormat, name: &str) -> Result<Codec, DicomError> {
    let codec = Codec::of(&format.transfer_syntax).ok_or_else(|| DicomError::TransferSyntax {
        name: name.to_owned(),
        syntax: codec::name(&format.transfer_syntax),
    })?;
    let bits = (format.bits_allocated, format.bits_stored);
    let is_grey = format.samples == 1
        && matches!(
            format.photometric.as_str(),
            "MONOCHROME1" | "MONOCHROME2" | ""
        )
        && matches!(format.bits_allocated, 8 | 16 | 32)
        && (1..=format.bits_allocated).contains(&format.bits_stored)
        && (format.bits_stored - 1..format.bits_allocated).contains(&format.high_bit);
    let is_colour = format.samples == 3
        && bits == (8, 8)
        && (format.photometric == "RGB" || format.photometric.starts_with("YBR_"));
    if (is_grey || is_colour) && format.rows * format.columns <= MOST_PIXELS {
        let failed = |reason| DicomError::Frame {
            name: name.to_owned(),
            frame: 1,
            reason,
        };
        format.check_claim(codec).map_err(failed)?;
        Ok(codec)
    } else {
        Err(DicomError::PixelFormat {
            name: name.to_owned(),
            found: format!(
                "{} × {} of {} with {} samples of {} bits in {}",
                format.columns,
                format.rows,
                match format.photometric.as_str() {
                    "" => "no kind",
                    kind => kind,
                },
                format.samples,
                format.bits_stored,
                format.bits_allocated
            ),
        })
    }
}

/// Of ITU-R BT.601; in whole numbers, as NIfTI's colours are read.
fn luminance([red, green, blue]: [u32; 3]) -> f64 {
    f64::from(299 * red + 587 * green + 114 * blue) / 1000.0
}

impl PixelFormat {
    /// Whether the stored bytes can be all frames, so that a small file can't claim a large image. (What JPEG 2000 and JPEG XL
    /// make of a byte has no bound; their streams say their size, which is compared.)
    fn check_claim(&self, codec: Codec) -> Result<(), String> {
        let place = self.place.as_ref().ok_or("there are no pixels")?;
        let (stored, ratio) = match place {
            PixelPlace::Native(place) => (place.end - place.start, Some(1)),
            PixelPlace::Encapsulated { fragments, .. } => {
                let lengths = fragments
                    .iter()
                    .map(|fragment| fragment.end - fragment.start);
                (lengths.sum(), codec.most_bytes_of_one())
            }
        };
        let frame = self.frame_bytes() as u64;
        let claimed = frame.saturating_mul(self.num_frames as u64);
        match ratio {
            Some(ratio) if claimed > stored.saturating_mul(ratio) => Err(format!(
                "its pixels have {stored} bytes, {frame} a frame are expected when they are unpacked"
            )),
            _ => Ok(()),
        }
    }

    /// The stored bits of a sample: what lies above or below them, such as overlays, is none of its value.
    fn value(&self, sample: u32) -> f64 {
        let top = 31 - self.high_bit;
        let bottom = 32 - self.bits_stored;
        let aligned = sample << top;
        if self.is_signed {
            f64::from(aligned as i32 >> bottom)
        } else {
            f64::from(aligned >> bottom)
        }
    }

    /// In numpy's words.
    pub(super) fn datatype_name(&self) -> &'static str {
        match (self.bits_allocated, self.is_signed) {
            (8, false) => "uint8",
            (8, true) => "int8",
            (16, false) => "uint16",
            (16, true) => "int16",
            (_, false) => "uint32",
            (_, true) => "int32",
        }
    }
}

/// The bytes of one frame as they are stored.
fn frame_bytes(
    file: &mut dyn ReadSeek,
    format: &PixelFormat,
    frame: usize,
) -> Result<Vec<u8>, String> {
    let read = |file: &mut dyn ReadSeek, start: u64, bytes: u64, to: &mut Vec<u8>| {
        file.seek(SeekFrom::Start(start))
            .map_err(|e| e.to_string())?;
        let got = file
            .take(bytes)
            .read_to_end(to)
            .map_err(|e| e.to_string())?;
        if (got as u64) < bytes {
            return Err(format!("the file ends after {got} of its {bytes} bytes"));
        }
        Ok(())
    };
    let mut bytes = Vec::new();
    match format.place.as_ref().ok_or("there are no pixels")? {
        PixelPlace::Native(place) => {
            let length = format.frame_bytes() as u64;
            let start = place.start + length * frame as u64;
            if start + length > place.end {
                return Err(format!(
                    "its pixels have {} bytes, {length} a frame are expected",
                    place.end - place.start
                ));
            }
            read(file, start, length, &mut bytes)?;
        }
        PixelPlace::Encapsulated { offsets, fragments } => {
            let of_frame: Cow<[_]> = if format.num_frames == 1 {
                Cow::Borrowed(fragments)
            } else if fragments.len() == format.num_frames {
                Cow::Borrowed(&fragments[frame..=frame])
            } else if offsets.len() == format.num_frames {
                // Counted from the first fragment's item.
                let first = fragments.first().ok_or("there are no pixels")?.start - 8;
                let start = u64::from(offsets[frame]) + first;
                let end = offsets
                    .get(frame + 1)
                    .map_or(u64::MAX, |&o| u64::from(o) + first);
                let is_inside =
                    |fragment: &&std::ops::Range<u64>| (start..end).contains(&(fragment.start - 8));
                Cow::Owned(fragments.iter().filter(is_inside).cloned().collect())
            } else {
                return Err(format!(
                    "{} frames in {} fragments, without a table of where they begin",
                    format.num_frames,
                    fragments.len()
                ));
            };
            for fragment in &*of_frame {
                read(
                    file,
                    fragment.start,
                    fragment.end - fragment.start,
                    &mut bytes,
                )?;
            }
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use dicom_core::value::{DataSetSequence, PixelFragmentSequence};
    use dicom_core::{DataElement, VR};
    use dicom_dictionary_std::{tags, uids};
    use dicom_object::InMemDicomObject;

    use super::super::fixture::{encoded_as, folder, image, put, put_number, put_position};

    /// Bytes of 2 × 3 pixels: the high ones are 0, the low ones as given.
    fn rle(low: [u8; 6]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        for (at, number) in [(0, 2u8), (4, 64), (8, 66)] {
            bytes[at] = number;
        }
        // A run of six zeros, then six literal bytes; of an even length.
        bytes.extend([251, 0, 5]);
        bytes.extend(low);
        bytes.push(128);
        bytes
    }

    /// An enhanced file of two frames in fragments.
    fn enhanced(offsets: Vec<u32>, fragments: Vec<Vec<u8>>) -> Vec<u8> {
        let mut file = image(1, 0.0);
        file.remove_element(tags::IMAGE_POSITION_PATIENT);
        put(&mut file, tags::NUMBER_OF_FRAMES, VR::IS, "2");
        let groups = [5.0, 0.0].map(|z| {
            let mut position = InMemDicomObject::new_empty();
            put_position(&mut position, [0.0, 0.0, z]);
            let positions = DataSetSequence::from(vec![position]);
            InMemDicomObject::from_element_iter([DataElement::new(
                tags::PLANE_POSITION_SEQUENCE,
                VR::SQ,
                positions,
            )])
        });
        let groups = DataSetSequence::from(groups.to_vec());
        let tag = tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE;
        file.put(DataElement::new(tag, VR::SQ, groups));
        let pixels = PixelFragmentSequence::new(offsets, fragments);
        file.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
        encoded_as(&file, uids::RLE_LOSSLESS)
    }

    #[test]
    fn frames_are_found_among_fragments() {
        let (a, b) = (rle([1, 2, 3, 4, 5, 6]), rle([7, 8, 9, 10, 11, 12]));
        let scan = |offsets, fragments| folder(vec![enhanced(offsets, fragments)]).scan(0, 0);
        // The second frame lies below the first.
        let expected = [7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6].map(|v| v as f32);
        let one_each = scan(vec![], vec![a.clone(), b.clone()]).unwrap();
        assert_eq!(one_each.volume.voxels, expected);

        let halves = vec![&a[..40], &a[40..], &b[..70], &b[70..]];
        let halves: Vec<Vec<u8>> = halves.into_iter().map(<[u8]>::to_vec).collect();
        let second = (a.len() + 2 * 8) as u32;
        let two_each = scan(vec![0, second], halves.clone()).unwrap();
        assert_eq!(two_each.volume.voxels, expected);

        let error = scan(vec![], halves).unwrap_err().to_string();
        assert!(error.contains("2 frames in 4 fragments"), "{error}");
        let error = scan(vec![], vec![a, b[..70].to_vec()])
            .unwrap_err()
            .to_string();
        assert!(error.contains("frame 2 of file 0"), "{error}");
    }

    #[test]
    fn what_a_header_says_is_told_in_one_line() {
        let mut file = image(1, 0.0);
        put(&mut file, tags::SLICE_THICKNESS, VR::DS, "1");
        put(
            &mut file,
            tags::PHOTOMETRIC_INTERPRETATION,
            VR::CS,
            "MONO\n\u{1b}[2J",
        );
        let error = folder(vec![encoded_as(&file, uids::EXPLICIT_VR_LITTLE_ENDIAN)]);
        let error = error.scan(0, 0).unwrap_err().to_string();
        assert!(
            error.contains("of MONO\u{fffd}\u{fffd}[2J with"),
            "{error:?}"
        );
    }

    /// Nothing is held for what a file only claims: the image would be 256 MB.
    #[test]
    fn a_small_file_claims_no_large_image() {
        let claiming = |syntax: &str, edge: u16| {
            let mut file = image(1, 0.0);
            put_number(&mut file, tags::ROWS, edge);
            put_number(&mut file, tags::COLUMNS, edge);
            put(&mut file, tags::SLICE_THICKNESS, VR::DS, "1");
            if syntax == uids::RLE_LOSSLESS {
                let pixels = PixelFragmentSequence::new_fragments(vec![rle([0; 6])]);
                file.put(DataElement::new(tags::PIXEL_DATA, VR::OB, pixels));
            }
            let folder = folder(vec![encoded_as(&file, syntax)]);
            [folder.scan(0, 0).err(), folder.thumbnail(0).err()]
                .map(|error| error.unwrap().to_string())
        };
        for (syntax, stored) in [
            (uids::EXPLICIT_VR_LITTLE_ENDIAN, 12),
            (uids::RLE_LOSSLESS, 74),
        ] {
            for error in claiming(syntax, 8192) {
                let expected = format!(
                    "its pixels have {stored} bytes, 134217728 a frame are expected when they are unpacked"
                );
                assert!(error.ends_with(&expected), "{error}");
            }
        }
        // A length that reaches behind the end of the file is none.
        let mut image = image(1, 0.0);
        put(&mut image, tags::SLICE_THICKNESS, VR::DS, "1");
        let mut cut = encoded_as(&image, uids::EXPLICIT_VR_LITTLE_ENDIAN);
        cut.truncate(cut.len() - 3);
        let error = folder(vec![cut]).scan(0, 0).unwrap_err().to_string();
        assert!(error.contains("its pixels have 9 bytes"), "{error}");
    }
}
