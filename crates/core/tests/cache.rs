//! Prepared cases from disk are what preparing gives, and never out of date.

use dinomed3d_core::preprocess::Preprocessing;
use dinomed3d_core::train::dataset::cache::{Cache, KEPT, Usage};
use dinomed3d_core::train::{Dataset, TrainError};
use dinomed3d_volume::nifti::{Values, encode};
use dinomed3d_volume::{Affine, Scan, gzip};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A NIfTI-1 file of int16 voxels, 7 × 6 × 5 of 0.7 × 0.9 × 2.1 mm, x to the left.
fn scan(value: impl Fn(usize) -> i16) -> Vec<u8> {
    let values: Vec<i16> = (0..7 * 6 * 5).map(value).collect();
    let affine = Affine::from_spacing_mm([-0.7, 0.9, 2.1]);
    encode(&[7, 6, 5], &affine, Values::Int16(&values), "")
}

struct Made {
    folder: PathBuf,
}

impl Made {
    /// Four cases in a folder of its own, and an empty cache beside them.
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dinomed3d-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let made = Self { folder };
        let pairs: Vec<String> = (0..4)
            .map(|case| {
                made.write_image(case, 3);
                made.write_label(case, 40);
                format!(r#"{{"image": "image_{case}.nii.gz", "label": "label_{case}.nii.gz"}}"#)
            })
            .collect();
        let json = format!(
            r#"{{"labels": {{"0": "background", "3": "box"}}, "training": [{}]}}"#,
            pairs.join(",")
        );
        std::fs::write(made.data().join("dataset.json"), json).unwrap();
        made
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn cache(&self) -> PathBuf {
        self.folder.join("cache")
    }

    fn write_image(&self, case: usize, factor: usize) {
        let file = scan(|at| ((at * 37 + case * 11) % 101 * factor) as i16);
        std::fs::write(
            self.data().join(format!("image_{case}.nii.gz")),
            gzip(&file),
        )
        .unwrap();
    }

    fn write_label(&self, case: usize, count: usize) {
        let image = Scan::open(&scan(|_| 0), None).unwrap();
        let labels: Vec<u8> = (0..7 * 6 * 5).map(|at| 3 * u8::from(at < count)).collect();
        let file = image.encode_label_map(&labels, "test").unwrap();
        std::fs::write(
            self.data().join(format!("label_{case}.nii.gz")),
            gzip(&file),
        )
        .unwrap();
    }

    fn load(&self, preprocessing: &Preprocessing) -> (Dataset, Usage) {
        let mut cache = Cache::open(&self.cache()).unwrap();
        let dataset = Dataset::load_with(&self.data(), preprocessing, 2, Some(&mut cache)).unwrap();
        (dataset, cache.usage)
    }

    fn entries(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(self.cache()).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn preprocessing(orientation: &str) -> Preprocessing {
    serde_json::from_value(serde_json::json!({
        "orientation": orientation, "spacingMm": [1.3, 0.8, 1.1],
        "intensity": {"kind": "percentile-z-score", "lowPercent": 0.5, "highPercent": 99.5}
    }))
    .unwrap()
}

fn counts(usage: &Usage) -> (usize, usize) {
    (usage.found, usage.new)
}

/// Bit by bit, which == on floats is not.
fn same(a: &Dataset, b: &Dataset) -> bool {
    let bits = |voxels: &[f32]| voxels.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    a.labels == b.labels
        && a.channels == b.channels
        && a.training.len() == b.training.len()
        && a.validation.len() == b.validation.len()
        && a.training
            .scans()
            .iter()
            .zip(b.training.scans())
            .all(|(a, b)| {
                a.name == b.name
                    && bits(&a.voxels) == bits(&b.voxels)
                    && a.labels == b.labels
                    && a.shape == b.shape
                    && a.spacing_mm.map(f64::to_bits) == b.spacing_mm.map(f64::to_bits)
            })
        && a.validation.iter().zip(&b.validation).all(|(a, b)| {
            a.name == b.name
                && bits(&a.prepared.voxels) == bits(&b.prepared.voxels)
                && a.prepared.num_channels == b.prepared.num_channels
                && a.prepared.shape == b.prepared.shape
                && a.prepared.grid == b.prepared.grid
                && a.reference == b.reference
        })
}

#[test]
fn the_second_time_is_the_first_bit_by_bit() {
    let made = Made::new("cache-same");
    let settings = preprocessing("SPL");
    let without = Dataset::load(&made.data(), &settings, 2).unwrap();
    let (first, usage) = made.load(&settings);
    assert_eq!(counts(&usage), (0, 4));
    let (second, usage) = made.load(&settings);
    assert_eq!(counts(&usage), (4, 0));
    assert_eq!(usage.notes, Vec::<String>::new());
    assert!(same(&without, &first) && same(&first, &second));
    // Which cases validate does not matter to an entry.
    let mut cache = Cache::open(&made.cache()).unwrap();
    let other = Dataset::load_with(&made.data(), &settings, 4, Some(&mut cache)).unwrap();
    assert_eq!(counts(&cache.usage), (4, 0));
    assert!(same(
        &other,
        &Dataset::load(&made.data(), &settings, 4).unwrap()
    ));
}

#[test]
fn what_changed_is_prepared_anew() {
    let made = Made::new("cache-changed");
    let settings = preprocessing("SPL");
    made.load(&settings);
    let is_right = |usage: Usage, dataset: Dataset, settings: &Preprocessing, expected| {
        assert_eq!(counts(&usage), expected);
        assert!(same(
            &dataset,
            &Dataset::load(&made.data(), settings, 2).unwrap()
        ));
    };
    // A label map, for training or for validation, then an image, then a setting.
    for case in [0, 1] {
        made.write_label(case, 50);
        let (dataset, usage) = made.load(&settings);
        is_right(usage, dataset, &settings, (3, 1));
    }
    made.write_image(2, 5);
    let (dataset, usage) = made.load(&settings);
    is_right(usage, dataset, &settings, (3, 1));
    let turned = preprocessing("RAS");
    let (dataset, usage) = made.load(&turned);
    is_right(usage, dataset, &turned, (0, 4));
    // What was before is still there.
    let (dataset, usage) = made.load(&settings);
    is_right(usage, dataset, &settings, (4, 0));
    // A label more moves the classes.
    let path = made.data().join("dataset.json");
    let json = std::fs::read_to_string(&path).unwrap();
    std::fs::write(
        &path,
        json.replace(r#""3": "box""#, r#""2": "ball", "3": "box""#),
    )
    .unwrap();
    let (dataset, usage) = made.load(&settings);
    assert!(dataset.training.scans()[0].labels.contains(&2));
    is_right(usage, dataset, &settings, (0, 4));
}

#[test]
fn a_damaged_entry_is_noticed_and_made_anew() {
    let made = Made::new("cache-damaged");
    let settings = preprocessing("SPL");
    let (first, _) = made.load(&settings);
    let damages: [fn(&mut Vec<u8>); 4] = [
        |bytes| bytes.truncate(bytes.len() - 100),
        |bytes| bytes[400] ^= 1,
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        Vec::clear,
    ];
    for damage in damages {
        let path = made.entries().remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        damage(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let (dataset, usage) = made.load(&settings);
        assert_eq!(counts(&usage), (3, 1));
        assert!(
            usage.notes.len() == 1 && usage.notes[0].contains("damaged"),
            "{usage:?}"
        );
        assert!(same(&first, &dataset));
        assert_eq!(counts(&made.load(&settings).1), (4, 0));
    }
}

#[test]
fn what_nobody_used_for_a_month_is_removed_and_nothing_else() {
    let made = Made::new("cache-old");
    let settings = preprocessing("SPL");
    made.load(&settings);
    let age = |path: &Path| {
        let old = SystemTime::now() - KEPT - Duration::from_secs(60);
        File::options()
            .append(true)
            .open(path)
            .unwrap()
            .set_modified(old)
            .unwrap();
    };
    let entries = made.entries();
    let stranger = made.cache().join("notes.txt");
    std::fs::write(&stranger, "not ours").unwrap();
    let half = entries[0].with_extension("case.12345.part");
    std::fs::write(&half, "half").unwrap();
    for path in [&entries[0], &stranger, &half] {
        age(path);
    }
    assert_eq!(counts(&made.load(&settings).1), (3, 1));
    assert!(stranger.exists() && !half.exists());
}

#[test]
fn to_be_used_is_to_be_young_again() {
    let made = Made::new("cache-used");
    let settings = preprocessing("SPL");
    made.load(&settings);
    let nearly = SystemTime::now() - (KEPT - Duration::from_secs(600));
    for path in made.entries() {
        File::options()
            .append(true)
            .open(&path)
            .unwrap()
            .set_modified(nearly)
            .unwrap();
    }
    assert_eq!(counts(&made.load(&settings).1), (4, 0));
    for path in made.entries() {
        let used = path.metadata().unwrap().modified().unwrap();
        assert!(used.elapsed().unwrap() < Duration::from_secs(60));
    }
}

#[test]
fn problems_are_those_of_the_data_set_not_of_the_cache() {
    let made = Made::new("cache-problems");
    std::fs::write(made.data().join("image_1.nii.gz"), "no scan").unwrap();
    std::fs::remove_file(made.data().join("label_2.nii.gz")).unwrap();
    let mut cache = Cache::open(&made.cache()).unwrap();
    let settings = preprocessing("SPL");
    let result = Dataset::load_with(&made.data(), &settings, 2, Some(&mut cache));
    let Err(TrainError::Data(problems)) = result else {
        panic!("{result:?}");
    };
    let text = problems.join("\n");
    assert!(
        text.contains("image_1") && text.contains("label_2"),
        "{text}"
    );
    assert_eq!(counts(&cache.usage), (0, 2));
}
