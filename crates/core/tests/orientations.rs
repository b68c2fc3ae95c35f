//! One volume in any of the 48 axis orders is one volume: on the model grid, and for the labels that come back.

use std::path::PathBuf;

use dinomed3d_core::preprocess::{Intensity, Preprocessing};
use dinomed3d_volume::{Affine, Labelling, Orientation, Scan, Volume};

const RAS: Orientation = Orientation::RAS;

fn preprocessing(orientation: &str, spacing_mm: Option<[f64; 3]>) -> Preprocessing {
    Preprocessing {
        orientation: orientation.parse().unwrap(),
        spacing_mm,
        intensity: Intensity::PercentileZScore {
            low_percent: 0.5,
            high_percent: 99.5,
        },
    }
}

/// A head-like volume in RAS: nothing in it is symmetric. Rotated a little where `is_oblique`.
fn source(is_oblique: bool) -> Volume {
    let shape = [7, 6, 5];
    let voxels = (0..210)
        .map(|i| {
            let (x, y, z) = ((i % 5) as f32, (i / 5 % 6) as f32, (i / 30) as f32);
            x * 1.7 + y * y * 0.31 - z * 2.3 + ((i * 31) % 17) as f32 * 0.2
        })
        .collect();
    let affine = if is_oblique {
        let (sin, cos) = 0.2f64.sin_cos();
        Affine([
            [1.5 * cos, -2.0 * sin, 0.0, -10.0],
            [1.5 * sin, 2.0 * cos, 0.0, 20.0],
            [0.0, 0.0, 2.5, 3.0],
            [0.0, 0.0, 0.0, 1.0],
        ])
    } else {
        Affine([
            [1.5, 0.0, 0.0, -10.0],
            [0.0, 2.0, 0.0, 20.0],
            [0.0, 0.0, 2.5, 3.0],
            [0.0, 0.0, 0.0, 1.0],
        ])
    };
    Volume {
        voxels,
        shape,
        affine,
    }
}

/// The same volume stored in another axis order; where each of its voxels lies in `volume`.
fn stored_as(volume: &Volume, order: Orientation) -> (Volume, Vec<usize>) {
    let edges = [volume.shape[2], volume.shape[1], volume.shape[0]];
    // For each axis of the new array: the axis of the source, and whether it is turned.
    let axes = volume.affine.orientation().to(order);
    let new_edges = axes.map(|(axis, _)| edges[axis]);
    let mut rows = [[0.0; 4]; 4];
    rows[3][3] = 1.0;
    for (row, source) in rows.iter_mut().zip(&volume.affine.0[..3]) {
        row[3] = source[3];
        for (new, (axis, is_turned)) in axes.into_iter().enumerate() {
            let column = source[axis];
            row[new] = if is_turned { -column } else { column };
            if is_turned {
                row[3] += column * (edges[axis] as f64 - 1.0);
            }
        }
    }
    let mut places = Vec::new();
    for c in 0..new_edges[2] {
        for b in 0..new_edges[1] {
            for a in 0..new_edges[0] {
                let mut at = [0; 3];
                for (index, (axis, is_turned)) in [a, b, c].into_iter().zip(axes) {
                    at[axis] = if is_turned {
                        edges[axis] - 1 - index
                    } else {
                        index
                    };
                }
                places.push((at[2] * edges[1] + at[1]) * edges[0] + at[0]);
            }
        }
    }
    let stored = Volume {
        voxels: places.iter().map(|&i| volume.voxels[i]).collect(),
        shape: [new_edges[2], new_edges[1], new_edges[0]],
        affine: Affine(rows),
    };
    (stored, places)
}

/// Logits that depend on the place on the model grid alone.
fn logits(shape: [usize; 3], num_classes: usize) -> Vec<f32> {
    let count = shape.iter().product::<usize>() * num_classes;
    (0..count)
        .map(|i| ((i * 2_654_435_761) % 4093) as f32 / 4093.0)
        .collect()
}

#[test]
fn all_48_orders_give_one_model_grid_and_one_label_map_in_the_world() {
    for is_oblique in [false, true] {
        let source = source(is_oblique);
        for model in ["RAS", "PSL"] {
            for spacing_mm in [None, Some([1.0, 1.3, 3.1])] {
                let settings = preprocessing(model, spacing_mm);
                let expected = settings.apply(std::slice::from_ref(&source)).unwrap();
                let logits = logits(expected.shape, 4);
                let labels = Labelling::whole(&expected.grid, &logits, 4).unwrap();
                let on_model = expected.grid.labels_to_model(&labels);
                for order in Orientation::all() {
                    let (stored, places) = stored_as(&source, order);
                    assert_eq!(stored.affine.orientation(), order);
                    // The stored volume holds the source's value at the source's place in the world.
                    let probe = stored.affine.apply([1.0, 2.0, 3.0]);
                    let [_, rows, columns] = stored.shape;
                    let place = places[(3 * rows + 2) * columns + 1];
                    let there = source.affine.apply([
                        (place % 5) as f64,
                        (place / 5 % 6) as f64,
                        (place / 30) as f64,
                    ]);
                    for (a, b) in probe.into_iter().zip(there) {
                        assert!((a - b).abs() < 1e-9);
                    }

                    let found = settings.apply(std::slice::from_ref(&stored)).unwrap();
                    assert_eq!(found.shape, expected.shape, "{order}");
                    assert_eq!(
                        found.grid.spacing_mm(),
                        expected.grid.spacing_mm(),
                        "{order}"
                    );
                    assert_eq!(found.voxels, expected.voxels, "{order}");
                    let back = Labelling::whole(&found.grid, &logits, 4).unwrap();
                    let wanted: Vec<u8> = places.iter().map(|&i| labels[i]).collect();
                    assert_eq!(back, wanted, "{order}");
                    assert_eq!(found.grid.labels_to_model(&back), on_model, "{order}");
                }
            }
        }
    }
}

/// A file written in each order and byte order: labels and geometry come back, in the world too.
#[test]
fn label_maps_of_all_48_orders_keep_their_place() {
    let source = source(true);
    let settings = preprocessing("RAS", Some([2.0; 3]));
    let grid = settings.apply(std::slice::from_ref(&source)).unwrap().grid;
    let logits = logits(grid.shape(), 3);
    let expected = Labelling::whole(&grid, &logits, 3).unwrap();
    for order in Orientation::all() {
        let (stored, places) = stored_as(&source, order);
        for big_endian in [false, true] {
            let file = nifti_file(&stored, big_endian);
            let image = Scan::open(&file, None).unwrap();
            let volume = image.volume().unwrap();
            assert_eq!(volume.voxels, stored.voxels);
            let grid = settings.apply(std::slice::from_ref(&volume)).unwrap().grid;
            let labels = Labelling::whole(&grid, &logits, 3).unwrap();
            let bytes = image.encode_label_map(&labels, "labels").unwrap();
            for (from, to) in [(40, 56), (76, 108), (123, 124), (252, 328)] {
                assert_eq!(bytes[from..to], file[from..to], "{order} {from}");
            }
            let map = Scan::open(&bytes, None).unwrap().label_map().unwrap();
            assert_eq!(map.shape, stored.shape);
            let [_, rows, columns] = map.shape;
            let to_source = source.affine.inverse().unwrap();
            for (i, &label) in map.labels.iter().enumerate() {
                let voxel = [i % columns, i / columns % rows, i / (columns * rows)];
                let world = map.affine.apply(voxel.map(|v| v as f64));
                let [x, y, z] = to_source.apply(world).map(|v| {
                    // Affines in a file are float32.
                    assert!((v - v.round()).abs() < 1e-4, "{order}: {v}");
                    v.round() as usize
                });
                let at = (z * 6 + y) * 5 + x;
                assert_eq!(places[i], at);
                assert_eq!(label, expected[at], "{order} {voxel:?}");
            }
        }
    }
}

/// A float32 file with an sform, and a qform code whose quaternion has to survive as it is.
fn nifti_file(volume: &Volume, big_endian: bool) -> Vec<u8> {
    let mut file = vec![0; 352];
    let mut put = |at: usize, little: &[u8]| {
        let mut bytes = little.to_vec();
        if big_endian {
            bytes.reverse();
        }
        file[at..at + bytes.len()].copy_from_slice(&bytes);
    };
    put(0, &348i32.to_le_bytes());
    let [z, y, x] = volume.shape.map(|n| n as i16);
    for (i, n) in [3, x, y, z, 1, 1, 1, 1].into_iter().enumerate() {
        put(40 + 2 * i, &n.to_le_bytes());
    }
    put(70, &16i16.to_le_bytes());
    put(72, &32i16.to_le_bytes());
    let [dx, dy, dz] = volume.affine.spacing_mm().map(|v| v as f32);
    for (i, edge) in [-1.0, dx, dy, dz, 0.5, 0.25, 0.0, 7.0]
        .into_iter()
        .enumerate()
    {
        put(76 + 4 * i, &f32::to_le_bytes(edge));
    }
    put(108, &352f32.to_le_bytes());
    put(252, &3i16.to_le_bytes());
    put(254, &2i16.to_le_bytes());
    for (i, v) in [0.1f32, 0.2, 0.3, -4.0, 5.0, -6.0].into_iter().enumerate() {
        put(256 + 4 * i, &v.to_le_bytes());
    }
    for (i, v) in volume.affine.0[..3].iter().flatten().enumerate() {
        put(280 + 4 * i, &(*v as f32).to_le_bytes());
    }
    file[123] = 2 + 8; // mm and s
    file[344..348].copy_from_slice(b"n+1\0");
    for v in &volume.voxels {
        file.extend(if big_endian {
            v.to_be_bytes()
        } else {
            v.to_le_bytes()
        });
    }
    file
}

/// One head in half of the 48 orders, written by another program.
#[test]
fn one_real_head_in_many_orders_is_one_head() {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .join("../../../shared/data/nifti/valid/orientations48");
    if !folder.is_dir() {
        println!("skipped: no folder shared/data/nifti/valid/orientations48");
        return;
    }
    let settings = preprocessing("RAS", None);
    let coarse = preprocessing("RAS", Some([4.0; 3]));
    let open = |order: &str| {
        let bytes = std::fs::read(folder.join(format!("{order}.nii.gz"))).unwrap();
        let image = Scan::open(&bytes, None).unwrap();
        (image.volume().unwrap(), image)
    };
    let (head, _) = open("RAS");
    let expected = settings.apply(std::slice::from_ref(&head)).unwrap();
    let expected_coarse = coarse.apply(std::slice::from_ref(&head)).unwrap();
    let logits = logits(expected_coarse.shape, 3);
    let labels = Labelling::whole(&expected_coarse.grid, &logits, 3).unwrap();
    let to_head = head.affine.inverse().unwrap();
    let [_, head_rows, head_columns] = head.shape;

    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let order = name.strip_suffix(".nii.gz").unwrap();
        let (volume, image) = open(order);
        assert_eq!(volume.affine.orientation().to_string(), order);
        assert_eq!(
            volume.affine.orientation().to(RAS)[0].0,
            order.find(['L', 'R']).unwrap()
        );

        let found = settings.apply(std::slice::from_ref(&volume)).unwrap();
        assert_eq!(found.shape, expected.shape, "{order}");
        assert_eq!(found.voxels, expected.voxels, "{order}");
        let found = coarse.apply(std::slice::from_ref(&volume)).unwrap();
        assert_eq!(found.voxels, expected_coarse.voxels, "{order}");
        let back = Labelling::whole(&found.grid, &logits, 3).unwrap();
        let bytes = image.encode_label_map(&back, "").unwrap();
        let map = Scan::open(&bytes, None).unwrap().label_map().unwrap();

        let [_, rows, columns] = volume.shape;
        for i in (0..volume.voxels.len()).step_by(11) {
            let voxel = [i % columns, i / columns % rows, i / (columns * rows)];
            let world = map.affine.apply(voxel.map(|v| v as f64));
            let [x, y, z] = to_head.apply(world).map(|v| {
                assert!((v - v.round()).abs() < 1e-3, "{order}: {v}");
                v.round() as usize
            });
            let at = (z * head_rows + y) * head_columns + x;
            assert_eq!(volume.voxels[i], head.voxels[at], "{order} {voxel:?}");
            assert_eq!(map.labels[i], labels[at], "{order} {voxel:?}");
        }
        files += 1;
    }
    println!("{files} axis orders of one head agree");
    assert!(files >= 26);
}
