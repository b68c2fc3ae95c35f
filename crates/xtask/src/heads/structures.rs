//! Which structures are compared, and how well two maps of one agree.

/// Structures inside the brain, left and right.
pub const DEEP: [(&str, [u16; 2]); 9] = [
    ("thalamus", [10, 49]),
    ("caudate", [11, 50]),
    ("putamen", [12, 51]),
    ("pallidum", [13, 52]),
    ("hippocampus", [17, 53]),
    ("amygdala", [18, 54]),
    ("accumbens", [26, 58]),
    ("ventral DC", [28, 60]),
    ("lateral ventricle", [4, 43]),
];

/// Of the voxels of one label in two maps of a grid.
pub fn dice(a: &[u16], b: &[u16], is_a: impl Fn(u16) -> bool, is_b: impl Fn(u16) -> bool) -> f64 {
    let (mut of_a, mut of_b, mut both) = (0usize, 0usize, 0usize);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (is_a(*a), is_b(*b));
        of_a += usize::from(a);
        of_b += usize::from(b);
        both += usize::from(a && b);
    }
    2.0 * both as f64 / (of_a + of_b).max(1) as f64
}
