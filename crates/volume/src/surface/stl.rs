//! A mesh as a binary STL file.

use super::Mesh;

const HEADER_BYTES: usize = 80;

impl Mesh {
    /// A binary STL file of this mesh, in mm. Its header begins with `SPACE=RAS`, which 3D Slicer heeds: without it the file
    /// would be taken for one with x towards the left and y towards the back.
    pub fn stl(&self, name: &str) -> Vec<u8> {
        let mut file = Vec::with_capacity(HEADER_BYTES + 4 + 50 * self.triangles.len());
        file.extend(format!("SPACE=RAS UNIT=mm {name}").into_bytes());
        file.resize(HEADER_BYTES, 0);
        file.extend((self.triangles.len() as u32).to_le_bytes());
        for triangle in &self.triangles {
            let corners = triangle.map(|vertex| self.vertices[vertex as usize]);
            let numbers = self
                .normal(triangle)
                .into_iter()
                .chain(corners.into_iter().flatten());
            file.extend(numbers.flat_map(f32::to_le_bytes));
            file.extend([0; 2]); // no attributes
        }
        file
    }

    /// Outward, of length 1; zeros of a triangle without area.
    fn normal(&self, triangle: &[u32; 3]) -> [f32; 3] {
        let [a, b, c] = triangle.map(|vertex| self.vertices[vertex as usize].map(f64::from));
        let [u, v]: [[f64; 3]; 2] = [b, c].map(|end| std::array::from_fn(|i| end[i] - a[i]));
        let cross: [f64; 3] = std::array::from_fn(|i| {
            let (j, k) = ((i + 1) % 3, (i + 2) % 3);
            u[j] * v[k] - u[k] * v[j]
        });
        let length = cross.iter().map(|part| part * part).sum::<f64>().sqrt();
        cross.map(|part| {
            if length > 0.0 {
                (part / length) as f32
            } else {
                0.0
            }
        })
    }
}
