//! A file to read in tests.

use super::header::field;

/// A file of 3×2×2 int16 voxels 0, 1, 2, … placed by its qform, little-endian unless asked otherwise.
pub fn file(big_endian: bool) -> Vec<u8> {
    let mut bytes = vec![0; 352];
    let mut put = |at: usize, value: &[u8]| {
        let mut value = value.to_vec();
        if big_endian {
            value.reverse();
        }
        bytes[at..at + value.len()].copy_from_slice(&value);
    };
    put(field::SIZEOF_HDR, &348i32.to_le_bytes());
    for (i, n) in [3i16, 3, 2, 2, 1, 1, 1, 1].into_iter().enumerate() {
        put(field::DIM + 2 * i, &n.to_le_bytes());
    }
    put(field::DATATYPE, &4i16.to_le_bytes());
    put(field::BITPIX, &16i16.to_le_bytes());
    for (i, edge) in [-1.0f32, 2.0, 3.0, 4.0].into_iter().enumerate() {
        put(field::PIXDIM + 4 * i, &edge.to_le_bytes());
    }
    put(field::VOX_OFFSET, &352f32.to_le_bytes());
    put(field::QFORM_CODE, &1i16.to_le_bytes());
    put(field::QOFFSET, &(-7f32).to_le_bytes());
    for value in 0..12i16 {
        let stored = if big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        };
        bytes.extend(stored);
    }
    bytes[field::MAGIC..field::MAGIC + 4].copy_from_slice(b"n+1\0");
    bytes
}

/// Sets the number of axes (0) or an edge (from 1) of a little-endian file.
pub fn set_dim(file: &mut [u8], at: usize, value: i16) {
    file[field::DIM + 2 * at..][..2].copy_from_slice(&value.to_le_bytes());
}
