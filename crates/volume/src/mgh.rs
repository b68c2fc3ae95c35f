//! MGH files, FreeSurfer's, compressed (MGZ) or not: read, never written.

use crate::nifti::{ALIGNED, SCANNER};
use crate::{Affine, Datatype, Format, Outline, Scan, ScanError, Source, Voxels};

/// Where voxels start.
const HEADER_BYTES: usize = 284;

const CODES: [(i32, Datatype); 5] = [
    (0, Datatype::Uint8),
    (1, Datatype::Int32),
    (3, Datatype::Float32),
    (4, Datatype::Int16),
    (10, Datatype::Uint16),
];

fn int(head: &[u8], at: usize) -> Option<i32> {
    Some(i32::from_be_bytes(*head.get(at..)?.first_chunk()?))
}

/// Whether a file begins as one of version 1, of edges and a type that can be.
pub(crate) fn is_header(head: &[u8]) -> bool {
    let int = |at| int(head, at).unwrap_or(-1);
    int(0) == 1 && (1..5).all(|field| int(4 * field) > 0) && (0..100).contains(&int(20))
}

/// Reads `file`, which begins with `head`, for which [`is_header`] holds.
///
/// # Errors
/// As [`Scan::open`].
pub(crate) fn read(head: &[u8], file: Source<'_>) -> Result<Scan, ScanError> {
    let mut scan = describe(head, file)?;
    scan.voxels.bytes = file.part(HEADER_BYTES, scan.stored_bytes() as usize)?;
    Ok(scan)
}

/// What the header says, without any voxel.
///
/// # Errors
/// As [`Scan::open`].
pub(crate) fn outline(head: &[u8], file: Source<'_>) -> Result<Outline, ScanError> {
    Ok(describe(head, file)?.outline())
}

fn describe(head: &[u8], file: Source<'_>) -> Result<Scan, ScanError> {
    let Some(head) = head.get(..HEADER_BYTES) else {
        return Err(file.header_ends(HEADER_BYTES, head));
    };
    let int = |at: usize| int(head, at).expect("within the header");
    let mut shape = [4, 8, 12, 16].map(|at| int(at) as usize).to_vec();
    if shape[1..3] == [1, 1] && shape[0] > 1 {
        return Err(ScanError::NoVolume {
            what: "FreeSurfer's values of a surface",
        });
    }
    let code = int(20);
    let known = CODES.iter().find(|(known, _)| *known == code);
    let (_, datatype) = *known.ok_or(ScanError::Datatype {
        code: i64::from(code),
        name: "of MGH",
    })?;
    datatype.bytes_of(&shape)?;
    let voxels = Voxels {
        datatype,
        is_big_endian: true,
        scaling: None,
        bytes: Vec::new(),
    };
    let has_place = int(28) >> 16 > 0;
    let affine = if has_place {
        let float = |at: usize| f64::from(f32::from_bits(int(at) as u32));
        let columns = [0, 1, 2].map(|axis| {
            let spacing_mm = float(30 + 4 * axis);
            [0, 1, 2].map(|world| float(42 + 12 * axis + 4 * world) * spacing_mm)
        });
        let center_mm = [0, 1, 2].map(|world| float(78 + 4 * world));
        placed(columns, center_mm, &shape)
    } else {
        // Coronal slices, as FreeSurfer takes them.
        let columns = [[-1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]];
        placed(columns, [0.0; 3], &shape)
    };
    let (code, warnings) = if has_place {
        (SCANNER, Vec::new())
    } else {
        let warning = "This file does not say how it lies in space; it is taken as coronal slices of 1 mm, as FreeSurfer does.";
        (ALIGNED, vec![warning.to_owned()])
    };
    if shape[3] == 1 {
        shape.pop();
    }
    let format = Format::Mgh;
    Ok(Scan::placed(format, shape, affine, code, voxels, warnings))
}

/// Of axes x, y and z as steps in the world, and the place of voxel `shape / 2`.
fn placed(columns: [[f64; 3]; 3], center_mm: [f64; 3], shape: &[usize]) -> Affine {
    let mut affine = Affine::from_spacing_mm([0.0; 3]);
    for world in 0..3 {
        let row = &mut affine.0[world];
        row[3] = center_mm[world];
        for axis in 0..3 {
            row[axis] = columns[axis][world];
            row[3] -= row[axis] * shape[axis] as f64 / 2.0;
        }
    }
    affine
}

/// A file of `shape` x, y, z, frames, of 1.5 × 2 × 3 mm, whose axes run to the left, to the bottom and to the front.
#[cfg(test)]
pub(crate) fn fixture(code: i32, shape: &[i32; 4], voxels: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER_BYTES];
    let ints = [&[1], &shape[..], &[code]].concat();
    for (bytes, value) in file.chunks_exact_mut(4).zip(ints) {
        bytes.copy_from_slice(&value.to_be_bytes());
    }
    file[28..30].copy_from_slice(&1i16.to_be_bytes());
    let floats: [f32; 15] = [
        1.5, 2.0, 3.0, -1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 10.0, 20.0, 30.0,
    ];
    for (bytes, value) in file[30..90].chunks_exact_mut(4).zip(floats) {
        bytes.copy_from_slice(&value.to_be_bytes());
    }
    file.extend_from_slice(voxels);
    file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gzip;

    /// By hand: voxel (2, 1.5, 1), the half of 4 × 3 × 2, lies at (10, 20, 30) mm.
    #[test]
    fn voxels_lie_around_the_center() {
        let voxels: Vec<u8> = (0..24i16)
            .flat_map(|value| (-value).to_be_bytes())
            .collect();
        let mut file = fixture(4, &[4, 3, 2, 1], &voxels);
        // What FreeSurfer appends.
        file.extend([0, 0, 0, 0, 64, 73, 15, 219]);
        for file in [gzip(&file), file] {
            let scan = Scan::open(&file, None).unwrap();
            assert_eq!(
                (scan.format(), scan.datatype_name()),
                (Format::Mgh, "int16")
            );
            assert_eq!(scan.shape(), [4, 3, 2]);
            assert!(scan.values().eq((0..24).map(|value| -f64::from(value))));
            let affine = scan.affine();
            assert_eq!(affine.orientation().to_string(), "LIA");
            assert_eq!(affine.spacing_mm(), [1.5, 2.0, 3.0]);
            assert_eq!(affine.apply([2.0, 1.5, 1.0]), [10.0, 20.0, 30.0]);
            assert_eq!(affine.apply([0.0; 3]), [13.0, 17.0, 33.0]);
            assert_eq!(scan.warnings(), [""; 0]);

            let labels: Vec<u8> = (0..24).collect();
            let map = scan.encode_label_map(&labels, "test").unwrap();
            let map = Scan::open(&map, None).unwrap();
            assert_eq!((map.format(), map.form_codes()), (Format::Nifti1, (1, 1)));
            assert_eq!((map.shape(), map.affine()), (scan.shape(), affine));
            assert_eq!(map.label_map().unwrap().labels, labels);
            let copy = Scan::open(&scan.encode().unwrap(), None).unwrap();
            assert_eq!(copy.volume().unwrap(), scan.volume().unwrap());
        }
    }

    #[test]
    fn frames_are_volumes_of_every_type() {
        for (code, bytes, name) in [
            (0, &[200u8][..], "uint8"),
            (1, &[0, 0, 0, 200], "int32"),
            (3, &[0x43, 0x48, 0, 0], "float32"),
            (4, &[0, 200], "int16"),
            (10, &[0, 200], "uint16"),
        ] {
            let file = fixture(code, &[3, 2, 2, 2], &bytes.repeat(24));
            let scan = Scan::open(&file, None).unwrap();
            assert_eq!(
                (scan.shape(), scan.datatype_name()),
                (&[3, 2, 2, 2][..], name)
            );
            assert_eq!(scan.volume_at(1).unwrap().voxels, [200.0; 12]);
            let copy = Scan::open(&scan.encode().unwrap(), None).unwrap();
            assert_eq!(copy.volumes().unwrap(), scan.volumes().unwrap());
        }
    }

    #[test]
    fn without_a_place_it_is_coronal_with_a_warning() {
        let mut file = fixture(0, &[2, 2, 2, 1], &[7; 8]);
        file[28..30].fill(0);
        let scan = Scan::open(&file, None).unwrap();
        assert_eq!(scan.affine().orientation().to_string(), "LIA");
        assert_eq!(scan.affine().apply([1.0; 3]), [0.0; 3]);
        assert!(
            scan.warnings()[0].contains("coronal"),
            "{:?}",
            scan.warnings()
        );
        assert_eq!(scan.form_codes(), (2, 2));
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let said = |file: &[u8]| Scan::open(file, None).unwrap_err().to_string();
        let file = fixture(4, &[4, 3, 2, 1], &[0; 48]);
        assert_eq!(said(&file[..331]), "the file ends after 331 of 332 bytes");
        assert_eq!(said(&file[..100]), "the file ends after 100 of 284 bytes");
        let most = [i32::MAX; 4];
        assert!(said(&fixture(4, &most, &[])).contains("more than can be addressed"));
        let claims = fixture(4, &[2000, 2000, 2000, 1], &[]);
        assert!(
            said(&claims).contains("of 16000000284 bytes"),
            "{}",
            said(&claims)
        );
        assert!(said(&gzip(&claims)).contains("claims 16000000284 bytes"));
        assert!(said(&fixture(5, &[4, 3, 2, 1], &[0; 48])).contains("datatype 5 (of MGH)"));
        let surface = fixture(3, &[163_842, 1, 1, 1], &[]);
        assert!(said(&surface).contains("a surface: no volume"));
        let nothing = fixture(4, &[0, 3, 2, 1], &[]);
        assert!(said(&nothing).contains("no scan of a format"));
    }
}
