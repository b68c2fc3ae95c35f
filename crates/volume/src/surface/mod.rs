//! The surface of a label as a mesh of triangles in the world, for programs that draw or print solids.
//!
//! A mesh is closed (each edge has two triangles, in opposite directions), its triangles run counter-clockwise seen from
//! outside, and it stays within half a voxel of the border of the label's voxels.

mod corner;
mod net;
mod obj;
mod smoothing;
mod stl;

use crate::{Affine, LabelMap};
use net::Net;

pub use obj::obj;

/// A closed surface.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// In world mm, axes towards right, anterior, superior.
    pub vertices: Vec<[f32; 3]>,
    /// Counter-clockwise from outside.
    pub triangles: Vec<[u32; 3]>,
}

impl Mesh {
    /// The smoothed surface of a label; none where the label is not there.
    pub fn of_label(map: &LabelMap, label: u8) -> Option<Self> {
        let mut net = Net::of(map, label)?;
        net.smooth();
        Some(Self::of_net(&net, &map.affine))
    }

    /// Each quadrilateral along its shorter diagonal.
    fn of_net(net: &Net, affine: &Affine) -> Self {
        let world = |vertex: &[f32; 3]| affine.apply(vertex.map(f64::from)).map(|mm| mm as f32);
        let vertices: Vec<[f32; 3]> = net.vertices.iter().map(world).collect();
        let is_mirrored = affine.determinant() < 0.0;
        let apart = |a: u32, b: u32| -> f32 {
            let ends = [a, b].map(|vertex| vertices[vertex as usize]);
            (0..3)
                .map(|axis| (ends[0][axis] - ends[1][axis]).powi(2))
                .sum()
        };
        let mut triangles = Vec::with_capacity(2 * net.quads.len());
        for &[a, b, c, d] in &net.quads {
            let two = if apart(a, c) <= apart(b, d) {
                [[a, b, c], [a, c, d]]
            } else {
                [[a, b, d], [b, c, d]]
            };
            triangles.extend(two.map(|[a, b, c]| if is_mirrored { [a, c, b] } else { [a, b, c] }));
        }
        Self {
            vertices,
            triangles,
        }
    }
}

#[cfg(test)]
mod tests;
