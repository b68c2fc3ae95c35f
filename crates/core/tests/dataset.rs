//! Data sets on disk, in both layouts, whole and spoilt in every way that is looked for.

use dinomed3d_core::preprocess::Preprocessing;
use dinomed3d_core::train::dataset::case_split::write_splits;
use dinomed3d_core::train::dataset::{
    CaseFiles, CaseSplit, Dataset, DatasetIndex, HeldOut, RawCase,
};
use dinomed3d_volume::Affine;
use dinomed3d_volume::nifti::{Values, encode};
use std::path::{Path, PathBuf};

const EDGE: usize = 6;

/// A NIfTI-1 file of float voxels, RAS, first voxel at the origin; `shape` is x, y, z and maybe channel.
fn nifti(shape: &[usize], spacing_mm: [f64; 3], value: impl Fn(usize) -> f32) -> Vec<u8> {
    let values: Vec<f32> = (0..shape.iter().product()).map(value).collect();
    let affine = Affine::from_spacing_mm(spacing_mm);
    encode(shape, &affine, Values::Float32(&values), "")
}

const CUBE: [usize; 3] = [EDGE; 3];

/// Channel `channel` of a case: no two are alike.
fn image(case: usize, channel: usize) -> Vec<u8> {
    nifti(&CUBE, [1.0; 3], |i| value(case, channel, i))
}

fn value(case: usize, channel: usize, voxel: usize) -> f32 {
    ((voxel * (7 + 4 * channel) + case) % 23) as f32
}

fn label_map() -> Vec<u8> {
    nifti(&CUBE, [1.0; 3], |i| if i % 5 == 0 { 1.0 } else { 0.0 })
}

fn scratch(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("dinomed3d-set-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    for part in ["imagesTr", "labelsTr"] {
        std::fs::create_dir_all(folder.join(part)).unwrap();
    }
    folder
}

fn write(folder: &Path, file: &str, bytes: &[u8]) {
    std::fs::write(folder.join(file), bytes).unwrap();
}

/// Six cases of two channels as nnU-Net v2 wants them.
fn nnunet(name: &str) -> PathBuf {
    let folder = scratch(name);
    for case in 0..6 {
        for channel in 0..2 {
            let file = format!("imagesTr/case_{case}_000{channel}.nii");
            write(&folder, &file, &image(case, channel));
        }
        write(&folder, &format!("labelsTr/case_{case}.nii"), &label_map());
    }
    // As other systems leave them.
    write(&folder, "imagesTr/._case_0_0000.nii", b"");
    let json = r#"{"channel_names": {"0": "T1", "1": "T2"}, "labels": {"background": 0, "tumour": 1},
        "numTraining": 6, "file_ending": ".nii"}"#;
    write(&folder, "dataset.json", json.as_bytes());
    folder
}

fn replace_json(folder: &Path, from: &str, to: &str) {
    let json = std::fs::read_to_string(folder.join("dataset.json")).unwrap();
    assert!(json.contains(from));
    write(folder, "dataset.json", json.replace(from, to).as_bytes());
}

fn preprocessing() -> Preprocessing {
    let json = r#"{"orientation": "RAS",
        "intensity": {"kind": "percentile-z-score", "lowPercent": 0, "highPercent": 100}}"#;
    serde_json::from_str(json).unwrap()
}

fn problems(folder: &Path) -> String {
    Dataset::load(folder, &preprocessing(), 5)
        .unwrap_err()
        .to_string()
}

#[test]
fn a_data_set_of_nn_unet_has_a_file_for_every_channel() {
    let folder = nnunet("nnunet");
    let index = DatasetIndex::read(&folder).unwrap();
    assert_eq!(index.channels, ["T1", "T2"]);
    assert_eq!(
        index.labels,
        [(0, "background".into()), (1, "tumour".into())]
    );
    assert_eq!(index.cases.len(), 6);
    assert_eq!(
        index.cases[3].images,
        ["case_3_0000.nii", "case_3_0001.nii"].map(|file| folder.join("imagesTr").join(file))
    );
    let dataset = Dataset::load(&folder, &preprocessing(), 5).unwrap();
    assert_eq!((dataset.training.len(), dataset.validation.len()), (4, 2));
    assert!(dataset.absent_labels().is_empty());
    for case in dataset.training.scans() {
        assert_eq!(case.num_channels(), 2);
        // Each channel is normalised by itself.
        for channel in case.voxels.chunks_exact(EDGE * EDGE * EDGE) {
            let mean = channel.iter().sum::<f32>() / channel.len() as f32;
            let square = channel.iter().map(|v| v * v).sum::<f32>() / channel.len() as f32;
            assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3);
        }
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// The same volumes as the fourth dimension of one file.
#[test]
fn modalities_of_the_decathlon_are_the_fourth_dimension() {
    let folder = scratch("decathlon");
    let voxels = EDGE * EDGE * EDGE;
    let mut pairs = Vec::new();
    for case in 0..3 {
        let both = nifti(&[EDGE, EDGE, EDGE, 2], [1.0; 3], |i| {
            value(case, i / voxels, i % voxels)
        });
        write(&folder, &format!("imagesTr/case_{case}.nii"), &both);
        write(&folder, &format!("labelsTr/case_{case}.nii"), &label_map());
        pairs.push(format!(
            r#"{{"image": "./imagesTr/case_{case}.nii", "label": "./labelsTr/case_{case}.nii"}}"#
        ));
    }
    let json = format!(
        r#"{{"modality": {{"0": "FLAIR", "1": "T1w"}}, "labels": {{"0": "background", "1": "tumour"}},
            "training": [{}]}}"#,
        pairs.join(",")
    );
    write(&folder, "dataset.json", json.as_bytes());
    let index = DatasetIndex::read(&folder).unwrap();
    assert_eq!(index.channels, ["FLAIR", "T1w"]);
    let case = RawCase::read(&index.cases[2], &index.channels).unwrap();
    for (channel, volume) in case.channels.iter().enumerate() {
        assert_eq!(volume.shape, CUBE);
        assert!((0..voxels).all(|i| volume.voxels[i] == value(2, channel, i)));
    }
    let dataset = Dataset::load(&folder, &preprocessing(), 3).unwrap();
    assert_eq!(dataset.training.scans()[0].num_channels(), 2);
    assert_eq!(dataset.validation[0].prepared.num_channels, 2);

    replace_json(&folder, r#", "1": "T1w""#, "");
    let problems = problems(&folder);
    let expected = "2 volumes are found, expected is one of three dimensions: FLAIR";
    assert_eq!(problems.matches(expected).count(), 3, "{problems}");
    std::fs::remove_dir_all(folder).unwrap();
}

/// Each case is spoilt in another way, and all of it is said at once.
#[test]
fn every_problem_of_every_file_is_named_at_once() {
    let folder = nnunet("problems");
    let mut moved = image(0, 1);
    moved[292..296].copy_from_slice(&0.5f32.to_le_bytes());
    write(&folder, "imagesTr/case_0_0001.nii", &moved);
    write(
        &folder,
        "labelsTr/case_0.nii",
        &nifti(&[EDGE, EDGE, 5], [1.0; 3], |_| 0.0),
    );
    std::fs::remove_file(folder.join("imagesTr/case_1_0001.nii")).unwrap();
    std::fs::remove_file(folder.join("labelsTr/case_2.nii")).unwrap();
    let flat = nifti(&CUBE, [1.0; 3], |_| 2.0);
    write(&folder, "imagesTr/case_2_0001.nii", &flat);
    let broken = |i: usize| match i {
        3 => f32::NAN,
        4 => f32::INFINITY,
        i => value(3, 0, i),
    };
    write(
        &folder,
        "imagesTr/case_3_0000.nii",
        &nifti(&CUBE, [1.0; 3], broken),
    );
    write(
        &folder,
        "imagesTr/case_3_0001.nii",
        &nifti(&CUBE, [1.0; 3], |_| 5.0),
    );
    let strange = nifti(&CUBE, [1.0; 3], |i| [0.0, 1.0, 7.0, 9.0][i % 4]);
    write(&folder, "labelsTr/case_3.nii", &strange);
    let half = nifti(&CUBE, [1.0; 3], |i| if i == 8 { 0.5 } else { 1.0 });
    write(&folder, "labelsTr/case_4.nii", &half);
    write(
        &folder,
        "imagesTr/case_5_0000.nii",
        &nifti(&CUBE, [1.0, f64::NAN, 1.0], |i| i as f32),
    );
    write(&folder, "imagesTr/case_5_0001.nii", b"not a scan");
    write(&folder, "imagesTr/case_5_0002.nii", &image(5, 0));
    write(&folder, "imagesTr/case_5.nii", &image(5, 0));
    write(&folder, "labelsTr/stray.nii", &label_map());

    let found = problems(&folder);
    let expected = [
        "case_0_0001.nii: lies up to 0.500 mm (allowed are 0.010 mm, a hundredth of a voxel) away from the first channel, ",
        "case_0.nii: the label map has [5, 6, 6] voxels (z, y, x), expected are [6, 6, 6], those of its image, ",
        "case_1_0001.nii: this file is missing; it is channel T2 of case case_1",
        "case_2.nii: this file is missing; it is the label map of case case_2",
        "case_2_0001.nii: every voxel is 2: there is nothing to see",
        "case_3_0000.nii: 2 of 216 voxels are NaN or infinite",
        "case_3_0001.nii: every voxel is 5",
        "case_3.nii: labels 7, 9 are not in dataset.json, which lists [0, 1]",
        "case_4.nii: voxel [2, 1, 0] (x, y, z) holds 0.5: labels are whole numbers",
        "case_5_0000.nii: its spacing is [1.0, NaN, 1.0] mm (x, y, z), expected are finite numbers above 0",
        "case_5_0001.nii: ",
        "case_5_0002.nii: dataset.json names no channel 2, but 2: T1, T2",
        "case_5.nii: its name ends in no channel, expected is CASE_0000.nii",
        "stray_0000.nii: this file is missing; it is channel T1 of case stray",
        "stray_0001.nii: this file is missing; it is channel T2 of case stray",
        "dataset.json: its numTraining is 6, but there are files of 7 cases",
    ];
    for line in &expected {
        assert!(found.contains(line), "{line:?} is not in\n{found}");
    }
    assert_eq!(found.lines().count(), 1 + expected.len(), "{found}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_label_map_that_lies_elsewhere_is_named() {
    let folder = nnunet("moved");
    // A thousandth of a voxel is rounding, a tenth is not.
    for (case, mm) in [(0, 0.001f32), (1, 0.1)] {
        let mut map = label_map();
        map[292..296].copy_from_slice(&mm.to_le_bytes());
        write(&folder, &format!("labelsTr/case_{case}.nii"), &map);
    }
    let found = problems(&folder);
    assert_eq!(found.lines().count(), 2, "{found}");
    let expected = "case_1.nii: the label map lies up to 0.100 mm (allowed are 0.010 mm";
    assert!(found.contains(expected), "{found}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_label_that_no_case_has_is_told_and_is_no_error() {
    let folder = nnunet("absent");
    replace_json(&folder, r#""tumour": 1"#, r#""tumour": 1, "cyst": 4"#);
    let dataset = Dataset::load(&folder, &preprocessing(), 5).unwrap();
    assert_eq!(dataset.absent_labels(), [&(4, "cyst".to_owned())]);
    std::fs::remove_dir_all(folder).unwrap();
}

/// What `dataset.json` may not say.
#[test]
fn an_index_that_can_not_be_used_says_why() {
    for (from, to, expected) in [
        (
            r#""tumour": 1"#,
            r#""tumour": [1, 2]"#,
            "label \"tumour\" is a region, [1,2], which is not supported",
        ),
        (
            r#""tumour": 1"#,
            r#""ignore": 1"#,
            "label \"ignore\" (1) asks for voxels to be left out",
        ),
        (
            r#""tumour": 1"#,
            r#""tumour": 0"#,
            "\"background\" and \"tumour\" are both 0",
        ),
        (
            r#""tumour": 1"#,
            r#""tumour": 1.5"#,
            "is 1.5, expected is a whole number",
        ),
        (
            r#"".nii""#,
            r#"".nrrd""#,
            "its file_ending is \".nrrd\", expected is \".nii.gz\" or \".nii\"",
        ),
        (
            r#""1": "T2""#,
            r#""2": "T2""#,
            "expected are names under the numbers from 0 on",
        ),
        (
            r#""numTraining""#,
            r#""dataset": {}, "numTraining""#,
            "it lists its files under \"dataset\", which is not supported",
        ),
        (r#""channel_names""#, r#""names""#, "it names no channels"),
        (
            r#""background": 0"#,
            r#""background": "0""#,
            "(Medical Segmentation Decathlon) or",
        ),
        (
            r#"{"channel"#,
            r#"{{"channel"#,
            "not the index of a data set",
        ),
    ] {
        let folder = nnunet("index");
        replace_json(&folder, from, to);
        let found = problems(&folder);
        assert!(found.contains(expected), "{expected:?} is not in {found}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}

#[test]
fn a_table_says_whose_a_case_is() {
    let folder = nnunet("patients");
    write(
        &folder,
        "patients.csv",
        b"case,patient\ncase_0,anna\ncase_5,anna\ncase_1,berta\n",
    );
    let index = DatasetIndex::read(&folder).unwrap();
    let names = |cases: Vec<CaseFiles>| cases.into_iter().map(|case| case.name);
    // Anna is the first patient, Berta the second, and the others are each their own.
    let (_, held_out) = index.split(5);
    assert_eq!(names(held_out).collect::<Vec<_>>(), ["case_0", "case_5"]);
    for line in ["case_2", "case_2,carla,1", "case_0,carla", ",carla"] {
        let table = format!("case,patient\ncase_0,anna\n{line}\n");
        write(&folder, "patients.csv", table.as_bytes());
        let found = problems(&folder);
        assert!(
            found.contains(&format!("patients.csv: line 3 is {line:?}")),
            "{found}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// A split of names stays what it is when the data set grows, and misses what is gone.
#[test]
fn a_split_is_of_names_not_of_places() {
    let folder = nnunet("names");
    let index = DatasetIndex::read(&folder).unwrap();
    let split = CaseSplit::by_rule(&index.cases, 5.into());
    assert_eq!(split.val, ["case_0", "case_5"]);
    write_splits(&folder, std::slice::from_ref(&split)).unwrap();
    let json = std::fs::read_to_string(folder.join("splits.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["val"], serde_json::json!(["case_0", "case_5"]));
    for channel in 0..2 {
        let file = format!("imagesTr/a_case_000{channel}.nii");
        write(&folder, &file, &image(7, channel));
    }
    write(&folder, "labelsTr/a_case.nii", &label_map());
    replace_json(&folder, r#""numTraining": 6"#, r#""numTraining": 7"#);
    let again = CaseSplit::of_run(&folder).unwrap().unwrap();
    assert_eq!(again, split);
    let index = DatasetIndex::read(&folder).unwrap();
    let held_out = HeldOut::of_names(&index, &again.val).unwrap();
    assert_eq!(held_out.names(), split.val);
    assert_ne!(CaseSplit::by_rule(&index.cases, 5.into()).val, split.val);
    std::fs::remove_file(folder.join("labelsTr/case_5.nii")).unwrap();
    for channel in 0..2 {
        std::fs::remove_file(folder.join(format!("imagesTr/case_5_000{channel}.nii"))).unwrap();
    }
    replace_json(&folder, r#""numTraining": 7"#, r#""numTraining": 6"#);
    let index = DatasetIndex::read(&folder).unwrap();
    let error = HeldOut::of_names(&index, &again.val)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("case case_5 of the run's split is not in the data set any more"),
        "{error}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

/// Small letters, capitals, Latin-1; and what is no case's file.
#[test]
fn files_of_whatever_name_are_used_or_named() {
    let folder = nnunet("capitals");
    let rename = |from: &str, to: &std::ffi::OsStr| {
        let path = folder.join(from);
        std::fs::rename(&path, path.with_file_name(to)).unwrap();
    };
    rename("imagesTr/case_1_0000.nii", "case_1_0000.NII".as_ref());
    rename("labelsTr/case_1.nii", "case_1.Nii".as_ref());
    let mut names: Vec<String> = (0..6).map(|case| format!("case_{case}")).collect();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let latin = |bytes| std::ffi::OsStr::from_bytes(bytes);
        rename("imagesTr/case_2_0000.nii", latin(b"f\xfcnf_0000.nii"));
        rename("imagesTr/case_2_0001.nii", latin(b"f\xfcnf_0001.NII"));
        rename("labelsTr/case_2.nii", latin(b"f\xfcnf.nii"));
        names.remove(2);
        names.push("f\u{fffd}nf".to_owned());
    }
    write(&folder, "imagesTr/case_3_0000.nii.gz", b"");
    write(&folder, "labelsTr/notes.txt", b"");
    std::fs::create_dir(folder.join("labelsTr/more.nii")).unwrap();
    let index = DatasetIndex::read(&folder).unwrap();
    let found: Vec<&str> = index.cases.iter().map(|case| case.name.as_str()).collect();
    assert_eq!(found, names);
    let dataset = Dataset::load(&folder, &preprocessing(), 5).unwrap();
    assert_eq!((dataset.training.len(), dataset.validation.len()), (4, 2));
    for (found, expected) in dataset.passed_over.iter().zip([
        "case_3_0000.nii.gz: dataset.json says file_ending .nii",
        "imagesTr: 1 hidden: ._case_0_0000.nii",
        "more.nii: a folder",
        "notes.txt: its name is not that of a .nii or .nii.gz file",
    ]) {
        assert!(found.ends_with(expected), "{found}");
    }
    assert_eq!(dataset.passed_over.len(), 4, "{:?}", dataset.passed_over);
    // Two files of one name are no case.
    write(&folder, "labelsTr/case_0.NII", &label_map());
    let found = problems(&folder);
    assert!(
        found.contains("case_0.NII and ") && found.contains("case_0.nii are both called case_0"),
        "{found}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_a_list_leaves_out_is_named() {
    let folder = scratch("listed");
    let mut pairs = Vec::new();
    for case in 0..3 {
        write(
            &folder,
            &format!("imagesTr/case_{case}.NII"),
            &image(case, 0),
        );
        write(&folder, &format!("labelsTr/case_{case}.nii"), &label_map());
        pairs.push(serde_json::json!({
            "image": format!("./imagesTr/case_{case}.NII"), "label": format!("labelsTr/case_{case}.nii")
        }));
    }
    let json = serde_json::json!({"labels": {"0": "background", "1": "tumour"}, "training": pairs});
    write(&folder, "dataset.json", json.to_string().as_bytes());
    write(&folder, "imagesTr/case_3.NII.GZ", b"");
    write(&folder, "labelsTr/._case_0.nii", b"");
    write(&folder, "labelsTr/._case_1.nii", b"");
    let index = DatasetIndex::read(&folder).unwrap();
    assert_eq!(index.cases[1].name, "case_1");
    let [unlisted, hidden] = &index.passed_over[..] else {
        panic!("{:?}", index.passed_over)
    };
    assert!(
        unlisted.ends_with("case_3.NII.GZ: dataset.json does not list it"),
        "{unlisted}"
    );
    assert!(
        hidden.ends_with("labelsTr: 2 hidden: ._case_0.nii, ._case_1.nii"),
        "{hidden}"
    );
    std::fs::remove_dir_all(folder).unwrap();
}
