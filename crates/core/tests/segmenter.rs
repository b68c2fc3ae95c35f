//! From a scan to its label map with a small network: windows, progress, cancelling, and arithmetic gone wrong.

mod small;

use std::ops::ControlFlow;

use burn::tensor::Device;
use dinomed3d_core::infer::check::{CHECK_SHAPE, CheckReach, answer, known_answer};
use dinomed3d_core::infer::{Correction, InferError, PlaneCut, Postprocessing, Progress};
use dinomed3d_core::manifest::{ExtentRange, ModelManifest};
use dinomed3d_core::segmenter::{ModelError, Segmentation, Segmenter};
use dinomed3d_core::weights::file::Quantization;
use dinomed3d_core::weights::{encode, hex, load_into, named_tensors};
use dinomed3d_volume::volumetry::{LabelSize, label_sizes};
use dinomed3d_volume::{Affine, UsualVolume, Volume};
use sha2::{Digest, Sha256};
use small::{WINDOW, architecture, model, random_network};

fn segmenter() -> Segmenter {
    let (manifest, weights) = model(|_| {});
    Segmenter::load(manifest, &weights, &Device::flex()).unwrap()
}

fn scan(shape: [usize; 3]) -> Volume {
    let count = shape.iter().product::<usize>();
    Volume {
        voxels: (0..count)
            .map(|i| ((i * 7919) % 1009) as f32 + (i % 13) as f32)
            .collect(),
        shape,
        affine: Affine::from_spacing_mm([1.0, 1.5, 2.0]),
    }
}

fn segment(segmenter: &Segmenter, volume: &Volume) -> Result<Segmentation, InferError> {
    pollster::block_on(segmenter.segment(std::slice::from_ref(volume), async |_| {
        ControlFlow::Continue(())
    }))
}

/// The model's slices run along x, so 7 voxels make three windows of 4 with half an overlap: 0, 2, 3; in plane there are
/// one and two.
#[test]
fn a_scan_larger_than_the_window_is_covered_and_progress_reaches_the_end() {
    let mut seen: Vec<Progress> = Vec::new();
    let volume = scan([20, 11, 7]);
    let result = pollster::block_on(segmenter().segment(
        std::slice::from_ref(&volume),
        async |progress| {
            seen.push(progress);
            ControlFlow::Continue(())
        },
    ))
    .unwrap();
    assert_eq!(result.shape, volume.shape);
    assert_eq!(result.labels.len(), volume.voxels.len());
    assert!(
        result
            .labels
            .iter()
            .all(|label| [0, 3, 200].contains(label))
    );
    assert_eq!(result.windows, 6);
    assert!(seen.iter().all(|progress| progress.windows == 6));
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].fraction < pair[1].fraction)
    );
    assert_eq!(seen.last().unwrap().fraction, 1.0);
}

/// A network of random weights scatters its labels once background weighs enough, so that much is taken away.
#[test]
fn strays_go_where_the_manifest_says_so_and_a_person_is_told_of_many() {
    let volume = scan([20, 11, 7]);
    let load = |background: f32, postprocessing: Postprocessing| {
        let (mut manifest, weights) = model(|tensors| {
            let bias = &mut tensors.get_mut("decoder.head.bias").unwrap().values;
            let of_class = bias.len() / 3;
            for value in &mut bias[..of_class] {
                *value += background;
            }
        });
        manifest.postprocessing = postprocessing;
        Segmenter::load(manifest, &weights, &Device::flex()).unwrap()
    };
    let largest = Postprocessing(vec![Correction::LargestComponent]);
    let (background, scattered, expected, removed) = (1..60)
        .find_map(|step| {
            let background = 0.05 * step as f32;
            let plain = segment(&load(background, Postprocessing::default()), &volume).unwrap();
            let mut expected = plain.labels.clone();
            let orientation = volume.affine.orientation().reversed();
            let changes = largest.apply(&mut expected, volume.shape, orientation);
            let removed = changes.removed;
            let kept = expected.iter().filter(|label| **label != 0).count();
            (removed > kept / 10).then_some((background, plain, expected, removed))
        })
        .expect("a background that leaves scattered labels");

    let result = segment(&load(background, largest.clone()), &volume).unwrap();
    assert_eq!(result.labels, expected);
    let kept = expected.iter().filter(|label| **label != 0).count();
    let told = format!("{kept} voxels; others of {removed} voxels");
    let tells = |result: &Segmentation, words: &str| {
        let mut warnings = result.warnings.iter();
        warnings.any(|text| text.contains(words))
    };
    assert!(tells(&result, &told), "{told}: {:?}", result.warnings);
    assert!(!tells(&scattered, "connected"));
}

/// The made-up network's labels lie anyhow, so that a plane between them changes many; at least along one axis, one way round,
/// both stay.
#[test]
fn labels_are_parted_where_the_manifest_says_so_and_a_person_is_told_of_many() {
    let volume = scan([20, 11, 7]);
    // One network for all: the random numbers of its weights are shared with tests that run beside this one.
    let (manifest, weights) = model(|_| {});
    let segmented = |postprocessing: Vec<Correction>| {
        let mut manifest = manifest.clone();
        manifest.postprocessing = Postprocessing(postprocessing);
        let written = serde_json::to_vec(&manifest).unwrap();
        let manifest = ModelManifest::from_json(&written).unwrap();
        let segmenter = Segmenter::load(manifest, &weights, &Device::flex()).unwrap();
        segment(&segmenter, &volume).unwrap()
    };
    let plain = segmented(vec![]);
    let [_, height, width] = volume.shape;
    // Of arrays [z, y, x] of this scan, which runs to right, anterior, superior.
    let ways = [("S", 0), ("A", 1), ("R", 2)].into_iter();
    let ways = ways.flat_map(|way| [(way, [3, 200]), (way, [200, 3])]);
    let mut both_stay = 0;
    for ((towards, axis), labels) in ways {
        let towards = towards.parse().unwrap();
        let cut = segmented(vec![Correction::PlaneCut(PlaneCut { labels, towards })]);
        let places = |label: u8| {
            let voxels = 0..cut.labels.len();
            let cut = &cut;
            voxels
                .filter(move |&i| cut.labels[i] == label)
                .map(move |i| [i / (height * width), i / width % height, i % width][axis])
        };
        let (last_before, first_behind) = (places(labels[0]).max(), places(labels[1]).min());
        if let (Some(last), Some(first)) = (last_before, first_behind) {
            assert!(last < first, "{labels:?} towards {towards}");
            both_stay += 1;
        }
        let is_labelled = |labels: &[u8]| labels.iter().map(|l| *l > 0).collect::<Vec<_>>();
        assert!(is_labelled(&plain.labels) == is_labelled(&cut.labels));
        let changed = plain.labels.iter().zip(&cut.labels).filter(|(a, b)| a != b);
        let told = format!(
            "parted by a plane, as this model's protocol does; {} of",
            changed.count()
        );
        let mut warnings = cut.warnings.iter();
        assert!(
            warnings.any(|text| text.contains(&told)),
            "{told}: {:?}",
            cut.warnings
        );
    }
    assert!(both_stay > 0);
    assert!(!plain.warnings.iter().any(|text| text.contains("parted")));
}

#[test]
fn a_manifest_that_cannot_be_followed_says_why() {
    let (manifest, _) = model(|_| {});
    let good = serde_json::to_value(&manifest).unwrap();
    let refused = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut changed = good.clone();
        change(&mut changed);
        let json = serde_json::to_vec(&changed).unwrap();
        ModelManifest::from_json(&json).unwrap_err().to_string()
    };
    let error = refused(&|json| {
        json["format"] = 1.into();
        json["postprocessing"] = "largest-component".into();
    });
    assert!(error.contains("format 1, this program knows 2"), "{error}");
    for values in [[3, 3], [0, 3], [200, 9]] {
        let cut = serde_json::json!([{"plane-cut": {"labels": values, "towards": "A"}}]);
        let error = refused(&|json| json["postprocessing"] = cut.clone());
        assert!(error.contains("two different labels"), "{error}");
    }
    let cut = serde_json::json!([{"plane-cut": {"labels": [3, 200], "towards": "X"}}]);
    let error = refused(&|json| json["postprocessing"] = cut.clone());
    assert!(error.contains("expected R, L, A, P, S or I"), "{error}");
}

/// A manifest from elsewhere, each time with one thing wrong: none panics, each sentence names what is.
#[test]
fn broken_manifests_are_refused_in_words() {
    let (manifest, weights) = model(|_| {});
    let good = serde_json::to_value(&manifest).unwrap();
    use serde_json::json;
    let table = [
        ("/architecture/vit/num_heads", json!(3), "num_heads is 3"),
        ("/architecture/vit/num_heads", json!(0), "num_heads"),
        ("/architecture/vit/patch_size", json!(6), "patch_size is 6"),
        ("/architecture/vit/patch_size", json!(0), "patch_size"),
        ("/architecture/vit/depth", json!(0), "depth"),
        ("/architecture/vit/mlp_dim", json!(0), "mlp_dim"),
        (
            "/architecture/vit/embed_dim",
            json!(1u64 << 40),
            "embed_dim",
        ),
        (
            "/architecture/vit/num_registers",
            json!(1u64 << 40),
            "num_registers",
        ),
        ("/architecture/vit/in_channels", json!(4), "in_channels"),
        (
            "/architecture/num_neighbours",
            json!(u64::MAX),
            "num_neighbours",
        ),
        ("/architecture/num_classes", json!(0), "num_classes"),
        ("/architecture/num_classes", json!(2), "num_classes is 2"),
        (
            "/architecture/adaptation",
            json!({"in-block": {"reduction": 0, "kernel": [3, 3, 3]}}),
            "reduction",
        ),
        (
            "/architecture/adaptation",
            json!({"in-block": {"reduction": 4, "kernel": [3, 2, 3]}}),
            "kernel",
        ),
        (
            "/architecture/adaptation",
            json!({"lora": {"rank": 0, "alpha": 1.0, "dropout": 0.0}}),
            "rank",
        ),
        (
            "/architecture/detail/blocks",
            json!([0, 1, 0]),
            "detail.blocks",
        ),
        ("/architecture/detail/blocks", json!([1, 1, 1]), "detail"),
        (
            "/architecture/detail/base_channels",
            json!(0),
            "base_channels",
        ),
        (
            "/architecture/decoder/light/half_channels",
            json!(12),
            "half_channels is 12",
        ),
        (
            "/architecture/decoder/light/tap_channels",
            json!(0),
            "tap_channels",
        ),
        ("/labels", json!([]), "labels"),
        ("/labels/0/value", json!(7), "labels"),
        ("/labels/2/value", json!(3), "labels"),
        ("/sides", json!([[3, 3]]), "sides"),
        ("/sides", json!([[3, 200], [200, 3]]), "sides"),
        ("/channels", json!(["T1", "T2"]), "channels"),
        ("/window", json!([4, 0, 16]), "window"),
        ("/window", json!([u64::MAX, 16, 16]), "window"),
        ("/overlap", json!(1.0), "overlap is 1"),
        ("/overlap", json!(-0.5), "overlap"),
        (
            "/preprocessing/spacingMm",
            json!([1.0, 0.0, 1.0]),
            "spacingMm",
        ),
        (
            "/preprocessing/intensity/lowPercent",
            json!(100.0),
            "lowPercent",
        ),
        (
            "/extentMm",
            json!({"min": [5.0, 0.0, 5.0], "max": [9.0, 9.0, 9.0]}),
            "extentMm",
        ),
        (
            "/usualVolumes",
            json!([{"value": 3, "minMl": 2.0, "maxMl": 1.0}]),
            "usualVolumes",
        ),
        (
            "/calibration",
            json!({"temperature": 1.0, "cases": 1, "uncalibratedError": 0.1, "reliability": [{"answers": 0, "certainty": 0.5, "right": 0.5}]}),
            "calibration.reliability",
        ),
        (
            "/calibration",
            json!({"temperature": 1.0, "cases": 1, "uncalibratedError": 0.1, "reliability": [{"answers": 1, "certainty": 0.5, "right": 0.5}],
                   "volumes": {"coverage": 0.9, "labels": [{"value": 1, "times": -2.0, "cases": 9}]}}),
            "calibration.volumes.labels",
        ),
        ("/weights/file", json!("../../secret"), "weights.file"),
        (
            "/weights/chunks",
            json!({"bytes": 0, "sha256": []}),
            "weights.chunks",
        ),
        (
            "/weights/chunks",
            json!({"bytes": 1 << 20, "sha256": ["0", "0"]}),
            "weights.chunks",
        ),
        (
            "/proxy",
            json!({"isFitted": true, "meanDice": 0.5, "numCases": 1, "weights": {"weight": [1.0], "bias": [0.0, 0.0, 0.0]}}),
            "proxy",
        ),
        ("/check/shape", json!([4, 16, 8]), "check.firstBlock"),
        ("/check/shape", json!([u64::MAX, 1, 1]), "check.shape"),
        ("/check/logits", json!([]), "check.logits"),
        ("/check/logits/5", json!(1e39), "check.logits"),
        ("/check/window", json!([0.5]), "check.window"),
    ];
    for (place, value, words) in table {
        let mut broken = good.clone();
        let (parent, key) = place.rsplit_once('/').unwrap();
        match broken.pointer_mut(parent).unwrap() {
            serde_json::Value::Array(list) => list[key.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[key] = value.clone(),
        }
        let json = serde_json::to_vec(&broken).unwrap();
        let error = ModelManifest::from_json(&json);
        let error = error.map(|_| ()).expect_err(place).to_string();
        assert!(error.contains(words), "{place} = {value}: {error}");
    }
    // A manifest that was changed after it was read is refused too.
    let mut changed = manifest;
    changed.overlap = f32::NAN;
    let error = Segmenter::load(changed, &weights, &Device::flex()).unwrap_err();
    assert!(error.to_string().contains("overlap is NaN"), "{error}");
}

/// Manifests of older programs say nothing of a whole window; one that does is held to it.
#[test]
fn a_whole_window_is_checked_where_the_manifest_knows_it() {
    let (mut manifest, weights) = model(|_| {});
    let errors = |manifest: &ModelManifest, reach| {
        let segmenter = Segmenter::load(manifest.clone(), &weights, &Device::flex()).unwrap();
        pollster::block_on(segmenter.self_check(reach)).unwrap()
    };
    assert!(errors(&manifest, CheckReach::Window).window.unwrap() < 1e-6);
    assert_eq!(errors(&manifest, CheckReach::Parts).window, None);
    manifest.check.window.as_mut().unwrap()[7] += 1.0;
    assert!(!errors(&manifest, CheckReach::Window).are_tolerable());
    manifest.check.window = None;
    let old = serde_json::to_vec(&manifest).unwrap();
    let old = ModelManifest::from_json(&old).unwrap();
    let errors = errors(&old, CheckReach::Window);
    assert!(
        errors.window.is_none() && errors.are_tolerable(),
        "{errors}"
    );
}

#[test]
fn a_cancelled_run_stops_at_once() {
    let mut steps = 0;
    let result = pollster::block_on(segmenter().segment(&[scan([40, 40, 40])], async |_| {
        steps += 1;
        if steps == 3 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }));
    assert!(matches!(result, Err(InferError::Cancelled)), "{result:?}");
    assert_eq!(steps, 3);
}

#[test]
fn a_scan_of_one_slice_or_one_voxel_row_is_segmented_too() {
    for shape in [[1, 12, 9], [9, 1, 12], [12, 9, 1], [1, 1, 5]] {
        let result = segment(&segmenter(), &scan(shape)).unwrap();
        assert_eq!(result.labels.len(), shape.iter().product::<usize>());
    }
}

/// A model of two channels takes two, in its manifest's order; another number is refused by name.
#[test]
fn a_model_of_two_channels_takes_two() {
    let (mut manifest, _) = model(|_| {});
    manifest.channels = vec!["T1".into(), "T2".into()];
    let error = ModelManifest::from_json(&serde_json::to_vec(&manifest).unwrap()).unwrap_err();
    assert!(error.to_string().contains("3 input channels"), "{error}");

    manifest.architecture = architecture().with_image_channels(2);
    let device = Device::flex();
    let network = random_network(&manifest.architecture, 11);
    assert_eq!(network.image_channels(), 2);
    manifest.check = pollster::block_on(known_answer(&network, WINDOW, &device)).unwrap();
    let weights = encode(&named_tensors(&network), Quantization::None).unwrap();
    manifest.weights.sha256 = hex(&Sha256::digest(&weights));
    let manifest = ModelManifest::from_json(&serde_json::to_vec(&manifest).unwrap()).unwrap();
    let segmenter = Segmenter::load(manifest, &weights, &device).unwrap();
    let errors = pollster::block_on(segmenter.self_check(CheckReach::Window)).unwrap();
    assert!(errors.are_tolerable(), "{errors}");

    let first = scan([20, 11, 7]);
    let mut second = first.clone();
    second.voxels.reverse();
    let result = |channels: &[Volume]| {
        let result = segmenter.segment(channels, async |_| ControlFlow::Continue(()));
        pollster::block_on(result).map(|result| result.labels)
    };
    let labels = result(&[first.clone(), second.clone()]).unwrap();
    assert_eq!(labels.len(), first.voxels.len());
    assert_ne!(labels, result(&[second.clone(), first.clone()]).unwrap());
    let error = result(std::slice::from_ref(&first))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("has 1 channels") && error.contains("2: T1, T2"),
        "{error}"
    );
    second.shape = [11, 20, 7];
    let error = result(&[first, second]).unwrap_err().to_string();
    assert!(error.contains("[[20, 11, 7], [11, 20, 7]]"), "{error}");
}

/// Weights that are finite, but so large that the logits are not.
#[test]
fn logits_that_are_not_finite_are_an_error_not_a_background() {
    let (manifest, weights) = model(|tensors| {
        tensors
            .get_mut("decoder.head.weight")
            .expect("the head has weights")
            .values
            .fill(f32::MAX);
    });
    let segmenter = Segmenter::load(manifest, &weights, &Device::flex()).unwrap();
    let result = segment(&segmenter, &scan([16, 16, 4]));
    assert!(
        matches!(
            result,
            Err(InferError::NotFinite {
                window: 1,
                windows: _
            })
        ),
        "{result:?}"
    );
    assert!(
        !pollster::block_on(segmenter.self_check(CheckReach::Window))
            .unwrap()
            .are_tolerable()
    );
}

/// The known answer tells right weights from wrong ones, and which part is wrong.
#[test]
fn the_self_check_names_the_part_that_is_wrong() {
    let errors = pollster::block_on(segmenter().self_check(CheckReach::Window)).unwrap();
    assert!(
        errors.first_block < 1e-6 && errors.logits < 1e-6,
        "{errors}"
    );
    let (manifest, weights) = model(|tensors| {
        for value in &mut tensors.get_mut("decoder.head.weight").unwrap().values {
            *value *= 1.01;
        }
    });
    let segmenter = Segmenter::load(manifest, &weights, &Device::flex()).unwrap();
    let errors = pollster::block_on(segmenter.self_check(CheckReach::Window)).unwrap();
    assert!(
        errors.first_block < 1e-6 && errors.logits > 1e-3,
        "{errors}"
    );
    assert!(!errors.are_tolerable());
}

#[test]
fn other_weights_than_the_manifest_s_are_refused() {
    let (manifest, mut weights) = model(|_| {});
    *weights.last_mut().unwrap() ^= 1;
    let error = Segmenter::load(manifest, &weights, &Device::flex()).unwrap_err();
    assert!(matches!(error, ModelError::Weights(_)), "{error}");
    assert!(error.to_string().contains("SHA-256"), "{error}");
}

#[test]
fn nothing_found_and_an_unusual_extent_are_said() {
    let (mut manifest, weights) = model(|tensors| {
        let bias = &mut tensors.get_mut("decoder.head.bias").unwrap().values;
        // Four cells of each class: background first.
        bias[..4].fill(1e4);
    });
    manifest.extent_mm = Some(ExtentRange {
        min: [10.0; 3],
        max: [20.0; 3],
    });
    let segmenter = Segmenter::load(manifest, &weights, &Device::flex()).unwrap();
    let result = segment(&segmenter, &scan([40, 12, 15])).unwrap();
    assert!(result.labels.iter().all(|label| *label == 0));
    let text = result.warnings.join("\n");
    assert!(text.contains("15 × 18 × 80 mm"), "{text}");
    assert!(text.contains("No voxel was given a label"), "{text}");
}

/// In a head that lies upside down, or half of one, most structures are nearly missing.
#[test]
fn labels_far_from_their_usual_volumes_are_said() {
    let (mut manifest, weights) = model(|_| {});
    let warnings = |manifest: &ModelManifest| {
        let segmenter = Segmenter::load(manifest.clone(), &weights, &Device::flex()).unwrap();
        segment(&segmenter, &scan([20, 11, 7])).unwrap().warnings
    };
    let all_at = |min_ml: f64, max_ml: f64| {
        let labels = manifest.labels.iter();
        let usual = labels.map(|label| UsualVolume {
            value: label.value,
            min_ml,
            max_ml,
        });
        usual.collect::<Vec<_>>()
    };
    let [usual, others] = [all_at(0.0, 1e3), all_at(1e3, 2e3)];
    manifest.usual_volumes = usual;
    assert_eq!(warnings(&manifest), [""; 0]);
    manifest.usual_volumes = others;
    let text = warnings(&manifest).join("\n");
    assert!(text.contains("far from the volumes"), "{text}");
    assert!(text.contains("(1000.0 to 2000.0)"), "{text}");
}

/// A head of which the header says that its voxels are 1.3 times as wide as they are has 2.2 times its volume: no label is three
/// times off, and all are too large.
#[test]
fn labels_larger_than_any_or_smaller_are_said_where_they_are_most() {
    let (mut manifest, weights) = model(|_| {});
    let result = |manifest: &ModelManifest| {
        let segmenter = Segmenter::load(manifest.clone(), &weights, &Device::flex()).unwrap();
        segment(&segmenter, &scan([20, 11, 7])).unwrap()
    };
    let voxel_ml = scan([20, 11, 7]).affine.voxel_volume_ml();
    let sizes = label_sizes(&result(&manifest).labels, &manifest.labels, voxel_ml);
    assert!(
        sizes.len() > 2 && sizes.iter().all(|size| size.voxels > 0),
        "{sizes:?}"
    );
    let mut warnings_at = |factor: f64| {
        manifest.usual_volumes = UsualVolume::of_cases([sizes
            .iter()
            .map(|size| LabelSize {
                volume_ml: size.volume_ml / factor,
                ..*size
            })
            .collect()]);
        result(&manifest).warnings.join("\n")
    };
    assert_eq!(warnings_at(1.1), "");
    assert_eq!(warnings_at(0.9), "");
    let larger = warnings_at(2.2);
    assert!(
        larger.starts_with("Most labels are larger than in any case"),
        "{larger}"
    );
    assert!(
        larger.contains("size of a voxel in the scan's header"),
        "{larger}"
    );
    let smaller = warnings_at(0.5);
    assert!(
        smaller.starts_with("Most labels are smaller than in any case"),
        "{smaller}"
    );
}

/// Loading puts every parameter where it came from.
#[test]
fn a_loaded_network_gives_the_same_logits() {
    let device = Device::flex();
    let [one, other] = [11, 12].map(|seed| random_network(&architecture(), seed));
    let answer_of = |network| pollster::block_on(answer(network, CHECK_SHAPE, &device)).unwrap();
    let copy = load_into(other, named_tensors(&one)).unwrap();
    assert_eq!(answer_of(&copy).logits, answer_of(&one).logits);
}
