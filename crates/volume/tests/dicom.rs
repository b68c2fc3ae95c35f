//! Real DICOM files against what dcm2niix and dicom2nifti made of them.
#![cfg(feature = "dicom")]

mod shared;

use std::path::{Path, PathBuf};

use dinomed3d_volume::dicom::{DicomError, DicomFolder, DicomScan, InMemory, OnDisk, Source};
use dinomed3d_volume::{Affine, Scan};

fn data(name: &str) -> Option<PathBuf> {
    shared::data(&format!("dicom/{name}"))
}

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // Not in the order of the slices.
    files.sort_by_key(|path| path.to_string_lossy().chars().rev().collect::<String>());
    files
}

fn folder(path: &Path) -> DicomFolder {
    let source = |path| Box::new(OnDisk::new(path)) as Box<dyn Source>;
    DicomFolder::read(files(path).into_iter().map(source).collect())
}

fn only_scan(path: &Path) -> Result<DicomScan, DicomError> {
    let folder = folder(path);
    folder.scan(folder.choose(None)?, 0)
}

/// Voxels of a reference, x fastest, with their edges and place.
struct Reference {
    values: Vec<f64>,
    edges: [usize; 3],
    affine: Affine,
}

/// Volume `number` of a NIfTI file.
fn reference(path: &Path, number: usize) -> Reference {
    let image = Scan::open(&std::fs::read(path).unwrap(), None).unwrap();
    let [z, y, x] = image.grid_shape();
    let values = image.values().skip(number * x * y * z).take(x * y * z);
    Reference {
        values: values.collect(),
        edges: [x, y, z],
        affine: image.affine(),
    }
}

/// Every voxel lies within a micrometre of one of the reference's and holds its value.
fn assert_equal(scan: &DicomScan, reference: &Reference, most_off: f64, what: &str) {
    let volume = &scan.volume;
    let [z, y, x] = volume.shape;
    assert_eq!(volume.voxels.len(), reference.values.len(), "{what}");
    let back = reference.affine.inverse().unwrap();
    for (i, &value) in volume.voxels.iter().enumerate() {
        let voxel = [i % x, i / x % y, i / (x * y)];
        assert!(voxel[2] < z);
        let world = volume.affine.apply(voxel.map(|v| v as f64));
        let nearest = back.apply(world).map(f64::round);
        let there = reference.affine.apply(nearest);
        let off_mm = (0..3)
            .map(|a| (world[a] - there[a]).abs())
            .fold(0.0, f64::max);
        assert!(
            off_mm < 1e-3,
            "{what}: {voxel:?} lies at {world:?}, {there:?}"
        );
        let [a, b, c] = [0, 1, 2].map(|a| {
            assert!(
                (0.0..reference.edges[a] as f64).contains(&nearest[a]),
                "{what}: {nearest:?}"
            );
            nearest[a] as usize
        });
        let expected = reference.values[a + reference.edges[0] * (b + reference.edges[1] * c)];
        let off = (f64::from(value) - expected).abs();
        assert!(
            off <= most_off + 1e-6 * expected.abs(),
            "{what}: {voxel:?} holds {value}, {expected} is expected"
        );
    }
}

#[test]
fn series_are_what_dicom2nifti_makes_of_them() {
    for name in [
        "generic_anatomical_001",
        "generic_anatomical_001_implicit",
        "generic_anatomical_002_non_isotropic",
        "generic_compressed_001",
        "generic_compressed_jpeg_001",
        "generic_compressed_j2k_001",
        "generic_compressed_rle_001",
    ] {
        let Some(path) = data(&format!("series/{name}")) else {
            return;
        };
        let scan = only_scan(&path).unwrap();
        assert_eq!(scan.warnings, Vec::<String>::new(), "{name}");
        let is_signed = name.ends_with("isotropic");
        let datatype = if is_signed { "int16" } else { "uint16" };
        assert_eq!(scan.datatype_name, datatype, "{name}");
        let reference = reference(&path.with_extension("nii.gz"), 0);
        assert_equal(&scan, &reference, 0.0, name);
    }
}

/// The same mosaic in every syntax; JPEG-LS has no decoder that is written in Rust and kept.
#[test]
fn a_mosaic_is_the_same_volume_in_every_syntax() {
    let Some(path) = data("syntaxes_mosaic") else {
        return;
    };
    let reference = reference(&path.join("ref/1.nii.gz"), 0);
    for number in [1, 2, 4, 5, 9] {
        let file = path.join(format!("in/{number}.dcm"));
        let scan = only_scan(&file).unwrap();
        assert_eq!(scan.warnings, Vec::<String>::new());
        assert_equal(&scan, &reference, 0.0, &file.to_string_lossy());
    }
    let error = only_scan(&path.join("in/7.dcm")).unwrap_err();
    assert!(
        matches!(error, DicomError::TransferSyntax { .. }),
        "{error}"
    );
    assert!(error.to_string().contains("JPEG-LS"), "{error}");
}

/// 12 bits of 16, with other things in the rest.
#[test]
fn only_the_stored_bits_are_the_value() {
    let Some(path) = data("pixels12") else {
        return;
    };
    for (file, number) in [
        ("12bitUnsigned", 2),
        ("12bitUnsigned_0x0F0F", 3),
        ("12bitSigned_0x0F0F", 4),
    ] {
        let scan = only_scan(&path.join(format!("in/{file}.dcm"))).unwrap();
        let reference = reference(&path.join(format!("ref/{number}.nii.gz")), 0);
        assert_equal(&scan, &reference, 0.0, file);
    }
}

#[test]
fn one_slice_is_equal_in_every_syntax() {
    let Some(path) = data("single_ct") else {
        return;
    };
    let scans: Vec<_> = files(&path)
        .iter()
        .map(|file| only_scan(file).unwrap())
        .collect();
    assert_eq!(scans.len(), 6);
    assert_eq!(scans[0].volume.shape, [1, 512, 512]);
    // SpacingBetweenSlices, as dcm2niix takes it.
    assert_eq!(scans[0].volume.affine.0[2], [0.0, 0.0, 6.5, 4.7]);
    let values = scans[0].volume.voxels.iter().copied();
    // Of the stored -2000 outside of the scanner's circle, and -1024.
    assert_eq!(values.clone().fold(f32::INFINITY, f32::min), -3024.0);
    assert_eq!(values.fold(0.0, f32::max), 1378.0);
    for scan in &scans[1..] {
        assert!(scan == &scans[0]);
    }
}

#[test]
fn colours_become_their_luminance() {
    let Some(path) = data("series/generic_rgb_001") else {
        return;
    };
    let scan = only_scan(&path).unwrap();
    assert!(
        scan.warnings[0].contains("luminance"),
        "{:?}",
        scan.warnings
    );
    let reference = reference(&path.with_extension("nii.gz"), 0);
    assert_equal(&scan, &reference, 0.0, "colours");
}

#[test]
fn frames_of_enhanced_files_are_slices_and_times() {
    let Some(path) = data("enhanced") else {
        return;
    };
    let philips = only_scan(&path.join("enhanced_philips")).unwrap();
    let reference_of = |name: &str, number| reference(&path.join(name), number);
    let expected = reference_of("enhanced_philips.nii.gz", 0);
    assert_equal(&philips, &expected, 0.0, "Philips");

    let siemens = folder(&path.join("siemens_xa10/XA10"));
    assert_eq!(siemens.choose(None), Ok(0));
    assert_eq!(siemens.series()[0].num_volumes(), Ok(4));
    assert_eq!(siemens.series()[0].shape(), [6, 64, 64]);
    for number in 0..4 {
        let scan = siemens.scan(0, number).unwrap();
        let expected = reference_of("siemens_xa10.nii.gz", number);
        assert_equal(&scan, &expected, 0.0, &format!("time {number}"));
    }
    assert_eq!(
        siemens.scan(0, 4).unwrap_err(),
        DicomError::NoSuchVolume {
            wanted: 4,
            count: 4
        }
    );
}

#[test]
fn a_multi_frame_file_is_the_volume_of_its_single_images() {
    let Some(path) = data("seg/dcmqi_24x38x3") else {
        return;
    };
    let single = only_scan(&path.join("image")).unwrap();
    let multi = only_scan(&path.join("multiframe/mf.dcm")).unwrap();
    assert_eq!(single.volume, multi.volume);
}

#[test]
fn what_is_no_volume_is_refused_by_name() {
    let Some(path) = data("refused") else {
        return;
    };
    let error = |name: &str| only_scan(&path.join(name)).unwrap_err();
    assert_eq!(
        error("sliceincrement_001"),
        DicomError::MissingSlices {
            found: 4,
            expected: 5,
            gap_mm: 5.0,
            after: 3
        }
    );
    assert_eq!(
        error("sliceorientation_001"),
        DicomError::MixedOrientations { counts: vec![2, 2] }
    );
    assert_eq!(
        error("notavolume_001"),
        DicomError::OnePlace {
            slices: 4,
            position_mm: [-139.2275390625, -384.2275390625, 61.5]
        }
    );
    assert_eq!(
        error("no-pixel-data.dcm"),
        DicomError::NoPixels {
            found: "1 structured report".to_owned()
        }
    );
    assert_eq!(
        error("no-pixel-spacing.dcm"),
        DicomError::NoSpacing {
            slices: 1,
            modality: "US".to_owned()
        }
    );
    // Each half of mixed orientations is a volume of its own, if it is asked for.
    let mixed = folder(&path.join("sliceorientation_001"));
    for series in [0, 1] {
        let scan = mixed.scan(series, 0).unwrap();
        assert_eq!(scan.volume.shape, [2, 288, 288]);
    }
    assert_ne!(mixed.series()[0].identity, mixed.series()[1].identity);
}

#[test]
fn segmentations_are_no_scans() {
    let Some(path) = data("seg") else {
        return;
    };
    for name in [
        "seg_image_ct_binary.dcm",
        "seg_image_ct_binary_overlap.dcm",
        "seg_image_ct_true_fractional.dcm",
        "dcmqi_24x38x3/seg/label.seg",
    ] {
        let error = only_scan(&path.join(name)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no scan here, only 1 segmentation (DICOM-SEG): images with pixels are expected"
        );
    }
    // Beside an image they are counted, and text files too.
    let mixed = folder(&path);
    assert_eq!(mixed.series().len(), 1);
    assert_eq!(mixed.others()["segmentation (DICOM-SEG)"], 3);
}

#[test]
fn other_files_are_passed_over() {
    let files = ["a picture", ""].map(|text| {
        Box::new(InMemory {
            name: "file".to_owned(),
            bytes: text.into(),
        }) as Box<dyn Source>
    });
    let folder = DicomFolder::read(files.into());
    assert_eq!(folder.passed_over(), 2);
    assert_eq!(folder.choose(None), Err(DicomError::NotDicom { files: 2 }));
}

/// Slices 5 mm apart along the table, of a gantry tilted by 14°. dcm2niix gives the same distance of 4.85148 mm.
#[test]
fn a_tilted_gantry_is_straightened_and_said() {
    let Some(path) = data("refused/gantrytilting_001") else {
        return;
    };
    let scan = only_scan(&path).unwrap();
    assert!(
        scan.warnings[0].contains("lean by 14.0°"),
        "{:?}",
        scan.warnings
    );
    // Three steps of 5 mm · sin 14° are 8.7 pixels.
    assert_eq!(scan.volume.shape, [4, 521, 512]);
    let spacing = scan.volume.affine.spacing_mm();
    assert!((spacing[2] - 4.85148).abs() < 1e-5, "{spacing:?}");
}

/// Two blocks of 14 slices in one series, of 4 mm and of 7 mm: each is a volume.
#[test]
fn blocks_of_two_thicknesses_are_two_volumes() {
    let Some(path) = data("tilt/ge_head_ct/GE") else {
        return;
    };
    let folder = folder(&path);
    assert_eq!(
        folder.choose(None),
        Err(DicomError::MixedSpacing {
            counts: vec![14, 14]
        })
    );
    for (series, gap) in [(0, 4.22), (1, 7.38)] {
        let scan = folder.scan(series, 0).unwrap();
        assert!(
            scan.warnings[0].contains("lean by 18.5°"),
            "{:?}",
            scan.warnings
        );
        let spacing = scan.volume.affine.spacing_mm();
        let expected = gap * 18.5f64.to_radians().cos();
        assert!(
            (spacing[2] - expected).abs() < 1e-3,
            "{spacing:?} {expected}"
        );
    }
}
