//! DICOM segmentations of other programs read here, and ours read by them.
#![cfg(feature = "dicom")]

mod shared;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use dinomed3d_volume::dicom::segmentation::{
    Provenance, Segment, SegmentationError, Term, read, write,
};
use dinomed3d_volume::dicom::{DicomFolder, InMemory, OnDisk, Source};
use dinomed3d_volume::{Affine, Label, LabelMap};
use serde_json::json;

fn data(name: &str) -> Option<PathBuf> {
    shared::data(&format!("dicom/{name}"))
}

fn folder(path: &Path) -> DicomFolder {
    let mut files = vec![path.to_owned()];
    if path.is_dir() {
        let entries = fs::read_dir(path).unwrap();
        files = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
    }
    let source = |path| Box::new(OnDisk::new(path)) as Box<dyn Source>;
    DicomFolder::read(files.into_iter().map(source).collect())
}

/// A NRRD file of 16-bit integers in gzip, of which only this much is needed: sizes x, y, z, directions and origin towards left,
/// posterior and superior.
fn nrrd(path: &Path) -> LabelMap {
    let bytes = fs::read(path).unwrap();
    let end = bytes.windows(2).position(|two| two == b"\n\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let field = |name: &str| -> Vec<f64> {
        let line = head.lines().find_map(|l| l.strip_prefix(name)).unwrap();
        line.split([' ', '(', ')', ',', ':'])
            .filter_map(|word| word.parse().ok())
            .collect()
    };
    let (sizes, m, o) = (
        field("sizes"),
        field("space directions"),
        field("space origin"),
    );
    let row = |r: usize, sign: f64| [m[r], m[3 + r], m[6 + r], o[r]].map(|v| sign * v);
    let mut voxels = Vec::new();
    flate2::read::GzDecoder::new(&bytes[end + 2..])
        .read_to_end(&mut voxels)
        .unwrap();
    LabelMap {
        labels: voxels.chunks_exact(2).map(|two| two[0]).collect(),
        shape: [2, 1, 0].map(|axis| sizes[axis] as usize),
        affine: Affine([
            row(0, -1.0),
            row(1, -1.0),
            row(2, 1.0),
            [0.0, 0.0, 0.0, 1.0],
        ]),
    }
}

#[test]
fn a_segmentation_of_dcmqi_is_its_own_nrrd() {
    let Some(path) = data("seg/dcmqi_24x38x3") else {
        return;
    };
    let found = read(&fs::read(path.join("seg/label.seg")).unwrap()).unwrap();
    let expected = nrrd(&path.join("nrrd/label.nrrd"));
    assert_eq!(found.map.labels, expected.labels);
    assert_eq!(found.map.shape, expected.shape);
    let apart = found
        .map
        .affine
        .corners_apart_mm(&expected.affine, expected.shape);
    assert!(apart < 1e-3, "{apart}");
    let [segment] = &found.segments[..] else {
        panic!("{:?}", found.segments)
    };
    assert_eq!((segment.label.value, &*segment.label.name), (1, "Liver"));
    assert_eq!(segment.term.kind.value, "T-62000");
    // Onto the image it was made of, as slices and as one file.
    for image in ["image", "multiframe"] {
        let volume = folder(&path.join(image)).scan(0, 0).unwrap().volume;
        let laid = found.on_grid(volume.shape, &volume.affine).unwrap();
        assert_eq!(laid.labels, expected.labels, "{image}");
    }
}

/// Voxels and positions as pydicom shows them.
#[test]
fn segmentations_of_highdicom_are_read_or_refused() {
    let Some(path) = data("seg") else {
        return;
    };
    let of = |name: &str| read(&fs::read(path.join(name)).unwrap());
    let found = of("seg_image_ct_binary.dcm").unwrap();
    assert_eq!(found.map.shape, [3, 16, 16]);
    assert_eq!(found.map.present(), [1]);
    // Of the first slice each row is set from the left so far, of the last one only one voxel is not.
    let widths = [11, 10, 7, 6, 6, 6, 7, 7, 7, 8, 8, 8, 8, 9, 9, 10];
    let expected = (0..3 * 256).map(|i| match i / 256 {
        0 => i % 16 < widths[i / 16],
        1 => true,
        _ => i != 2 * 256 + 3,
    });
    assert!(found.map.labels.iter().map(|&l| l == 1).eq(expected));
    let first = found.map.affine.apply([0.0; 3]);
    let last = found.map.affine.apply([0.0, 0.0, 2.0]);
    for (found, expected) in [
        (first, [125.0, 128.100006, 103.019997]),
        (last, [125.0, 128.100006, 105.519997]),
    ] {
        assert!(
            (0..3).all(|i| (found[i] - expected[i]).abs() < 1e-9),
            "{found:?}"
        );
    }
    let error = of("seg_image_ct_binary_overlap.dcm").unwrap_err();
    assert!(
        matches!(
            error,
            SegmentationError::Overlap {
                numbers: [1, 2],
                ..
            }
        ),
        "{error}"
    );
    let error = of("seg_image_ct_true_fractional.dcm").unwrap_err();
    assert_eq!(
        error,
        SegmentationError::Fractional {
            value: 128,
            most: 255
        }
    );
}

/// A label map that tells axes and directions apart: blocks of several labels, none at either end of the slices of large scans.
fn blocks(shape: [usize; 3], affine: Affine, values: &[u8]) -> LabelMap {
    let [depth, height, width] = shape;
    let mut labels = vec![0; depth * height * width];
    let margin = usize::from(depth > 4);
    for z in margin..depth - margin {
        for y in height / 5..height - height / 7 {
            for x in width / 6..width / 2 + z {
                let place = (z * 7 / depth + y * 5 / height + x * 3 / width) % (values.len() + 1);
                if let Some(&value) = values.get(place) {
                    labels[(z * height + y) * width + x] = value;
                }
            }
        }
    }
    LabelMap {
        labels,
        shape,
        affine,
    }
}

fn provenance() -> Provenance {
    Provenance {
        model: "head".to_owned(),
        model_version: "0.3.0".to_owned(),
        model_hash: "0123456789abcdef".repeat(4),
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        is_changed_by_hand: false,
        unix_seconds: 1_735_689_599,
    }
}

/// All that a name of our models can be, and what no table knows.
fn labels() -> Vec<Label> {
    let names = [
        "left cerebral white matter",
        "left cerebral cortex",
        "left lateral ventricle",
        "left inferior lateral ventricle",
        "left cerebellum white matter",
        "left cerebellum cortex",
        "left thalamus",
        "left caudate",
        "left putamen",
        "left pallidum",
        "3rd ventricle",
        "4th ventricle",
        "brain-stem",
        "right hippocampus",
        "right amygdala",
        "CSF around the brain",
        "right accumbens area",
        "right ventral DC",
        "right anterior hippocampus",
        "left posterior hippocampus",
        "Cerebellum",
        "Optic-Chiasm",
        "Corpus Callosum",
        "5th-Ventricle",
        "left hippocampus, the rest",
        "größerer Tumor",
    ];
    let values = [
        2, 3, 4, 5, 7, 8, 10, 11, 12, 13, 14, 15, 16, 53, 54, 24, 58, 60, 203, 202, 100, 85, 86,
        72, 17, 255,
    ];
    let colors = dinomed3d_volume::palette(names.len());
    (0..names.len())
        .map(|i| Label {
            value: values[i],
            name: names[i].to_owned(),
            color: colors[i],
        })
        .collect()
}

/// Series of single slices, one slice, enhanced files, a mosaic, and a leaning stack that is straightened.
const SCANS: [(&str, bool); 8] = [
    ("series/generic_anatomical_001", false),
    ("series/generic_anatomical_002_non_isotropic", false),
    ("seg/dcmqi_24x38x3/image", false),
    ("seg/dcmqi_24x38x3/multiframe", false),
    ("seg/ct_image.dcm", false),
    ("syntaxes_mosaic/in/1.dcm", false),
    ("enhanced", false),
    ("refused/gantrytilting_001", true),
];

/// Every scan of the shared data with a label map, written.
fn written() -> Vec<(String, LabelMap, Vec<u8>, serde_json::Value)> {
    let labels = labels();
    let segments: Vec<Segment> = labels
        .iter()
        .map(|l| Segment::of(l, Some("head")))
        .collect();
    let mut written = Vec::new();
    for (name, is_straightened) in SCANS {
        let Some(path) = data(name) else {
            return Vec::new();
        };
        let mut paths = vec![path];
        if name == "enhanced" {
            paths = below(&paths[0]);
        }
        for path in paths {
            let folder = folder(&path);
            let Ok(scan) = folder.scan(0, 0) else {
                continue;
            };
            let origin = folder.origin(0, 0).unwrap();
            let volume = scan.volume;
            // Few of them in each scan, all of them over all scans.
            let start = 5 * written.len();
            let values: Vec<u8> = (0..6)
                .map(|i| labels[(start + i) % labels.len()].value)
                .collect();
            let map = blocks(volume.shape, volume.affine, &values);
            let bytes = match write(&map, &segments, &origin, &provenance()) {
                Ok(bytes) => bytes,
                Err(SegmentationError::NoUid { what }) => {
                    println!("{}: no {what}", path.display());
                    continue;
                }
                Err(error) => panic!("{}: {error}", path.display()),
            };
            let described = json!({
                "shape": map.shape,
                "affine": map.affine,
                "labels": segments.iter().map(|s| json!({
                    "value": s.label.value,
                    "name": s.label.name,
                    "color": s.label.color,
                    "isKnown": s.term.kind.scheme != "99DINOMED3D",
                })).collect::<Vec<_>>(),
                "isStraightened": is_straightened,
                "path": path,
            });
            let name = name.replace(['/', '.'], "_");
            written.push((format!("{name}_{}", written.len()), map, bytes, described));
        }
    }
    written
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(below(&path));
        } else if path.extension().is_some_and(|e| e == "dcm") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn every_kind_of_scan_gets_its_labels_back() {
    let written = written();
    for (name, map, bytes, _) in &written {
        let found = read(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let laid = found.on_grid(map.shape, &map.affine);
        let laid = laid.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(laid.labels == map.labels, "{name}");
        for segment in &found.segments {
            let label = labels()
                .into_iter()
                .find(|l| l.value == segment.label.value);
            let label = label.unwrap();
            assert_eq!(segment.term, Term::of(&label, Some("head")), "{name}");
            assert_eq!(segment.label, label, "{name}");
        }
    }
    if !written.is_empty() {
        assert!(written.len() >= 9, "{}", written.len());
    }
}

/// Through a file in memory too, as a page has it.
#[test]
fn what_a_segmentation_refers_to_needs_no_disk() {
    let Some(path) = data("seg/ct_image.dcm") else {
        return;
    };
    let bytes = fs::read(path).unwrap();
    let source = |bytes| {
        Box::new(InMemory {
            name: "ct".to_owned(),
            bytes,
        }) as Box<dyn Source>
    };
    let folder = DicomFolder::read(vec![source(bytes)]);
    let volume = folder.scan(0, 0).unwrap().volume;
    let origin = folder.origin(0, 0).unwrap();
    drop(folder);
    let map = blocks(volume.shape, volume.affine, &[1]);
    let bytes = write(&map, &[], &origin, &provenance()).unwrap();
    assert_eq!(read(&bytes).unwrap().map.labels, map.labels);
}

/// The interpreter of a virtual environment with what `requirements.txt` lists, made once; without Python or its packages the
/// test is skipped and says so.
fn python() -> Option<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dicom_seg");
    let requirements = here.join("requirements.txt");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("highdicom");
    let python = folder.join("bin/python");
    let done = folder.join("requirements.txt");
    let listed = fs::read(&requirements).unwrap();
    if fs::read(&done).is_ok_and(|of_last_time| of_last_time == listed) {
        return Some(python);
    }
    let run = |command: &mut Command| match command.output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(said.lines().last().unwrap_or("no reason given").to_owned())
        }
        Err(error) => Err(error.to_string()),
    };
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&folder)).and_then(|()| {
        let pip = ["-m", "pip", "install", "--retries=1", "-r"];
        run(Command::new(&python).args(pip).arg(&requirements))
    });
    if let Err(reason) = made {
        println!("skipped: highdicom can't be installed for Python: {reason}");
        return None;
    }
    fs::write(done, listed).unwrap();
    Some(python)
}

/// highdicom and dcmqi find every label where it lies, and DICOM's context groups every code.
#[test]
fn other_programs_read_our_segmentations() {
    let written = written();
    if written.is_empty() {
        return;
    }
    let Some(python) = python() else {
        return;
    };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("segmentations");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    for (name, map, bytes, described) in written {
        fs::write(folder.join(format!("{name}.dcm")), bytes).unwrap();
        fs::write(folder.join(format!("{name}.raw")), map.labels).unwrap();
        fs::write(folder.join(format!("{name}.json")), described.to_string()).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dicom_seg/check.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&folder)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{said}");
    println!("{said}");
}
