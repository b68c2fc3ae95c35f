//! The same for graphics processors, as programs that CubeCL compiles where it runs. Only what Burn's own are slower at is here.

mod attention;
mod conv;
mod depthwise;
mod product;

pub use attention::{Heads, attention, turn_keys};
pub use conv::{Volumes, convolve};
pub use depthwise::{Grids, depthwise};
pub use product::{Bias, Matrices, product};

/// Numbers that are read and written at once, and lie in one vector.
const WIDTH: usize = 4;
/// Units that are started together.
const UNITS: u32 = 64;
