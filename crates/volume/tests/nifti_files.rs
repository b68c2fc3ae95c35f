//! Real NIfTI files, valid and malformed, against what nibabel says about them.

use std::collections::HashMap;
use std::path::PathBuf;

use dinomed3d_volume::{NiftiError, NiftiImage};

/// Files beside the repository; without them these tests have nothing to read.
fn folder(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
        .join("../../../shared/data/nifti")
        .join(name);
    if !path.is_dir() {
        println!("skipped: no folder shared/data/nifti/{name}");
        return None;
    }
    Some(path)
}

type Row = HashMap<String, String>;

fn index(folder: &std::path::Path) -> Vec<Row> {
    let text = std::fs::read_to_string(folder.join("INDEX.csv")).unwrap();
    let mut lines = text.lines().map(cells);
    let names = lines.next().unwrap();
    lines
        .map(|cells| {
            assert_eq!(cells.len(), names.len(), "{cells:?}");
            names.iter().cloned().zip(cells).collect()
        })
        .collect()
}

/// One line of a CSV file with quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if is_quoted && letters.peek() == Some(&'"') => {
                letters.next();
                cells.last_mut().unwrap().push('"');
            }
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(String::new()),
            other => cells.last_mut().unwrap().push(other),
        }
    }
    cells
}

fn close(found: f64, expected: f64, scale: f64) -> bool {
    (found - expected).abs() <= scale * expected.abs().max(1e-3)
}

/// INDEX.csv holds what nibabel 5.4 gives, affines to six digits and sums to twelve.
#[test]
fn valid_files_read_as_nibabel_reads_them() {
    let Some(folder) = folder("valid") else {
        return;
    };
    let supported = [
        "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32",
        "float64",
    ];
    let (mut read, mut refused) = (0, 0);
    for row in index(&folder) {
        let file = &row["file"];
        let result = NiftiImage::parse(&std::fs::read(folder.join(file)).unwrap());
        let is_single = file.ends_with(".nii") || file.ends_with(".nii.gz");
        let is_supported =
            is_single && row["ver"] == "1" && supported.contains(&row["dtype"].as_str());
        if !is_supported {
            let error = result.map(drop).unwrap_err();
            let is_named = match error {
                NiftiError::Nifti2 => row["ver"] == "2",
                NiftiError::DetachedPair => file.starts_with("pair_"),
                NiftiError::Analyze { .. } => file.starts_with("analyze75"),
                NiftiError::Datatype { name, .. } => name == row["dtype"],
                NiftiError::NotNifti { .. } => file.contains(".img"),
                _ => false,
            };
            assert!(is_named, "{file}: {error}");
            refused += 1;
            continue;
        }
        let image = result.unwrap_or_else(|error| panic!("{file}: {error}"));
        let shape: Vec<String> = image.shape().iter().map(ToString::to_string).collect();
        assert_eq!(shape.join("x"), row["shape"], "{file}");
        assert_eq!(image.datatype_name(), row["dtype"], "{file}");
        let (qform, sform) = image.form_codes();
        assert_eq!(format!("{qform}/{sform}"), row["qs"], "{file}");
        let affine = image.affine();
        assert_eq!(affine.orientation().to_string(), row["axcodes"], "{file}");
        let expected: Vec<f64> = row["affine"]
            .split(' ')
            .map(|v| v.parse().unwrap())
            .collect();
        let found = affine.0[..3].iter().flatten();
        for (found, &expected) in found.zip(&expected) {
            // Numbers that should be 0 come from float32 rotations.
            assert!(
                close(*found, expected, 1e-5) || (found - expected).abs() < 1e-6,
                "{file}: {affine:?} is not {expected:?}"
            );
        }

        let number = |column: &str| row[column].parse::<f64>().unwrap();
        let (mut min, mut max, mut sum, mut nan) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0usize);
        for value in image.values() {
            if value.is_nan() {
                nan += 1;
                continue;
            }
            min = min.min(value);
            max = max.max(value);
            sum += value;
        }
        assert_eq!(nan as f64, number("nan"), "{file}");
        if nan < image.values().len() {
            assert!(
                close(min, number("min"), 1e-7),
                "{file}: minimum {min} {}",
                row["min"]
            );
            assert!(
                close(max, number("max"), 1e-7),
                "{file}: maximum {max} {}",
                row["max"]
            );
            assert!(
                close(sum, number("sum"), 1e-8),
                "{file}: sum {sum} {}",
                row["sum"]
            );
        }

        let is_one_volume = image.shape().iter().skip(3).all(|&n| n == 1);
        match image.volume() {
            Ok(volume) => {
                assert!(is_one_volume, "{file}");
                let expected: usize = volume.shape.iter().product();
                assert_eq!(volume.voxels.len(), expected, "{file}");
            }
            Err(NiftiError::NotOneVolume { .. }) => assert!(!is_one_volume, "{file}"),
            Err(error) => panic!("{file}: {error}"),
        }
        read += 1;
    }
    println!("{read} files read as nibabel reads them, {refused} refused by name");
    assert!(read > 60 && refused > 8);
}

/// Twins: one volume in both byte orders, and one mirrored in memory.
#[test]
fn twins_of_one_volume_agree() {
    let Some(folder) = folder("valid") else {
        return;
    };
    let open = |file: &str| {
        NiftiImage::parse(&std::fs::read(folder.join(file)).unwrap())
            .and_then(|image| image.volume())
            .unwrap()
    };
    let big = open("be_float32_qonly_zstat.nii.gz");
    let little = open("float32_qonly_zstat.nii.gz");
    assert_eq!(big, little);

    let left = open("be_uint8_sform_las.nii.gz");
    let right = open("be_uint8_sform_ras.nii.gz");
    let rows = left.voxels.chunks(91).zip(right.voxels.chunks(91));
    for (a, b) in rows {
        assert!(a.iter().eq(b.iter().rev()));
    }
}

#[test]
fn label_maps_keep_their_source_s_geometry_to_the_byte() {
    let Some(folder) = folder("valid") else {
        return;
    };
    // dim, pixdim, units, quaternion and its offset, rows of the sform, both codes.
    let geometry = [(40, 56), (76, 108), (123, 124), (252, 328)];
    let mut written = 0;
    for row in index(&folder) {
        let file = folder.join(&row["file"]);
        let Ok(image) = NiftiImage::parse(&std::fs::read(file).unwrap()) else {
            continue;
        };
        let Ok(volume) = image.volume() else {
            continue;
        };
        let labels: Vec<u8> = (0..volume.voxels.len()).map(|i| (i % 251) as u8).collect();
        let bytes = image.encode_label_map(&labels, "test").unwrap();
        for (from, to) in geometry {
            assert_eq!(
                bytes[from..to],
                image.raw_header()[from..to],
                "{} {from}",
                row["file"]
            );
        }
        let back = NiftiImage::parse(&bytes).unwrap();
        assert_eq!(back.datatype_name(), "uint8");
        let map = back.label_map().unwrap();
        assert_eq!((map.shape, map.affine), (volume.shape, volume.affine));
        assert_eq!(map.labels, labels);
        written += 1;
    }
    println!("{written} label maps written");
    assert!(written > 40);
}

/// Of 16 files, some of which claim hundreds of megabytes: an error each, at once.
#[test]
fn malformed_files_are_refused_by_name() {
    let Some(folder) = folder("malformed") else {
        return;
    };
    let rows = index(&folder);
    assert!(rows.len() >= 16);
    for row in rows {
        let file = &row["file"];
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let started = std::time::Instant::now();
        let error = NiftiImage::parse(&bytes).map(drop).unwrap_err();
        println!("{file}: {error}");
        assert!(started.elapsed().as_millis() < 500, "{file}");
        let is_named = match file.split('.').next().unwrap() {
            "header_only_claims_607MB" | "header_only_claims_847MB" | "header_only_int16" => {
                matches!(error, NiftiError::ImpossibleClaim { .. })
            }
            "header_only_plain_claims_134MB" | "two_bytes" => {
                matches!(error, NiftiError::Truncated { .. })
            }
            "hdr_without_img" => matches!(error, NiftiError::DetachedPair),
            "hdr_without_img_nifti2" | "cifti_header_no_data" => {
                matches!(error, NiftiError::Nifti2)
            }
            "ascii_340_bytes" | "not_nifti_1024_bytes" | "random_801" | "random_with_magic" => {
                matches!(error, NiftiError::NotNifti { .. })
            }
            _ => true,
        };
        assert!(is_named, "{file}: {error:?}");
    }
}
