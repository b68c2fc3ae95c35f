//! Learning from strokes with a small network: of none nothing, of some at least what they say, of the same the same.

mod small;

use std::ops::ControlFlow;

use burn::tensor::Device;
use dinomed3d_core::infer::{InferError, Keep, Seen};
use dinomed3d_core::manifest::ModelManifest;
use dinomed3d_core::segmenter::Segmenter;
use dinomed3d_core::strokes::{Features, Stroke};
use dinomed3d_volume::{Affine, Label, LabelMap, MidPlane, Volume};
use small::model;

/// Windows overlap along every axis, voxels are not cubes.
fn scan() -> Volume {
    let shape = [20, 11, 7];
    let count = shape.iter().product::<usize>();
    let voxel = |i: usize| ((i * 7919) % 1009) as f32 + (i % 13) as f32;
    Volume {
        voxels: (0..count).map(voxel).collect(),
        shape,
        affine: Affine::from_spacing_mm([1.0, 1.5, 2.0]),
    }
}

fn segmented() -> (Segmenter, Volume, Vec<u8>, Seen) {
    let (manifest, weights) = model(|_| {});
    segmented_by(manifest, &weights)
}

fn segmented_by(manifest: ModelManifest, weights: &[u8]) -> (Segmenter, Volume, Vec<u8>, Seen) {
    let segmenter = Segmenter::load(manifest, weights, &Device::flex()).unwrap();
    let scan = scan();
    let found = pollster::block_on(segmenter.segment_by(
        &segmenter.computer(),
        std::slice::from_ref(&scan),
        Keep::Logits,
        async |_| ControlFlow::Continue(()),
    ))
    .unwrap();
    (segmenter, scan, found.labels, found.seen.unwrap())
}

fn features(segmenter: &Segmenter, seen: &Seen) -> Features {
    let go_on = async |_| ControlFlow::Continue(());
    let features = pollster::block_on(segmenter.features(seen, usize::MAX, go_on));
    features.unwrap().expect("there is room")
}

#[test]
fn no_strokes_change_nothing_and_those_that_are_made_stay() {
    let (segmenter, scan, found, seen) = segmented();
    let features = features(&segmenter, &seen);
    let learn = |strokes: &[Stroke]| {
        let learnt = segmenter.learn(&features, &seen, strokes, scan.shape, &scan.affine);
        learnt.unwrap()
    };
    assert!(learn(&[]) == found);

    let some = |value: u8, skip: usize| -> Vec<u32> {
        let voxels = (0..found.len()).filter(|voxel| found[*voxel] != value);
        voxels
            .skip(skip)
            .take(40)
            .map(|voxel| voxel as u32)
            .collect()
    };
    let strokes = [
        Stroke {
            value: 3,
            voxels: some(3, 100),
        },
        // It goes over some of the first one.
        Stroke {
            value: 0,
            voxels: some(0, 120),
        },
        // Nothing that this network could learn.
        Stroke {
            value: 77,
            voxels: vec![0, 1],
        },
    ];
    let learnt = learn(&strokes);
    let mut expected = std::collections::BTreeMap::new();
    for stroke in &strokes {
        expected.extend(stroke.voxels.iter().map(|voxel| (*voxel, stroke.value)));
    }
    for (voxel, value) in &expected {
        assert_eq!(learnt[*voxel as usize], *value, "{voxel}");
    }
    let followed =
        |voxel: &usize| !expected.contains_key(&(*voxel as u32)) && learnt[*voxel] != found[*voxel];
    assert!(
        (0..found.len()).any(|voxel| followed(&voxel)),
        "nothing has followed"
    );
    assert!(learn(&strokes) == learnt, "the same strokes give the same");

    // A label that the network does not know is only painted.
    let unknown = learn(&strokes[2..]);
    assert!(unknown[..2] == [77, 77] && unknown[2..] == found[2..]);
}

#[test]
fn it_can_be_given_up_and_is_not_begun_where_there_is_no_room() {
    let (segmenter, _, _, seen) = segmented();
    let mut told = 0;
    let given_up = pollster::block_on(segmenter.features(&seen, usize::MAX, async |_| {
        told += 1;
        ControlFlow::Break(())
    }));
    assert!(matches!(given_up, Err(InferError::Cancelled)));
    assert_eq!(told, 1);
    let go_on = async |_| ControlFlow::Continue(());
    let refused = pollster::block_on(segmenter.features(&seen, 100, go_on));
    assert!(refused.unwrap().is_none());
}

#[test]
fn strokes_do_not_move_the_plane_between_left_and_right() {
    const SIDES: [u8; 2] = [3, 201];
    let (mut manifest, weights) = model(|_| {});
    let right = manifest.labels.iter().find(|label| label.value == SIDES[0]);
    let right = Label {
        value: SIDES[1],
        name: "label 201".to_owned(),
        ..right.expect("a label of the small model").clone()
    };
    manifest.labels.push(right);
    manifest.sides = vec![SIDES];
    let (segmenter, scan, found, seen) = segmented_by(manifest, &weights);
    let features = features(&segmenter, &seen);

    let fitted = |labels: &[u8]| {
        let mut map = LabelMap {
            labels: labels.to_vec(),
            shape: scan.shape,
            affine: scan.affine,
        };
        let on_the_right = map.labels.iter_mut().filter(|value| **value == SIDES[1]);
        on_the_right.for_each(|value| *value = SIDES[0]);
        MidPlane::fit(&map, &SIDES[..1]).expect("structures of two sides")
    };
    let plane = fitted(&found);
    // Everything of the scan's upper half on the plane's left becomes another label, so that what is left is no mirror image of itself.
    let is_right = |voxel: usize| plane.is_right(&scan.affine, voxel, scan.shape);
    let half = found.len() / 2;
    let strokes = [Stroke {
        value: 200,
        voxels: (half..found.len())
            .filter(|voxel| !is_right(*voxel))
            .map(|voxel| voxel as u32)
            .collect(),
    }];
    let learnt = segmenter.learn(&features, &seen, &strokes, scan.shape, &scan.affine);
    let learnt = learnt.unwrap();

    assert!(
        fitted(&learnt) != plane,
        "a plane fitted anew would be the same: this tests nothing"
    );
    let sided = (0..learnt.len()).filter(|voxel| SIDES.contains(&learnt[*voxel]));
    let mut sided = sided.peekable();
    assert!(sided.peek().is_some());
    for voxel in sided {
        let side = SIDES[usize::from(is_right(voxel))];
        assert_eq!(learnt[voxel], side, "{voxel}");
    }
}
