//! The same for graphics processors, as programs that CubeCL compiles where it runs. Only what Burn's own are slower at is here.

/// Starts a program on as many units as are said: `launch!(on, units, program(arguments))`. Those that fill up the last [`UNITS`] have
/// to end themselves.
macro_rules! launch {
    ($on:expr, $units:expr, $program:ident($($argument:expr),* $(,)?)) => {{
        let $crate::graphics::On { client, numbers } = $on;
        let dim = cubecl::CubeDim::new_1d($crate::graphics::UNITS);
        $program::launch_unchecked(
            client,
            cubecl::calculate_cube_count_elemwise(client, $units, dim),
            dim,
            cubecl::ir::AddressType::U32,
            $crate::graphics::WIDTH,
            $($argument,)*
            numbers.kind(),
        )
    }};
}

mod activation;
mod attention;
mod conv;
mod depthwise;
mod norm;
mod product;

use cubecl::client::Client;
use cubecl::ir::{ElemType, FloatKind};

pub use attention::{Heads, attention, turn_keys};
pub use conv::{Volumes, convolve};
pub use depthwise::{Grids, depthwise};
pub use norm::{Groups, Rows, group_norm, layer_norm};
pub use product::{Bias, Matrices, product};

/// How numbers lie in a device's memory. All sums are of single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// 32 bits.
    Single,
    /// 16 bits, for devices that have them.
    Half,
}

impl Numbers {
    fn kind(self) -> ElemType {
        ElemType::Float(match self {
            Self::Single => FloatKind::F32,
            Self::Half => FloatKind::F16,
        })
    }
}

/// Where something is computed, and in which numbers.
#[derive(Clone, Copy)]
pub struct On<'a> {
    /// The device.
    pub client: &'a Client,
    /// Of all that is read and written.
    pub numbers: Numbers,
}

/// Numbers that are read and written at once, and lie in one vector.
const WIDTH: usize = 4;
/// Units that are started together.
const UNITS: u32 = 64;
