//! Convolution with kernel 3×3×3 and zeros around, no larger copy of the input than three of its slices.
//!
//! Of each slice of the result the three slices of the input around it are copied, with a border of zeros, into a buffer that
//! stays in the cache; from it a block of output channels is summed in registers for a stretch of a row at a time. With a stride
//! of two in plane the buffer's rows hold the even columns before the odd ones, so that every stretch is contiguous again.

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

/// Columns of a vector of this processor.
fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    Arch::new().dispatch(Lanes)
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
    /// Vectors of a stretch of a row.
    vectors: usize,
    /// Output channels that are summed at a time.
    block: usize,
    /// Floats from one row of the buffer to the next.
    pitch: usize,
    /// Where in a row each of the three columns of taps begins.
    taps: [usize; 3],
}

impl Layout {
    fn of(lanes: usize, conv: Conv3) -> Self {
        // So many sums and values as there are registers for: 32 of those of 16 lanes, 16 of the others.
        let most = if lanes == 16 { 6 } else { 3 };
        let [_, _, columns] = conv.result_shape();
        let all = columns.div_ceil(lanes);
        // Stretches of about one length.
        let vectors = all.div_ceil(all.div_ceil(most));
        let covered = all.div_ceil(vectors) * vectors * lanes;
        // A stretch may look a tap beyond what it covers.
        let half = (covered + 2).next_multiple_of(4);
        let block = if lanes == 16 && vectors <= 3 { 8 } else { 4 };
        let (pitch, taps) = match conv.stride {
            1 => (half, [0, 1, 2]),
            _ => (2 * half, [0, half, 1]),
        };
        Self {
            vectors,
            block,
            pitch,
            taps,
        }
    }

    fn blocks(&self, conv: Conv3) -> usize {
        conv.outputs.div_ceil(self.block)
    }

    fn buffer_len(&self, conv: Conv3) -> usize {
        conv.inputs * 3 * (conv.shape[1] + 2) * self.pitch
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

    /// Copies the slices around `slice`; what lies beside rows stays as zero as it was made.
    fn fill(&self, conv: Conv3, buffer: &mut [f32], input: &[f32], slice: usize) {
        let [depth, rows, columns] = conv.shape;
        let slab = (rows + 2) * self.pitch;
        for (index, slab) in buffer.chunks_exact_mut(slab).enumerate() {
            let (channel, offset) = (index / 3, index % 3);
            let from = (slice + offset).checked_sub(1).filter(|from| *from < depth);
            let Some(from) = from else {
                slab.fill(0.0);
                continue;
            };
            let plane = &input[(channel * depth + from) * rows * columns..][..rows * columns];
            let inner = slab.chunks_exact_mut(self.pitch).skip(1);
            for (row, target) in plane.chunks_exact(columns).zip(inner) {
                if conv.stride == 1 {
                    target[1..=columns].copy_from_slice(row);
                } else {
                    // Column c of the input is column c + 1 with the border: odd ones of it are even here.
                    let (even, odd) = target.split_at_mut(self.taps[1]);
                    for (to, from) in odd.iter_mut().zip(row.iter().step_by(2)) {
                        *to = *from;
                    }
                    for (to, from) in even[1..].iter_mut().zip(row.iter().skip(1).step_by(2)) {
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
        match (slice.layout.vectors, slice.layout.block) {
            (1, 8) => slice.blocks::<S, 1, 8>(simd, planes),
            (2, 8) => slice.blocks::<S, 2, 8>(simd, planes),
            (3, 8) => slice.blocks::<S, 3, 8>(simd, planes),
            (1, _) => slice.blocks::<S, 1, 4>(simd, planes),
            (2, _) => slice.blocks::<S, 2, 4>(simd, planes),
            (3, _) => slice.blocks::<S, 3, 4>(simd, planes),
            (4, _) => slice.blocks::<S, 4, 4>(simd, planes),
            (5, _) => slice.blocks::<S, 5, 4>(simd, planes),
            _ => slice.blocks::<S, 6, 4>(simd, planes),
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
        let [_, rows, columns] = self.conv.result_shape();
        let stretch = VECTORS * S::F32_LANES;
        let weights = self.weight.chunks_exact(self.conv.inputs * TAPS * BLOCK);
        let blocks = planes.chunks_mut(BLOCK).zip(self.bias.chunks(BLOCK));
        for ((planes, bias), weight) in blocks.zip(weights) {
            let mut first = [0.0; BLOCK];
            first[..bias.len()].copy_from_slice(bias);
            for row in 0..rows {
                for column in (0..columns).step_by(stretch) {
                    let sums = self.stretch::<S, VECTORS, BLOCK>(simd, weight, first, row, column);
                    let count = (columns - column).min(stretch);
                    for (plane, sums) in planes.iter_mut().zip(&sums) {
                        let sums: &[f32] = pulp::bytemuck::cast_slice(sums);
                        plane[row * columns + column..][..count].copy_from_slice(&sums[..count]);
                    }
                }
            }
        }
    }

    /// Sums of a block of channels for a stretch of a row.
    #[inline(always)]
    fn stretch<S: Simd, const VECTORS: usize, const BLOCK: usize>(
        &self,
        simd: S,
        weight: &[f32],
        first: [f32; BLOCK],
        row: usize,
        column: usize,
    ) -> [[S::f32s; VECTORS]; BLOCK] {
        let pitch = self.layout.pitch;
        let slab = (self.conv.shape[1] + 2) * pitch;
        let mut sums = first.map(|first| [simd.splat_f32s(first); VECTORS]);
        let mut start = row * self.conv.stride * pitch + column;
        let mut weights = weight.chunks_exact(BLOCK);
        for _ in 0..3 * self.conv.inputs {
            for of_row in 0..3 {
                let row = &self.buffer[start + of_row * pitch..];
                for tap in self.layout.taps {
                    let Some(weights) = weights.next() else {
                        return sums;
                    };
                    let (values, _) = S::as_simd_f32s(&row[tap..][..VECTORS * S::F32_LANES]);
                    for (sums, weight) in sums.iter_mut().zip(weights) {
                        let weight = simd.splat_f32s(*weight);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = simd.mul_add_e_f32s(*value, weight, *sum);
                        }
                    }
                }
            }
            start += slab;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// By every kind of vectors that this processor has.
    fn by_all(
        conv: Conv3,
        input: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
    ) -> Vec<(&'static str, Vec<f32>)> {
        fn with<S: Simd>(simd: S, given: (Conv3, &[f32], &[f32], Option<&[f32]>)) -> Vec<f32> {
            let (conv, input, weight, bias) = given;
            conv3_by(S::F32_LANES, conv, input, weight, bias, |slice, planes| {
                Planes { slice, planes }.with_simd(simd);
            })
        }
        let given = (conv, input, weight, bias);
        let mut all = vec![("own", conv3(conv, input, weight, bias))];
        all.push(("scalar", with(pulp::Scalar::new(), given)));
        #[cfg(target_arch = "x86_64")]
        {
            use pulp::x86::{V3, V4};
            all.extend(V3::try_new().map(|simd| ("AVX2", with(simd, given))));
            all.extend(V4::try_new().map(|simd| ("AVX-512", with(simd, given))));
        }
        all
    }

    fn numbers(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32 - 0.5
        };
        (0..count).map(next).collect()
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
                for (level, found) in by_all(conv, &input, &weight, bias) {
                    assert_eq!(found.len(), expected.len(), "{conv:?}");
                    for (found, expected) in found.iter().zip(&expected) {
                        assert!(
                            (f64::from(*found) - expected).abs() < 2e-5,
                            "{level} {conv:?}: {found} for {expected}"
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
