//! Scans larger than what a model labels: the window laid by what is found, mirror images, and a closer look at a part. Networks
//! have random weights: what they answer means nothing, but where they answer does.

mod small;

use std::cell::Cell;
use std::ops::ControlFlow;

use burn::tensor::Device;
use dinomed3d_core::infer::{Computer, InferError, Keep, OneDevice, Progress};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::segmenter::{Segmentation, Segmenter};
use dinomed3d_volume::nifti::Depth;
use dinomed3d_volume::region::mirror;
use dinomed3d_volume::{Affine, Format, Label, LabelMap, Outline, Scan, Volume};
use serde_json::json;
use small::{WINDOW, model};

/// A model of voxels of 10 mm, with settings of its own.
fn segmenter(background: f32, settings: &serde_json::Value) -> Segmenter {
    let (manifest, weights) = model(|tensors| {
        let bias = &mut tensors.get_mut("decoder.head.bias").unwrap().values;
        let of_class = bias.len() / 3;
        for value in &mut bias[..of_class] {
            *value += background;
        }
    });
    let mut manifest = serde_json::to_value(manifest).unwrap();
    manifest["preprocessing"]["spacingMm"] = json!([10.0, 10.0, 10.0]);
    for (name, value) in settings.as_object().unwrap() {
        manifest[name] = value.clone();
    }
    let manifest = ModelManifest::from_json(manifest.to_string().as_bytes()).unwrap();
    Segmenter::load(manifest, &weights, &Device::flex()).unwrap()
}

/// Settings of a model of coarser voxels than the scans here have, which draws borders by their brightness.
fn by_brightness(mut settings: serde_json::Value) -> serde_json::Value {
    settings["intensityModel"] = json!({"weight": 0.8});
    settings["preprocessing"] = json!({
        "orientation": "RAS",
        "spacingMm": [20.0, 20.0, 20.0],
        "intensity": {"kind": "percentile-z-score", "lowPercent": 0.5, "highPercent": 99.5},
    });
    settings
}

/// A ball of noise, mirror-symmetric in x, near one corner of a dark room of 240 × 400 × 400 mm (x, y, z).
fn room() -> Volume {
    let shape = [40, 40, 24];
    let mut voxels = Vec::new();
    for z in 0..40usize {
        for y in 0..40usize {
            for x in 0..24usize {
                let apart = |at: usize, middle: f64| (at as f64 - middle) * 10.0;
                let distance = [apart(x, 11.5), apart(y, 12.0), apart(z, 26.0)];
                let is_inside = distance.iter().map(|d| d * d).sum::<f64>().sqrt() < 70.0;
                let from_middle = x.min(23 - x);
                let noise = ((z * 1600 + y * 40 + from_middle) * 7919 % 1009) as f32 / 1009.0;
                voxels.push(if is_inside { 1.0 + noise } else { 0.0 });
            }
        }
    }
    Volume {
        voxels,
        shape,
        affine: Affine::from_spacing_mm([10.0; 3]),
    }
}

fn segment(segmenter: &Segmenter, scan: &Volume) -> (Segmentation, Vec<Progress>) {
    let mut seen = Vec::new();
    let segmentation = segmenter.segment(std::slice::from_ref(scan), async |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    });
    (pollster::block_on(segmentation).unwrap(), seen)
}

/// Lowest and highest `[z, y, x]` of the voxels that have a label.
fn extent(labels: &[u8], [_, rows, columns]: [usize; 3]) -> [[usize; 2]; 3] {
    let mut extent = [[usize::MAX, 0]; 3];
    for (i, _) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        let at = [i / (rows * columns), i / columns % rows, i % columns];
        for (range, at) in extent.iter_mut().zip(at) {
            *range = [range[0].min(at), range[1].max(at)];
        }
    }
    extent
}

/// The network answers anything anywhere, so labels fill the window that it was shown last; its slices run along x.
#[test]
fn one_window_is_laid_where_the_head_is_and_laid_again() {
    let segmenter = segmenter(0.0, &json!({"locate": "head"}));
    let scan = room();
    let (found, seen) = segment(&segmenter, &scan);
    let [z, y, x] = extent(&found.labels, scan.shape);
    let [slices, rows, columns] = WINDOW;
    for ([low, high], (edge, middle)) in
        [z, y, x]
            .into_iter()
            .zip([(columns, 26.0), (rows, 12.0), (slices, 11.5)])
    {
        assert!(high - low < edge, "{low} to {high}");
        assert!(
            (low..=high).contains(&(middle as usize)),
            "{low} to {high} without {middle}"
        );
    }
    assert!((1..=2).contains(&found.windows), "{}", found.windows);
    assert!(seen.is_sorted_by(|a, b| a.fraction <= b.fraction));
    let told: Vec<_> = seen.iter().filter_map(|step| step.found.as_ref()).collect();
    assert_eq!(
        told.len(),
        found.windows - 1,
        "what was found, before the last look"
    );

    check_turned(&segmenter, scan, &found.labels);
}

/// Where brightness draws borders too.
#[test]
fn a_scan_that_is_stored_from_its_other_end_has_the_same_label_map() {
    let segmenter = segmenter(0.0, &by_brightness(json!({"locate": "head"})));
    let scan = room();
    let (found, _) = segment(&segmenter, &scan);
    check_turned(&segmenter, scan, &found.labels);
}

fn check_turned(segmenter: &Segmenter, scan: Volume, labels: &[u8]) {
    let mut turned = scan;
    turned.voxels.reverse();
    for row in &mut turned.affine.0[..3] {
        let last: f64 = [23.0, 39.0, 39.0]
            .iter()
            .zip(&*row)
            .map(|(n, step)| n * step)
            .sum();
        row[3] += last;
        row[..3].iter_mut().for_each(|step| *step = -*step);
    }
    let (mut of_turned, _) = segment(segmenter, &turned);
    of_turned.labels.reverse();
    assert!(of_turned.labels == labels);
}

/// A window, then all windows; nothing around which a last one could be laid.
#[test]
fn where_the_first_window_shows_nothing_the_whole_scan_is_looked_at() {
    let (found, _) = segment(&segmenter(1e3, &json!({"locate": "head"})), &room());
    assert!(found.labels.iter().all(|label| *label == 0));
    // 24 slices by windows of 4, 40 rows and columns by windows of 16, half a window apart.
    assert_eq!(found.windows, 1 + 11 * 4 * 4);
    assert!(
        found.warnings[0].contains("No voxel"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn a_mirrored_scan_gives_the_mirrored_label_map() {
    let shape = [16, 16, 4];
    let scan = Volume {
        voxels: (0..1024).map(|i| (i * 7919 % 1009) as f32).collect(),
        shape,
        affine: Affine::from_spacing_mm([10.0; 3]),
    };
    let mut image = scan.clone();
    mirror(&mut image.voxels, shape, 2);
    let differ = |settings: &serde_json::Value| {
        let segmenter = segmenter(0.0, settings);
        let (of_scan, _) = segment(&segmenter, &scan);
        let (mut of_image, _) = segment(&segmenter, &image);
        mirror(&mut of_image.labels, shape, 2);
        of_image.labels != of_scan.labels
    };
    assert!(!differ(&json!({"mirrored": true})));
    assert!(!differ(&by_brightness(json!({"mirrored": true}))));
    assert!(
        differ(&json!({})),
        "the network alone knows left from right"
    );
}

/// The room is symmetric, and one side's crop is shown mirrored: so both sides are answered alike.
#[test]
fn a_part_is_looked_at_closer_on_both_sides() {
    let label =
        |value: u8| json!({"value": value, "name": format!("part {value}"), "color": [0, 0, 0]});
    let place = |around: u8, mirrored: bool, labels: [u8; 2]| json!({"around": around, "mirrored": mirrored, "labels": labels.map(label)});
    let part_of = json!({
        "model": "head", "name": "parts", "marginMm": 10.0,
        "places": [place(17, false, [201, 202]), place(53, true, [203, 204]), place(99, false, [205, 206])],
    });
    let segmenter = segmenter(0.0, &json!({"partOf": part_of}));
    let scan = room();
    let mut map = LabelMap {
        labels: vec![0; scan.voxels.len()],
        shape: scan.shape,
        affine: scan.affine,
    };
    let at = |z: usize, y: usize, x: usize| (z * 40 + y) * 24 + x;
    for (x, value) in [(9, 17), (10, 17), (14, 53), (13, 53)] {
        for (y, z) in (8..14).flat_map(|y| (25..28).map(move |z| (y, z))) {
            map.labels[at(z, y, x)] = value;
        }
    }
    map.labels[0] = 2;
    let computer = segmenter.computer();
    let closer = segmenter.look_closer(&computer, &scan, &mut map, async |_| {
        ControlFlow::Continue(())
    });
    let closer = pollster::block_on(closer).unwrap();
    let present = map.present();
    assert!(
        present.contains(&201) && present.contains(&2),
        "{present:?}"
    );
    assert!(
        closer
            .warnings
            .last()
            .unwrap()
            .contains("Of 3 parts that are looked for, 2")
    );
    for z in 0..40 {
        for y in 0..40 {
            for x in 0..12 {
                let left = map.labels[at(z, y, x)];
                let right = map.labels[at(z, y, 23 - x)];
                let expected = match left {
                    201 => 203,
                    202 => 204,
                    17 => 53,
                    other => other,
                };
                if (z, y, x) != (0, 0, 0) {
                    assert_eq!(right, expected, "{z} {y} {x}");
                }
                // A margin of a voxel around the label's own.
                let is_in_crop =
                    (24..29).contains(&z) && (7..15).contains(&y) && (8..12).contains(&x);
                assert!(left < 201 || is_in_crop, "{z} {y} {x}: {left}");
            }
        }
    }
    let before = [17, 53, 99].map(Label::unnamed);
    let names: Vec<String> = segmenter
        .labels_after(&before, &map)
        .into_iter()
        .map(|label| label.name)
        .collect();
    // Nothing was found around 99, so it is whole and has no parts.
    let rest = ["label 17, the rest", "label 53, the rest", "label 99"];
    let rest = rest.map(str::to_owned);
    let parts = [201, 202, 203, 204].map(|value| format!("part {value}"));
    assert_eq!(names, [&rest[..], &parts].concat());
}

/// A device that has several windows in hand; of two that begin together the second is done first.
struct Several<'a> {
    one: OneDevice<'a>,
    in_hand: Cell<usize>,
    most: Cell<usize>,
}

impl Computer for Several<'_> {
    fn at_a_time(&self) -> usize {
        4
    }

    async fn logits(
        &self,
        window: Vec<f32>,
        progress: impl AsyncFnMut(f32) -> ControlFlow<()>,
    ) -> Result<Vec<f32>, InferError> {
        self.in_hand.set(self.in_hand.get() + 1);
        self.most.set(self.most.get().max(self.in_hand.get()));
        for _ in self.in_hand.get()..4 {
            yield_now().await;
        }
        let logits = self.one.logits(window, progress).await;
        self.in_hand.set(self.in_hand.get() - 1);
        logits
    }
}

async fn yield_now() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

#[test]
fn windows_that_are_computed_together_give_the_same_label_map() {
    for (settings, in_hand) in [
        (json!({}), 4),
        (json!({"mirrored": true}), 4),
        (json!({"locate": "head", "mirrored": true}), 2),
        (
            by_brightness(json!({"locate": "head", "mirrored": true})),
            2,
        ),
    ] {
        let segmenter = segmenter(0.0, &settings);
        let scan = room();
        let (alone, _) = segment(&segmenter, &scan);
        let several = Several {
            one: segmenter.computer(),
            in_hand: Cell::new(0),
            most: Cell::new(0),
        };
        let mut seen = Vec::new();
        let scan = [scan];
        let together = segmenter.segment_by(&several, &scan, Keep::default(), async |step| {
            seen.push((step.fraction, step.window));
            ControlFlow::Continue(())
        });
        let together = pollster::block_on(together).unwrap();
        assert!(together.labels == alone.labels, "{settings}");
        assert_eq!(together.windows, alone.windows, "{settings}");
        assert_eq!(several.most.get(), in_hand, "{settings}");
        assert!(seen.is_sorted(), "{settings}: {seen:?}");
        assert_eq!(seen.last().unwrap().0, 1.0, "{settings}");
    }
}

/// What is kept of the last look says what the label map says, in the same places; nothing is probable beside the window.
#[test]
fn kept_logits_make_probabilities_of_the_same_labels() {
    let located = json!({"locate": "head", "mirrored": true});
    let by_brightness = by_brightness(located.clone());
    for settings in [json!({}), located, by_brightness] {
        let segmenter = segmenter(0.0, &settings);
        let room = room();
        let go_on = async |_| ControlFlow::Continue(());
        let (one, channels) = (segmenter.computer(), [room.clone()]);
        let segmented = segmenter.segment_by(&one, &channels, Keep::Logits, go_on);
        let segmented = pollster::block_on(segmented).unwrap();
        let (plain, _) = segment(&segmenter, &room);
        assert!(plain.seen.is_none(), "nothing was to be kept");
        assert!(plain.labels == segmented.labels, "{settings}");
        let labels: Vec<u8> = segmenter.manifest().labels[1..]
            .iter()
            .map(|l| l.value)
            .collect();
        let scan = Scan::of_volume(Format::Dicom, &room, Vec::new());
        let seen = segmented.seen.expect("logits were to be kept");
        let mut file = Vec::new();
        seen.write_probabilities(&scan, Depth::Bits16, "", &mut file)
            .unwrap();
        let volumes = Scan::open(&file, None).unwrap().volumes().unwrap();
        let certainty = seen.certainty().unwrap();
        let ranges = extent(&segmented.labels, room.shape);
        let [_, rows, columns] = room.shape;
        for (voxel, label) in segmented.labels.iter().enumerate() {
            let of_labels: Vec<f32> = volumes.iter().map(|volume| volume.voxels[voxel]).collect();
            let background = 1.0 - of_labels.iter().sum::<f32>();
            let own = match labels.iter().position(|value| value == label) {
                Some(place) => of_labels[place],
                None => background,
            };
            let most = of_labels.iter().copied().fold(background, f32::max);
            assert!(
                (most - own).abs() < 1e-4,
                "{settings} {voxel}: {own} of {most}"
            );
            let steps = f32::from(certainty[voxel]);
            assert!(
                (steps / 255.0 - own).abs() < 0.0021,
                "{settings} {voxel}: {steps}"
            );
            let at = [
                voxel / (rows * columns),
                voxel / columns % rows,
                voxel % columns,
            ];
            if settings != json!({}) && ranges[0][1] + 12 < at[0] {
                assert_eq!((certainty[voxel], background), (255, 1.0), "{voxel}");
            }
        }
    }
}

#[test]
fn what_is_waited_for_is_less_with_several_at_work() {
    let segmenter = segmenter(0.0, &json!({"locate": "head", "mirrored": true}));
    let scan = room();
    let of = |at_a_time| {
        let manifest = segmenter.manifest();
        let cost = segmenter.cost();
        let outline = Outline {
            shape: scan.shape,
            affine: scan.affine,
            num_volumes: 1,
            stored_bytes: 0,
        };
        cost.preflight(manifest, &outline, at_a_time).unwrap()
    };
    let (one, two, many) = (of(1), of(2), of(8));
    let window = segmenter.cost().window_gflop;
    assert!((one.gflop - two.gflop - window).abs() < 1e-9);
    assert_eq!(many, two, "no more than two passes wait for nothing");
    assert!(
        two.memory_bytes >= one.memory_bytes + segmenter.cost().window_bytes(segmenter.manifest())
    );
}

/// As told when one sum was all phases': reading takes most where a scan is stored in many bytes, labelling where brightness draws
/// borders, computing where several compute, and preparing of a large scan.
#[test]
fn what_the_phases_hold_adds_up_to_what_was_told() {
    let everywhere = json!({});
    let located = json!({"locate": "head", "mirrored": true});
    let by_value = json!({"preprocessing": {
        "orientation": "RAS",
        "spacingMm": [10.0, 10.0, 10.0],
        "intensity": {"kind": "window", "center": 50.0, "width": 100.0, "mean": 40.0, "std": 20.0},
    }});
    let (bright, located_bright) = (by_brightness(json!({})), by_brightness(located.clone()));
    // Edge in voxels, spacing in mm, stored bytes a voxel, windows at a time; then windows and bytes.
    for (settings, edge, spacing_mm, stored, at_a_time, windows, bytes) in [
        (&everywhere, 40, 10.0, 2, 1, 936, 24_185_696),
        (&everywhere, 40, 1.0, 2, 1, 3, 23_854_416),
        (&everywhere, 40, 10.0, 2, 3, 936, 66_855_616),
        (&everywhere, 300, 10.0, 2, 1, 420_394, 1_025_534_256),
        (&everywhere, 100, 1.0, 80, 1, 9, 373_134_256),
        (&by_value, 100, 2.0, 2, 1, 76, 58_551_856),
        (&located, 200, 1.0, 4, 1, 2, 155_534_256),
        (&located, 200, 1.0, 4, 8, 2, 165_603_248),
        (&bright, 200, 19.0, 2, 1, 104_328, 468_286_256),
        (&located_bright, 200, 1.0, 2, 2, 2, 198_972_088),
    ] {
        let segmenter = segmenter(0.0, settings);
        let shape = [edge, edge + 10, 2 * edge];
        let outline = Outline {
            shape,
            affine: Affine::from_spacing_mm([spacing_mm; 3]),
            num_volumes: 1,
            stored_bytes: stored * shape.iter().product::<usize>() as u64,
        };
        let (cost, manifest) = (segmenter.cost(), segmenter.manifest());
        let told = cost.preflight(manifest, &outline, at_a_time).unwrap();
        let told = (told.windows, told.memory_bytes);
        assert_eq!(told, (windows, bytes), "{settings} {shape:?}");
    }
}

/// By hand: crops of one window at two places; memory is that of whichever takes more.
#[test]
fn a_closer_look_adds_its_windows_to_those_of_the_whole() {
    let label = |value: u8| json!({"value": value, "name": "", "color": [0, 0, 0]});
    let part = segmenter(
        0.0,
        &json!({
            "extentMm": {"min": [1.0, 1.0, 1.0], "max": [4.0, 16.0, 16.0]},
            "partOf": {"model": "head", "name": "parts", "marginMm": 1.0, "places": [
                {"around": 3, "labels": [label(1), label(2)]},
                {"around": 200, "labels": [label(4), label(5)]}
            ]}
        }),
    );
    let affine = Affine::from_spacing_mm([1.0; 3]);
    let of = |edge: usize| {
        let (cost, manifest) = (part.cost(), part.manifest());
        let outline = Outline {
            shape: [edge; 3],
            affine,
            num_volumes: 1,
            stored_bytes: 2 * (edge * edge * edge) as u64,
        };
        let whole = cost.preflight(manifest, &outline, 1);
        let closer = cost.closer_preflight(manifest, &outline, 1);
        (whole.unwrap(), closer.unwrap())
    };
    let (whole, closer) = of(40);
    assert_eq!(closer.windows, 2);
    let both = whole.then(closer);
    assert_eq!(both.windows, whole.windows + 2);
    assert_eq!(both.gflop, whole.gflop + closer.gflop);
    assert!(both.memory_bytes >= whole.memory_bytes.max(closer.memory_bytes));
    // As stored, and three bytes for the map and the search in it.
    let (_, larger) = of(400);
    assert_eq!(
        of(401).1.memory_bytes - larger.memory_bytes,
        5 * (401u64.pow(3) - 400u64.pow(3))
    );
}
