//! What must hold for any scan: the same one stored in another axis order has the same voxels for the model and the same
//! labels in the world; the way to the model's grid and back changes nothing where nothing is resampled.

use dinomed3d_volume::random::SplitMix64;
use dinomed3d_volume::{Affine, Labelling, ModelGrid, Orientation};

/// A scan of its own values, and where they lie.
#[derive(Clone)]
struct Scan {
    voxels: Vec<f32>,
    /// `[z, y, x]`
    shape: [usize; 3],
    affine: Affine,
}

impl Scan {
    fn value(&self, [x, y, z]: [usize; 3]) -> f32 {
        self.voxels[(z * self.shape[1] + y) * self.shape[2] + x]
    }

    /// The same scan with its axes stored as `order` names those of this one (R its x, A its y, S its z).
    fn stored(&self, order: Orientation) -> Self {
        let [z, y, x] = self.shape;
        let own = [x, y, z];
        let edges = [0, 1, 2].map(|axis| own[order.world_axis(axis)]);
        // Voxel of this scan at a voxel of the stored one.
        let source = |voxel: [usize; 3]| {
            let mut at = [0; 3];
            for axis in 0..3 {
                let along = order.world_axis(axis);
                at[along] = if order.is_positive(axis) {
                    voxel[axis]
                } else {
                    edges[axis] - 1 - voxel[axis]
                };
            }
            at
        };
        let mut voxels = Vec::new();
        for z in 0..edges[2] {
            for y in 0..edges[1] {
                voxels.extend((0..edges[0]).map(|x| self.value(source([x, y, z]))));
            }
        }
        let mut rows = self.affine.0;
        let origin = self.affine.apply(source([0; 3]).map(|v| v as f64));
        for (row, values) in rows.iter_mut().take(3).enumerate() {
            let own = self.affine.0[row];
            let along = [0, 1, 2].map(|axis| {
                let sign = if order.is_positive(axis) { 1.0 } else { -1.0 };
                sign * own[order.world_axis(axis)]
            });
            *values = [along[0], along[1], along[2], origin[row]];
        }
        Self {
            voxels,
            shape: [edges[2], edges[1], edges[0]],
            affine: Affine(rows),
        }
    }
}

fn between(random: &mut SplitMix64, low: f64, high: f64) -> f64 {
    low + (high - low) * random.next_f64()
}

/// Turned around x, then y, then z.
fn turned(degrees: [f64; 3]) -> [[f64; 3]; 3] {
    let mut matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for (axis, degrees) in degrees.into_iter().enumerate() {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (from, to) = ((axis + 1) % 3, (axis + 2) % 3);
        let before = matrix;
        for column in 0..3 {
            matrix[from][column] = cos * before[from][column] - sin * before[to][column];
            matrix[to][column] = sin * before[from][column] + cos * before[to][column];
        }
    }
    matrix
}

/// Of random values.
fn scan(random: &mut SplitMix64, degrees: [f64; 3], spacing: [f64; 3]) -> Scan {
    let shape = [0; 3].map(|_| 3 + (random.next_u64() % 5) as usize);
    let rotation = turned(degrees);
    let mut rows = [[0.0; 4]; 4];
    for (row, values) in rows.iter_mut().take(3).enumerate() {
        let [a, b, c] = [0, 1, 2].map(|column| rotation[row][column] * spacing[column]);
        *values = [a, b, c, between(random, -90.0, 90.0)];
    }
    rows[3][3] = 1.0;
    Scan {
        voxels: (0..shape.iter().product())
            .map(|_| random.next_f64() as f32)
            .collect(),
        shape,
        affine: Affine(rows),
    }
}

/// What stands for a network here: of each voxel of the model's grid the scores of three classes, by its value and by
/// where it lies on that grid, so that an axis order that is mistaken shows.
fn scores(values: &[f32], [slices, rows, columns]: [usize; 3]) -> Vec<f32> {
    let count = slices * rows * columns;
    let mut scores = vec![0.0; 3 * count];
    for (index, &value) in values.iter().enumerate() {
        let [slice, row, column] = [
            index / (rows * columns),
            index / columns % rows,
            index % columns,
        ];
        let place = slice as f32 / slices as f32 - 0.6 * row as f32 / rows as f32
            + 0.3 * column as f32 / columns as f32;
        scores[index] = value;
        scores[count + index] = 0.5 + 0.7 * place;
        scores[2 * count + index] = 1.0 - value - 0.4 * place;
    }
    scores
}

/// Grid, values on it, and labels back on the scan's own grid.
fn segmented(scan: &Scan, order: Orientation, target: Option<[f64; 3]>) -> (Vec<f32>, Scan) {
    let grid = ModelGrid::new(scan.shape, &scan.affine, order, target).unwrap();
    let values = grid.resample(grid.orient(&scan.voxels));
    let labels = Labelling::whole(&grid, &scores(&values, grid.shape()), 3).unwrap();
    let labels = Scan {
        voxels: labels.into_iter().map(f32::from).collect(),
        ..scan.clone()
    };
    (values, labels)
}

/// Turned around each axis by up to 44°, so that an axis may lean more to the side that another is nearest to than to its
/// own; and around one axis by 45°, where two axes fit two sides alike.
#[test]
fn a_scan_in_any_of_48_orders_is_one_scan() {
    let mut random = SplitMix64::new(48);
    for round in 0..60 {
        let mut angle = |low: f64, high: f64| {
            let sign = if random.next_u64().is_multiple_of(2) {
                1.0
            } else {
                -1.0
            };
            sign * between(&mut random, low, high)
        };
        let degrees = match round % 6 {
            0 => [0.0; 3],
            1 => [0; 3].map(|_| angle(0.0, 30.0)),
            2..5 => [0; 3].map(|_| angle(30.0, 44.0)),
            _ => {
                let mut degrees = [0.0; 3];
                degrees[round / 6 % 3] = angle(45.0, 45.0);
                degrees
            }
        };
        let spacing = [0; 3].map(|_| between(&mut random, 0.4, 3.0));
        let scan = scan(&mut random, degrees, spacing);
        let order = Orientation::all().nth((random.next_u64() % 48) as usize);
        let order = order.unwrap();
        let target = (round % 2 == 0).then_some([1.1, 0.8, 1.3]);
        let codes = scan.affine.orientation();
        let (values, labels) = segmented(&scan, order, target);
        for stored_as in Orientation::all() {
            let twin = scan.stored(stored_as);
            let what = format!("round {round}, {degrees:.2?}°, stored as {stored_as}");
            for axis in 0..3 {
                // Of the same line of voxels the same code.
                let own = stored_as.world_axis(axis);
                let found = twin.affine.orientation();
                assert_eq!(found.world_axis(axis), codes.world_axis(own), "{what}");
                let is_turned = found.is_positive(axis) != codes.is_positive(own);
                assert_eq!(is_turned, !stored_as.is_positive(axis), "{what}");
            }
            let (twin_values, twin_labels) = segmented(&twin, order, target);
            assert_eq!(twin_values, values, "{what}");
            // Voxel for voxel at the same place in the world.
            assert_eq!(
                labels.stored(stored_as).voxels,
                twin_labels.voxels,
                "{what}"
            );
            let there = labels.affine.inverse().unwrap();
            let [z, y, x] = twin.shape;
            for voxel in [[0, 0, 0], [x - 1, 0, z / 2], [x / 2, y - 1, z - 1]] {
                let place = twin.affine.apply(voxel.map(|v| v as f64));
                let at = there.apply(place).map(|v| v.round() as usize);
                assert_eq!(labels.value(at), twin_labels.value(voxel), "{what}");
            }
        }
    }
}

#[test]
fn to_the_model_s_order_and_back_is_the_same_in_all_48() {
    let mut random = SplitMix64::new(7);
    for order in Orientation::all() {
        for stored_as in Orientation::all() {
            let scan = scan(&mut random, [17.0, -9.0, 4.0], [1.0, 0.7, 2.5]).stored(stored_as);
            let grid = ModelGrid::new(scan.shape, &scan.affine, order, None).unwrap();
            let labels: Vec<u8> = scan.voxels.iter().map(|v| (v * 5.0) as u8).collect();
            let on_grid = grid.labels_to_model(&labels);
            let one_hot: Vec<f32> = (0..5)
                .flat_map(|class| on_grid.iter().map(move |&l| f32::from(l == class)))
                .collect();
            let back = Labelling::whole(&grid, &one_hot, 5).unwrap();
            assert_eq!(back, labels, "{order} {stored_as}");
            // A label goes where its voxel's value goes.
            let values: Vec<f32> = labels.iter().copied().map(f32::from).collect();
            let on_grid: Vec<f32> = on_grid.into_iter().map(f32::from).collect();
            assert_eq!(grid.orient(&values), on_grid, "{order} {stored_as}");
        }
    }
}

#[test]
fn resampling_to_the_scan_s_own_spacing_changes_no_bit() {
    let mut random = SplitMix64::new(3);
    for order in Orientation::all() {
        let spacing = [0; 3].map(|_| between(&mut random, 0.1, 9.0));
        let scan = scan(&mut random, [12.0, 3.0, -40.0], spacing);
        let own = ModelGrid::new(scan.shape, &scan.affine, order, None).unwrap();
        let target = Some(own.spacing_mm());
        let grid = ModelGrid::new(scan.shape, &scan.affine, order, target).unwrap();
        assert_eq!(grid.shape(), own.shape());
        let oriented = own.orient(&scan.voxels);
        let resampled = grid.resample(grid.orient(&scan.voxels));
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&resampled), bits(&oriented), "{order}");
    }
}
