use super::file::{BY_HAND, changed};
use super::*;
use dinomed3d_volume::gzip;
use dinomed3d_volume::nifti::{Values, encode};

const SHAPE: [usize; 3] = [7, 9, 11];

fn empty(affine: Affine) -> Mending {
    let labels = vec![0; SHAPE.iter().product()];
    let map = LabelMap {
        labels,
        shape: SHAPE,
        affine,
    };
    Mending::new(map).expect("a grid")
}

fn plain() -> Mending {
    empty(Affine::from_spacing_mm([1.0; 3]))
}

fn pen(tool: Tool, label: u8, size_mm: f64) -> Pen {
    Pen {
        tool,
        label,
        size_mm,
        ..Pen::default()
    }
}

/// A stroke from one place to another.
fn stroke(mending: &mut Mending, pen: &Pen, from: [f64; 3], to: [f64; 3]) {
    mending.paint(pen, from, from, 2);
    mending.paint(pen, from, to, 2);
    mending.end_stroke();
}

/// The voxels x, y, z of a label.
fn of(mending: &Mending, label: u8) -> Vec<[usize; 3]> {
    let [_, rows, columns] = SHAPE;
    let voxels = mending.map().labels.iter().enumerate();
    voxels
        .filter(|(_, found)| **found == label)
        .map(|(at, _)| [at % columns, at / columns % rows, at / (columns * rows)])
        .collect()
}

/// Counted anew.
fn assert_counts(mending: &Mending) {
    for value in 0..=255 {
        let count = mending.map().labels.iter().filter(|&&l| l == value).count();
        assert_eq!(mending.counts[usize::from(value)], count as u64, "{value}");
    }
}

/// A ball of 2 mm radius on voxels of 1 mm: 33 centres are within it, by hand 1 + 6 + 12 + 8 + 6.
#[test]
fn a_ball_is_all_voxels_within_its_radius() {
    let mut mending = plain();
    let bounds = mending.paint(
        &pen(Tool::Brush, 3, 4.0),
        [5.0, 4.0, 3.0],
        [5.0, 4.0, 3.0],
        2,
    );
    let bounds = bounds.expect("something was painted");
    assert_eq!((bounds.first, bounds.last), ([1, 2, 3], [5, 6, 7]));
    assert_eq!(of(&mending, 3).len(), 33);
    assert_eq!(mending.sizes(&[Label::unnamed(3)])[0].voxels, 33);
    assert_counts(&mending);
}

/// Held against every voxel's distance, of an oblique grid with unlike edges.
#[test]
fn a_stroke_is_what_lies_within_the_radius_of_its_way_in_the_world() {
    let mut affine = Affine::from_spacing_mm([0.8, 1.3, 2.1]);
    (affine.0[0][1], affine.0[1][0], affine.0[2][1]) = (0.4, -0.3, 0.5);
    affine.0[0][3] = -17.0;
    let mut mending = empty(affine);
    let (from, to) = ([1.5, 2.2, 1.0], [8.0, 6.0, 5.0]);
    let pen = pen(Tool::Brush, 1, 3.0);
    stroke(&mut mending, &pen, from, to);
    let (start, end) = (affine.apply(from), affine.apply(to));
    let mut missed = of(&mending, 1);
    for z in 0..SHAPE[0] {
        for y in 0..SHAPE[1] {
            for x in 0..SHAPE[2] {
                let at = affine.apply([x as f64, y as f64, z as f64]);
                let distance = (0..=4000).map(|step| {
                    let share = f64::from(step) / 4000.0;
                    let way = |axis: usize| start[axis] + share * (end[axis] - start[axis]);
                    let square = (0..3).map(|axis| (at[axis] - way(axis)).powi(2));
                    square.sum::<f64>().sqrt()
                });
                let distance = distance.fold(f64::INFINITY, f64::min);
                let is_painted = mending.label_at([x, y, z]) == Some(1);
                missed.retain(|voxel| *voxel != [x, y, z]);
                // Only the voxels nearest to the way are painted farther off, and the radius is more than half a diagonal.
                assert_eq!(is_painted, distance <= 1.5, "{x} {y} {z}: {distance}");
            }
        }
    }
    assert!(missed.is_empty() && of(&mending, 1).len() > 20);
}

#[test]
fn a_disc_stays_in_its_slice_and_the_smallest_ball_leaves_no_gap() {
    for across in 0..3 {
        let mut mending = plain();
        let flat = Pen {
            is_solid: false,
            ..pen(Tool::Brush, 2, 4.0)
        };
        mending.paint(&flat, [5.0, 4.0, 3.2], [5.0, 4.0, 3.2], across);
        let voxels = of(&mending, 2);
        // By hand 1 + 4 + 4 + 4.
        assert_eq!(voxels.len(), if across == 2 { 13 } else { voxels.len() });
        assert!(
            voxels
                .iter()
                .all(|voxel| voxel[across] == [5, 4, 3][across])
        );
        assert!(voxels.len() >= 9, "{across}: {voxels:?}");
    }
    let mut mending = plain();
    let small = pen(Tool::Brush, 2, SIZES_MM[0]);
    stroke(&mut mending, &small, [0.4, 0.0, 0.0], [10.0, 8.0, 6.0]);
    let line = of(&mending, 2);
    for x in 0..=10 {
        assert!(line.iter().any(|voxel| voxel[0] == x), "{x}: {line:?}");
    }
    assert!(line.contains(&[0, 0, 0]) && line.contains(&[10, 8, 6]));
}

/// What the network has learnt gives several labels at once; what was painted, before or while it learnt, stays.
#[test]
fn what_was_learnt_is_a_stroke_that_leaves_what_was_painted() {
    let mut mending = plain();
    let middle = [5.0, 4.0, 3.0];
    stroke(&mut mending, &pen(Tool::Brush, 3, 4.0), middle, middle);
    let painted = mending.map().labels.clone();
    // One stroke: its label, how many voxels, and which, each four bytes.
    assert_eq!(mending.pack_strokes().len(), 4 * (2 + 33));
    assert_eq!(mending.pack_strokes()[..8], [3, 0, 0, 0, 33, 0, 0, 0]);
    let learnt: Vec<u8> = (0..painted.len()).map(|at| (at % 3) as u8).collect();
    let bounds = mending.take_learnt(&learnt, 1).expect("of that size");
    assert!(bounds.is_some_and(|bounds| bounds.last == [6, 8, 10]));
    let expected = painted.iter().zip(&learnt);
    let expected = expected.map(|(painted, learnt)| if *painted == 3 { 3 } else { *learnt });
    let expected: Vec<u8> = expected.collect();
    assert_eq!(mending.map().labels, expected);
    assert_counts(&mending);
    // It is none of the person's.
    assert_eq!((mending.num_strokes(), mending.learnt_from()), (1, Some(1)));

    stroke(
        &mut mending,
        &pen(Tool::Erase, 1, 3.0),
        [0.0; 3],
        [2.0, 0.0, 0.0],
    );
    let last = mending.map().labels.clone();
    assert!(mending.undo_learning().is_some());
    assert_eq!(mending.map().labels, painted);
    assert_eq!((mending.num_strokes(), mending.learnt_from()), (1, None));
    assert!(mending.redo().is_some() && mending.map().labels == expected);
    assert!(mending.redo().is_some() && mending.map().labels == last);
    assert_counts(&mending);
    assert!(mending.take_learnt(&learnt[1..], 1).is_err());
}

#[test]
fn what_lies_outside_the_scan_is_passed_over() {
    let mut mending = plain();
    let brush = pen(Tool::Brush, 1, 3.0);
    stroke(&mut mending, &brush, [-4.0, 4.0, 3.0], [40.0, 4.0, 3.0]);
    assert!(of(&mending, 1).contains(&[0, 4, 3]));
    assert!(of(&mending, 1).contains(&[10, 4, 3]));
    assert_eq!(
        mending.paint(&brush, [90.0, 4.0, 3.0], [90.0, 4.0, 3.0], 2),
        None
    );
    mending.end_stroke();
    assert_eq!(mending.fill(&brush, [11, 0, 0], 2), Ok(None));
    assert_eq!(mending.label_at([0, 9, 0]), None);
    assert_counts(&mending);
}

#[test]
fn undo_and_redo_go_through_every_state_exactly() {
    let mut mending = plain();
    let mut states = vec![mending.map().labels.clone()];
    let strokes = [
        (Tool::Brush, 1, [5.0, 4.0, 3.0], [7.0, 4.0, 3.0]),
        (Tool::Brush, 2, [6.0, 4.0, 3.0], [2.0, 6.0, 5.0]),
        (Tool::Erase, 1, [6.0, 5.0, 3.0], [6.0, 1.0, 1.0]),
        (Tool::Fill, 7, [8.0, 4.0, 3.0], [8.0, 4.0, 3.0]),
        (Tool::Brush, 1, [1.0, 1.0, 1.0], [9.0, 7.0, 5.0]),
    ];
    for (tool, label, from, to) in strokes {
        let pen = pen(tool, label, 3.0);
        match tool {
            Tool::Fill => {
                let at = from.map(|at| at as usize);
                mending.fill(&pen, at, 2).expect("closed");
            }
            _ => stroke(&mut mending, &pen, from, to),
        }
        assert_counts(&mending);
        states.push(mending.map().labels.clone());
    }
    assert!(
        states.windows(2).all(|two| two[0] != two[1]),
        "each changes something"
    );
    for _ in 0..2 {
        for state in states.iter().rev().skip(1) {
            let before = mending.map().labels.clone();
            let bounds = mending.undo().expect("something to undo");
            assert_eq!(&mending.map().labels, state);
            // Outside of what is said to have changed nothing has.
            for (index, (a, b)) in before.iter().zip(state).enumerate() {
                let at = [index / 99, index / 11 % 9, index % 11];
                let within = (0..3).all(|i| (bounds.first[i]..=bounds.last[i]).contains(&at[i]));
                assert!(a == b || within);
            }
            assert_counts(&mending);
        }
        assert!(!mending.is_changed() && mending.undo().is_none());
        for state in &states[1..] {
            assert!(mending.redo().is_some());
            assert_eq!(&mending.map().labels, state);
            assert_counts(&mending);
        }
        assert!(mending.redo().is_none());
    }
    mending.undo();
    stroke(&mut mending, &pen(Tool::Brush, 4, 1.0), [0.0; 3], [0.0; 3]);
    assert!(!mending.can_redo(), "a new stroke takes another way");
}

#[test]
fn a_stroke_that_changes_nothing_is_none() {
    let mut mending = plain();
    stroke(
        &mut mending,
        &pen(Tool::Erase, 1, 4.0),
        [5.0, 4.0, 3.0],
        [6.0, 4.0, 3.0],
    );
    assert!(!mending.can_undo() && !mending.is_changed());
    stroke(
        &mut mending,
        &pen(Tool::Brush, 1, 4.0),
        [5.0, 4.0, 3.0],
        [5.0, 4.0, 3.0],
    );
    mending.undo();
    stroke(
        &mut mending,
        &pen(Tool::Erase, 1, 4.0),
        [5.0, 4.0, 3.0],
        [6.0, 4.0, 3.0],
    );
    assert!(
        mending.can_redo(),
        "and takes nothing from what can be redone"
    );
}

#[test]
fn other_labels_are_kept_where_they_are_to_be() {
    let mut mending = plain();
    stroke(
        &mut mending,
        &pen(Tool::Brush, 2, 2.0),
        [5.0, 4.0, 3.0],
        [5.0, 4.0, 3.0],
    );
    let others = of(&mending, 2);
    let keeping = |tool| Pen {
        keeps_others: true,
        ..pen(tool, 1, 5.0)
    };
    stroke(
        &mut mending,
        &keeping(Tool::Brush),
        [5.0, 4.0, 3.0],
        [6.0, 4.0, 3.0],
    );
    assert_eq!(of(&mending, 2), others);
    assert!(!of(&mending, 1).is_empty());
    assert_eq!(
        mending.fill(&keeping(Tool::Fill), [5, 4, 3], 2),
        Err(NoFill::Kept(2))
    );
    stroke(
        &mut mending,
        &keeping(Tool::Erase),
        [5.0, 4.0, 3.0],
        [6.0, 4.0, 3.0],
    );
    assert_eq!(of(&mending, 2), others);
    assert_eq!(of(&mending, 1), [] as [[usize; 3]; 0]);
}

#[test]
fn a_closed_outline_is_filled_and_an_open_one_is_refused() {
    let outline = Pen {
        is_solid: false,
        ..pen(Tool::Brush, 1, SIZES_MM[0])
    };
    let mut mending = plain();
    let corners = [
        [2.0, 2.0, 3.0],
        [8.0, 2.0, 3.0],
        [8.0, 6.0, 3.0],
        [2.0, 6.0, 3.0],
    ];
    for (from, to) in [(0, 1), (1, 2), (2, 3)] {
        stroke(&mut mending, &outline, corners[from], corners[to]);
    }
    let fill = Pen {
        tool: Tool::Fill,
        ..outline
    };
    let before = mending.map().labels.clone();
    assert_eq!(mending.fill(&fill, [5, 4, 3], 2), Err(NoFill::Open));
    assert_eq!(mending.map().labels, before);
    assert_counts(&mending);
    stroke(&mut mending, &outline, corners[3], corners[0]);
    assert_eq!(mending.fill(&fill, [2, 2, 3], 2), Err(NoFill::Same));
    // Over slices it is open.
    let solid = Pen {
        is_solid: true,
        ..fill
    };
    assert_eq!(mending.fill(&solid, [5, 4, 3], 2), Err(NoFill::Open));
    let bounds = mending
        .fill(&fill, [5, 4, 3], 2)
        .expect("closed")
        .expect("filled");
    assert_eq!((bounds.first, bounds.last), ([3, 3, 3], [3, 5, 7]));
    assert_eq!(of(&mending, 1).len(), 7 * 5);
    // Connected by faces in the volume, not over corners.
    stroke(&mut mending, &outline, [9.0, 7.0, 3.0], [9.0, 7.0, 3.0]);
    stroke(&mut mending, &outline, [5.0, 4.0, 4.0], [5.0, 4.0, 4.0]);
    let other = Pen { label: 5, ..solid };
    mending.fill(&other, [5, 4, 4], 0).expect("not background");
    assert_eq!(
        (of(&mending, 5).len(), of(&mending, 1)),
        (36, vec![[9, 7, 3]])
    );
    assert_counts(&mending);
}

#[test]
fn a_slice_across_each_axis_is_filled() {
    for across in 0..3 {
        let mut mending = plain();
        stroke(
            &mut mending,
            &pen(Tool::Brush, 1, 4.0),
            [5.0, 4.0, 3.0],
            [5.0, 4.0, 3.0],
        );
        let flat = Pen {
            is_solid: false,
            ..pen(Tool::Fill, 2, 4.0)
        };
        mending
            .fill(&flat, [5, 4, 3], across)
            .expect("not background");
        let filled = of(&mending, 2);
        assert_eq!(filled.len(), 13, "{across}");
        assert!(
            filled
                .iter()
                .all(|voxel| voxel[across] == [5, 4, 3][across])
        );
    }
}

#[test]
fn a_box_is_cut_out_in_the_maps_order() {
    let mut mending = plain();
    mending.map.labels = (0..693).map(|index| (index % 251) as u8).collect();
    let bounds = Bounds {
        first: [2, 3, 4],
        last: [3, 4, 6],
    };
    let patch = mending.cut(bounds);
    assert_eq!((patch.first, patch.shape), ([2, 3, 4], [2, 2, 3]));
    let index = |z: usize, y: usize, x: usize| (((z * 9 + y) * 11 + x) % 251) as u8;
    let rows = [[2, 3], [2, 4], [3, 3], [3, 4]];
    let expected: Vec<u8> = rows
        .iter()
        .flat_map(|[z, y]| (4..=6).map(move |x| index(*z, *y, x)))
        .collect();
    assert_eq!(patch.labels, expected);
}

#[test]
fn a_mended_file_has_its_sources_geometry_and_says_that_a_person_changed_it() {
    let mut affine = Affine::from_spacing_mm([0.5, 1.5, 3.0]);
    (affine.0[0][3], affine.0[0][1]) = (-7.25, 0.25);
    let values: Vec<i16> = (0..693).map(|at| i16::from(at % 5 == 0)).collect();
    let source = gzip(&encode(
        &[11, 9, 7],
        &affine,
        Values::Int16(&values),
        "DINO-Med3D head 0.7.2; not a medical device",
    ));
    let mut mending = Mending::open(&source).expect("a label map");
    stroke(
        &mut mending,
        &pen(Tool::Brush, 9, 4.0),
        [5.0, 4.0, 3.0],
        [5.0, 4.0, 3.0],
    );
    let written = mending.encode(&source).expect("the same grid");
    let back = Scan::open(&written, None).expect("NIfTI");
    let first = Scan::open(&source, None).expect("NIfTI");
    assert_eq!(back.label_map().unwrap().labels, mending.map().labels);
    assert_eq!(back.affine(), first.affine());
    assert_eq!(back.form_codes(), first.form_codes());
    let plain = changed(&source, &mending.map().labels, BY_HAND).expect("the same grid");
    assert_eq!(
        back.description(),
        "DINO-Med3D head 0.7.2; changed by hand; not a medical device"
    );
    assert!(written == gzip(&plain));
    let marked = marked(&source).expect("a label map");
    let same = Scan::open(&marked, None).unwrap().label_map().unwrap();
    assert_eq!(same, first.label_map().unwrap());
    assert!(Mending::open(b"no scan").is_err());
}
