//! Weights in eight or four bits, symmetric about zero, with one scale per block.

use half::f16;

/// How many bits a value of a weight has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Signed, −127 … 127.
    Eight,
    /// Signed, −7 … 7, two values in a byte, the first in its lower half.
    Four,
}

/// Scales that are tried for a block of four bits, as parts of the one that just holds its largest value: with so few steps it
/// is worth letting that one be cut off where all others come closer for it.
const NARROWER: [f32; 8] = [1.0, 0.95, 0.9, 0.86, 0.82, 0.78, 0.74, 0.7];

impl Bits {
    /// Number of consecutive values that share a scale. Scales of eight bits are 32-bit numbers and cost six per cent; of four bits
    /// blocks are half as large, as steps are coarse, and scales are 16-bit numbers: an eighth.
    pub fn block(self) -> usize {
        match self {
            Self::Eight => 64,
            Self::Four => 32,
        }
    }

    /// Bytes of so many values, without their scales.
    pub fn bytes(self, count: usize) -> usize {
        match self {
            Self::Eight => count,
            Self::Four => count.div_ceil(2),
        }
    }
}

/// Quantised values with the scale of each block.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// How they are stored.
    pub bits: Bits,
    /// Number of values.
    pub count: usize,
    /// The values, as [`Bits`] says.
    pub values: Vec<u8>,
    /// What a step of one is worth, block by block; of four bits each is a 16-bit number too, and infinite where a block is beyond those.
    pub scales: Vec<f32>,
}

impl Quantized {
    /// Rounds.
    pub fn of(values: &[f32], bits: Bits) -> Self {
        let mut quantized = Self {
            bits,
            count: values.len(),
            values: Vec::with_capacity(bits.bytes(values.len())),
            scales: Vec::with_capacity(values.len().div_ceil(bits.block())),
        };
        for block in values.chunks(bits.block()) {
            match bits {
                Bits::Eight => quantized.push_eight(block),
                Bits::Four => quantized.push_four(block),
            }
        }
        quantized
    }

    fn push_eight(&mut self, block: &[f32]) {
        let scale = largest(block) / 127.0;
        let inverse = inverse(scale);
        let round = |value: &f32| ((value * inverse).round() as i8).cast_unsigned();
        self.values.extend(block.iter().map(round));
        self.scales.push(scale);
    }

    fn push_four(&mut self, block: &[f32]) {
        let widest = largest(block) / 7.0;
        // Where no scale is a 16-bit number that is finite, which whoever stores it must see.
        let mut best = (f32::INFINITY, f32::INFINITY);
        for part in NARROWER {
            let scale = as_half(fitted(block, part * widest));
            let error = block.iter().map(|v| (v - scale * step(*v, scale)).powi(2));
            let error: f32 = error.sum();
            if error < best.0 {
                best = (error, scale);
            }
        }
        let (_, scale) = best;
        for pair in block.chunks(2) {
            let nibble = |value: &f32| (step(*value, scale) as i8).cast_unsigned() & 0xf;
            let high = pair.get(1).map_or(0, nibble);
            self.values.push(nibble(&pair[0]) | (high << 4));
        }
        self.scales.push(scale);
    }

    /// Back to floating point.
    pub fn widened(&self) -> Vec<f32> {
        let block = self.bits.block();
        let mut all = Vec::with_capacity(self.count);
        match self.bits {
            Bits::Eight => {
                for (block, scale) in self.values.chunks(block).zip(&self.scales) {
                    all.extend(block.iter().map(|v| f32::from(v.cast_signed()) * scale));
                }
            }
            Bits::Four => {
                for (block, scale) in self.values.chunks(block / 2).zip(&self.scales) {
                    for byte in block {
                        all.extend(halves(*byte).map(|value| f32::from(value) * scale));
                    }
                }
                // An odd number of values leaves the last half empty.
                all.truncate(self.count);
            }
        }
        all
    }
}

/// The two values in a byte.
fn halves(byte: u8) -> [i8; 2] {
    // Shifted up and down again, so that the sign of four bits becomes that of eight.
    [(byte << 4).cast_signed() >> 4, byte.cast_signed() >> 4]
}

fn largest(block: &[f32]) -> f32 {
    block.iter().fold(0.0, |max: f32, v| max.max(v.abs()))
}

fn inverse(scale: f32) -> f32 {
    if scale > 0.0 { 1.0 / scale } else { 0.0 }
}

/// The step that is nearest, in four bits.
fn step(value: f32, scale: f32) -> f32 {
    (value * inverse(scale)).round().clamp(-7.0, 7.0)
}

/// The scale with which the steps that `scale` makes of a block come closest to it.
fn fitted(block: &[f32], scale: f32) -> f32 {
    let (mut product, mut square) = (0.0, 0.0);
    for value in block {
        let step = step(*value, scale);
        product += value * step;
        square += step * step;
    }
    if square > 0.0 {
        product / square
    } else {
        scale
    }
}

/// As it is after being written as a 16-bit number.
fn as_half(scale: f32) -> f32 {
    f16::from_f32(scale).to_f32()
}

/// How far `found` is from `values`: the root of the sum of squared differences, as a part of that of the values themselves.
pub fn relative_error(values: &[f32], found: &[f32]) -> f64 {
    let square = |value: f64| value * value;
    let differences = values.iter().zip(found);
    let wrong: f64 = differences
        .map(|(a, b)| square(f64::from(*a) - f64::from(*b)))
        .sum();
    let all: f64 = values.iter().map(|v| square(f64::from(*v))).sum();
    if wrong == 0.0 {
        0.0
    } else {
        (wrong / all).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<f32> {
        let value = |i: usize| ((i * 37 % 101) as f32 - 50.0) * if i < 64 { 1e-3 } else { 2.0 };
        (0..301).map(value).collect()
    }

    /// Half a step is the most that rounding can cost.
    #[test]
    fn error_of_eight_bits_stays_within_half_a_step_of_its_block() {
        let values = values();
        let quantized = Quantized::of(&values, Bits::Eight);
        let back = quantized.widened();
        assert_eq!(back.len(), values.len());
        for (i, (a, b)) in values.iter().zip(&back).enumerate() {
            let step = quantized.scales[i / 64];
            assert!(
                (a - b).abs() <= 0.5001 * step,
                "{a} became {b}, step {step}"
            );
        }
    }

    /// Steps of a seventh of the largest value would be off by their twelfth's root in the mean; ours must not be worse.
    #[test]
    fn four_bits_are_no_worse_than_steps_up_to_the_largest_value() {
        let values = values();
        let quantized = Quantized::of(&values, Bits::Four);
        assert_eq!(quantized.values.len(), 151);
        let plain = |block: &[f32]| {
            let scale = largest(block) / 7.0;
            let back = block.iter().map(|v| scale * step(*v, scale));
            back.collect::<Vec<f32>>()
        };
        let plain: Vec<f32> = values.chunks(32).flat_map(plain).collect();
        let ours = relative_error(&values, &quantized.widened());
        assert!(ours <= relative_error(&values, &plain) + 1e-4, "{ours}");
        assert!(ours < 0.1, "{ours}");
    }

    /// By hand: 7 is the largest step, and each of these is a whole one.
    #[test]
    fn two_values_share_a_byte_the_first_below() {
        let quantized = Quantized::of(&[7.0, -7.0, -1.0, 3.0, 2.0], Bits::Four);
        assert_eq!(quantized.scales, [1.0]);
        assert_eq!(quantized.values, [0x97, 0x3f, 0x02]);
        assert_eq!(quantized.widened(), [7.0, -7.0, -1.0, 3.0, 2.0]);
    }

    #[test]
    fn what_was_rounded_once_stays_as_it_is() {
        let once = Quantized::of(&values(), Bits::Eight).widened();
        assert!(relative_error(&once, &Quantized::of(&once, Bits::Eight).widened()) < 1e-6);
    }

    #[test]
    fn zeros_stay_zero() {
        for bits in [Bits::Eight, Bits::Four] {
            assert_eq!(Quantized::of(&[0.0; 65], bits).widened(), [0.0; 65]);
        }
    }

    /// By hand: 3 and 4 make 5, of which 1 is a fifth.
    #[test]
    fn errors_are_parts_of_the_whole() {
        assert!((relative_error(&[3.0, 4.0], &[3.0, 5.0]) - 0.2).abs() < 1e-12);
        assert_eq!(relative_error(&[0.0], &[0.0]), 0.0);
    }
}
