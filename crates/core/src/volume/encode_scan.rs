//! A NIfTI-1 file for a volume that came from no file.

use super::Volume;

/// Bytes before the voxels: the header and four bytes that say that no extension follows.
const FIRST_VOXEL: usize = 352;

/// An uncompressed `.nii` file of 32-bit floats, in the byte order of most machines, with the volume's affine as sform
/// (code 1, scanner) and no qform.
pub fn encode_scan(volume: &Volume, description: &str) -> Vec<u8> {
    let mut file = vec![0; FIRST_VOXEL];
    let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348i32.to_le_bytes()); // sizeof_hdr
    put(40, &3i16.to_le_bytes()); // dim[0]
    let [z, y, x] = volume.shape;
    for (axis, edge) in [x, y, z, 1, 1, 1, 1].into_iter().enumerate() {
        put(42 + 2 * axis, &(edge as i16).to_le_bytes()); // dim[1..]
    }
    put(70, &16i16.to_le_bytes()); // datatype: 32-bit floats
    put(72, &32i16.to_le_bytes()); // bitpix
    put(76, &1f32.to_le_bytes()); // qfac
    for (axis, mm) in volume.affine.spacing_mm().into_iter().enumerate() {
        put(80 + 4 * axis, &(mm as f32).to_le_bytes()); // pixdim
    }
    put(108, &(FIRST_VOXEL as f32).to_le_bytes()); // vox_offset
    put(112, &1f32.to_le_bytes()); // scl_slope; scl_inter stays 0
    put(123, &[2]); // xyzt_units: millimetres
    let text = description.as_bytes();
    put(148, &text[..text.len().min(79)]); // descrip
    put(254, &1i16.to_le_bytes()); // sform_code
    for (row, entries) in volume.affine.0[..3].iter().enumerate() {
        for (column, entry) in entries.iter().enumerate() {
            put(280 + 16 * row + 4 * column, &(*entry as f32).to_le_bytes()); // srow
        }
    }
    put(344, b"n+1\0"); // magic
    file.extend(volume.voxels.iter().flat_map(|value| value.to_le_bytes()));
    file
}

#[cfg(test)]
mod tests {
    use super::super::{Affine, NiftiImage};
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut affine = Affine::from_spacing_mm([1.5, 2.0, 3.0]);
        affine.0[0][3] = -40.0;
        affine.0[1][2] = 0.5;
        let volume = Volume {
            voxels: (0..24).map(|i| i as f32 * 0.25).collect(),
            shape: [2, 3, 4],
            affine,
        };
        let image = NiftiImage::parse(&encode_scan(&volume, "made up")).unwrap();
        assert_eq!(image.volume().unwrap(), volume);
    }
}
