//! Written, then read: every type of voxel, both versions and byte orders, single files and pairs, any scale, any way of
//! saying where voxels lie.

use super::datatype::code;
use super::fixture::Made;
use super::write::{Values, encode};
use crate::random::SplitMix64;
use crate::{Affine, Datatype, Scan, gzip};

const DATATYPES: [Datatype; 10] = [
    Datatype::Uint8,
    Datatype::Int8,
    Datatype::Uint16,
    Datatype::Int16,
    Datatype::Uint32,
    Datatype::Int32,
    Datatype::Uint64,
    Datatype::Int64,
    Datatype::Float32,
    Datatype::Float64,
];

/// A value and its bytes, little-endian.
fn voxel(datatype: Datatype, random: &mut SplitMix64) -> (f64, Vec<u8>) {
    let bits = random.next_u64();
    let fraction = random.next_f64() - 0.5;
    macro_rules! number {
        ($kind:ty, $value:expr) => {{
            let value: $kind = $value;
            (value as f64, value.to_le_bytes().to_vec())
        }};
    }
    match datatype {
        Datatype::Uint8 => number!(u8, bits as u8),
        Datatype::Int8 => number!(i8, bits as i8),
        Datatype::Uint16 => number!(u16, bits as u16),
        Datatype::Int16 => number!(i16, bits as i16),
        Datatype::Uint32 => number!(u32, bits as u32),
        Datatype::Int32 => number!(i32, bits as i32),
        Datatype::Uint64 => number!(u64, bits),
        Datatype::Int64 => number!(i64, bits as i64),
        Datatype::Float32 => number!(f32, (fraction * 1e6) as f32),
        Datatype::Float64 => number!(f64, fraction * 1e9),
        Datatype::Rgb24 | Datatype::Rgba32 => unreachable!("no numbers"),
    }
}

/// The matrix of a quaternion of length 1 with a ≥ 0, by the rule for turning unit vectors, v + 2a(q × v) + 2q × (q × v).
fn matrix([a, q @ ..]: [f64; 4]) -> [[f64; 3]; 3] {
    let cross = |u: [f64; 3], v: [f64; 3]| {
        [0, 1, 2].map(|i| {
            let (j, k) = ((i + 1) % 3, (i + 2) % 3);
            u[j] * v[k] - u[k] * v[j]
        })
    };
    let columns = [0, 1, 2].map(|axis| {
        let mut unit = [0.0; 3];
        unit[axis] = 1.0;
        let once = cross(q, unit);
        let twice = cross(q, once);
        [0, 1, 2].map(|i| unit[i] + 2.0 * a * once[i] + 2.0 * twice[i])
    });
    [0, 1, 2].map(|row| columns.map(|column| column[row]))
}

#[test]
fn what_is_written_is_read_of_every_type_scale_and_place() {
    let mut random = SplitMix64::new(2026);
    for round in 0..1600 {
        let version = 1 + round % 2;
        let is_big_endian = round / 2 % 2 == 1;
        let datatype = DATATYPES[round / 4 % 10];
        let mut made = Made::new(version, is_big_endian);
        made.set("datatype", &[f64::from(code(datatype))]);
        made.set("bitpix", &[8.0 * datatype.bytes() as f64]);

        // As NIfTI-1 can say it.
        let mut single = || f64::from((random.next_f64() * 4.0 - 2.0) as f32);
        let scaling = (round % 3 == 0).then(|| [single(), f64::from(100.0 * single() as f32)]);
        let [slope, inter] = scaling.unwrap_or_default();
        made.set("scl_slope", &[slope]).set("scl_inter", &[inter]);
        let edges = [0; 3].map(|_| f64::from((single().abs() + 0.1) as f32));
        let qfac = if round % 5 < 3 { 1.0 } else { -1.0 };
        made.set("pixdim", &[qfac, edges[0], edges[1], edges[2]]);
        let quaternion = [0; 4].map(|_| single());
        let length = quaternion
            .iter()
            .map(|part| part * part)
            .sum::<f64>()
            .sqrt();
        let sign = quaternion[0].signum() / length;
        let stored = [1, 2, 3].map(|i| f64::from((quaternion[i] * sign) as f32));
        made.set("quatern", &stored);
        let offset = [0; 3].map(|_| single());
        made.set("qoffset", &offset);
        let rows = [0; 12].map(|_| single());
        made.set("srow", &rows);
        let (qform, sform) = ((round / 7 % 3) as i16, (round / 11 % 5) as i16);
        made.set("qform_code", &[f64::from(qform)]);
        made.set("sform_code", &[f64::from(sform)]);

        let [x, y, z] = edges;
        let expected: [[f64; 4]; 3] = if sform > 0 {
            [0, 1, 2].map(|r| [0, 1, 2, 3].map(|c| rows[4 * r + c]))
        } else if qform > 0 {
            let a = (1.0 - stored.iter().map(|part| part * part).sum::<f64>()).max(0.0);
            let turned = matrix([a.sqrt(), stored[0], stored[1], stored[2]]);
            [0, 1, 2].map(|r| {
                let [a, b, c] = turned[r];
                [a * x, b * y, c * z * qfac, offset[r]]
            })
        } else {
            // Shape 3 × 2 × 2, centred, x towards the left.
            [
                [-x, 0.0, 0.0, x],
                [0.0, y, 0.0, -y / 2.0],
                [0.0, 0.0, z, -z / 2.0],
            ]
        };

        let voxels: Vec<(f64, Vec<u8>)> = (0..12).map(|_| voxel(datatype, &mut random)).collect();
        let stored = voxels.iter().flat_map(|(_, voxel)| {
            let mut voxel = voxel.clone();
            if is_big_endian {
                voxel.reverse();
            }
            voxel
        });
        made.voxels = stored.collect();
        let single = made.single();
        let (header, of_pair) = made.pair();
        for (bytes, companion) in [
            (gzip(&single), None),
            (single, None),
            (gzip(&header), Some(of_pair)),
        ] {
            let scan = Scan::open(&bytes, companion.as_deref()).unwrap();
            assert_eq!(scan.datatype_name(), datatype.name());
            assert_eq!(scan.form_codes(), (qform, sform));
            let values: Vec<f64> = scan.values().collect();
            for (found, (stored, _)) in values.iter().zip(&voxels) {
                let value = match scaling {
                    Some([slope, inter]) => stored * slope + inter,
                    None => *stored,
                };
                assert_eq!(*found, value, "{} in round {round}", datatype.name());
            }
            let affine = scan.affine();
            for (found, expected) in affine.0.iter().flatten().zip(expected.iter().flatten()) {
                assert!(
                    (found - expected).abs() < 2e-3,
                    "round {round}: {affine:?} {expected:?}"
                );
            }
            let labels: Vec<u8> = (0..12).map(|_| random.next_u64() as u8).collect();
            let written = scan.encode_label_map(&labels, "").unwrap();
            let map = Scan::open(&written, None).unwrap();
            assert_eq!((map.affine(), map.form_codes()), (affine, (qform, sform)));
            assert_eq!((map.format(), map.shape()), (scan.format(), scan.shape()));
            if affine.is_invertible() {
                assert_eq!(map.label_map().unwrap().labels, labels);
            }
            let copy = Scan::open(&scan.encode().unwrap(), None).unwrap();
            assert_eq!((copy.affine(), copy.form_codes()), (affine, (qform, sform)));
            assert_eq!(copy.datatype_name(), datatype.name());
            assert!(copy.values().eq(values));
        }
    }
}

#[test]
fn a_file_made_anew_holds_any_place_and_value() {
    let mut random = SplitMix64::new(5);
    for round in 0..200 {
        let shape: Vec<usize> = (0..1 + round % 5)
            .map(|_| 1 + random.next_u64() as usize % 4)
            .collect();
        let count = shape.iter().product();
        let mut rows = [[0.0; 4]; 4];
        for value in rows[..3].iter_mut().flatten() {
            // As a file of 32-bit floats can say it.
            *value = f64::from((200.0 * (random.next_f64() - 0.5)) as f32);
        }
        rows[3][3] = 1.0;
        let affine = Affine(rows);
        let shorts: Vec<i16> = (0..count).map(|_| random.next_u64() as i16).collect();
        let singles: Vec<f32> = (0..count).map(|_| random.next_f64() as f32).collect();
        let bytes: Vec<u8> = (0..count).map(|_| random.next_u64() as u8).collect();
        // Of grey colours the luminance is the grey.
        let greys: Vec<[u8; 3]> = bytes.iter().map(|grey| [*grey; 3]).collect();
        for values in [
            Values::Int16(&shorts),
            Values::Float32(&singles),
            Values::Uint8(&bytes),
            Values::Rgb(&greys),
        ] {
            let file = encode(&shape, &affine, values, "");
            let scan = Scan::open(&file, None).unwrap();
            assert_eq!((scan.shape(), scan.affine()), (&shape[..], affine));
            match values {
                Values::Int16(values) => {
                    assert!(scan.values().eq(values.iter().map(|&v| f64::from(v))))
                }
                Values::Float32(values) => {
                    assert!(scan.values().eq(values.iter().map(|&v| f64::from(v))))
                }
                Values::Uint8(values) => {
                    assert!(scan.values().eq(values.iter().map(|&v| f64::from(v))))
                }
                Values::Rgb(colours) => {
                    let apart = scan.values().zip(colours);
                    assert!(
                        apart
                            .into_iter()
                            .all(|(v, [grey, ..])| (v - f64::from(*grey)).abs() < 1e-3)
                    );
                }
            }
        }
    }
}
