//! What is found inside a network, with a place in the world.

use dinomed3d_volume::Affine;
use dinomed3d_volume::nifti::{self, encode};

/// A value for each cell of a grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Map {
    /// `[slice, row, column]`
    pub shape: [usize; 3],
    /// From `(column, row, slice)` to the world.
    pub affine: Affine,
    /// Column fastest.
    pub values: Values,
}

/// What a map holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Numbers.
    Numbers(Vec<f32>),
    /// Red, green and blue.
    Colours(Vec<[u8; 3]>),
    /// Labels.
    Labels(Vec<u8>),
}

impl Map {
    /// An uncompressed `.nii` file.
    pub fn encode(&self, description: &str) -> Vec<u8> {
        let [slices, rows, columns] = self.shape;
        let values = match &self.values {
            Values::Numbers(numbers) => nifti::Values::Float32(numbers),
            Values::Colours(colours) => nifti::Values::Rgb(colours),
            Values::Labels(labels) => nifti::Values::Uint8(labels),
        };
        encode(&[columns, rows, slices], &self.affine, values, description)
    }

    /// The lowest and the highest number; none of a map without numbers.
    pub fn range(&self) -> Option<[f32; 2]> {
        let Values::Numbers(numbers) = &self.values else {
            return None;
        };
        let widen = |[low, high]: [f32; 2], number: &f32| [low.min(*number), high.max(*number)];
        Some(
            numbers
                .iter()
                .fold([f32::INFINITY, f32::NEG_INFINITY], widen),
        )
    }
}
