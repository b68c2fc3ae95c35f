//! Convolution with kernel 3×3×3 and zeros around, no larger copy of the input than three of its slices.
//!
//! Of each slice of the result the three slices of the input around it are copied, with a border of zeros, into a buffer that
//! stays in the cache; from it a block of output channels is summed in registers for a stretch of voxels at a time. A row's zero at its
//! right is the next one's at its left, so that a stretch goes on from row to row and few columns fill vectors too; what is summed
//! across the border is left out. With a stride of two in plane even and odd rows and columns lie apart, so that every stretch is
//! contiguous again.

use crate::registers::{lanes, write};
use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// A convolution's shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv3 {
    /// Channels of the input.
    pub inputs: usize,
    /// Channels of the result.
    pub outputs: usize,
    /// Slices, rows and columns of the input.
    pub shape: [usize; 3],
    /// Of rows and columns, 1 or 2; of slices it is 1.
    pub stride: usize,
}

/// Taps of a kernel.
const TAPS: usize = 27;

impl Conv3 {
    /// Slices, rows and columns of the result.
    pub fn result_shape(&self) -> [usize; 3] {
        let [depth, rows, columns] = self.shape;
        [
            depth,
            rows.div_ceil(self.stride),
            columns.div_ceil(self.stride),
        ]
    }

    /// Multiplications and additions.
    pub fn flop(&self) -> f64 {
        let voxels: usize = self.result_shape().iter().product();
        2.0 * (voxels * self.inputs * self.outputs * TAPS) as f64
    }
}

/// Convolves.
///
/// # Shapes
/// - `input`: `[channel, slice, row, column]`
/// - `weight`: `[out_channel, in_channel, 3, 3, 3]`
/// - `bias`: `[out_channel]`
/// - returns: `[out_channel, slice, row / stride, column / stride]`, rounded up
///
/// # Panics
/// If a slice is not as long as its shape says, or for a stride above 2.
pub fn conv3(conv: Conv3, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f32> {
    conv3_by(lanes(), conv, input, weight, bias, |slice, planes| {
        Arch::new().dispatch(Planes { slice, planes });
    })
}

fn conv3_by(
    lanes: usize,
    conv: Conv3,
    input: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    convolve: impl Fn(&Slice, &mut [&mut [f32]]) + Sync + Send,
) -> Vec<f32> {
    let [depth, rows, columns] = conv.shape;
    assert!(
        (1..=2).contains(&conv.stride),
        "a stride of {}",
        conv.stride
    );
    assert_eq!(
        input.len(),
        conv.inputs * depth * rows * columns,
        "voxels of the input"
    );
    assert_eq!(weight.len(), conv.outputs * conv.inputs * TAPS, "weights");
    assert!(bias.is_none_or(|bias| bias.len() == conv.outputs), "biases");
    let [_, out_rows, out_columns] = conv.result_shape();
    let plane = out_rows * out_columns;
    let mut result = vec![0.0; conv.outputs * depth * plane];
    if result.is_empty() {
        return result;
    }
    let layout = Layout::of(lanes, conv);
    let taps = layout.taps(conv);
    let weight = layout.ordered(conv, weight);
    let bias: Vec<f32> = match bias {
        Some(bias) => bias.to_vec(),
        None => vec![0.0; conv.outputs],
    };
    // Of each slice the planes of all channels.
    let mut slices: Vec<(usize, Vec<&mut [f32]>)> =
        (0..depth).map(|slice| (slice, Vec::new())).collect();
    for (index, plane) in result.chunks_exact_mut(plane).enumerate() {
        slices[index % depth].1.push(plane);
    }
    for_each(
        slices,
        || vec![0.0; layout.buffer_len(conv)],
        |buffer, (slice, mut planes)| {
            layout.fill(conv, buffer, input, slice);
            let slice = Slice {
                conv,
                layout,
                taps: &taps,
                buffer,
                weight: &weight,
                bias: &bias,
            };
            convolve(&slice, &mut planes);
        },
    );
    result
}

/// How the buffer and the weights lie.
#[derive(Clone, Copy, Debug)]
struct Layout {
    /// Floats of a vector.
    lanes: usize,
    /// Output channels that are summed at a time.
    block: usize,
    /// Floats from one row of the buffer to the next.
    pitch: usize,
    /// Floats of the rows of one kind, of which a stride of two has four: even or odd, in even or odd columns.
    kind: usize,
}

impl Layout {
    fn of(lanes: usize, conv: Conv3) -> Self {
        let [_, rows, columns] = conv.result_shape();
        let pitch = columns + 1;
        Self {
            lanes,
            block: if lanes == 16 { 8 } else { 4 },
            pitch,
            kind: (rows + 3 - conv.stride) * pitch,
        }
    }

    /// Floats of a slice of the input with its border.
    fn slab(&self, conv: Conv3) -> usize {
        conv.stride * conv.stride * self.kind
    }

    /// Where a voxel of a slice with its border lies.
    fn place(&self, conv: Conv3, row: usize, column: usize) -> usize {
        let s = conv.stride;
        (row % s * s + column % s) * self.kind + row / s * self.pitch + column / s
    }

    /// Places of all that is summed, from where the sum lies: of each input the kernel's taps.
    fn taps(&self, conv: Conv3) -> Vec<usize> {
        let slices = 0..3 * conv.inputs;
        let of_slice = |slice: usize| {
            let place =
                move |tap: usize| slice * self.slab(conv) + self.place(conv, tap / 3, tap % 3);
            (0..9).map(place)
        };
        slices.flat_map(of_slice).collect()
    }

    fn blocks(&self, conv: Conv3) -> usize {
        conv.outputs.div_ceil(self.block)
    }

    fn buffer_len(&self, conv: Conv3) -> usize {
        // The last vector may look beyond what there is.
        conv.inputs * 3 * self.slab(conv) + self.lanes + 2
    }

    /// `[block of outputs, input, tap, output in the block]`, zeros for outputs that there are not.
    fn ordered(&self, conv: Conv3, weight: &[f32]) -> Vec<f32> {
        let mut ordered = vec![0.0; self.blocks(conv) * conv.inputs * TAPS * self.block];
        for (row, taps) in weight.chunks_exact(TAPS).enumerate() {
            let (output, input) = (row / conv.inputs, row % conv.inputs);
            let start = (output / self.block * conv.inputs + input) * TAPS * self.block
                + output % self.block;
            for (tap, value) in taps.iter().enumerate() {
                ordered[start + tap * self.block] = *value;
            }
        }
        ordered
    }

    /// Copies the slices around `slice`; what lies around them stays as zero as it was made.
    fn fill(&self, conv: Conv3, buffer: &mut [f32], input: &[f32], slice: usize) {
        let [depth, rows, columns] = conv.shape;
        for (index, slab) in buffer.chunks_exact_mut(self.slab(conv)).enumerate() {
            let (channel, offset) = (index / 3, index % 3);
            if channel == conv.inputs {
                return;
            }
            let from = (slice + offset).checked_sub(1).filter(|from| *from < depth);
            let Some(from) = from else {
                slab.fill(0.0);
                continue;
            };
            let plane = &input[(channel * depth + from) * rows * columns..][..rows * columns];
            for (row, values) in plane.chunks_exact(columns).enumerate() {
                if conv.stride == 1 {
                    slab[self.place(conv, row + 1, 1)..][..columns].copy_from_slice(values);
                    continue;
                }
                for first in 0..2.min(columns) {
                    let target = &mut slab[self.place(conv, row + 1, first + 1)..];
                    for (to, from) in target.iter_mut().zip(values[first..].iter().step_by(2)) {
                        *to = *from;
                    }
                }
            }
        }
    }
}

/// A slice of the result under way.
struct Slice<'a> {
    conv: Conv3,
    layout: Layout,
    taps: &'a [usize],
    buffer: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
}

/// A slice and where its result goes, a plane a channel.
struct Planes<'a, 'b> {
    slice: &'a Slice<'a>,
    planes: &'a mut [&'b mut [f32]],
}

impl WithSimd for Planes<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { slice, planes } = self;
        // So many sums and values as there are registers for: 32 of those of 16 lanes, else 16, of which a browser has some for itself.
        match S::F32_LANES {
            16 => slice.blocks::<S, 3, 8>(simd, planes),
            8 => slice.blocks::<S, 3, 4>(simd, planes),
            _ => slice.blocks::<S, 2, 4>(simd, planes),
        }
    }
}

impl Slice<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const VECTORS: usize, const BLOCK: usize>(
        &self,
        simd: S,
        planes: &mut [&mut [f32]],
    ) {
        let [_, rows, _] = self.conv.result_shape();
        // The last row's border is left out.
        let places = rows * self.layout.pitch - 1;
        let weights = self.weight.chunks_exact(self.conv.inputs * TAPS * BLOCK);
        let blocks = planes.chunks_mut(BLOCK).zip(self.bias.chunks(BLOCK));
        for ((planes, bias), weight) in blocks.zip(weights) {
            let mut first = [0.0; BLOCK];
            first[..bias.len()].copy_from_slice(bias);
            let mut start = 0;
            while start < places {
                start += match (places - start).div_ceil(S::F32_LANES) {
                    1 => self.stretch::<S, 1, BLOCK>(simd, weight, first, start, planes),
                    2 if VECTORS > 2 => {
                        self.stretch::<S, 2, BLOCK>(simd, weight, first, start, planes)
                    }
                    _ => self.stretch::<S, VECTORS, BLOCK>(simd, weight, first, start, planes),
                };
            }
        }
    }

    /// A block of channels from a place on; returns how many places.
    #[inline(always)]
    fn stretch<S: Simd, const VECTORS: usize, const BLOCK: usize>(
        &self,
        simd: S,
        weight: &[f32],
        first: [f32; BLOCK],
        start: usize,
        planes: &mut [&mut [f32]],
    ) -> usize {
        let sums = self.sums::<S, VECTORS, BLOCK>(simd, weight, first, start);
        let [_, rows, columns] = self.conv.result_shape();
        let (pitch, end) = (self.layout.pitch, start + VECTORS * S::F32_LANES);
        for row in start / pitch..rows.min(end.div_ceil(pitch)) {
            // Places of the row that are summed here, without its border.
            let from = start.max(row * pitch);
            let count = end.min(row * pitch + columns).saturating_sub(from);
            let target = row * columns + (from - row * pitch).min(columns);
            for (plane, sums) in planes.iter_mut().zip(&sums) {
                let plane = &mut plane[target..][..count];
                if count == end - start {
                    write::<S, VECTORS>(plane, *sums);
                } else {
                    let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
                    plane.copy_from_slice(&sums[from - start..][..count]);
                }
            }
        }
        end - start
    }

    #[inline(always)]
    fn sums<S: Simd, const VECTORS: usize, const BLOCK: usize>(
        &self,
        simd: S,
        weight: &[f32],
        first: [f32; BLOCK],
        start: usize,
    ) -> [[S::f32s; VECTORS]; BLOCK] {
        let mut sums = first.map(|first| [simd.splat_f32s(first); VECTORS]);
        let buffer = &self.buffer[start..];
        for (tap, weights) in self.taps.iter().zip(weight.chunks_exact(BLOCK)) {
            let (values, _) = S::as_simd_f32s(&buffer[*tap..*tap + VECTORS * S::F32_LANES]);
            for (sums, weight) in sums.iter_mut().zip(weights) {
                let weight = simd.splat_f32s(*weight);
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum = simd.mul_add_e_f32s(*value, weight, *sum);
                }
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::{ByKind, by_all, numbers};

    /// As the formula says, in double precision.
    fn plainly(conv: Conv3, input: &[f32], weight: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
        let [depth, rows, columns] = conv.shape;
        let [_, out_rows, out_columns] = conv.result_shape();
        let mut result = Vec::new();
        for output in 0..conv.outputs {
            for z in 0..depth {
                for y in 0..out_rows {
                    for x in 0..out_columns {
                        let mut sum = bias.map_or(0.0, |bias| f64::from(bias[output]));
                        for channel in 0..conv.inputs {
                            for tap in 0..TAPS {
                                let at = [
                                    z + tap / 9,
                                    y * conv.stride + tap / 3 % 3,
                                    x * conv.stride + tap % 3,
                                ];
                                let inside = (0..3)
                                    .all(|axis| at[axis] >= 1 && at[axis] <= conv.shape[axis]);
                                if inside {
                                    let [z, y, x] = at.map(|place| place - 1);
                                    let value =
                                        input[((channel * depth + z) * rows + y) * columns + x];
                                    sum += f64::from(value)
                                        * f64::from(
                                            weight[(output * conv.inputs + channel) * TAPS + tap],
                                        );
                                }
                            }
                        }
                        result.push(sum);
                    }
                }
            }
        }
        result
    }

    struct Given<'a>(Conv3, &'a [f32], &'a [f32], Option<&'a [f32]>);

    impl ByKind for Given<'_> {
        fn by<S: Simd>(&self, simd: S) -> Vec<f32> {
            let Self(conv, input, weight, bias) = *self;
            conv3_by(S::F32_LANES, conv, input, weight, bias, |slice, planes| {
                Planes { slice, planes }.with_simd(simd);
            })
        }
    }

    #[test]
    fn every_kind_of_processor_gives_what_the_formula_does() {
        for (inputs, outputs, shape, stride) in [
            (1, 1, [1, 1, 1], 1),
            (2, 3, [3, 4, 5], 1),
            (3, 9, [2, 3, 17], 1),
            (5, 8, [3, 5, 80], 1),
            (4, 4, [1, 2, 97], 1),
            (2, 5, [2, 3, 200], 1),
            (1, 2, [2, 1, 1], 2),
            (3, 7, [3, 6, 40], 2),
            (2, 4, [2, 5, 33], 2),
            (2, 4, [2, 8, 200], 2),
            (3, 5, [2, 6, 5], 1),
            (2, 9, [2, 7, 1], 1),
            (2, 3, [2, 1, 9], 2),
            (3, 8, [2, 7, 9], 2),
        ] {
            let conv = Conv3 {
                inputs,
                outputs,
                shape,
                stride,
            };
            let input = numbers(inputs * shape.iter().product::<usize>(), 1);
            let weight = numbers(outputs * inputs * TAPS, 2);
            let bias = numbers(outputs, 3);
            for bias in [None, Some(&bias[..])] {
                let expected = plainly(conv, &input, &weight, bias);
                let mut all = by_all(&Given(conv, &input, &weight, bias));
                all.push(("own", conv3(conv, &input, &weight, bias)));
                for (kind, found) in all {
                    assert_eq!(found.len(), expected.len(), "{conv:?}");
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!(
                            (f64::from(*found) - expected).abs() < 2e-5,
                            "{kind} {conv:?}: {found} for {expected}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "voxels of the input")]
    fn another_length_is_refused() {
        let conv = Conv3 {
            inputs: 1,
            outputs: 1,
            shape: [1, 2, 3],
            stride: 1,
        };
        conv3(conv, &[0.0; 5], &[0.0; TAPS], None);
    }
}
