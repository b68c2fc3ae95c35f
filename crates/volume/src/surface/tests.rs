use std::collections::HashMap;

use super::*;
use crate::random::SplitMix64;

/// Turned, sheared, of long and of short voxels, to the left and to the right.
const AFFINES: [Affine; 4] = [
    Affine([
        [1.0, 0.0, 0.0, 0.0],
        [0.0, 1.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]),
    Affine([
        [-0.8, 0.0, 0.0, 90.0],
        [0.0, 1.1, 0.0, -120.0],
        [0.0, 0.0, 3.0, -70.0],
        [0.0, 0.0, 0.0, 1.0],
    ]),
    Affine([
        [-0.2, -0.9, 0.3, 33.0],
        [0.9, -0.3, -0.1, -11.0],
        [0.2, 0.4, 2.4, 7.0],
        [0.0, 0.0, 0.0, 1.0],
    ]),
    Affine([
        [0.1, 0.0, -0.002, 0.0],
        [0.0, 0.0, 0.003, 0.0],
        [0.0, 0.05, 0.001, 0.0],
        [0.0, 0.0, 0.0, 1.0],
    ]),
];

fn map(shape: [usize; 3], affine: Affine, is: impl Fn([usize; 3]) -> bool) -> LabelMap {
    let [z, y, x] = shape;
    let at = |i: usize| [i % x, i / x % y, i / (x * y)];
    LabelMap {
        labels: (0..x * y * z).map(|i| 7 * u8::from(is(at(i)))).collect(),
        shape,
        affine,
    }
}

/// Noise of this share, so that voxels meet in every way, at the edge of the grid too.
fn noise(seed: u64, share: f64, affine: Affine) -> LabelMap {
    let mut random = SplitMix64::new(seed);
    let of_label: Vec<bool> = (0..9 * 8 * 7).map(|_| random.next_f64() < share).collect();
    map([7, 8, 9], affine, |[x, y, z]| of_label[(z * 8 + y) * 9 + x])
}

fn ball(edge: usize, radius: f64, affine: Affine) -> LabelMap {
    let middle = (edge as f64 - 1.0) / 2.0;
    let away = |i: usize| (i as f64 - middle).powi(2);
    map([edge; 3], affine, |[x, y, z]| {
        away(x) + away(y) + away(z) < radius * radius
    })
}

/// Every edge has one triangle in each direction.
fn assert_closed<T: Copy + Eq + std::hash::Hash>(triangles: &[[T; 3]], what: &str) {
    let mut passed: HashMap<(T, T), usize> = HashMap::new();
    for [a, b, c] in triangles {
        for edge in [(*a, *b), (*b, *c), (*c, *a)] {
            *passed.entry(edge).or_default() += 1;
        }
    }
    for ((a, b), count) in &passed {
        assert_eq!((*count, passed.get(&(*b, *a))), (1, Some(&1)), "{what}");
    }
}

/// What the mesh encloses, mm³; less than nothing where it is inside out.
fn enclosed(mesh: &Mesh) -> f64 {
    let of = |triangle: &[u32; 3]| {
        let [a, b, c] = triangle.map(|vertex| mesh.vertices[vertex as usize].map(f64::from));
        let cross = |i: usize, j: usize| b[i] * c[j] - b[j] * c[i];
        (a[0] * cross(1, 2) + a[1] * cross(2, 0) + a[2] * cross(0, 1)) / 6.0
    };
    mesh.triangles.iter().map(of).sum()
}

/// The faces of the label's voxels: their middle and the axis that they are across, in voxel indices.
fn faces(map: &LabelMap) -> Vec<([f64; 3], usize)> {
    let [z, y, x] = map.shape;
    let edges = [x, y, z];
    let mut faces = Vec::new();
    for (i, _) in map
        .labels
        .iter()
        .enumerate()
        .filter(|(_, label)| **label == 7)
    {
        let at = [i % x, i / x % y, i / (x * y)];
        for axis in 0..3 {
            let step: usize = edges[..axis].iter().product();
            let is_last = at[axis] + 1 == edges[axis];
            let is_first = at[axis] == 0;
            let mut middle = at.map(|i| i as f64);
            if is_last || map.labels[i + step] != 7 {
                middle[axis] += 0.5;
                faces.push((middle, axis));
                middle[axis] -= 0.5;
            }
            if is_first || map.labels[i - step] != 7 {
                middle[axis] -= 0.5;
                faces.push((middle, axis));
            }
        }
    }
    faces
}

fn to_face(point: [f64; 3], (middle, axis): &([f64; 3], usize)) -> f64 {
    let squared = |i: usize| {
        let half = if i == *axis { 0.0 } else { 0.5 };
        ((point[i] - middle[i]).abs() - half).max(0.0).powi(2)
    };
    (0..3).map(squared).sum::<f64>().sqrt()
}

#[test]
fn noise_of_any_density_is_closed_in_memory_and_in_the_file() {
    for (seed, affine) in (0..120).zip(AFFINES.iter().cycle()) {
        let map = noise(seed, 0.05 + 0.9 * seed as f64 / 120.0, *affine);
        let mesh = Mesh::of_label(&map, 7).unwrap();
        assert_closed(&mesh.triangles, "by number");
        // A file knows vertices by their place alone.
        let file = mesh.stl("noise");
        let read = stl_io::read_stl(&mut std::io::Cursor::new(&file)).unwrap();
        let triangles: Vec<[usize; 3]> = read.faces.iter().map(|face| face.vertices).collect();
        assert_closed(&triangles, &format!("by place, noise {seed}"));
        assert_eq!(
            read.vertices.len(),
            mesh.vertices.len(),
            "no two in one place"
        );
    }
}

#[test]
fn the_surface_is_within_half_a_voxel_of_the_labels_border_and_all_of_the_border_of_it() {
    let away = |map: &LabelMap| {
        let mesh = Mesh::of_label(map, 7).unwrap();
        let back = map.affine.inverse().unwrap();
        let vertices: Vec<[f64; 3]> = mesh
            .vertices
            .iter()
            .map(|vertex| back.apply(vertex.map(f64::from)))
            .collect();
        let faces = faces(map);
        let nearest = |point| {
            faces
                .iter()
                .map(|face| to_face(point, face))
                .fold(f64::MAX, f64::min)
        };
        let mut most = 0.0f64;
        for triangle in &mesh.triangles {
            let corners = triangle.map(|vertex| vertices[vertex as usize]);
            for shares in [[1.0, 0.0, 0.0], [1.0 / 3.0; 3]] {
                let point = std::array::from_fn(|axis| {
                    (0..3).map(|i| shares[i] * corners[i][axis]).sum::<f64>()
                });
                most = most.max(nearest(point));
            }
        }
        // The other way: a corner of each face has a vertex near.
        for (middle, axis) in &faces {
            let corner: [f64; 3] =
                std::array::from_fn(|i| middle[i] + if i == *axis { 0.0 } else { 0.5 });
            let squared =
                |vertex: &[f64; 3]| (0..3).map(|i| (vertex[i] - corner[i]).powi(2)).sum::<f64>();
            most = most.max(vertices.iter().map(squared).fold(f64::MAX, f64::min).sqrt());
        }
        most
    };
    for affine in AFFINES {
        for map in [noise(4, 0.6, affine), ball(9, 3.6, affine)] {
            let most = away(&map);
            assert!(most < 0.5, "{most}");
            assert!(most > 0.1, "it is smoothed: {most}");
        }
        // All of the grid, and one voxel of it.
        assert!(away(&map([3, 4, 5], affine, |_| true)) < 0.5);
        assert!(away(&map([1, 1, 1], affine, |_| true)) < 0.5);
    }
}

#[test]
fn the_net_before_smoothing_encloses_the_voxels_to_the_last() {
    for seed in 0..8 {
        let map = noise(seed, 0.4, AFFINES[0]);
        let mut net = Net::of(&map, 7).unwrap();
        net.vertices.clone_from(&net.corners);
        let voxels = map.labels.iter().filter(|label| **label == 7).count();
        assert_eq!(net.quads.len(), faces(&map).len());
        let volume = enclosed(&Mesh::of_net(&net, &AFFINES[0]));
        assert!((volume - voxels as f64).abs() < 1e-2, "{volume} {voxels}");
    }
}

/// Outward, whichever hand the affine has, and no smaller for being smooth.
#[test]
fn a_ball_encloses_its_volume_and_its_normals_point_away_from_its_middle() {
    for affine in AFFINES {
        let map = ball(24, 10.3, affine);
        let mesh = Mesh::of_label(&map, 7).unwrap();
        let ratio = enclosed(&mesh) / (1000.0 * map.volume_ml(7));
        assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
        let middle = affine.apply([11.5; 3]);
        let file = mesh.stl("ball");
        let read = stl_io::read_stl(&mut std::io::Cursor::new(&file)).unwrap();
        for face in &read.faces {
            let corner = read.vertices[face.vertices[0]];
            let out: f64 = (0..3)
                .map(|i| f64::from(face.normal[i]) * (f64::from(corner[i]) - middle[i]))
                .sum();
            assert!(out > 0.0);
        }
    }
}

/// By how much the radii of a ball's vertices differ: its staircase is gone.
#[test]
fn a_ball_is_smooth() {
    let map = ball(24, 10.3, AFFINES[0]);
    let mut net = Net::of(&map, 7).unwrap();
    net.smooth();
    let [stairs, smooth] = [&net.corners, &net.vertices].map(|vertices| {
        let radius = |vertex: &[f32; 3]| {
            let squared = vertex.map(|i| (f64::from(i) - 11.5).powi(2));
            squared.iter().sum::<f64>().sqrt()
        };
        let radii: Vec<f64> = vertices.iter().map(radius).collect();
        let mean = radii.iter().sum::<f64>() / radii.len() as f64;
        let squared = radii.iter().map(|radius| (radius - mean).powi(2));
        (squared.sum::<f64>() / radii.len() as f64).sqrt()
    });
    assert!(smooth < 0.5 * stairs, "{smooth} of {stairs}");
}

#[test]
fn an_absent_label_has_no_surface() {
    assert_eq!(Mesh::of_label(&ball(5, 2.0, AFFINES[0]), 8), None);
}

#[test]
fn an_obj_file_holds_all_labels_as_groups_and_both_files_say_their_space() {
    let (a, b) = (ball(6, 2.0, AFFINES[1]), ball(5, 1.5, AFFINES[2]));
    let meshes = [a, b].map(|map| Mesh::of_label(&map, 7).unwrap());
    let text = obj([("left  lateral ventricle", &meshes[0]), ("CSF", &meshes[1])]);
    assert!(text.lines().next().unwrap().contains("SPACE=RAS"));
    // As the format has it: numbers of vertices count from 1 over the whole file.
    let mut groups: Vec<(&str, Vec<[usize; 3]>)> = Vec::new();
    let mut vertices: Vec<[f32; 3]> = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["g", name] => groups.push((name, Vec::new())),
            ["v", x, y, z] => vertices.push([x, y, z].map(|mm| mm.parse().unwrap())),
            ["f", a, b, c] => {
                let triangle = [a, b, c].map(|number| number.parse::<usize>().unwrap() - 1);
                groups.last_mut().unwrap().1.push(triangle);
            }
            _ => panic!("{line}"),
        }
    }
    assert_eq!(groups[0].0, "left_lateral_ventricle");
    assert_eq!(groups[1].0, "CSF");
    assert_eq!(
        vertices,
        meshes.each_ref().map(|mesh| mesh.vertices.clone()).concat()
    );
    let before = [0, meshes[0].vertices.len()];
    for ((group, mesh), before) in groups.iter().zip(&meshes).zip(before) {
        let expected = mesh
            .triangles
            .iter()
            .map(|t| t.map(|vertex| vertex as usize + before));
        assert!(group.1.iter().copied().eq(expected));
    }
    // A file whose header begins with "solid" is taken for text.
    let stl = meshes[0].stl(&"é long name ".repeat(20));
    assert!(stl.starts_with(b"SPACE=RAS "));
    assert_eq!(stl.len(), 84 + 50 * meshes[0].triangles.len());
}
