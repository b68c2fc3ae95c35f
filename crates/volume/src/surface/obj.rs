//! Meshes as one Wavefront OBJ file.

use std::fmt::Write;

use super::Mesh;

/// An OBJ file of several meshes, in mm, each a group with its name (blanks become `_`, as they part names there). Its first
/// comment says `SPACE=RAS`, which 3D Slicer heeds.
pub fn obj<'a>(meshes: impl IntoIterator<Item = (&'a str, &'a Mesh)>) -> String {
    let mut text = "# SPACE=RAS UNIT=mm\n".to_owned();
    let mut first = 1;
    for (name, mesh) in meshes {
        let name = name.split_whitespace().collect::<Vec<_>>().join("_");
        let mut line = |line: std::fmt::Arguments<'_>| {
            text.write_fmt(line).expect("text takes any line");
        };
        line(format_args!("g {name}\n"));
        for [x, y, z] in &mesh.vertices {
            line(format_args!("v {x} {y} {z}\n"));
        }
        for triangle in &mesh.triangles {
            let [a, b, c] = triangle.map(|vertex| vertex as usize + first);
            line(format_args!("f {a} {b} {c}\n"));
        }
        first += mesh.vertices.len();
    }
    text
}
