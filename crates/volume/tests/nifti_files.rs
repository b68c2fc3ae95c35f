//! Real NIfTI files, valid and malformed, against what nibabel says about them.

mod shared;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use dinomed3d_volume::{FileError, Format, Scan, ScanError, open_file};

fn folder(name: &str) -> Option<PathBuf> {
    shared::data(&format!("nifti/{name}"))
}

type Row = HashMap<String, String>;

fn index(folder: &Path) -> Vec<Row> {
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

/// Why a file is no scan.
fn refusal(path: &Path) -> ScanError {
    match open_file(path) {
        Err(FileError::Scan { cause, .. }) => *cause,
        other => panic!("{}: {other:?}", path.display()),
    }
}

/// Every row of INDEX.csv, which holds what nibabel 5.4 gives, affines to six digits and sums to twelve; the files of voxels
/// of pairs have rows without facts.
#[test]
fn valid_files_read_as_nibabel_reads_them() {
    let Some(folder) = folder("valid") else {
        return;
    };
    let (mut read, mut pairs, mut refused) = (0, 0, 0);
    for row in index(&folder) {
        let file = &row["file"];
        let path = folder.join(file);
        if row["ver"].is_empty() {
            let header = PathBuf::from(path.to_str().unwrap().replace(".img", ".hdr"));
            let [by_voxels, by_header] = [path, header].map(|path| open_file(&path).unwrap());
            assert_eq!(by_voxels.affine(), by_header.affine(), "{file}");
            assert!(by_voxels.values().eq(by_header.values()), "{file}");
            pairs += 1;
            continue;
        }
        if row["dtype"].starts_with("complex") || file.contains("cifti") {
            let error = refusal(&path);
            let is_named = match error {
                ScanError::Complex { name } => name == row["dtype"],
                ScanError::NoVolume { what } => what.contains("CIFTI"),
                _ => false,
            };
            assert!(is_named, "{file}: {error}");
            refused += 1;
            continue;
        }
        let scan = open_file(&path).unwrap_or_else(|error| panic!("{error}"));
        let format = match (row["ver"].as_str(), file.starts_with("analyze75")) {
            ("2", _) => Format::Nifti2,
            (_, true) => Format::Analyze,
            _ => Format::Nifti1,
        };
        assert_eq!(scan.format(), format, "{file}");
        let shape: Vec<String> = scan.shape().iter().map(ToString::to_string).collect();
        assert_eq!(shape.join("x"), row["shape"], "{file}");
        assert_eq!(scan.datatype_name(), row["dtype"], "{file}");
        if format != Format::Analyze {
            let (qform, sform) = scan.form_codes();
            assert_eq!(format!("{qform}/{sform}"), row["qs"], "{file}");
        }
        let affine = scan.affine();
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
        assert_values(&scan, &row);

        match scan.volume() {
            Ok(volume) => {
                assert_eq!(scan.num_volumes(), 1, "{file}");
                let expected: usize = volume.shape.iter().product();
                assert_eq!(volume.voxels.len(), expected, "{file}");
            }
            Err(ScanError::NotOneVolume { .. }) => {
                let last = scan.num_volumes() - 1;
                let volume = scan.volume_at(last).unwrap();
                let stored = scan.values().skip(last * volume.voxels.len());
                let equal = |(a, b): (&f32, f64)| *a == b as f32 || a.is_nan() && b.is_nan();
                assert!(volume.voxels.iter().zip(stored).all(equal), "{file}");
                let chosen = scan.select(last).unwrap().volume().unwrap();
                assert_eq!(
                    (chosen.shape, chosen.affine),
                    (volume.shape, affine),
                    "{file}"
                );
            }
            Err(error) => panic!("{file}: {error}"),
        }
        read += 1;
    }
    println!(
        "{read} files read as nibabel reads them, {pairs} by their voxels, {refused} refused by name"
    );
    assert!(read >= 70 && pairs == 4 && refused == 3);
}

/// Colours have no least and largest value in the table.
fn assert_values(scan: &Scan, row: &Row) {
    let file = &row["file"];
    let Ok(expected_nan) = row["nan"].parse::<usize>() else {
        assert!(row["dtype"].starts_with("rgb"), "{file}");
        assert!(scan.values().all(|value| (0.0..=255.0).contains(&value)));
        return;
    };
    let (mut min, mut max, mut sum, mut nan) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0usize);
    for value in scan.values() {
        if value.is_nan() {
            nan += 1;
            continue;
        }
        min = min.min(value);
        max = max.max(value);
        sum += value;
    }
    assert_eq!(nan, expected_nan, "{file}");
    if nan < scan.values().len() {
        for (name, found, tolerance) in [("min", min, 1e-7), ("max", max, 1e-7), ("sum", sum, 1e-8)]
        {
            let expected = row[name].parse().unwrap();
            assert!(
                close(found, expected, tolerance),
                "{file}: {name} {found} {expected}"
            );
        }
    }
}

/// What is said of each file, and of no other. Distances of corners are those of nibabel's qform and
/// sform.
#[test]
fn what_files_leave_open_is_said() {
    let Some(folder) = folder("valid") else {
        return;
    };
    let mut expected = HashMap::from([
        ("analyze75_be_int16.hdr", "ANALYZE 7.5 does not say"),
        ("pair_be_noxform.hdr", "does not say how it lies in space"),
        ("be_int32_5d_scl_q_ne_s.nii.gz", "up to 27.7 mm apart"),
        ("uint8_q_vs_s_126mm.nii", "up to 477.9 mm apart"),
        ("uint8_ct_sheared_scl.nii.gz", "up to 35.6 mm apart"),
        ("rgb24_single_slice_1201x1244x1.nii.gz", "colours (rgb24)"),
        ("rgba32_4d_tiny.nii", "colours (rgba32)"),
    ]);
    for row in index(&folder) {
        let file = row["file"].as_str();
        if row["ver"].is_empty() {
            continue;
        }
        let Ok(scan) = open_file(&folder.join(file)) else {
            continue;
        };
        let said = scan.warnings();
        match expected.remove(file) {
            Some(words) => assert!(
                said.len() == 1 && said[0].contains(words),
                "{file}: {said:?}"
            ),
            None => assert_eq!(said, [""; 0], "{file}"),
        }
    }
    assert!(expected.is_empty(), "{expected:?}");
}

/// Twins: one volume in both byte orders, and one mirrored in memory; one of them in NIfTI-2 too.
#[test]
fn twins_of_one_volume_agree() {
    let Some(folder) = folder("valid") else {
        return;
    };
    let open = |file: &str| open_file(&folder.join(file)).unwrap().volume().unwrap();
    let big = open("be_float32_qonly_zstat.nii.gz");
    let little = open("float32_qonly_zstat.nii.gz");
    assert_eq!(big, little);

    let left = open("be_uint8_sform_las.nii.gz");
    let right = open("be_uint8_sform_ras.nii.gz");
    let rows = left.voxels.chunks(91).zip(right.voxels.chunks(91));
    for (a, b) in rows {
        assert!(a.iter().eq(b.iter().rev()));
    }
    assert_eq!(open("nifti2_float32_sonly.nii.gz"), left);
}

#[test]
fn label_maps_keep_their_source_s_geometry_to_the_byte() {
    let Some(folder) = folder("valid") else {
        return;
    };
    // dim, pixdim, units, quaternion and its offset, rows of the sform, both codes; in NIfTI-1 and in NIfTI-2.
    let geometry = [
        vec![(40, 56), (76, 108), (123, 124), (252, 328)],
        vec![(16, 80), (104, 168), (344, 496), (500, 504)],
    ];
    let mut written = 0;
    for row in index(&folder) {
        let file = &row["file"];
        if row["ver"].is_empty() {
            continue;
        }
        let Ok(scan) = open_file(&folder.join(file)) else {
            continue;
        };
        let grid = scan.grid_shape();
        let count = grid.iter().product::<usize>();
        let labels: Vec<u8> = (0..count).map(|i| (i % 251) as u8).collect();
        let bytes = scan.encode_label_map(&labels, "test").unwrap();
        if scan.num_volumes() == 1 && scan.format() != Format::Analyze {
            let is_second = usize::from(scan.format() == Format::Nifti2);
            for &(from, to) in &geometry[is_second] {
                assert_eq!(
                    bytes[from..to],
                    scan.raw_header()[from..to],
                    "{file} {from}"
                );
            }
        }
        let back = Scan::open(&bytes, None).unwrap();
        assert_eq!(back.datatype_name(), "uint8");
        assert_eq!(back.form_codes(), scan.form_codes(), "{file}");
        let map = back.label_map().unwrap();
        assert_eq!(map.shape, grid, "{file}");
        // Of ANALYZE both are made anew, in 32 bits.
        let apart_mm = map.affine.corners_apart_mm(&scan.affine(), grid);
        let allowed_mm = if scan.format() == Format::Analyze {
            1e-4
        } else {
            0.0
        };
        assert!(apart_mm <= allowed_mm, "{file}: {apart_mm} mm");
        assert_eq!(map.labels, labels);
        written += 1;
    }
    println!("{written} label maps written");
    assert!(written >= 70);
}

#[test]
fn what_was_read_can_be_written_and_read_again() {
    let Some(folder) = folder("valid") else {
        return;
    };
    for row in index(&folder) {
        let file = &row["file"];
        let Ok(scan) = open_file(&folder.join(file)) else {
            continue;
        };
        if scan.values().len() > 1_000_000 {
            continue; // of which the others say enough
        }
        let copy = Scan::open(&scan.encode().unwrap(), None).unwrap();
        assert_eq!(copy.shape(), scan.shape(), "{file}");
        assert_eq!(copy.form_codes(), scan.form_codes(), "{file}");
        for (found, expected) in copy.values().zip(scan.values()) {
            let equal = found == expected || found.is_nan() && expected.is_nan();
            // Luminance is written in 32 bits.
            assert!(
                equal || close(found, expected, 1e-7),
                "{file}: {found} {expected}"
            );
        }
    }
}

/// Of 16 files, some of which claim hundreds of megabytes: an error of one sentence each, at once.
#[test]
fn malformed_files_are_refused_by_name() {
    let Some(folder) = folder("malformed") else {
        return;
    };
    let rows = index(&folder);
    assert!(rows.len() >= 16);
    for row in rows {
        let file = &row["file"];
        let started = std::time::Instant::now();
        let error = refusal(&folder.join(file));
        let said = error.to_string();
        println!("{file}: {said}");
        assert!(started.elapsed().as_millis() < 500, "{file}");
        assert!(!said.contains('\n'), "{file}: {said}");
        let is_named = match file.split('.').next().unwrap() {
            "header_only_claims_607MB" | "header_only_claims_847MB" | "header_only_int16" => {
                matches!(error, ScanError::ImpossibleClaim { .. })
            }
            "header_only_plain_claims_134MB" => matches!(error, ScanError::Truncated { .. }),
            "hdr_without_img" | "hdr_without_img_nifti2" => {
                matches!(error, ScanError::NeedsVoxels { .. })
            }
            "cifti_header_no_data" => matches!(error, ScanError::NoVolume { .. }),
            "text_or_other_named_nii" => {
                matches!(error, ScanError::Other { what, .. } if what == "a web page")
            }
            _ => matches!(error, ScanError::Unknown { .. }),
        };
        assert!(is_named, "{file}: {error:?}");
    }
}
