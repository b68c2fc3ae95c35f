//! Samples of one frame from its bytes. What a frame says of itself is compared with the header before it is unpacked.

use dicom_dictionary_std::uids;
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};
use flate2::bufread::DeflateDecoder;
use hayro_jpeg2000::{ComponentData, DecodeSettings, DecoderContext};
use jpeg_decoder::{ColorTransform, PixelFormat as JpegFormat};
use std::io::Read;

use super::header::PixelFormat;
use crate::gzip::MAX_RATIO;

/// Explicit VR big endian, which is retired.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// How the pixels of a transfer syntax are packed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Codec {
    LittleEndian,
    BigEndian,
    Deflated,
    Rle,
    Jpeg,
    Jpeg2000,
    #[cfg(feature = "jpeg-xl")]
    JpegXl,
}

impl Codec {
    /// `None` for what is not decoded here.
    pub(super) fn of(transfer_syntax: &str) -> Option<Self> {
        Some(match transfer_syntax {
            uids::IMPLICIT_VR_LITTLE_ENDIAN
            | uids::EXPLICIT_VR_LITTLE_ENDIAN
            | uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
            | uids::ENCAPSULATED_UNCOMPRESSED_EXPLICIT_VR_LITTLE_ENDIAN => Self::LittleEndian,
            BIG_ENDIAN => Self::BigEndian,
            uids::DEFLATED_IMAGE_FRAME_COMPRESSION => Self::Deflated,
            uids::RLE_LOSSLESS => Self::Rle,
            uids::JPEG_BASELINE8_BIT
            | uids::JPEG_EXTENDED12_BIT
            | uids::JPEG_LOSSLESS
            | uids::JPEG_LOSSLESS_SV1 => Self::Jpeg,
            uids::JPEG2000_LOSSLESS | uids::JPEG2000 => Self::Jpeg2000,
            #[cfg(feature = "jpeg-xl")]
            uids::JPEGXL_LOSSLESS | uids::JPEGXLJPEG_RECOMPRESSION | uids::JPEGXL => Self::JpegXl,
            _ => return None,
        })
    }

    /// How many bytes of an image a stored byte can be at most; none where there is no bound.
    pub(super) fn most_bytes_of_one(self) -> Option<u64> {
        match self {
            Self::LittleEndian | Self::BigEndian => Some(1),
            // Runs of 128.
            Self::Rle => Some(64),
            // A bit for each block of 64 pixels, of 12 bits in two bytes at most.
            Self::Deflated | Self::Jpeg => Some(MAX_RATIO),
            Self::Jpeg2000 => None,
            #[cfg(feature = "jpeg-xl")]
            Self::JpegXl => None,
        }
    }
}

/// A transfer syntax in words.
pub(super) fn name(transfer_syntax: &str) -> String {
    match TransferSyntaxRegistry.get(transfer_syntax) {
        Some(syntax) => format!("{} ({transfer_syntax})", syntax.name()),
        None => transfer_syntax.to_owned(),
    }
}

/// The samples of a frame, those of a pixel beside each other; whether colours were turned into RGB on the way.
///
/// A sample is as wide as the header says, in the low bits.
pub(super) fn decode(
    codec: Codec,
    format: &PixelFormat,
    bytes: &[u8],
) -> Result<(Vec<u32>, bool), String> {
    match codec {
        Codec::LittleEndian => Ok((native(format, bytes, false)?, false)),
        Codec::BigEndian => Ok((native(format, bytes, true)?, false)),
        Codec::Deflated => {
            let mut unpacked = Vec::new();
            DeflateDecoder::new(bytes)
                .take(format.frame_bytes() as u64)
                .read_to_end(&mut unpacked)
                .map_err(|e| e.to_string())?;
            Ok((native(format, &unpacked, false)?, false))
        }
        Codec::Rle => Ok((rle(format, bytes)?, false)),
        Codec::Jpeg => Ok((jpeg(format, bytes)?, true)),
        Codec::Jpeg2000 => Ok((jpeg2000(format, bytes)?, true)),
        #[cfg(feature = "jpeg-xl")]
        Codec::JpegXl => Ok((jpeg_xl(format, bytes)?, true)),
    }
}

fn native(format: &PixelFormat, bytes: &[u8], is_big: bool) -> Result<Vec<u32>, String> {
    let expected = format.frame_bytes();
    let bytes = bytes
        .get(..expected)
        .ok_or_else(|| format!("{} bytes for {expected}", bytes.len()))?;
    let words = bytes.chunks_exact(2).map(|b| [b[0], b[1]]);
    let doubles = bytes.chunks_exact(4).map(|b| [b[0], b[1], b[2], b[3]]);
    let samples: Vec<u32> = match (format.sample_bytes(), is_big) {
        (1, _) => bytes.iter().map(|&b| b.into()).collect(),
        (2, false) => words.map(|b| u16::from_le_bytes(b).into()).collect(),
        (2, true) => words.map(|b| u16::from_be_bytes(b).into()).collect(),
        (_, false) => doubles.map(u32::from_le_bytes).collect(),
        (_, true) => doubles.map(u32::from_be_bytes).collect(),
    };
    if format.samples == 1 || !format.is_planar {
        return Ok(samples);
    }
    let pixels = format.rows * format.columns;
    Ok((0..samples.len())
        .map(|i| samples[i % format.samples * pixels + i / format.samples])
        .collect())
}

/// A table of where segments begin, then a segment for each byte of each sample, the highest first.
///
/// Source: DICOM PS3.5, annex G.
fn rle(format: &PixelFormat, bytes: &[u8]) -> Result<Vec<u32>, String> {
    let entry = |i: usize| {
        let bytes = bytes
            .get(4 * i..4 * i + 4)
            .ok_or("no table of its segments")?;
        Ok::<_, String>(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    };
    let width = format.sample_bytes();
    let num_segments = entry(0)?;
    let expected = width * format.samples;
    if num_segments != expected || num_segments > 15 {
        return Err(format!(
            "{num_segments} segments where {expected} are expected"
        ));
    }
    let pixels = format.rows * format.columns;
    let mut samples = vec![0u32; pixels * format.samples];
    for segment in 0..num_segments {
        let end = match segment + 1 {
            next if next < num_segments => entry(next + 1)?,
            _ => bytes.len(),
        };
        let packed = bytes
            .get(entry(segment + 1)?..end)
            .ok_or("segments that lie outside of it")?;
        let plane = packed_bits(packed, pixels);
        if plane.len() < pixels {
            return Err(format!("{} pixels for {pixels}", plane.len()));
        }
        let shift = 8 * (width - 1 - segment % width);
        let of_sample = samples
            .iter_mut()
            .skip(segment / width)
            .step_by(format.samples);
        for (sample, byte) in of_sample.zip(plane) {
            *sample |= u32::from(byte) << shift;
        }
    }
    Ok(samples)
}

/// At most so many bytes of a PackBits stream.
fn packed_bits(packed: &[u8], most: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(most);
    let mut at = 0;
    while let Some(&control) = packed.get(at) {
        at += 1;
        let count = usize::from(control);
        if count < 128 {
            let literal = packed.get(at..).unwrap_or_default();
            bytes.extend(literal.iter().take(count + 1));
            at += count + 1;
        } else if count > 128 {
            let Some(&byte) = packed.get(at) else { break };
            bytes.resize(bytes.len() + 257 - count, byte);
            at += 1;
        }
        if bytes.len() >= most {
            bytes.truncate(most);
            break;
        }
    }
    bytes
}

fn jpeg(format: &PixelFormat, bytes: &[u8]) -> Result<Vec<u32>, String> {
    let mut decoder = jpeg_decoder::Decoder::new(bytes);
    // Without markers of its own a stream of three components is taken for YCbCr.
    if format.photometric == "RGB" {
        decoder.set_color_transform(ColorTransform::RGB);
    }
    decoder.read_info().map_err(|e| e.to_string())?;
    let info = decoder.info().ok_or("no header")?;
    let samples = match info.pixel_format {
        JpegFormat::L8 | JpegFormat::L16 => 1,
        JpegFormat::RGB24 => 3,
        JpegFormat::CMYK32 => 4,
    };
    format.compare(info.width.into(), info.height.into(), samples)?;
    let pixels = decoder.decode().map_err(|e| e.to_string())?;
    Ok(match info.pixel_format {
        JpegFormat::L16 => pixels
            .chunks_exact(2)
            .map(|b| u16::from_ne_bytes([b[0], b[1]]).into())
            .collect(),
        _ => pixels.into_iter().map(u32::from).collect(),
    })
}

fn jpeg2000(format: &PixelFormat, bytes: &[u8]) -> Result<Vec<u32>, String> {
    // The start of a code stream and its size; some files put it into boxes.
    let start = bytes
        .windows(4)
        .position(|marker| marker == [0xff, 0x4f, 0xff, 0x51])
        .ok_or("no code stream")?;
    let field = |at: usize| {
        let bytes = bytes.get(start + at..start + at + 4).ok_or("no header")?;
        Ok::<_, String>(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let (samples, is_signed) = (field(40)? >> 16, field(42)? >> 31 == 1);
    format.compare(
        field(8)?.wrapping_sub(field(16)?),
        field(12)?.wrapping_sub(field(20)?),
        samples as usize,
    )?;
    let settings = DecodeSettings::default();
    let image = hayro_jpeg2000::Image::new(bytes, &settings).map_err(|e| e.to_string())?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(|e| e.to_string())?;
    let components = decoded.components();
    let pixels = format.rows * format.columns;
    let is_whole = |c: &ComponentData| c.samples().len() == pixels && c.bit_depth() <= 24;
    if components.len() != format.samples || !components.iter().all(is_whole) {
        return Err("its components are of several sizes".to_owned());
    }
    Ok((0..pixels * format.samples)
        .map(|i| {
            let component = &components[i % format.samples];
            // All come as if they were unsigned: raised by half of what their bits can hold.
            let raised = if is_signed {
                1 << (component.bit_depth() - 1)
            } else {
                0
            };
            (component.samples()[i / format.samples].round() as i32 - raised) as u32
        })
        .collect())
}

#[cfg(feature = "jpeg-xl")]
fn jpeg_xl(format: &PixelFormat, bytes: &[u8]) -> Result<Vec<u32>, String> {
    let image = jxl_oxide::JxlImage::builder()
        .read(bytes)
        .map_err(|e| e.to_string())?;
    let samples = image.pixel_format().channels();
    format.compare(image.width(), image.height(), samples)?;
    let bits = image.image_header().metadata.bit_depth.bits_per_sample();
    let frame = image.render_frame(0).map_err(|e| e.to_string())?;
    let mut values = vec![0f32; format.rows * format.columns * samples];
    frame.stream().write_to_buffer(&mut values);
    // From 0 to 1, whatever the depth.
    let largest = (2f64.powi(bits as i32) - 1.0) as f32;
    Ok(values
        .into_iter()
        .map(|value| (value * largest).round() as u32)
        .collect())
}

impl PixelFormat {
    fn sample_bytes(&self) -> usize {
        self.bits_allocated as usize / 8
    }

    /// Bytes of a frame that is not compressed.
    pub(super) fn frame_bytes(&self) -> usize {
        self.rows * self.columns * self.samples * self.sample_bytes()
    }

    fn compare(&self, width: u32, height: u32, samples: usize) -> Result<(), String> {
        let found = [height as usize, width as usize, samples];
        let expected = [self.rows, self.columns, self.samples];
        if found == expected {
            Ok(())
        } else {
            Err(format!(
                "it has {found:?} rows, columns and samples, the header says {expected:?}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(rows: usize, columns: usize, samples: usize, bits_allocated: u32) -> PixelFormat {
        PixelFormat {
            transfer_syntax: String::new(),
            place: None,
            num_frames: 1,
            rows,
            columns,
            samples,
            is_planar: false,
            photometric: "RGB".to_owned(),
            bits_allocated,
            bits_stored: bits_allocated,
            high_bit: bits_allocated - 1,
            is_signed: false,
        }
    }

    #[test]
    fn samples_of_every_width_and_order() {
        let bytes = [1, 2, 3, 4];
        let numbers = |bits: u32, codec| {
            let format = format(1, 32 / bits as usize, 1, bits);
            decode(codec, &format, &bytes).unwrap().0
        };
        assert_eq!(numbers(8, Codec::BigEndian), [1, 2, 3, 4]);
        assert_eq!(numbers(16, Codec::LittleEndian), [0x0201, 0x0403]);
        assert_eq!(numbers(16, Codec::BigEndian), [0x0102, 0x0304]);
        assert_eq!(numbers(32, Codec::BigEndian), [0x0102_0304]);
        let planar = PixelFormat {
            is_planar: true,
            ..format(1, 2, 2, 8)
        };
        assert_eq!(
            decode(Codec::LittleEndian, &planar, &bytes).unwrap().0,
            [1, 3, 2, 4]
        );
    }

    /// By hand: two segments, high bytes then low ones; a run of three and one literal each.
    #[test]
    fn rle_puts_bytes_together_and_refuses_what_is_short() {
        let mut bytes = vec![0; 64];
        for (i, n) in [2u32, 64, 68].into_iter().enumerate() {
            bytes[4 * i..4 * i + 4].copy_from_slice(&n.to_le_bytes());
        }
        bytes.extend([254, 1, 0, 2, 0, 7, 254, 9]);
        let format = format(2, 2, 1, 16);
        assert_eq!(rle(&format, &bytes).unwrap(), [0x107, 0x109, 0x109, 0x209]);
        assert!(rle(&format, &bytes[..70]).is_err());
        assert!(rle(&format, &bytes[..3]).is_err());
    }

    /// 3 rows and 4 columns of 16 bits, written by zune-jpegxl 0.5.
    #[cfg(feature = "jpeg-xl")]
    #[test]
    fn jpeg_xl_keeps_every_bit() {
        #[rustfmt::skip]
        let bytes = [
            255, 10, 16, 0, 6, 224, 7, 40, 110, 4, 8, 2, 1, 0, 248, 2, 75, 24, 155, 156, 113, 132, 3, 56, 128, 3, 56, 32, 74, 192,
            57, 5, 1, 0, 32, 68, 128, 8, 16, 1, 34, 64, 132, 255, 255, 63, 248, 255, 255, 162, 62, 198, 24, 115, 174, 181, 247,
            222, 231, 156, 115, 14, 1, 69, 68, 68, 68, 68, 100, 102, 102, 222, 247, 126, 85, 85, 85, 21, 252, 255, 255, 193, 255,
            255, 23, 245, 49, 198, 152, 115, 173, 189, 247, 62, 231, 156, 115, 8, 40, 34, 34, 34, 34, 34, 51, 51, 243, 190, 247,
            171, 170, 170, 170, 224, 255, 255, 15, 254, 255, 191, 168, 143, 49, 198, 156, 107, 237, 189, 247, 57, 231, 156, 67,
            64, 17, 17, 17, 17, 17, 153, 153, 153, 247, 189, 95, 85, 85, 85, 5, 255, 255, 127, 240, 255, 255, 69, 125, 140, 49,
            230, 92, 107, 239, 189, 207, 57, 231, 28, 2, 138, 136, 136, 136, 136, 200, 204, 204, 188, 239, 253, 170, 170, 170,
            170, 193, 222, 158, 255, 240, 130, 31, 255, 255, 159, 206, 138, 239, 40, 245, 199, 22, 252, 172, 255, 91, 97,
        ];
        let (samples, _) = decode(Codec::JpegXl, &format(3, 4, 1, 16), &bytes).unwrap();
        assert_eq!(
            samples,
            [0, 1, 2000, 4095, 65535, 30000, 7, 8, 9, 10, 11, 12]
        );
        assert!(decode(Codec::JpegXl, &format(4, 3, 1, 16), &bytes).is_err());
    }
}
