//! Attention of the tokens of an image: scores of a few queries at a time, never all of them.
//!
//! Of each head the keys are laid out once so that a vector holds those of several tokens, and all queries pass by them, so many at a
//! time as registers hold sums of: scores, their exponentials, and the sum of the values they weigh.

use crate::activation::{OfVector, map};
use crate::registers::{lanes, rows, sums, write};
use crate::tasks::for_each;
use pulp::{Arch, Simd, WithSimd};

/// What attention looks like.
#[derive(Clone, Copy, Debug)]
pub struct Attention<'a> {
    /// Tokens of an image.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Cosines and sines by which a query and a key are turned, each `[token, head_dim]`.
    pub turn: [&'a [f32]; 2],
}

/// `softmax(query · keyᵀ / √head_dim) · value` of each image and head, queries and keys turned by their places first: with the halves
/// x and y of each, `[x, y] · cos + [−y, x] · sin`.
///
/// # Shapes
/// - `joined`: `[image, token, 3, head, head_dim]`, queries, keys and values
/// - returns: `[image, token, head, head_dim]`
///
/// # Panics
/// If a slice is not as long as its shape says.
pub fn attention(attention: Attention, joined: &[f32]) -> Vec<f32> {
    attention_by(lanes(), attention, joined, |image| {
        Arch::new().dispatch(image);
    })
}

fn attention_by(
    lanes: usize,
    attention: Attention,
    joined: &[f32],
    attend: impl Fn(Image) + Sync + Send,
) -> Vec<f32> {
    let Attention {
        tokens,
        heads,
        turn: [cos, sin],
    } = attention;
    let head_dim = cos.len() / tokens;
    assert_eq!(head_dim % 2, 0, "a head of {head_dim} has no halves");
    assert_eq!(cos.len(), tokens * head_dim, "cosines");
    assert_eq!(sin.len(), tokens * head_dim, "sines");
    let of_image = tokens * heads * head_dim;
    assert_eq!(joined.len() % (3 * of_image), 0, "queries, keys and values");
    let mut result = vec![0.0; joined.len() / 3];
    let parts: Vec<(&[f32], &mut [f32])> = joined
        .chunks_exact(3 * of_image)
        .zip(result.chunks_exact_mut(of_image))
        .collect();
    let buffers = || Buffers::of(lanes, tokens, head_dim);
    for_each(parts, buffers, |buffers, (joined, result)| {
        attend(Image {
            attention,
            head_dim,
            joined,
            buffers,
            result,
        });
    });
    result
}

/// One head's tokens, laid out.
struct Buffers {
    /// `[token, place]`, divided by √head_dim.
    queries: Vec<f32>,
    /// `[place, token]`, zeros for tokens that there are not.
    keys: Vec<f32>,
    /// `[token, place]`, zeros for places that there are not.
    values: Vec<f32>,
    /// `[query of those at a time, token]`
    scores: Vec<f32>,
    /// A key before it is laid out.
    key: Vec<f32>,
    /// Floats of a row of keys and scores.
    key_pitch: usize,
    /// Floats of a row of values.
    value_pitch: usize,
}

/// Queries at a time at most.
const MOST: usize = 8;
/// Vectors of keys, and of a token's values, at a time, at most.
const MOST_KEYS: usize = 3;
const OF_VALUES: usize = 2;

impl Buffers {
    fn of(lanes: usize, tokens: usize, head_dim: usize) -> Self {
        let key_pitch = tokens.next_multiple_of(2 * MOST_KEYS * lanes);
        let value_pitch = head_dim.next_multiple_of(OF_VALUES * lanes);
        Self {
            queries: vec![0.0; tokens * head_dim],
            keys: vec![0.0; head_dim * key_pitch],
            values: vec![0.0; tokens * value_pitch],
            scores: vec![0.0; MOST * key_pitch],
            key: vec![0.0; head_dim],
            key_pitch,
            value_pitch,
        }
    }
}

/// An image under way.
struct Image<'a> {
    attention: Attention<'a>,
    head_dim: usize,
    joined: &'a [f32],
    buffers: &'a mut Buffers,
    result: &'a mut [f32],
}

impl WithSimd for Image<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        for head in 0..self.attention.heads {
            self.lay_out(head);
            // So many sums as there are registers for, as in a linear map.
            match S::F32_LANES {
                16 => self.attend::<S, MOST, MOST_KEYS>(simd, head),
                8 => self.attend::<S, 4, MOST_KEYS>(simd, head),
                _ => self.attend::<S, 4, 2>(simd, head),
            }
        }
    }
}

impl Image<'_> {
    #[inline(always)]
    fn lay_out(&mut self, head: usize) {
        let Buffers {
            queries,
            keys,
            values,
            key: turned,
            key_pitch,
            value_pitch,
            ..
        } = &mut *self.buffers;
        let dim = self.head_dim;
        let width = self.attention.heads * dim;
        let scale = 1.0 / (dim as f32).sqrt();
        let [cos, sin] = self.attention.turn;
        for (token, joined) in self.joined.chunks_exact(3 * width).enumerate() {
            let part = |index: usize| &joined[index * width + head * dim..][..dim];
            let by = [&cos[token * dim..][..dim], &sin[token * dim..][..dim]];
            turn(part(0), by, scale, &mut queries[token * dim..][..dim]);
            turn(part(1), by, 1.0, turned);
            for (place, value) in turned.iter().enumerate() {
                keys[place * *key_pitch + token] = *value;
            }
            values[token * *value_pitch..][..dim].copy_from_slice(part(2));
        }
    }

    #[inline(always)]
    fn attend<S: Simd, const ROWS: usize, const OF_KEYS: usize>(&mut self, simd: S, head: usize) {
        let Buffers {
            queries,
            keys,
            values,
            scores,
            key_pitch,
            value_pitch,
            ..
        } = &mut *self.buffers;
        let (tokens, dim) = (self.attention.tokens, self.head_dim);
        let zero = simd.splat_f32s(0.0);
        let row_of_result = self.attention.heads * dim;
        for (block, result) in self.result.chunks_mut(ROWS * row_of_result).enumerate() {
            let queries = rows::<ROWS>(queries, dim, dim, block * ROWS);
            let mut start = 0;
            while start < tokens {
                let vectors = (tokens - start).div_ceil(S::F32_LANES).min(OF_KEYS);
                let (keys, pitch) = (&keys[start..], *key_pitch);
                let to = &mut scores[start..];
                match vectors {
                    1 => score::<S, ROWS, 1>(simd, queries, keys, to, pitch),
                    2 => score::<S, ROWS, 2>(simd, queries, keys, to, pitch),
                    _ => score::<S, ROWS, OF_KEYS>(simd, queries, keys, to, pitch),
                }
                start += vectors * S::F32_LANES;
            }
            let wholes = exponentials::<S, ROWS>(simd, scores, *key_pitch, tokens);
            let weights = rows::<ROWS>(&scores[..ROWS * *key_pitch], *key_pitch, tokens, 0);
            let width = OF_VALUES * S::F32_LANES;
            for start in (0..dim).step_by(width) {
                let first = [zero; OF_VALUES];
                let values = &values[start..];
                let sums = sums::<S, ROWS, OF_VALUES>(simd, first, weights, values, *value_pitch);
                let results = result.chunks_exact_mut(row_of_result);
                for ((result, mut sums), whole) in results.zip(sums).zip(wholes) {
                    let share = simd.splat_f32s(1.0 / whole);
                    for sum in &mut sums {
                        *sum = simd.mul_f32s(*sum, share);
                    }
                    let count = width.min(dim - start);
                    write::<S, OF_VALUES>(&mut result[head * dim + start..][..count], sums);
                }
            }
        }
    }
}

/// The products of queries with as many keys as so many vectors hold; of a row of keys to the next, and of scores, it is `pitch`.
#[inline(always)]
fn score<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    queries: [&[f32]; ROWS],
    keys: &[f32],
    scores: &mut [f32],
    pitch: usize,
) {
    let first = [simd.splat_f32s(0.0); VECTORS];
    let sums = sums::<S, ROWS, VECTORS>(simd, first, queries, keys, pitch);
    for (scores, sums) in scores.chunks_mut(pitch).zip(sums) {
        write::<S, VECTORS>(scores, sums);
    }
}

/// `[x, y] · cos + [−y, x] · sin` of the halves x and y, times `scale`.
#[inline(always)]
fn turn(values: &[f32], [cos, sin]: [&[f32]; 2], scale: f32, result: &mut [f32]) {
    let half = values.len() / 2;
    // Known to be as long as each other, they are gone through by vectors.
    let (x, y) = (&values[..half], &values[half..][..half]);
    let (cos_x, cos_y) = (&cos[..half], &cos[half..][..half]);
    let (sin_x, sin_y) = (&sin[..half], &sin[half..][..half]);
    let (to_x, to_y) = result.split_at_mut(half);
    let (to_x, to_y) = (&mut to_x[..half], &mut to_y[..half]);
    for place in 0..half {
        to_x[place] = (x[place] * cos_x[place] - y[place] * sin_x[place]) * scale;
    }
    for place in 0..half {
        to_y[place] = (y[place] * cos_y[place] + x[place] * sin_y[place]) * scale;
    }
}

/// The exponential of each score's distance from the largest of its row, in its place, and the sum of each row.
///
/// A function of its own, as its many constants would take registers from the sums around it.
#[inline(never)]
fn exponentials<S: Simd, const ROWS: usize>(
    simd: S,
    scores: &mut [f32],
    pitch: usize,
    tokens: usize,
) -> [f32; ROWS] {
    struct Rows<'a, const ROWS: usize>(&'a mut [f32], usize, usize);
    impl<const ROWS: usize> WithSimd for Rows<'_, ROWS> {
        type Output = [f32; ROWS];
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let Self(scores, pitch, tokens) = self;
            let mut wholes = [0.0; ROWS];
            for (scores, whole) in scores.chunks_exact_mut(pitch).zip(&mut wholes) {
                let scores = &mut scores[..tokens];
                let (vectors, rest) = S::as_simd_f32s(scores);
                let mut highest = simd.splat_f32s(f32::NEG_INFINITY);
                for vector in vectors {
                    highest = simd.max_f32s(highest, *vector);
                }
                let of_rest = rest.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
                let highest = simd.reduce_max_f32s(highest).max(of_rest);
                map(simd, scores, ExponentialFrom(highest));
                let (vectors, rest) = S::as_simd_f32s(scores);
                let mut sum = simd.splat_f32s(0.0);
                for vector in vectors {
                    sum = simd.add_f32s(sum, *vector);
                }
                *whole = simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>();
            }
            wholes
        }
    }
    simd.vectorize(Rows(scores, pitch, tokens))
}

/// exp(x − the number), for x that are no larger.
#[derive(Clone, Copy)]
struct ExponentialFrom(f32);

/// Below it the exponential is nothing beside 1 in single precision.
const LOWEST: f32 = -87.0;
/// Added to a number it leaves the nearest whole one in the lowest bits.
const ROUNDING: f32 = 12_582_912.0;
/// ln 2 in two parts, of which the first times a small whole number is exact.
const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
/// 1/n!, from the highest: the error is 1.2e-7 of the value at most between ±ln 2 / 2.
const SERIES: [f32; 7] = [
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

impl OfVector for ExponentialFrom {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let x = simd.sub_f32s(x, simd.splat_f32s(self.0));
        // In this order what is no number stays none.
        let x = simd.max_f32s(simd.splat_f32s(LOWEST), x);
        let rounding = simd.splat_f32s(ROUNDING);
        let shifted = simd.mul_add_e_f32s(x, simd.splat_f32s(std::f32::consts::LOG2_E), rounding);
        let twos = simd.sub_f32s(rounding, shifted);
        let mut rest = x;
        for part in LN_2 {
            rest = simd.mul_add_e_f32s(twos, simd.splat_f32s(part), rest);
        }
        let mut sum = simd.splat_f32s(SERIES[0]);
        for coefficient in &SERIES[1..] {
            sum = simd.mul_add_e_f32s(sum, rest, simd.splat_f32s(*coefficient));
        }
        // The whole number becomes the exponent of a float, 2 to its power.
        let exponent =
            simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
        let power = simd.add_u32s(exponent, simd.splat_u32s(1.0f32.to_bits()));
        simd.mul_f32s(sum, simd.transmute_f32s_u32s(power))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registers::tests::{ByKind, by_all, numbers};

    struct Given<'a>(Attention<'a>, &'a [f32]);

    impl ByKind for Given<'_> {
        fn by<S: Simd>(&self, simd: S) -> Vec<f32> {
            attention_by(S::F32_LANES, self.0, self.1, |image| image.with_simd(simd))
        }
    }

    /// As the formula says, in double precision.
    fn plainly(attention: Attention, joined: &[f32]) -> Vec<f64> {
        let Attention {
            tokens,
            heads,
            turn,
        } = attention;
        let dim = turn[0].len() / tokens;
        let mut result = vec![0.0; joined.len() / 3];
        let image_len = tokens * heads * dim;
        for (at, result) in result.iter_mut().enumerate() {
            let (image, query) = (at / image_len, at / (heads * dim) % tokens);
            let (head, place) = (at / dim % heads, at % dim);
            let part = |token: usize, part: usize, place: usize| {
                let row = (image * tokens + token) * 3 + part;
                f64::from(joined[(row * heads + head) * dim + place])
            };
            let turned = |token: usize, which: usize, place: usize| {
                let other = part(token, which, (place + dim / 2) % dim);
                let other = if place < dim / 2 { -other } else { other };
                let [cos, sin] = turn.map(|table| f64::from(table[token * dim + place]));
                part(token, which, place) * cos + other * sin
            };
            let score = |key: usize| {
                let products = (0..dim).map(|d| turned(query, 0, d) * turned(key, 1, d));
                (products.sum::<f64>() / (dim as f64).sqrt()).exp()
            };
            let weights: Vec<f64> = (0..tokens).map(score).collect();
            let values = weights.iter().enumerate();
            let sum: f64 = values
                .map(|(key, weight)| weight * part(key, 2, place))
                .sum();
            *result = sum / weights.iter().sum::<f64>();
        }
        result
    }

    #[test]
    fn every_kind_of_processor_gives_what_the_formula_does() {
        for (images, tokens, heads, dim, size) in [
            (1, 1, 1, 2, 1.0),
            (2, 5, 3, 8, 4.0),
            (1, 35, 2, 48, 8.0),
            (2, 40, 1, 32, 30.0),
            (1, 70, 1, 6, 60.0),
        ] {
            let mut joined = numbers(images * tokens * 3 * heads * dim, 1);
            for value in &mut joined {
                *value *= size;
            }
            let turn = [numbers(tokens * dim, 2), numbers(tokens * dim, 3)];
            let attention = Attention {
                tokens,
                heads,
                turn: [&turn[0], &turn[1]],
            };
            let expected = plainly(attention, &joined);
            let mut all = by_all(&Given(attention, &joined));
            all.push(("own", super::attention(attention, &joined)));
            for (kind, found) in all {
                assert_eq!(found.len(), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (f64::from(*found) - expected).abs() < 2e-5 * f64::from(size),
                        "{kind}, {tokens} tokens of {dim}: {found} for {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_number_spoils_its_head_and_no_other() {
        let (tokens, heads, dim) = (3, 2, 4);
        let mut joined = numbers(tokens * 3 * heads * dim, 1);
        // A query of the second head.
        joined[dim] = f32::NAN;
        let turn = [vec![1.0; tokens * dim], vec![0.0; tokens * dim]];
        let attention = Attention {
            tokens,
            heads,
            turn: [&turn[0], &turn[1]],
        };
        let found = super::attention(attention, &joined);
        assert!(found[dim..2 * dim].iter().all(|value| value.is_nan()));
        assert!(found[..dim].iter().all(|value| value.is_finite()));
        assert!(found[2 * dim..].iter().all(|value| value.is_finite()));
    }
}
