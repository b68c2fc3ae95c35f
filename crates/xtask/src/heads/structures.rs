//! Which structures are compared.

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
