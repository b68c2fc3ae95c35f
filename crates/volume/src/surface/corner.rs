//! What the surface does at a corner of voxels: which of the faces that meet there are one sheet, and which only touch.
//!
//! Two voxels of a label that meet at an edge alone are two solids there, or else the edge would have four faces. Where both
//! ends of that edge tie the voxels together nevertheless, what is not of the label is parted instead, so that the surface
//! stays a manifold.
//!
//! Source: Wenger 2013, "Isosurfaces: Geometry, Topology, and Algorithms", on dual marching cubes and its manifold repair.

/// The eight voxels around a corner, a bit for each that is of the label: bit x + 2y + 4z, where 1 is the far side of an
/// axis.
pub type Around = u8;

/// A face at a corner that is not there.
pub const NO_SHEET: u8 = u8::MAX;

/// Most sheets at a corner: of a checkerboard.
const MOST_SHEETS: usize = 4;

/// The sheet of each of the twelve faces that may meet at a corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sheets {
    /// By [`face`]; [`NO_SHEET`] where no surface is.
    pub of_face: [u8; 12],
    count: usize,
    middles: [[f32; 3]; MOST_SHEETS],
}

/// The face across `axis` on the sides `u` and `v` of the two axes that follow it, 0 near and 1 far.
pub fn face(axis: usize, u: usize, v: usize) -> usize {
    4 * axis + u + 2 * v
}

/// An edge that leaves a corner along `axis`, on its side 0 or 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub axis: usize,
    pub side: usize,
}

impl Edge {
    pub fn all() -> impl Iterator<Item = Self> {
        (0..6).map(|i| Self {
            axis: i / 2,
            side: i % 2,
        })
    }

    fn bit(self) -> u8 {
        1 << (2 * self.axis + self.side)
    }

    /// The voxels around it, in turn, on its own side of the corner or on the other.
    fn voxels(self, around: Around, side: usize) -> [bool; 4] {
        let (b, c) = ((self.axis + 1) % 3, (self.axis + 2) % 3);
        [(0, 0), (1, 0), (1, 1), (0, 1)]
            .map(|(u, v)| around >> (side << self.axis | u << b | v << c) & 1 == 1)
    }

    /// The faces at it, each between the voxel of its number and the next.
    fn faces(self) -> [usize; 4] {
        let (b, c) = ((self.axis + 1) % 3, (self.axis + 2) % 3);
        let side = self.side;
        // Of the axes that follow b, c is the first; of those that follow c, the edge's own.
        [
            face(b, 0, side),
            face(c, side, 1),
            face(b, 1, side),
            face(c, side, 0),
        ]
    }

    /// Whether two voxels of the label meet at it alone.
    pub fn is_ambiguous(self, around: Around) -> bool {
        let [a, b, c, d] = self.voxels(around, self.side);
        a == c && b == d && a != b
    }

    /// Whether the two voxels of an ambiguous edge are tied together behind this corner, so that the surface goes around the
    /// edge twice in one sheet if they are taken for two solids.
    pub fn is_tied(self, around: Around) -> bool {
        let here = self.voxels(around, self.side);
        let behind = self.voxels(around, 1 - self.side);
        let (mut of_label, mut others) = (true, false);
        for (here, behind) in here.into_iter().zip(behind) {
            if here {
                of_label &= behind;
            } else {
                others |= behind;
            }
        }
        of_label && others
    }
}

/// The edges at which the label is joined, a bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Joined(u8);

impl Joined {
    pub fn add(&mut self, edge: Edge) {
        self.0 |= edge.bit();
    }

    fn has(self, edge: Edge) -> bool {
        self.0 & edge.bit() != 0
    }
}

/// Which faces at a corner are one sheet.
pub fn sheets(around: Around, joined: Joined) -> Sheets {
    // Each face that is there points to one of its sheet, the first to itself.
    let mut first: [usize; 12] = std::array::from_fn(|i| i);
    let mut is_there = [false; 12];
    let root = |first: &[usize; 12], mut face: usize| {
        while first[face] != face {
            face = first[face];
        }
        face
    };
    for edge in Edge::all() {
        let voxels = edge.voxels(around, edge.side);
        let faces = edge.faces();
        let crossed: Vec<usize> = (0..4)
            .filter(|&i| voxels[i] != voxels[(i + 1) % 4])
            .collect();
        let pairs: &[[usize; 2]] = match crossed[..] {
            [] => &[],
            [a, b] => &[[a, b]],
            // Around voxels 1 and 3 where they are kept apart, around 0 and 2 otherwise.
            _ if voxels[1] != joined.has(edge) => &[[0, 1], [2, 3]],
            _ => &[[3, 0], [1, 2]],
        };
        for pair in pairs {
            let [a, b] = pair.map(|i| faces[i]);
            is_there[a] = true;
            is_there[b] = true;
            let (a, b) = (root(&first, a), root(&first, b));
            first[a.max(b)] = a.min(b);
        }
    }
    let mut sheets = Sheets {
        of_face: [NO_SHEET; 12],
        count: 0,
        middles: [[0.0; 3]; MOST_SHEETS],
    };
    for face in (0..12).filter(|&face| is_there[face]) {
        let root = root(&first, face);
        if root == face {
            sheets.of_face[face] = sheets.count as u8;
            sheets.count += 1;
        } else {
            sheets.of_face[face] = sheets.of_face[root];
        }
    }
    for sheet in 0..sheets.count {
        sheets.middles[sheet] = sheets.middle(sheet as u8);
    }
    sheets
}

impl Sheets {
    /// Where each sheet lies, from the corner in voxels along x, y, z: the mean of the middles of its faces.
    pub fn middles(&self) -> &[[f32; 3]] {
        &self.middles[..self.count]
    }

    fn middle(&self, sheet: u8) -> [f32; 3] {
        let (mut sum, mut count) = ([0.0; 3], 0.0);
        for (face, _) in (0..).zip(self.of_face).filter(|(_, of)| *of == sheet) {
            let axis = face / 4;
            let half = |side: usize| side as f32 - 0.5;
            sum[(axis + 1) % 3] += half(face % 2);
            sum[(axis + 2) % 3] += half(face / 2 % 2);
            count += 1.0;
        }
        sum.map(|sum| sum / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_face_between_two_voxels_is_in_a_sheet_and_no_two_sheets_lie_in_one_place() {
        for around in 0..=255u8 {
            let sheets = sheets(around, Joined::default());
            for axis in 0..3 {
                for (u, v) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                    let near = u << ((axis + 1) % 3) | v << ((axis + 2) % 3);
                    let is_of_label = |voxel: usize| around >> voxel & 1 == 1;
                    let is_there = is_of_label(near) != is_of_label(near | 1 << axis);
                    let sheet = sheets.of_face[face(axis, u, v)];
                    assert_eq!(sheet != NO_SHEET, is_there, "{around:08b}");
                }
            }
            let middles = sheets.middles();
            for (i, middle) in middles.iter().enumerate() {
                assert!(!middles[..i].contains(middle), "{around:08b}");
            }
        }
    }

    /// Two voxels across the corner; two that meet at an edge; a checkerboard; a flat wall.
    #[test]
    fn what_only_touches_is_apart() {
        let count = |around: Around| sheets(around, Joined::default()).middles().len();
        assert_eq!(count(0b1000_0001), 2);
        assert_eq!(count(0b0000_1001), 2);
        assert_eq!(count(0b0110_1001), 4);
        assert_eq!(count(0b0000_1111), 1);
        assert_eq!(count(0), 0);
        assert_eq!(count(255), 0);
    }

    /// Two holes of a slab that meet at an edge: their surface goes around the edge twice, unless they are parted.
    #[test]
    fn a_tied_edge_has_two_sheets_where_the_label_is_joined() {
        let around = 0b1001_1111;
        let edge = Edge { axis: 2, side: 1 };
        assert!(edge.is_ambiguous(around) && edge.is_tied(around));
        assert_eq!(sheets(around, Joined::default()).middles().len(), 1);
        let mut joined = Joined::default();
        joined.add(edge);
        assert_eq!(sheets(around, joined).middles().len(), 2);
        assert_eq!(
            Edge::all().filter(|edge| edge.is_ambiguous(around)).count(),
            1
        );
    }

    /// So that parting at one edge of a corner never asks for another at the same corner.
    #[test]
    fn a_corner_with_a_tied_edge_has_no_other_ambiguous_one() {
        for around in 0..=255u8 {
            let ambiguous: Vec<Edge> = Edge::all().filter(|e| e.is_ambiguous(around)).collect();
            let is_tied = ambiguous.iter().any(|edge| edge.is_tied(around));
            assert!(!is_tied || ambiguous.len() == 1, "{around:08b}");
        }
    }
}
