//! The surface of a label as a net: a vertex for each sheet at a corner of voxels, a quadrilateral for each face between a
//! voxel of the label and one that is not.
//!
//! Every edge has two quadrilaterals, and beyond the edge of the grid nothing is of the label, so the net is closed.
//!
//! Source: Gibson 1998, "Constrained Elastic Surface Nets", but for corners with several sheets.

use super::corner::{Edge, Joined, NO_SHEET, Sheets, face, sheets};
use crate::LabelMap;

/// Voxels of no label around the box of one: a corner looks at its neighbours' voxels.
const MARGIN: usize = 2;

/// A closed surface on the voxel grid, in voxel indices x, y, z: whole numbers are voxels' middles.
#[derive(Debug, Clone)]
pub struct Net {
    /// The corner of voxels that each vertex belongs to.
    pub corners: Vec<[f32; 3]>,
    /// Where each vertex lies.
    pub vertices: Vec<[f32; 3]>,
    /// Corners of each face, counter-clockwise from outside where axes x, y, z are right-handed.
    pub quads: Vec<[u32; 4]>,
}

/// The box around a label with a margin: whether each voxel is of it.
struct Mask {
    is_of_label: Vec<bool>,
    /// x, y, z.
    edges: [usize; 3],
    /// Of its first voxel in the label map.
    first: [f32; 3],
}

impl Mask {
    fn of(map: &LabelMap, label: u8) -> Option<Self> {
        let [_, rows, columns] = map.shape;
        let mut first = [usize::MAX; 3];
        let mut end = [0; 3];
        for (row, labels) in map.labels.chunks_exact(columns.max(1)).enumerate() {
            let Some(x) = labels.iter().position(|found| *found == label) else {
                continue;
            };
            let last = labels.iter().rposition(|found| *found == label);
            let [y, z] = [row % rows, row / rows];
            first = [first[0].min(x), first[1].min(y), first[2].min(z)];
            end = [
                end[0].max(last.unwrap_or(x) + 1),
                end[1].max(y + 1),
                end[2].max(z + 1),
            ];
        }
        if first[0] == usize::MAX {
            return None;
        }
        let edges = [0, 1, 2].map(|axis| end[axis] - first[axis] + 2 * MARGIN);
        let mut is_of_label = vec![false; edges.iter().product()];
        for z in first[2]..end[2] {
            for y in first[1]..end[1] {
                let from = (z * rows + y) * columns + first[0];
                let to = ((z - first[2] + MARGIN) * edges[1] + y - first[1] + MARGIN) * edges[0];
                let width = end[0] - first[0];
                for (is, found) in is_of_label[to + MARGIN..][..width]
                    .iter_mut()
                    .zip(&map.labels[from..])
                {
                    *is = *found == label;
                }
            }
        }
        Some(Self {
            is_of_label,
            edges,
            first: first.map(|first| first as f32 - MARGIN as f32),
        })
    }

    fn step(&self, axis: usize) -> usize {
        self.edges[..axis].iter().product()
    }

    /// The voxels around the lower corner of a voxel.
    fn around(&self, voxel: usize) -> u8 {
        let mut around = 0;
        for bit in 0..8 {
            let back: usize = (0..3)
                .filter(|axis| bit >> axis & 1 == 0)
                .map(|axis| self.step(axis))
                .sum();
            around |= u8::from(self.is_of_label[voxel - back]) << bit;
        }
        around
    }

    /// The edges at the lower corner of a voxel at which the label is joined, though only edges meet.
    fn joined(&self, voxel: usize, around: u8) -> Joined {
        let mut joined = Joined::default();
        for edge in Edge::all().filter(|edge| edge.is_ambiguous(around) && edge.is_tied(around)) {
            let step = self.step(edge.axis);
            let other_end = match edge.side {
                0 => voxel - step,
                _ => voxel + step,
            };
            let back = Edge {
                side: 1 - edge.side,
                ..edge
            };
            if back.is_tied(self.around(other_end)) {
                joined.add(edge);
            }
        }
        joined
    }
}

impl Net {
    /// The net of a label, each vertex in the middle of its sheet; none where the label is not there.
    pub fn of(map: &LabelMap, label: u8) -> Option<Self> {
        let mask = Mask::of(map, label)?;
        let mut net = Self {
            corners: Vec::new(),
            vertices: Vec::new(),
            quads: Vec::new(),
        };
        let apart: Vec<Sheets> = (0..=u8::MAX)
            .map(|around| sheets(around, Joined::default()))
            .collect();
        let plane = mask.step(2);
        // Of each corner of two planes the vertex of each face.
        let mut below = vec![[u32::MAX; 12]; plane];
        let mut here = below.clone();
        for z in 1..mask.edges[2] - 1 {
            std::mem::swap(&mut below, &mut here);
            net.add_vertices(&mask, &apart, z, &mut here);
            net.add_quads(&mask, z, [&below, &here]);
        }
        Some(net)
    }

    /// Those of the corners below plane `z` of voxels; `apart` has the sheets of every surrounding at which no edge is joined.
    fn add_vertices(
        &mut self,
        mask: &Mask,
        apart: &[Sheets],
        z: usize,
        vertex_of: &mut [[u32; 12]],
    ) {
        let [columns, rows, _] = mask.edges;
        for y in 1..rows - 1 {
            for x in 1..columns - 1 {
                let at = y * columns + x;
                let voxel = z * columns * rows + at;
                let around = mask.around(voxel);
                if around == 0 || around == u8::MAX {
                    continue;
                }
                let joined = mask.joined(voxel, around);
                let sheets = match joined == Joined::default() {
                    true => &apart[usize::from(around)],
                    false => &sheets(around, joined),
                };
                let next = self.vertices.len() as u32;
                vertex_of[at] = sheets.of_face.map(|sheet| match sheet {
                    NO_SHEET => u32::MAX,
                    sheet => next + u32::from(sheet),
                });
                let corner: [f32; 3] =
                    std::array::from_fn(|axis| mask.first[axis] + [x, y, z][axis] as f32 - 0.5);
                for middle in sheets.middles() {
                    self.corners.push(corner);
                    self.vertices
                        .push(std::array::from_fn(|axis| corner[axis] + middle[axis]));
                }
            }
        }
    }

    /// Of the faces between planes `z - 1` and `z` of voxels, and of those across x and y in plane `z - 1`.
    fn add_quads(&mut self, mask: &Mask, z: usize, vertex_of: [&[[u32; 12]]; 2]) {
        let [columns, rows, _] = mask.edges;
        for y in 1..rows - 1 {
            for x in 1..columns - 1 {
                let voxel = ((z - 1) * rows + y) * columns + x;
                let is_of_label = mask.is_of_label[voxel];
                for axis in 0..3 {
                    if mask.is_of_label[voxel + mask.step(axis)] == is_of_label {
                        continue;
                    }
                    let mut quad = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(u, v)| {
                        let mut corner = [x, y, 0];
                        corner[axis] += 1;
                        corner[(axis + 1) % 3] += u;
                        corner[(axis + 2) % 3] += v;
                        // The face lies on the corner's far side where the corner is on the face's near one.
                        vertex_of[corner[2]][corner[1] * columns + corner[0]]
                            [face(axis, 1 - u, 1 - v)]
                    });
                    if !is_of_label {
                        quad.reverse();
                    }
                    self.quads.push(quad);
                }
            }
        }
    }
}
