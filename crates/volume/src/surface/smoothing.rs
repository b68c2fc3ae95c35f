//! A net drawn smooth, as far as half a voxel lets it.

use super::net::Net;

/// So often a net is drawn in and let out again.
const PASSES: usize = 20;
/// How far a vertex goes to the middle of its neighbours, then back, which keeps what is enclosed from shrinking.
///
/// Source: Taubin 1995, "A Signal Processing Approach to Fair Surface Design".
const FACTORS: [f32; 2] = [0.5, -0.53];

/// A vertex may be so far from its corner of voxels, in voxels. As each point of the surface then is as near to the voxels'
/// face that it is for; a little less than a half, so that vertices of different corners never meet.
const REACH: f32 = 0.499;

impl Net {
    /// Draws the net smooth; every point of it stays within half a voxel of the face of a voxel that it is for.
    pub fn smooth(&mut self) {
        self.hold();
        let mut sums = vec![[0.0f32; 3]; self.vertices.len()];
        let mut counts = vec![0.0f32; self.vertices.len()];
        for quad in &self.quads {
            for vertex in quad {
                counts[*vertex as usize] += 1.0;
            }
        }
        for factor in FACTORS.repeat(PASSES) {
            sums.fill([0.0; 3]);
            for quad in &self.quads {
                // Each edge is passed once in each direction: by the one of its two faces, and by the other.
                for (i, vertex) in quad.iter().enumerate() {
                    let neighbour = self.vertices[quad[(i + 1) % 4] as usize];
                    let sum = &mut sums[*vertex as usize];
                    *sum = std::array::from_fn(|axis| sum[axis] + neighbour[axis]);
                }
            }
            for ((vertex, sum), count) in self.vertices.iter_mut().zip(&sums).zip(&counts) {
                *vertex = std::array::from_fn(|axis| {
                    vertex[axis] + factor * (sum[axis] / count - vertex[axis])
                });
            }
            self.hold();
        }
    }

    /// Brings back what has gone too far from its corner.
    fn hold(&mut self) {
        for (vertex, corner) in self.vertices.iter_mut().zip(&self.corners) {
            let away: [f32; 3] = std::array::from_fn(|axis| vertex[axis] - corner[axis]);
            let length = away.iter().map(|part| part * part).sum::<f32>().sqrt();
            if length > REACH {
                *vertex = std::array::from_fn(|axis| corner[axis] + away[axis] * (REACH / length));
            }
        }
    }
}
